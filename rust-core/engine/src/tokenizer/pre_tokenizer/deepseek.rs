//! DeepSeek's rules as llama.cpp runs them: those of DeepSeek-Coder, DeepSeek-LLM and V3 (`LLAMA_VOCAB_PRE_TYPE_DEEPSEEK_CODER`,
//! `LLAMA_VOCAB_PRE_TYPE_DEEPSEEK_LLM` and `LLAMA_VOCAB_PRE_TYPE_DEEPSEEK3_LLM` in llama.cpp's `src/llama-vocab.cpp`). Each is several expressions,
//! every one of which cuts the pieces that the previous one made.

use super::classes::{Class, is_mark, is_punctuation, is_symbol, line_ends, numbers, run, run_of, whitespace_or_lines};

/// The letters of DeepSeek-LLM's rule: first and last of each stretch, in order.
#[rustfmt::skip]
const CASED_LETTERS: [(char, char); 87] = [
    ('A', 'Z'), ('a', 'z'), ('\u{b5}', '\u{b5}'), ('\u{c0}', '\u{d6}'), ('\u{d8}', '\u{f6}'), ('\u{f8}', '\u{1ba}'),
    ('\u{1bc}', '\u{1bf}'), ('\u{1c4}', '\u{293}'), ('\u{295}', '\u{2af}'), ('\u{370}', '\u{373}'), ('\u{376}', '\u{376}'),
    ('\u{377}', '\u{377}'), ('\u{37b}', '\u{37d}'), ('\u{37f}', '\u{37f}'), ('\u{386}', '\u{386}'), ('\u{388}', '\u{38a}'),
    ('\u{38c}', '\u{38c}'), ('\u{38e}', '\u{3a1}'), ('\u{3a3}', '\u{3f5}'), ('\u{3f7}', '\u{481}'), ('\u{48a}', '\u{52f}'),
    ('\u{531}', '\u{556}'), ('\u{10a0}', '\u{10c5}'), ('\u{13a0}', '\u{13f5}'), ('\u{13f8}', '\u{13fd}'), ('\u{1c90}', '\u{1cba}'),
    ('\u{1cbd}', '\u{1cbf}'), ('\u{1d00}', '\u{1d2b}'), ('\u{1d6b}', '\u{1d77}'), ('\u{1d79}', '\u{1d9a}'), ('\u{1e00}', '\u{1f15}'),
    ('\u{1f18}', '\u{1f1d}'), ('\u{1f20}', '\u{1f45}'), ('\u{1f48}', '\u{1f4d}'), ('\u{1f50}', '\u{1f57}'), ('\u{1f59}', '\u{1f59}'),
    ('\u{1f5b}', '\u{1f5b}'), ('\u{1f5d}', '\u{1f5d}'), ('\u{1f5f}', '\u{1f7d}'), ('\u{1f80}', '\u{1fb4}'), ('\u{1fb6}', '\u{1fbc}'),
    ('\u{1fbe}', '\u{1fbe}'), ('\u{1fc2}', '\u{1fc4}'), ('\u{1fc6}', '\u{1fcc}'), ('\u{1fd0}', '\u{1fd3}'), ('\u{1fd6}', '\u{1fdb}'),
    ('\u{1fe0}', '\u{1fec}'), ('\u{1ff2}', '\u{1ff4}'), ('\u{1ff6}', '\u{1ffc}'), ('\u{2102}', '\u{2102}'), ('\u{2107}', '\u{2107}'),
    ('\u{210a}', '\u{2113}'), ('\u{2115}', '\u{2115}'), ('\u{2119}', '\u{211d}'), ('\u{2124}', '\u{2124}'), ('\u{2126}', '\u{2126}'),
    ('\u{2128}', '\u{2128}'), ('\u{212a}', '\u{212d}'), ('\u{212f}', '\u{2134}'), ('\u{2139}', '\u{2139}'), ('\u{213c}', '\u{213f}'),
    ('\u{2145}', '\u{2149}'), ('\u{214e}', '\u{214e}'), ('\u{2183}', '\u{2183}'), ('\u{2184}', '\u{2184}'), ('\u{2c00}', '\u{2c7b}'),
    ('\u{2c7e}', '\u{2ce4}'), ('\u{2ceb}', '\u{2cee}'), ('\u{2cf2}', '\u{2cf2}'), ('\u{2cf3}', '\u{2cf3}'), ('\u{a640}', '\u{a66d}'),
    ('\u{a680}', '\u{a69b}'), ('\u{a722}', '\u{a76f}'), ('\u{a771}', '\u{a787}'), ('\u{a78b}', '\u{a78e}'), ('\u{ab70}', '\u{abbf}'),
    ('\u{fb00}', '\u{fb06}'), ('\u{fb13}', '\u{fb17}'), ('\u{ff21}', '\u{ff3a}'), ('\u{ff41}', '\u{ff5a}'), ('\u{10400}', '\u{1044f}'),
    ('\u{104b0}', '\u{104d3}'), ('\u{104d8}', '\u{104fb}'), ('\u{10c80}', '\u{10cb2}'), ('\u{10cc0}', '\u{10cf2}'),
    ('\u{118a0}', '\u{118df}'), ('\u{1e900}', '\u{1e943}'),
];

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

/// `\s?[A-Za-zµÀ-Ö…𞤀-𞥃]+`, the characters of [`CASED_LETTERS`]
pub(super) fn spaced_cased_letters(text: &str) -> usize {
    spaced(text, |character| {
        let after = CASED_LETTERS.partition_point(|(first, _)| *first <= character);
        after > 0 && character <= CASED_LETTERS[after - 1].1
    })
}

/// `\s?[!-/:-~！-／：-～‘-‟　-。]+`, without the space in it, which llama.cpp replaces before. The letters of ASCII are among them.
pub(super) fn spaced_punctuation_and_ascii(text: &str) -> usize {
    spaced(text, |character| {
        matches!(
            character,
            '!'..='/' | ':'..='~' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff5e}' | '\u{2018}'..='\u{201f}' | '\u{3001}' | '\u{3002}'
        )
    })
}

/// `\s+$`
pub(super) fn spaces_at_the_end(text: &str) -> usize {
    match run(text, Class::Whitespace) {
        length if length == text.len() => length,
        _ => 0,
    }
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
    fn llm_cuts_letters_with_case_and_keeps_numbers_whole() {
        let check = |text, words: &[&str]| check_words(PreTokenizer::DeepseekLlm, text, words);
        check("a b\n c, 123x  ", &["a", " b", "\n", " c", ",", " ", "123", "x", "  "]);
        check("Straße àé ℵ", &["Stra", "ß", "e", " àé", " ", "ℵ"]);
        check("日本 語", &["日本", " ", "語"]);
        check("“x”。", &["“", "x", "”。"]);
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
