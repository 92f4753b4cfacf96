//! The client on the tiny bundle: answers and their readers, conversations taking turns, limits, closing.

#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use whimbrel_client::{
    ANSWERS_MAX, Answer, AnswerEvent, COMMANDS_WAITING_MAX, CONVERSATIONS_MAX, Client, ClientError, Conversation,
    ConversationOptions, EVENTS_WAITING_MAX, EngineError, FinishReason, GenerationOptions, HISTORY_BYTES_MAX,
    MESSAGES_MAX, MODELS_MAX, Message, ModelHandle, OpenOptions, PROMPT_BYTES_MAX, PrefixError, Role, SAVED_BYTES_MAX,
    Statistics, block_on,
};

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny")
}

fn open() -> (Client, ModelHandle) {
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

fn converse(model: &ModelHandle, context_length: u32) -> Conversation {
    block_on(model.conversation(ConversationOptions {
        context_length,
        ..ConversationOptions::default()
    }))
    .unwrap()
}

fn tokens(max_tokens: u32) -> GenerationOptions {
    GenerationOptions {
        max_tokens,
        ..GenerationOptions::default()
    }
}

/// More events than wait for a reader: such an answer cannot end before it is read.
fn long() -> GenerationOptions {
    GenerationOptions {
        // Guessed tokens come several to an event.
        speculation: false,
        ..tokens(400)
    }
}

fn ask(conversation: &Conversation, options: GenerationOptions) -> Answer {
    block_on(conversation.ask("Hello", options)).unwrap()
}

/// Reads an answer to its end, `max` events at a time.
fn read(answer: &Answer, max: u32) -> (String, Statistics) {
    let (mut text, mut statistics) = (String::new(), None);
    loop {
        let events = block_on(answer.next(max)).unwrap();
        assert!(events.len() <= max as usize);
        if events.is_empty() {
            return (text, statistics.unwrap());
        }
        for event in events {
            assert!(statistics.is_none(), "an event after the last one");
            match event {
                AnswerEvent::Prefilled { done, total } => assert!(text.is_empty() && done <= total),
                AnswerEvent::Text(piece) => text += &piece,
                AnswerEvent::Finished(figures) => statistics = Some(figures),
            }
        }
    }
}

/// Reads until the first piece of text.
fn read_first_text(answer: &Answer) {
    while !matches!(block_on(answer.next(1)).unwrap()[..], [AnswerEvent::Text(_)]) {}
}

fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn answers_and_remembers() {
    let (_client, model) = open();
    let conversation = converse(&model, 256);
    let (text, statistics) = read(&ask(&conversation, tokens(12)), 64);
    assert_eq!(
        (statistics.completion_tokens, statistics.finish_reason),
        (12, FinishReason::Length)
    );
    let messages = block_on(conversation.messages()).unwrap();
    let said = |role, content: &str| Message {
        role,
        content: content.into(),
    };
    assert_eq!(messages[1..], [said(Role::User, "Hello"), said(Role::Assistant, &text)]);

    let (_, statistics) = read(&ask(&conversation, tokens(1)), 64);
    assert!(statistics.reused_tokens > 0);
    block_on(conversation.reset()).unwrap();
    assert_eq!(block_on(conversation.messages()).unwrap(), messages[..1]);
    assert_eq!(read(&ask(&conversation, tokens(12)), 64).0, text);
}

#[test]
fn completes_a_raw_text() {
    let (_client, model) = open();
    let complete = || block_on(model.complete("Once upon a time", 128, tokens(10))).unwrap();
    let (text, statistics) = read(&complete(), 64);
    assert_eq!(statistics.completion_tokens, 10);
    assert_eq!(read(&complete(), 64).0, text);
    let full = block_on(model.complete(&"word ".repeat(200), 128, tokens(10)));
    assert!(matches!(
        full,
        Err(ClientError::Engine(EngineError::ContextFull { limit: 128, .. }))
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
        .map(|event| if let AnswerEvent::Text(text) = event { text } else { "" })
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
    let (_, statistics) = read(&answer, 64);
    assert_eq!(statistics.finish_reason, FinishReason::Cancelled);
    assert!(statistics.completion_tokens < 400);
    answer.cancel();
    assert!(block_on(answer.next(1)).unwrap().is_empty());

    // Dropping cancels, and the next question need not wait.
    let answer = ask(&conversation, long());
    read_first_text(&answer);
    drop(answer);
    let (_, statistics) = read(&ask(&conversation, tokens(2)), 64);
    assert_eq!(statistics.completion_tokens, 2);
    assert_eq!(client.active_answers(), 0);
    assert_eq!(block_on(conversation.messages()).unwrap().len(), 7);
}

#[test]
fn a_conversation_answers_one_question_at_a_time() {
    let (_client, model) = open();
    let conversation = converse(&model, 512);
    let answer = ask(&conversation, long());
    assert!(matches!(
        block_on(conversation.ask("And?", tokens(1))),
        Err(ClientError::Busy)
    ));
    assert!(matches!(block_on(conversation.reset()), Err(ClientError::Busy)));
    assert!(matches!(
        block_on(conversation.set_messages(Vec::new())),
        Err(ClientError::Busy)
    ));
    read(&answer, 64);
    read(&ask(&conversation, tokens(1)), 64);
}

#[test]
fn a_refused_question_changes_nothing() {
    let (client, model) = open();
    let conversation = converse(&model, 64);
    let before = block_on(conversation.messages()).unwrap();
    let refused = block_on(conversation.ask(&"word ".repeat(200), tokens(1)));
    assert!(matches!(
        refused,
        Err(ClientError::Engine(EngineError::ContextFull { limit: 64, .. }))
    ));
    assert_eq!(block_on(conversation.messages()).unwrap(), before);
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

/// Asserts that the last of some results is over the limit, and all before it are not.
fn check_limit<T>(limit: u64, mut results: Vec<Result<T, ClientError>>) {
    let last = results.pop().unwrap();
    for result in results {
        assert!(
            !matches!(result, Err(ClientError::Limit { .. })),
            "refused at the limit of {limit}"
        );
    }
    let Err(ClientError::Limit {
        limit: stated, found, ..
    }) = last
    else {
        panic!("not refused past {limit}")
    };
    assert_eq!((stated, found), (limit, limit + 1));
}

#[test]
fn limits_on_what_is_open() {
    let (client, model) = open();
    let options = || OpenOptions {
        threads: 1,
        ..OpenOptions::default()
    };
    // One is open already.
    check_limit(
        MODELS_MAX,
        (0..MODELS_MAX)
            .map(|_| block_on(client.open_model(tiny(), options())))
            .collect(),
    );
    let small = || ConversationOptions {
        context_length: 16,
        ..ConversationOptions::default()
    };
    check_limit(
        CONVERSATIONS_MAX,
        (0..=CONVERSATIONS_MAX)
            .map(|_| block_on(model.conversation(small())))
            .collect(),
    );
    let complete = || block_on(model.complete("Hello", 512, long()));
    check_limit(ANSWERS_MAX, (0..=ANSWERS_MAX).map(|_| complete()).collect());
    // What the failed and the dropped handles stood for is closed again.
    assert!(complete().is_ok() && block_on(model.conversation(small())).is_ok());
}

#[test]
fn limits_on_texts() {
    let (_client, model) = open();
    let conversation = converse(&model, 64);
    let text = |bytes: u64| "a".repeat(bytes as usize);
    let sizes = [PROMPT_BYTES_MAX, PROMPT_BYTES_MAX + 1];
    check_limit(
        PROMPT_BYTES_MAX,
        sizes
            .map(|bytes| block_on(conversation.ask(&text(bytes), tokens(1))))
            .into(),
    );
    check_limit(
        PROMPT_BYTES_MAX,
        sizes
            .map(|bytes| block_on(model.complete(&text(bytes), 64, tokens(1))))
            .into(),
    );
    let system = |bytes| ConversationOptions {
        system: Some(text(bytes)),
        context_length: 64,
        ..Default::default()
    };
    check_limit(
        PROMPT_BYTES_MAX,
        sizes.map(|bytes| block_on(model.conversation(system(bytes)))).into(),
    );
    let message = |bytes| Message {
        role: Role::User,
        content: text(bytes),
    };
    let counts = [MESSAGES_MAX, MESSAGES_MAX + 1];
    check_limit(
        MESSAGES_MAX,
        counts
            .map(|count| block_on(conversation.set_messages(vec![message(1); count as usize])))
            .into(),
    );
    let sizes = [HISTORY_BYTES_MAX, HISTORY_BYTES_MAX + 1];
    check_limit(
        HISTORY_BYTES_MAX,
        sizes
            .map(|bytes| block_on(conversation.set_messages(vec![message(bytes)])))
            .into(),
    );
}

#[test]
fn more_commands_than_wait_at_once() {
    let (_client, model) = open();
    let conversation = converse(&model, 64);
    let mut futures: Vec<_> = (0..2 * COMMANDS_WAITING_MAX)
        .map(|_| Box::pin(conversation.messages()))
        .collect();
    let early: Vec<_> = futures.iter_mut().map(poll).collect();
    for (mut future, early) in futures.into_iter().zip(early) {
        match early {
            Poll::Ready(messages) => assert!(messages.is_ok()),
            Poll::Pending => assert!(block_on(&mut future).is_ok()),
        }
    }
}

#[test]
fn futures_may_be_dropped_half_way() {
    let (client, model) = open();
    for _ in 0..2 * MODELS_MAX {
        assert!(poll(&mut Box::pin(client.open_model(tiny(), OpenOptions::default()))).is_pending());
        assert!(poll(&mut Box::pin(model.complete("Hello", 512, long()))).is_pending());
    }
    // All were closed again: there is room for as many as there may be.
    let models: Vec<_> = (1..MODELS_MAX)
        .map(|_| block_on(client.open_model(tiny(), OpenOptions::default())))
        .collect();
    assert!(models.iter().all(Result::is_ok));
    read(&block_on(model.complete("Hello", 64, tokens(1))).unwrap(), 64);
    assert_eq!(client.active_answers(), 0);
}

#[test]
fn closes_twice() {
    let closed = |what| move |error| matches!(error, ClientError::Closed { what: said } if said == what);
    let (client, model) = open();
    let conversation = converse(&model, 512);
    (0..2).for_each(|_| conversation.close());
    assert!(block_on(conversation.messages()).is_err_and(closed("conversation")));
    assert!(block_on(conversation.ask("Hello", tokens(1))).is_err_and(closed("conversation")));

    let answer = ask(&converse(&model, 512), long());
    read_first_text(&answer);
    (0..2).for_each(|_| model.close());
    assert_eq!(read(&answer, 64).1.finish_reason, FinishReason::Cancelled);
    assert!(block_on(model.conversation(ConversationOptions::default())).is_err_and(closed("model")));
    assert_eq!(model.info().layers, 3);

    (0..2).for_each(|_| client.close());
    (0..2).for_each(|_| block_on(client.shutdown()));
    assert!(block_on(client.open_model(tiny(), OpenOptions::default())).is_err_and(closed("client")));
    assert!(block_on(conversation.messages()).is_err_and(closed("client")));
}

#[test]
fn shutting_down_ends_answers_that_nobody_reads() {
    let (client, model) = open();
    let answers: Vec<_> = (0..3).map(|_| ask(&converse(&model, 512), long())).collect();
    block_on(client.shutdown());
    assert_eq!(client.active_answers(), 0);
    for answer in answers {
        assert_eq!(read(&answer, 64).1.finish_reason, FinishReason::Cancelled);
    }
}

#[test]
fn handles_keep_what_they_need_open() {
    let (client, model) = open();
    let conversation = converse(&model, 512);
    drop((client, model));
    let answer = ask(&conversation, long());
    drop(conversation);
    assert_eq!(read(&answer, 64).1.completion_tokens, 400);
}

#[test]
fn saved_conversations_are_files_of_their_owner() {
    let (_client, model) = open();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conversation");
    let conversation = converse(&model, 512);
    read(&ask(&conversation, tokens(12)), 64);
    block_on(conversation.save(&path)).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
    let other = converse(&model, 512);
    block_on(other.restore(&path)).unwrap();
    let messages = block_on(conversation.messages()).unwrap();
    assert_eq!(block_on(other.messages()).unwrap(), messages);

    let answer = ask(&other, long());
    read_first_text(&answer);
    assert!(matches!(block_on(other.save(&path)), Err(ClientError::Busy)));
    assert!(matches!(block_on(other.restore(&path)), Err(ClientError::Busy)));
    answer.cancel();
    let missing = folder.path().join("missing");
    assert!(matches!(
        block_on(other.restore(&missing)),
        Err(ClientError::Read { .. })
    ));
    let lost = block_on(other.save(missing.join("file")));
    assert!(matches!(lost, Err(ClientError::Write { .. })));
    std::fs::write(&path, "nonsense").unwrap();
    let refused = block_on(other.restore(&path));
    assert!(matches!(
        refused,
        Err(ClientError::Engine(EngineError::Prefix(PrefixError::NotAPrefix)))
    ));
    std::fs::File::create(&path)
        .unwrap()
        .set_len(SAVED_BYTES_MAX + 1)
        .unwrap();
    let refused = block_on(other.restore(&path));
    assert!(matches!(
        refused,
        Err(ClientError::Limit {
            limit: SAVED_BYTES_MAX,
            ..
        })
    ));
}
