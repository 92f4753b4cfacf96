//! Gemma 4's rule as llama.cpp runs it (`LLAMA_VOCAB_PRE_TYPE_GEMMA4` in llama.cpp's `src/llama-vocab.cpp`).

use super::classes::run_of;

/// `[^\n]+|[\n]+`
pub(super) fn line_or_line_feeds(text: &str) -> usize {
    let is_line_feeds = text.starts_with('\n');
    run_of(text, |character| (character == '\n') == is_line_feeds)
}

#[cfg(test)]
mod tests {
    use super::super::{PreTokenizer, check_words};

    #[test]
    fn words_are_lines() {
        let check = |text: &str, words: &[&str]| check_words(PreTokenizer::Lines, text, words);
        check("", &[]);
        check("a b", &["a b"]);
        check("\n\na\r\n b\n", &["\n\n", "a\r", "\n", " b", "\n"]);
    }
}
