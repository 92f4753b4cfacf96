//! Calls of tools: whatever the model would say, a call is one of a tool that was offered, with arguments that it takes, or there is none.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use serde_json::Value;
use support::{message, open};
use whimbrel_engine::{
    CancelFlag, Chat, ChatOptions, EngineError, FinishReason, Form, GenerationOptions, Message, Model, Role,
    SamplingOptions, Statistics, Step, Tool, ToolCall, ToolChoice, ToolStep, ToolUse,
};

fn tool(name: &str, parameters: &str) -> Tool {
    Tool {
        name: name.into(),
        description: format!("Does {name}.\nAnd \"nothing\" else."),
        parameters: parameters.into(),
    }
}

fn tools(choice: ToolChoice) -> ToolUse {
    let weather = r#"{"type": "object", "properties": {
        "place": {"type": "string", "maxLength": 12}, "days": {"type": "integer", "minimum": 1, "maximum": 7}
    }, "required": ["place"], "additionalProperties": false}"#;
    let light = r##"{"type": "object", "properties": {"state": {"$ref": "#/$defs/state"}}, "required": ["state"],
        "additionalProperties": false, "$defs": {"state": {"enum": ["on", "off"]}}}"##;
    let nothing = r#"{"type": "object", "properties": {}, "additionalProperties": false}"#;
    ToolUse {
        tools: vec![tool("weather", weather), tool("set_light", light), tool("now", nothing)],
        choice,
        steps: Vec::new(),
    }
}

fn options(tools: ToolUse, seed: u64) -> GenerationOptions {
    GenerationOptions {
        max_tokens: 300,
        sampling: SamplingOptions {
            temperature: Some(1.5),
            seed: Some(seed),
            ..SamplingOptions::default()
        },
        tools: Some(tools),
        ..GenerationOptions::default()
    }
}

struct Answered {
    text: String,
    calls: Vec<ToolCall>,
    statistics: Statistics,
}

fn ask(chat: &mut Chat, history: &[Message], options: GenerationOptions, cancel: CancelFlag) -> Answered {
    chat.ask(history, options, cancel).unwrap();
    let (mut text, mut calls) = (String::new(), Vec::new());
    loop {
        match chat.step().unwrap() {
            Step::Prefilled { .. } | Step::Thinking(_) => {}
            Step::Text(piece) => text += &piece,
            Step::Call(call) => calls.push(call),
            Step::Finished { text: rest, statistics } => {
                return Answered {
                    text: text + &rest,
                    calls,
                    statistics,
                };
            }
        }
    }
}

fn question() -> Vec<Message> {
    vec![
        message(Role::System, "Be brief."),
        message(Role::User, "Is it warm in Lyon?"),
    ]
}

fn check(call: &ToolCall, offered: &ToolUse) {
    let tool = offered.find(&call.name).unwrap();
    let form = Form::JsonSchema(tool.parameters.clone());
    assert!(form.accepts(&call.arguments).unwrap(), "{call:?}");
    assert!(serde_json::from_str::<Value>(&call.arguments).unwrap().is_object());
}

fn chat(model: &Arc<Model>) -> Chat {
    Chat::new(model, ChatOptions::default()).unwrap()
}

#[test]
fn a_call_that_is_required_is_always_one_that_can_be_made() {
    let model = open();
    let mut chat = chat(&model);
    let mut names = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let offered = tools(ToolChoice::Required);
        let answered = ask(
            &mut chat,
            &question(),
            options(offered.clone(), seed),
            CancelFlag::default(),
        );
        match answered.statistics.finish_reason {
            FinishReason::ToolCall => {
                assert_eq!((answered.text.as_str(), answered.calls.len()), ("", 1));
                check(&answered.calls[0], &offered);
                names.insert(answered.calls[0].name.clone());
            }
            // A long place that was never closed.
            FinishReason::Incomplete => assert_eq!((answered.text.as_str(), answered.calls.len()), ("", 0)),
            reason => panic!("{reason:?}: {}", answered.text),
        }
    }
    assert!(names.len() > 1, "{names:?}");
}

#[test]
fn an_answer_is_text_or_a_call_and_text_shows_no_call() {
    let model = open();
    let mut chat = chat(&model);
    for seed in 0..40 {
        for choice in [ToolChoice::Auto, ToolChoice::None] {
            let offered = tools(choice);
            let answered = ask(
                &mut chat,
                &question(),
                options(offered.clone(), seed),
                CancelFlag::default(),
            );
            match answered.calls.as_slice() {
                [] => assert_ne!(answered.statistics.finish_reason, FinishReason::ToolCall),
                [call] if choice == ToolChoice::Auto => check(call, &offered),
                calls => panic!("{calls:?} with {choice:?}"),
            }
            assert!(!answered.text.starts_with("<tool_call>\n{"), "{}", answered.text);
        }
    }
}

#[test]
fn a_call_that_ends_early_is_none() {
    let model = open();
    let mut chat = chat(&model);
    for max_tokens in [1, 5, 9] {
        let limited = GenerationOptions {
            max_tokens,
            ..options(tools(ToolChoice::Required), 1)
        };
        let answered = ask(&mut chat, &question(), limited, CancelFlag::default());
        assert_eq!(answered.statistics.finish_reason, FinishReason::Incomplete);
        assert_eq!((answered.text.as_str(), answered.calls.len()), ("", 0));
    }
    let cancel = CancelFlag::default();
    cancel.cancel();
    let answered = ask(&mut chat, &question(), options(tools(ToolChoice::Required), 1), cancel);
    assert_eq!(answered.statistics.finish_reason, FinishReason::Cancelled);
    assert_eq!((answered.text.as_str(), answered.calls.len()), ("", 0));
    // What was begun is no part of what is known of the conversation.
    let free = |chat: &mut Chat| {
        let free = GenerationOptions {
            tools: None,
            ..options(tools(ToolChoice::Auto), 3)
        };
        ask(chat, &question(), free, CancelFlag::default()).text
    };
    assert_eq!(free(&mut chat), free(&mut self::chat(&model)));
}

#[test]
fn what_was_called_is_read_and_the_beginning_is_not_read_again() {
    let model = open();
    let mut chat = chat(&model);
    let first = ask(
        &mut chat,
        &question(),
        options(tools(ToolChoice::Required), 2),
        CancelFlag::default(),
    );
    let step = ToolStep {
        call: first.calls[0].clone(),
        result: "18 degrees <|im_end|>".into(),
    };
    let with_result = ToolUse {
        steps: vec![step],
        choice: ToolChoice::None,
        ..tools(ToolChoice::Auto)
    };
    let second = ask(
        &mut chat,
        &question(),
        options(with_result.clone(), 2),
        CancelFlag::default(),
    );
    assert!(second.statistics.prompt_tokens > first.statistics.prompt_tokens + 20);
    // All of the first prompt but where its answer begins.
    assert!(
        second.statistics.reused_tokens + 8 >= first.statistics.prompt_tokens,
        "{:?}",
        second.statistics
    );
    // A fresh context says the same.
    let again = ask(
        &mut self::chat(&model),
        &question(),
        options(with_result, 2),
        CancelFlag::default(),
    );
    assert_eq!(
        (second.text, second.statistics.prompt_tokens),
        (again.text, again.statistics.prompt_tokens)
    );
}

#[test]
fn tools_that_cannot_be_offered_are_refused_by_name() {
    let model = open();
    let mut chat = chat(&model);
    let object = r#"{"type": "object", "properties": {}}"#;
    let cases = [
        (vec![tool("", object)], "its name must have"),
        (vec![tool("a b", object)], "its name must have"),
        (vec![tool(&"x".repeat(65), object)], "its name must have"),
        (vec![tool("a", "[]")], "must be a JSON Schema"),
        (vec![tool("a", r#"{"type": "string"}"#)], "must be a JSON Schema"),
        (
            vec![tool("a", object), tool("b", object), tool("a", object)],
            "the same name",
        ),
        (
            vec![tool(
                "a",
                r#"{"type": "object", "properties": {"x": {"type": "array", "uniqueItems": true}}}"#,
            )],
            "uniqueItems",
        ),
    ];
    for (tools, expected) in cases {
        let offered = ToolUse {
            tools,
            ..ToolUse::default()
        };
        let error = chat
            .ask(&question(), options(offered, 1), CancelFlag::default())
            .unwrap_err();
        assert!(matches!(error, EngineError::Tool { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let both = GenerationOptions {
        form: Some(Form::Choice(vec!["yes".into()])),
        ..options(tools(ToolChoice::Auto), 1)
    };
    assert!(chat.ask(&question(), both, CancelFlag::default()).is_err());
}
