//! Characters that a server cut in two. JSON writes a character beyond U+FFFF as two `\u` escapes, and a server that cuts its text between them
//! sends chunks that are no JSON text by themselves (RFC 8259, section 8.2). Pure.

use std::fmt::Write;

/// What stands for half a character whose other half never came.
pub(super) const REPLACEMENT: char = '\u{fffd}';

/// The first half of a character, between two chunks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Halves {
    held: Option<u16>,
}

/// A chunk that was mended.
pub(super) struct Mended {
    /// JSON in which every escape is a whole character.
    pub(super) json: String,
    /// The half that was held found its other half.
    pub(super) is_joined: bool,
}

impl Halves {
    /// Whether a first half waits for the second one.
    pub(super) fn is_held(self) -> bool {
        self.held.is_some()
    }

    /// Gives up the half that is held. Returns whether there was one.
    pub(super) fn give_up(&mut self) -> bool {
        self.held.take().is_some()
    }

    /// Puts whole characters in the place of halves: a first half at the end of a string is held for the next chunk, a second half at the
    /// beginning of one is joined to the half that is held, and any other is replaced. `None` when there is no half to mend.
    pub(super) fn mend(&mut self, json: &str) -> Option<Mended> {
        let mut chunk = Chunk {
            json: String::with_capacity(json.len()),
            held_before: self.held,
            held: None,
            is_joined: false,
            has_changed: false,
        };
        let mut rest = json;
        // Whether a string may begin here.
        let mut is_at_quote = false;
        while let Some(at) = rest.find(['\\', '"']) {
            chunk.json.push_str(&rest[..at]);
            is_at_quote &= at == 0;
            rest = &rest[at..];
            let length = match (rest.starts_with('"'), escape(rest)) {
                (false, Some(code)) => chunk.take(code, &rest[6..], is_at_quote),
                // A quote, or another escape: two characters that belong together.
                (is_quote, _) => {
                    let characters = if is_quote { 1 } else { 2 };
                    let length = rest.chars().take(characters).map(char::len_utf8).sum();
                    chunk.json.push_str(&rest[..length]);
                    length
                }
            };
            is_at_quote = rest.starts_with('"');
            rest = &rest[length..];
        }
        if !chunk.has_changed {
            return None;
        }
        chunk.json.push_str(rest);
        if chunk.is_joined || chunk.held.is_some() {
            self.held = chunk.held;
        }
        Some(Mended {
            json: chunk.json,
            is_joined: chunk.is_joined,
        })
    }
}

/// A chunk that is being mended.
struct Chunk {
    json: String,
    /// The half that the chunk before left.
    held_before: Option<u16>,
    held: Option<u16>,
    is_joined: bool,
    has_changed: bool,
}

impl Chunk {
    /// Writes an escape with this code, which `after` follows. Returns how many bytes of the chunk it was.
    fn take(&mut self, code: u16, after: &str, is_at_quote: bool) -> usize {
        let one = "\\u0000".len();
        let second = escape(after).filter(|code| is_second(*code));
        if is_first(code)
            && let Some(second) = second
        {
            write_pair(&mut self.json, code, second);
            return 2 * one;
        }
        let is_half = is_first(code) || is_second(code);
        self.has_changed |= is_half;
        match (is_half, self.held_before.filter(|_| is_at_quote && is_second(code))) {
            (_, Some(first)) => {
                write_pair(&mut self.json, first, code);
                self.is_joined = true;
            }
            (true, None) if is_first(code) && after.starts_with('"') => self.held = Some(code),
            (true, None) => self.json.push(REPLACEMENT),
            // Writing to a string cannot fail.
            (false, None) => drop(write!(self.json, "\\u{code:04x}")),
        }
        one
    }
}

fn write_pair(text: &mut String, first: u16, second: u16) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\\u{first:04x}\\u{second:04x}");
}

/// The code of a `\u` escape at the beginning of a text.
fn escape(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

fn is_first(code: u16) -> bool {
    (0xd800..0xdc00).contains(&code)
}

fn is_second(code: u16) -> bool {
    (0xdc00..0xe000).contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chunks in order give these JSON texts; `None` for one that needs no mending.
    fn check(chunks: &[&str], expected: &[Option<&str>], is_held: bool) {
        let mut halves = Halves::default();
        let mended: Vec<_> = chunks
            .iter()
            .map(|chunk| halves.mend(chunk).map(|it| it.json))
            .collect();
        let expected: Vec<_> = expected.iter().map(|text| text.map(str::to_owned)).collect();
        assert_eq!(mended, expected, "{chunks:?}");
        assert_eq!(halves.is_held(), is_held, "{chunks:?}");
    }

    #[test]
    fn halves_meet_or_are_replaced() {
        let whole = r#"{"a":"\ud83d\udc26","b":"\\ud83d","c":"\n"}"#;
        check(&[whole, "{}", ""], &[None, None, None], false);
        check(
            &[r#"{"a":"x\uD83D"}"#, r#"{"a":"\uDC26y"}"#],
            &[Some(r#"{"a":"x"}"#), Some(r#"{"a":"\ud83d\udc26y"}"#)],
            false,
        );
        // A chunk without text stands between them.
        check(
            &[r#""\ud83d""#, r#""""#, r#""\udc26""#],
            &[Some(r#""""#), None, Some(r#""\ud83d\udc26""#)],
            false,
        );
        // One ends and the next one begins in the same chunk.
        check(
            &[r#""\ud83d""#, r#""\udc26\ud83d""#, r#""\udc27""#],
            &[Some(r#""""#), Some(r#""\ud83d\udc26""#), Some(r#""\ud83d\udc27""#)],
            false,
        );
        check(&[r#""\udc26""#], &[Some("\"\u{fffd}\"")], false);
        check(&[r#""\ud83dx""#], &[Some("\"\u{fffd}x\"")], false);
        check(&[r#""\ud83d\ud83d""#], &[Some("\"\u{fffd}\"")], true);
        check(
            &[r#""\ud83d""#, r#""x\udc26""#],
            &[Some(r#""""#), Some("\"x\u{fffd}\"")],
            true,
        );
        // What is no JSON stays none.
        check(&["\\", "\\u", "\\ud83", "\\ä", "\"\\"], &[None; 5], false);
    }
}
