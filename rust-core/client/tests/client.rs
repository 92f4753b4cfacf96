//! The client on the tiny bundle: answers and their readers, conversations taking turns, limits, closing.

#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use whimbrel_client::record::{FinishReason, Outcome, Place};
use whimbrel_client::{
    ANSWERS_MAX, Answer, COMMANDS_WAITING_MAX, CONVERSATIONS_MAX, Client, ClientError, Conversation,
    ConversationOptions, EVENTS_WAITING_MAX, EngineError, Event, GenerationOptions, HISTORY_BYTES_MAX, MESSAGES_MAX,
    MODELS_MAX, Message, Model, OpenOptions, PROMPT_BYTES_MAX, PrefixError, Report, Role, SAVED_BYTES_MAX, Statistics,
    block_on,
};

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny")
}

fn open() -> (Client, Model) {
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

fn converse(model: &Model, context_length: u32) -> Conversation {
    model
        .conversation(ConversationOptions {
            context_length,
            ..ConversationOptions::default()
        })
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
    conversation.ask("Hello", options.into()).unwrap()
}

/// Reads an answer to its end, `max` events at a time.
fn hear(answer: &Answer, max: u32) -> (String, Report) {
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
                Event::Thinking { .. } => panic!("a model of this device does not think aloud"),
                Event::Text(piece) => text += &piece,
                Event::Restarted => panic!("nobody else could answer"),
                Event::Finished(last) => report = Some(*last),
            }
        }
    }
}

/// The text and the engine's figures.
fn read(answer: &Answer, max: u32) -> (String, Statistics) {
    let (text, report) = hear(answer, max);
    (text, report.statistics.unwrap())
}

/// Reads until the first piece of text.
fn read_first_text(answer: &Answer) {
    while !matches!(block_on(answer.next(1)).unwrap()[..], [Event::Text(_)]) {}
}

/// The error of an answer that fails before its first text.
fn error(answer: Result<Answer, ClientError>) -> Option<ClientError> {
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

fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
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
    // Each holds its context from its first question on.
    let conversations: Vec<_> = (0..=CONVERSATIONS_MAX).map(|_| converse(&model, 64)).collect();
    let asked = conversations.iter().map(
        |conversation| match error(conversation.ask("Hello", tokens(1).into())) {
            Some(error) => Err(error),
            None => Ok(()),
        },
    );
    check_limit(CONVERSATIONS_MAX, asked.collect());
    drop(conversations);
    // They begin in any order, so any one of them is refused.
    let answers: Vec<_> = (0..=ANSWERS_MAX)
        .map(|_| model.complete("Hello", 512, long()).unwrap())
        .collect();
    let is_limit = |error: &ClientError| matches!(error, ClientError::Limit { limit: ANSWERS_MAX, found, .. } if *found == ANSWERS_MAX + 1);
    let refused = answers
        .into_iter()
        .map(|answer| (block_on(answer.next(1)), block_on(answer.next(1)), answer));
    let refused: Vec<_> = refused.collect();
    let count = refused
        .iter()
        .filter(|(first, second, _)| first.as_ref().is_err_and(is_limit) || second.as_ref().is_err_and(is_limit));
    assert_eq!(count.count(), 1);
    drop(refused);
    // What the failed and the dropped handles stood for is closed again.
    assert!(error(model.complete("Hello", 64, tokens(1))).is_none());
    assert!(error(converse(&model, 64).ask("Hello", tokens(1).into())).is_none());
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
            .map(|bytes| conversation.ask(&text(bytes), tokens(1).into()))
            .into(),
    );
    check_limit(
        PROMPT_BYTES_MAX,
        sizes.map(|bytes| model.complete(&text(bytes), 64, tokens(1))).into(),
    );
    let system = |bytes| ConversationOptions {
        system: Some(text(bytes)),
        context_length: 64,
        ..Default::default()
    };
    check_limit(
        PROMPT_BYTES_MAX,
        sizes.map(|bytes| model.conversation(system(bytes))).into(),
    );
    let message = |bytes| Message::new(Role::User, text(bytes));
    let counts = [MESSAGES_MAX, MESSAGES_MAX + 1];
    check_limit(
        MESSAGES_MAX,
        counts
            .map(|count| conversation.set_messages(vec![message(1); count as usize]))
            .into(),
    );
    let sizes = [HISTORY_BYTES_MAX, HISTORY_BYTES_MAX + 1];
    check_limit(
        HISTORY_BYTES_MAX,
        sizes
            .map(|bytes| conversation.set_messages(vec![message(bytes)]))
            .into(),
    );
}

#[test]
fn more_commands_than_wait_at_once() {
    let (client, _model) = open();
    let mut futures: Vec<_> = (0..2 * COMMANDS_WAITING_MAX)
        .map(|_| Box::pin(client.open_model("no/such/folder", OpenOptions::default())))
        .collect();
    let early: Vec<_> = futures.iter_mut().map(poll).collect();
    let is_missing = |error: ClientError| matches!(error, ClientError::Engine(EngineError::BundleMissing { .. }));
    for (mut future, early) in futures.into_iter().zip(early) {
        let opened = match early {
            Poll::Ready(opened) => opened,
            Poll::Pending => block_on(&mut future),
        };
        assert!(opened.is_err_and(is_missing));
    }
}

#[test]
fn futures_and_answers_may_be_dropped_half_way() {
    let (client, model) = open();
    for _ in 0..2 * MODELS_MAX {
        assert!(poll(&mut Box::pin(client.open_model(tiny(), OpenOptions::default()))).is_pending());
        drop(model.complete("Hello", 512, long()).unwrap());
    }
    // All were closed again: there is room for as many as there may be.
    let models: Vec<_> = (1..MODELS_MAX)
        .map(|_| block_on(client.open_model(tiny(), OpenOptions::default())))
        .collect();
    assert!(models.iter().all(Result::is_ok));
    read(&model.complete("Hello", 64, tokens(1)).unwrap(), 64);
    assert_eq!(client.active_answers(), 0);
}

#[test]
fn closes_twice() {
    let closed = |what| move |error: &ClientError| matches!(error, ClientError::Closed { what: said } if *said == what);
    let (client, model) = open();
    let conversation = converse(&model, 512);
    read(&ask(&conversation, tokens(1)), 64);
    (0..2).for_each(|_| conversation.close());
    let refused = error(conversation.ask("Hello", tokens(1).into()));
    assert!(refused.as_ref().is_some_and(closed("conversation")));
    assert!(
        conversation
            .set_messages(Vec::new())
            .as_ref()
            .is_err_and(closed("conversation"))
    );

    let other = converse(&model, 512);
    let answer = ask(&other, long());
    read_first_text(&answer);
    (0..2).for_each(|_| model.close());
    assert!(answer_has_ended(&answer));
    let refused = error(converse(&model, 64).ask("Hello", tokens(1).into()));
    assert!(refused.as_ref().is_some_and(closed("model")));
    assert_eq!(model.info().layers, 3);

    (0..2).for_each(|_| client.close());
    (0..2).for_each(|_| block_on(client.shutdown()));
    let refused = block_on(client.open_model(tiny(), OpenOptions::default()));
    assert!(refused.as_ref().is_err_and(closed("client")));
    assert!(
        error(other.ask("Hello", tokens(1).into()))
            .as_ref()
            .is_some_and(closed("client"))
    );
}

/// Reads an answer whose model goes away to its end.
fn answer_has_ended(answer: &Answer) -> bool {
    loop {
        match block_on(answer.next(64)) {
            Ok(events) if events.is_empty() => return true,
            Ok(_) | Err(ClientError::Closed { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn shutting_down_ends_answers_that_nobody_reads() {
    let (client, model) = open();
    let answers: Vec<_> = (0..3).map(|_| ask(&converse(&model, 512), long())).collect();
    block_on(client.shutdown());
    assert_eq!(client.active_answers(), 0);
    assert!(answers.iter().all(answer_has_ended));
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
    let texts = |conversation: &Conversation| {
        let messages = conversation.messages().into_iter();
        messages.map(|message| message.content).collect::<Vec<_>>()
    };
    assert_eq!(texts(&other), texts(&conversation));
    assert_eq!(texts(&other).len(), 2);

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
