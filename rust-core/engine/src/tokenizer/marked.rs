//! Keeping the text of special tokens inside a message from becoming special tokens.
//!
//! Before a chat template is rendered, a sentinel (a noncharacter that occurs nowhere else) is put into every place of a message
//! where the text of a control token stands or might be completed by the template's own text. A token's text with a sentinel
//! inside is not found any more; after the special tokens have been found the sentinels are taken out and the rest is text.

use super::{Tokenizer, special::Found};

/// Noncharacters, which no text exchanged between programs should have.
const SENTINELS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

impl Tokenizer {
    /// The first of U+FDD0 to U+FDEF that occurs neither in the texts nor in a special token, or `None` if all do.
    pub fn sentinel<'t>(&self, texts: impl Iterator<Item = &'t str> + Clone) -> Option<char> {
        let free = |sentinel: &char| {
            !texts.clone().any(|text| text.contains(*sentinel))
                && !self.special_texts().any(|text| text.contains(*sentinel))
        };
        SENTINELS.into_iter().find(free)
    }

    /// The content of a message with the sentinel in every place where a control token could come out of it, alone or together
    /// with what a template puts before and after (also when the template trims the content). Taking the sentinels out
    /// gives the content.
    ///
    /// User-defined tokens are left alone: they are text that happens to be one token.
    pub fn protect(&self, content: &str, sentinel: char) -> String {
        let mut out = String::with_capacity(content.len() + sentinel.len_utf8());
        let trimmed_end = content.trim_end().len();
        let trimmed_start = content.len() - content.trim_start().len();
        for (start, character) in content.char_indices() {
            if start == trimmed_start && self.continues_control(&content[start..trimmed_end]) {
                out.push(sentinel);
            }
            out.push(character);
            let (whole, single) = self.control_at(&content[start..]);
            let cut_off = start < trimmed_end && self.control_prefix(&content[start..]) >= trimmed_end - start;
            if whole || cut_off {
                out.push(sentinel);
            }
            if single {
                // A token of one character has no inside: two sentinels behind it say that it is text.
                out.push(sentinel);
            }
        }
        out
    }

    /// The tokens of a rendered template whose contents went through [`Tokenizer::protect`]: special tokens where their text
    /// stands without the sentinel, and everything else as text. Without a sentinel in it this is
    /// [`Tokenizer::encode`] with `parse_special`.
    pub fn encode_marked(&self, marked: &str, sentinel: char) -> Vec<u32> {
        let is_text = |found: &Found| {
            let behind = marked[found.bytes.end..].strip_prefix(sentinel);
            let one_character = marked[found.bytes.clone()].chars().nth(1).is_none();
            one_character && behind.is_some_and(|behind| behind.starts_with(sentinel))
        };
        let specials = self.specials.claim(marked, &self.text, |found| !is_text(found));
        let mut ids = Vec::new();
        let mut start = 0;
        for found in specials {
            self.encode_unmarked(&marked[start..found.bytes.start], sentinel, &mut ids);
            ids.push(found.id);
            start = found.bytes.end;
        }
        self.encode_unmarked(&marked[start..], sentinel, &mut ids);
        ids
    }

    fn encode_unmarked(&self, piece: &str, sentinel: char, ids: &mut Vec<u32>) {
        if piece.contains(sentinel) {
            self.encode_into(&piece.replace(sentinel, ""), false, ids);
        } else {
            self.encode_into(piece, false, ids);
        }
    }

    /// Whether a control token's text starts here, and whether one of a single character does.
    fn control_at(&self, rest: &str) -> (bool, bool) {
        let (mut whole, mut single) = (false, false);
        self.specials.matches(rest.as_bytes(), &self.text, |id| {
            if self.is_control(id) {
                whole = true;
                single |= rest
                    .chars()
                    .next()
                    .is_some_and(|first| first.len_utf8() == self.decode_bytes(id).len());
            }
        });
        (whole, single)
    }

    /// How many bytes at the start of `rest` are the start of a special token's text.
    fn control_prefix(&self, rest: &str) -> usize {
        self.specials.matches(rest.as_bytes(), &self.text, |_| {})
    }

    /// Whether a control token's text, cut somewhere in its middle, goes on with this content as far as either of them reaches.
    fn continues_control(&self, content: &str) -> bool {
        let content = content.as_bytes();
        let mut controls = self.specials.ids().iter().filter(|&&id| self.is_control(id));
        controls.any(|&id| {
            let text = self.decode_bytes(id);
            (1..text.len()).any(|cut| {
                let tail = &text[cut..];
                content.starts_with(tail) || tail.starts_with(content)
            })
        })
    }
}
