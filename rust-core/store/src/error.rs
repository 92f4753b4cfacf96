//! Errors of the store and of key vaults. No variant contains a secret or a user's text.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use whimbrel_record::{Problem, RecordError};

use crate::{ConversationId, ImportError, SealError};

/// Why a call to a key vault failed.
#[derive(Debug, Error)]
pub enum VaultError {
    /// A name that is empty, too long, or has characters other than `a-z`, `0-9`, `.`, `_` and `-`, or begins with a dot.
    #[error("the name of a secret must be 1 to {max} characters of a-z, 0-9, '.', '_' and '-', and must not start with a dot", max = crate::VAULT_NAME_BYTES_MAX)]
    Name,
    /// A secret is empty or longer than [`crate::SECRET_BYTES_MAX`].
    #[error("the secret {name} has {bytes} bytes, but must have 1 to {max}", max = crate::SECRET_BYTES_MAX)]
    Size {
        /// The secret's name.
        name: String,
        /// Its size.
        bytes: u64,
    },
    /// A file or folder that others than its owner can read or write.
    #[error("other users can read {path} (mode {mode:o}): run `chmod go=` on it, and replace the keys in it")]
    Exposed {
        /// Its path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A path in the vault is not a plain file or folder, but a symbolic link for example.
    #[error("{path} is not a plain {expected}")]
    NotPlain {
        /// The path.
        path: PathBuf,
        /// What it must be.
        expected: &'static str,
    },
    /// A file of the vault could not be read or written.
    #[error("cannot use {path}")]
    Io {
        /// Its path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The platform's key store is locked, for example before the first unlock after a restart. A later call may succeed.
    #[error("the key store is locked")]
    Locked,
    /// The platform's key store has given up the key that the secrets are protected with, for example because the phone's lock was
    /// removed (`KeyPermanentlyInvalidatedException` on Android). The secrets are lost for good.
    #[error("the key store invalidated its key")]
    Invalidated,
    /// The platform's key store failed, with a short error code.
    #[error("the key store failed: {code}")]
    Platform {
        /// The platform's code, without any secret in it.
        code: String,
    },
}

/// Why a call to the store failed. Nothing was changed, unless a variant says otherwise.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process, or another [`crate::Store`] of this one, has it open for writing.
    #[error("another program is using {path}")]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The database does not exist and was to be opened for reading only.
    #[error("{path} does not exist")]
    Absent {
        /// The database.
        path: PathBuf,
    },
    /// The file is a database of something else.
    #[error("{path} is not a ledger of Whimbrel")]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// SQLite cannot read the file: it is damaged or not a database. It was left unchanged. [`crate::Store::recover`] begins another one with
    /// what can be read.
    #[error("{path} is damaged: {source}")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// Tables, indexes or triggers differ from those of this schema version.
    #[error("{path}: the tables do not match schema {version}")]
    SchemaChanged {
        /// The database.
        path: PathBuf,
        /// The database's schema version.
        version: u32,
    },
    /// A newer program wrote the database.
    #[error(
        "{path} was written by a newer version (it has schema {found}; this program reads schemas up to {supported})"
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest version that this program supports.
        supported: u32,
    },
    /// The ledger was changed, cut or replaced. [`crate::Store::inspect`] can still read it; [`crate::Store::restart`] keeps it and starts
    /// another.
    #[error("{path}: {problem}")]
    Ledger {
        /// The database.
        path: PathBuf,
        /// The first problem found; [`crate::Ledger::verify`] finds all of them.
        problem: Problem,
    },
    /// The disk is full, or the database has reached its largest size. Earlier entries are still there.
    #[error("cannot write {path}: no storage space")]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// The change was made and has reached the disk, but SQLite's log could not be emptied: it still holds, encrypted, what was deleted. A call
    /// of [`crate::Store::empty_log`] tries again.
    #[error("the change was made, but the log of {path} still holds what was deleted")]
    LogLeft {
        /// The database.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// SQLite failed in another way.
    #[error("cannot use {path}")]
    Database {
        /// The database.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// A file beside the database could not be made, locked or moved.
    #[error("cannot use {path}")]
    Io {
        /// Its path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The store was opened with [`crate::Store::inspect`] and cannot be written.
    #[error("the store is open for reading only")]
    ReadOnly,
    /// There is no receipt with this id; it may have been pruned.
    #[error("there is no receipt {id}")]
    UnknownReceipt {
        /// The id.
        id: u64,
    },
    /// The receipt has its end already.
    #[error("receipt {id} is already closed")]
    AlreadyClosed {
        /// The id.
        id: u64,
    },
    /// A list or an entry is longer than its limit, or an export cannot be written or read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A stored entry or piece of state cannot be decoded.
    #[error("{what} cannot be read")]
    Unreadable {
        /// The entry or state.
        what: String,
    },
    /// Sealed data cannot be read, or none can be written.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// There is no conversation with this id; it may have been deleted.
    #[error("there is no conversation {id}")]
    UnknownConversation {
        /// The id.
        id: ConversationId,
    },
    /// The conversation has no such message, or an answer in progress is needed and the message is complete.
    #[error("the conversation has no such message at position {position}")]
    UnknownMessage {
        /// The message's position, counted from 0.
        position: u32,
    },
    /// There is no queued request with this id; it may have been answered.
    #[error("there is no queued request {id}")]
    UnknownRequest {
        /// The id.
        id: u64,
    },
    /// A request was to be queued with a number that is not the next one.
    #[error("{id} is not the number of the next queued request")]
    RequestNumber {
        /// The number.
        id: u64,
    },
    /// A document with conversations cannot be read. Nothing was imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The operating system provided no random bytes for a key.
    #[error("the system provided no random bytes")]
    Random,
    /// The key vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}
