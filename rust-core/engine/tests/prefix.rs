//! Saved and shared prefixes: going on from one is going on from the tokens themselves, and no bytes but good ones are believed.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use support::{Chunked, Conversation, copy, open, open_with, tiny};
use whimbrel_engine::{
    CancelFlag, ChatOptions, EngineError, GenerationOptions, KvPrecision, Model, OpenOptions, PREFIX_NOTE_BYTES_MAX,
    PREFIX_VERSION, PrefixError, SavedPrefix, Session, seal,
};

fn ids(count: u32) -> Vec<u32> {
    (0..count).map(|index| 20 + index * 37 % 700).collect()
}

fn session(model: &Arc<Model>, context_length: u32, tokens: u32) -> Session {
    let mut session = Session::new(model, context_length).unwrap();
    if tokens > 0 {
        session.prefill(&ids(tokens), &CancelFlag::default()).unwrap();
    }
    session
}

fn open_kept_in(kv_precision: KvPrecision) -> Arc<Model> {
    let options = OpenOptions {
        kv_precision,
        ..OpenOptions::default()
    };
    Model::open(&tiny(), &options).unwrap()
}

fn next(session: &mut Session) -> Vec<f32> {
    session.logits(&[33, 44], &CancelFlag::default()).unwrap().to_vec()
}

#[test]
fn going_on_from_a_saved_prefix_changes_nothing() {
    for kv_precision in [KvPrecision::Half, KvPrecision::Int8] {
        let model = open_kept_in(kv_precision);
        for counts in [(0, 0), (1, 1), (63, 63), (64, 64), (65, 65), (150, 150), (150, 70)] {
            check_restored(&model, counts);
        }
    }
}

/// Runs some tokens, saves some of them, and goes on from those in other sessions.
fn check_restored(model: &Arc<Model>, (tokens, saved_tokens): (u32, u32)) {
    let saved = session(model, 200, tokens)
        .save_prefix(saved_tokens, b"a note")
        .unwrap();
    let parsed = SavedPrefix::parse(&saved, model).unwrap();
    assert_eq!((parsed.tokens(), parsed.note()), (&*ids(saved_tokens), &b"a note"[..]));
    let expected = next(&mut session(model, 200, saved_tokens));
    // The context may be another, and what was in it before makes no difference.
    for (context_length, before) in [(200, 0), (152, 90), (300, 300)] {
        let mut restored = session(model, context_length, before);
        restored.restore_prefix(&parsed).unwrap();
        assert_eq!(restored.tokens(), ids(saved_tokens));
        assert_eq!(
            next(&mut restored),
            expected,
            "{saved_tokens} of {tokens} in {context_length}"
        );
    }
}

/// Whatever chunks the bytes are read in and by how many threads, the session is the same; and it is empty if one of them cannot be read.
#[test]
fn a_prefix_that_is_read_in_chunks_is_the_same_or_none() {
    for threads in [1, 2, 3] {
        let model = open_with(&tiny(), threads).unwrap();
        let bytes = session(&model, 500, 450).save_prefix(400, b"a note").unwrap();
        let expected = next(&mut session(&model, 500, 400));
        for chunk_bytes in [1, 100, 4_096, 1 << 16, 1 << 24] {
            let check = |damaged: Option<usize>| {
                let source = Chunked {
                    bytes: &bytes,
                    chunk_bytes,
                    damaged,
                };
                let saved = SavedPrefix::open(&source, &model)?;
                assert_eq!((saved.tokens(), saved.note()), (&*ids(400), &b"a note"[..]));
                let mut restored = session(&model, 450, 130);
                let outcome = restored.restore_prefix(&saved);
                if outcome.is_err() {
                    assert!(restored.tokens().is_empty());
                    restored.prefill(&ids(400), &CancelFlag::default()).unwrap();
                }
                assert_eq!(restored.tokens(), ids(400));
                assert!(
                    next(&mut restored) == expected,
                    "{threads} threads, chunks of {chunk_bytes}, {damaged:?}"
                );
                outcome
            };
            check(None).unwrap();
            // In the header, in the ids, in the values and at their end.
            let values_end = bytes.len() - 33;
            for damaged in [0, 80, 2_000, bytes.len() / 2, values_end] {
                let refused = check(Some(damaged));
                assert!(matches!(refused, Err(EngineError::PrefixRead { .. })), "{refused:?}");
            }
        }
    }
}

#[test]
fn a_prefix_belongs_to_its_precision() {
    let (half, int8) = (open_kept_in(KvPrecision::Half), open_kept_in(KvPrecision::Int8));
    for (writer, reader) in [(&half, &int8), (&int8, &half)] {
        let saved = session(writer, 100, 70).save_prefix(70, &[]).unwrap();
        assert_eq!(
            SavedPrefix::parse(&saved, reader).map(|_| ()),
            Err(PrefixError::OtherKind)
        );
    }
    assert!(int8.kv_bytes_per_token() < half.kv_bytes_per_token());
}

#[test]
fn a_saved_prefix_says_nothing_of_what_came_after_it() {
    for kv_precision in [KvPrecision::Half, KvPrecision::Int8] {
        let model = open_kept_in(kv_precision);
        for saved_tokens in [0, 1, 63, 64, 65, 70] {
            let longer = session(&model, 200, 150).save_prefix(saved_tokens, &[]).unwrap();
            let alone = session(&model, 200, saved_tokens)
                .save_prefix(saved_tokens, &[])
                .unwrap();
            assert!(longer == alone, "{saved_tokens}, {kv_precision:?}");
        }
    }
}

#[test]
fn a_context_that_is_too_short_is_left_alone() {
    let model = open();
    let saved = session(&model, 100, 100).save_prefix(u32::MAX, &[]).unwrap();
    let parsed = SavedPrefix::parse(&saved, &model).unwrap();
    session(&model, 100, 0).restore_prefix(&parsed).unwrap();
    let mut short = session(&model, 99, 5);
    let refused = short.restore_prefix(&parsed);
    assert!(matches!(
        refused,
        Err(EngineError::Prefix(PrefixError::TooLong { tokens: 100, limit: 99 }))
    ));
    assert_eq!(short.tokens(), ids(5));
    let note = vec![0; PREFIX_NOTE_BYTES_MAX as usize + 1];
    assert!(matches!(
        short.save_prefix(5, &note),
        Err(EngineError::Option { option: "note", .. })
    ));
    assert!(short.save_prefix(5, &note[1..]).is_ok());
}

/// Bytes whose checksum was made to fit.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() - 32;
    let hash = blake3::hash(&bytes[..length]);
    bytes[length..].copy_from_slice(hash.as_bytes());
    bytes
}

#[test]
fn damaged_bytes_are_refused() {
    let model = open();
    let good = session(&model, 100, 70).save_prefix(70, b"note").unwrap();
    let check = |bytes: Vec<u8>, is_expected: fn(&PrefixError) -> bool, what: &str| {
        let refused = SavedPrefix::parse(&bytes, &model).map(|_| ()).unwrap_err();
        assert!(is_expected(&refused), "{what}: {refused:?}");
    };
    let with = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        sealed(bytes)
    };
    for length in [0, 7, 8, 31, 63, 71] {
        check(
            good[..length].to_vec(),
            |e| *e == PrefixError::NotAPrefix,
            "cut in the header",
        );
    }
    check(
        good[..good.len() - 1].to_vec(),
        |e| matches!(e, PrefixError::Length { .. }),
        "a byte less",
    );
    check(
        [&good[..], b"x"].concat(),
        |e| matches!(e, PrefixError::Length { .. }),
        "a byte more",
    );
    check(with(0, 0), |e| *e == PrefixError::NotAPrefix, "other letters");
    check(
        with(8, PREFIX_VERSION + 1),
        |e| {
            matches!(
                e,
                PrefixError::Version {
                    supported: PREFIX_VERSION,
                    ..
                }
            )
        },
        "another version",
    );
    check(with(12, 9), |e| *e == PrefixError::OtherKind, "another kind");
    check(with(16, 32), |e| *e == PrefixError::OtherKind, "other blocks");
    check(
        with(20, 71),
        |e| matches!(e, PrefixError::Length { .. }),
        "more tokens than bytes",
    );
    check(
        with(20, u32::MAX),
        |e| matches!(e, PrefixError::Length { .. }),
        "far more tokens",
    );
    check(with(28, 2), |e| *e == PrefixError::OtherKind, "other layers");
    check(with(32, 7), |e| *e == PrefixError::OtherModel, "another model");
    check(
        with(64, u32::MAX),
        |e| matches!(e, PrefixError::Length { .. }),
        "more values than bytes",
    );
    check(
        with(72, u32::MAX),
        |e| matches!(e, PrefixError::Content { .. }),
        "an unknown token",
    );
    // A token fewer and a longer note: the lengths add up, but the values belong to another number of blocks.
    let mut moved = good.clone();
    moved[20..24].copy_from_slice(&64u32.to_le_bytes());
    moved[24..28].copy_from_slice(&(4 + 6 * 4u32).to_le_bytes());
    check(
        sealed(moved),
        |e| matches!(e, PrefixError::Content { .. }),
        "values of another length",
    );
    for at in (72..good.len()).step_by(good.len() / 50) {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        check(flipped, |e| *e == PrefixError::Checksum, "a flipped bit");
    }
}

#[test]
fn a_prefix_belongs_to_the_bundle_as_it_was() {
    let saved = session(&open(), 100, 10).save_prefix(10, &[]).unwrap();
    let bundle = copy();
    let path = bundle.path().join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"1.0.0\"", "\"1.0.1\"")).unwrap();
    seal(bundle.path()).unwrap();
    let other = open_with(bundle.path(), 1).unwrap();
    assert_eq!(SavedPrefix::parse(&saved, &other).unwrap_err(), PrefixError::OtherModel);
}

fn converse(model: &Arc<Model>, system: &str) -> Conversation {
    let options = ChatOptions {
        context_length: 900,
        ..ChatOptions::default()
    };
    Conversation::new(model, system, options)
}

fn answer(conversation: &mut Conversation, question: &str) -> (String, u32) {
    let options = GenerationOptions {
        max_tokens: 20,
        ..GenerationOptions::default()
    };
    let (text, statistics) = conversation.ask(question, options);
    (text, statistics.reused_tokens)
}

#[test]
fn a_saved_conversation_goes_on() {
    let model = open();
    let mut first = converse(&model, "You are brief.");
    answer(&mut first, "one two three");
    let saved = first.chat.save(&first.messages).unwrap();
    let (expected, reused) = answer(&mut first, "and four?");
    let mut second = converse(&model, "");
    answer(&mut second, "something else");
    let before = second.chat.context();
    assert!(matches!(
        second.chat.restore(&saved[..saved.len() - 1]),
        Err(EngineError::Prefix(PrefixError::Length { .. }))
    ));
    let prefix = first.chat.save_prefix(10).unwrap();
    assert!(matches!(
        second.chat.restore(&prefix),
        Err(EngineError::Prefix(PrefixError::Content { .. }))
    ));
    assert_eq!(second.chat.context(), before);
    second.messages = second.chat.restore(&saved).unwrap();
    assert_eq!(second.messages, first.messages[..3]);
    assert_eq!(answer(&mut second, "and four?"), (expected, reused));
}

/// A chat whose saved context cannot be read to its end has nothing of it, and answers by reading.
#[test]
fn a_context_that_is_damaged_in_the_middle_is_not_used() {
    let model = open();
    let mut first = converse(&model, &"You know all about waders. ".repeat(12));
    answer(&mut first, "one two three");
    let bytes = first.chat.export(u32::MAX).unwrap();
    let messages = first.messages.clone();
    let (expected, _) = answer(&mut first, "and four?");
    let damaged = (1..4).map(|quarter| Some(quarter * bytes.len() / 4)).chain([None]);
    for damaged in damaged {
        let mut second = converse(&open(), "");
        answer(&mut second, "something else");
        second.messages.clone_from(&messages);
        let source = Chunked {
            bytes: &bytes,
            chunk_bytes: 1_000,
            damaged,
        };
        let imported = second.chat.import_from(&source);
        match damaged {
            None => imported.unwrap(),
            Some(_) => assert!(matches!(imported, Err(EngineError::PrefixRead { .. })), "{imported:?}"),
        }
        assert_eq!(second.chat.context().tokens == 0, damaged.is_some());
        let (text, reused) = answer(&mut second, "and four?");
        assert_eq!((text == expected, reused > 0), (true, damaged.is_none()), "{damaged:?}");
    }
}

#[test]
fn a_saved_prefix_serves_another_conversation() {
    let model = open();
    let mut first = converse(&model, "You are brief.");
    let expected = answer(&mut first, "one two three").0;
    let saved = first.chat.save_prefix(20).unwrap();
    let mut second = converse(&model, "You are brief.");
    second.chat.restore_prefix(&saved).unwrap();
    assert_eq!(answer(&mut second, "one two three"), (expected, 20));
}

/// Conversations with one long system message share what the model made of it, and never disturb each other.
#[test]
fn conversations_share_their_beginning() {
    let model = open();
    let system = "the quick brown fox jumps over the lazy dog. ".repeat(12);
    let alone = |question: &str| answer(&mut converse(&open(), &system), question).0;
    let mut first = converse(&model, &system);
    let (text, reused) = answer(&mut first, "one");
    assert_eq!((text, reused), (alone("one"), 0));
    let mut others: Vec<Conversation> = (0..3).map(|_| converse(&model, &system)).collect();
    for (other, question) in others.iter_mut().zip(["one", "two", "three"]) {
        let (text, reused) = answer(other, question);
        assert_eq!(text, alone(question));
        assert_eq!(
            reused > 128,
            cfg!(any(target_os = "linux", target_os = "android")),
            "{reused}"
        );
    }
    // One of them writes where the others read.
    others[0]
        .chat
        .restore_prefix(&converse(&model, "").chat.save_prefix(0).unwrap())
        .unwrap();
    others[0].messages.clear();
    answer(&mut others[0], &"something quite different ".repeat(20));
    let mut last = converse(&model, &system);
    assert_eq!(answer(&mut last, "four").0, alone("four"));
    drop((first, others, last));
    assert_eq!(
        answer(&mut converse(&model, &system), "five").1,
        0,
        "nobody uses it any more"
    );
}
