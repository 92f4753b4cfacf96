//! The tokenizer as a file, `tokenizer.bin`: parsing and checking it. [`super::TokenizerParts`] writes it.
//!
//! The file (version 1, 2 with scores, or 3 with merges of characters, little-endian, no padding, nothing after the end):
//!
//! | bytes | content |
//! |---|---|
//! | 8 | the letters `WHIMTOK` and a zero byte |
//! | 4 × 9 | version, rule (index in [`PreTokenizer::ALL`]), flags (1: whole words before merges, 2: starts with `bos`, 4: scores, 8: a space before the text, 16: stripping, these three only in version 2, 32: merges of characters, always and only in version 3), `bos`, `eos` (`u32::MAX`: none), numbers of tokens, merges, end-of-turn tokens and words |
//! | 4 each | end-of-turn tokens |
//! | 4 each | ends of the tokens in the text at the file's end |
//! | 12 each | merges in order of rank: left token, right token, resulting token |
//! | 4 each | words: the tokens that can result from merging, sorted by their bytes |
//! | 4 per token | with scores only: the scores, floats of 32 bits |
//! | 4 + 4 each | with stripping only: the number of special tokens behind which whitespace is left out, and those tokens in ascending order |
//! | 1 per token | kinds |
//! | | the tokens' bytes, one after the other |

use super::kind::TokenKind;
use super::{Algorithm, PreTokenizer};
use crate::EngineError;

/// The most tokens that a vocabulary may have.
pub(super) const TOKENS_MAX: u32 = 1 << 20;
/// The most merges.
pub(super) const MERGES_MAX: u32 = 1 << 21;
/// The longest token, in bytes.
pub(super) const TOKEN_BYTES_MAX: u32 = 1 << 12;
/// The largest `tokenizer.bin`, in bytes.
pub(crate) const TOKENIZER_BYTES_MAX: u64 = 1 << 27;
/// The most tokens that end an answer.
pub(super) const END_OF_TURN_MAX: u32 = 256;

pub(super) const MAGIC: [u8; 8] = *b"WHIMTOK\0";
pub(super) const VERSION: u32 = 1;
/// The version of files with scores, which engines that do not know them refuse.
pub(super) const VERSION_SCORES: u32 = 2;
/// The version of files with merges of characters, likewise.
pub(super) const VERSION_CHARACTERS: u32 = 3;
pub(super) const NO_TOKEN: u32 = u32::MAX;
pub(super) const FLAG_IGNORE_MERGES: u32 = 1;
pub(super) const FLAG_ADD_BOS: u32 = 2;
pub(super) const FLAG_SCORES: u32 = 4;
pub(super) const FLAG_ADD_SPACE_PREFIX: u32 = 8;
pub(super) const FLAG_STRIP_AFTER: u32 = 16;
pub(super) const FLAG_CHARACTERS: u32 = 32;

/// The checked content of `tokenizer.bin`.
pub(super) struct Table {
    pub(super) algorithm: Algorithm,
    pub(super) pre_tokenizer: PreTokenizer,
    pub(super) ignore_merges: bool,
    pub(super) add_bos: bool,
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) end_of_turn: Vec<u32>,
    pub(super) kinds: Vec<TokenKind>,
    /// Left, right, result; the index is the rank.
    pub(super) merges: Vec<[u32; 3]>,
    /// Ids of the tokens that merging can give, by their bytes.
    pub(super) words: Vec<u32>,
    pub(super) text: TokenText,
}

/// The bytes of all tokens.
pub(super) struct TokenText {
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl TokenText {
    /// The bytes of a token; none for an id outside the vocabulary.
    pub(super) fn token(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else { return &[] };
        let start = id.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start as usize..end as usize]
    }
}

impl Table {
    /// Reads and checks the whole file. What is allocated is in proportion to the bytes given.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, EngineError> {
        if bytes.len() as u64 > TOKENIZER_BYTES_MAX {
            return Err(bad(format!(
                "{} bytes, the limit is {TOKENIZER_BYTES_MAX}",
                bytes.len()
            )));
        }
        let mut reader = Reader { rest: bytes };
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(bad("not a tokenizer file".into()));
        }
        let version = reader.number()?;
        let known_flags = match version {
            VERSION => FLAG_IGNORE_MERGES | FLAG_ADD_BOS,
            VERSION_SCORES => {
                FLAG_IGNORE_MERGES | FLAG_ADD_BOS | FLAG_SCORES | FLAG_ADD_SPACE_PREFIX | FLAG_STRIP_AFTER
            }
            VERSION_CHARACTERS => FLAG_IGNORE_MERGES | FLAG_ADD_BOS | FLAG_CHARACTERS,
            _ => {
                let reason = format!("version {version}, this engine reads {VERSION} to {VERSION_CHARACTERS}");
                return Err(bad(reason));
            }
        };
        let rule = reader.number()?;
        let pre_tokenizer = *PreTokenizer::ALL
            .get(rule as usize)
            .ok_or_else(|| bad(format!("pre-tokenizer {rule} is not known")))?;
        let flags = reader.number()?;
        if flags & !known_flags != 0 || (version == VERSION_CHARACTERS) != (flags & FLAG_CHARACTERS != 0) {
            return Err(bad(format!("flags {flags:#x} are not known")));
        }
        let [bos, eos] = [reader.number()?, reader.number()?].map(|id| (id != NO_TOKEN).then_some(id));
        let token_count = limited("the vocabulary", reader.number()? as usize, TOKENS_MAX)?;
        let merge_count = limited("the list of merges", reader.number()? as usize, MERGES_MAX)?;
        let end_of_turn_count = limited(
            "the list of end-of-turn tokens",
            reader.number()? as usize,
            END_OF_TURN_MAX,
        )?;
        let word_count = limited("the list of words", reader.number()? as usize, token_count)?;
        let end_of_turn = reader.numbers(end_of_turn_count)?;
        let ends = reader.numbers(token_count)?;
        let merges = reader.rows(merge_count)?;
        let words = reader.numbers(word_count)?;
        let algorithm = match flags & FLAG_SCORES {
            0 if flags & FLAG_CHARACTERS != 0 => Algorithm::Characters,
            0 => Algorithm::Merges,
            _ => Algorithm::Scores {
                scores: reader.numbers(token_count)?.into_iter().map(f32::from_bits).collect(),
                add_space_prefix: flags & FLAG_ADD_SPACE_PREFIX != 0,
                strip_after: match flags & FLAG_STRIP_AFTER {
                    0 => Vec::new(),
                    _ => {
                        let what = "the list of tokens with stripping";
                        let count = limited(what, reader.number()? as usize, token_count)?;
                        reader.numbers(count)?
                    }
                },
            },
        };
        let kinds = reader.kinds(token_count)?;
        let text = TokenText {
            ends,
            bytes: reader.rest.to_vec(),
        };
        let table = Self {
            algorithm,
            pre_tokenizer,
            ignore_merges: flags & FLAG_IGNORE_MERGES != 0,
            add_bos: flags & FLAG_ADD_BOS != 0,
            bos,
            eos,
            end_of_turn,
            kinds,
            merges,
            words,
            text,
        };
        table.check()?;
        Ok(table)
    }

    pub(super) fn token(&self, id: u32) -> &[u8] {
        self.text.token(id)
    }

    fn check(&self) -> Result<(), EngineError> {
        self.check_text()?;
        self.check_bytes()?;
        self.check_scores()?;
        self.check_roles()?;
        self.check_words()?;
        self.check_merges()
    }

    fn check_text(&self) -> Result<(), EngineError> {
        let mut start = 0;
        for (id, &end) in self.text.ends.iter().enumerate() {
            if end < start || end - start > TOKEN_BYTES_MAX || end as usize > self.text.bytes.len() {
                return Err(bad(format!(
                    "token {id} has no valid length (the limit is {TOKEN_BYTES_MAX} bytes)"
                )));
            }
            start = end;
        }
        if start as usize != self.text.bytes.len() {
            return Err(bad(format!(
                "{} bytes after the last token",
                self.text.bytes.len() - start as usize
            )));
        }
        for (id, kind) in self.kinds.iter().enumerate() {
            let token = self.token(id as u32);
            if kind.is_special() && (token.is_empty() || std::str::from_utf8(token).is_err()) {
                return Err(bad(format!("special token {id} is empty or not UTF-8")));
            }
        }
        Ok(())
    }

    /// The tokens of single bytes.
    fn check_bytes(&self) -> Result<(), EngineError> {
        let is_byte = |id: &usize| self.kinds[*id] == TokenKind::Byte && self.algorithm.has_byte_tokens();
        match (0..self.kinds.len()).find(|id| is_byte(id) && self.token(*id as u32).len() != 1) {
            Some(id) => Err(bad(format!("token {id} is of kind byte and does not have one byte"))),
            None => Ok(()),
        }
    }

    fn check_scores(&self) -> Result<(), EngineError> {
        let Algorithm::Scores {
            scores, strip_after, ..
        } = &self.algorithm
        else {
            return Ok(());
        };
        let is_in_order = strip_after.is_sorted_by(|a, b| a < b);
        let are_tokens = strip_after
            .last()
            .is_none_or(|&last| (last as usize) < self.kinds.len());
        if !is_in_order || !are_tokens {
            return Err(bad("the tokens with stripping are not tokens in ascending order".into()));
        }
        if let Some(id) = scores.iter().position(|score| score.is_nan()) {
            return Err(bad(format!("the score of token {id} is NaN")));
        }
        match self.merges.is_empty() {
            true => Ok(()),
            false => Err(bad("it has both scores and merges".into())),
        }
    }

    fn check_roles(&self) -> Result<(), EngineError> {
        let ids = self.bos.iter().chain(&self.eos).chain(&self.end_of_turn);
        match ids.copied().find(|&id| id as usize >= self.kinds.len()) {
            Some(id) => Err(bad(format!(
                "token {id} has a role, but there are {} tokens",
                self.kinds.len()
            ))),
            None if self.add_bos && self.bos.is_none() => {
                Err(bad("sequences start with bos, but none is named".into()))
            }
            None => Ok(()),
        }
    }

    fn check_words(&self) -> Result<(), EngineError> {
        let expected = (0..self.kinds.len())
            .filter(|&id| is_word(&self.algorithm, self.kinds[id], self.token(id as u32)))
            .count();
        if self.words.len() != expected {
            return Err(bad(format!(
                "{} words are listed, there are {expected}",
                self.words.len()
            )));
        }
        let mut before: Option<&[u8]> = None;
        for &id in &self.words {
            let token = self.token(id);
            let is_listed = |&kind: &TokenKind| is_word(&self.algorithm, kind, token);
            if !self.kinds.get(id as usize).is_some_and(is_listed) {
                return Err(bad(format!("token {id} is listed as a word")));
            }
            if before.is_some_and(|before| before >= token) {
                return Err(bad(format!("token {id} repeats another token or is out of order")));
            }
            before = Some(token);
        }
        Ok(())
    }

    fn check_merges(&self) -> Result<(), EngineError> {
        for (rank, &[left, right, result]) in self.merges.iter().enumerate() {
            let whole = self.token(result);
            let (left, right) = (self.token(left), self.token(right));
            let reachable = self
                .kinds
                .get(result as usize)
                .is_some_and(|&kind| is_word(&self.algorithm, kind, whole));
            let joins = !left.is_empty() && !right.is_empty() && whole.len() == left.len() + right.len();
            if !reachable || !joins || !whole.starts_with(left) || !whole.ends_with(right) {
                return Err(bad(format!("merge {rank} does not give the token that it names")));
            }
        }
        Ok(())
    }
}

/// Whether merging can give this token. A special token can only be met that way if its text means the same in plain text and
/// in the byte-level alphabet, which is so for visible ASCII. Where tokens are written as sentencepiece does it is never met that way, and neither
/// is the token of a byte.
pub(super) fn is_word(algorithm: &Algorithm, kind: TokenKind, bytes: &[u8]) -> bool {
    if algorithm.has_byte_tokens() {
        return kind == TokenKind::Normal && !bytes.is_empty() && std::str::from_utf8(bytes).is_ok();
    }
    match kind {
        TokenKind::Normal | TokenKind::Byte => !bytes.is_empty(),
        TokenKind::Unused => false,
        TokenKind::Unknown | TokenKind::Control | TokenKind::UserDefined => bytes.iter().all(u8::is_ascii_graphic),
    }
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], EngineError> {
        let (head, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| bad("the file ends too early".into()))?;
        self.rest = rest;
        Ok(head)
    }

    fn number(&mut self) -> Result<u32, EngineError> {
        Ok(self.numbers(1)?[0])
    }

    fn numbers(&mut self, count: u32) -> Result<Vec<u32>, EngineError> {
        Ok(self.rows::<1>(count)?.into_iter().flatten().collect())
    }

    /// Rows of numbers; the bytes are seen to be there before anything is allocated.
    fn rows<const COLUMNS: usize>(&mut self, count: u32) -> Result<Vec<[u32; COLUMNS]>, EngineError> {
        let (numbers, _) = self.take(count as usize * COLUMNS * 4)?.as_chunks::<4>();
        let (rows, _) = numbers.as_chunks::<COLUMNS>();
        Ok(rows.iter().map(|row| row.map(u32::from_le_bytes)).collect())
    }

    fn kinds(&mut self, count: u32) -> Result<Vec<TokenKind>, EngineError> {
        let kinds = self.take(count as usize)?.iter().enumerate();
        kinds
            .map(|(id, &number)| {
                TokenKind::from_number(number.into())
                    .ok_or_else(|| bad(format!("token {id} has the unknown kind {number}")))
            })
            .collect()
    }
}

pub(super) fn limited(what: &str, count: usize, limit: u32) -> Result<u32, EngineError> {
    match u32::try_from(count) {
        Ok(count) if count <= limit => Ok(count),
        _ => Err(bad(format!("{what} has {count} entries, the limit is {limit}"))),
    }
}

pub(super) fn bad(reason: String) -> EngineError {
    EngineError::Tokenizer { reason }
}
