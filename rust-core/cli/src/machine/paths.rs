//! Where the command line keeps things: models in the cache folder, the chat history and the ledger in the state folder (XDG base
//! directories).

use std::path::PathBuf;

use crate::error::CliError;

/// The folder with one bundle a model.
///
/// # Errors
/// [`CliError::NoHome`].
pub(crate) fn models() -> Result<PathBuf, CliError> {
    base("XDG_CACHE_HOME", ".cache")
        .map(|base| base.join("whimbrel").join("models"))
        .ok_or(CliError::NoHome {
            variable: "XDG_CACHE_HOME",
            what: "models",
        })
}

/// The folder with the bundles of model files that were used without an import.
///
/// # Errors
/// [`CliError::NoHome`].
pub(crate) fn imported() -> Result<PathBuf, CliError> {
    models().map(|models| models.with_file_name("imported"))
}

/// The folder for what is remembered between commands, if there is a home.
pub(crate) fn state() -> Option<PathBuf> {
    base("XDG_STATE_HOME", ".local/state").map(|base| base.join("whimbrel"))
}

/// The folder with the ledger and the vault of keys.
///
/// # Errors
/// [`CliError::NoHome`].
pub(crate) fn ledger() -> Result<PathBuf, CliError> {
    let folder = state().map(|state| state.join("ledger"));
    folder.ok_or(CliError::NoHome {
        variable: "XDG_STATE_HOME",
        what: "the ledger",
    })
}

/// The file with the questions asked in `chat`, if there is a home.
pub(crate) fn chat_history() -> Option<PathBuf> {
    state().map(|state| state.join("chat_history"))
}

/// The folder for what is remembered of bundles whose own folder cannot be written, if there is a home.
pub(crate) fn verified() -> Option<PathBuf> {
    state().map(|state| state.join("verified"))
}

/// The specification: a variable counts when it holds an absolute path, otherwise the default below the home folder.
fn base(variable: &str, default: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(default)))
}
