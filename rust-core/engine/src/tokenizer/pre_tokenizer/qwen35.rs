//! Qwen 3.5's rule, Qwen 2's with marks among the letters:
//! `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
//! (`unicode_regex_split_custom_qwen35` in llama.cpp's `src/unicode.cpp`).

use super::classes::{Class, contraction, is_mark, line_ends, numbers, run_of, whitespace_or_lines};

/// Length in bytes of the first word of a text that is not empty.
pub(super) fn word_length(text: &str) -> usize {
    let contracted = contraction(text, true);
    if contracted > 0 {
        return contracted;
    }
    let first = text.chars().next().expect("the text is not empty");
    if Class::of(first) == Class::Number {
        return numbers(text, 1);
    }
    let rest = &text[first.len_utf8()..];
    let letters = run_of(rest, is_letter);
    if !matches!(first, '\r' | '\n') && (is_letter(first) || letters > 0) {
        return first.len_utf8() + letters;
    }
    let body = if first == ' ' { rest } else { text };
    let symbols = run_of(body, |character| {
        Class::of(character) == Class::Other && !is_mark(character)
    });
    if symbols > 0 {
        let end = text.len() - body.len() + symbols;
        return end + line_ends(&text[end..]);
    }
    whitespace_or_lines(text)
}

fn is_letter(character: char) -> bool {
    Class::of(character) == Class::Letter || is_mark(character)
}

#[cfg(test)]
mod tests {
    use crate::tokenizer::PreTokenizer;
    use crate::tokenizer::pre_tokenizer::check_words;

    fn check(text: &str, words: &[&str]) {
        check_words(PreTokenizer::Qwen35, text, words);
    }

    #[test]
    fn marks_belong_to_words() {
        check("", &[]);
        check("ne\u{301}e \u{301}x", &["ne\u{301}e", " \u{301}x"]);
        check("It'S 12 -- \n x", &["It", "'S", " ", "1", "2", " --", " \n", " x"]);
        check("-\u{301}", &["-\u{301}"]);
    }
}
