//! Downloads from servers that lie, break off, stall and send people elsewhere: the right file comes, or an error that says what is wrong, and no
//! byte is fetched twice beyond a chunk. In virtual time.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::runtime::{Builder, Runtime};
use whimbrel_engine::CancelFlag;
use whimbrel_models::download::{DownloadError, Fetch, Progress, fetch_on};
use whimbrel_policy::Network;
use whimbrel_policy::download::{
    ATTEMPTS_MAX, CHUNK_BYTES, DownloadFailure, LocationError, MeteredRule, OVERLAP_BYTES, Order, Problem,
};
use whimbrel_testing::{ChatServer, Random, Received, Step, head};

const CHUNK: usize = CHUNK_BYTES as usize;

/// A file of two chunks and a half.
fn file(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let numbers = (0..5 * CHUNK / 16).flat_map(|_| random.number().to_le_bytes());
    b"GGUF".iter().copied().chain(numbers).collect()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An honest answer to a request, to be spoilt.
#[derive(Clone)]
struct Served {
    status: String,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// What happens after the body.
    then: Option<Step>,
}

/// Makes a lie of an honest answer.
type Spoil = Box<dyn Fn(Served) -> Served + Send + Sync>;

/// The first byte that a request asks for.
fn from(request: &Received) -> Option<usize> {
    let range = request.header("range")?;
    range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

impl Served {
    fn honest(file: &[u8], tag: &str, request: &Received) -> Served {
        let is_same = request.header("if-range").is_none_or(|known| known == tag);
        let start = from(request).filter(|_| is_same);
        let body = file[start.unwrap_or(0)..].to_vec();
        let mut fields = vec![("etag", tag.to_owned()), ("content-length", body.len().to_string())];
        if let Some(start) = start {
            fields.push((
                "content-range",
                format!("bytes {start}-{}/{}", file.len() - 1, file.len()),
            ));
        }
        Served {
            status: if start.is_some() {
                "206 Partial Content"
            } else {
                "200 OK"
            }
            .to_owned(),
            fields,
            body,
            then: None,
        }
    }

    fn status(status: &str, fields: &[(&'static str, &str)]) -> Served {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Served {
            status: status.to_owned(),
            fields: fields.chain([("content-length", "0".to_owned())]).collect(),
            body: Vec::new(),
            then: None,
        }
    }

    /// Sends only so much, and then this happens.
    fn cut(mut self, bytes: usize, then: Step) -> Served {
        self.body.truncate(bytes);
        self.then = Some(then);
        self
    }

    fn set(mut self, name: &'static str, value: &str) -> Served {
        self.fields.retain(|(field, _)| *field != name);
        if !value.is_empty() {
            self.fields.push((name, value.to_owned()));
        }
        self
    }

    fn steps(&self) -> Vec<Step> {
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let mut steps = vec![Step::Send(head(&self.status, &fields))];
        steps.extend(self.body.chunks(50_000).map(|piece| Step::Send(piece.to_vec())));
        steps.extend(self.then.clone());
        steps
    }
}

/// A server of files, the folder that they are fetched to, and the runtime of both.
struct Desk {
    runtime: Runtime,
    folder: tempfile::TempDir,
    servers: Vec<ChatServer>,
    /// Bytes of bodies that were sent.
    sent: Arc<Mutex<usize>>,
    sha256: Option<String>,
    network: Option<Network>,
    metered: MeteredRule,
    cancel: CancelFlag,
    /// Cancels when so many bytes are there.
    cancel_at: u64,
}

impl Desk {
    fn new() -> Desk {
        Desk {
            runtime: Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap(),
            folder: tempfile::tempdir().unwrap(),
            servers: Vec::new(),
            sent: Arc::default(),
            sha256: None,
            network: None,
            metered: MeteredRule::Refuse,
            cancel: CancelFlag::default(),
            cancel_at: u64::MAX,
        }
    }

    /// Adds a server that answers its n-th request in this way, from 0.
    fn serving(mut self, answer: impl Fn(usize, &Received) -> Served + Send + Sync + 'static) -> Desk {
        let sent = Arc::clone(&self.sent);
        let script = move |number: usize, request: &Received| {
            let served = answer(number, request);
            *sent.lock().unwrap() += served.body.len();
            served.steps()
        };
        let server = self.runtime.block_on(ChatServer::answering(script, None));
        self.servers.push(server);
        self
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join("small.gguf")
    }

    fn fetch(&self) -> Result<Vec<u8>, DownloadError> {
        let part = self.part();
        let locations = self
            .servers
            .iter()
            .map(|server| format!("{}/small.gguf", server.url).parse().unwrap());
        let wanted = Fetch {
            order: Order {
                locations: locations.collect(),
                has_checksum: false,
                copies: 1,
                network: self.network,
                metered: self.metered,
                seed: 7,
            },
            sha256: self.sha256.clone(),
            part: &part,
            authorities_pem: "",
            cancel: self.cancel.clone(),
        };
        let mut watch = |progress: Progress| {
            if matches!(progress, Progress::Fetching { bytes_done, .. } if bytes_done >= self.cancel_at) {
                self.cancel.cancel();
            }
        };
        fetch_on(&self.runtime, wanted, &mut watch).map(|path| fs::read(path).unwrap())
    }

    /// The file comes, with at most so many bytes more than it has.
    #[track_caller]
    fn gives(&self, file: &[u8], again_max: usize) {
        let found = self.fetch().unwrap();
        assert!(found == file, "another file");
        let again = self.sent.lock().unwrap().checked_sub(file.len()).unwrap();
        assert!(again <= again_max, "{again} bytes were sent again");
    }

    /// Fails, for these reasons, one a server.
    #[track_caller]
    fn fails(&self, expected: &[Problem]) {
        match self.fetch() {
            Err(DownloadError::Failed(DownloadFailure::Sources(sources))) => {
                let problems: Vec<_> = sources.into_iter().map(|(_, problem)| problem).collect();
                assert_eq!(problems, expected);
            }
            other => panic!("{:?}", other.map(|bytes| bytes.len())),
        }
    }
}

const TAG: &str = "\"one\"";

#[test]
fn an_honest_server_is_asked_once() {
    let desk = Desk::new().serving(|_, request| Served::honest(&file(1), TAG, request));
    desk.gives(&file(1), 0);
    // What is complete is not asked for again.
    desk.gives(&file(1), 0);
    assert_eq!(desk.servers[0].requests(), 1);
}

#[test]
fn a_broken_connection_is_resumed() {
    for then in [Step::Vanish, Step::Reset, Step::Close, Step::Stall] {
        for at in [0, 3, 1_000, CHUNK - 1, CHUNK, CHUNK + 70_000, 2 * CHUNK] {
            let end = then.clone();
            let desk = Desk::new().serving(move |number, request| {
                let whole = Served::honest(&file(1), TAG, request);
                if number == 0 { whole.cut(at, end.clone()) } else { whole }
            });
            // A reset may destroy what is on its way, and that was never fetched.
            let again = if matches!(then, Step::Reset) {
                at.max(OVERLAP_BYTES as usize)
            } else {
                OVERLAP_BYTES as usize
            };
            desk.gives(&file(1), again);
            let requests = desk.servers[0].received();
            assert_eq!(requests.len(), 2, "{then:?} at {at}");
            let resumed = from(&requests[1]).is_some();
            assert!(
                resumed || at <= OVERLAP_BYTES as usize || matches!(then, Step::Reset),
                "{then:?} at {at}"
            );
            assert_eq!(requests[1].header("if-range"), resumed.then_some(TAG));
        }
    }
}

#[test]
fn a_cancelled_download_goes_on_where_it_ended() {
    for cancel_at in [1, 200_000, CHUNK_BYTES - 1, CHUNK_BYTES + 300_000, 2 * CHUNK_BYTES] {
        let mut desk = Desk::new().serving(|_, request| Served::honest(&file(1), TAG, request));
        desk.cancel_at = cancel_at;
        let failed = desk.fetch();
        assert!(
            matches!(failed, Err(DownloadError::Failed(DownloadFailure::Cancelled))),
            "{:?}",
            failed.err()
        );
        let kept = fs::metadata(desk.part()).unwrap().len() as usize;
        assert!(kept as u64 >= cancel_at);
        desk.cancel_at = u64::MAX;
        desk.cancel = CancelFlag::default();
        assert!(desk.fetch().unwrap() == file(1));
        let resumed_from = from(&desk.servers[0].received()[1]).unwrap_or(0);
        assert!(
            resumed_from <= kept && kept - resumed_from < CHUNK,
            "{resumed_from} of {kept}"
        );
    }
}

#[test]
fn what_was_damaged_on_the_disk_is_fetched_again() {
    let desk = Desk::new().serving(|number, request| {
        let whole = Served::honest(&file(1), TAG, request);
        if number < ATTEMPTS_MAX as usize {
            whole.cut(2 * CHUNK + 200_000, Step::Vanish)
        } else {
            whole
        }
    });
    for (at, from_chunk) in [(CHUNK + 5, 1), (5, 0)] {
        let desk = Desk::new().serving(|number, request| {
            let whole = Served::honest(&file(1), TAG, request);
            if number == 0 {
                whole.cut(2 * CHUNK + 200_000, Step::Stall)
            } else {
                whole
            }
        });
        let desk = Desk {
            cancel_at: 2 * CHUNK_BYTES + 100_000,
            ..desk
        };
        desk.fetch().unwrap_err();
        let mut part = fs::read(desk.part()).unwrap();
        part[at] ^= 1;
        fs::write(desk.part(), part).unwrap();
        let desk = Desk {
            cancel_at: u64::MAX,
            cancel: CancelFlag::default(),
            ..desk
        };
        assert!(desk.fetch().unwrap() == file(1));
        let resumed_from = from(&desk.servers[0].received()[1]).unwrap_or(0);
        assert_eq!(
            resumed_from,
            (from_chunk * CHUNK).saturating_sub(OVERLAP_BYTES as usize)
        );
    }
    // A tail that did not reach the disk: the same size, other bytes.
    let desk = Desk {
        cancel_at: 2 * CHUNK_BYTES + 100_000,
        ..desk
    };
    desk.fetch().unwrap_err();
    let mut part = fs::read(desk.part()).unwrap();
    part[2 * CHUNK..].fill(0);
    fs::write(desk.part(), part).unwrap();
    let desk = Desk {
        cancel_at: u64::MAX,
        cancel: CancelFlag::default(),
        ..desk
    };
    assert!(desk.fetch().unwrap() == file(1));
}

#[test]
fn lies_about_length_and_range_are_noticed() {
    let refused = |number: usize, served: Served, spoil: &dyn Fn(Served) -> Served| match number {
        0 => served.cut(CHUNK + 500_000, Step::Vanish),
        _ => spoil(served),
    };
    let total = file(1).len();
    let spoils: Vec<(Spoil, Problem)> = vec![
        (Box::new(|served| served.set("content-range", "")), Problem::Range),
        (
            Box::new(|served| served.set("content-range", "bytes 0-99/100")),
            Problem::Range,
        ),
        (Box::new(|served| served.set("content-range", "a lie")), Problem::Range),
        (
            Box::new(move |served| served.set("content-range", &format!("bytes {}-{}/{total}", CHUNK, total - 1))),
            Problem::Range,
        ),
        (
            Box::new(|served| served.set("content-encoding", "gzip")),
            Problem::Encoded,
        ),
        // Whatever it is asked for, it sends everything.
        (
            Box::new(|served| {
                Served {
                    status: "200 OK".to_owned(),
                    body: file(1),
                    ..served
                }
                .set("content-range", "")
                .set("content-length", &file(1).len().to_string())
            }),
            Problem::NoRanges,
        ),
    ];
    for (spoil, problem) in spoils {
        let desk =
            Desk::new().serving(move |number, request| refused(number, Served::honest(&file(1), TAG, request), &spoil));
        desk.fails(&[problem]);
        // Nothing is lost.
        assert!(fs::metadata(desk.part()).unwrap().len() as usize > CHUNK);
    }
    // It promises more than it has, every time.
    let desk = Desk::new().serving(|_, request| {
        let honest = Served::honest(&file(1), TAG, request);
        let longer = (honest.body.len() + 10).to_string();
        let start = from(request).unwrap_or(0);
        let range = format!("bytes {start}-{}/{}", file(1).len() + 9, file(1).len() + 10);
        let honest = if start > 0 {
            honest.set("content-range", &range)
        } else {
            honest
        };
        Served {
            then: Some(Step::Close),
            ..honest.set("content-length", &longer)
        }
    });
    match desk.fetch() {
        Err(DownloadError::Failed(DownloadFailure::Sources(sources))) => {
            assert!(matches!(sources[0].1, Problem::Network { .. }), "{sources:?}");
        }
        other => panic!("{:?}", other.map(|bytes| bytes.len())),
    }
    // It promises less, and the file is a shorter one then, which its checksum tells.
    let mut desk = Desk::new().serving(|_, request| {
        let served = Served::honest(&file(1), TAG, request).set("content-length", "1000");
        served.cut(1_000, Step::Close)
    });
    desk.sha256 = Some(sha256(&file(1)));
    assert!(matches!(
        desk.fetch(),
        Err(DownloadError::Failed(DownloadFailure::Checksum))
    ));
    assert_eq!(fs::metadata(desk.part()).unwrap().len(), 0);
}

#[test]
fn another_file_halfway_is_noticed() {
    // It says so: the download begins again, once.
    let desk = Desk::new().serving(|number, request| match number {
        0 => Served::honest(&file(1), TAG, request).cut(2 * CHUNK, Step::Vanish),
        _ => Served::honest(&file(2), "\"two\"", request),
    });
    desk.gives(&file(2), 2 * CHUNK);
    // It says so again and again.
    let desk = Desk::new().serving(|number, request| {
        let tag = format!("\"{number}\"");
        Served::honest(&file(number as u64), &tag, request).cut(CHUNK + 200_000, Step::Vanish)
    });
    desk.fails(&[Problem::Changed]);
    // It keeps the tag, or has none: the bytes are compared.
    for tag in [TAG, ""] {
        let desk = Desk::new().serving(move |number, request| match number {
            0 => Served::honest(&file(1), TAG, request)
                .set("etag", tag)
                .cut(2 * CHUNK, Step::Vanish),
            _ => Served::honest(&file(2), TAG, request).set("etag", tag),
        });
        desk.gives(&file(2), 2 * CHUNK + file(2).len());
    }
    // The right length in the wrong file.
    let mut desk = Desk::new().serving(|_, request| Served::honest(&file(2), TAG, request));
    desk.sha256 = Some(sha256(&file(1)));
    assert!(matches!(
        desk.fetch(),
        Err(DownloadError::Failed(DownloadFailure::Checksum))
    ));
    desk.sha256 = Some(sha256(&file(2)));
    assert!(desk.fetch().unwrap() == file(2));
}

#[test]
fn stalls_and_drips_end() {
    let desk = Desk::new().serving(|_, request| Served::honest(&file(1), TAG, request).cut(1_000, Step::Stall));
    match desk.fetch() {
        Err(DownloadError::Failed(DownloadFailure::Sources(sources))) => {
            let limit = Problem::Network {
                reason: "the time limit idle_ms expired".to_owned(),
            };
            assert_eq!(sources[0].1, limit);
        }
        other => panic!("{:?}", other.map(|bytes| bytes.len())),
    }
    assert_eq!(desk.servers[0].requests(), ATTEMPTS_MAX as usize);
    // A hundred bytes a second.
    let desk = Desk::new().serving(|_, request| {
        let start = from(request).unwrap_or(0);
        let drip = Step::EverySecond(file(1)[start..start + 100].to_vec());
        Served::honest(&file(1), TAG, request).cut(0, drip)
    });
    let failed = desk.fetch();
    assert!(
        matches!(failed, Err(DownloadError::Failed(DownloadFailure::Sources(_)))),
        "{:?}",
        failed.err()
    );
    // Nothing at all.
    let desk = Desk::new().serving(|_, _| Served {
        then: Some(Step::Close),
        ..Served::status("200 OK", &[])
    });
    desk.fails(&[Problem::NotGguf]);
}

#[test]
fn refusals() {
    for (status, requests) in [
        ("404 No", 1),
        ("403 No", 1),
        ("410 No", 1),
        ("204 No", 1),
        ("503 No", ATTEMPTS_MAX),
        ("429 No", ATTEMPTS_MAX),
    ] {
        let desk = Desk::new().serving(move |_, _| Served::status(status, &[]));
        let code = status[..3].parse().unwrap();
        desk.fails(&[Problem::Refused { status: code }]);
        assert_eq!(desk.servers[0].requests(), requests as usize, "{status}");
    }
    // A busy server is asked again, after what it asked for.
    let desk = Desk::new().serving(|number, request| match number {
        0 => Served::status("503 Busy", &[("retry-after", "100")]),
        _ => Served::honest(&file(1), TAG, request),
    });
    desk.gives(&file(1), 0);
    // One that asks for an hour is not waited for.
    let desk = Desk::new().serving(|_, _| Served::status("503 Busy", &[("retry-after", "3600")]));
    desk.fails(&[Problem::Refused { status: 503 }]);
    assert_eq!(desk.servers[0].requests(), 1);
}

#[test]
fn what_is_no_model_ends_with_its_first_bytes() {
    let page = |_: usize, _: &Received| {
        let body = b"<!DOCTYPE html><html>".to_vec();
        let served = Served::status("200 OK", &[]).set("content-length", "5000000000");
        Served {
            body,
            then: Some(Step::Stall),
            ..served
        }
    };
    let desk = Desk::new().serving(page);
    desk.fails(&[Problem::Page]);
    assert_eq!(fs::metadata(desk.part()).unwrap().len(), 0);
    let named =
        move |number: usize, request: &Received| page(number, request).set("content-type", "text/html; charset=utf-8");
    Desk::new().serving(named).fails(&[Problem::Page]);
    let archive = |_: usize, _: &Received| Served {
        body: b"PK\x03\x04".to_vec(),
        then: Some(Step::Stall),
        ..Served::status("200 OK", &[]).set("content-length", "5000000")
    };
    Desk::new().serving(archive).fails(&[Problem::NotGguf]);
}

#[test]
fn redirects_lead_only_where_they_may() {
    let found = |request: &Received, path: &str| request.head.starts_with(&format!("GET /v1/{path} "));
    let desk = Desk::new().serving(move |_, request| match () {
        () if found(request, "small.gguf") => Served::status("302 Found", &[("location", "cdn/a?x=1")]),
        () if found(request, "cdn/a?x=1") => Served::status("307 Found", &[("location", "/v1/b")]),
        () if found(request, "b") => Served::honest(&file(1), TAG, request),
        () => Served::status("404 No", &[]),
    });
    desk.gives(&file(1), 0);
    for (target, problem) in [
        ("small.gguf", Problem::RedirectLoop),
        (
            "http://models.example/a",
            Problem::Redirect {
                error: LocationError::Cleartext,
            },
        ),
        (
            "ftp://127.0.0.1/a",
            Problem::Redirect {
                error: LocationError::Cleartext,
            },
        ),
        (
            "https://me:word@models.example/a",
            Problem::Redirect {
                error: LocationError::User,
            },
        ),
        (
            "https://a b/",
            Problem::Redirect {
                error: LocationError::Malformed,
            },
        ),
        ("", Problem::Protocol),
    ] {
        let fields = move |_: usize, _: &Received| Served::status("301 Moved", &[]).set("location", target);
        Desk::new().serving(fields).fails(&[problem]);
    }
    let endless = |number: usize, _: &Received| Served::status("302 Found", &[]).set("location", &format!("x{number}"));
    Desk::new().serving(endless).fails(&[Problem::TooManyRedirects]);
}

#[test]
fn mirrors_help_and_cannot_mix_files() {
    // The first breaks off for good, the second has the rest.
    let desk = Desk::new()
        .serving(|number, request| match number {
            0 => Served::honest(&file(1), TAG, request).cut(CHUNK + 300_000, Step::Vanish),
            _ => Served::status("404 Gone", &[]),
        })
        .serving(|_, request| Served::honest(&file(1), "\"elsewhere\"", request));
    desk.gives(&file(1), OVERLAP_BYTES as usize);
    // A tag is only for the server that gave it.
    assert_eq!(desk.servers[1].received()[0].header("if-range"), None);
    // The second has another file.
    let desk = Desk::new()
        .serving(|number, request| match number {
            0 => Served::honest(&file(1), TAG, request).cut(CHUNK + 300_000, Step::Vanish),
            _ => Served::status("404 Gone", &[]),
        })
        .serving(|_, request| Served::honest(&file(2), TAG, request));
    desk.fails(&[Problem::Refused { status: 404 }, Problem::OtherFile]);
}

#[test]
fn networks_that_cost_money_are_left_alone_unless_allowed() {
    for (network, metered, is_fetched) in [
        (Some(Network::Metered), MeteredRule::Refuse, false),
        (Some(Network::Roaming), MeteredRule::Refuse, false),
        (Some(Network::Metered), MeteredRule::Allow, true),
        (Some(Network::Metered), MeteredRule::UpTo(file(1).len() as u64), true),
        (
            Some(Network::Metered),
            MeteredRule::UpTo(file(1).len() as u64 - 1),
            false,
        ),
        (None, MeteredRule::UpTo(100), false),
        (None, MeteredRule::Refuse, true),
        (Some(Network::Unmetered), MeteredRule::UpTo(0), true),
    ] {
        let mut desk = Desk::new().serving(|_, request| Served::honest(&file(1), TAG, request));
        (desk.network, desk.metered) = (network, metered);
        let fetched = desk.fetch();
        match &fetched {
            Ok(bytes) => assert!(is_fetched && *bytes == file(1)),
            Err(DownloadError::Failed(DownloadFailure::Metered { .. })) => assert!(!is_fetched),
            Err(other) => panic!("{other}"),
        }
        if metered == MeteredRule::Refuse && !is_fetched {
            assert_eq!(desk.servers[0].requests(), 0);
        }
    }
}

#[test]
fn random_faults_end_in_the_right_file_or_an_error() {
    for seed in 0..60 {
        let desk = Desk::new().serving(move |number, request| {
            let mut random = Random::new(seed * 1_000 + number as u64);
            let whole = Served::honest(&file(1), TAG, request);
            let at = random.below(whole.body.len() as u64 + 1) as usize;
            match random.below(8) {
                0 => whole.cut(at, Step::Vanish),
                1 => whole.cut(at, Step::Close),
                2 => whole.cut(at, Step::Stall),
                3 => Served::status("503 Busy", &[]),
                4 => whole.cut(at.min(100_000), Step::Vanish),
                _ => whole,
            }
        });
        match desk.fetch() {
            Ok(found) => assert!(found == file(1), "seed {seed}: another file"),
            Err(DownloadError::Failed(DownloadFailure::Sources(_))) => {}
            Err(other) => panic!("seed {seed}: {other}"),
        }
        let requests = desk.servers[0].requests();
        let again = desk.sent.lock().unwrap().saturating_sub(file(1).len());
        assert!(
            again <= requests * OVERLAP_BYTES as usize,
            "seed {seed}: {again} bytes again in {requests} requests"
        );
    }
}
