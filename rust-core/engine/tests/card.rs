//! A model's card: its own system message and sampling hold where nobody says otherwise.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::Arc;

use support::{copy, open, open_with};
use whimbrel_engine::{
    CancelFlag, Chat, ChatOptions, EngineError, FinishReason, GenerationOptions, Manifest, Message, Model, ModelCard,
    Role, SamplingOptions, Statistics, Step,
};

/// The tiny bundle with a card.
fn with_card(card: ModelCard) -> Result<Arc<Model>, EngineError> {
    let folder = copy();
    write_card(folder.path(), card);
    open_with(folder.path(), 1)
}

fn write_card(folder: &Path, card: ModelCard) {
    let path = folder.join("manifest.json");
    let manifest = Manifest::parse(&std::fs::read(&path).unwrap()).unwrap();
    let text = Manifest { card, ..manifest }.sealed().to_text();
    std::fs::write(path, text).unwrap();
}

fn message(role: Role, content: &str) -> Message {
    Message {
        role,
        content: content.into(),
    }
}

fn answer(model: &Arc<Model>, messages: &[Message], options: GenerationOptions) -> (String, Statistics) {
    let mut chat = Chat::new(model, ChatOptions::default()).unwrap();
    chat.ask(messages, options, CancelFlag::default()).unwrap();
    let mut answer = String::new();
    loop {
        match chat.step().unwrap() {
            Step::Prefilled { .. } => {}
            Step::Thinking(_) | Step::Call(_) => panic!("the tiny model neither thinks nor calls"),
            Step::Text(text) => answer += &text,
            Step::Finished { text, statistics } => return (answer + &text, statistics),
        }
    }
}

fn short(sampling: SamplingOptions) -> GenerationOptions {
    GenerationOptions {
        max_tokens: 12,
        sampling,
        ..GenerationOptions::default()
    }
}

#[test]
fn the_models_own_system_message_is_used_where_there_is_none() {
    let own = with_card(ModelCard {
        system: Some("Speak of birds only.".into()),
        ..ModelCard::default()
    });
    let (own, plain) = (own.unwrap(), open());
    let question = message(Role::User, "Which bird crosses oceans?");
    let system = |text: &str| message(Role::System, text);
    let ask = |model, messages: &[Message]| {
        let (text, statistics) = answer(model, messages, short(SamplingOptions::default()));
        (text, statistics.prompt_tokens)
    };
    let asked = std::slice::from_ref(&question);
    assert_eq!(
        ask(&own, asked),
        ask(&plain, &[system("Speak of birds only."), question.clone()])
    );
    assert_ne!(ask(&own, asked), ask(&plain, asked));
    // The app's holds, and an empty one leaves it to the template.
    let given = [system("Be brief."), question.clone()];
    assert_eq!(ask(&own, &given), ask(&plain, &given));
    assert_eq!(ask(&own, &[system(""), question.clone()]), ask(&plain, asked));
}

#[test]
fn the_models_own_sampling_is_used_for_what_is_left_open() {
    let card = SamplingOptions {
        temperature: Some(1.5),
        seed: Some(7),
        ..SamplingOptions::default()
    };
    let own = with_card(ModelCard {
        sampling: card.clone(),
        ..ModelCard::default()
    });
    let (own, plain) = (own.unwrap(), open());
    let question = [message(Role::User, "Which bird crosses oceans?")];
    let ask = |model, sampling| answer(model, &question, short(sampling)).0;
    let varied = ask(&own, SamplingOptions::default());
    assert_eq!(varied, ask(&plain, card.clone()));
    assert_ne!(varied, ask(&plain, SamplingOptions::default()));
    assert_eq!(
        ask(&own, SamplingOptions::greedy()),
        ask(&plain, SamplingOptions::default())
    );
    let seed = SamplingOptions {
        seed: Some(8),
        ..SamplingOptions::default()
    };
    assert_eq!(ask(&own, seed.clone()), ask(&plain, seed.or(&card)));
}

#[test]
fn a_card_that_cannot_hold_is_refused() {
    let sampling = SamplingOptions {
        top_p: Some(1.5),
        ..SamplingOptions::default()
    };
    let refused = with_card(ModelCard {
        sampling,
        ..ModelCard::default()
    });
    assert!(matches!(
        refused.err(),
        Some(EngineError::Option { option: "top_p", .. })
    ));
    let refused = with_card(ModelCard {
        limits: Some("x".repeat(5000)),
        ..ModelCard::default()
    });
    assert!(refused.err().unwrap().to_string().contains("`card`"));
}

#[test]
fn an_answer_that_repeats_itself_is_ended() {
    let model = open();
    let mut repeated = 0;
    for question in ["Hello", "Which bird?", "one two three", "Tell me a story."] {
        let question = [message(Role::User, question)];
        let options = |repetition_guard| GenerationOptions {
            max_tokens: 600,
            repetition_guard,
            ..GenerationOptions::default()
        };
        let (whole, _) = answer(&model, &question, options(false));
        let (guarded, statistics) = answer(&model, &question, options(true));
        assert!(whole.starts_with(&guarded));
        let is_ended = statistics.finish_reason == FinishReason::Repetition;
        assert_eq!(is_ended, guarded.len() < whole.len());
        repeated += u32::from(is_ended);
    }
    assert!(repeated > 0, "no answer repeated itself");
}
