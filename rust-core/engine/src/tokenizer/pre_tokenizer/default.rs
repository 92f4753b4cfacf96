//! The rule of files that name none, and Falcon's: punctuation, then GPT-2's rule, then numbers (the default and
//! `LLAMA_VOCAB_PRE_TYPE_FALCON` in llama.cpp's `src/llama-vocab.cpp`).

use super::classes::{Class, is_punctuation, run, run_of};

/// `[\p{P}\$\+<=>\^~\|]+`
pub(super) fn punctuation(text: &str) -> usize {
    run_of(text, is_cut_off)
}

/// `[\p{P}\$\+<=>\^~\|`]+`
pub(super) fn falcon_punctuation(text: &str) -> usize {
    run_of(text, |character| is_cut_off(character) || character == '`')
}

fn is_cut_off(character: char) -> bool {
    is_punctuation(character) || matches!(character, '$' | '+' | '<' | '=' | '>' | '^' | '~' | '|')
}

/// `\p{N}+`
pub(super) fn number(text: &str) -> usize {
    run(text, Class::Number)
}

/// `[0-9][0-9][0-9]`
pub(super) fn three_digits(text: &str) -> usize {
    let digits = text.bytes().take(3).take_while(u8::is_ascii_digit).count();
    if digits == 3 { 3 } else { 0 }
}

#[cfg(test)]
mod tests {
    use crate::tokenizer::PreTokenizer;
    use crate::tokenizer::pre_tokenizer::check_words;

    #[test]
    fn punctuation_stands_alone() {
        check_words(
            PreTokenizer::Default,
            "it's 12345 `x`",
            &["it", "'", "s", " ", "123", "45", " `", "x", "`"],
        );
        check_words(
            PreTokenizer::Falcon,
            "a `x` 1234",
            &["a", " ", "`", "x", "`", " ", "123", "4"],
        );
    }
}
