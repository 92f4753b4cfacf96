//! What caches save: the first word of an answer after a system message of a thousand tokens, read by the model and from the disk, and an answer
//! that is remembered. Run with `cargo bench -p whimbrel-client --bench contexts -- BUNDLE`; the folder for the files is the system's temporary one.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use whimbrel_client::policy::{Format, Policy, PolicySet};
use whimbrel_client::store::MemoryVault;
use whimbrel_client::{
    AskOptions, Assistant, AssistantOptions, Client, Conversation, ConversationOptions, Event, GenerationOptions,
    OpenOptions, Report, block_on,
};

const ROUNDS: usize = 9;

/// Asks, and returns the report with the time to the first word in milliseconds.
fn ask(conversation: &Conversation, question: &str, fresh: bool) -> (Report, f64) {
    let options = AskOptions {
        fresh,
        generation: GenerationOptions {
            max_tokens: 64,
            ..GenerationOptions::default()
        },
        ..AskOptions::default()
    };
    let began = Instant::now();
    let answer = conversation.ask(question, options).expect("a question");
    let mut first_ms = None;
    loop {
        for event in block_on(answer.next(64)).expect("an answer") {
            match event {
                Event::Text(_) => drop(first_ms.get_or_insert(began.elapsed().as_secs_f64() * 1e3)),
                Event::Finished(report) => return (*report, first_ms.unwrap_or_default()),
                _ => {}
            }
        }
    }
}

fn reused(report: &Report) -> u32 {
    report
        .statistics
        .as_ref()
        .expect("an answer on this device")
        .reused_tokens
}

/// How long the model read what was not in its context.
fn reading_ms(report: &Report) -> f64 {
    let statistics = report.statistics.as_ref().expect("an answer on this device");
    f64::from(statistics.prompt_tokens - statistics.reused_tokens) / statistics.prefill_tokens_per_second * 1e3
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let bundle = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let Some(bundle) = bundle.map(PathBuf::from) else {
        println!("no bundle is named: nothing was measured");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let client = Client::new().expect("a client");
    let model = block_on(client.open_model(bundle, OpenOptions::default())).expect("a model");
    let policy = Policy::parse("version = 1\nname = \"bench\"\n", Format::Toml).expect("a policy");
    let assistant = Assistant::open(AssistantOptions {
        store: folder.path().join("ledger.sqlite"),
        vault: Arc::new(MemoryVault::default()),
        policies: PolicySet::new(policy, None).expect("policies"),
        user_words: Vec::new(),
    })
    .expect("an assistant");
    assistant.set_model(Some(model.clone()));
    let caches = assistant.caches();
    let begin = || {
        assistant.conversation(ConversationOptions {
            system: Some("You know all about waders, their calls, their ways and where they winter. ".repeat(62)),
            ..ConversationOptions::default()
        })
    };
    let (mut read, mut reading, mut restored, mut restoring) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        block_on(caches.clear()).expect("cleared");
        let (report, time_ms) = ask(&begin(), "Which bird is this?", true);
        assert_eq!(reused(&report), 0, "it was read");
        read.push(time_ms);
        reading.push(reading_ms(&report));
        // Until it is saved.
        while block_on(caches.usage()).expect("a store").saved_contexts == 0 {
            std::thread::yield_now();
        }
        let (report, time_ms) = ask(&begin(), "Which bird is this?", true);
        assert!(reused(&report) > 900, "it was restored");
        restored.push(time_ms);
        // The question itself is read in both.
        restoring.push(time_ms - reading_ms(&report));
        if restored.len() == ROUNDS {
            let bytes = block_on(caches.usage()).expect("a store").saved_context_bytes;
            let (tokens, threads) = (reused(&report), model.info().threads);
            println!("{tokens} tokens, {bytes} bytes sealed, {threads} threads");
        }
    }
    let [read, reading, restored, restoring] = [read, reading, restored, restoring].map(median);
    println!("first word: {read:.1} ms with the text read by the model, {restored:.1} ms with a saved context");
    println!(
        "reading {reading:.1} ms, restoring and the first token {restoring:.1} ms: {:.1} times as fast",
        reading / restoring
    );
    let (first, _) = ask(&begin(), "What is light? Answer in a word.", false);
    println!("the answer ended with {:?}", first.finish);
    let again = (0..ROUNDS).map(|_| ask(&begin(), "What is light? Answer in a word.", false).1);
    println!("the same question again: {:.2} ms", median(again.collect()));
}
