//! Calibrated answers: of several texts the one that the question raises most, as plain runs of a session give the same figures.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use support::{finish, message, open};
use whimbrel_engine::{
    CALIBRATED_CHOICES_MAX, CancelFlag, Chat, ChatOptions, EngineError, FinishReason, Form, GenerationOptions, Message,
    Model, RenderOptions, Role, Session, Statistics, Step,
};

const CHOICES: [&str; 5] = ["one", "two three", "three", "whimbrel", "on"];
const NOTHING: &str = "Text: \nWord:";

fn question(text: &str) -> String {
    format!("Text: {text}\nWord:")
}

fn messages(question: &str) -> Vec<Message> {
    vec![
        message(Role::User, &"Text: one two\nWord:".repeat(12)),
        message(Role::Assistant, "three"),
        message(Role::User, question),
    ]
}

fn options() -> GenerationOptions {
    GenerationOptions {
        max_tokens: 20,
        form: Some(Form::Choice(CHOICES.map(str::to_owned).to_vec())),
        calibration: Some(NOTHING.to_owned()),
        confidence: true,
        ..GenerationOptions::default()
    }
}

fn chat(model: &Arc<Model>) -> Chat {
    let options = ChatOptions {
        context_length: 512,
        ..ChatOptions::default()
    };
    Chat::new(model, options).unwrap()
}

fn ask(chat: &mut Chat, question: &str, options: GenerationOptions) -> (String, Statistics) {
    chat.ask(&messages(question), options, CancelFlag::default()).unwrap();
    finish(chat)
}

/// The logarithm of each choice's probability behind a question, token by token in a fresh session.
fn log_probabilities(model: &Arc<Model>, question: &str) -> Vec<f64> {
    let options = RenderOptions {
        add_generation_prompt: true,
        ..RenderOptions::default()
    };
    let tokenizer = model.tokenizer();
    let template = model.chat_template().unwrap();
    let prompt = template
        .render_tokens(tokenizer, &messages(question), &options)
        .unwrap();
    let of_choice = |choice: &str| {
        let mut session = Session::new(model, 512).unwrap();
        let cancel = CancelFlag::default();
        let mut logits = session.logits(&prompt.ids, &cancel).unwrap().to_vec();
        let log_sum = |logits: &[f32]| logits.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
        let mut sum = 0.0;
        for id in tokenizer.encode(choice, false) {
            sum += f64::from(logits[id as usize]) - log_sum(&logits);
            logits = session.logits(&[id], &cancel).unwrap().to_vec();
        }
        let ends: Vec<f32> = tokenizer.end_of_turn().iter().map(|id| logits[*id as usize]).collect();
        sum + log_sum(&ends) - log_sum(&logits)
    };
    CHOICES.iter().map(|choice| of_choice(choice)).collect()
}

#[test]
fn the_choice_is_the_one_that_the_question_raises_most() {
    let model = open();
    let mut chat = chat(&model);
    let prior = log_probabilities(&model, NOTHING);
    let mut seen = Vec::new();
    for text in [
        "one",
        "two",
        "three three",
        "whimbrel",
        "a b c",
        "one two three one two",
    ] {
        let scores = log_probabilities(&model, &question(text));
        let raised = scores
            .iter()
            .zip(&prior)
            .map(|(score, prior)| score - prior)
            .enumerate();
        let (best, _) = raised.max_by(|one, other| one.1.total_cmp(&other.1)).unwrap();
        let (answer, statistics) = ask(&mut chat, &question(text), options());
        assert_eq!(answer, CHOICES[best], "{text}");
        assert_eq!(statistics.finish_reason, FinishReason::Stop);
        let tokens = model.tokenizer().encode(CHOICES[best], false).len() as u32;
        assert_eq!(statistics.completion_tokens, tokens);
        let confidence = statistics.mean_log_probability.unwrap();
        assert!(
            (confidence - scores[best] / f64::from(tokens + 1)).abs() < 1e-3,
            "{confidence} {scores:?}"
        );
        seen.push((answer, statistics.reused_tokens));
    }
    assert_eq!(seen[0].1, 0, "a fresh session holds nothing");
    assert!(seen.iter().any(|(answer, _)| *answer != seen[0].0), "{seen:?}");
    assert!(
        seen[1..].iter().all(|(_, reused)| *reused > 100),
        "the beginning is read once: {seen:?}"
    );
}

#[test]
fn what_cannot_be_calibrated_is_generated() {
    let model = open();
    let plain = |options: GenerationOptions| {
        let plain = GenerationOptions {
            calibration: None,
            ..options.clone()
        };
        let (expected, _) = ask(&mut chat(&model), &question("one two"), plain);
        let (answer, _) = ask(&mut chat(&model), &question("one two"), options);
        assert_eq!(answer, expected);
    };
    let many = (0..=CALIBRATED_CHOICES_MAX)
        .map(|number| format!("one {number}"))
        .collect();
    plain(GenerationOptions {
        form: Some(Form::Choice(many)),
        ..options()
    });
    plain(GenerationOptions {
        form: Some(Form::Regex("one|two".to_owned())),
        ..options()
    });
    plain(GenerationOptions {
        form: None,
        ..options()
    });
    plain(GenerationOptions {
        stop: vec!["x".to_owned()],
        ..options()
    });
    // A choice that is too long for the limit is none.
    let short = GenerationOptions {
        max_tokens: 1,
        ..options()
    };
    let (answer, _) = ask(&mut chat(&model), &question("two"), short);
    assert_eq!(model.tokenizer().encode(&answer, false).len(), 1, "{answer}");
}

#[test]
fn it_can_be_cancelled_at_every_step_and_asked_again() {
    let model = open();
    let (expected, _) = ask(&mut chat(&model), &question("three three"), options());
    let mut chat = chat(&open());
    for steps in 0.. {
        let cancel = CancelFlag::default();
        chat.ask(&messages(&question("three three")), options(), cancel.clone())
            .unwrap();
        let ended = (0..steps).find_map(|_| match chat.step().unwrap() {
            Step::Finished { text, .. } => Some(text),
            _ => None,
        });
        if let Some(text) = ended {
            assert_eq!(text, expected);
            assert!(steps > CHOICES.len());
            break;
        }
        cancel.cancel();
        let (text, statistics) = finish(&mut chat);
        assert_eq!(
            (&*text, statistics.finish_reason),
            ("", FinishReason::Cancelled),
            "after {steps} steps"
        );
    }
}

#[test]
fn a_prompt_that_leaves_no_room_is_refused() {
    let long = question(&"one ".repeat(600));
    let refused = chat(&open()).ask(&messages(&long), options(), CancelFlag::default());
    assert!(
        matches!(refused, Err(EngineError::ContextFull { limit: 512, .. })),
        "{refused:?}"
    );
}
