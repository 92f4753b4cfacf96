//! Prevents the text of special tokens inside a message from becoming special tokens.
//!
//! Before a chat template is rendered, a sentinel (a noncharacter that occurs nowhere else) is inserted wherever the text of a control
//! token occurs in a message or might be completed by the template's own text. The text of a token is not recognised if it contains a
//! sentinel. After the special tokens have been found, the sentinels are removed and the rest is text.

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

    /// The content of a message with the sentinel inserted wherever a control token could result from it, alone or together with what a
    /// template puts before and after it (also if the template trims the content). Removing the sentinels gives the content.
    ///
    /// User-defined tokens are not affected: they are text that happens to be one token.
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

    /// The tokens of a rendered template whose contents went through [`Tokenizer::protect`]: control tokens where their text occurs without
    /// the sentinel, and everything else as text. For a text without a sentinel, this is [`Tokenizer::encode`] with `parse_special`. For a
    /// protected content alone, it is [`Tokenizer::encode`] without it.
    pub fn encode_marked(&self, marked: &str, sentinel: char) -> Vec<u32> {
        self.encode_marked_from(marked, sentinel, true)
    }

    /// As [`Tokenizer::encode_marked`], for the rest of a text whose beginning, which does not end with a special token, is encoded already.
    pub fn encode_marked_rest(&self, marked: &str, sentinel: char) -> Vec<u32> {
        self.encode_marked_from(marked, sentinel, false)
    }

    fn encode_marked_from(&self, marked: &str, sentinel: char, mut is_start: bool) -> Vec<u32> {
        let (text, specials) = self.claim_marked(marked, sentinel);
        let mut ids = Vec::with_capacity(text.len() / 3);
        let mut start = 0;
        for found in specials {
            self.encode_into(
                &text[start.min(found.bytes.start)..found.bytes.start],
                false,
                is_start,
                &mut ids,
            );
            ids.push(found.id);
            start = found.bytes.end + self.stripped_after(found.id, &text[found.bytes.end..]);
            is_start = true;
        }
        self.encode_into(&text[start..], false, is_start, &mut ids);
        ids
    }

    /// The text without its sentinels, and the special tokens in it.
    pub(super) fn claim_marked(&self, marked: &str, sentinel: char) -> (String, Vec<Found>) {
        let mut text = String::with_capacity(marked.len());
        let mut marks = Vec::new();
        for (index, piece) in marked.split(sentinel).enumerate() {
            if index > 0 {
                marks.push(text.len());
            }
            text.push_str(piece);
        }
        let is_text = |found: &Found| {
            let behind_start = marks.partition_point(|&mark| mark <= found.bytes.start);
            let inside = marks.get(behind_start).is_some_and(|&mark| mark < found.bytes.end);
            let twice_behind = marks.get(behind_start + 1) == Some(&found.bytes.end);
            inside || twice_behind && has_one_character(&text[found.bytes.clone()])
        };
        let specials = self
            .specials
            .claim(&text, &self.text, |found| !self.is_control(found.id) || !is_text(found));
        (text, specials)
    }

    /// Whether a control token's text starts here, and whether one of a single character does.
    fn control_at(&self, rest: &str) -> (bool, bool) {
        let (mut whole, mut single) = (false, false);
        self.controls.matches(rest.as_bytes(), &self.text, |id| {
            whole = true;
            single |= has_one_character(self.special_text(id));
        });
        (whole, single)
    }

    /// How many bytes at the start of `rest` are the start of a control token's text.
    fn control_prefix(&self, rest: &str) -> usize {
        self.controls.matches(rest.as_bytes(), &self.text, |_| {})
    }

    /// Whether a control token's text, cut somewhere in its middle, goes on with this content as far as either of them reaches.
    fn continues_control(&self, content: &str) -> bool {
        let content = content.as_bytes();
        self.controls.ids().iter().any(|&id| {
            let text = self.decode_bytes(id);
            (1..text.len()).any(|cut| {
                let tail = &text[cut..];
                content.starts_with(tail) || tail.starts_with(content)
            })
        })
    }
}

fn has_one_character(text: &str) -> bool {
    text.chars().nth(1).is_none()
}
