//! What the benchmarks share: an assistant with the model that the command line names.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use whimbrel_client::policy::{Format, Policy, PolicySet};
use whimbrel_client::store::MemoryVault;
use whimbrel_client::{Assistant, AssistantOptions, Client, Model, OpenOptions, block_on};

/// See the module. Its data is in the system's folder for temporary files.
pub(crate) struct Desk {
    pub(crate) assistant: Assistant,
    pub(crate) model: Model,
    pub(crate) store: PathBuf,
    pub(crate) vault: Arc<MemoryVault>,
    client: Client,
    folder: TempDir,
}

impl Desk {
    /// `None` if no bundle is named: a run of all benchmarks has nothing to measure here.
    pub(crate) fn open() -> Option<Desk> {
        let bundle = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
        let Some(bundle) = bundle.map(PathBuf::from) else {
            println!("no bundle is named: nothing was measured");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let (store, vault) = (folder.path().join("ledger.sqlite"), Arc::new(MemoryVault::default()));
        let client = Client::new().expect("a client");
        let model = block_on(client.open_model(bundle, OpenOptions::default())).expect("a model");
        let policy = Policy::parse("version = 1\nname = \"bench\"\n", Format::Toml).expect("a policy");
        let assistant = Assistant::open(AssistantOptions {
            store: store.clone(),
            vault: vault.clone(),
            policies: PolicySet::new(policy, None).expect("policies"),
            user_words: Vec::new(),
        })
        .expect("an assistant");
        assistant.set_model(Some(model.clone()));
        Some(Desk {
            assistant,
            model,
            store,
            vault,
            client,
            folder,
        })
    }
}
