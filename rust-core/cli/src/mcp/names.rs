//! Names of tools: models and endpoints take 1 to 64 of the characters `[A-Za-z0-9_-]`, and each name once.

use std::collections::BTreeSet;

/// Maximum length of a name.
const NAME_BYTES_MAX: usize = 64;

/// The name of a tool among those that are taken. If it is taken, the server's name is put in front of it; if that is taken too, or the server has no
/// name, the server's number from 1, and then a number at the end.
pub(super) fn unique(tool: &str, server: Option<&str>, position: usize, taken: &BTreeSet<String>) -> String {
    let tool = allowed(tool);
    let number = (position + 1).to_string();
    let prefixes = [None, server, Some(&number)];
    let mut candidates = prefixes
        .into_iter()
        .enumerate()
        .filter_map(|(index, prefix)| match prefix {
            None if index > 0 => None,
            None => Some(tool.clone()),
            Some(prefix) => Some(allowed(&format!("{prefix}_{tool}"))),
        });
    if let Some(free) = candidates.find(|name| !taken.contains(name)) {
        return free;
    }
    (2_u64..)
        .map(|count| {
            let end = format!("_{count}");
            format!("{}{end}", &tool[..tool.len().min(NAME_BYTES_MAX - end.len())])
        })
        .find(|name| !taken.contains(name))
        .expect("there are more numbers than tools")
}

/// The name with `_` for every other character, cut to its maximum length.
fn allowed(name: &str) -> String {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let characters = name.chars().take(NAME_BYTES_MAX);
    let name: String = characters
        .map(|character| if is_allowed(character) { character } else { '_' })
        .collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_allowed_and_unique() {
        let long = "x".repeat(70);
        let cut = "x".repeat(64);
        let numbered = format!("{}_2", "x".repeat(62));
        let check = |tool: &str, server: Option<&str>, taken: &[&str], expected: &str| {
            let taken = taken.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(unique(tool, server, 1, &taken), expected, "{tool}");
        };
        check("read", None, &[], "read");
        check("read file", None, &[], "read_file");
        check("größe.v1/x", None, &[], "gr__e_v1_x");
        check("", None, &[], "_");
        check("read", Some("my files"), &["read"], "my_files_read");
        check("read", None, &["read"], "2_read");
        check("read", Some("files"), &["read", "files_read"], "2_read");
        check("read", Some("files"), &["read", "files_read", "2_read"], "read_2");
        check("read", Some("f"), &["read", "f_read", "2_read", "read_2"], "read_3");
        check(&long, None, &[], &cut);
        check(&long, None, &[&cut, &format!("2_{}", "x".repeat(62))], &numbered);
    }
}
