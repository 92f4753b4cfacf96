//! Llama 3's rule: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
//! (`unicode_regex_split_custom_llama3` in llama.cpp's `src/unicode.cpp`), and Qwen 2's, which differs in `\p{N}`
//! (`unicode_regex_split_custom_qwen2`).

use super::classes::{Class, contraction, first_class, line_ends, numbers, run, whitespace_or_lines};

/// Length in bytes of the first word of a text that is not empty, under Llama 3's rule.
pub(super) fn word_length(text: &str) -> usize {
    word_with_numbers(text, 3)
}

/// Length in bytes of the first word of a text that is not empty, under Qwen 2's rule.
pub(super) fn qwen2_word_length(text: &str) -> usize {
    word_with_numbers(text, 1)
}

fn word_with_numbers(text: &str, number_characters_max: usize) -> usize {
    let contracted = contraction(text, true);
    if contracted > 0 {
        return contracted;
    }
    let first = text.chars().next().expect("the text is not empty");
    let class = Class::of(first);
    if class == Class::Number {
        return numbers(text, number_characters_max);
    }
    let rest = &text[first.len_utf8()..];
    let may_lead_letters = !matches!(first, '\r' | '\n');
    if may_lead_letters && (class == Class::Letter || first_class(rest) == Some(Class::Letter)) {
        return first.len_utf8() + run(rest, Class::Letter);
    }
    let body = if first == ' ' { rest } else { text };
    if first_class(body) == Some(Class::Other) {
        let symbols = text.len() - body.len() + run(body, Class::Other);
        return symbols + line_ends(&text[symbols..]);
    }
    whitespace_or_lines(text)
}

#[cfg(test)]
mod tests {
    use crate::tokenizer::PreTokenizer;
    use crate::tokenizer::pre_tokenizer::check_words;

    fn check(text: &str, words: &[&str]) {
        check_words(PreTokenizer::LlamaBpe, text, words);
    }

    #[test]
    fn numbers_come_in_threes_and_symbols_take_line_ends() {
        check("", &[]);
        check(" ", &[" "]);
        check("Hello  world ", &["Hello", " ", " world", " "]);
        check("1234567 89", &["123", "456", "7", " ", "89"]);
        check("IT'S we'LL", &["IT", "'S", " we", "'LL"]);
        check("\tfoo(bar)\r\n\n x", &["\tfoo", "(bar", ")\r\n\n", " x"]);
        check("a \n \n  b", &["a", " \n \n", " ", " b"]);
        check("a\nb", &["a", "\n", "b"]);
        check(" --\n", &[" --\n"]);
        check("  \t", &["  \t"]);
        check("½日", &["½", "日"]);
    }

    #[test]
    fn qwen2_takes_numbers_one_by_one() {
        let mut found = Vec::new();
        PreTokenizer::Qwen2.split("It'S 123\r\n  é½", |word| found.push(word));
        assert_eq!(found, ["It", "'S", " ", "1", "2", "3", "\r\n", " ", " é", "½"]);
    }
}
