//! Parts of a text that are scanned once more, without the rest of it.

use std::ops::Range;

use super::{Edit, Normal};
use crate::Finding;

/// What stands between two parts in the text that is looked at.
pub(super) const APART: &str = "\n\n\n";
/// A detector looks less far around what it finds.
const AROUND_BYTES: usize = 384;

/// What `find` sees in `text` near the places, which are in order; as ranges of `text`. What reaches the edge of a part may be cut
/// off there and is left out: it is farther from every place than a detector looks.
pub(crate) fn findings_near(
    text: &str,
    places: impl Iterator<Item = Range<usize>>,
    find: impl FnOnce(&str) -> Vec<Finding>,
) -> Vec<Finding> {
    let Some(excerpt) = excerpt(text, places) else {
        return Vec::new();
    };
    let mut found = find(excerpt.text());
    found.retain_mut(|finding| {
        let range = finding.range();
        let cut = excerpt.touches_change(&range);
        let original = excerpt.original(range);
        (finding.start, finding.end) = (original.start as u32, original.end as u32);
        !cut
    });
    found
}

/// The parts of `text` around the places; nothing when there are none.
fn excerpt(text: &str, places: impl Iterator<Item = Range<usize>>) -> Option<Normal<'_>> {
    let mut edit = Edit::new(text);
    let mut end = 0;
    let mut any = false;
    for place in places {
        any = true;
        let start = text.floor_char_boundary(place.start.saturating_sub(AROUND_BYTES));
        if start > end {
            edit.replace(end..start, APART);
        }
        end = end.max(text.floor_char_boundary(place.end + AROUND_BYTES));
    }
    if end < text.len() {
        edit.replace(end..text.len(), "");
    }
    any.then(|| edit.finish())
}
