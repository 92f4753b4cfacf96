//! The flags of commands that answer under a policy.

use std::ffi::OsString;
use std::path::PathBuf;

use whimbrel_client::TASK_DEFAULT;

use super::ledger::LedgerArguments;
use super::number::whole;

/// The longest time of `--expires`: ten years.
const EXPIRES_S_MAX: u64 = 10 * 365 * 24 * 3_600;

/// Where answers may be made.
#[derive(clap::Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("kept").args(["policy"]).multiple(true))]
pub(crate) struct PolicyArguments {
    /// Let this policy decide where each answer is made, and keep a receipt: a file, or private, on_device_first, balanced or quality_first
    #[arg(long, value_name = "FILE|PRESET")]
    pub(crate) policy: Option<PathBuf>,
    /// The user's policy, which can only make the first one stricter
    #[arg(long, value_name = "FILE", requires = "policy")]
    pub(crate) user_policy: Option<PathBuf>,
    /// The folder with the ledger and the keys [default: whimbrel/ledger in the state folder]
    #[arg(long, value_name = "FOLDER", requires = "kept")]
    pub(crate) ledger: Option<PathBuf>,
    /// Ask again, even if the answer to exactly this question is remembered
    #[arg(long, requires = "policy")]
    pub(crate) fresh: bool,
    /// If the question has to wait in the outbox, give it up after this many seconds
    #[arg(long, value_name = "S", requires = "policy", value_parser = whole::<u64>(1..=EXPIRES_S_MAX))]
    pub(crate) expires: Option<u64>,
    /// An additional word to replace in redacted text; can be repeated
    #[arg(long, value_name = "WORD", requires = "policy", allow_hyphen_values = true)]
    pub(crate) word: Vec<String>,
    /// An additional certificate authority (a PEM file) to trust for an endpoint; can be repeated
    #[arg(long, value_name = "ENDPOINT=FILE", requires = "policy")]
    pub(crate) authority: Vec<OsString>,
    /// Facts about the device that Whimbrel cannot read itself, as a JSON object or as @FILE: {"network": "unmetered"}
    #[arg(long, value_name = "JSON|@FILE", requires = "policy")]
    pub(crate) device: Option<String>,
}

impl PolicyArguments {
    /// Where the ledger is, as the commands about it name it.
    pub(crate) fn ledger(&self) -> LedgerArguments {
        LedgerArguments {
            ledger: self.ledger.clone(),
        }
    }
}

/// What rules and learning call the work of `run` and `chat`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct TaskNameArguments {
    /// The name of the task, for rules and learning
    #[arg(long, value_name = "TASK", requires = "policy", default_value = TASK_DEFAULT)]
    pub(crate) task: String,
}
