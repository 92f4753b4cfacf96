//! The values found in a draft or earlier in its conversation, and their other occurrences.

use std::collections::BTreeSet;

use crate::FindingKind;
use crate::lexicon::{self, COMMON};
use crate::normal::Normal;
use crate::occurrences::{Comparable, Occurrences};
use crate::{Placeholders, detect};

use super::{Reason, Span};

/// The fewest letters and digits of an e-mail address's local part that is looked for by itself.
const LOCAL_PART_MIN: usize = 5;
/// An account number's digits in an IBAN: so many at its end, and at least so many without the zeros before them.
const ACCOUNT_DIGITS: usize = 10;
const ACCOUNT_DIGITS_MIN: usize = 6;

pub(super) struct Known {
    values: Occurrences,
    /// What gives a value away by itself, as whole words only.
    parts: Occurrences,
    /// Names that were found in small letters: their writer uses no capitals.
    small_names: BTreeSet<String>,
}

impl Known {
    pub(super) fn new(texts: &[&str], spans: &[Vec<Span>], placeholders: &Placeholders) -> Known {
        let mut values: Vec<(&str, FindingKind)> = placeholders.values().collect();
        for (text, spans) in texts.iter().zip(spans) {
            let found = spans.iter().filter(|span| span.reason == Reason::Found);
            values.extend(found.map(|span| (&text[span.range.clone()], span.kind)));
        }
        values.sort_unstable();
        values.dedup_by_key(|(value, _)| *value);
        let is_small = |name: &&str| !name.chars().any(char::is_uppercase);
        let names = values.iter().filter(|(_, kind)| *kind == FindingKind::PersonName);
        let small_names = names
            .map(|(name, _)| *name)
            .filter(is_small)
            .map(comparable_name)
            .collect();
        let mut parts: Vec<(String, FindingKind)> = Vec::new();
        for (value, kind) in &values {
            parts_of(value, *kind, |part| parts.push((part.to_owned(), *kind)));
        }
        Known {
            parts: Occurrences::whole_words(parts.iter().map(|(part, kind)| (part.as_str(), *kind))),
            values: Occurrences::anywhere(values.iter().copied()),
            small_names,
        }
    }

    /// Where it occurs again: in other case or spacing, names also by their parts. A word that is a name and an ordinary one is the
    /// name where it has a capital, or where the name was found in small letters.
    pub(super) fn find(&self, text: &str, comparable: &Comparable) -> Vec<Span> {
        let values = self.values.find(comparable).into_iter();
        let parts = self.parts.find(comparable).into_iter();
        let span = |(range, kind)| Span {
            range,
            kind,
            reason: Reason::Found,
        };
        let mut spans: Vec<Span> = values.chain(parts).map(span).collect();
        spans.retain(|span| {
            let written = &text[span.range.clone()];
            span.kind != FindingKind::PersonName
                || is_name(written)
                || self.small_names.contains(&comparable_name(written))
        });
        spans
    }
}

fn comparable_name(written: &str) -> String {
    Normal::of(written).text().to_lowercase()
}

fn is_name(written: &str) -> bool {
    let word = Normal::of(written);
    let word = word.text();
    !word.chars().all(char::is_alphanumeric) || detect::is_name_part(word, 0..word.len())
}

/// What gives `value` away when it stands alone: a name's parts, an IBAN's account number, an e-mail address's local part.
fn parts_of(value: &str, kind: FindingKind, mut take: impl FnMut(&str)) {
    match kind {
        FindingKind::PersonName => detect::name_parts(value).for_each(take),
        FindingKind::Iban => {
            let normal = Normal::of(value);
            let digits: String = normal
                .text()
                .chars()
                .skip(4)
                .filter(char::is_ascii_alphanumeric)
                .collect();
            let account = &digits[digits.len().saturating_sub(ACCOUNT_DIGITS)..];
            let short = account.trim_start_matches('0');
            for account in [digits.as_str(), account, short] {
                if account.len() >= ACCOUNT_DIGITS_MIN {
                    take(account);
                }
            }
        }
        FindingKind::Email => {
            let normal = Normal::of(value);
            let local = normal.text().split_once('@').map_or("", |(local, _)| local);
            let letters = local.chars().filter(|character| character.is_alphanumeric()).count();
            if letters >= LOCAL_PART_MIN && lexicon::meaning(local) & COMMON == 0 {
                take(local);
            }
        }
        _ => {}
    }
}
