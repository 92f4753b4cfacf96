//! The flags of `run` and `chat` for answers under a policy.

use std::ffi::OsString;
use std::path::PathBuf;

/// Where answers may be made.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PolicyArguments {
    /// Decide by this policy where each answer is made, and keep a receipt: a file, or one of private, on_device_first, balanced and quality_first
    #[arg(long, value_name = "FILE|PRESET")]
    pub(crate) policy: Option<PathBuf>,
    /// The user's policy, which can only tighten the other one
    #[arg(long, value_name = "FILE", requires = "policy")]
    pub(crate) user_policy: Option<PathBuf>,
    /// The folder with the ledger and the keys [default: whimbrel/ledger in the state folder]
    #[arg(long, value_name = "FOLDER", requires = "policy")]
    pub(crate) ledger: Option<PathBuf>,
    /// What rules and learning call this work [default: chat]
    #[arg(long, value_name = "TASK", requires = "policy")]
    pub(crate) task: Option<String>,
    /// A word to replace besides what is recognised, where text leaves redacted; may be given several times
    #[arg(long, value_name = "WORD", requires = "policy", allow_hyphen_values = true)]
    pub(crate) word: Vec<String>,
    /// A certificate authority, in PEM, that an endpoint's server may also be signed by; may be given several times
    #[arg(long, value_name = "ENDPOINT=FILE", requires = "policy")]
    pub(crate) authority: Vec<OsString>,
    /// What is known about the device and cannot be read from it, as an object, or @ and a file with it: {"network": "unmetered"}
    #[arg(long, value_name = "JSON|@FILE", requires = "policy")]
    pub(crate) device: Option<String>,
}
