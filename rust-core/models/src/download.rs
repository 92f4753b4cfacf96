//! Fetching a model file: what `whimbrel_policy::download` decides is carried out here, with the socket of `whimbrel-network` and a part file.
//! Nothing is decided here.

mod part;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep, timeout};
use whimbrel_engine::CancelFlag;
use whimbrel_forge::{ForgeError, check_beginning};
use whimbrel_network::{FileAnswer, FileClient, FileRequest, TrustError};
use whimbrel_policy::download::{
    Answer, Command, Download, DownloadFailure, Event, FileKind, Location, Order, Validator,
};

pub use self::part::{Part, PartHeader};

/// How often somebody who waits looks whether the file is still wanted.
const TICK: Duration = Duration::from_millis(100);
/// As soon as so many bytes of a model file are here, its architecture is looked at.
const BEGINNING_BYTES: usize = 4 << 10;
/// Bytes that are hashed between two looks at the cancel flag.
const HASH_CHUNK_BYTES: usize = 4 << 20;

/// A file that is wanted.
pub struct Fetch<'f> {
    /// Its addresses, and the conditions.
    pub order: Order,
    /// Its SHA-256, in 64 lower-case hexadecimal digits, if it is known. [`Order::has_checksum`] is set to match.
    pub sha256: Option<String>,
    /// The file that collects the bytes, in a folder that exists. A note about them lies beside it, in `NAME.json`. Only one process at a
    /// time may use it.
    pub part: &'f Path,
    /// Certificate authorities to trust besides the public ones, in PEM.
    pub authorities_pem: &'f str,
    /// Ends the download, which can be resumed.
    pub cancel: CancelFlag,
}

/// How far a download is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// Bytes come.
    Fetching {
        /// Bytes so far, those of earlier runs among them.
        bytes_done: u64,
        /// Size of the file, if it is known.
        bytes_total: Option<u64>,
    },
    /// The server is asked again after a while.
    Waiting {
        /// How long, in milliseconds.
        wait_ms: u64,
    },
    /// The complete file is compared with its checksum.
    Checking {
        /// Bytes so far.
        bytes_done: u64,
        /// Size of the file.
        bytes_total: u64,
    },
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The download failed, or was cancelled.
    #[error(transparent)]
    Failed(#[from] DownloadFailure),
    /// The part file could not be read or written.
    #[error("cannot write {}", path.display())]
    Part {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The file's first bytes say that it cannot be imported. Nothing of it is kept.
    #[error(transparent)]
    Unsupported(#[from] ForgeError),
    /// An authority is not a certificate.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The system gave no means to wait for a network.
    #[error("cannot use the network")]
    Runtime(#[source] io::Error),
}

/// Fetches a file, or what is missing of it, and returns the path of the complete file: the part file. Blocks until then.
///
/// # Errors
/// [`DownloadError`]. The bytes so far are kept, and used by the next call with the same part file and one of the same addresses.
pub fn fetch(wanted: Fetch<'_>, watch: &mut dyn FnMut(Progress)) -> Result<PathBuf, DownloadError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    fetch_on(&runtime.map_err(DownloadError::Runtime)?, wanted, watch)
}

/// As [`fetch`], on a runtime of the caller's with I/O and time enabled.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_on(
    runtime: &Runtime,
    mut wanted: Fetch<'_>,
    watch: &mut dyn FnMut(Progress),
) -> Result<PathBuf, DownloadError> {
    wanted.order.has_checksum = wanted.sha256.is_some();
    let client = FileClient::new(wanted.authorities_pem)?;
    let failed = |source| DownloadError::Part {
        path: wanted.part.to_owned(),
        source,
    };
    let part = Part::open(wanted.part, wanted.sha256.clone()).map_err(failed)?;
    let _entered = runtime.enter();
    let (download, commands) = Download::start(wanted.order.clone(), part.kept(), 0);
    let mut executor = Executor {
        begun: Instant::now(),
        commands: commands.into(),
        answer: None,
        position: 0,
        runtime,
        client,
        download,
        part,
        wanted: &wanted,
        watch,
    };
    executor.run()?;
    Ok(wanted.part.to_owned())
}

struct Executor<'e> {
    begun: Instant,
    runtime: &'e Runtime,
    client: FileClient,
    download: Download,
    part: Part,
    wanted: &'e Fetch<'e>,
    watch: &'e mut dyn FnMut(Progress),
    commands: VecDeque<Command>,
    /// The answer whose body may be read.
    answer: Option<FileAnswer>,
    /// Where the next byte of its body belongs.
    position: u64,
}

impl Executor<'_> {
    fn run(&mut self) -> Result<(), DownloadError> {
        let (mut is_reading, mut wake_at_ms) = (false, None);
        loop {
            let Some(command) = self.commands.pop_front() else {
                if is_reading {
                    self.read()?;
                } else {
                    self.wait(wake_at_ms.take());
                }
                continue;
            };
            match command {
                Command::Ask {
                    location,
                    from,
                    if_range,
                } => self.ask(&location, from, if_range),
                Command::MeasureSpace => {
                    let bytes_free = crate::disk::bytes_free(self.wanted.part);
                    self.step(Event::Space { bytes_free });
                }
                Command::Note(begun) => self.written(|part| part.note(begun))?,
                Command::Read => is_reading = true,
                Command::Stop => {
                    is_reading = false;
                    self.answer = None;
                }
                Command::CutTo { bytes } => self.written(|part| part.cut_to(bytes))?,
                Command::WakeAt { at_ms } => {
                    wake_at_ms = Some(at_ms);
                    let wait_ms = at_ms.saturating_sub(self.now_ms());
                    (self.watch)(Progress::Waiting { wait_ms });
                }
                Command::Check => {
                    is_reading = false;
                    self.check()?;
                }
                Command::Finish(result) => {
                    self.written(Part::finish)?;
                    return Ok(result?);
                }
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn step(&mut self, event: Event) {
        self.commands.extend(self.download.step(self.now_ms(), event));
    }

    fn written<T>(&mut self, write: impl FnOnce(&mut Part) -> io::Result<T>) -> Result<T, DownloadError> {
        write(&mut self.part).map_err(|source| DownloadError::Part {
            path: self.wanted.part.to_owned(),
            source,
        })
    }

    fn ask(&mut self, location: &Location, from: u64, if_range: Option<Validator>) {
        let request = FileRequest {
            url: location.as_str().to_owned(),
            from,
            if_range: if_range.map(|validator| validator.as_str().to_owned()),
        };
        let asked = while_wanted(self.runtime, &self.wanted.cancel, self.client.get(&request));
        let event = match asked {
            None => Event::Cancelled,
            Some(Ok(answer)) => {
                let event = Event::Answered(told(&answer));
                // The whole file begins at its beginning, whatever was asked for.
                self.position = if answer.status() == 206 { from } else { 0 };
                self.answer = Some(answer);
                event
            }
            Some(Err(failure)) => failed(failure),
        };
        self.step(event);
    }

    /// Takes what came of the body.
    fn read(&mut self) -> Result<(), DownloadError> {
        let Some(answer) = &mut self.answer else {
            self.step(Event::Ended);
            return Ok(());
        };
        match while_wanted(self.runtime, &self.wanted.cancel, answer.next()) {
            None => self.step(Event::Cancelled),
            Some(Ok(Some(bytes))) => return self.take(&bytes),
            Some(Ok(None)) => {
                self.recognise_short()?;
                self.step(Event::Ended);
            }
            Some(Err(failure)) => self.step(failed(failure)),
        }
        Ok(())
    }

    /// Compares what is kept already, and writes the rest.
    fn take(&mut self, bytes: &[u8]) -> Result<(), DownloadError> {
        let kept = self.part.bytes();
        let known = usize::try_from(kept.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let (again, new) = bytes.split_at(known.min(bytes.len()));
        if !again.is_empty() {
            let at = self.position;
            if let Some(offset) = self.written(|part| part.first_difference(at, again))? {
                self.step(Event::Differs { at: at + offset });
                return Ok(());
            }
            self.position += again.len() as u64;
        }
        if new.is_empty() {
            return Ok(());
        }
        let is_now = |bytes: usize, part: &Part| (kept as usize) < bytes && part.bytes() as usize >= bytes;
        self.written(|part| part.append(new))?;
        self.position += new.len() as u64;
        if is_now(FileKind::BYTES, &self.part) {
            self.recognise()?;
        }
        if is_now(BEGINNING_BYTES, &self.part) {
            let beginning = self.written(|part| part.beginning(BEGINNING_BYTES))?;
            if let Err(error) = check_beginning(&beginning) {
                self.written(|part| part.cut_to(0))?;
                return Err(error.into());
            }
        }
        self.step(Event::Received {
            bytes: new.len() as u64,
        });
        (self.watch)(Progress::Fetching {
            bytes_done: self.download.bytes_kept(),
            bytes_total: self.download.bytes_total(),
        });
        Ok(())
    }

    /// A file that ends before it can be told what it is.
    fn recognise_short(&mut self) -> Result<(), DownloadError> {
        match (self.part.bytes() as usize) < FileKind::BYTES {
            true => self.recognise(),
            false => Ok(()),
        }
    }

    fn recognise(&mut self) -> Result<(), DownloadError> {
        let first = self.written(|part| part.beginning(FileKind::BYTES))?;
        self.step(Event::Recognised(FileKind::of(&first)));
        Ok(())
    }

    fn wait(&mut self, until_ms: Option<u64>) {
        let wait = until_ms.map_or(TICK, |until| Duration::from_millis(until.saturating_sub(self.now_ms())));
        let event = match while_wanted(self.runtime, &self.wanted.cancel, sleep(wait)) {
            None => Event::Cancelled,
            Some(()) => Event::Timer,
        };
        self.step(event);
    }

    fn check(&mut self) -> Result<(), DownloadError> {
        let (bytes_total, cancel) = (self.part.bytes(), &self.wanted.cancel);
        let (mut hasher, mut bytes_done) = (Sha256::new(), 0);
        let mut chunk = vec![0; HASH_CHUNK_BYTES];
        loop {
            if cancel.is_cancelled() {
                self.step(Event::Cancelled);
                return Ok(());
            }
            let read = self.part.read_at(bytes_done, &mut chunk);
            let read = read.map_err(|source| DownloadError::Part {
                path: self.wanted.part.to_owned(),
                source,
            })?;
            if read == 0 {
                break;
            }
            hasher.update(&chunk[..read]);
            bytes_done += read as u64;
            (self.watch)(Progress::Checking {
                bytes_done,
                bytes_total,
            });
        }
        let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let is_right = self.wanted.sha256.as_deref() == Some(&found);
        self.step(Event::Checked { is_right });
        Ok(())
    }
}

impl fmt::Debug for Executor<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Executor")
            .field("download", &self.download)
            .finish_non_exhaustive()
    }
}

/// What a future gives; `None` once the file is no longer wanted.
fn while_wanted<F: Future>(runtime: &Runtime, cancel: &CancelFlag, future: F) -> Option<F::Output> {
    runtime.block_on(async {
        let mut future = pin!(future);
        while !cancel.is_cancelled() {
            if let Ok(output) = timeout(TICK, future.as_mut()).await {
                return Some(output);
            }
        }
        None
    })
}

fn told(answer: &FileAnswer) -> Answer {
    let text = |name: &str| answer.header(name).map(str::to_owned);
    let is = |name: &str, words: &[&str]| {
        let value = answer
            .header(name)
            .and_then(|value| value.split(';').next())
            .unwrap_or_default();
        words.iter().any(|word| value.trim().eq_ignore_ascii_case(word))
    };
    Answer {
        status: answer.status(),
        location: text("location"),
        content_length: answer
            .header("content-length")
            .and_then(|length| length.trim().parse().ok()),
        content_range: text("content-range"),
        validator: Validator::of(answer.header("etag"), answer.header("last-modified")),
        is_encoded: answer.header("content-encoding").is_some() && !is("content-encoding", &["identity"]),
        is_page: is("content-type", &["text/html", "application/xhtml+xml"]),
        retry_after_ms: answer.retry_after_ms(),
    }
}

fn failed(failure: whimbrel_network::Failure) -> Event {
    use whimbrel_network::Failure;
    let is_lasting = matches!(failure, Failure::Certificate { .. } | Failure::NotLoopback);
    Event::Failed {
        reason: failure.to_string(),
        is_passing: !is_lasting,
    }
}
