//! GPT-2's rule: `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
//! (`unicode_regex_split_custom_gpt2` in llama.cpp's `src/unicode.cpp`).

use super::classes::{Class, contraction, first_class, run, whitespace};

/// Length in bytes of the first word of a text that is not empty.
pub(super) fn word_length(text: &str) -> usize {
    let contracted = contraction(text, false);
    if contracted > 0 {
        return contracted;
    }
    let body = text.strip_prefix(' ').unwrap_or(text);
    match first_class(body) {
        None | Some(Class::Whitespace) => whitespace(text),
        Some(class) => text.len() - body.len() + run(body, class),
    }
}

#[cfg(test)]
mod tests {
    use crate::tokenizer::PreTokenizer;
    use crate::tokenizer::pre_tokenizer::check_words;

    fn check(text: &str, words: &[&str]) {
        check_words(PreTokenizer::Gpt2, text, words);
    }

    #[test]
    fn words_keep_their_leading_space() {
        check("", &[]);
        check(" ", &[" "]);
        check("Hello world", &["Hello", " world"]);
        check("Hello  world ", &["Hello", " ", " world", " "]);
        check("a\n\n b", &["a", "\n\n", " b"]);
        check("a\t\tb", &["a", "\t", "\t", "b"]);
        check(
            "it's we'll 'S don't've",
            &["it", "'s", " we", "'ll", " '", "S", " don", "'t", "'ve"],
        );
        check("x=12345, ½", &["x", "=", "12345", ",", " ½"]);
        check("né\u{301}e\u{a0}日本", &["né", "\u{301}", "e", "\u{a0}", "日本"]);
    }
}
