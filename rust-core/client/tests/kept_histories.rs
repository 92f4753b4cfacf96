//! Laws over whole histories of kept conversations: random ones with questions of both kinds, questions that come again, lost networks, queued
//! questions, restarts, export and import on another phone, and deletion. What was kept here never leaves, what was said once is there once, what was
//! deleted is in no file, and no answer is given again whose conversation was deleted.
//!
//! `WHIMBREL_HISTORIES` says how many (12 by default), `WHIMBREL_SEED` which.
#![allow(clippy::unwrap_used)]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use support::{Reply, Server, ask_options, has_text, open_tiny, options, policies, read};
use tempfile::TempDir;
use whimbrel_client::policy::outbox::RunBudget;
use whimbrel_client::policy::{DeviceUpdate, Network, Reported};
use whimbrel_client::record::ReceiptId;
use whimbrel_client::store::{ConversationId, MemoryVault, MessageRole};
use whimbrel_client::{AskOptions, Assistant, AssistantOptions, Model, block_on};
use whimbrel_testing::Random;

/// In questions that must stay on the phone.
const STAYS: &str = "kneeache";
/// In questions that may go to the server.
const MAY_GO: &str = "godwit";

fn policy(server: &Server) -> String {
    format!(
        "version = 1\nname = \"laws\"\notherwise = [\"remote:house\", \"queue\"]\n[[rules]]\nid = \"health-stays\"\n\
         when = {{ task = [\"health\"] }}\ntry = [\"on_device\"]\n[[rules]]\nid = \"health-never-leaves\"\n\
         when = {{ task = [\"health\"] }}\ndeny = [\"off_device\"]\n[[endpoints]]\nid = \"house\"\nbase_url = \"{}\"\nmodel = \"m\"\n\
         trust = \"organisation\"\ncost_per_1k_tokens = 0\nclass_max = \"personal\"\nclass_max_redacted = \"secret\"\n",
        server.url
    )
}

/// What the test knows of a conversation: its questions that were answered or wait, in their order.
#[derive(Default)]
struct Known {
    asked: Vec<String>,
    /// A question that must stay is among its messages.
    has_private: bool,
}

struct Story {
    random: Random,
    model: Model,
    policy: String,
    folder: TempDir,
    vault: Arc<MemoryVault>,
    assistant: Assistant,
    known: BTreeMap<ConversationId, Known>,
    deleted: Vec<String>,
    count: u32,
    /// How many answers were given again.
    given_again: u32,
}

impl Story {
    fn new(seed: u64, model: &Model, policy: &str) -> Story {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Arc::new(MemoryVault::default()));
        Story {
            random: Random::new(seed),
            model: model.clone(),
            assistant: start(folder.path(), &vault, policy, model),
            policy: policy.to_owned(),
            folder,
            vault,
            known: BTreeMap::new(),
            deleted: Vec::new(),
            count: 0,
            given_again: 0,
        }
    }

    fn tell(&mut self) {
        for _ in 0..14 {
            match self.random.below(12) {
                0..5 => self.ask(),
                5 => self.restart(),
                6 => self.move_to_another_phone(),
                7 => self.delete(),
                8 | 9 => self.travel(Network::None),
                _ => {
                    self.travel(Network::Unmetered);
                    self.run();
                }
            }
            self.check_texts();
        }
        self.travel(Network::Unmetered);
        self.run();
        self.check_end();
    }

    fn travel(&self, network: Network) {
        self.assistant.update_device(&DeviceUpdate {
            network: Reported::Is(network),
            ..DeviceUpdate::default()
        });
    }

    fn run(&self) {
        block_on(self.assistant.outbox().run_due(RunBudget::UNLIMITED)).unwrap();
    }

    fn pick(&mut self) -> ConversationId {
        let is_new = self.known.is_empty() || self.random.chance(20);
        if !is_new {
            let at = self.random.below(self.known.len() as u64) as usize;
            return *self.known.keys().nth(at).unwrap();
        }
        let made = block_on(self.assistant.conversations().create("", options())).unwrap();
        let id = made.id().unwrap();
        self.known.insert(id, Known::default());
        id
    }

    fn ask(&mut self) {
        let id = self.pick();
        let conversation = block_on(self.assistant.conversations().open(id, options())).unwrap();
        let is_private = self.random.chance(30);
        let text = match self.repeated(id) {
            Some(text) if !is_private => text,
            _ => {
                self.count += 1;
                format!("{} {}", if is_private { STAYS } else { MAY_GO }, self.count)
            }
        };
        let asked = AskOptions {
            task: if is_private { "health" } else { "chat" }.to_owned(),
            ..ask_options()
        };
        let report = read(&conversation.ask(&text, asked).unwrap()).report;
        let is_kept = report.queued.is_some() || conversation.messages().iter().any(|said| said.content == text);
        let known = self.known.get_mut(&id).unwrap();
        if known.has_private && !is_private {
            assert_eq!(report.bytes_out, 0, "{report:?}");
        }
        known.has_private |= is_private;
        if is_kept {
            known.asked.push(text);
        }
        if let Some(before) = report.answered_before {
            self.given_again += 1;
            assert!(report.bytes_out == 0 && self.has_receipt(before.receipt), "{report:?}");
        }
    }

    /// Now and then a question that was asked before, anywhere, but not just now.
    fn repeated(&mut self, id: ConversationId) -> Option<String> {
        let asked = self.known.values().flat_map(|known| &known.asked).chain(&self.deleted);
        let last = self.known[&id].asked.last();
        let may_go = |text: &&String| text.starts_with(MAY_GO) && Some(*text) != last;
        let asked: Vec<String> = asked.filter(may_go).cloned().collect();
        if asked.is_empty() || !self.random.chance(40) {
            return None;
        }
        let text = asked[self.random.below(asked.len() as u64) as usize].clone();
        self.deleted.retain(|deleted| *deleted != text);
        Some(text)
    }

    /// Whether a conversation that was not deleted has an answer with this receipt.
    fn has_receipt(&self, receipt: ReceiptId) -> bool {
        self.known.keys().any(|id| {
            let kept = block_on(self.assistant.conversations().show(*id)).unwrap();
            kept.messages.iter().any(|message| message.receipt == Some(receipt))
        })
    }

    fn restart(&mut self) {
        block_on(self.assistant.shutdown());
        self.assistant = start(self.folder.path(), &self.vault, &self.policy, &self.model);
    }

    /// Everything that is not queued goes along in a document.
    fn move_to_another_phone(&mut self) {
        if !block_on(self.assistant.outbox().list()).unwrap().is_empty() {
            return;
        }
        let (folder, vault) = (tempfile::tempdir().unwrap(), Arc::new(MemoryVault::default()));
        let assistant = start(folder.path(), &vault, &self.policy, &self.model);
        let carried = tempfile::tempdir().unwrap();
        let document = carried.path().join("conversations.json");
        block_on(self.assistant.conversations().export(document.clone(), None)).unwrap();
        let imported = block_on(assistant.conversations().import(document)).unwrap();
        assert_eq!(imported.added.len(), self.known.len());
        block_on(self.assistant.shutdown());
        (self.folder, self.vault, self.assistant) = (folder, vault, assistant);
    }

    fn delete(&mut self) {
        if self.known.is_empty() {
            return;
        }
        let id = self.pick();
        block_on(self.assistant.conversations().delete(id)).unwrap();
        let gone = self.known.remove(&id).unwrap().asked;
        let is_gone = |text: &String| !self.known.values().any(|known| known.asked.contains(text));
        self.deleted.extend(gone.into_iter().filter(is_gone));
    }

    /// No text is in a file, and no deleted one comes back.
    fn check_texts(&self) {
        for text in [STAYS, MAY_GO] {
            assert!(!has_text(self.folder.path(), text.as_bytes()), "{text}");
        }
        for text in &self.deleted {
            let hits = block_on(self.assistant.conversations().search(text, 100)).unwrap();
            assert!(
                hits.iter()
                    .all(|hit| !hit.text.split_whitespace().eq(text.split_whitespace())),
                "{text}"
            );
        }
    }

    fn check_end(&self) {
        let waiting = block_on(self.assistant.outbox().list()).unwrap();
        for (id, known) in &self.known {
            let kept = block_on(self.assistant.conversations().show(*id)).unwrap();
            let said = kept.messages.iter().filter(|message| message.role == MessageRole::User);
            let mut found: Vec<String> = said.map(|message| message.text.clone()).collect();
            let mine = waiting.iter().filter(|queued| queued.conversation == *id);
            found.extend(mine.map(|queued| queued.question.text.clone()));
            assert_eq!(found, known.asked, "each once, in the order in which they were asked");
        }
        assert!(block_on(self.assistant.verify_ledger()).unwrap().is_intact());
        block_on(self.assistant.shutdown());
    }
}

fn start(folder: &Path, vault: &Arc<MemoryVault>, policy: &str, model: &Model) -> Assistant {
    let assistant = Assistant::open(AssistantOptions {
        store: folder.join("ledger.sqlite"),
        vault: vault.clone(),
        policies: policies(policy),
        user_words: Vec::new(),
    })
    .unwrap();
    assistant.set_model(Some(model.clone()));
    assistant
}

#[test]
fn what_was_kept_here_never_leaves_and_what_was_said_is_there_once() {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (histories, seed) = (number("WHIMBREL_HISTORIES", 12).min(2_000), number("WHIMBREL_SEED", 1));
    let server = Server::start(&[Reply::Echo]);
    let (_client, model) = open_tiny();
    let mut given_again = 0;
    for history in 0..histories {
        let mut story = Story::new(seed * 1_000_003 + history, &model, &policy(&server));
        story.tell();
        given_again += story.given_again;
    }
    assert!(given_again > 0 || histories < 12, "some were given again");
    let received = server.received();
    assert!(
        received.iter().any(|request| request.body.contains(MAY_GO)),
        "some were sent"
    );
    for request in received {
        assert!(!request.body.contains(STAYS), "{}", request.body);
    }
}
