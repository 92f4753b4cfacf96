//! Post boxes: "P.O. Box 12", "Postfach 12 34", "BP 12", "Box 1234", "PSC 1234, Box 12".

use super::super::view::{Shape, View};
use super::words::{
    MILITARY_BOX, MILITARY_UNIT, OFFICE_INITIAL, POST_BOX, POST_BOX_END, POST_BOX_IN_CAPITALS, POST_BOX_JOINING,
    POST_INITIAL, SURE_POST_BOX, roles,
};
use super::{is_house_number, report};
use crate::Finding;

/// Reads a post box whose name begins with token `first`.
pub(super) fn box_number(view: &View, first: usize, found: &mut Vec<Finding>) {
    if !(first + 1..=first + 3).any(|index| is_house_number(view, index)) {
        return;
    }
    let word = roles(view.word(first));
    let initials = word & POST_INITIAL != 0
        && first + 1 < view.tokens.len()
        && matches!(view.gap(first), "." | ". " | "/")
        && view.word(first + 1).len() == 1
        && roles(view.word(first + 1)) & OFFICE_INITIAL != 0;
    let mut number = match () {
        () if word & POST_BOX != 0 => first + 1,
        () if initials => first + 2,
        () => return,
    };
    let mut named =
        word & SURE_POST_BOX != 0 || word & POST_BOX_IN_CAPITALS != 0 && view.tokens[first].shape == Shape::Upper;
    for _ in 0..2 {
        if number >= view.tokens.len() || is_house_number(view, number) {
            break;
        }
        let next = roles(view.word(number));
        if next & (POST_BOX_END | POST_BOX_JOINING) == 0 {
            return;
        }
        named |= next & POST_BOX_END != 0;
        number += 1;
    }
    let military = word & MILITARY_UNIT != 0
        && is_house_number(view, number)
        && number + 2 < view.tokens.len()
        && roles(view.word(number + 1)) & MILITARY_BOX != 0
        && is_house_number(view, number + 2);
    if military {
        report(view, first, number + 2, 0.9, found);
    } else if named && is_house_number(view, number) && view.gap_before(number).chars().count() <= 2 {
        report(view, first, number, 0.85, found);
    }
}
