//! A phone with its data folder, on which the app can be started again.

use std::sync::Arc;

use tempfile::TempDir;
use whimbrel_client::policy::outbox::RunBudget;
use whimbrel_client::policy::{DeviceUpdate, Network, Reported};
use whimbrel_client::ports::Ports;
use whimbrel_client::store::{ConversationId, MemoryVault};
use whimbrel_client::{Assistant, AssistantOptions, Conversation, Message, OutboxRun, Role, block_on};

use super::{Server, has_text, options, policies};

/// See the module.
pub(crate) struct Phone {
    pub(crate) folder: TempDir,
    pub(crate) vault: Arc<MemoryVault>,
    pub(crate) policy: String,
}

impl Phone {
    pub(crate) fn new(policy: &str) -> Phone {
        Phone {
            folder: tempfile::tempdir().unwrap(),
            vault: Arc::new(MemoryVault::default()),
            policy: policy.to_owned(),
        }
    }

    /// Starts the app.
    pub(crate) fn start(&self, network: Network) -> Assistant {
        self.start_with(network, Ports::default())
    }

    pub(crate) fn start_with(&self, network: Network, ports: Ports) -> Assistant {
        let options = AssistantOptions {
            store: self.folder.path().join("ledger.sqlite"),
            vault: self.vault.clone(),
            policies: policies(&self.policy),
            user_words: Vec::new(),
        };
        let assistant = Assistant::open_with(options, ports).unwrap();
        set_network(&assistant, network);
        assistant
    }

    pub(crate) fn has_text(&self, text: &str) -> bool {
        has_text(self.folder.path(), text.as_bytes())
    }
}

pub(crate) fn set_network(assistant: &Assistant, network: Network) {
    assistant.update_device(&DeviceUpdate {
        network: Reported::Is(network),
        ..DeviceUpdate::default()
    });
}

pub(crate) fn policy(server: &Server, otherwise: &str) -> String {
    format!(
        "version = 1\nname = \"test\"\notherwise = {otherwise}\n[[endpoints]]\nid = \"house\"\nbase_url = \"{}\"\nmodel = \"m\"\n\
         trust = \"organisation\"\ncost_per_1k_tokens = 0\nclass_max = \"personal\"\nclass_max_redacted = \"secret\"\n",
        server.url
    )
}

pub(crate) fn begin(assistant: &Assistant, title: &str) -> Conversation {
    block_on(assistant.conversations().create(title, options())).unwrap()
}

pub(crate) fn resume(assistant: &Assistant, id: ConversationId) -> Conversation {
    block_on(assistant.conversations().open(id, options())).unwrap()
}

pub(crate) fn run(assistant: &Assistant) -> OutboxRun {
    block_on(assistant.outbox().run_due(RunBudget::UNLIMITED)).unwrap()
}

pub(crate) fn texts(conversation: &Conversation) -> Vec<(Role, String)> {
    let messages = conversation.messages().into_iter();
    messages.map(|message| (message.role, message.content)).collect()
}

pub(crate) fn said(question: &str, answer: &str) -> [(Role, String); 2] {
    [(Role::User, question.to_owned()), (Role::Assistant, answer.to_owned())]
}
