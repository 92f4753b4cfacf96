//! What caches save: the first word of an answer after a system message of a thousand tokens, read by the model, from the disk and in memory, and
//! an answer that is remembered. What the first word takes longer than with the system message in memory is what reading or restoring takes, from
//! the moment at which the context is empty. Run with `cargo bench -p whimbrel-client --bench contexts -- BUNDLE`; the folder for the files is the system's temporary one.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod support;

use std::time::{Duration, Instant};

use support::Desk;
use whimbrel_client::{AskOptions, Conversation, ConversationOptions, Event, GenerationOptions, Report, block_on};

const ROUNDS: usize = 15;
const QUESTION: &str = "Which bird is this?";
/// Until the memory of the conversation before is given back.
const REST: Duration = Duration::from_millis(100);

/// Asks, and returns the report with the time to the first word in milliseconds.
fn ask(conversation: &Conversation, question: &str, max_tokens: u32, fresh: bool) -> (Report, f64) {
    let options = AskOptions {
        fresh,
        generation: GenerationOptions {
            max_tokens,
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

fn read_tokens(report: &Report) -> u32 {
    let statistics = report.statistics.as_ref().expect("an answer on this device");
    statistics.prompt_tokens - statistics.reused_tokens
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let Some(desk) = Desk::open() else { return };
    let (assistant, model) = (&desk.assistant, &desk.model);
    let caches = assistant.caches();
    let begin = || {
        assistant.conversation(ConversationOptions {
            system: Some("You know all about waders, their calls, their ways and where they winter. ".repeat(62)),
            ..ConversationOptions::default()
        })
    };
    let (mut read, mut restored, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        block_on(caches.clear()).expect("cleared");
        let conversation = begin();
        let (report, time_ms) = ask(&conversation, QUESTION, 4, true);
        assert_eq!(reused(&report), 0, "it was read");
        read.push(time_ms);
        // A conversation that is dropped is not saved any more.
        while block_on(caches.usage()).expect("a store").saved_contexts == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(conversation);
        std::thread::sleep(REST);
        let (from_disk, time_ms) = ask(&begin(), QUESTION, 4, true);
        assert!(reused(&from_disk) > 900, "it was restored");
        restored.push(time_ms);
        std::thread::sleep(REST);
        let conversation = begin();
        ask(&conversation, "Is it far?", 4, true);
        conversation.set_messages(Vec::new()).expect("no answer is in progress");
        let (in_memory, time_ms) = ask(&conversation, QUESTION, 4, true);
        held.push(time_ms);
        if round == 0 {
            let bytes = block_on(caches.usage()).expect("a store").saved_context_bytes;
            let (tokens, threads) = (reused(&from_disk), model.info().threads);
            println!("{tokens} tokens, {bytes} bytes sealed, {threads} threads");
            let questions = [&from_disk, &in_memory].map(read_tokens);
            println!("with the question, {questions:?} tokens are read of what is on the disk and in memory");
        }
    }
    let [read, restored, held] = [read, restored, held].map(median);
    println!(
        "first word: {read:.1} ms with the text read by the model, {restored:.1} ms with a saved context ({:.1} times as fast), {held:.1} ms with \
         the context in memory",
        read / restored
    );
    let (reading, restoring) = (read - held, restored - held);
    println!(
        "reading alone {reading:.1} ms, restoring alone {restoring:.1} ms: {:.1} times as fast",
        reading / restoring
    );
    let (first, _) = ask(&begin(), "What is light? Answer in a word.", 64, false);
    println!("the answer ended with {:?}", first.finish);
    let again = (0..ROUNDS).map(|_| ask(&begin(), "What is light? Answer in a word.", 64, false).1);
    println!("the same question again: {:.2} ms", median(again.collect()));
}
