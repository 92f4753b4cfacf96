//! Several conversations with one long system message take the memory of its keys and values once. Read from the system, so in a
//! process of its own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use support::{Conversation, smollm2};
use whimbrel_engine::{ChatOptions, GenerationOptions, Model, OpenOptions};

/// Memory of this process that is not backed by a file on disk, pages that are mapped several times counted once.
fn memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let field = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    1024 * (field("Pss_Anon:") + field("Pss_Shmem:"))
}

#[test]
fn a_long_system_message_is_kept_once() {
    let options = OpenOptions {
        threads: 1,
        ..OpenOptions::default()
    };
    let model = Model::open(&smollm2(), &options).unwrap();
    let system = "You know everything about migrating birds and answer in one short sentence. ".repeat(30);
    let mut conversations: Vec<Conversation> = Vec::new();
    let mut growth = Vec::new();
    for question in ["Why?", "Where?", "When?", "How far?"] {
        let before = memory_bytes();
        let options = ChatOptions {
            context_length: 2048,
            ..ChatOptions::default()
        };
        let mut conversation = Conversation::new(&model, &system, options);
        let options = GenerationOptions {
            // The beginning is shared behind the first word, and counts once it is read there.
            max_tokens: 8,
            ..GenerationOptions::default()
        };
        conversation.ask(question, options);
        conversations.push(conversation);
        growth.push(memory_bytes().saturating_sub(before));
    }
    let tokens = u64::from(conversations[0].chat.context().tokens);
    assert!(tokens > 400, "{tokens} tokens");
    assert!(growth[0] > tokens * model.kv_bytes_per_token() * 9 / 10, "{growth:?}");
    // Each has buffers of its own and the pages around its question.
    for later in &growth[1..] {
        assert!(*later < growth[0] / 3, "{growth:?}");
    }
}
