//! Guessed tokens change how an answer is made and never what it says.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use support::{Conversation, open, open_with, smollm2, tiny};
use whimbrel_engine::{CancelFlag, ChatOptions, GenerationOptions, SamplingOptions, Session, Statistics};

fn answer(speculation: bool, options: &GenerationOptions) -> (String, Statistics, u32) {
    let chat_options = ChatOptions {
        context_length: 512,
        ..ChatOptions::default()
    };
    let mut conversation = Conversation::new(&open(), "Give clear and correct answers.", chat_options);
    let options = GenerationOptions {
        speculation,
        ..options.clone()
    };
    let mut text = String::new();
    // The second turn goes on in the cache that the first one left.
    for question in ["one two three one two three one two three", "one two three one"] {
        let (piece, statistics) = conversation.ask(question, options.clone());
        text = text + &piece + "\n--\n";
        if question == "one two three one" {
            return (text, statistics, conversation.chat.context().tokens);
        }
    }
    unreachable!("the second question returns");
}

#[test]
fn answers_are_those_of_plain_decoding() {
    let sampling = |temperature, repetition_penalty| SamplingOptions {
        temperature: Some(temperature),
        repetition_penalty: Some(repetition_penalty),
        seed: Some(7),
        ..SamplingOptions::default()
    };
    let mut accepted = 0;
    for (max_tokens, sampling, stop) in [
        (120, sampling(0.0, 1.0), None),
        (1, sampling(0.0, 1.0), None),
        (2, sampling(0.0, 1.0), None),
        (37, sampling(0.0, 1.0), Some("e")),
        (90, sampling(0.3, 1.0), None),
        (90, sampling(0.0, 1.3), None),
    ] {
        let options = GenerationOptions {
            max_tokens,
            sampling,
            stop: stop.map(str::to_owned).into_iter().collect(),
            ..GenerationOptions::default()
        };
        let plain = answer(false, &options);
        let guessed = answer(true, &options);
        assert_eq!(plain.0, guessed.0, "{options:?}");
        assert_eq!(plain.2, guessed.2, "tokens in the cache");
        assert_eq!(plain.1.completion_tokens, guessed.1.completion_tokens);
        assert_eq!((plain.1.drafted_tokens, plain.1.accepted_tokens), (0, 0));
        assert!(guessed.1.accepted_tokens <= guessed.1.drafted_tokens);
        accepted += guessed.1.accepted_tokens;
    }
    assert!(
        accepted > 0,
        "the tiny model repeats itself, so something must have been guessed"
    );
}

/// Whatever is run together, every row is what that token alone would have given, bit for bit.
fn check_rows(folder: &Path, ids: &[u32], counts: &[usize]) {
    let never = CancelFlag::default();
    let mut expected: Vec<Vec<f32>> = Vec::new();
    for threads in [1, 2] {
        let model = open_with(folder, threads).unwrap();
        if expected.is_empty() {
            let mut single = Session::new(&model, 64).unwrap();
            let logits = ids.iter().map(|id| single.logits(&[*id], &never).unwrap().to_vec());
            expected = logits.collect();
        }
        for count in counts {
            let mut session = Session::new(&model, 64).unwrap();
            let mut found = Vec::new();
            for run in ids.chunks(*count) {
                let logits = session.logits_after(run, run.len() as u32, &never).unwrap();
                found.extend(logits.chunks_exact(expected[0].len()).map(<[f32]>::to_vec));
            }
            assert!(found == expected, "{count} rows a run, {threads} threads");
        }
    }
}

#[test]
fn rows_of_a_run_are_those_of_single_runs() {
    let ids: Vec<u32> = (0..40).map(|index| 20 + index * 37 % 700).collect();
    check_rows(&tiny(), &ids, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 40]);
    check_rows(&smollm2(), &ids[..20], &[2, 3, 9, 20]);
}
