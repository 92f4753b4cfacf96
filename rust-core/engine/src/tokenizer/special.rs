//! Finds the texts of special tokens in a text, before it is split into words.
//!
//! The rule is that of `tokenizer_st_partition` in llama.cpp's `src/llama-vocab.cpp`: longer tokens claim their positions first, each from
//! left to right.

use std::collections::BTreeMap;
use std::ops::Range;

use super::table::TokenText;

/// The special tokens, sorted by their texts.
pub(super) struct SpecialTokens {
    ids: Vec<u32>,
    /// Which part of `ids` starts with each byte.
    by_first_byte: [Range<u32>; 256],
}

/// A special token in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) bytes: Range<usize>,
    pub(super) id: u32,
}

impl SpecialTokens {
    /// Sorts the tokens, none of them empty. Gives the second of two equal ones as the error.
    pub(super) fn new(mut ids: Vec<u32>, text: &TokenText) -> Result<Self, u32> {
        ids.sort_by_key(|&id| (text.token(id), id));
        if let Some(pair) = ids.windows(2).find(|pair| text.token(pair[0]) == text.token(pair[1])) {
            return Err(pair[1]);
        }
        let first_below = |byte: usize| ids.partition_point(|&id| usize::from(text.token(id)[0]) < byte) as u32;
        let by_first_byte = std::array::from_fn(|byte| first_below(byte)..first_below(byte + 1));
        Ok(Self { ids, by_first_byte })
    }

    /// The tokens in the order of their texts.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The token with this text.
    pub(super) fn find(&self, bytes: &[u8], text: &TokenText) -> Option<u32> {
        let index = self.ids.binary_search_by_key(&bytes, |&id| text.token(id)).ok()?;
        Some(self.ids[index])
    }

    /// Calls `matched` with every token that starts `bytes`, the shortest first. Returns how many bytes agree with the start
    /// of at least one token.
    pub(super) fn matches(&self, bytes: &[u8], text: &TokenText, mut matched: impl FnMut(u32)) -> usize {
        let Some(&first) = bytes.first() else { return 0 };
        let range = self.by_first_byte[usize::from(first)].clone();
        let mut candidates = &self.ids[range.start as usize..range.end as usize];
        let mut depth = 0;
        // All candidates agree with `bytes` on the first `depth + 1` bytes.
        while let Some(&shortest) = candidates.first() {
            depth += 1;
            if text.token(shortest).len() == depth {
                matched(shortest);
                candidates = &candidates[1..];
            }
            let Some(&next) = bytes.get(depth) else { break };
            let start = candidates.partition_point(|&id| text.token(id)[depth] < next);
            let end = candidates.partition_point(|&id| text.token(id)[depth] <= next);
            candidates = &candidates[start..end];
        }
        depth
    }

    /// The places that the tokens accepted by `wanted` claim, from left to right. They do not overlap.
    pub(super) fn claim(&self, input: &str, text: &TokenText, wanted: impl Fn(&Found) -> bool) -> Vec<Found> {
        let mut places = Vec::new();
        if self.ids.is_empty() {
            return places;
        }
        for start in 0..input.len() {
            self.matches(&input.as_bytes()[start..], text, |id| {
                let found = Found {
                    bytes: start..start + text.token(id).len(),
                    id,
                };
                if wanted(&found) {
                    places.push(found);
                }
            });
        }
        places.sort_by_key(|found| (std::cmp::Reverse(found.bytes.len()), found.id, found.bytes.start));
        let mut claimed: BTreeMap<usize, Found> = BTreeMap::new();
        for found in places {
            let before = claimed.range(..found.bytes.end).next_back();
            if before.is_none_or(|(_, before)| before.bytes.end <= found.bytes.start) {
                claimed.insert(found.bytes.start, found);
            }
        }
        claimed.into_values().collect()
    }
}
