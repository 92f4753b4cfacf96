//! E-mail addresses: a local part of at most 64 bytes, `@`, and a host name of at most 253 whose last label has letters (RFC 5321, 4.5.3.1).

use crate::normal::is_unspaced;
use crate::{Finding, FindingKind};

const LOCAL_BYTES_MAX: usize = 64;
const DOMAIN_BYTES_MAX: usize = 253;

/// Reads an address around the `@` at byte `at`.
pub(super) fn at(text: &str, at: usize, found: &mut Vec<Finding>) {
    // Words of a script without blanks stand right beside an address, and are in it only where it begins with them.
    let unspaced = |character: Option<char>| character.is_some_and(is_unspaced);
    let outside = !unspaced(text[..at].chars().next_back());
    let local_part = |&character: &char| {
        (character.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(character))
            && !(outside && is_unspaced(character))
    };
    let before = text[..at].chars().rev().take_while(local_part).map(char::len_utf8);
    let mut local = 0;
    for bytes in before {
        local += bytes;
        if local > LOCAL_BYTES_MAX {
            return;
        }
    }
    let start = at - local
        + text[at - local..at]
            .bytes()
            .take_while(|byte| b"'.*=/`{|".contains(byte))
            .count();
    let outside = !unspaced(text[at + 1..].chars().next());
    let host = |&character: &char| {
        (character.is_alphanumeric() || character == '-' || character == '.') && !(outside && is_unspaced(character))
    };
    let mut domain = 0;
    for bytes in text[at + 1..].chars().take_while(host).map(char::len_utf8) {
        domain += bytes;
        if domain > DOMAIN_BYTES_MAX {
            return;
        }
    }
    let host = text[at + 1..at + 1 + domain].trim_end_matches(['.', '-']);
    let valid = |label: &str| !label.is_empty() && label.len() <= 63;
    let Some((_, last)) = host.rsplit_once('.') else { return };
    if start < at && host.split('.').all(valid) && last.chars().count() >= 2 && last.chars().all(char::is_alphabetic) {
        super::push(found, FindingKind::Email, start..at + 1 + host.len(), 1.0);
    }
}
