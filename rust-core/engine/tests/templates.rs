//! The chat templates that llama.cpp ships, against the texts of Python's jinja2 (`scripts/golden/templates.py`).
#![allow(clippy::unwrap_used)]

mod support;

use serde::Deserialize;
use support::test_data;
use whimbrel_engine::{
    CallFormat, ChatTemplate, Message, RenderOptions, Tool, ToolCall, ToolChoice, ToolStep, ToolUse,
};

/// Conversations of a hundred that must agree.
const EQUAL_PERCENT_MIN: usize = 96;

#[derive(Deserialize)]
struct Template {
    name: String,
    now: i64,
    bos_token: String,
    eos_token: String,
    source: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    messages: Vec<Message>,
    tools: Option<String>,
    #[serde(default)]
    steps: Vec<ToolStep>,
    thinking: Option<bool>,
    /// None where jinja2 refuses the conversation.
    text: Option<String>,
}

/// The tools of a case.
fn offered(case: &Case) -> ToolUse {
    let listed: serde_json::Value = serde_json::from_str(case.tools.as_deref().unwrap()).unwrap();
    let tools = listed.as_array().unwrap().iter().map(|tool| {
        let text = |key: &str| tool["function"][key].as_str().unwrap().to_owned();
        Tool {
            name: text("name"),
            description: text("description"),
            parameters: tool["function"]["parameters"].to_string(),
        }
    });
    ToolUse {
        tools: tools.collect(),
        choice: ToolChoice::Auto,
        steps: case.steps.clone(),
    }
}

fn rendered(template: &Template, case: &Case) -> Result<String, String> {
    let tools = (!case.steps.is_empty()).then(|| offered(case));
    let options = RenderOptions {
        add_generation_prompt: true,
        bos_token: Some(&template.bos_token),
        eos_token: Some(&template.eos_token),
        now: Some(template.now),
        tools: case.tools.as_deref(),
        tool_use: tools.as_ref(),
        thinking: case.thinking,
    };
    ChatTemplate::new(&template.source)
        .and_then(|compiled| compiled.render(&case.messages, &options))
        .map_err(|error| error.to_string())
}

/// What is at the first place where two texts differ.
fn difference(expected: &str, found: &str) -> String {
    let common = expected.bytes().zip(found.bytes()).take_while(|(a, b)| a == b).count();
    let at = |text: &str| String::from_utf8_lossy(&text.as_bytes()[common..text.len().min(common + 60)]).into_owned();
    format!("at byte {common}, {:?} instead of {:?}", at(found), at(expected))
}

#[test]
fn real_templates_give_jinja2s_texts() {
    let lines = std::fs::read_to_string(test_data("llama.cpp-templates.jsonl")).unwrap();
    let templates: Vec<Template> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(templates.len(), 70);
    let (mut conversations, mut equal) = (0, 0);
    for template in &templates {
        let compiled = ChatTemplate::new(&template.source);
        let writes_calls = compiled.is_ok_and(|compiled| compiled.calls().is_of_template());
        for case in &template.cases {
            if !case.steps.is_empty() && !writes_calls {
                continue;
            }
            conversations += 1;
            match (&case.text, rendered(template, case)) {
                (Some(expected), Ok(found)) if *expected == found => equal += 1,
                (None, Err(_)) => equal += 1,
                (Some(expected), Ok(found)) => {
                    println!("{}, {}: {}", template.name, case.name, difference(expected, &found));
                }
                (None, Ok(_)) => println!("{}, {}: jinja2 refuses it", template.name, case.name),
                (Some(_), Err(error)) => println!("{}, {}: {error}", template.name, case.name),
            }
        }
    }
    println!("{equal} of {conversations} conversations are equal");
    // 19 of the templates write calls.
    assert_eq!(conversations, 4 * 70 + 19);
    assert!(equal * 100 >= conversations * EQUAL_PERCENT_MIN, "{equal}");
}

/// How the models that people have write calls: whether their template does, and the call.
const CALLS: [(&str, bool, &str); 8] = [
    (
        "Qwen-Qwen3-0.6B",
        true,
        "<tool_call>\n{\"name\": \"find\", \"arguments\": {\"a\": \"b\", \"c\": 2}}\n</tool_call>",
    ),
    (
        "Qwen-QwQ-32B",
        true,
        "<tool_call>\n{\"name\": \"find\", \"arguments\": {\"a\": \"b\", \"c\": 2}}\n</tool_call>",
    ),
    (
        "meta-llama-Llama-3.2-3B-Instruct",
        true,
        "{\"name\": \"find\", \"parameters\": {\"a\": \"b\", \"c\": 2}}",
    ),
    (
        "ibm-granite-granite-4.0",
        true,
        "<tool_call>\n{\"name\": \"find\", \"arguments\": {\"a\": \"b\", \"c\": 2}}\n</tool_call>",
    ),
    (
        "LFM2.5-8B-A1B",
        true,
        "<|tool_call_start|>[find(a=\"b\", c=2)]<|tool_call_end|>",
    ),
    (
        "LFM2-8B-A1B",
        false,
        "<|tool_call_start|>[find(a=\"b\", c=2)]<|tool_call_end|>",
    ),
    (
        "ibm-granite-granite-3.3-2B-Instruct",
        false,
        "<|tool_call|>[{\"name\": \"find\", \"arguments\": {\"a\": \"b\", \"c\": 2}}]",
    ),
    // Their templates know no tools: the form is ours.
    (
        "google-gemma-2-2b-it",
        false,
        "<tool_call>\n{\"name\": \"find\", \"arguments\": {\"a\": \"b\", \"c\": 2}}\n</tool_call>",
    ),
];

#[test]
fn real_templates_show_how_calls_are_written() {
    let call = |name: &str, arguments: &str| ToolCall {
        name: name.into(),
        arguments: arguments.into(),
    };
    let lines = std::fs::read_to_string(test_data("llama.cpp-templates.jsonl")).unwrap();
    let (mut of_template, mut known, mut explained) = (0, 0, 0);
    for line in lines.lines() {
        let template: Template = serde_json::from_str(line).unwrap();
        let compiled = ChatTemplate::new(&template.source).unwrap();
        let format: &CallFormat = compiled.calls();
        match (format.is_of_template(), format.is_explained()) {
            (true, _) => of_template += 1,
            (false, true) => explained += 1,
            (false, false) => known += 1,
        }
        if let Some((_, is_of_template, expected)) = CALLS.iter().find(|(name, ..)| *name == template.name) {
            let written = format.write(&call("find", r#"{"a": "b", "c": 2}"#));
            assert_eq!(
                (format.is_of_template(), written.as_str()),
                (*is_of_template, *expected),
                "{}",
                template.name
            );
        }
        // What is written can be read, whatever is in it.
        let odd = call(
            "find_book",
            r#"{"title": "A \"B\", (c)=[d] </tool_call>", "count": 2, "more": {"x": [null, true]}}"#,
        );
        assert_eq!(
            format.parse(&format.write(&odd)).as_ref(),
            Some(&odd),
            "{}",
            template.name
        );
        for other in ["", "find_book", "{}", "<tool_call>", "[find_book(]"] {
            assert_eq!(format.parse(other), None, "{}", template.name);
        }
        // Calls and results stand in the text, in all templates that take the conversation without them.
        let named = |name: &str| template.cases.iter().find(|case| case.name == name).unwrap();
        let (plain, case) = (named("plain"), named("calls"));
        if plain.text.is_none() || template.name == "fireworks-ai-llama-3-firefunction-v2" {
            continue;
        }
        let text = rendered(&template, case).unwrap_or_else(|error| panic!("{}: {error}", template.name));
        for part in ["find_book", "Whimbrel", "B7", "It is noon."] {
            assert!(text.contains(part), "{}: {text}", template.name);
        }
    }
    assert_eq!((of_template, known, explained), (19, 3, 48));
}

/// The templates of models that think, with their marks; all others have none. Those that the tests do not find show no thought and no mark
/// unless a tool was called (Kimi K2), or only tell the model about them (Apriel 1.5).
const THINKING: [(&str, &str, &str); 41] = [
    (
        "Apriel-1.6-15b-Thinker-fixed",
        "<|begin_assistant|>",
        "[BEGIN FINAL RESPONSE]",
    ),
    ("Bielik-11B-v3.0-Instruct", "<think>", "</think>"),
    ("ByteDance-Seed-OSS", "<seed:think>", "</seed:think>"),
    ("Cohere2MoE", "<|START_THINKING|>", "<|END_THINKING|><|START_TEXT|>"),
    (
        "CohereForAI-c4ai-command-r7b-12-2024-tool_use",
        "<|START_THINKING|>",
        "<|END_THINKING|>",
    ),
    ("GLM-4.6", "<think>", "</think>"),
    ("GLM-4.7-Flash", "<think>", "</think>"),
    ("HuggingFaceTB-SmolLM3-3B", "<think>", "</think>"),
    ("Kimi-K3", "<|sep|>", "<|close|>think<|sep|><|open|>response<|sep|>"),
    ("LFM2.5-8B-A1B", "<think>", "</think>"),
    ("MiniMax-M2", "<think>", "</think>"),
    ("MiniMax-M3", "<mm:think>", "</mm:think>"),
    ("NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "<think>", "</think>"),
    ("NVIDIA-Nemotron-Nano-v2", "<think>", "</think>"),
    ("Qwen-QwQ-32B", "<think>", "</think>"),
    ("Qwen-Qwen3-0.6B", "<think>", "</think>"),
    ("Qwen3.5-4B", "<think>", "</think>"),
    ("Reka-Edge", "<think>", "</think>"),
    ("Spark2.5", "<think>", "</think>"),
    ("StepFun3.5-Flash", "<think>", "</think>"),
    ("deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "<think>", "</think>"),
    ("deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "<think>", "</think>"),
    ("deepseek-ai-DeepSeek-V3.1", "<think>", "</think>"),
    ("deepseek-ai-DeepSeek-V3.2", "<think>", "</think>"),
    ("deepseek-ai-DeepSeek-V4-Flash-0731", "<think>", "</think>"),
    ("deepseek-ai-DeepSeek-V4", "<think>", "</think>"),
    ("google-gemma-4-31B-it-interleaved", "<|channel>thought", "<channel|>"),
    ("google-gemma-4-31B-it", "<|channel>thought", "<channel|>"),
    ("ibm-granite-granite-3.3-2B-Instruct", "<think>", "</think>"),
    ("inclusionai-ling-3.0-flash", "<think>", "</think>"),
    ("llama-cpp-deepseek-r1", "<think>", "</think>"),
    ("llama-cpp-rwkv-world", "<think>", "</think>"),
    ("mistralai-Ministral-3-14B-Reasoning-2512", "[THINK]", "[/THINK]"),
    (
        "muse-glimmer",
        "to=self<|message|>",
        "<|eom|><|start|>assistant to=user<|message|>",
    ),
    (
        "openai-gpt-oss-120b",
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    ("openbmb-MiniCPM5-1B", "<think>", "</think>"),
    ("poolside-Laguna-S-2.1", "<think>", "</think>"),
    ("poolside-Laguna-XS-2.1", "<think>", "</think>"),
    ("poolside-Laguna-XS.2", "<think>", "</think>"),
    ("tencent-Hy3", "<think:opensource>", "</think:opensource>"),
    (
        "upstage-Solar-Open-100B",
        "<|think|>",
        "<|end|><|begin|>assistant<|content|>",
    ),
];

#[test]
fn real_templates_show_their_marks() {
    let lines = std::fs::read_to_string(test_data("llama.cpp-templates.jsonl")).unwrap();
    let mut found = Vec::new();
    for line in lines.lines() {
        let template: Template = serde_json::from_str(line).unwrap();
        let compiled = ChatTemplate::new(&template.source);
        if let Some(marks) = compiled.ok().as_ref().and_then(ChatTemplate::thinking) {
            found.push((template.name, marks.open.clone(), marks.close.clone()));
        }
    }
    let expected = THINKING.map(|(name, open, close)| (name.to_owned(), open.to_owned(), close.to_owned()));
    assert_eq!(found, expected);
}
