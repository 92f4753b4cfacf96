//! The vocabulary for recording requests: where each one ran, in which form its text left, how it ended and why. Also receipts and their
//! canonical bytes, the hash chain, and the check of an exported ledger. The crate is pure: it uses no files, no database and no clock. All
//! other crates use this vocabulary; `whimbrel-store` stores it on the disk.
//!
//! `docs/ledger.md` describes the formats.

pub mod chain;
mod code;
mod end;
mod error;
mod export;
mod feedback;
mod label;
mod measured;
mod place;
mod problem;
mod receipt;
mod stats;

pub use chain::{Checkpoint, ENTRY_DOMAIN, EntryKind};
pub use code::Code;
pub use end::{AttemptEnd, FinishReason, Outcome};
pub use error::{RecordError, limit};
pub use export::{EXPORT_FORMAT, ExportReport, ExportWriter, ExportedEntry, verify_export};
pub use feedback::{Feedback, Signal};
pub use label::{LABEL_BYTES_MAX, Label, LabelError};
pub use measured::{DeviceClass, Measured, Thermal};
pub use place::{Host, Place, PlaceKind, TrustClass};
pub use problem::{LedgerReport, Problem};
pub use receipt::{
    Attempt, BODY_BYTES_MAX, CALLED_TOOLS_MAX, CANDIDATES_MAX, Closing, Energy, Intent, Latency, Planned,
    RECEIPT_FORMAT, RULES_MAX, Receipt, ReceiptId, TELEMETRY_TASK, Tokens, decode_closing, decode_intent,
};
pub use stats::{Answers, COUNTED_TOOLS_MAX, DayStats, OTHER_TOOLS, Stats, size};
