//! Converts text to token ids and back, like llama.cpp: byte-pair encoding of bytes or characters, or sentencepiece's merging by scores, with
//! special tokens.
//!
//! [`TokenizerParts`] is what an importer provides and what `tokenizer.bin` contains. [`Tokenizer`] is that file, checked and ready to use.
//! Nothing here adds `bos` or trims anything. Only a vocabulary that asks for a space before a text gets it.

mod bpe;
mod byte_level;
mod kind;
mod marked;
mod parts;
mod pieces;
mod pre_tokenizer;
mod special;
mod table;

#[cfg(test)]
mod tests;

pub use kind::TokenKind;
pub use parts::{Algorithm, TokenizerParts};
pub use pre_tokenizer::PreTokenizer;

use bpe::{Merger, Merges};
use pieces::{PieceMerger, SPACE};
use special::{Found, SpecialTokens};
pub(crate) use table::TOKENIZER_BYTES_MAX;
use table::{Table, TokenText};

use std::borrow::Cow;

use crate::EngineError;

/// A vocabulary and its rules, ready to use. It is immutable and can be shared between threads.
///
/// ```
/// use whimbrel_engine::Tokenizer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny/tokenizer.bin");
/// let tokenizer = Tokenizer::from_bytes(&std::fs::read(file)?)?;
/// let ids = tokenizer.encode("one two", false);
/// let bytes: Vec<u8> = ids.iter().flat_map(|id| tokenizer.decode_bytes(*id)).copied().collect();
/// assert_eq!(bytes, b"one two");
///
/// // The text of a control token is that token only if requested.
/// assert_eq!(tokenizer.encode("<|im_end|>", true).len(), 1);
/// assert!(tokenizer.encode("<|im_end|>", false).len() > 1);
/// # Ok(())
/// # }
/// ```
pub struct Tokenizer {
    algorithm: Algorithm,
    pre_tokenizer: PreTokenizer,
    ignore_merges: bool,
    add_bos: bool,
    bos: Option<u32>,
    eos: Option<u32>,
    end_of_turn: Vec<u32>,
    kinds: Vec<TokenKind>,
    text: TokenText,
    /// Ids of the tokens that merging can give, by their bytes.
    words: Vec<u32>,
    /// The token of each byte.
    bytes: [Option<u32>; 256],
    merges: Merges,
    /// Unknown, control and user-defined tokens.
    specials: SpecialTokens,
    /// Those of them that are structure and not text.
    controls: SpecialTokens,
}

impl Tokenizer {
    /// Parses and checks the content of `tokenizer.bin`. Accepts any bytes; memory use is proportional to their number.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] if the bytes are not a valid tokenizer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EngineError> {
        let Table {
            algorithm,
            pre_tokenizer,
            ignore_merges,
            add_bos,
            bos,
            eos,
            end_of_turn,
            mut kinds,
            merges,
            words,
            text,
        } = Table::parse(bytes)?;
        for &id in &end_of_turn {
            // What ends an answer must not be found in a message, whatever the vocabulary calls it.
            let token = text.token(id);
            if !token.is_empty() && std::str::from_utf8(token).is_ok() {
                kinds[id as usize] = TokenKind::Control;
            }
        }
        let select = |wanted: fn(TokenKind) -> bool| {
            let ids = (0..kinds.len() as u32)
                .filter(|&id| wanted(kinds[id as usize]))
                .collect();
            SpecialTokens::new(ids, &text).map_err(|id| bad(format!("token {id} repeats another special token")))
        };
        let specials = select(TokenKind::is_special)?;
        let controls = select(TokenKind::is_control)?;
        let merges =
            Merges::new(kinds.len() as u32, &merges).ok_or_else(|| bad("a pair of tokens has two merges".into()))?;
        let mut tokenizer = Self {
            algorithm,
            pre_tokenizer,
            ignore_merges,
            add_bos,
            bos,
            eos,
            end_of_turn,
            kinds,
            text,
            words,
            bytes: [None; 256],
            merges,
            specials,
            controls,
        };
        for byte in 0..=u8::MAX {
            tokenizer.bytes[usize::from(byte)] = tokenizer.word(&[byte]);
        }
        if tokenizer.algorithm.has_byte_tokens() {
            let ids = (0..tokenizer.kinds.len() as u32).rev();
            for id in ids.filter(|&id| tokenizer.kinds[id as usize] == TokenKind::Byte) {
                tokenizer.bytes[usize::from(tokenizer.text.token(id)[0])] = Some(id);
            }
        }
        Ok(tokenizer)
    }

    /// The tokens of a text. Nothing is added or trimmed.
    ///
    /// With `parse_special`, the text of a control token becomes that token; without it, it is ordinary text. The text of a user-defined
    /// token always becomes that token. A byte without a token in the vocabulary (rare control characters in some vocabularies) is left
    /// out, as in llama.cpp.
    pub fn encode(&self, text: &str, parse_special: bool) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        self.encode_into(text, parse_special, true, &mut ids);
        ids
    }

    /// As [`Tokenizer::encode`] without special tokens, for text that continues another.
    pub(crate) fn encode_rest(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.encode_into(text, false, false, &mut ids);
        ids
    }

    /// The bytes of a token; for a special token, its text. Empty for an id outside the vocabulary. A character may be spread over several
    /// tokens ([`crate::TextStream`] joins it).
    pub fn decode_bytes(&self, id: u32) -> &[u8] {
        self.text.token(id)
    }

    /// The id of the token with these bytes. A special token takes precedence over another with the same bytes.
    pub fn token_id(&self, bytes: &[u8]) -> Option<u32> {
        self.specials.find(bytes, &self.text).or_else(|| self.word(bytes))
    }

    /// Whether the token is structure and not text: of kind control or unknown, or one that ends an answer.
    pub fn is_control(&self, id: u32) -> bool {
        matches!(
            self.kinds.get(id as usize),
            Some(TokenKind::Control | TokenKind::Unknown)
        )
    }

    /// Whether the token is text that an answer may contain: neither structure nor unused.
    pub(crate) fn is_text(&self, id: u32) -> bool {
        let kind = self.kinds.get(id as usize);
        matches!(kind, Some(TokenKind::Normal | TokenKind::UserDefined | TokenKind::Byte))
            && !self.end_of_turn.contains(&id)
    }

    /// Whether the token is found by merging: neither structure nor a text that is always one token.
    pub(crate) fn is_normal(&self, id: u32) -> bool {
        matches!(self.kinds.get(id as usize), Some(TokenKind::Normal | TokenKind::Byte))
    }

    /// Number of tokens; ids are 0 to one less than this.
    pub fn vocabulary_len(&self) -> u32 {
        self.kinds.len() as u32
    }

    /// Beginning-of-sequence token.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// End-of-sequence token.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Whether sequences must start with [`Tokenizer::bos`]; [`Tokenizer::encode`] leaves this to its caller.
    pub fn add_bos(&self) -> bool {
        self.add_bos
    }

    /// Every token that ends an answer.
    pub fn end_of_turn(&self) -> &[u32] {
        &self.end_of_turn
    }

    /// The rule that splits text into words.
    pub fn pre_tokenizer(&self) -> PreTokenizer {
        self.pre_tokenizer
    }

    /// The texts of the unknown, control and user-defined tokens.
    pub fn special_texts(&self) -> impl Iterator<Item = &str> {
        self.specials.ids().iter().map(|&id| self.special_text(id))
    }

    fn special_text(&self, id: u32) -> &str {
        std::str::from_utf8(self.text.token(id)).expect("special tokens were checked to be UTF-8")
    }

    /// `is_start` says that the text stands at the start of the whole text or behind a special token.
    fn encode_into(&self, text: &str, parse_special: bool, mut is_start: bool, ids: &mut Vec<u32>) {
        let wanted = |found: &Found| parse_special || !self.is_control(found.id);
        let mut merger = Merger::default();
        let mut start = 0;
        for found in self.specials.claim(text, &self.text, wanted) {
            self.encode_text(
                &text[start.min(found.bytes.start)..found.bytes.start],
                is_start,
                &mut merger,
                ids,
            );
            ids.push(found.id);
            start = found.bytes.end + self.stripped_after(found.id, &text[found.bytes.end..]);
            is_start = true;
        }
        self.encode_text(&text[start..], is_start, &mut merger, ids);
    }

    /// How many bytes of the text behind a special token are left out.
    fn stripped_after(&self, id: u32, text: &str) -> usize {
        match &self.algorithm {
            Algorithm::Scores { strip_after, .. } if strip_after.binary_search(&id).is_ok() => {
                // C's isspace, as in llama.cpp.
                let is_space = |character: char| matches!(character, ' ' | '\t'..='\r');
                text.len() - text.trim_start_matches(is_space).len()
            }
            _ => 0,
        }
    }

    fn encode_text(&self, text: &str, is_start: bool, merger: &mut Merger, ids: &mut Vec<u32>) {
        if let Algorithm::Scores {
            scores,
            add_space_prefix,
            ..
        } = &self.algorithm
        {
            return self.encode_by_scores(text, scores, *add_space_prefix && is_start, ids);
        }
        let is_of_characters = self.algorithm == Algorithm::Characters;
        let text = match is_of_characters {
            true => Cow::Owned(text.replace(SPACE, " ")),
            false => Cow::Borrowed(text),
        };
        self.pre_tokenizer.split(&text, |word| {
            let is_whole = self.ignore_merges || self.pre_tokenizer.is_whole(word);
            let bytes = word.as_bytes();
            match is_whole.then(|| self.word(bytes)).flatten() {
                Some(id) => ids.push(id),
                None if is_of_characters => {
                    let symbols = word
                        .split_inclusive(|_| true)
                        .map(|symbol| (self.word(symbol.as_bytes()), symbol.len()));
                    merger.merge(symbols, &self.merges, |token, range| match token {
                        Some(id) => ids.push(id),
                        None => ids.extend(bytes[range].iter().filter_map(|&byte| self.bytes[usize::from(byte)])),
                    });
                }
                None => {
                    let symbols = bytes.iter().map(|&byte| (self.bytes[usize::from(byte)], 1));
                    merger.merge(symbols, &self.merges, |token, _| ids.extend(token));
                }
            }
        });
    }

    /// The pieces of a text, with a space before it if that is asked for.
    fn encode_by_scores(&self, text: &str, scores: &[f32], spaced: bool, ids: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        // To sentencepiece its own sign for a space is a space.
        let text = text.replace(SPACE, " ");
        let text = if spaced { format!(" {text}") } else { text };
        let mut merger = PieceMerger::default();
        self.pre_tokenizer.split(&text, |word| {
            let score = |bytes: &[u8]| self.word(bytes).map(|id| scores[id as usize]);
            merger.cut(word, score, |piece| match self.word(piece) {
                Some(id) => ids.push(id),
                None => ids.extend(piece.iter().filter_map(|&byte| self.bytes[usize::from(byte)])),
            });
        });
    }

    fn word(&self, bytes: &[u8]) -> Option<u32> {
        let index = self
            .words
            .binary_search_by_key(&bytes, |&id| self.text.token(id))
            .ok()?;
        Some(self.words[index])
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tokenizer")
            .field("pre_tokenizer", &self.pre_tokenizer)
            .field("tokens", &self.kinds.len())
            .finish_non_exhaustive()
    }
}

fn bad(reason: String) -> EngineError {
    EngineError::Tokenizer { reason }
}
