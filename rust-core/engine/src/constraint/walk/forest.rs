//! Words as a forest of their bytes, with prepared masks: of all words up to a length, and of all words below a node with many of them.

use llguidance::toktrie::{SimpleVob, TokTrie, TokenId};

use super::words::{Bytes, CHARACTERS_MAX, Kind, Word};

/// A node has a mask of its own if at least this fraction of the vocabulary is below it: one in 64.
const MASK_SHARE: usize = 64;
/// Stands for no mask.
const NONE: u32 = u32::MAX;

/// Words by their bytes, in depth-first order.
pub(super) struct Forest {
    kind: Kind,
    nodes: Vec<Node>,
    /// One for each node, and one for the end.
    places: Vec<Place>,
    /// The words in the order of their nodes, with their characters.
    words: Vec<(TokenId, u8)>,
    /// The words of at most 0, 1, 2, … characters.
    up_to: Vec<SimpleVob>,
    below: Vec<SimpleVob>,
    no_word: TokenId,
}

/// What a walk needs at every node, in 8 bytes because there may be a million.
#[derive(Clone, Copy)]
pub(super) struct Node {
    /// The token that ends here in the upper 24 bits, the byte in the lower 8.
    word_and_byte: u32,
    /// The number of nodes from here down in the upper 24 bits, and in the lower 8 how many bytes to take back after the last of them.
    size_and_parents: u32,
}

impl Node {
    #[inline(always)]
    pub(super) fn byte(self) -> u8 {
        self.word_and_byte as u8
    }

    /// The token, or [`Forest::no_word`].
    #[inline(always)]
    pub(super) fn word(self) -> TokenId {
        self.word_and_byte >> 8
    }

    #[inline(always)]
    pub(super) fn size(self) -> usize {
        (self.size_and_parents >> 8) as usize
    }

    #[inline(always)]
    pub(super) fn parents(self) -> usize {
        (self.size_and_parents & 0xFF) as usize
    }
}

/// What the look-ahead needs at a node.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The first of [`Forest::words`] that lies here or behind.
    first: u32,
    /// Its mask in [`Forest::below`], or [`NONE`].
    mask: u32,
    /// Characters up to here; the last may be cut off.
    pub(super) characters: u8,
    /// The most characters that a word has after these. 0 if there is none, or if a character is cut off here.
    pub(super) longest: u8,
    /// The characters below.
    pub(super) kind: Kind,
}

impl Place {
    /// Whether no word here or below has more characters.
    #[inline(always)]
    pub(super) fn is_within(self, characters: u8) -> bool {
        self.longest > 0 && self.longest + self.characters <= characters
    }
}

impl Forest {
    /// `words` are in the order of their bytes, each of which occurs once; `kind` is that of all of them.
    pub(super) fn new(trie: &TokTrie, words: &[Word], kind: Kind) -> Forest {
        let mut up_to = vec![trie.alloc_token_set(); usize::from(CHARACTERS_MAX) + 1];
        for word in words {
            up_to[usize::from(word.characters)].allow_token(word.id);
        }
        for characters in 1..up_to.len() {
            let shorter = up_to[characters - 1].clone();
            up_to[characters].or(&shorter);
        }
        let mut forest = Forest {
            kind,
            nodes: Vec::new(),
            places: Vec::new(),
            words: Vec::with_capacity(words.len()),
            up_to,
            below: Vec::new(),
            no_word: trie.vocab_size() as TokenId,
        };
        forest.grow(words, 0, 0, 0);
        forest.places.push(forest.end());
        forest.prepare_masks(trie);
        forest
    }

    /// Adds the nodes of words that have the same bytes up to a place. Returns the most characters of a word, and the bytes after the place.
    fn grow(&mut self, mut words: &[Word], at: usize, characters: u8, parents: u32) -> (u8, Bytes) {
        let (mut longest, mut bytes) = (0, Bytes::default());
        while let Some(first) = words.first() {
            let byte = first.bytes[at];
            let (mine, others) = words.split_at(words.partition_point(|word| word.bytes[at] <= byte));
            words = others;
            let parents = if others.is_empty() { parents + 1 } else { 1 };
            // Every byte but a continuation byte starts a character.
            let characters = characters + u8::from(byte & 0xC0 != 0x80);
            let index = self.nodes.len();
            let is_word = first.bytes.len() == at + 1;
            self.nodes.push(Node {
                word_and_byte: 0,
                size_and_parents: 0,
            });
            self.places.push(Place {
                characters,
                ..self.end()
            });
            if is_word {
                self.words.push((first.id, first.characters));
            }
            let (most, below) = self.grow(&mine[usize::from(is_word)..], at + 1, characters, parents);
            let size = (self.nodes.len() - index) as u32;
            let word = if is_word { first.id } else { self.no_word };
            self.nodes[index] = Node {
                word_and_byte: word << 8 | u32::from(byte),
                size_and_parents: size << 8 | parents,
            };
            let is_cut = std::str::from_utf8(&first.bytes[..=at]).is_err();
            let place = &mut self.places[index];
            place.longest = if is_cut { 0 } else { most.saturating_sub(characters) };
            place.kind = Kind::of(below);
            longest = longest.max(most).max(if is_word { first.characters } else { 0 });
            bytes = bytes.with(below).with(Bytes::of(byte));
        }
        (longest, bytes)
    }

    /// The place after all nodes so far.
    fn end(&self) -> Place {
        Place {
            first: self.words.len() as u32,
            mask: NONE,
            characters: 0,
            longest: 0,
            kind: Kind::LowerCase,
        }
    }

    fn prepare_masks(&mut self, trie: &TokTrie) {
        for index in 0..self.nodes.len() {
            let words = self.words_below(index);
            if self.places[index].longest > 0 && words.len() >= trie.vocab_size().div_ceil(MASK_SHARE) {
                let mut mask = trie.alloc_token_set();
                words.iter().for_each(|(id, _)| mask.allow_token(*id));
                self.places[index].mask = self.below.len() as u32;
                self.below.push(mask);
            }
        }
    }

    /// The characters of its words.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    #[inline(always)]
    pub(super) fn place(&self, index: usize) -> Place {
        self.places[index]
    }

    /// Stands for the word of a node where no word ends: one more than the last token. Masks have a bit for it.
    pub(super) fn no_word(&self) -> TokenId {
        self.no_word
    }

    /// All words of up to so many characters.
    pub(super) fn words_up_to(&self, characters: u8) -> &SimpleVob {
        &self.up_to[usize::from(characters.min(CHARACTERS_MAX))]
    }

    /// Allows all words here and below.
    pub(super) fn allow_below(&self, index: usize, mask: &mut SimpleVob) {
        match self.below.get(self.places[index].mask as usize) {
            Some(below) => mask.or(below),
            None => self.allow_shorter_below(index, CHARACTERS_MAX, mask),
        }
    }

    /// Allows the words here and below that have at most so many characters.
    pub(super) fn allow_shorter_below(&self, index: usize, characters: u8, mask: &mut SimpleVob) {
        for (id, has) in self.words_below(index) {
            if *has <= characters {
                mask.allow_token(*id);
            }
        }
    }

    fn words_below(&self, index: usize) -> &[(TokenId, u8)] {
        let behind = index + self.nodes[index].size();
        &self.words[self.places[index].first as usize..self.places[behind].first as usize]
    }
}

#[cfg(test)]
mod tests {
    use llguidance::toktrie::{INVALID_TOKEN, TokRxInfo};

    use super::*;

    const TEXTS: [&str; 9] = [
        "a",
        "ab",
        "abc",
        "abd",
        "b",
        "b\u{e9}",
        "b\u{e9}a",
        "c\u{20ac}",
        "\u{1f99c}\u{1f99c}",
    ];

    fn forest() -> Forest {
        let texts: Vec<Vec<u8>> = TEXTS.iter().map(|text| text.as_bytes().to_vec()).collect();
        let trie = TokTrie::from(&TokRxInfo::new(texts.len() as u32, INVALID_TOKEN), &texts);
        let words: Vec<Word> = (0..)
            .zip(TEXTS)
            .map(|(id, text)| Word {
                bytes: text.into(),
                id,
                characters: text.chars().count() as u8,
            })
            .collect();
        Forest::new(&trie, &words, Kind::Any)
    }

    /// A walk in depth that goes everywhere meets every word behind its bytes.
    #[test]
    fn a_walk_meets_every_word() {
        let forest = forest();
        let (mut bytes, mut back, mut met) = (Vec::new(), 0, Vec::new());
        for (index, node) in forest.nodes().iter().enumerate() {
            bytes.truncate(bytes.len() - back);
            bytes.push(node.byte());
            back = if node.size() == 1 { node.parents() } else { 0 };
            let place = forest.place(index);
            let below = TEXTS.iter().filter(|text| text.as_bytes().starts_with(&bytes));
            let most = below.clone().map(|text| text.chars().count()).max().unwrap();
            let whole = std::str::from_utf8(&bytes).ok();
            let longest = whole.map_or(0, |text| most - text.chars().count());
            assert_eq!(usize::from(place.longest), longest, "{bytes:?}");
            assert_eq!(forest.words_below(index).len(), below.count(), "{bytes:?}");
            if node.word() != forest.no_word() {
                met.push(bytes.clone());
            }
        }
        assert_eq!(back, bytes.len());
        assert_eq!(met, TEXTS.map(|text| text.as_bytes().to_vec()));
    }

    #[test]
    fn masks_are_those_of_the_words() {
        let forest = forest();
        for characters in 0..=4 {
            let expected: Vec<u32> = (0..)
                .zip(TEXTS)
                .filter(|(_, text)| text.chars().count() <= usize::from(characters))
                .map(|(id, _)| id)
                .collect();
            assert_eq!(forest.words_up_to(characters).to_list(), expected);
        }
        let empty = || SimpleVob::alloc(TEXTS.len() + 1);
        // The first node is that of `a`.
        let (mut all, mut short) = (empty(), empty());
        forest.allow_below(0, &mut all);
        forest.allow_shorter_below(0, 2, &mut short);
        assert_eq!((all.to_list(), short.to_list()), (vec![0, 1, 2, 3], vec![0, 1]));
        let place = forest.place(0);
        assert!(place.is_within(3) && !place.is_within(2));
    }
}
