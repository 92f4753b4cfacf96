//! DeepSeek's rules as llama.cpp runs them: that of DeepSeek-Coder and that of V3 (`LLAMA_VOCAB_PRE_TYPE_DEEPSEEK_CODER` and
//! `LLAMA_VOCAB_PRE_TYPE_DEEPSEEK3_LLM` in llama.cpp's `src/llama-vocab.cpp`). Both are several expressions. Each cuts the pieces that the
//! previous one made.

use super::classes::{Class, is_mark, is_punctuation, is_symbol, line_ends, numbers, run, run_of, whitespace_or_lines};

/// `[\r\n]`
pub(super) fn line_end(text: &str) -> usize {
    usize::from(text.starts_with(['\r', '\n']))
}

/// `\s?\p{L}+`
pub(super) fn spaced_letters(text: &str) -> usize {
    spaced(text, |character| Class::of(character) == Class::Letter)
}

/// `\s?\p{P}+`
pub(super) fn spaced_punctuation(text: &str) -> usize {
    spaced(text, is_punctuation)
}

fn spaced(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    let first = text
        .chars()
        .next()
        .filter(|first| Class::of(*first) == Class::Whitespace);
    let space = first.map_or(0, char::len_utf8);
    match run_of(&text[space..], wanted) {
        0 => 0,
        length => space + length,
    }
}

/// `[一-龥ࠀ-一가-퟿]+`, without the spaces in it, which llama.cpp replaces before.
pub(super) fn east_asian(text: &str) -> usize {
    run_of(text, |character| {
        matches!(character, '\u{800}'..='\u{9fa5}' | '\u{ac00}'..='\u{d7ff}') && !character.is_whitespace()
    })
}

/// `\p{N}{1,3}`
pub(super) fn numbers_of_three(text: &str) -> usize {
    numbers(text, 3)
}

/// `[一-龥぀-ゟ゠-ヿ]+`
pub(super) fn chinese_and_japanese(text: &str) -> usize {
    run_of(
        text,
        |character| matches!(character, '\u{4e00}'..='\u{9fa5}' | '\u{3040}'..='\u{30ff}'),
    )
}

/// The last expression of V3's rule, with every ASCII character that is neither letter, number, space nor control in `[!-~]`:
/// `[!-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`. 0 if nothing of it is there.
pub(super) fn v3_word_length(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    let rest = &text[first.len_utf8()..];
    if first.is_ascii_punctuation() {
        let letters = run_of(rest, |character| character.is_ascii_alphabetic());
        if letters > 0 {
            return 1 + letters;
        }
    }
    let is_letter = |character| Class::of(character) == Class::Letter || is_mark(character);
    let is_sign = |character| is_punctuation(character) || is_symbol(character);
    let may_lead = !matches!(first, '\r' | '\n') && Class::of(first) != Class::Letter && !is_sign(first);
    let letters = run_of(if may_lead { rest } else { text }, is_letter);
    if letters > 0 {
        return if may_lead { first.len_utf8() } else { 0 } + letters;
    }
    if may_lead && is_mark(first) {
        return first.len_utf8();
    }
    let body = text.strip_prefix(' ').unwrap_or(text);
    let signs = run_of(body, is_sign);
    if signs > 0 {
        let end = text.len() - body.len() + signs;
        return end + line_ends(&text[end..]);
    }
    match run(text, Class::Whitespace) {
        0 => 0,
        _ => whitespace_or_lines(text),
    }
}

#[cfg(test)]
mod tests {
    use crate::tokenizer::PreTokenizer;
    use crate::tokenizer::pre_tokenizer::check_words;

    #[test]
    fn v3_cuts_numbers_and_characters_before_words() {
        let check = |text, words: &[&str]| check_words(PreTokenizer::Deepseek3, text, words);
        check("", &[]);
        check("a1234b", &["a", "123", "4", "b"]);
        check("日本語テスト ok", &["日本語テスト", " ok"]);
        check(".foo (bar)\n\n x", &[".foo", " (", "bar", ")\n\n", " x"]);
        check("\u{301}\u{1}", &["\u{301}", "\u{1}"]);
    }

    #[test]
    fn coder_cuts_lines_letters_and_punctuation() {
        let check = |text, words: &[&str]| check_words(PreTokenizer::DeepseekCoder, text, words);
        check("a b\n c,, 12", &["a", " b", "\n", " c", ",,", " ", "1", "2"]);
        check("x  y", &["x", " ", " y"]);
        check("日\u{3000}日", &["日", "\u{3000}", "日"]);
        check("€\u{3000}\u{2028}", &["€", "\u{3000}\u{2028}"]);
    }
}
