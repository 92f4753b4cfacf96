//! The ledger in the database: receipts written, read back, counted, verified, pruned and exported. What a receipt says and what is
//! hashed is in `whimbrel-record`.

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
pub use self::prune::Prune;
pub use self::query::{Filter, LIST_MAX};
pub use self::receipts::Ledger;
pub(crate) use self::verify::first_look;
