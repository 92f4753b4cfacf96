//! The input from which an importer makes a tokenizer, and writing its file (see [`super::table`]).

use super::kind::TokenKind;
use super::pieces::SPACE;
use super::table::{
    END_OF_TURN_MAX, FLAG_ADD_BOS, FLAG_ADD_SPACE_PREFIX, FLAG_CHARACTERS, FLAG_IGNORE_MERGES, FLAG_SCORES,
    FLAG_STRIP_AFTER, MAGIC, MERGES_MAX, NO_TOKEN, TOKENS_MAX, Table, VERSION, VERSION_CHARACTERS, VERSION_SCORES, bad,
    is_word, limited,
};
use super::{PreTokenizer, byte_level};
use crate::EngineError;

/// How words become tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Algorithm {
    /// Byte-level byte-pair encoding: the pairs of [`TokenizerParts::merges`] are merged in their order, starting from single bytes.
    #[default]
    Merges,
    /// Byte-pair encoding of text as sentencepiece writes it: the pairs of [`TokenizerParts::merges`] are merged in their order, starting from
    /// characters. A character that is not a token becomes the tokens of its bytes.
    Characters,
    /// Sentencepiece: the pair whose text has the highest score is merged, starting from characters. A character that is not a token becomes
    /// the tokens of its bytes.
    Scores {
        /// The score of every token. None of them is NaN.
        scores: Vec<f32>,
        /// Whether a space is put before the text at its start and behind a special token.
        add_space_prefix: bool,
        /// Special tokens behind which whitespace (ASCII) is left out.
        strip_after: Vec<u32>,
    },
}

impl Algorithm {
    /// Whether tokens are written as sentencepiece writes them: `▁` is a space, and tokens of kind [`TokenKind::Byte`] stand for the bytes of what
    /// is not a token.
    pub(super) fn has_byte_tokens(&self) -> bool {
        *self != Algorithm::Merges
    }
}

/// A tokenizer as an importer provides it. [`TokenizerParts::to_bytes`] is the content of `tokenizer.bin`.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenizerParts {
    /// How words become tokens.
    pub algorithm: Algorithm,
    /// How text is split into words.
    pub pre_tokenizer: PreTokenizer,
    /// Whether a word that is a token is taken whole, without applying merges.
    pub ignore_merges: bool,
    /// The bytes of every token, by id: for special kinds (unknown, control, user-defined) their text as it is, for the others the result
    /// of [`TokenizerParts::unmap`]. A token whose text cannot be unmapped can never result from merging: give it its text and the kind
    /// [`TokenKind::Unused`]. With another algorithm than [`Algorithm::Merges`], [`TokenizerParts::unescape`] takes the place of `unmap`, and
    /// tokens of kind [`TokenKind::Byte`] have one byte.
    pub tokens: Vec<Vec<u8>>,
    /// The kind of every token.
    pub kinds: Vec<TokenKind>,
    /// Pairs of tokens that are merged into one, highest priority first. Of equal pairs the first counts.
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
    /// The bytes that a token's text in a byte-level vocabulary represents (in GPT-2's alphabet, `Ġ` is a space), or `None` if the text
    /// contains a character outside that alphabet.
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

    /// The text that a sentencepiece token represents: `▁` is a space.
    #[must_use]
    pub fn unescape(text: &str) -> String {
        text.replace(SPACE, " ")
    }

    /// The content of `tokenizer.bin`.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] if a limit is exceeded, an id is out of range, two tokens are equal (among those that merging can give,
    /// or among the special ones), a special token is empty or not UTF-8, or a merge does not result in a token.
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
        let (scores, strip_after, algorithm) = self.scores()?;
        let flags = ignore_merges | add_bos | algorithm;
        let rule = PreTokenizer::ALL
            .iter()
            .position(|&rule| rule == self.pre_tokenizer)
            .expect("every rule is in ALL");
        for field in [
            match self.algorithm {
                Algorithm::Merges => VERSION,
                Algorithm::Scores { .. } => VERSION_SCORES,
                Algorithm::Characters => VERSION_CHARACTERS,
            },
            rule as u32,
            flags,
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
        out.extend(scores.iter().flat_map(|score| score.to_le_bytes()));
        if flags & FLAG_STRIP_AFTER != 0 {
            let count = limited("the list of tokens with stripping", strip_after.len(), token_count)?;
            let numbers = std::iter::once(&count).chain(strip_after);
            out.extend(numbers.flat_map(|number| number.to_le_bytes()));
        }
        out.extend(self.kinds.iter().map(|&kind| kind as u8));
        out.extend(self.tokens.iter().flatten());
        // Whatever else is wrong is found by reading it back, so that writing and reading cannot disagree.
        Table::parse(&out)?;
        Ok(out)
    }

    /// Parses what [`TokenizerParts::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`EngineError::Tokenizer`] if the bytes are not a valid tokenizer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EngineError> {
        let table = Table::parse(bytes)?;
        let tokens = (0..table.kinds.len() as u32)
            .map(|id| table.token(id).to_vec())
            .collect();
        Ok(Self {
            algorithm: table.algorithm,
            pre_tokenizer: table.pre_tokenizer,
            ignore_merges: table.ignore_merges,
            tokens,
            merges: table.merges.iter().map(|&[left, right, _]| (left, right)).collect(),
            bos: table.bos,
            eos: table.eos,
            add_bos: table.add_bos,
            end_of_turn: table.end_of_turn,
            kinds: table.kinds,
        })
    }

    /// The scores and the tokens with stripping, of which there are none without scores, and the flags that say what there is.
    fn scores(&self) -> Result<(&[f32], &[u32], u32), EngineError> {
        match &self.algorithm {
            Algorithm::Merges => Ok((&[], &[], 0)),
            Algorithm::Characters => Ok((&[], &[], FLAG_CHARACTERS)),
            Algorithm::Scores { scores, .. } if scores.len() != self.tokens.len() => Err(bad(format!(
                "{} tokens, but {} scores",
                self.tokens.len(),
                scores.len()
            ))),
            Algorithm::Scores {
                scores,
                add_space_prefix,
                strip_after,
            } => {
                let space = if *add_space_prefix { FLAG_ADD_SPACE_PREFIX } else { 0 };
                let strip = if strip_after.is_empty() { 0 } else { FLAG_STRIP_AFTER };
                Ok((scores, strip_after, FLAG_SCORES | space | strip))
            }
        }
    }

    fn sorted_words(&self) -> Vec<u32> {
        let mut words: Vec<u32> = (0..self.tokens.len() as u32)
            .filter(|&id| is_word(&self.algorithm, self.kinds[id as usize], &self.tokens[id as usize]))
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
