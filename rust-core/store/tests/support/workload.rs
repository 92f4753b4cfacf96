//! A workload of everything that is kept, what it said to be on the disk, and a check that it is there, once.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use whimbrel_store::{
    ConversationId, LIST_MAX, MessageState, NewConversation, QueuedRequest, QueuedState, Store, StoreError,
};

use super::kept::{answer, append, cached, complete, question, replace_from, request, start_answer};
use super::{NOW_MS, answered_here, intent};

/// What every text begins with.
pub(crate) const MARKER: &str = "PLANTED-";
/// Two conversations: what is appended goes to the first, answers in progress to the second.
pub(crate) const MAIN: &str = "PLANTED-main";
pub(crate) const DRAFTS: &str = "PLANTED-drafts";

/// The conversation with this title, made if there is none.
pub(crate) fn titled(store: &Store, title: &str) -> Result<ConversationId, StoreError> {
    let list = store.conversations().list(None, 100)?;
    if let Some(found) = list.iter().find(|summary| summary.title == title) {
        return Ok(found.id);
    }
    let new = NewConversation {
        title,
        ..NewConversation::default()
    };
    store.conversations().create(&new, NOW_MS)
}

pub(crate) fn text(round: u64, number: u64) -> String {
    format!(
        "{MARKER}{round}-{number} {}",
        "and so on ".repeat((number % 50) as usize)
    )
}

pub(crate) fn cache_key(name: &str) -> String {
    format!("{MARKER}cached {name}")
}

/// Does one thing, and tells what is on the disk then; a line with `TRY` says what is about to be.
pub(crate) fn step(
    store: &Store,
    (main, drafts): (ConversationId, ConversationId),
    choice: u64,
    (round, number): (u64, u64),
    tell: &mut dyn FnMut(&str),
) -> Result<(), StoreError> {
    let conversations = store.conversations();
    let (name, text) = (format!("{round}-{number}"), text(round, number));
    match choice {
        0 | 1 => {
            append(&conversations, main, &[question(&text)], NOW_MS)?;
            tell(&format!("KEPT {name}"));
        }
        2..=4 => {
            let queued = store.outbox().enqueue(&request(main, &text), NOW_MS)?;
            let key: String = queued.idempotency.iter().map(|byte| format!("{byte:02x}")).collect();
            tell(&format!("QUEUED {} {key}", queued.id));
        }
        5 | 6 => {
            if let Some(oldest) = store.outbox().list(None, 1)?.first() {
                tell(&format!("TRY {}", oldest.id));
                let given = answer(&format!("{MARKER}answer-{} to it", oldest.id));
                complete(store, oldest.id, &[given], NOW_MS)?;
                tell(&format!("DONE {}", oldest.id));
            }
        }
        7 => {
            store
                .answers()
                .put(&cached(cache_key(&name).as_bytes(), text.as_bytes()), NOW_MS)?;
            tell(&format!("CACHED {name}"));
        }
        8 => {
            let position = start_answer(&conversations, drafts, &answer("PLANTED-begun"), NOW_MS)?;
            conversations.update_answer(drafts, position, &answer("PLANTED-more"))?;
            replace_from(&conversations, drafts, position, &[answer(&text)], NOW_MS)?;
            tell(&format!("ANSWERED {position} {name}"));
        }
        9 => {
            let gone = titled(store, "PLANTED-gone")?;
            append(&conversations, gone, &[question(&text)], NOW_MS)?;
            conversations.delete(gone)?;
            store.files("prefix")?.put("cache", text.as_bytes())?;
        }
        10 => {
            store.rotate(5)?;
            conversations.find("so on", 5)?;
        }
        _ => {
            store.ledger().record(&intent(1), &answered_here(), NOW_MS)?;
            if let Some(oldest) = store.outbox().list(None, 1)?.first() {
                let state = QueuedState {
                    tag: 2,
                    ..QueuedState::default()
                };
                store.outbox().update(oldest.id, &state)?;
            }
        }
    }
    Ok(())
}

/// What the children said to be on the disk.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) kept: BTreeSet<String>,
    pub(crate) queued: BTreeMap<u64, String>,
    pub(crate) tried: BTreeSet<u64>,
    pub(crate) done: BTreeSet<u64>,
    pub(crate) cached: BTreeSet<String>,
    pub(crate) answered: BTreeSet<(u32, String)>,
}

impl Said {
    pub(crate) fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["KEPT", name] => drop(self.kept.insert(name.into())),
            ["QUEUED", id, key] => drop(self.queued.insert(id.parse().unwrap(), key.into())),
            ["TRY", id] => drop(self.tried.insert(id.parse().unwrap())),
            ["DONE", id] => drop(self.done.insert(id.parse().unwrap())),
            ["CACHED", name] => drop(self.cached.insert(name.into())),
            ["ANSWERED", position, name] => drop(self.answered.insert((position.parse().unwrap(), name.into()))),
            _ => {}
        }
    }
}

/// Every queued request, page by page.
pub(crate) fn every_queued(store: &Store) -> Vec<QueuedRequest> {
    let mut all: Vec<QueuedRequest> = Vec::new();
    loop {
        let after = all.last().map(|last| last.id);
        let page = store.outbox().list(after, LIST_MAX).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub(crate) fn check(store: &Store, said: &Said, round: u64) {
    let conversations = store.conversations();
    let main = conversations.get(titled(store, MAIN).unwrap()).unwrap().messages;
    let mut names = BTreeMap::new();
    for message in &main {
        let name = message.text.strip_prefix(MARKER).unwrap().split(' ').next().unwrap();
        *names.entry(name.to_owned()).or_insert(0) += 1;
    }
    assert!(names.values().all(|count| *count == 1), "round {round}: twice");
    for name in &said.kept {
        assert!(names.contains_key(name), "round {round}: {name} is lost");
    }
    let outbox = every_queued(store);
    let waiting: BTreeMap<u64, String> = outbox
        .iter()
        .map(|queued| {
            (
                queued.id.0,
                queued.idempotency.iter().map(|byte| format!("{byte:02x}")).collect(),
            )
        })
        .collect();
    for (id, key) in &said.queued {
        let answered = names.contains_key(&format!("answer-{id}"));
        match waiting.get(id) {
            Some(found) => assert!(
                found == key && !answered && !said.done.contains(id),
                "round {round}: request {id}"
            ),
            None => assert!(
                answered && said.tried.contains(id),
                "round {round}: request {id} is lost"
            ),
        }
    }
    for name in &said.cached {
        let (kept_round, number) = name.split_once('-').unwrap();
        let found = store
            .answers()
            .get(cache_key(name).as_bytes(), NOW_MS)
            .unwrap()
            .unwrap();
        let expected = text(kept_round.parse().unwrap(), number.parse().unwrap());
        assert!(found.value == expected.as_bytes(), "round {round}: {name}");
    }
    let drafts = conversations.get(titled(store, DRAFTS).unwrap()).unwrap().messages;
    assert!(
        drafts.iter().all(|message| message.state != MessageState::Draft),
        "round {round}"
    );
    for (position, name) in &said.answered {
        let message = &drafts[*position as usize];
        let whole = message.text.starts_with(&format!("{MARKER}{name} ")) && message.state == MessageState::Complete;
        assert!(whole, "round {round}: answer {name}");
    }
    assert!(store.ledger().verify().unwrap().is_intact(), "round {round}");
}
