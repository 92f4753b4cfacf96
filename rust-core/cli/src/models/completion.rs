//! The names of models, for the completions of a shell and of a chat.

use std::ffi::OsStr;

use clap_complete::engine::CompletionCandidate;

use crate::machine::paths;
use crate::models::catalogue::Catalogue;
use crate::models::install::installed_names;

/// The installed models whose names begin so.
pub(crate) fn installed(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates(current, installed_here())
}

/// The models of the catalogue whose names begin so.
pub(crate) fn in_catalogue(current: &OsStr) -> Vec<CompletionCandidate> {
    let catalogue = Catalogue::load().map(|catalogue| catalogue.models).unwrap_or_default();
    candidates(current, catalogue.into_iter().map(|entry| entry.name).collect())
}

/// The names of the installed models; none where there is no home.
pub(crate) fn installed_here() -> Vec<String> {
    paths::models()
        .map(|models| installed_names(&models))
        .unwrap_or_default()
}

/// Those of the names that begin so.
pub(crate) fn candidates(current: &OsStr, names: Vec<String>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let fitting = names.into_iter().filter(|name| name.starts_with(&*current));
    fitting.map(CompletionCandidate::new).collect()
}
