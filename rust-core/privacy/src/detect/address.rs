//! Addresses of people's homes and offices: a street with a house number, a post box, a postal code with its town.

use super::number::is_blank;
use super::push;
use super::view::{Shape, View};
use crate::lexicon::STREET_BEGIN;
use crate::{Finding, FindingKind};

mod post_box;
mod street;
mod town;
mod words;

/// The most words in a street's name, and in a town's.
const STREET_WORDS_MAX: usize = 6;
const TOWN_WORDS_MAX: usize = 4;

/// Reads an address at token `first`; what it finds begins there or a few words before.
pub(super) fn at(view: &View, first: usize, found: &mut Vec<Finding>) {
    let token = view.tokens[first];
    match token.shape {
        Shape::Digits | Shape::Mixed => {
            street::number_first(view, first, found);
            town::coded(view, first, found);
            town::postcode(view, first, found);
            town::us_line(view, first, found);
        }
        Shape::Lower | Shape::Capitalised | Shape::Upper => {
            if token.meaning & STREET_BEGIN != 0 {
                street::street_word_first(view, first, found);
            }
            // Without a number near there is none of these, and most words have none.
            let behind = view.tokens[first + 1..].iter().take(3);
            if !behind
                .into_iter()
                .any(|token| matches!(token.shape, Shape::Digits | Shape::Mixed))
            {
                return;
            }
            street::suffixed(view, first, found);
            if token.shape != Shape::Lower {
                street::preposition_first(view, first, found);
            }
            post_box::box_number(view, first, found);
            street::unit_first(view, first, found);
        }
    }
}

fn report(view: &View, first: usize, last: usize, confidence: f32, found: &mut Vec<Finding>) {
    let last = town::tail(view, last);
    push(
        found,
        FindingKind::StreetAddress,
        view.start(first)..view.end(last),
        confidence,
    );
}

fn one_blank(gap: &str) -> bool {
    let mut characters = gap.chars();
    characters.next().is_some_and(is_blank) && characters.next().is_none()
}

/// A gap inside a street's name.
fn inside_name(gap: &str) -> bool {
    one_blank(gap) || matches!(gap, ". " | "-" | "'" | "’" | ".")
}

fn is_house_number(view: &View, index: usize) -> bool {
    let Some(token) = view.tokens.get(index) else {
        return false;
    };
    let word = view.word(index);
    match token.shape {
        Shape::Digits => word.len() <= 6,
        Shape::Mixed => {
            word.len() <= 6
                && word.as_bytes()[0].is_ascii_digit()
                && word.bytes().filter(u8::is_ascii_alphabetic).count() <= 2
                && !words::is_ordinal(word)
        }
        _ => false,
    }
}
