//! Encryption at rest: the data keys in the vault, sealed values of rows, their rotation, sealed files, and the destruction of all of it.
//! What the rows mean is not known here. `docs/store.md` describes the formats.

mod cipher;
mod data_keys;
mod error;
mod file;
mod files;
mod keyring;
mod rotation;
mod tables;
mod value;
mod wipe;

pub(crate) use self::data_keys::{DataKeys, record, resolve};
pub use self::error::SealError;
pub use self::file::SealedWriter;
pub use self::files::{FileEntry, SealedFile, SealedFiles};
pub(crate) use self::keyring::{Keyring, Stored};
pub use self::rotation::Rotation;
pub(crate) use self::tables::{
    ANSWER_VALUE, CONVERSATION_ATTRIBUTES, CONVERSATION_TITLE, MESSAGE_BODY, OUTBOX_MACHINE, OUTBOX_REQUEST,
};
pub(crate) use self::value::{Bound, Column};
pub(crate) use self::wipe::finish_wipe;
