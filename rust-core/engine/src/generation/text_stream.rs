//! Converts the bytes of tokens to text, in whole characters only.

/// Joins characters whose bytes are spread over several tokens.
///
/// ```
/// use whimbrel_engine::TextStream;
///
/// let mut stream = TextStream::default();
/// assert_eq!(stream.push(b"caf\xc3"), "caf");
/// assert_eq!(stream.push(b"\xa9"), "é");
/// assert_eq!(stream.finish(), "");
/// ```
#[derive(Clone, Debug, Default)]
pub struct TextStream {
    /// The start of a character, at most three bytes.
    incomplete: Vec<u8>,
}

impl TextStream {
    /// Takes the bytes of the next token and returns all characters that are complete now. Bytes that can no longer become a character are
    /// returned as U+FFFD.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.incomplete.extend_from_slice(bytes);
        let mut text = String::with_capacity(self.incomplete.len());
        let mut rest = self.incomplete.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(whole) => {
                    text.push_str(whole);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (whole, broken) = rest.split_at(error.valid_up_to());
                    text.push_str(std::str::from_utf8(whole).expect("valid up to here"));
                    rest = broken;
                    let Some(length) = error.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[length..];
                }
            }
        }
        let held = rest.len();
        self.incomplete.drain(..self.incomplete.len() - held);
        text
    }

    /// The end of the text: returns the rest of an incomplete character as U+FFFD.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.incomplete).into_owned();
        self.incomplete.clear();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_stream(pieces: &[&[u8]], shown: &[&str], rest: &str) {
        let mut stream = TextStream::default();
        let found: Vec<String> = pieces.iter().map(|piece| stream.push(piece)).collect();
        assert_eq!(found, shown);
        assert_eq!(stream.finish(), rest);
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn characters_come_whole() {
        check_stream(&[b"abc", b""], &["abc", ""], "");
        check_stream(&[b"a\xc3", b"\xa9b"], &["a", "éb"], "");
        check_stream(&[b"\xf0", b"\x9f", b"\xa6", b"\x99"], &["", "", "", "🦙"], "");
        check_stream(&[b"\xe6\x97\xa5\xe6", b"\x9c\xac"], &["日", "本"], "");
    }

    #[test]
    fn what_is_no_character_is_replaced() {
        check_stream(&[b"a\xffb"], &["a\u{fffd}b"], "");
        check_stream(&[b"\xc3", b"a"], &["", "\u{fffd}a"], "");
        check_stream(&[b"\xf0\x9f", b"\xf0\x9f\xa6\x99"], &["", "\u{fffd}🦙"], "");
        check_stream(&[b"x\xf0\x9f\xa6"], &["x"], "\u{fffd}");
        check_stream(&[b"\xed\xa0\x80"], &["\u{fffd}\u{fffd}\u{fffd}"], "");
    }

    /// However the bytes are cut, the text is that of the whole, and no piece is longer than what it was made from allows.
    #[test]
    fn cutting_makes_no_difference_to_the_stream() {
        let bytes = b"a\xc3\xa9\xff\xe6\x97\xa5\xf0\x9f\xa6\xf0\x9f\xa6\x99\xc3";
        for cuts in 0..1_u32 << (bytes.len() - 1) {
            let mut stream = TextStream::default();
            let mut text = String::new();
            let mut start = 0;
            for end in 1..=bytes.len() {
                if end == bytes.len() || cuts >> (end - 1) & 1 == 1 {
                    text += &stream.push(&bytes[start..end]);
                    start = end;
                }
            }
            text += &stream.finish();
            assert_eq!(text, String::from_utf8_lossy(bytes), "{cuts:b}");
        }
    }
}
