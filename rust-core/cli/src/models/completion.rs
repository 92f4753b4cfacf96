//! The names of models and tasks, for the completions of a shell and of a chat.

use std::ffi::OsStr;

use clap_complete::engine::CompletionCandidate;
use whimbrel_client::TextTask;

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

/// The tasks whose names begin so.
pub(crate) fn tasks(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates(current, TextTask::all().map(|task| task.name().to_owned()).collect())
}

/// The names of the installed models; none where there is no home.
pub(crate) fn installed_here() -> Vec<String> {
    paths::models()
        .map(|models| installed_names(&models))
        .unwrap_or_default()
}

fn candidates(current: &OsStr, names: Vec<String>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let fitting = names.into_iter().filter(|name| name.starts_with(&*current));
    fitting.map(CompletionCandidate::new).collect()
}
