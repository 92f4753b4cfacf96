//! The client on the tiny bundle: answers and their readers, conversations taking turns, limits, closing.
#![allow(clippy::unwrap_used)]

mod closing;
mod limits;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use whimbrel_client::ports::{Clock, SystemClock};
use whimbrel_client::record::{FinishReason, Outcome, Place};
use whimbrel_client::{
    Answer, Client, ClientError, Conversation, ConversationOptions, EVENTS_WAITING_MAX, EngineError, Event,
    GenerationOptions, Model, OpenOptions, Report, Role, Statistics, block_on,
};

pub(crate) fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny")
}

pub(crate) fn open() -> (Client, Model) {
    let client = Client::new().unwrap();
    let model = block_on(client.open_model(
        tiny(),
        OpenOptions {
            threads: 1,
            ..OpenOptions::default()
        },
    ))
    .unwrap();
    (client, model)
}

pub(crate) fn converse(model: &Model, context_length: u32) -> Conversation {
    model
        .conversation(ConversationOptions {
            context_length,
            ..ConversationOptions::default()
        })
        .unwrap()
}

pub(crate) fn tokens(max_tokens: u32) -> GenerationOptions {
    GenerationOptions {
        max_tokens,
        ..GenerationOptions::default()
    }
}

/// More events than wait for a reader: such an answer cannot end before it is read.
pub(crate) fn long() -> GenerationOptions {
    GenerationOptions {
        // Guessed tokens come several to an event.
        speculation: false,
        // This model repeats itself.
        repetition_guard: false,
        ..tokens(400)
    }
}

pub(crate) fn ask(conversation: &Conversation, options: GenerationOptions) -> Answer {
    conversation.ask("Hello", options.into()).unwrap()
}

/// Reads an answer to its end, `max` events at a time.
pub(crate) fn hear(answer: &Answer, max: u32) -> (String, Report) {
    let (mut text, mut report) = (String::new(), None);
    loop {
        let events = block_on(answer.next(max)).unwrap();
        assert!(events.len() <= max as usize);
        if events.is_empty() {
            assert!(answer.text_so_far().ends_with(&text));
            return (text, report.unwrap());
        }
        for event in events {
            assert!(report.is_none(), "an event after the last one");
            match event {
                Event::Started { place, release } => {
                    assert!(matches!(place, Place::OnDevice { .. }) && release.is_none() && text.is_empty());
                }
                Event::Reading { done, total } => assert!(text.is_empty() && done <= total),
                Event::Thinking(_) | Event::Call(_) => panic!("the tiny model neither thinks nor calls"),
                Event::Text(piece) => text += &piece,
                Event::Restarted => panic!("nobody else could answer"),
                Event::Finished(last) => report = Some(*last),
            }
        }
    }
}

/// The text and the engine's figures.
pub(crate) fn read(answer: &Answer, max: u32) -> (String, Statistics) {
    let (text, report) = hear(answer, max);
    (text, report.statistics.unwrap())
}

/// Reads until the first piece of text.
pub(crate) fn read_first_text(answer: &Answer) {
    while !matches!(block_on(answer.next(1)).unwrap()[..], [Event::Text(_)]) {}
}

/// The error of an answer that fails before its first text.
pub(crate) fn error(answer: Result<Answer, ClientError>) -> Option<ClientError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Some(error),
    };
    loop {
        match block_on(answer.next(1)) {
            Ok(events) if matches!(events[..], [Event::Started { .. } | Event::Reading { .. }]) => {}
            Ok(_) => return None,
            Err(error) => return Some(error),
        }
    }
}

pub(crate) fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn answers_and_remembers() {
    let (_client, model) = open();
    let conversation = converse(&model, 256);
    let (text, report) = hear(&ask(&conversation, tokens(12)), 64);
    assert_eq!(
        (report.outcome, report.finish),
        (Outcome::Answered, Some(FinishReason::Length))
    );
    assert_eq!((report.tokens.output, report.receipt), (12, None));
    assert_eq!(report.statistics.unwrap().completion_tokens, 12);
    let messages = conversation.messages();
    let said: Vec<_> = messages
        .iter()
        .map(|message| (message.role, &*message.content))
        .collect();
    assert_eq!(said, [(Role::User, "Hello"), (Role::Assistant, &*text)]);

    let (_, statistics) = read(&ask(&conversation, tokens(1)), 64);
    assert!(statistics.reused_tokens > 0);
    let again = hear(&conversation.regenerate(tokens(2)).unwrap(), 64);
    assert_eq!((again.1.tokens.output, conversation.messages().len()), (2, 4));
    conversation.reset().unwrap();
    assert!(conversation.messages().is_empty());
    assert_eq!(read(&ask(&conversation, tokens(12)), 64).0, text);
}

#[test]
fn completes_a_raw_text() {
    let (_client, model) = open();
    let complete = || model.complete("Once upon a time", 128, tokens(10)).unwrap();
    let (text, statistics) = read(&complete(), 64);
    assert_eq!(statistics.completion_tokens, 10);
    assert_eq!(read(&complete(), 64).0, text);
    let full = error(model.complete(&"word ".repeat(200), 128, tokens(10)));
    assert!(matches!(
        full,
        Some(ClientError::Engine(EngineError::ContextFull { limit: 128, .. }))
    ));
}

#[test]
fn two_conversations_take_turns() {
    let (client, model) = open();
    let answers = [ask(&converse(&model, 512), long()), ask(&converse(&model, 512), long())];
    // Neither is read further before the other has something: one after the other, the second never would.
    answers.iter().for_each(read_first_text);
    assert_eq!(client.active_answers(), 2);
    let ends = answers.map(|answer| read(&answer, 64));
    assert_eq!(ends[0].0, ends[1].0);
    assert_eq!(client.active_answers(), 0);
}

#[test]
fn a_slow_reader_loses_nothing() {
    let (client, model) = open();
    let (fast, slow) = (converse(&model, 512), converse(&model, 512));
    let whole = read(&ask(&fast, long()), 64);
    let answer = ask(&slow, long());
    // Meanwhile the thread has made another whole answer, so this one has gone as far as it may: it waits.
    let (other, _) = read(&ask(&converse(&model, 512), long()), 1);
    assert_eq!(client.active_answers(), 1);
    let waiting = block_on(answer.next(u32::MAX)).unwrap();
    assert!(
        (EVENTS_WAITING_MAX - 4..=EVENTS_WAITING_MAX).contains(&waiting.len()),
        "{} waiting",
        waiting.len()
    );
    let first: String = waiting
        .iter()
        .map(|event| if let Event::Text(text) = event { text } else { "" })
        .collect();
    let (rest, statistics) = read(&answer, 1);
    assert_eq!(first + &rest, whole.0);
    assert_eq!(other, whole.0);
    assert_eq!(statistics.completion_tokens, whole.1.completion_tokens);
}

#[test]
fn cancelling_stops_the_answer() {
    let (client, model) = open();
    let conversation = converse(&model, 512);
    let answer = ask(&conversation, long());
    read_first_text(&answer);
    (0..2).for_each(|_| answer.cancel());
    let (_, report) = hear(&answer, 64);
    assert_eq!((report.outcome, report.is_partial), (Outcome::Cancelled, true));
    assert!(report.statistics.unwrap().completion_tokens < 400);
    answer.cancel();
    assert!(block_on(answer.next(1)).unwrap().is_empty());

    // Dropping cancels, and the next question need not wait.
    let answer = ask(&conversation, long());
    read_first_text(&answer);
    drop(answer);
    let (_, statistics) = read(&ask(&conversation, tokens(2)), 64);
    assert_eq!(statistics.completion_tokens, 2);
    assert_eq!(client.active_answers(), 0);
    assert_eq!(conversation.messages().len(), 6);

    // So does the conversation itself.
    let answer = ask(&conversation, long());
    read_first_text(&answer);
    conversation.stop();
    assert_eq!(hear(&answer, 64).1.outcome, Outcome::Cancelled);
}

#[test]
fn a_question_after_a_cancelled_one_is_never_refused() {
    let (_client, model) = open();
    let conversation = converse(&model, 512);
    for _ in 0..100 {
        let answer = ask(&conversation, long());
        answer.cancel();
    }
    // Neither is a change of the messages, and the cancelled answer does not come back into them.
    let answer = ask(&conversation, long());
    read_first_text(&answer);
    answer.cancel();
    conversation.set_messages(Vec::new()).unwrap();
    hear(&answer, 64);
    assert!(conversation.messages().is_empty());
    read(&ask(&conversation, tokens(1)), 64);
    assert_eq!(conversation.messages().len(), 2);
}

#[test]
fn a_conversation_answers_one_question_at_a_time() {
    let (_client, model) = open();
    let conversation = converse(&model, 512);
    let answer = ask(&conversation, long());
    assert!(matches!(
        conversation.ask("And?", tokens(1).into()),
        Err(ClientError::Busy)
    ));
    assert!(matches!(conversation.reset(), Err(ClientError::Busy)));
    assert!(matches!(conversation.set_messages(Vec::new()), Err(ClientError::Busy)));
    read(&answer, 64);
    read(&ask(&conversation, tokens(1)), 64);
}

#[test]
fn a_refused_question_changes_nothing() {
    let (client, model) = open();
    let conversation = converse(&model, 64);
    let refused = error(conversation.ask(&"word ".repeat(200), tokens(1).into()));
    assert!(matches!(
        refused,
        Some(ClientError::Engine(EngineError::ContextFull { limit: 64, .. }))
    ));
    assert!(conversation.messages().is_empty());
    // A context that no question could ever have is refused at once.
    let absurd = |context_length| {
        model.conversation(ConversationOptions {
            context_length,
            ..ConversationOptions::default()
        })
    };
    assert!(absurd(0).is_err() && absurd(u32::MAX).is_err());
    assert_eq!(client.active_answers(), 0);
}

#[test]
fn a_missing_bundle() {
    let client = Client::new().unwrap();
    let missing = block_on(client.open_model("no/such/folder", OpenOptions::default()));
    assert!(matches!(
        missing,
        Err(ClientError::Engine(EngineError::BundleMissing { .. }))
    ));
}

#[test]
fn the_clock_knows_the_devices_time_zone() {
    let clock = SystemClock::default();
    let shown = std::process::Command::new("date").arg("+%z").output().unwrap();
    // As +hhmm.
    let shown: i32 = String::from_utf8(shown.stdout).unwrap().trim().parse().unwrap();
    let here = (shown / 100 * 60 + shown % 100) * 60;
    assert_eq!(clock.utc_offset_s(clock.now_ms()), here);
    assert_eq!(clock.utc_offset_s(u64::MAX), 0, "a time that no calendar has");
}
