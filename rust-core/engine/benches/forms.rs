//! How fast answers with a form are: `cargo bench -p whimbrel-engine --bench forms`. SmolLM2 on one thread, best of several runs that take turns;
//! `make test-data` prepares it. Guesses are off, so that every token of free text is a run of its own.
#![allow(clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use support::{finish, message, open_with, smollm2};
use whimbrel_engine::{
    CancelFlag, Chat, ChatOptions, FinishReason, Form, GenerationOptions, Model, Role, SamplingOptions, Statistics,
};

const ROUNDS: u32 = 5;
/// Free text under a form may take this much longer per token than without one.
const SLOWER_MAX: f64 = 1.05;
/// A form with fixed parts must be this much faster per token.
const FASTER_MIN: f64 = 1.3;

/// A record whose keys are fixed, with short values between them.
const RECORD: &str = r#"{
    "type": "object",
    "properties": {
        "customer_name": {"type": "string", "maxLength": 20},
        "shipping_address_city": {"type": "string", "maxLength": 20},
        "preferred_delivery_time": {"enum": ["morning", "afternoon", "evening"]},
        "number_of_packages": {"type": "integer", "minimum": 1, "maximum": 20},
        "requires_signature": {"type": "boolean"}
    },
    "required": [
        "customer_name", "shipping_address_city", "preferred_delivery_time", "number_of_packages", "requires_signature"
    ],
    "additionalProperties": false
}"#;

struct Case {
    name: &'static str,
    form: Option<Form>,
    best_ms_per_token: f64,
    statistics: Option<Statistics>,
}

fn main() {
    let model = open_with(&smollm2(), 1).unwrap();
    let case = |name, form| Case {
        name,
        form,
        best_ms_per_token: f64::INFINITY,
        statistics: None,
    };
    let any_json = r#"{"type": "array", "items": {"type": "string"}}"#;
    let mut cases = [
        case("without a form", None),
        case("any text", Some(Form::Regex("(?s:.*)".into()))),
        case("a list of strings", Some(Form::JsonSchema(any_json.into()))),
        case("a record with fixed keys", Some(Form::JsonSchema(RECORD.into()))),
    ];
    for _ in 0..ROUNDS {
        cases.iter_mut().for_each(|case| measure(&model, case));
    }
    let free = cases[0].best_ms_per_token;
    for case in &cases {
        let statistics = case.statistics.as_ref().unwrap();
        println!(
            "{:26} {:3} tokens, {:3} forced, {:.2} ms a token, {:.2} times as long as without a form ({})",
            case.name,
            statistics.completion_tokens,
            statistics.forced_tokens,
            case.best_ms_per_token,
            case.best_ms_per_token / free,
            statistics.finish_reason.name()
        );
    }
    let [_, text, list, record] = cases.map(|case| case.best_ms_per_token / free);
    assert!(text <= SLOWER_MAX, "free text is too slow");
    assert!(list <= SLOWER_MAX, "strings are too slow");
    assert!(1.0 / record >= FASTER_MIN, "fixed parts are too slow");
}

fn measure(model: &Arc<Model>, case: &mut Case) {
    let question =
        "List the customer's name, city, delivery time, packages and whether a signature is needed, for ten customers.";
    let options = GenerationOptions {
        max_tokens: 96,
        sampling: SamplingOptions::greedy(),
        speculation: false,
        repetition_guard: false,
        form: case.form.clone(),
        ..GenerationOptions::default()
    };
    let mut chat = Chat::new(model, ChatOptions::default()).unwrap();
    chat.ask(&[message(Role::User, question)], options, CancelFlag::default())
        .unwrap();
    let (_, statistics) = finish(&mut chat);
    assert_ne!(statistics.finish_reason, FinishReason::Cancelled);
    let ms_per_token = 1e3 / statistics.decode_tokens_per_second;
    case.best_ms_per_token = case.best_ms_per_token.min(ms_per_token);
    case.statistics = Some(statistics);
}
