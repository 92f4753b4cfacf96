//! What an importer hands over to make a tokenizer, and the tokenizer as a file: `tokenizer.bin`.
//!
//! The file (version 1, little-endian, no padding, nothing after the end):
//!
//! | bytes | content |
//! |---|---|
//! | 8 | the letters `WHIMTOK` and a zero |
//! | 4 × 9 | version, rule (index in [`PreTokenizer::ALL`]), flags (1: whole words before merges, 2: starts with `bos`), `bos`, `eos` (`u32::MAX`: none), numbers of tokens, merges, end-of-turn tokens and words |
//! | 4 a piece | end-of-turn tokens |
//! | 4 a piece | ends of the tokens in the text at the file's end |
//! | 12 a piece | merges in order of rank: left token, right token, the token they become |
//! | 4 a piece | words: the tokens that merging can give, sorted by their bytes |
//! | 1 a token | kinds |
//! | | the tokens' bytes, one after the other |

use super::{PreTokenizer, byte_level};
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

const MAGIC: [u8; 8] = *b"WHIMTOK\0";
const VERSION: u32 = 1;
const NO_TOKEN: u32 = u32::MAX;
const FLAG_IGNORE_MERGES: u32 = 1;
const FLAG_ADD_BOS: u32 = 2;

/// What a token is for. The numbers are those of GGUF's `tokenizer.ggml.token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TokenKind {
    /// Text, found by merging.
    Normal = 1,
    /// Stands for what the vocabulary cannot express; never the result of encoding text.
    Unknown = 2,
    /// Structure of the conversation: found only where special tokens are asked for.
    Control = 3,
    /// A text that is always one token.
    UserDefined = 4,
    /// Never the result of encoding.
    Unused = 5,
    /// A single byte; treated as [`TokenKind::Normal`].
    Byte = 6,
}

impl TokenKind {
    const ALL: [Self; 6] = [
        Self::Normal,
        Self::Unknown,
        Self::Control,
        Self::UserDefined,
        Self::Unused,
        Self::Byte,
    ];

    /// The kind with GGUF's number for it.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u32 == number)
    }

    /// Whether the token's text is looked for in the text before it is cut into words.
    pub(super) fn is_special(self) -> bool {
        self.is_control() || self == Self::UserDefined
    }

    /// Whether the token is structure and not text.
    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Unknown | Self::Control)
    }
}

/// A tokenizer as an importer hands it over; [`TokenizerParts::to_bytes`] is the content of `tokenizer.bin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerParts {
    /// How text is cut into words.
    pub pre_tokenizer: PreTokenizer,
    /// Whether a word that is a token is taken whole, without looking at the merges.
    pub ignore_merges: bool,
    /// The bytes of every token, by id: of special kinds (unknown, control, user-defined) their text as it is, of the others
    /// what [`TokenizerParts::unmap`] makes of their text. A token whose text cannot be un-mapped can never come out of
    /// merging: give it its text and the kind [`TokenKind::Unused`].
    pub tokens: Vec<Vec<u8>>,
    /// The kind of every token.
    pub kinds: Vec<TokenKind>,
    /// Pairs of tokens that become one, the most urgent first. Of equal pairs the first counts.
    pub merges: Vec<(u32, u32)>,
    /// Beginning-of-sequence token.
    pub bos: Option<u32>,
    /// End-of-sequence token.
    pub eos: Option<u32>,
    /// Whether a sequence starts with `bos`.
    pub add_bos: bool,
    /// Every token that ends an answer. They count as control tokens, whatever their kind.
    pub end_of_turn: Vec<u32>,
}

impl TokenizerParts {
    /// The bytes that a token's text in a byte-level vocabulary stands for (GPT-2's alphabet, in which `Ġ` is a space), or
    /// `None` if the text has a character outside that alphabet.
    ///
    /// ```
    /// use whimbrel_engine::TokenizerParts;
    ///
    /// assert_eq!(TokenizerParts::unmap("Ġbird"), Some(b" bird".to_vec()));
    /// assert_eq!(TokenizerParts::unmap("日"), None);
    /// ```
    pub fn unmap(text: &str) -> Option<Vec<u8>> {
        byte_level::decode(text)
    }

    /// The content of `tokenizer.bin`.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] if a limit is passed, an id is out of range, two tokens are equal (among those that merging
    /// can give, or among the special ones), a special token is empty or not UTF-8, or two merged tokens give no token.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EngineError> {
        let token_count = limited("the vocabulary", self.tokens.len(), TOKENS_MAX)?;
        let end_of_turn_count = limited(
            "the list of end-of-turn tokens",
            self.end_of_turn.len(),
            END_OF_TURN_MAX,
        )?;
        if self.kinds.len() != self.tokens.len() {
            return Err(bad(format!("{token_count} tokens, but {} kinds", self.kinds.len())));
        }
        let words = self.sorted_words();
        let merges = self.resolved_merges(&words)?;
        let mut out = MAGIC.to_vec();
        let ignore_merges = if self.ignore_merges { FLAG_IGNORE_MERGES } else { 0 };
        let add_bos = if self.add_bos { FLAG_ADD_BOS } else { 0 };
        let rule = PreTokenizer::ALL
            .iter()
            .position(|&rule| rule == self.pre_tokenizer)
            .expect("every rule is in ALL");
        for field in [
            VERSION,
            rule as u32,
            ignore_merges | add_bos,
            self.bos.unwrap_or(NO_TOKEN),
            self.eos.unwrap_or(NO_TOKEN),
            token_count,
            limited("the list of merges", merges.len(), MERGES_MAX)?,
            end_of_turn_count,
            words.len() as u32,
        ] {
            out.extend(field.to_le_bytes());
        }
        let mut end = 0;
        let ends = self.tokens.iter().map(|token| {
            end += token.len() as u32;
            end
        });
        let numbers = self
            .end_of_turn
            .iter()
            .copied()
            .chain(ends)
            .chain(merges.into_iter().flatten())
            .chain(words);
        for number in numbers {
            out.extend(number.to_le_bytes());
        }
        out.extend(self.kinds.iter().map(|&kind| kind as u8));
        out.extend(self.tokens.iter().flatten());
        // Whatever else is wrong is found by reading it back, so that writing and reading cannot disagree.
        Table::parse(&out)?;
        Ok(out)
    }

    /// Reads what [`TokenizerParts::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] if the bytes are not a valid tokenizer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EngineError> {
        let table = Table::parse(bytes)?;
        Ok(Self {
            pre_tokenizer: table.pre_tokenizer,
            ignore_merges: table.ignore_merges,
            tokens: (0..table.kinds.len() as u32)
                .map(|id| table.token(id).to_vec())
                .collect(),
            merges: table.merges.iter().map(|&[left, right, _]| (left, right)).collect(),
            bos: table.bos,
            eos: table.eos,
            add_bos: table.add_bos,
            end_of_turn: table.end_of_turn,
            kinds: table.kinds,
        })
    }

    fn sorted_words(&self) -> Vec<u32> {
        let mut words: Vec<u32> = (0..self.tokens.len() as u32)
            .filter(|&id| is_word(self.kinds[id as usize], &self.tokens[id as usize]))
            .collect();
        words.sort_by_key(|&id| &self.tokens[id as usize]);
        words
    }

    /// Left, right and resulting token of every merge, without those that repeat an earlier one.
    fn resolved_merges(&self, words: &[u32]) -> Result<Vec<[u32; 3]>, EngineError> {
        let mut seen = std::collections::HashSet::with_capacity(self.merges.len());
        let mut resolved = Vec::with_capacity(self.merges.len());
        for (rank, &(left, right)) in self.merges.iter().enumerate() {
            if !seen.insert((left, right)) {
                continue;
            }
            let part = |id: u32| {
                self.tokens
                    .get(id as usize)
                    .ok_or_else(|| bad(format!("merge {rank} names the unknown token {id}")))
            };
            let merged = [part(left)?.as_slice(), part(right)?].concat();
            let found = words
                .binary_search_by_key(&merged.as_slice(), |&id| &self.tokens[id as usize])
                .map_err(|_| bad(format!("merge {rank} of tokens {left} and {right} gives no token")))?;
            resolved.push([left, right, words[found]]);
        }
        Ok(resolved)
    }
}

/// Whether merging can give this token. A special token can only be met that way if its text means the same in plain text and
/// in the byte-level alphabet, which is so for visible ASCII.
fn is_word(kind: TokenKind, bytes: &[u8]) -> bool {
    match kind {
        TokenKind::Normal | TokenKind::Byte => !bytes.is_empty(),
        TokenKind::Unused => false,
        TokenKind::Unknown | TokenKind::Control | TokenKind::UserDefined => bytes.iter().all(u8::is_ascii_graphic),
    }
}

/// The checked content of `tokenizer.bin`.
pub(super) struct Table {
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
        if version != VERSION {
            return Err(bad(format!("version {version}, this engine reads {VERSION}")));
        }
        let rule = reader.number()?;
        let pre_tokenizer = *PreTokenizer::ALL
            .get(rule as usize)
            .ok_or_else(|| bad(format!("pre-tokenizer {rule} is not known")))?;
        let flags = reader.number()?;
        if flags & !(FLAG_IGNORE_MERGES | FLAG_ADD_BOS) != 0 {
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
        let kinds = reader.kinds(token_count)?;
        let text = TokenText {
            ends,
            bytes: reader.rest.to_vec(),
        };
        let table = Self {
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
            .filter(|&id| is_word(self.kinds[id], self.token(id as u32)))
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
            if !self.kinds.get(id as usize).is_some_and(|&kind| is_word(kind, token)) {
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
                .is_some_and(|&kind| is_word(kind, whole));
            let joins = !left.is_empty() && !right.is_empty() && whole.len() == left.len() + right.len();
            if !reachable || !joins || !whole.starts_with(left) || !whole.ends_with(right) {
                return Err(bad(format!("merge {rank} does not give the token that it names")));
            }
        }
        Ok(())
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

fn limited(what: &str, count: usize, limit: u32) -> Result<u32, EngineError> {
    match u32::try_from(count) {
        Ok(count) if count <= limit => Ok(count),
        _ => Err(bad(format!("{what} has {count} entries, the limit is {limit}"))),
    }
}

fn bad(reason: String) -> EngineError {
    EngineError::Tokenizer { reason }
}
