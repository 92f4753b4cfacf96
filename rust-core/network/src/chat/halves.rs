//! Characters that a server split in two. JSON writes a character beyond U+FFFF as two `\u` escapes. A server that splits its text between
//! them sends chunks that are not valid JSON text by themselves (RFC 8259, section 8.2). Pure.

use std::fmt::Write;

/// What stands for half a character whose other half never came.
pub(super) const REPLACEMENT: char = '\u{fffd}';

/// A chunk that was mended.
pub(super) struct Mended {
    /// JSON in which every escape is a whole character.
    pub(super) json: String,
    /// The half that the chunk before left found its other half.
    pub(super) is_joined: bool,
    /// The first half that this chunk leaves for the next one.
    pub(super) held: Option<u16>,
}

/// Puts whole characters in the place of halves: a first half at the end of a string is held for the next chunk, a second half at the beginning
/// of one is joined to `held`, which the chunk before left, and any other is replaced. `None` when there is no half to mend.
pub(super) fn mend(json: &str, held: Option<u16>) -> Option<Mended> {
    let mut chunk = Chunk {
        json: String::with_capacity(json.len()),
        held_before: held,
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
    chunk.json.push_str(rest);
    chunk.has_changed.then_some(Mended {
        json: chunk.json,
        is_joined: chunk.is_joined,
        held: chunk.held,
    })
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

    /// A chunk behind this half gives this JSON, is or is not joined to it, and leaves this half.
    #[track_caller]
    fn check(chunk: &str, held: Option<u16>, expected: Option<(&str, bool, Option<u16>)>) {
        let mended = mend(chunk, held);
        let mended = mended.as_ref().map(|it| (it.json.as_str(), it.is_joined, it.held));
        assert_eq!(mended, expected, "{chunk}");
    }

    #[test]
    fn halves_meet_or_are_replaced() {
        let (bird, duck) = (Some(0xd83d), Some(0xd83e));
        for whole in [r#"{"a":"\ud83d\udc26","b":"\\ud83d","c":"\n"}"#, "{}", ""] {
            check(whole, bird, None);
        }
        check(r#"{"a":"x\uD83D"}"#, None, Some((r#"{"a":"x"}"#, false, bird)));
        check(
            r#"{"a":"\uDC26y"}"#,
            bird,
            Some((r#"{"a":"\ud83d\udc26y"}"#, true, None)),
        );
        // One ends and the next one begins in the same chunk.
        check(r#""\udc26\ud83e""#, bird, Some((r#""\ud83d\udc26""#, true, duck)));
        // Another one begins although the first never ended.
        check(r#""\ud83e""#, bird, Some((r#""""#, false, duck)));
        check(r#""\udc26""#, None, Some(("\"\u{fffd}\"", false, None)));
        check(r#""x\udc26""#, bird, Some(("\"x\u{fffd}\"", false, None)));
        check(r#""\ud83dx""#, None, Some(("\"\u{fffd}x\"", false, None)));
        check(r#""\ud83d\ud83d""#, None, Some(("\"\u{fffd}\"", false, bird)));
        // What is no JSON stays none.
        for broken in ["\\", "\\u", "\\ud83", "\\ä", "\"\\"] {
            check(broken, bird, None);
        }
    }
}
