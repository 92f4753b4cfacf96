//! A text's letters and digits in the form in which they are compared, with their positions.

use std::ops::Range;

/// This many other characters between two letters or digits are passed over: "John Smith", "john.smith" and "John\n  Smith" are one.
const GAP_CHARACTERS_MAX: usize = 3;
/// Stands for a longer gap. No letter or digit folds to it.
const BARRIER: u8 = b' ';
const FIRST: u8 = 1;
const LAST: u8 = 2;

/// Letters and digits in lower case, without the accents of Latin letters and the vowel signs of Arabic and Hebrew.
pub(crate) struct Folded {
    pub(crate) bytes: Vec<u8>,
    /// For each byte, where its character begins in the text, and where it ends.
    places: Vec<(u32, u32)>,
    /// For each byte, whether it is the first of a run of letters and digits, and whether it is the last.
    edges: Vec<u8>,
}

impl Folded {
    pub(crate) fn of(text: &str) -> Folded {
        let mut folded = Folded {
            bytes: Vec::with_capacity(text.len()),
            places: Vec::with_capacity(text.len()),
            edges: Vec::with_capacity(text.len()),
        };
        let mut gap = 1;
        for (start, character) in text.char_indices() {
            if is_vowel_sign(character) {
                continue;
            }
            if !character.is_alphanumeric() {
                gap += 1;
                continue;
            }
            let mut edge = 0;
            if gap > 0 {
                folded.end_run();
                if gap > GAP_CHARACTERS_MAX && !folded.bytes.is_empty() {
                    folded.push(BARRIER, (start, start), LAST);
                }
                edge = FIRST;
            }
            let place = (start, start + character.len_utf8());
            if character.is_ascii() {
                folded.push(character.to_ascii_lowercase() as u8, place, edge);
            } else {
                let mut utf8 = [0; 4];
                for lower in crate::letters::folded(character) {
                    for &byte in lower.encode_utf8(&mut utf8).as_bytes() {
                        folded.push(byte, place, edge);
                        edge = 0;
                    }
                }
            }
            gap = 0;
        }
        folded.end_run();
        folded
    }

    fn push(&mut self, byte: u8, place: (usize, usize), edge: u8) {
        self.bytes.push(byte);
        self.places.push((place.0 as u32, place.1 as u32));
        self.edges.push(edge);
    }

    fn end_run(&mut self) {
        if let Some(edge) = self.edges.last_mut() {
            *edge |= LAST;
        }
    }

    /// Whether a run of letters and digits begins with byte `at`.
    pub(crate) fn first(&self, at: usize) -> bool {
        self.edges[at] & FIRST != 0
    }

    /// Whether a run of letters and digits ends with byte `at`.
    pub(crate) fn last(&self, at: usize) -> bool {
        self.edges[at] & LAST != 0
    }

    /// What stands for these bytes in the text.
    pub(crate) fn range(&self, start: usize, end: usize) -> Range<usize> {
        self.places[start].0 as usize..self.places[end - 1].1 as usize
    }

    /// Up to `limit` bytes of the word before byte `at`, and those of the word from byte `at`. A part that is longer is none.
    pub(crate) fn beside(&self, range: Range<usize>, limit: usize) -> Option<(&[u8], &[u8])> {
        let mut start = range.start;
        while !self.first(start) {
            start -= 1;
            if range.start - start > limit {
                return None;
            }
        }
        let mut end = range.end;
        while !self.last(end - 1) {
            end += 1;
            if end - range.end > limit {
                return None;
            }
        }
        Some((&self.bytes[start..range.start], &self.bytes[range.end..end]))
    }
}

/// Signs that Arabic and Hebrew write or leave out, and the stroke that only stretches an Arabic word.
fn is_vowel_sign(character: char) -> bool {
    matches!(character, '\u{591}'..='\u{5c7}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}') && character != '\u{5be}'
}
