//! Secrets in the arguments of commands: `curl -u user:secret`, `mysql -psecret`. Long options are treated like other names, in
//! `cue`.

use crate::detect::view::View;
use crate::{Finding, FindingKind};

/// How far before an option its command may stand.
const COMMAND_BYTES_MAX: usize = 512;
/// The longest value of an option.
const VALUE_BYTES_MAX: usize = 256;

/// Commands whose option of one letter takes a password, and whether a user's name stands before it.
const COMMANDS: &[(&str, &str, bool)] = &[
    ("curl", "u", true),
    ("curl", "U", true),
    ("http", "a", true),
    ("https", "a", true),
    ("smbclient", "U", true),
    ("mysql", "p", false),
    ("mysqldump", "p", false),
    ("mysqladmin", "p", false),
    ("mariadb", "p", false),
    ("mongo", "p", false),
    ("mongosh", "p", false),
    ("mongodump", "p", false),
    ("docker", "p", false),
    ("podman", "p", false),
    ("sshpass", "p", false),
    ("redis", "a", false),
    ("az", "p", false),
    ("ldapsearch", "w", false),
    ("unzip", "P", false),
    ("zip", "P", false),
    ("7z", "p", false),
    ("sqlcmd", "P", false),
    ("ipmitool", "P", false),
];

/// Reads the value of the option that token `index` is.
pub(super) fn at(view: &View, index: usize, found: &mut Vec<Finding>) {
    let start = view.start(index);
    let bytes = view.text.as_bytes();
    if view.end(index) - start == "identified".len() && view.word(index).eq_ignore_ascii_case("identified") {
        identified_by(view, index, found);
    }
    if start < 2 || bytes[start - 1] != b'-' || index == 0 {
        return;
    }
    let word = view.word(index);
    let user = word == "user" || word == "proxy";
    let dash = if user && bytes[start - 2] == b'-' {
        start - 2
    } else {
        start - 1
    };
    if dash == 0 || !matches!(bytes[dash - 1], b' ' | b'\t' | b'\n') {
        return;
    }
    let Some((option, named)) = option(view, dash, word, user) else {
        return;
    };
    let behind = if option == word || user {
        view.end(index)
    } else {
        start + 1
    };
    let rest = &view.text[behind..];
    let rest = rest.strip_prefix("-user").unwrap_or(rest);
    let blanks = rest.len() - rest.trim_start_matches([' ', '=', '\t']).len();
    // Without a blank the option's letter is a part of another word, except where the value follows it at once.
    if blanks == 0 && (named || rest.is_empty()) {
        return;
    }
    let value_start = view.text.len() - rest.len() + blanks;
    let rest = &rest[blanks..];
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''));
    let inner = &rest[quote.map_or(0, char::len_utf8)..];
    let ends = |byte: u8| match quote {
        Some(quote) => byte == quote as u8 || byte == b'\n',
        None => byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'|' | b';' | b'`'),
    };
    let length = inner
        .bytes()
        .take(VALUE_BYTES_MAX)
        .take_while(|&byte| !ends(byte))
        .count();
    let value = &inner[..inner.floor_char_boundary(length)];
    if is_secret(value, named) {
        let value_start = value_start + quote.map_or(0, char::len_utf8);
        super::super::push(found, FindingKind::ApiKey, value_start..value_start + length, 0.85);
    }
}

/// `IDENTIFIED BY '…'` in SQL.
fn identified_by(view: &View, index: usize, found: &mut Vec<Finding>) {
    let Some(by) = Some(index + 1).filter(|&by| view.word(by).eq_ignore_ascii_case("by")) else {
        return;
    };
    let rest = &view.text[view.end(by)..];
    let Some(value) = rest.strip_prefix(" '") else { return };
    let length = value
        .bytes()
        .take(VALUE_BYTES_MAX)
        .position(|byte| matches!(byte, b'\'' | b'\n'))
        .unwrap_or(0);
    if length > 0 {
        let start = view.end(by) + 2;
        super::super::push(found, FindingKind::ApiKey, start..start + length, 0.85);
    }
}

/// The option's letter, and whether a user's name stands before the password, where a command before byte `dash` has such an option.
fn option<'t>(view: &View<'t>, dash: usize, word: &'t str, user: bool) -> Option<(&'t str, bool)> {
    let from = view.text.ceil_char_boundary(dash.saturating_sub(COMMAND_BYTES_MAX));
    let letter = if user { "u" } else { word.get(..1)? };
    if !COMMANDS.iter().any(|(_, option, _)| *option == letter) {
        return None;
    }
    let before = &view.text[from..dash];
    // A command goes on in the next line behind a backslash.
    let line_start = before
        .match_indices('\n')
        .map(|(at, _)| at)
        .rfind(|&at| !before[..at].trim_end_matches('\r').ends_with('\\'))
        .map_or(0, |at| at + 1);
    let line = &before[line_start..];
    let words = line.split(|character: char| !character.is_ascii_alphanumeric());
    let command = words.rev().find_map(|name| {
        COMMANDS
            .iter()
            .find(|(command, option, _)| *option == letter && *command == name)
    });
    command
        .filter(|(command, ..)| {
            word.len() == 1 || user || matches!(*command, "mysql" | "mysqldump" | "mysqladmin" | "7z" | "sshpass")
        })
        .map(|(_, _, named)| (letter, *named))
}

/// No variable, no port, no path; behind a user's name a password.
fn is_secret(value: &str, named: bool) -> bool {
    let secret = if named {
        value.split_once(':').map_or("", |(_, secret)| secret)
    } else {
        value
    };
    let port = secret
        .split(':')
        .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    secret.len() >= 3
        && !secret.starts_with(['$', '<', '{', '-', '*', '/', '.'])
        && (named || !port)
        && !secret.contains("://")
}
