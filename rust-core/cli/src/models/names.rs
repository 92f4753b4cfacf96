//! One spelling of a model's name for people: the one that commands take. Receipts and rules hold the name in the model's manifest, in the
//! characters that they allow.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use whimbrel_client::record::Label;

use crate::machine::paths;
use crate::models::completion::installed_here;
use crate::models::install;

/// What a bundle is called: an installed one by the name of its folder, another by its manifest.
pub(crate) fn of_bundle(folder: &Path, in_manifest: &str) -> String {
    let is_installed = paths::models().is_ok_and(|models| folder.parent() == Some(&models));
    match folder.file_name().filter(|_| is_installed) {
        Some(name) => name.to_string_lossy().into_owned(),
        None => in_manifest.to_owned(),
    }
}

/// A line about an answer or a receipt, with installed models called by the names that commands take.
pub(crate) fn spelled(line: &str) -> String {
    static NAMES: OnceLock<Vec<(String, String)>> = OnceLock::new();
    let names = NAMES.get_or_init(|| read().into_iter().collect());
    replaced(line, names)
}

fn replaced(line: &str, names: &[(String, String)]) -> String {
    names.iter().fold(line.to_owned(), |line, (recorded, name)| {
        // A longer name that only begins so is another model's.
        let is_part = |c: char| c.is_ascii_alphanumeric() || "._-+@".contains(c);
        let mut spelled = String::new();
        let mut rest = line.as_str();
        while let Some(at) = rest.find(recorded) {
            let (before, after) = (&rest[..at], &rest[at + recorded.len()..]);
            let is_whole = !before.ends_with(is_part) && !after.starts_with(is_part);
            spelled.push_str(before);
            spelled.push_str(if is_whole { name } else { recorded });
            rest = after;
        }
        spelled + rest
    })
}

/// The names of installed models, by the names that receipts hold. One that two models share stays as it is.
fn read() -> BTreeMap<String, String> {
    let Ok(models) = paths::models() else {
        return BTreeMap::new();
    };
    let mut names = BTreeMap::new();
    let mut shared = Vec::new();
    for name in installed_here() {
        let Some(manifest) = install::manifest(&models.join(&name)) else {
            continue;
        };
        let recorded = Label::squeezed(&manifest.name).to_string();
        if names.insert(recorded.clone(), name).is_some() {
            shared.push(recorded);
        }
    }
    shared.iter().for_each(|recorded| drop(names.remove(recorded)));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_are_replaced() {
        let names = [("Small-1".to_owned(), "small-1b".to_owned())];
        for (line, expected) in [
            (
                "on this device, Small-1 q4_1 (a rule)",
                "on this device, small-1b q4_1 (a rule)",
            ),
            ("on_device:Small-1/q4_1, Small-1", "on_device:small-1b/q4_1, small-1b"),
            ("Small-12 and My-Small-1", "Small-12 and My-Small-1"),
            ("", ""),
        ] {
            assert_eq!(replaced(line, &names), expected);
        }
    }
}
