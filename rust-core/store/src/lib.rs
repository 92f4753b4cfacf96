//! What is remembered on the device: receipts of every request in a ledger that shows when it was changed, feedback, small pieces of
//! state, and secrets behind a trait that the phone's own key store implements. One SQLite file; no network, no clock, no threads.
//!
//! Every call blocks and may wait for the disk, so asynchronous code calls it from a thread that may block. `docs/ledger.md` describes
//! the format and says what the ledger detects and what it cannot.

mod connection;
mod database;
mod error;
mod ledger;
mod schema;
mod store;
mod vault;

pub use error::{StoreError, VaultError};
pub use ledger::{Filter, LIST_MAX, Ledger, Prune, seal_keys};
pub use schema::SCHEMA_VERSION;
pub use store::{STATE_BYTES_MAX, STATE_NAME_BYTES_MAX, Store};
pub use vault::{
    FileVault, KeyVault, MemoryVault, SECRET_BYTES_MAX, SecretBytes, VAULT_NAME_BYTES_MAX, VaultLevel, check_name,
};
