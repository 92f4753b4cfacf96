//! The detectors, each for one family of findings, and the pass over a text that calls them. Each detector looks only a limited
//! distance around its starting point, so the time is linear in the length of the text, whatever its content.

use crate::{Finding, FindingKind};

mod address;
mod bank;
mod card;
mod checks;
mod date;
mod email;
mod iban;
mod national;
mod national_letters;
mod network;
mod number;
mod person;
mod phone;
mod phrases;
mod said;
mod secret;
pub(crate) mod view;
mod wallet;

pub(crate) use person::tagger;
pub(crate) use person::{is_part as is_name_part, parts as name_parts};
use view::{Shape, View};

/// The letter of a number that begins with digits is no farther than that from its beginning.
const LETTER_BYTES_MAX: usize = 24;

/// Everything in `text`, in no order; findings may overlap.
pub(crate) fn all(text: &str, found: &mut Vec<Finding>) {
    let view = View::new(text);
    by_rules(&view, found);
    tagger::all(&view, found);
}

/// What the rules find, in no order; findings may overlap.
pub(crate) fn by_rules(view: &View, found: &mut Vec<Finding>) {
    let text = view.text;
    signs(text, found);
    secret::blocks(text, found);
    phrases::all(text, found);
    person::in_other_scripts(text, found);
    let (mut number_next, mut name_next) = (0, 0);
    for index in 0..view.tokens.len() {
        let shape = view.tokens[index].shape;
        if shape == Shape::Digits && index >= number_next {
            number_next = number::at(view, index, found);
        }
        if shape == Shape::Digits {
            network::ipv4(view, index, found);
        }
        if matches!(shape, Shape::Digits | Shape::Mixed) {
            // In a table of numbers there is no letter near, and no sign for a century, which Finland puts behind a date of six digits.
            let century = view.word(index).len() == 6 && matches!(view.gap(index), "-" | "+");
            let mut near = text.as_bytes()[view.start(index)..].iter().take(LETTER_BYTES_MAX);
            if shape == Shape::Mixed || century || near.any(u8::is_ascii_alphabetic) {
                national_letters::at(view, index, found);
            }
            if shape == Shape::Mixed {
                iban::at(view, index, found);
                wallet::at(view, index, found);
            }
        } else if index >= name_next {
            name_next = person::at(view, index, found);
        }
        if view.word(index).len() <= 4 {
            network::mac(view, index, found);
            let number_behind = view
                .tokens
                .get(index + 1)
                .is_some_and(|next| matches!(next.shape, Shape::Digits | Shape::Mixed));
            if shape != Shape::Digits && number_behind && view.gap(index).len() <= 2 {
                national_letters::at(view, index, found);
            }
        }
        date::at(view, index, found);
        secret::at(view, index, found);
        said::at(view, index, found);
        address::at(view, index, found);
    }
}

/// What is found around a sign and not from the beginning of a word.
fn signs(text: &str, found: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut ipv6_next = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'@' => email::at(text, at, found),
            b':' if bytes[at..].starts_with(b"://") => network::url(text, at, found),
            b':' if at >= ipv6_next => {
                let group = bytes[..at]
                    .iter()
                    .rev()
                    .take(5)
                    .take_while(|byte| byte.is_ascii_hexdigit())
                    .count();
                let start = at - group;
                let alone = !text[..start]
                    .chars()
                    .next_back()
                    .is_some_and(|before| before.is_alphanumeric() || before == '_');
                if alone && group <= 4 {
                    ipv6_next = network::ipv6(text, start, found);
                }
            }
            _ => {}
        }
    }
}

fn push(found: &mut Vec<Finding>, kind: FindingKind, range: std::ops::Range<usize>, confidence: f32) {
    found.push(Finding {
        kind,
        start: range.start as u32,
        end: range.end as u32,
        confidence,
    });
}
