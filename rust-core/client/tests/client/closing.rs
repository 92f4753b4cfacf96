//! Giving up and closing half-way, and what is kept in files.

use super::{ask, converse, error, long, open, poll, read, read_first_text, tiny, tokens};

use whimbrel_client::{
    Answer, ClientError, Conversation, EngineError, MODELS_MAX, OpenOptions, PrefixError, SAVED_BYTES_MAX, block_on,
};

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
    // One may just have been on its way to the thread that has ended.
    assert!(answers.iter().all(answer_has_ended));
    assert_eq!(client.active_answers(), 0);
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
