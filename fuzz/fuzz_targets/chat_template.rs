//! A chat template: compiling and rendering any Jinja text ends, within the limits, in a text or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_engine::{ChatTemplate, Message, RenderOptions, Role};

fuzz_target!(|source: &str| {
    let Ok(template) = ChatTemplate::new(source) else {
        return;
    };
    let message = |role, content: &str| Message {
        role,
        content: content.to_owned(),
    };
    let messages = [
        message(Role::System, "Be brief."),
        message(Role::User, "{{ messages }} <|im_end|>"),
        message(Role::Assistant, "Yes."),
        message(Role::User, "Why?"),
    ];
    let options = RenderOptions {
        add_generation_prompt: true,
        bos_token: Some("<|im_start|>"),
        eos_token: Some("<|im_end|>"),
        now: Some(1_700_000_000),
        tools: Some(r#"[{"type": "function", "function": {"name": "now"}}]"#),
        tool_use: None,
        thinking: Some(false),
    };
    let _ = template.render(&messages, &options);
});
