//! Sessions over the tiny bundle: however a sequence is cut up, interrupted or shared, the logits are the same.
#![allow(clippy::unwrap_used)]

mod support;

use support::{open, open_with, tiny};
use whimbrel_engine::{CancelFlag, EngineError, Model, OpenOptions, Session};

fn ids(count: u32) -> Vec<u32> {
    (0..count).map(|index| 20 + index * 37 % 700).collect()
}

fn logits(session: &mut Session, ids: &[u32]) -> Vec<f32> {
    session.logits(ids, &CancelFlag::default()).unwrap().to_vec()
}

#[test]
fn chunks_rollback_and_neighbours_do_not_change_the_logits() {
    let model = open();
    let all = ids(150);
    let expected = logits(&mut Session::new(&model, 200).unwrap(), &all);
    let never = CancelFlag::default();

    let (mut chunked, mut other) = (Session::new(&model, 200).unwrap(), Session::new(&model, 64).unwrap());
    let (last, first) = all.split_last().unwrap();
    for chunk in first.chunks(7) {
        chunked.prefill(chunk, &never).unwrap();
        other.truncate(0);
        other.prefill(&ids(5), &never).unwrap();
    }
    assert_eq!(
        logits(&mut chunked, &[*last]),
        expected,
        "prefilled in chunks beside another session"
    );
    assert_eq!(chunked.tokens(), all);

    chunked.truncate(90);
    chunked.prefill(&ids(150)[..3], &never).unwrap();
    chunked.truncate(90);
    assert_eq!(logits(&mut chunked, &all[90..]), expected, "rolled back and run again");

    let mut token_by_token = Session::new(&model, 200).unwrap();
    let mut found = Vec::new();
    for id in &all {
        found = logits(&mut token_by_token, &[*id]);
    }
    assert_eq!(found, expected, "token by token");
}

#[test]
fn threads_do_not_change_the_logits() {
    let all = ids(70);
    let expected = logits(&mut Session::new(&open(), 100).unwrap(), &all);
    for threads in [2, 3] {
        let model = open_with(&tiny(), threads).unwrap();
        assert_eq!(model.threads(), threads);
        assert_eq!(
            logits(&mut Session::new(&model, 100).unwrap(), &all),
            expected,
            "{threads} threads"
        );
    }
}

#[test]
fn weights_in_huge_pages_do_not_change_the_logits() {
    let all = ids(70);
    let expected = logits(&mut Session::new(&open(), 100).unwrap(), &all);
    let options = OpenOptions {
        threads: 1,
        huge_pages: true,
        ..OpenOptions::default()
    };
    let model = Model::open(&tiny(), &options).unwrap();
    assert_eq!(logits(&mut Session::new(&model, 100).unwrap(), &all), expected);
}

#[test]
fn logits_of_every_position_are_those_of_single_runs() {
    let model = open();
    let all = ids(40);
    let mut every = Vec::new();
    let mut session = Session::new(&model, 64).unwrap();
    session
        .logits_each(&all, 10, &CancelFlag::default(), &mut |index, logits| {
            every.push((index, logits.to_vec()))
        })
        .unwrap();
    assert_eq!(
        every.iter().map(|(index, _)| *index).collect::<Vec<_>>(),
        (10..40).collect::<Vec<_>>()
    );
    let mut single = Session::new(&model, 64).unwrap();
    for (index, found) in every {
        single.truncate(0);
        assert_eq!(logits(&mut single, &all[..=index]), found, "position {index}");
    }
}

#[test]
fn a_cancelled_run_leaves_the_session_as_it_was() {
    let model = open();
    let all = ids(60);
    let mut session = Session::new(&model, 64).unwrap();
    let expected = logits(&mut session, &all);
    session.truncate(20);
    let cancel = CancelFlag::default();
    cancel.cancel();
    assert!(matches!(
        session.prefill(&all[20..], &cancel),
        Err(EngineError::Cancelled)
    ));
    assert!(matches!(
        session.logits(&all[20..], &cancel),
        Err(EngineError::Cancelled)
    ));
    let each = session.logits_each(&all[20..], 0, &cancel, &mut |_, _| panic!("cancelled before the first"));
    assert!(matches!(each, Err(EngineError::Cancelled)));
    assert_eq!(session.tokens(), &all[..20]);
    assert_eq!(logits(&mut session, &all[20..]), expected);
}

#[test]
fn limits_are_typed_errors_at_the_limit_and_one_past_it() {
    let model = open();
    let longest = model.manifest().context_length;
    assert!(Session::new(&model, longest).is_ok());
    for length in [0, longest + 1] {
        let error = Session::new(&model, length).err();
        assert!(
            matches!(
                error,
                Some(EngineError::Option {
                    option: "context length",
                    ..
                })
            ),
            "{length}"
        );
    }
    let mut session = Session::new(&model, 16).unwrap();
    let never = CancelFlag::default();
    session.prefill(&ids(16), &never).unwrap();
    let full = session.prefill(&[5], &never);
    assert!(matches!(full, Err(EngineError::ContextFull { needed: 17, limit: 16 })));
    session.truncate(0);
    let unknown = session.prefill(&[model.tokenizer().vocabulary_len()], &never);
    assert!(matches!(unknown, Err(EngineError::Run { .. })));
    assert_eq!(
        logits(&mut session, &ids(16)),
        logits(&mut Session::new(&model, 16).unwrap(), &ids(16))
    );
    let many = open_with(&tiny(), 65);
    assert!(matches!(many, Err(EngineError::Option { option: "threads", .. })));
}
