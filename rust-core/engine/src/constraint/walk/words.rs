//! Divides a vocabulary into the three parts that masks treat differently: plain ASCII, plain text with other characters, and the rest.

use llguidance::toktrie::{TokEnv, TokTrie, TokenId};

use super::forest::Forest;

/// The most characters of a word.
pub(super) const CHARACTERS_MAX: u8 = 32;
/// The text of words as a regular expression: characters that need no escape in a JSON string. llguidance compiles it with every form, and can then
/// tell whether a lexeme allows all such text.
pub(in crate::constraint) const PLAIN_TEXT: &str = r#"[^"\\\x00-\x1F\x7F]{1,32}"#;

/// Which characters a text has. What holds for a kind also holds for its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// `a` to `z` only.
    LowerCase,
    /// ASCII letters.
    Letters,
    /// Plain ASCII.
    Ascii,
    /// Only characters beyond ASCII.
    BeyondAscii,
    /// Any plain characters.
    Any,
}

/// The number of kinds.
pub(super) const KINDS: usize = 5;

impl Kind {
    /// The kind of a text of these bytes.
    pub(super) fn of(bytes: Bytes) -> Kind {
        match bytes.0 {
            0 | 1 => Kind::LowerCase,
            2..=3 => Kind::Letters,
            4..=7 => Kind::Ascii,
            8 => Kind::BeyondAscii,
            _ => Kind::Any,
        }
    }
}

/// Which bytes a text has, as flags: lower case, upper case, other ASCII, beyond ASCII.
#[derive(Clone, Copy, Default)]
pub(super) struct Bytes(u8);

impl Bytes {
    pub(super) fn of(byte: u8) -> Bytes {
        Bytes(match byte {
            b'a'..=b'z' => 1,
            b'A'..=b'Z' => 2,
            0..=0x7F => 4,
            _ => 8,
        })
    }

    pub(super) fn with(self, other: Bytes) -> Bytes {
        Bytes(self.0 | other.0)
    }
}

/// A token that is plain text within a JSON string, of at most [`CHARACTERS_MAX`] characters.
pub(super) struct Word {
    pub(super) bytes: Vec<u8>,
    pub(super) id: TokenId,
    /// Its characters; the last may be cut off.
    pub(super) characters: u8,
}

/// A vocabulary prepared for walks, once for all forms.
pub(crate) struct Words {
    environment: TokEnv,
    forests: [Forest; 2],
    rest: TokTrie,
}

impl Words {
    pub(crate) fn new(environment: &TokEnv) -> Words {
        let trie = environment.tok_trie();
        let mut rest = trie.alloc_token_set();
        let (mut ascii, mut others): (Vec<Word>, Vec<Word>) = (Vec::new(), Vec::new());
        let mut tokens = trie.sorted_tokens();
        tokens.sort_by(|(_, one), (_, other)| one.cmp(other));
        for (id, bytes) in tokens {
            let words = if bytes.is_ascii() { &mut ascii } else { &mut others };
            // If tokens have the same text, only one of them is a word.
            let is_known = words.last().is_some_and(|word| word.bytes == bytes);
            match characters(&bytes).filter(|_| !is_known) {
                Some(characters) => words.push(Word { bytes, id, characters }),
                None => rest.allow_token(id),
            }
        }
        Words {
            environment: environment.clone(),
            forests: [
                Forest::new(trie, &ascii, Kind::Ascii),
                Forest::new(trie, &others, Kind::Any),
            ],
            rest: trie.filter(&rest),
        }
    }

    /// All tokens.
    pub(super) fn trie(&self) -> &TokTrie {
        self.environment.tok_trie()
    }

    /// The plain ones: those of ASCII alone, and those with other characters.
    pub(super) fn forests(&self) -> &[Forest] {
        &self.forests
    }

    /// The tokens that are not words.
    pub(super) fn rest(&self) -> &TokTrie {
        &self.rest
    }
}

/// The number of characters of a token, if it is a word.
fn characters(bytes: &[u8]) -> Option<u8> {
    let (text, cut) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, 0),
        Err(error) if error.error_len().is_none() => {
            let whole = bytes.get(..error.valid_up_to())?;
            (std::str::from_utf8(whole).ok()?, 1)
        }
        Err(_) => return None,
    };
    let is_plain = |character: char| !matches!(character, '"' | '\\' | '\0'..='\x1F' | '\x7F');
    let count = text.chars().count() + cut;
    let is_word = text.chars().all(is_plain) && (1..=usize::from(CHARACTERS_MAX)).contains(&count);
    is_word.then_some(count as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_plain_and_short() {
        let longest = "é".repeat(32);
        for (bytes, expected) in [
            (&b"a"[..], Some(1)),
            (b" one two", Some(8)),
            ("é€😀".as_bytes(), Some(3)),
            // The last character is cut off.
            (b"a\xC3", Some(2)),
            (b"\xF0\x9F", Some(1)),
            (longest.as_bytes(), Some(32)),
            (&[longest.as_bytes(), b"a"].concat(), None),
            (b"", None),
            (b"\"", None),
            (b"a\\", None),
            (b"a\n", None),
            (b"\x7F", None),
            (b"\xFF", None),
            (b"\xC3a", None),
            (b"\xA9", None),
        ] {
            assert_eq!(characters(bytes), expected, "{bytes:?}");
        }
    }
}
