//! What is remembered on the device: receipts of every request in a ledger that shows when it was changed, feedback, small pieces of
//! state, and secrets behind a trait that the phone's own key store implements. One SQLite file; no network, no clock, no threads.
//!
//! Every call blocks and may wait for the disk, so asynchronous code calls it from a thread that may block. `docs/ledger.md` describes
//! the format and says what the ledger detects and what it cannot.

mod chain;
mod database;
mod error;
mod export;
mod feedback;
mod file_vault;
mod label;
mod ledger;
mod place;
mod problem;
mod query;
mod receipt;
mod schema;
mod stats;
mod store;
mod vault;
mod verify;

pub use chain::{Checkpoint, ENTRY_DOMAIN, EntryKind};
pub use error::{StoreError, VaultError};
pub use export::{EXPORT_FORMAT, ExportReport, verify_export};
pub use feedback::{Feedback, Signal};
pub use file_vault::FileVault;
pub use label::{LABEL_BYTES_MAX, Label, LabelError};
pub use ledger::{Ledger, Prune};
pub use place::{Host, Place, TrustClass};
pub use problem::{Problem, Report};
pub use query::{Filter, LIST_MAX, PlaceKind};
pub use receipt::{
    Attempt, BODY_BYTES_MAX, CANDIDATES_MAX, Closing, Ended, Energy, Intent, Latency, Outcome, Planned, RECEIPT_FORMAT,
    RULES_MAX, Receipt, ReceiptId, Sent, Tokens, decode_closing, decode_intent,
};
pub use schema::SCHEMA_VERSION;
pub use stats::{Answers, DayStats, Stats};
pub use store::{STATE_BYTES_MAX, STATE_NAME_BYTES_MAX, Store};
pub use vault::{KeyVault, MemoryVault, SECRET_BYTES_MAX, SecretBytes, VAULT_NAME_BYTES_MAX, VaultLevel, check_name};
