//! Models whose vocabulary has a token that begins a call: from that token on, what they say is a call that can be made, wherever in the answer it comes.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use support::{Desk, small};
use whimbrel_engine::{
    CancelFlag, Chat, ChatOptions, FinishReason, GenerationOptions, Message, Model, OpenOptions, Role, SamplingOptions,
    Step, Tool, ToolCall, ToolChoice, ToolUse,
};
use whimbrel_forge::synthetic::Synthetic;

/// As Qwen's, with the marks of the synthetic vocabulary.
const JSON: &str = "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}\
    {% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}\
    {% for call in m.tool_calls %}<think>\n{\"name\": \"{{ call.function.name }}\", \"arguments\": {{ call.function.arguments | tojson }}}\n</think>{% endfor %}\
    <|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
/// As LFM2.5's.
const PYTHON: &str = "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}\
    {% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}\
    {% for call in m.tool_calls %}<think>[{{ call.function.name }}({% for key, value in call.function.arguments.items() %}\
    {{ key }}='{{ value }}'{% if not loop.last %}, {% endif %}{% endfor %})]</think>{% endfor %}\
    <|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

fn open(template: &str) -> (Desk, Arc<Model>) {
    let synthetic = Synthetic {
        thinks: true,
        ..small()
    };
    let desk = Desk::new(&synthetic.to_gguf_with(&[("tokenizer.chat_template", template)], &[]));
    desk.import().unwrap();
    let options = OpenOptions {
        threads: 1,
        ..OpenOptions::default()
    };
    let model = Model::open(&desk.output(), &options).unwrap();
    (desk, model)
}

fn tools(choice: ToolChoice) -> ToolUse {
    let parameters = r#"{"type": "object", "properties": {
        "place": {"enum": ["Lyon", "a \"b\" c"]}, "days": {"type": "integer", "minimum": 1, "maximum": 7}, "dry": {"type": "boolean"}
    }, "required": ["days"], "additionalProperties": false}"#;
    let nothing = r#"{"type": "object", "properties": {}, "additionalProperties": false}"#;
    let tool = |name: &str, parameters: &str| Tool {
        name: name.into(),
        description: "Does it.".into(),
        parameters: parameters.into(),
    };
    ToolUse {
        tools: vec![tool("weather", parameters), tool("now", nothing)],
        choice,
        steps: Vec::new(),
    }
}

fn ask(chat: &mut Chat, options: GenerationOptions) -> (String, Option<ToolCall>, FinishReason) {
    let question = Message {
        role: Role::User,
        content: "Is it warm?".into(),
    };
    chat.ask(&[question], options, CancelFlag::default()).unwrap();
    let (mut text, mut call) = (String::new(), None);
    loop {
        match chat.step().unwrap() {
            Step::Prefilled { .. } | Step::Thinking(_) => {}
            Step::Text(piece) => text += &piece,
            Step::Call(called) => assert!(call.replace(called).is_none()),
            Step::Finished { text: rest, statistics } => return (text + &rest, call, statistics.finish_reason),
        }
    }
}

#[test]
fn a_token_begins_a_call_wherever_it_comes() {
    for template in [JSON, PYTHON] {
        let (_desk, model) = open(template);
        assert!(model.chat_template().unwrap().calls().is_of_template());
        assert!(model.chat_template().unwrap().thinking().is_none());
        let mut chat = Chat::new(&model, ChatOptions::default()).unwrap();
        let mut called = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let options = |choice| GenerationOptions {
                max_tokens: 200,
                sampling: SamplingOptions {
                    temperature: Some(if seed == 0 { 0.0 } else { 2.0 }),
                    seed: Some(seed),
                    ..SamplingOptions::default()
                },
                tools: Some(tools(choice)),
                ..GenerationOptions::default()
            };
            let (text, call, reason) = ask(&mut chat, options(ToolChoice::Auto));
            match call {
                Some(call) => {
                    assert_eq!(reason, FinishReason::ToolCall);
                    let offered = tools(ToolChoice::Auto);
                    let tool = offered.find(&call.name).unwrap();
                    let form = whimbrel_engine::Form::JsonSchema(tool.parameters.clone());
                    assert!(form.accepts(&call.arguments).unwrap(), "{call:?}");
                    called.insert(call.arguments);
                }
                None => assert_ne!(reason, FinishReason::ToolCall),
            }
            assert!(!text.contains("<think>"), "{text}");
            // The first token that this model wants is the one that begins a call.
            assert!(
                seed > 0 || (text.is_empty() && reason == FinishReason::ToolCall),
                "{text}"
            );
            let (text, call, _) = ask(&mut chat, options(ToolChoice::None));
            assert!(call.is_none() && !text.contains("<think>"), "{text}");
        }
        assert!(called.len() > 3, "{called:?}");
    }
}
