//! Why sealed data cannot be read.

use thiserror::Error;

/// Why a sealed value or file cannot be read, or none can be written. No variant contains a key or a text.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum SealError {
    /// The vault has no key of this version, but values were sealed with it: the vault was emptied, or the database was restored on
    /// another phone. The values are lost. [`crate::Store::start_empty`] deletes them.
    #[error("the key vault no longer has the data key {version}")]
    KeyLost {
        /// The key's version.
        version: u32,
    },
    /// The vault's key of this version is not the one that the values were sealed with: it belongs to another store.
    /// [`crate::Store::start_empty`] deletes the values.
    #[error("the data key {version} in the key vault belongs to another store")]
    WrongKey {
        /// The key's version.
        version: u32,
    },
    /// The data keys in the vault are not as this program writes them. [`crate::Store::start_empty`] replaces them.
    #[error("the data keys in the key vault cannot be read")]
    Keyring,
    /// A sealed value was changed, cut, or moved from another place.
    #[error("the value in table {table}, row {row}, column {column} was changed")]
    Value {
        /// The table.
        table: &'static str,
        /// The row's number.
        row: i64,
        /// The column.
        column: &'static str,
    },
    /// A sealed file was changed, cut, or is another file under this name.
    #[error("the sealed file {name} was changed")]
    File {
        /// The file's name.
        name: String,
    },
}
