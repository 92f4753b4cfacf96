//! SmolLM's rule: `\p{N}` splits off every number character, then GPT-2's rule splits the text between them (`LLAMA_VOCAB_PRE_TYPE_SMOLLM`
//! in llama.cpp's `src/llama-vocab.cpp`).

use super::classes::numbers;

/// Length in bytes of the number character at the start of a text, 0 if there is none.
pub(super) fn number(text: &str) -> usize {
    numbers(text, 1)
}

#[cfg(test)]
mod tests {
    use crate::tokenizer::PreTokenizer;
    use crate::tokenizer::pre_tokenizer::check_words;

    fn check(text: &str, words: &[&str]) {
        check_words(PreTokenizer::Smollm, text, words);
    }

    #[test]
    fn numbers_stand_alone() {
        check("", &[]);
        check("x 123", &["x", " ", "1", "2", "3"]);
        check("  1  2", &["  ", "1", "  ", "2"]);
        check("½ cup", &["½", " cup"]);
        check("it's", &["it", "'s"]);
    }
}
