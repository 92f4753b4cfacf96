//! The engine gets no memory for a context: the next candidate answers, and the receipt says why. In a process of its own, since the limit
//! holds for all of it.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod support;

use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Resource, Rlimit, setrlimit};
use support::{Fixture, Reply, Server, ask_options, read};
use whimbrel_client::record::Outcome;
use whimbrel_client::store::Filter;
use whimbrel_client::{Client, ConversationOptions, OpenOptions, block_on};

/// Set in the process that gets little memory.
const CHILD: &str = "WHIMBREL_TEST_OUT_OF_MEMORY_CHILD";
/// The context that does not fit: 188 MB of keys and values.
const CONTEXT_LENGTH: u32 = 8192;
/// What the process may still take.
const LEFT_BYTES: u64 = 96 << 20;

/// SmolLM2, which `make test-data` prepares.
fn smollm2() -> PathBuf {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let folder = path("WHIMBREL_TEST_DATA").unwrap_or_else(|| {
        let cache = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")));
        cache.unwrap().join("whimbrel/test-data")
    });
    folder.join("smollm2")
}

/// Address space of this process in bytes: the first number of `statm`, in pages.
fn address_space_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64
}

#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let server = Server::start(&[Reply::Whole]);
    let fixture = Fixture::new(&format!(
        "version = 1\nname = \"test\"\notherwise = [\"on_device\", \"remote:house\"]\n[[endpoints]]\nid = \"house\"\n\
         base_url = \"{}\"\nmodel = \"m\"\ntrust = \"organisation\"\ncost_per_1k_tokens = 0\n",
        server.url
    ));
    let client = Client::new().unwrap();
    let options = OpenOptions {
        threads: 1,
        ..OpenOptions::default()
    };
    fixture
        .assistant
        .set_model(Some(block_on(client.open_model(smollm2(), options)).unwrap()));
    let conversation = fixture.assistant.conversation(ConversationOptions {
        context_length: CONTEXT_LENGTH,
        ..ConversationOptions::default()
    });
    let limit = Some(address_space_bytes() + LEFT_BYTES);
    setrlimit(
        Resource::As,
        Rlimit {
            current: limit,
            maximum: limit,
        },
    )
    .unwrap();
    let heard = read(&conversation.ask("Hello", ask_options()).unwrap());
    assert_eq!(heard.report.outcome, Outcome::Answered);
    assert!(heard.report.place.is_some_and(|place| place.is_remote()));
    assert_eq!(heard.text, "An answer from the server.");
    let receipts = block_on(fixture.assistant.receipts(Filter::default(), 10)).unwrap();
    let attempts = &receipts[0].closing.as_ref().unwrap().attempts;
    assert_eq!(attempts[0].error.as_ref().unwrap().as_str(), "out_of_memory");
}

#[test]
fn the_next_candidate_answers_when_the_engine_gets_no_memory() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}
