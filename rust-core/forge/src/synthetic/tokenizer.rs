//! A small but real byte-level BPE tokenizer, learned from a page of text: the 256 bytes, the most frequent pairs, and the
//! special tokens of a ChatML conversation.

use std::collections::HashMap;

/// The text that pairs are counted in, and that the synthetic model's answers are made of.
const TEXT: &str = include_str!("text.txt");
/// The special tokens, in the order of their ids.
const SPECIAL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
/// What a model that thinks says before it answers, between its marks, and its answer. No character is there twice.
pub const THOUGHT: &str = "Bird?";
/// See [`THOUGHT`].
pub const ANSWER: &str = " south.";
const THINK: [&str; 2] = ["<think>", "</think>"];
/// Their ids.
pub(super) const IM_START: u32 = 1;
pub(super) const IM_END: u32 = 2;
/// The first id that stands for a byte.
const FIRST_BYTE: u32 = SPECIAL.len() as u32;
/// The smallest vocabulary: special tokens and bytes.
pub(super) const TOKENS_MIN: u32 = FIRST_BYTE + 256;
/// GGUF's numbers for kinds of tokens.
const KIND_NORMAL: i32 = 1;
const KIND_CONTROL: i32 = 3;
const KIND_USER_DEFINED: i32 = 4;
const KIND_BYTE: i32 = 6;

/// The tokenizer as a GGUF file holds it.
pub(super) struct Tokenizer {
    pub(super) tokens: Vec<String>,
    pub(super) kinds: Vec<i32>,
    pub(super) merges: Vec<String>,
    /// The text in tokens.
    pub(super) text: Vec<u32>,
    /// What a model that thinks says behind the line that begins its turn, in tokens, each of them once; none for others.
    pub(super) speech: Vec<u32>,
}

/// The same tokens as sentencepiece writes them.
pub(super) struct Pieces {
    pub(super) tokens: Vec<String>,
    pub(super) scores: Vec<f32>,
    pub(super) kinds: Vec<i32>,
}

impl Tokenizer {
    /// The tokens with the same ids as sentencepiece writes them: the bytes as `<0x0A>` except the space, what was merged with its rank as
    /// its score.
    pub(super) fn pieces(&self) -> Pieces {
        let (space, shown) = (character(b' '), "\u{2581}");
        let space_id = FIRST_BYTE as usize + usize::from(b' ');
        let bytes = FIRST_BYTE as usize..TOKENS_MIN as usize;
        let is_byte = |id: usize| bytes.contains(&id) && id != space_id;
        let piece = |(id, token): (usize, &String)| match is_byte(id) {
            true => format!("<0x{:02X}>", id - bytes.start),
            false => token.replace(space, shown),
        };
        let kind = |(id, kind): (usize, &i32)| if is_byte(id) { KIND_BYTE } else { *kind };
        Pieces {
            tokens: self.tokens.iter().enumerate().map(piece).collect(),
            scores: (0..self.tokens.len()).map(|id| -(id as f32)).collect(),
            kinds: self.kinds.iter().enumerate().map(kind).collect(),
        }
    }
}

/// Learns a vocabulary of at most `size` tokens, at least [`TOKENS_MIN`]; it is smaller only if the text has no more pairs. That of a model
/// that thinks has two more.
pub(super) fn learn(size: u32, thinks: bool) -> Tokenizer {
    let mut tokens: Vec<String> = SPECIAL.iter().map(|token| (*token).to_owned()).collect();
    tokens.extend((0..=255).map(|byte| character(byte).to_string()));
    let mut words: Vec<Vec<u32>> = words(TEXT);
    let (mut merges, mut pairs) = (Vec::new(), Vec::new());
    while tokens.len() < size as usize {
        let Some((left, right)) = most_frequent_pair(&words) else {
            break;
        };
        let (left_text, right_text) = (&tokens[left as usize], &tokens[right as usize]);
        merges.push(format!("{left_text} {right_text}"));
        let merged = format!("{left_text}{right_text}");
        let id = tokens.len() as u32;
        tokens.push(merged);
        for word in &mut words {
            merge(word, left, right, id);
        }
        pairs.push((left, right, id));
    }
    let mut kinds: Vec<i32> = (0..tokens.len())
        .map(|id| if id < SPECIAL.len() { KIND_CONTROL } else { KIND_NORMAL })
        .collect();
    let mut speech = Vec::new();
    if thinks {
        let [open, close] = [0, 1].map(|mark| tokens.len() as u32 + mark);
        tokens.extend(THINK.map(str::to_owned));
        kinds.extend([KIND_USER_DEFINED; 2]);
        let line_end = FIRST_BYTE + u32::from(b'\n');
        let (thought, answer) = (encode(THOUGHT, &pairs), encode(ANSWER, &pairs));
        speech = [&[line_end, open][..], &thought, &[close], &answer, &[IM_END]].concat();
        let distinct: std::collections::HashSet<&u32> = speech.iter().collect();
        assert_eq!(
            distinct.len(),
            speech.len(),
            "each token of the speech is followed by one other"
        );
    }
    Tokenizer {
        tokens,
        kinds,
        merges,
        text: words.concat(),
        speech,
    }
}

/// The tokens of a text by these merges.
fn encode(text: &str, pairs: &[(u32, u32, u32)]) -> Vec<u32> {
    let mut words = words(text);
    for (left, right, id) in pairs {
        words.iter_mut().for_each(|word| merge(word, *left, *right, *id));
    }
    words.concat()
}

/// The text cut before every space and around everything that is not a letter, as bytes. Pairs are counted inside these
/// words, so that no merge crosses a border at which the pre-tokenizer cuts.
fn words(text: &str) -> Vec<Vec<u32>> {
    let mut words: Vec<Vec<u32>> = Vec::new();
    let mut before = ' ';
    for character in text.chars() {
        let joins = character.is_ascii_alphabetic() && (before.is_ascii_alphabetic() || before == ' ');
        if !joins || words.is_empty() {
            words.push(Vec::new());
        }
        let word = words.last_mut().expect("one was just pushed");
        word.extend(character.to_string().bytes().map(|byte| FIRST_BYTE + u32::from(byte)));
        before = character;
    }
    words
}

/// The smaller ids win a tie, so that the result does not depend on the order of a hash map.
fn most_frequent_pair(words: &[Vec<u32>]) -> Option<(u32, u32)> {
    let mut counts: HashMap<(u32, u32), u32> = HashMap::new();
    for pair in words.iter().flat_map(|word| word.windows(2)) {
        *counts.entry((pair[0], pair[1])).or_default() += 1;
    }
    let best = counts
        .into_iter()
        .max_by_key(|&((left, right), count)| (count, u32::MAX - left, u32::MAX - right));
    best.map(|(pair, _)| pair)
}

fn merge(word: &mut Vec<u32>, left: u32, right: u32, id: u32) {
    let mut merged = Vec::with_capacity(word.len());
    let mut rest = word.as_slice();
    while let [first, tail @ ..] = rest {
        if *first == left && tail.first() == Some(&right) {
            merged.push(id);
            rest = &tail[1..];
        } else {
            merged.push(*first);
            rest = tail;
        }
    }
    *word = merged;
}

/// The character that stands for a byte in GPT-2's alphabet (`bytes_to_unicode` of its `encoder.py`).
fn character(byte: u8) -> char {
    let is_printable = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    if is_printable(byte) {
        return char::from(byte);
    }
    let index = (0..byte).filter(|each| !is_printable(*each)).count() as u32;
    char::from_u32(0x100 + index).expect("U+0100 to U+0143 are characters")
}
