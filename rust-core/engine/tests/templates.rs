//! The chat templates that llama.cpp ships, against the texts of Python's jinja2 (`scripts/golden/templates.py`).
#![allow(clippy::unwrap_used)]

mod support;

use serde::Deserialize;
use support::test_data;
use whimbrel_engine::{ChatTemplate, Message, RenderOptions};

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
    thinking: Option<bool>,
    /// None where jinja2 refuses the conversation.
    text: Option<String>,
}

fn rendered(template: &Template, case: &Case) -> Result<String, String> {
    let options = RenderOptions {
        add_generation_prompt: true,
        bos_token: Some(&template.bos_token),
        eos_token: Some(&template.eos_token),
        now: Some(template.now),
        tools: case.tools.as_deref(),
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
        for case in &template.cases {
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
    assert_eq!(conversations, 280);
    assert!(equal * 100 >= conversations * EQUAL_PERCENT_MIN, "{equal}");
}
