//! The detectors, each for one family of findings, and the pass over a text that calls them.

use crate::{Finding, FindingKind};

mod email;

/// Everything in `text`, in no order; findings may overlap.
pub(crate) fn all(text: &str, found: &mut Vec<Finding>) {
    for (at, _) in text.match_indices('@') {
        email::at(text, at, found);
    }
}

pub(crate) fn name_parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(|character: char| !character.is_alphabetic())
        .filter(|part| part.chars().count() > 2)
}

pub(crate) fn looks_like_name_part(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_uppercase)
}

fn push(found: &mut Vec<Finding>, kind: FindingKind, range: std::ops::Range<usize>, confidence: f32) {
    found.push(Finding {
        kind,
        start: range.start as u32,
        end: range.end as u32,
        confidence,
    });
}
