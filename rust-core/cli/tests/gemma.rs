//! Gemma 3 270M: a real model with windows. Its makers have terms, which a person has to accept, so these tests belong to a feature, and
//! `scripts/gemma-test.sh`, which fetches the file, runs them.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use whimbrel_engine::{
    CancelFlag, Chat, ChatOptions, GenerationOptions, Message, Model, OpenOptions, Role, Session, Statistics, Step,
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// How Gemma's models for conversations mark turns. The file of the base model has no template.
const TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}<start_of_turn>\
    {{ 'model' if message.role == 'assistant' else message.role }}\n{{ message.content }}<end_of_turn>\n\
    {% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}";
const CONTEXT: u32 = 8_192;

/// The file that `scripts/gemma-test.sh` has fetched.
fn file() -> PathBuf {
    let file = std::env::var_os("WHIMBREL_GEMMA").expect("run scripts/gemma-test.sh");
    PathBuf::from(file)
}

/// Runs the command and returns its standard output.
fn whimbrel(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "whimbrel {arguments:?}: {errors}");
    output.stdout
}

/// The file as a bundle that can hold conversations.
fn bundle(folder: &Path) -> PathBuf {
    let template = folder.join("template.jinja");
    fs::write(&template, TEMPLATE).unwrap();
    let bundle = folder.join("bundle");
    let [file, template, output] = [&file(), &template, &bundle].map(|path| path.to_str().unwrap().to_owned());
    whimbrel(&["import", &file, "--chat-template", &template, "--output", &output]);
    bundle
}

#[test]
fn its_perplexity_is_that_of_the_reference() {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let golden = fs::read(format!("{ROOT}/shared-models/golden/gemma.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    let golden = &golden["models"]["gemma-3-270m-q4_k_m"];
    let (bundle, text) = (bundle(folder.path()), format!("{ROOT}/shared-models/text/opticks.txt"));
    let chunks = golden["chunks"].to_string();
    let arguments = ["--file", &text, "--context", "512", "--chunks", &chunks, "--json"];
    let model = ["perplexity", "--model", bundle.to_str().unwrap()];
    let facts: Value = serde_json::from_slice(&whimbrel(&[&model[..], &arguments].concat())).unwrap();
    assert_eq!(facts["chunks"], golden["chunks"], "other windows than llama.cpp's");
    let [ours, theirs] = [&facts, golden].map(|facts| facts["perplexity"].as_f64().unwrap());
    let difference = ours / theirs - 1.0;
    println!(
        "perplexity {ours:.4}, llama.cpp's {theirs:.4}: {:+.3} %",
        difference * 100.0
    );
    assert!(difference.abs() <= 0.005);
}

const QUESTIONS: [&str; 4] = [
    "Which birds cross oceans, and how do they find the same field again after so many miles?",
    "What do they eat on the way, and where do they rest?",
    "And then?",
    "Who has followed them, with which instruments, and what was learned from it that was not known before?",
];

fn ask(chat: &mut Chat, messages: &mut Vec<Message>, question: &str) -> Statistics {
    let message = |role, content: &str| Message {
        role,
        content: content.to_owned(),
    };
    messages.push(message(Role::User, question));
    let options = GenerationOptions {
        max_tokens: 40,
        repetition_guard: false,
        ..GenerationOptions::default()
    };
    chat.ask(messages, options, CancelFlag::default()).unwrap();
    let mut answer = String::new();
    loop {
        match chat.step().unwrap() {
            Step::Text(text) => answer += &text,
            Step::Finished { text, statistics } => {
                messages.push(message(Role::Assistant, &(answer + &text)));
                return statistics;
            }
            Step::Prefilled { .. } | Step::Thinking(_) | Step::Call(_) => {}
        }
    }
}

/// Twenty turns, beyond the windows of 512 tokens.
#[test]
fn turns_read_their_new_tokens_only() {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let model = Model::open(&bundle(folder.path()), &OpenOptions::default()).unwrap();
    let options = ChatOptions {
        context_length: 4_096,
        ..ChatOptions::default()
    };
    let (mut chat, mut messages) = (Chat::new(&model, options).unwrap(), Vec::new());
    let (mut known, mut new, mut read) = (0, 0, 0);
    for turn in 0..20 {
        let statistics = ask(&mut chat, &mut messages, QUESTIONS[turn % 4]);
        new += statistics.prompt_tokens - known;
        read += statistics.prompt_tokens - statistics.reused_tokens;
        known = statistics.prompt_tokens + statistics.completion_tokens;
    }
    let ratio = f64::from(read) / f64::from(new);
    println!("{known} tokens; read {read} of {new} new ones: {ratio:.3}");
    assert!(known > 1_024 && ratio <= 1.1);
}

/// The sizes of this process's mappings that no file backs, and how many of their bytes are in memory.
fn anonymous_maps() -> Vec<(u64, u64)> {
    let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
    let kib = |name: &str| {
        let lines: Vec<u64> = smaps
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
            .map(|kib: u64| 1024 * kib)
            .collect();
        lines
    };
    kib("Size:").into_iter().zip(kib("Anonymous:")).collect()
}

#[test]
fn windows_save_most_of_the_memory() {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let model: Arc<Model> = Model::open(&bundle(folder.path()), &OpenOptions::default()).unwrap();
    let mut session = Session::new(&model, CONTEXT).unwrap();
    let ids: Vec<u32> = (0..CONTEXT - 1).map(|index| 1_000 + index * 37 % 20_000).collect();
    session.prefill(&ids, &CancelFlag::default()).unwrap();
    // Keys and values lie in one mapping of the size that the model says.
    let bound = model.kv_bytes(CONTEXT);
    let maps = anonymous_maps();
    let (_, taken) = maps.iter().find(|(size, _)| size.abs_diff(bound) < 64 << 10).unwrap();
    // One head of keys and values in half precision.
    let full = 2 * 2 * 256 * u64::from(model.layers()) * u64::from(CONTEXT);
    let share = *taken as f64 / full as f64;
    println!("{taken} bytes of keys and values after {CONTEXT} tokens, {share:.3} of full caching");
    assert!(share <= 0.3);
}
