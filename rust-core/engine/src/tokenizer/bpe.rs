//! Byte-pair merging of one word.
//!
//! The rule is that of `llm_tokenizer_bpe_session` in llama.cpp's `src/llama-vocab.cpp`: of all adjacent pairs, the one with the lowest
//! rank becomes one token, leftmost first, until no pair is left. Pairs are kept in a heap and the pieces in a linked list, so that a word
//! of n bytes takes n log n steps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// The merges, ready to be looked up: those with the same left token stand together, sorted by their right one.
pub(super) struct Merges {
    /// Where the merges of a left token start; one entry more than there are tokens.
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    right: u32,
    rank: u32,
    result: u32,
}

impl Merges {
    /// Sorts the merges (left, right, result; by rank; ids below `token_count`) in time linear to their number. Gives `None`
    /// if a pair occurs twice.
    pub(super) fn new(token_count: u32, ranked: &[[u32; 3]]) -> Option<Self> {
        let (_, by_right) = counting_sort(token_count, ranked, |merge| merge[1], 0..ranked.len() as u32);
        let (starts, order) = counting_sort(token_count, ranked, |merge| merge[0], by_right.into_iter());
        let same_pair = |pair: &[u32]| ranked[pair[0] as usize][..2] == ranked[pair[1] as usize][..2];
        if order.windows(2).any(same_pair) {
            return None;
        }
        let entry = |rank: u32| {
            let [_, right, result] = ranked[rank as usize];
            Entry { right, rank, result }
        };
        Some(Self {
            starts,
            entries: order.into_iter().map(entry).collect(),
        })
    }

    fn find(&self, left: u32, right: u32) -> Option<Entry> {
        let start = *self.starts.get(left as usize)? as usize;
        let end = *self.starts.get(left as usize + 1)? as usize;
        let candidates = &self.entries[start..end];
        let index = candidates.binary_search_by_key(&right, |entry| entry.right).ok()?;
        Some(candidates[index])
    }
}

/// The ranks in a stable order by `key`, and where each key's ranks start.
fn counting_sort(
    key_count: u32,
    ranked: &[[u32; 3]],
    key: impl Fn(&[u32; 3]) -> u32,
    ranks: impl Iterator<Item = u32>,
) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; key_count as usize + 1];
    for merge in ranked {
        starts[key(merge) as usize + 1] += 1;
    }
    for index in 1..starts.len() {
        starts[index] += starts[index - 1];
    }
    let mut next = starts.clone();
    let mut order = vec![0; ranked.len()];
    for rank in ranks {
        let slot = &mut next[key(&ranked[rank as usize]) as usize];
        order[*slot as usize] = rank;
        *slot += 1;
    }
    (starts, order)
}

/// A stretch of the word. Merged into its left neighbour it has the length 0.
struct Piece {
    /// The token, or `u32::MAX` for a symbol without one.
    token: u32,
    /// In bytes.
    length: u32,
    previous: u32,
    next: u32,
}

/// A pair of neighbours that may become one; the order is the order of merging.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    rank: u32,
    left: u32,
    right: u32,
    result: u32,
    length: u32,
}

/// No neighbour, no token.
const NONE: u32 = u32::MAX;

/// Space to work in, kept from word to word.
#[derive(Default)]
pub(super) struct Merger {
    pieces: Vec<Piece>,
    pairs: BinaryHeap<Reverse<Pair>>,
}

impl Merger {
    /// Merges the symbols of a word (bytes or characters), each with its token, if it has one, and its length in bytes. Calls `found` with what is
    /// left in their order, each with its token and where it stands in the word.
    pub(super) fn merge(
        &mut self,
        symbols: impl Iterator<Item = (Option<u32>, usize)>,
        merges: &Merges,
        mut found: impl FnMut(Option<u32>, Range<usize>),
    ) {
        self.pieces.clear();
        self.pairs.clear();
        self.pieces
            .extend((0..).zip(symbols).map(|(index, (token, length)): (u32, _)| Piece {
                token: token.unwrap_or(NONE),
                length: length as u32,
                previous: index.checked_sub(1).unwrap_or(NONE),
                next: index + 1,
            }));
        if let Some(last) = self.pieces.last_mut() {
            last.next = NONE;
        }
        for left in 0..(self.pieces.len() as u32).saturating_sub(1) {
            self.consider(left, left + 1, merges);
        }
        while let Some(Reverse(pair)) = self.pairs.pop() {
            self.join(&pair, merges);
        }
        let mut end = 0;
        for piece in self.pieces.iter().filter(|piece| piece.length > 0) {
            let start = end;
            end += piece.length as usize;
            found((piece.token != NONE).then_some(piece.token), start..end);
        }
    }

    fn consider(&mut self, left: u32, right: u32, merges: &Merges) {
        if left == NONE || right == NONE {
            return;
        }
        let (first, second) = (&self.pieces[left as usize], &self.pieces[right as usize]);
        if let Some(Entry { rank, result, .. }) = merges.find(first.token, second.token) {
            self.pairs.push(Reverse(Pair {
                rank,
                left,
                right,
                result,
                length: first.length + second.length,
            }));
        }
    }

    fn join(&mut self, pair: &Pair, merges: &Merges) {
        let (left, right) = (&self.pieces[pair.left as usize], &self.pieces[pair.right as usize]);
        // A piece only ever grows or vanishes, so the pair is still there exactly when both are and the lengths add up.
        if left.length == 0 || right.length == 0 || left.length + right.length != pair.length {
            return;
        }
        let (previous, next) = (left.previous, right.next);
        self.pieces[pair.right as usize].length = 0;
        if next != NONE {
            self.pieces[next as usize].previous = pair.left;
        }
        let joined = &mut self.pieces[pair.left as usize];
        (joined.token, joined.length, joined.next) = (pair.result, pair.length, next);
        self.consider(previous, pair.left, merges);
        self.consider(pair.left, next, merges);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Tokens 0 to 255 are the bytes; each merge makes the next token.
    fn check(merges: &[[u32; 2]], word: &[u8], expected: &[u32]) {
        let ranked: Vec<[u32; 3]> = merges
            .iter()
            .zip(256..)
            .map(|(&[left, right], result)| [left, right, result])
            .collect();
        let merges = Merges::new(256 + ranked.len() as u32, &ranked).unwrap();
        let symbols = word.iter().map(|&byte| ((byte != 0).then_some(u32::from(byte)), 1));
        let mut out = Vec::new();
        Merger::default().merge(symbols, &merges, |token, _| out.extend(token));
        assert_eq!(out, expected);
    }

    #[test]
    fn lower_ranks_merge_first_and_the_leftmost_of_equal_ones() {
        let [a, b, c] = [97, 98, 99];
        check(&[], b"abc", &[a, b, c]);
        check(&[[a, b]], b"", &[]);
        check(&[[a, b]], b"abcab", &[256, c, 256]);
        check(&[[b, c], [a, b]], b"abc", &[a, 256]);
        check(&[[a, b], [b, c], [256, c]], b"abc", &[258]);
        check(&[[a, a]], b"aaaaa", &[256, 256, a]);
        check(&[[a, a], [256, 256]], b"aaaaaaa", &[257, 256, a]);
        check(&[[a, b]], b"a\0b", &[a, b]);
    }

    #[test]
    fn pairs_that_occur_twice_are_refused() {
        assert!(Merges::new(3, &[[0, 1, 2], [0, 1, 2]]).is_none());
        assert!(Merges::new(3, &[[0, 1, 2], [1, 0, 2]]).is_some());
    }

    /// The result is that of looking through all pairs again and again.
    #[test]
    fn merging_equals_the_plain_algorithm() {
        let ranked: Vec<[u32; 3]> = [
            [97, 98],
            [98, 97],
            [256, 97],
            [97, 97],
            [257, 98],
            [259, 259],
            [256, 256],
        ]
        .iter()
        .zip(256..)
        .map(|(&[left, right], result)| [left, right, result])
        .collect();
        let merges = Merges::new(300, &ranked).unwrap();
        let mut merger = Merger::default();
        for seed in 0..4096_u32 {
            let word: Vec<u8> = (0..12)
                .map(|bit| if seed >> bit & 1 == 0 { b'a' } else { b'b' })
                .collect();
            let mut plain: Vec<u32> = word.iter().map(|&byte| u32::from(byte)).collect();
            while let Some((at, entry)) = (1..plain.len())
                .filter_map(|at| Some((at, merges.find(plain[at - 1], plain[at])?)))
                .min_by_key(|(at, entry)| (entry.rank, *at))
            {
                plain.splice(at - 1..=at, [entry.result]);
            }
            let symbols = word.iter().map(|&byte| (Some(u32::from(byte)), 1));
            let (mut out, mut end) = (Vec::new(), 0);
            merger.merge(symbols, &merges, |token, bytes| {
                assert_eq!(bytes.start, end);
                end = bytes.end;
                out.extend(token);
            });
            assert_eq!(end, word.len());
            assert_eq!(out, plain, "{seed}");
        }
    }
}
