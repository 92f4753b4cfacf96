//! GPT-4o's rule as llama.cpp runs it: words of capitals and words of small letters, with their contraction, numbers in groups of
//! three, line ends and slashes with the characters before them. Mistral's Tekken is the same without contractions and with numbers one by
//! one (`LLAMA_VOCAB_PRE_TYPE_GPT4O` and `LLAMA_VOCAB_PRE_TYPE_TEKKEN` in llama.cpp's `src/llama-vocab.cpp`).
//!
//! Letters that are not ASCII count as capitals and as small letters, because llama.cpp's expression only excludes `a-z` and `A-Z`:
//! `[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+CONTRACTION?` or
//! `[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*CONTRACTION?`, and then
//! `\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`.

use super::classes::{Class, contraction, first_class, numbers, run, run_of, whitespace_or_lines};

/// Length in bytes of the first word of a text that is not empty, under GPT-4o's rule.
pub(super) fn word_length(text: &str) -> usize {
    match letters(text) {
        0 => other(text, 3),
        end => end + contraction(&text[end..], true),
    }
}

/// Length in bytes of the first word of a text that is not empty, under Tekken's rule.
pub(super) fn tekken_word_length(text: &str) -> usize {
    match letters(text) {
        0 => other(text, 1),
        end => end,
    }
}

/// Length in bytes of the letters at the start of the text, with one character before them; 0 if there are none.
fn letters(text: &str) -> usize {
    let first = text.chars().next().expect("the text is not empty");
    let start = match Class::of(first) {
        Class::Letter => 0,
        Class::Number => return 0,
        _ if matches!(first, '\r' | '\n') => return 0,
        _ => first.len_utf8(),
    };
    let body = &text[start..];
    let capitals = run_of(body, |character| {
        Class::of(character) == Class::Letter && !character.is_ascii_lowercase()
    });
    let small = run_of(&body[capitals..], |character| {
        Class::of(character) == Class::Letter && !character.is_ascii_uppercase()
    });
    if small > 0 {
        return start + capitals + small;
    }
    // The expression gives letters back to its second half: the last that is not one of A-Z.
    match body[..capitals]
        .char_indices()
        .rfind(|(_, character)| !character.is_ascii())
    {
        Some((index, character)) => start + index + character.len_utf8(),
        None if capitals > 0 => start + capitals,
        None => 0,
    }
}

/// What is not letters.
fn other(text: &str, number_characters_max: usize) -> usize {
    let number = numbers(text, number_characters_max);
    if number > 0 {
        return number;
    }
    let body = text.strip_prefix(' ').unwrap_or(text);
    if first_class(body) == Some(Class::Other) {
        let symbols = text.len() - body.len() + run(body, Class::Other);
        return symbols + run_of(&text[symbols..], |character| matches!(character, '\r' | '\n' | '/'));
    }
    whitespace_or_lines(text)
}

#[cfg(test)]
mod tests {
    use crate::tokenizer::PreTokenizer;
    use crate::tokenizer::pre_tokenizer::check_words;

    #[test]
    fn capitals_and_small_letters_are_words() {
        for rule in [PreTokenizer::Gpt4o, PreTokenizer::Tekken] {
            check_words(rule, "", &[]);
            check_words(rule, "HelloWorld ABCdef", &["Hello", "World", " ABCdef"]);
            check_words(rule, "camelCase HTTP", &["camel", "Case", " HTTP"]);
            check_words(rule, "ÉAB ABÉ", &["É", "AB", " ABÉ"]);
            check_words(rule, "//\n/ x", &["//\n/", " x"]);
            check_words(rule, "  \n\n a", &["  \n\n", " a"]);
        }
    }

    #[test]
    fn they_differ_in_contractions_and_numbers() {
        check_words(PreTokenizer::Gpt4o, "It's 1234", &["It's", " ", "123", "4"]);
        check_words(PreTokenizer::Tekken, "It's 12", &["It", "'s", " ", "1", "2"]);
    }
}
