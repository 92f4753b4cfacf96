//! A day's budget with a real ledger and a server that counts: processes that are killed, requests at once, refusals, a disk that fills up.
//! `WHIMBREL_KILLS` says how many processes are killed.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::{Reply, Server, ask_options, options, policies, read};
use whimbrel_client::policy::{DeviceUpdate, Network, Spending, UsedToday};
use whimbrel_client::ports::{Ports, Records};
use whimbrel_client::record::{Closing, Code, Intent, Outcome, ReceiptId, Signal};
use whimbrel_client::store::{FileVault, MemoryVault, Store, StoreError};
use whimbrel_client::{Answer, AskOptions, Assistant, AssistantOptions, Event, block_on};
use whimbrel_testing::response;

/// Where the child finds its ledger and its server; unset in the parent.
const CHILD: &str = "WHIMBREL_TEST_BUDGETS_CHILD";
/// Of a request with the test's question and the longest answer: 5 and 12 tokens at 1 for 1000, and what the messages take around it.
const DEAREST_MICROS: u64 = 40_000;

fn assistant_options(folder: &Path, url: &str, cost_a_day: f64) -> AssistantOptions {
    let policy = format!(
        "version = 1\nname = \"test\"\ncurrency = \"EUR\"\notherwise = [\"remote:house\"]\n\
         [limits]\ncost_a_day = {cost_a_day}\n[[endpoints]]\nid = \"house\"\nbase_url = \"{url}\"\nmodel = \"m\"\n\
         trust = \"organisation\"\ncost_per_1k_tokens = 1\n"
    );
    AssistantOptions {
        store: folder.join("ledger.sqlite"),
        vault: Arc::new(FileVault::open(&folder.join("vault")).unwrap()),
        policies: policies(&policy),
        user_words: Vec::new(),
    }
}

fn open(folder: &Path, url: &str, cost_a_day: f64) -> Assistant {
    let assistant = Assistant::open(assistant_options(folder, url, cost_a_day)).unwrap();
    assistant.update_device(&DeviceUpdate {
        network: Network::Unmetered.into(),
        ..DeviceUpdate::default()
    });
    assistant
}

fn ask(assistant: &Assistant) -> Answer {
    // The same question again and again, which is paid for each time.
    let anew = AskOptions {
        fresh: true,
        ..ask_options()
    };
    assistant.conversation(options()).ask("Hello", anew).unwrap()
}

/// What the store holds of today, when nobody has it open.
fn spent(folder: &Path) -> UsedToday {
    let vault = Arc::new(FileVault::open(&folder.join("vault")).unwrap());
    let store = Store::inspect(&folder.join("ledger.sqlite"), vault).unwrap();
    let written = store.state_get("used_today").unwrap();
    let spending = written.map_or_else(Spending::default, |bytes| serde_json::from_slice(&bytes).unwrap());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    spending.today(now.as_millis() as u64)
}

/// The child's whole life: it asks until it is killed.
#[test]
fn child() {
    let Ok(told) = std::env::var(CHILD) else {
        return;
    };
    let [folder, url, cost_a_day] = told.split('|').collect::<Vec<_>>()[..] else {
        panic!("{told}");
    };
    let assistant = open(Path::new(folder), url, cost_a_day.parse().unwrap());
    loop {
        read(&ask(&assistant));
    }
}

fn spawn(folder: &Path, server: &Server, cost_a_day: f64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, format!("{}|{}|{cost_a_day}", folder.display(), server.url))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_process_has_spent_what_it_set_aside() {
    let kills: u64 = std::env::var("WHIMBREL_KILLS").map_or(12, |kills| kills.parse().unwrap());
    // The first kind of server answers and counts, the second never ends.
    for reply in [Reply::Whole, Reply::Stalls] {
        let server = Server::start(&[reply]);
        let folder = tempfile::tempdir().unwrap();
        for kill in 0..kills / 2 {
            let before = server.requests();
            let mut child = spawn(folder.path(), &server, 1e6);
            while server.requests() <= before {
                assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(kill % 7));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let (sent, spent) = (server.requests() as u64, spent(folder.path()).cost_micros);
        // A whole reply counts 37 tokens, at a thousandth each.
        let counted = match reply {
            Reply::Whole => (sent - kills / 2) * 37_000,
            _ => 0,
        };
        assert!(spent >= counted, "{spent} spent, the server counted {counted}");
        assert!(
            spent <= sent * DEAREST_MICROS + kills * DEAREST_MICROS,
            "{spent} spent for {sent} requests"
        );
        assert!(spent > 0);
    }
}

#[test]
fn processes_that_are_killed_have_one_budget_together() {
    let server = Server::start(&[Reply::Stalls]);
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..6 {
        let (mut child, before) = (spawn(folder.path(), &server, 0.08), server.requests());
        for _ in 0..40 {
            if server.requests() > before {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!((1..=3).contains(&server.requests()), "{}", server.requests());
    let assistant = open(folder.path(), &server.url, 0.08);
    assert_eq!(read(&ask(&assistant)).report.outcome, Outcome::Failed);
}

#[test]
fn requests_at_once_share_a_budget() {
    let server = Server::start(&[Reply::Stalls]);
    let folder = tempfile::tempdir().unwrap();
    let assistant = open(folder.path(), &server.url, 0.08);
    let answers: Vec<Answer> = (0..20).map(|_| ask(&assistant)).collect();
    let over = answers.iter().filter(|answer| {
        // Those that wait for the server show its first piece; the others end at once.
        let report = loop {
            let events = block_on(answer.next(1)).unwrap();
            match events.first() {
                Some(Event::Text(_)) => break None,
                Some(Event::Finished(report)) => break Some(report.clone()),
                _ => {}
            }
        };
        report.is_some_and(|report| {
            let is_over = report.code == Some(Code::OverBudget) || report.code == Some(Code::Unavailable);
            assert!(is_over && report.bytes_out == 0, "{report:?}");
            true
        })
    });
    let over = over.count();
    assert_eq!((server.requests(), over), (2, 18));
}

#[test]
fn what_an_endpoint_turns_away_costs_nothing() {
    for status in [301, 307, 400, 401, 403, 404, 413, 422, 429, 500, 503] {
        let server = Server::start(&[Reply::Status(status)]);
        let folder = tempfile::tempdir().unwrap();
        let assistant = open(folder.path(), &server.url, 0.08);
        let report = read(&ask(&assistant)).report;
        assert_eq!(report.outcome, Outcome::Failed, "{status}");
        assert!(report.bytes_out > 0, "{status}");
        drop(assistant);
        assert_eq!(spent(folder.path()), UsedToday::default(), "{status}");
    }
    let filtered = response(
        "400 No",
        &[("content-type", "application/json")],
        "{\"error\":{\"code\":\"content_filter\"}}",
    );
    let server = Server::start(&[Reply::Raw(filtered.leak())]);
    let folder = tempfile::tempdir().unwrap();
    let assistant = open(folder.path(), &server.url, 0.08);
    assert_eq!(
        read(&ask(&assistant)).report.attempts[0].code,
        Some(Code::ContentFilter)
    );
    drop(assistant);
    assert_eq!(spent(folder.path()), UsedToday::default());
    // What was paid for counts, even where nobody says how much.
    let begun = "data: {\"choices\":[{\"delta\":{\"content\":\"Here\"}}]}\n\n\
                 data: {\"error\":{\"code\":\"rate_limit_exceeded\"}}\n\n";
    let limited = Reply::Raw(response("200 OK", &[("content-type", "text/event-stream")], begun).leak());
    for reply in [Reply::Whole, Reply::DiesMidway, Reply::Ends("content_filter"), limited] {
        let server = Server::start(&[reply]);
        let folder = tempfile::tempdir().unwrap();
        let assistant = open(folder.path(), &server.url, 0.08);
        read(&ask(&assistant));
        drop(assistant);
        assert!(spent(folder.path()).cost_micros > 10_000, "{reply:?}");
    }
}

/// A ledger on a disk that is full when a receipt's end is to be written.
struct FullAtTheEnd(Store);

impl Records for FullAtTheEnd {
    fn begin(&self, intent: &Intent, now_ms: u64) -> Result<ReceiptId, StoreError> {
        Records::begin(&self.0, intent, now_ms)
    }

    fn finish(&self, _: ReceiptId, _: &Closing, _: u64) -> Result<(), StoreError> {
        let path = self.0.path().to_owned();
        Err(StoreError::Full { path })
    }

    fn record(&self, intent: &Intent, closing: &Closing, now_ms: u64) -> Result<ReceiptId, StoreError> {
        Records::record(&self.0, intent, closing, now_ms)
    }

    fn feedback(&self, id: ReceiptId, signal: Signal, now_ms: u64) -> Result<Option<(String, String)>, StoreError> {
        Records::feedback(&self.0, id, signal, now_ms)
    }

    fn state(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Records::state(&self.0, name)
    }

    fn keep_state(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        Records::keep_state(&self.0, name, bytes)
    }
}

#[test]
fn a_full_disk_takes_no_answer_away() {
    let server = Server::start(&[Reply::Whole]);
    let folder = tempfile::tempdir().unwrap();
    let vault = Arc::new(MemoryVault::new());
    let store = Store::open(&folder.path().join("ledger.sqlite"), vault.clone(), 0).unwrap();
    let options = AssistantOptions {
        vault,
        ..assistant_options(folder.path(), &server.url, 1e6)
    };
    let ports = Ports {
        records: Some(Arc::new(FullAtTheEnd(store))),
        ..Ports::default()
    };
    let assistant = Assistant::open_with(options, ports).unwrap();
    let heard = read(&ask(&assistant));
    assert_eq!(heard.text, "An answer from the server.");
    assert!(heard.report.is_answered() && !heard.report.is_recorded);
}
