//! What can go wrong in the store and in a key vault. No variant holds a secret or a user's text.

use std::io;
use std::path::PathBuf;

use thiserror::Error;
use whimbrel_record::{Problem, RecordError};

/// Why a key vault did not do what it was asked.
#[derive(Debug, Error)]
pub enum VaultError {
    /// A name that is empty, too long, or has characters other than `a-z`, `0-9`, `.`, `_` and `-`, or begins with a dot.
    #[error("the name of a secret must be 1 to {max} characters of a-z, 0-9, '.', '_' and '-', and must not begin with a dot", max = crate::VAULT_NAME_BYTES_MAX)]
    Name,
    /// A secret that is empty or longer than [`crate::SECRET_BYTES_MAX`].
    #[error("the secret {name} has {bytes} bytes, and 1 to {max} are allowed", max = crate::SECRET_BYTES_MAX)]
    Size {
        /// Whose.
        name: String,
        /// How many it has.
        bytes: u64,
    },
    /// A file or folder that others than its owner can read or write.
    #[error(
        "others can read {path} (mode {mode:o}): take that right away with `chmod go=`, and replace the keys in it"
    )]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Something else stands where a file or folder of the vault belongs, a symbolic link for example.
    #[error("{path} is not a plain {expected}")]
    NotPlain {
        /// Which.
        path: PathBuf,
        /// What belongs there.
        expected: &'static str,
    },
    /// A file of the vault could not be read or written.
    #[error("cannot use {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The platform's key store is locked, for example before the first unlock after a restart. Trying again later may help.
    #[error("the key store is locked")]
    Locked,
    /// The platform's key store failed, with a short code of its own.
    #[error("the key store failed: {code}")]
    Platform {
        /// The platform's code, without any secret in it.
        code: String,
    },
}

/// Why the store did not do what it was asked. Nothing was changed then, unless a variant says otherwise.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process, or another [`crate::Store`] of this one, has it open for writing.
    #[error("another program is using {path}")]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// There is no database, and it was to be read only.
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
    /// SQLite cannot read the file: it is damaged or no database at all. It was left as it is.
    #[error("{path} is damaged: {source}")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Tables, indexes or triggers differ from what this version of the schema makes.
    #[error("{path}: the tables are not those of schema {version}")]
    SchemaChanged {
        /// The database.
        path: PathBuf,
        /// The version that the database says it has.
        version: u32,
    },
    /// A newer program wrote the database.
    #[error("{path} was written by a newer version (its schema is {found}, this program reads up to {supported})")]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that this program knows.
        supported: u32,
    },
    /// The ledger was changed, cut or replaced. [`crate::Store::inspect`] reads it all the same; [`crate::Store::restart`] keeps it aside
    /// and begins another.
    #[error("{path}: {problem}")]
    Ledger {
        /// The database.
        path: PathBuf,
        /// What was seen first; [`crate::Ledger::verify`] finds everything.
        problem: Problem,
    },
    /// The disk is full, or the database has reached its largest size. What was there before is still there.
    #[error("cannot write {path}: no storage space")]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// SQLite failed in another way.
    #[error("cannot use {path}")]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A file beside the database could not be made, locked or moved.
    #[error("cannot use {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Writing was asked of a store that was opened with [`crate::Store::inspect`].
    #[error("the store was opened for reading only")]
    ReadOnly,
    /// No receipt has this id; it may have been pruned.
    #[error("there is no receipt {id}")]
    UnknownReceipt {
        /// The id.
        id: u64,
    },
    /// The receipt has its end already.
    #[error("receipt {id} has been closed already")]
    AlreadyClosed {
        /// The id.
        id: u64,
    },
    /// A list or an entry that is longer than its limit, or an export that cannot be written or read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A stored entry or state that cannot be decoded.
    #[error("{what} cannot be read")]
    Unreadable {
        /// Which.
        what: String,
    },
    /// The operating system gave no random bytes for a key.
    #[error("the system gives no random bytes")]
    Random,
    /// The key vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}
