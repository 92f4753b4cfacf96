//! SmolLM's rule: `\p{N}` splits off every number character, then GPT-2's rule splits the text between them (`LLAMA_VOCAB_PRE_TYPE_SMOLLM`
//! in llama.cpp's `src/llama-vocab.cpp`).

use super::classes::Class;

/// Length in bytes of the first piece of a text that is not empty: one number character, or all up to the next one.
pub(super) fn piece_length(text: &str) -> usize {
    let is_number = |character| Class::of(character) == Class::Number;
    match text.find(is_number) {
        Some(0) => text.chars().next().map_or(0, char::len_utf8),
        Some(length) => length,
        None => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use crate::tokenizer::PreTokenizer;

    fn check(text: &str, words: &[&str]) {
        let mut found = Vec::new();
        PreTokenizer::Smollm.split(text, |word| found.push(word));
        assert_eq!(found, words);
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
