//! Limits on what is open, on texts and on what waits.

use super::{converse, error, long, open, poll, tiny, tokens};
use std::task::Poll;

use whimbrel_client::{
    ANSWERS_MAX, COMMANDS_WAITING_MAX, ClientError, ConversationOptions, EngineError, HISTORY_BYTES_MAX, MESSAGES_MAX,
    MODELS_MAX, Message, OpenOptions, PROMPT_BYTES_MAX, Role, SESSIONS_MAX, block_on,
};

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
    let conversations: Vec<_> = (0..=SESSIONS_MAX).map(|_| converse(&model, 64)).collect();
    let asked = conversations.iter().map(
        |conversation| match error(conversation.ask("Hello", tokens(1).into())) {
            Some(error) => Err(error),
            None => Ok(()),
        },
    );
    check_limit(SESSIONS_MAX, asked.collect());
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
    let failure = |answer| error(answer).map(|error| error.to_string());
    assert_eq!(failure(model.complete("Hello", 64, tokens(1))), None);
    assert_eq!(failure(converse(&model, 64).ask("Hello", tokens(1).into())), None);
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
