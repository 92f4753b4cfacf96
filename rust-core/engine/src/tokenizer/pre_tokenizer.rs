//! The rules that split a text into words before byte pairs are merged. One small file per family of rules.

mod classes;
mod deepseek;
mod default;
mod gpt2;
mod gpt4o;
mod lines;
mod llama_bpe;
mod qwen35;
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
    /// Qwen 2: Llama 3's rule with every digit by itself.
    Qwen2,
    /// Qwen 3.5: Qwen 2's rule with combining marks in words.
    Qwen35,
    /// GPT-4o: words by their capitals, with contractions; numbers in groups of three.
    Gpt4o,
    /// Mistral's Tekken: words by their capitals; every digit by itself.
    Tekken,
    /// What is used for files that name no rule: punctuation, GPT-2's rule, numbers in groups of three.
    Default,
    /// Falcon: nearly the default.
    Falcon,
    /// DeepSeek-Coder.
    DeepseekCoder,
    /// DeepSeek-V3.
    Deepseek3,
    /// The text is not split.
    Whole,
    /// DeepSeek-LLM.
    DeepseekLlm,
    /// Gemma 4: runs of line feeds, and what is between them.
    Lines,
}

/// One expression of a rule: the length in bytes of what it finds at the start of a text that is not empty, 0 if that is nothing. What
/// lies between two finds is a piece too.
type Pass = fn(&str) -> usize;

impl PreTokenizer {
    /// Every supported rule, for messages that list them. Their order is that of the numbers in `tokenizer.bin`.
    pub const ALL: [Self; 14] = [
        Self::Gpt2,
        Self::LlamaBpe,
        Self::Smollm,
        Self::Qwen2,
        Self::Qwen35,
        Self::Gpt4o,
        Self::Tekken,
        Self::Default,
        Self::Falcon,
        Self::DeepseekCoder,
        Self::Deepseek3,
        Self::Whole,
        Self::DeepseekLlm,
        Self::Lines,
    ];

    /// The name in GGUF files and in our manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpt2 => "gpt-2",
            Self::LlamaBpe => "llama-bpe",
            Self::Smollm => "smollm",
            Self::Qwen2 => "qwen2",
            Self::Qwen35 => "qwen35",
            Self::Gpt4o => "gpt-4o",
            Self::Tekken => "tekken",
            Self::Default => "default",
            Self::Falcon => "falcon",
            Self::DeepseekCoder => "deepseek-coder",
            Self::Deepseek3 => "deepseek-v3",
            Self::Whole => "none",
            Self::DeepseekLlm => "deepseek-llm",
            Self::Lines => "gemma4",
        }
    }

    /// The rule with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// The expressions, each of which cuts the pieces that the one before it made.
    fn passes(self) -> &'static [Pass] {
        match self {
            Self::Gpt2 => &[gpt2::word_length],
            Self::LlamaBpe => &[llama_bpe::word_length],
            Self::Smollm => &[smollm::number, gpt2::word_length],
            Self::Qwen2 => &[llama_bpe::qwen2_word_length],
            Self::Qwen35 => &[qwen35::word_length],
            Self::Gpt4o => &[gpt4o::word_length],
            Self::Tekken => &[gpt4o::tekken_word_length],
            Self::Default => &[
                default::punctuation,
                gpt2::word_length,
                default::number,
                default::three_digits,
            ],
            Self::Falcon => &[default::falcon_punctuation, gpt2::word_length, default::three_digits],
            Self::DeepseekCoder => &[
                deepseek::line_end,
                deepseek::spaced_letters,
                deepseek::spaced_punctuation,
                deepseek::east_asian,
                smollm::number,
            ],
            Self::Deepseek3 => &[
                deepseek::numbers_of_three,
                deepseek::chinese_and_japanese,
                deepseek::v3_word_length,
            ],
            Self::Whole => &[],
            Self::DeepseekLlm => &[
                deepseek::line_end,
                deepseek::spaced_cased_letters,
                deepseek::spaced_punctuation_and_ascii,
                deepseek::spaces_at_the_end,
                deepseek::east_asian,
                default::number,
            ],
            Self::Lines => &[lines::line_or_line_feeds],
        }
    }

    /// Whether a word is taken whole where it is a token, whatever the merges say.
    pub(super) fn is_whole(self, word: &str) -> bool {
        self == Self::Lines && word.starts_with('\n')
    }

    /// Calls `word` with every word of the text, in order; together they are the text.
    pub(super) fn split<'t>(self, text: &'t str, mut word: impl FnMut(&'t str)) {
        if !text.is_empty() {
            cut(text, self.passes(), &mut word);
        }
    }
}

/// Cuts a text that is not empty.
fn cut<'t>(text: &'t str, passes: &[Pass], word: &mut impl FnMut(&'t str)) {
    let [find, passes @ ..] = passes else { return word(text) };
    let (mut start, mut end) = (0, 0);
    while end < text.len() {
        let length = find(&text[end..]);
        if length == 0 {
            end += text[end..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        if start < end {
            cut(&text[start..end], passes, word);
        }
        cut(&text[end..end + length], passes, word);
        end += length;
        start = end;
    }
    if start < end {
        cut(&text[start..end], passes, word);
    }
}

/// Checks how a rule cuts a text.
#[cfg(test)]
fn check_words(rule: PreTokenizer, text: &str, words: &[&str]) {
    let mut found = Vec::new();
    rule.split(text, |word| found.push(word));
    assert_eq!(found, words, "{text:?}");
}
