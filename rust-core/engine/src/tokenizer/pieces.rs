//! Merging by scores, as sentencepiece's BPE models do.
//!
//! The rule is that of `llm_tokenizer_spm_session` in llama.cpp's `src/llama-vocab.cpp`: of all adjacent pairs whose text is a piece, the one
//! with the highest score becomes one piece, leftmost first, until no pair is left. A character that is not a piece becomes the tokens of its
//! bytes. As in [`super::bpe`], a text of n characters takes n log n steps.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// How sentencepiece writes a space.
pub(super) const SPACE: char = '\u{2581}';

/// A stretch of the text. Merged into its left neighbour it has the length 0.
struct Symbol {
    start: u32,
    length: u32,
    previous: u32,
    next: u32,
}

/// A pair of neighbours that may become one.
struct Pair {
    score: f32,
    left: u32,
    right: u32,
    length: u32,
}

/// The order of merging: the greatest first.
impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

/// No neighbour.
const NONE: u32 = u32::MAX;

/// Space to work in, kept from text to text.
#[derive(Default)]
pub(super) struct PieceMerger {
    symbols: Vec<Symbol>,
    pairs: BinaryHeap<Pair>,
}

impl PieceMerger {
    /// Cuts the text into pieces and calls `piece` with each, in order. `score` gives the score of a text that is a piece.
    pub(super) fn cut<'t>(
        &mut self,
        text: &'t str,
        score: impl Fn(&[u8]) -> Option<f32>,
        mut piece: impl FnMut(&'t [u8]),
    ) {
        self.symbols.clear();
        self.pairs.clear();
        for (start, character) in text.char_indices() {
            let index = self.symbols.len() as u32;
            let length = character.len_utf8();
            self.symbols.push(Symbol {
                start: start as u32,
                length: length as u32,
                previous: index.checked_sub(1).unwrap_or(NONE),
                next: if start + length < text.len() { index + 1 } else { NONE },
            });
        }
        for left in 1..self.symbols.len() as u32 {
            self.consider(left - 1, left, text, &score);
        }
        while let Some(pair) = self.pairs.pop() {
            self.join(&pair, text, &score);
        }
        for symbol in self.symbols.iter().filter(|symbol| symbol.length > 0) {
            piece(&text.as_bytes()[symbol.start as usize..][..symbol.length as usize]);
        }
    }

    fn consider(&mut self, left: u32, right: u32, text: &str, score: impl Fn(&[u8]) -> Option<f32>) {
        if left == NONE || right == NONE {
            return;
        }
        let (first, second) = (&self.symbols[left as usize], &self.symbols[right as usize]);
        let length = first.length + second.length;
        let joined = &text.as_bytes()[first.start as usize..][..length as usize];
        if let Some(score) = score(joined) {
            self.pairs.push(Pair {
                score,
                left,
                right,
                length,
            });
        }
    }

    fn join(&mut self, pair: &Pair, text: &str, score: impl Fn(&[u8]) -> Option<f32>) {
        let (left, right) = (&self.symbols[pair.left as usize], &self.symbols[pair.right as usize]);
        // A symbol only ever grows or vanishes, so the pair is still there exactly when both are and the lengths add up.
        if left.length == 0 || right.length == 0 || left.length + right.length != pair.length {
            return;
        }
        let (previous, next) = (left.previous, right.next);
        self.symbols[pair.right as usize].length = 0;
        if next != NONE {
            self.symbols[next as usize].previous = pair.left;
        }
        let joined = &mut self.symbols[pair.left as usize];
        (joined.length, joined.next) = (pair.length, next);
        self.consider(previous, pair.left, text, &score);
        self.consider(pair.left, next, text, &score);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[(&str, f32)], text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        let score = |bytes: &[u8]| {
            pieces
                .iter()
                .find(|(piece, _)| piece.as_bytes() == bytes)
                .map(|piece| piece.1)
        };
        PieceMerger::default().cut(text, score, |piece| {
            found.push(String::from_utf8_lossy(piece).into_owned())
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn higher_scores_merge_first_and_the_leftmost_of_equal_ones() {
        check(&[], "", &[]);
        check(&[], "aé", &["a", "é"]);
        check(&[("ab", -2.0), ("bc", -1.0)], "abc", &["a", "bc"]);
        check(&[("ab", -1.0), ("bc", -1.0)], "abcbc", &["ab", "c", "bc"]);
        check(&[("aa", -1.0), ("aaa", -2.0), ("aaaa", -3.0)], "aaaaa", &["aa", "aaa"]);
        check(&[("ab", -2.0), ("abc", -1.0)], "abc", &["abc"]);
    }
}
