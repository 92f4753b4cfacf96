//! The special categories of the GDPR's articles 9 and 10: words about somebody's health, religion, sexuality, politics, union, ethnic
//! origin and offences. Which words these are is in `data/special_words.txt`. They raise a text's class and are not replaced.

use std::sync::LazyLock;

use crate::Finding;
use crate::occurrences::Comparable;

mod person;
mod terms;

use terms::Terms;

/// How sure a term is that is about a person in any use.
const CONFIDENCE_ALONE: f32 = 0.9;
/// How sure a term is that needs a word for a person near it.
const CONFIDENCE_NEAR_PERSON: f32 = 0.7;

static TERMS: LazyLock<Terms> = LazyLock::new(|| Terms::of(terms::TEXT));

/// Every term in `text`, in no order; they may overlap.
pub(crate) fn find(text: &Comparable) -> Vec<Finding> {
    let folded = text.folded();
    let (normal, mut found) = (text.normal(), Vec::new());
    for (range, term) in TERMS.find(folded) {
        let place = folded.range(range.start, range.end);
        let is_near = || person::is_near(normal.text(), place.clone(), term.language);
        let confidence = match term.needs_person {
            false => CONFIDENCE_ALONE,
            true if is_near() => CONFIDENCE_NEAR_PERSON,
            true => continue,
        };
        let original = normal.original(place);
        found.push(Finding {
            kind: term.kind,
            start: original.start as u32,
            end: original.end as u32,
            confidence,
        });
    }
    found
}
