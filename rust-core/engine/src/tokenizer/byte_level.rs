//! The alphabet of byte-level vocabularies: every byte has one printable character.
//!
//! Source: `bytes_to_unicode` of GPT-2's `encoder.py`. Bytes that are printable in Latin-1 represent themselves; the other 68 are
//! represented by the characters from U+0100 on, in the order of their values.

/// The number of bytes without a printable Latin-1 character.
const SHIFTED: usize = 68;

/// The bytes that the text stands for, or `None` if it has a character outside the alphabet.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let shifted = shifted_bytes();
    text.chars().map(|character| byte_of(character, &shifted)).collect()
}

fn byte_of(character: char, shifted: &[u8; SHIFTED]) -> Option<u8> {
    let code = u32::from(character);
    match u8::try_from(code) {
        Ok(byte) => is_printable(byte).then_some(byte),
        Err(_) => shifted.get(usize::try_from(code).ok()? - 0x100).copied(),
    }
}

/// The bytes whose characters are U+0100, U+0101 …
fn shifted_bytes() -> [u8; SHIFTED] {
    let mut bytes = [0; SHIFTED];
    let unprintable = (0..=u8::MAX).filter(|&byte| !is_printable(byte));
    for (slot, byte) in bytes.iter_mut().zip(unprintable) {
        *slot = byte;
    }
    bytes
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(text: &str, expected: Option<&[u8]>) {
        assert_eq!(decode(text).as_deref(), expected, "{text:?}");
    }

    #[test]
    fn characters_stand_for_bytes() {
        check("", Some(b""));
        check("Ġhello", Some(b" hello"));
        check("ĊĊ", Some(b"\n\n"));
        check("Ã©", Some("é".as_bytes()));
        check("ĀŃ", Some(b"\x00\xad"));
        check(" ", None);
        check("\u{ad}", None);
        check("ń", None);
        check("日", None);
    }

    #[test]
    fn the_alphabet_has_256_characters() {
        let mut bytes: Vec<u8> = ('\0'..='\u{200}')
            .filter_map(|character| decode(&character.to_string()))
            .flatten()
            .collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=u8::MAX).collect::<Vec<_>>());
    }
}
