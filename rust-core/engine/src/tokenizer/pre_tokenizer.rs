//! The rules that split a text into words before byte pairs are merged. One small file per rule.

mod classes;
mod gpt2;
mod llama_bpe;
mod smollm;

/// How a text is split into words. The name is GGUF's `tokenizer.ggml.pre`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PreTokenizer {
    /// GPT-2: words with their leading space, runs of numbers, runs of other characters.
    Gpt2,
    /// Llama 3: contractions in any case, numbers in groups of three, line ends with the characters before them.
    LlamaBpe,
    /// SmolLM: every digit by itself, then GPT-2's rule.
    Smollm,
}

impl PreTokenizer {
    /// Every supported rule, for messages that list them.
    pub const ALL: [Self; 3] = [Self::Gpt2, Self::LlamaBpe, Self::Smollm];

    /// The name in GGUF files and in our manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpt2 => "gpt-2",
            Self::LlamaBpe => "llama-bpe",
            Self::Smollm => "smollm",
        }
    }

    /// The rule with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// Calls `word` with every word of the text, in order; together they are the text.
    pub(super) fn split<'t>(self, text: &'t str, mut word: impl FnMut(&'t str)) {
        let mut rest = text;
        match self {
            Self::Gpt2 => {
                while !rest.is_empty() {
                    rest = cut(rest, gpt2::word_length(rest), &mut word);
                }
            }
            Self::LlamaBpe => {
                while !rest.is_empty() {
                    rest = cut(rest, llama_bpe::word_length(rest), &mut word);
                }
            }
            Self::Smollm => {
                while !rest.is_empty() {
                    let mut piece = &rest[..smollm::piece_length(rest)];
                    rest = &rest[piece.len()..];
                    while !piece.is_empty() {
                        piece = cut(piece, gpt2::word_length(piece), &mut word);
                    }
                }
            }
        }
    }
}

fn cut<'t>(text: &'t str, length: usize, word: &mut impl FnMut(&'t str)) -> &'t str {
    let (head, rest) = text.split_at(length);
    word(head);
    rest
}
