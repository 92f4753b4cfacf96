//! The ledger in the database: writing, reading, counting, verifying, pruning and exporting receipts. `whimbrel-record` defines their
//! content and what is hashed.

mod append;
mod export;
mod feedback;
mod prune;
mod query;
mod receipts;
mod rows;
mod stats;
mod verify;

pub(crate) use self::append::{append_restart, write_checkpoint, write_head};
pub use self::export::seal_keys;
pub use self::feedback::GivenFeedback;
pub use self::prune::Prune;
pub use self::query::{ClosedPage, ClosedReceipt, Filter, LIST_MAX};
pub use self::receipts::Ledger;
pub(crate) use self::rows::{checkpoint, hash_of, sealed_head};
pub(crate) use self::verify::{check_ledger, first_look};
