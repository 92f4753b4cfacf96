//! Values that are split by a line break, a quoted line break, a tab, several blanks or an underscore. Places where this is
//! possible are joined and scanned once more. Only findings with strong evidence are accepted, because table columns are split in
//! the same way.

use std::ops::Range;

use super::excerpt::APART;
use super::{Edit, Normal};
use crate::lexicon::{self, AMBIGUOUS, FIRST, LAST};
use crate::{Finding, FindingKind};

/// The longest cut, with the marks of a quotation.
const CUT_BYTES_MAX: usize = 12;
/// How much is looked at before the first cut of a value, and behind its last one.
const AROUND_BYTES: usize = 64;
/// The longest piece between two cuts of one value.
const PIECE_BYTES_MAX: usize = 24;
/// The longest piece of an e-mail address or of a token.
const RUN_BYTES_MAX: usize = 80;
/// A piece of a token has at least as many bytes.
const TOKEN_PIECE_MIN: usize = 10;

/// What `find` sees in the places of `text` where a value may be cut, as ranges of `text`.
pub(crate) fn findings(text: &str, find: impl FnOnce(&str, &mut Vec<Finding>), found: &mut Vec<Finding>) {
    let Some(together) = put_together(text) else { return };
    let mut seen = Vec::new();
    find(together.text(), &mut seen);
    for finding in seen {
        let range = finding.range();
        let cuts = together.changes_in(&(range.start + 1..range.end));
        if cuts == 0 || together.text()[range.clone()].contains(APART) {
            continue;
        }
        let original = together.original(range.clone());
        if is_sure(&finding, &text[original.clone()], cuts) {
            found.push(Finding {
                start: original.start as u32,
                end: original.end as u32,
                ..finding
            });
        }
    }
}

/// The longest word without a known form that is taken for a secret although it is cut.
const RANDOM_BYTES_MAX: usize = 64;

/// Whether a finding that is put together from pieces is more than chance.
fn is_sure(finding: &Finding, value: &str, cuts: usize) -> bool {
    match finding.kind {
        FindingKind::Iban | FindingKind::Email | FindingKind::DateOfBirth => true,
        // Long lines of random letters are data.
        FindingKind::ApiKey => finding.confidence >= 0.7 || cuts == 1 && value.len() <= RANDOM_BYTES_MAX,
        FindingKind::PaymentCard => cuts == 1 || is_in_fours(value),
        FindingKind::NationalId | FindingKind::BankAccount | FindingKind::CryptoWallet => {
            cuts == 1 && finding.confidence >= 0.9
        }
        FindingKind::IpAddress => cuts == 1,
        FindingKind::Phone => value.starts_with('+') || cuts == 1 && finding.confidence >= 0.9,
        FindingKind::PersonName | FindingKind::StreetAddress => finding.confidence >= 0.7,
        FindingKind::MacAddress
        | FindingKind::UrlCredentials
        | FindingKind::UserWord
        | FindingKind::DeviceId
        | FindingKind::MedicalRecord
        | FindingKind::LicensePlate
        | FindingKind::Location
        | FindingKind::Health
        | FindingKind::Religion
        | FindingKind::Sexuality
        | FindingKind::Politics
        | FindingKind::TradeUnion
        | FindingKind::Ethnicity
        | FindingKind::Crime => false,
    }
}

fn is_in_fours(value: &str) -> bool {
    let groups = value.split(|character: char| !character.is_ascii_digit());
    groups.filter(|group| !group.is_empty()).all(|group| group.len() == 4)
}

/// How the pieces beside a cut belong together.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Joint {
    /// As if nothing stood between them.
    Tight,
    /// As if a blank did.
    Blank,
}

/// The places of `text` where a value may be cut, without the cuts; nothing when there are none.
fn put_together(text: &str) -> Option<Normal<'_>> {
    let bytes = text.as_bytes();
    let mut edit = Edit::new(text);
    // Behind what is taken, and behind the last cut that is.
    let (mut taken, mut last) = (0, None);
    let mut at = 0;
    while let Some(cut) = next_cut(bytes, at) {
        at = cut.end;
        let follows = last.is_some_and(|last| cut.start - last <= PIECE_BYTES_MAX);
        let Some(joint) = joint(text, &cut, follows) else {
            continue;
        };
        let from = text
            .floor_char_boundary(cut.start.saturating_sub(AROUND_BYTES))
            .max(taken);
        if last.is_none_or(|last: usize| from > last + AROUND_BYTES) {
            let skipped = last.map_or(0, |last| text.floor_char_boundary(last + AROUND_BYTES));
            edit.replace(skipped..from, APART);
        }
        edit.replace(cut.clone(), if joint == Joint::Tight { "" } else { " " });
        (taken, last) = (cut.end, Some(cut.end));
    }
    let end = text.floor_char_boundary(last? + AROUND_BYTES);
    edit.replace(end..text.len(), APART);
    Some(edit.finish())
}

/// The next run of blanks, or lone underscore, that may cut a value.
fn next_cut(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    while at < bytes.len() {
        let start = at
            + bytes[at..]
                .iter()
                .position(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'_'))?;
        let mut lines = 0;
        let mut end = start;
        if bytes[start] == b'_' {
            end += 1;
        } else {
            while end < bytes.len() && (b" \t\r\n".contains(&bytes[end]) || bytes[end] == b'>' && lines > 0) {
                lines += usize::from(bytes[end] == b'\n');
                end += 1;
            }
        }
        let one_blank = end == start + 1 && bytes[start] == b' ';
        if start > 0 && end < bytes.len() && !one_blank && lines <= 1 && end - start <= CUT_BYTES_MAX {
            return Some(start..end);
        }
        at = end;
    }
    None
}

/// How the pieces beside `cut` belong together, if they may.
fn joint(text: &str, cut: &Range<usize>, follows: bool) -> Option<Joint> {
    let bytes = text.as_bytes();
    let (left, right) = (run_before(bytes, cut.start), run_behind(bytes, cut.end));
    if is_address_cut(left, right) || is_token_piece(left) && is_token_piece(right) {
        return Some(Joint::Tight);
    }
    let (left, right) = (bytes[cut.start - 1], bytes[cut.end]);
    let behind_digit =
        left.is_ascii_digit() || b".-/".contains(&left) && cut.start > 1 && bytes[cut.start - 2].is_ascii_digit();
    let digits = behind_digit && right.is_ascii_digit();
    let one_digit =
        left.is_ascii_digit() && right.is_ascii_alphabetic() || right.is_ascii_digit() && left.is_ascii_alphabetic();
    if (digits || one_digit && bytes[cut.start] != b'_') && (follows || is_behind_word(bytes, cut.start)) {
        let mut left = bytes[..cut.start].iter().rev().take(PIECE_BYTES_MAX);
        let lettered = left
            .by_ref()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .any(u8::is_ascii_alphabetic);
        return Some(if digits && !lettered {
            Joint::Tight
        } else {
            Joint::Blank
        });
    }
    if follows && bytes[cut.start] != b'_' {
        return Some(Joint::Blank);
    }
    is_name(text, cut).then_some(Joint::Blank)
}

/// Whether a word stands before `at` in its line: a value in a sentence, and not the column of a table.
fn is_behind_word(bytes: &[u8], at: usize) -> bool {
    let mut letters = 0;
    for byte in bytes[..at]
        .iter()
        .rev()
        .take(AROUND_BYTES)
        .take_while(|byte| **byte != b'\n')
    {
        letters = if byte.is_ascii_alphabetic() || *byte >= 0x80 {
            letters + 1
        } else {
            0
        };
        if letters == 3 {
            return true;
        }
    }
    false
}

fn is_run(byte: &&u8) -> bool {
    byte.is_ascii_graphic() || **byte >= 0x80
}

fn run_before(bytes: &[u8], end: usize) -> &[u8] {
    let length = bytes[..end].iter().rev().take(RUN_BYTES_MAX).take_while(is_run).count();
    &bytes[end - length..end]
}

fn run_behind(bytes: &[u8], start: usize) -> &[u8] {
    let length = bytes[start..].iter().take(RUN_BYTES_MAX).take_while(is_run).count();
    &bytes[start..start + length]
}

/// "maria@exam" and "ple.org".
fn is_address_cut(left: &[u8], right: &[u8]) -> bool {
    let Some(sign) = left.iter().rposition(|byte| *byte == b'@') else {
        return false;
    };
    let host = &left[sign + 1..];
    let goes_on = right.first().is_some_and(u8::is_ascii_lowercase) && right.contains(&b'.');
    sign > 0 && !host.is_empty() && !host.contains(&b'.') && goes_on
}

/// Capitals, small letters and digits, as in the middle of a random token.
fn is_token_piece(run: &[u8]) -> bool {
    let run = run.strip_suffix(b",").or(run.strip_suffix(b".")).unwrap_or(run);
    let any = |is: fn(&u8) -> bool| run.iter().any(is);
    run.len() >= TOKEN_PIECE_MIN
        && run
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-./+=".contains(byte))
        && any(u8::is_ascii_digit)
        && any(u8::is_ascii_uppercase)
        && any(u8::is_ascii_lowercase)
}

/// A given name before the cut and a family name behind it.
fn is_name(text: &str, cut: &Range<usize>) -> bool {
    if text.as_bytes()[cut.end..].first().is_some_and(u8::is_ascii_lowercase) {
        return false;
    }
    let is_letter = |character: &char| character.is_alphabetic();
    let before = text[..cut.start]
        .chars()
        .rev()
        .take(RUN_BYTES_MAX)
        .take_while(is_letter);
    let first = &text[cut.start - before.map(char::len_utf8).sum::<usize>()..cut.start];
    let behind = text[cut.end..].chars().take(RUN_BYTES_MAX).take_while(is_letter);
    let second = &text[cut.end..cut.end + behind.map(char::len_utf8).sum::<usize>()];
    let is_capital = |word: &str| word.chars().next().is_some_and(char::is_uppercase);
    let (given, family) = (lexicon::meaning(first), lexicon::meaning(second));
    is_capital(first) && is_capital(second) && given & FIRST != 0 && given & AMBIGUOUS == 0 && family & LAST != 0
}
