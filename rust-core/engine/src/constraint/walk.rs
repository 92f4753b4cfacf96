//! Computes which tokens a form allows at a place. Most tokens are plain text, and inside a string a form often allows any plain text up to some
//! length: the look-ahead finds that length, and whole sets of tokens are allowed or left out at once. The remaining tokens are walked through byte
//! by byte. The mask is the same either way; the form's grammar itself is llguidance's.

mod ahead;
mod forest;
mod step;
mod words;
mod work;

use std::sync::{Arc, Mutex, MutexGuard};

use llguidance::earley::{BiasComputer, ParserRecognizer};
use llguidance::toktrie::{Recognizer, SimpleVob, TokTrie};

use self::ahead::{Ahead, Bound, Effort};
use self::forest::Forest;
use self::words::{CHARACTERS_MAX, Kind};
pub(super) use self::words::{PLAIN_TEXT, Words};

/// A node with at least this many nodes below it is worth a look at what the look-ahead knows.
const ASK_NODES_MIN: u32 = 64;
/// A node with at least this many nodes below it is worth a search.
const SEARCH_NODES_MIN: u32 = 200;
/// The same if there are characters beyond ASCII below it, which make a search expensive.
const WIDE_SEARCH_NODES_MIN: u32 = 4_000;

/// Computes the masks of one compiled form.
///
/// The look-ahead remembers states of the form's lexer by their numbers. Clones of a matcher share both the lexer and this computer, so the numbers
/// agree. Never call `deep_clone` on a matcher: the copy would have its own lexer, which numbers new states in its own way, but share this computer.
pub(super) struct Walk {
    words: Arc<Words>,
    ahead: Mutex<Ahead>,
}

impl Walk {
    pub(super) fn new(words: Arc<Words>) -> Walk {
        Walk {
            words,
            ahead: Mutex::new(Ahead::default()),
        }
    }

    /// A computer that never searches, for forms that are too complex for it.
    pub(super) fn without_look_ahead(words: Arc<Words>) -> Walk {
        Walk {
            words,
            ahead: Mutex::new(Ahead::off()),
        }
    }

    /// Locks the look-ahead. llguidance already holds the lexer's lock, and no other code takes this one, so the order of the two never changes. If a
    /// panic interrupted an update, the look-ahead is discarded and stays off.
    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(|poisoned| {
            self.ahead.clear_poison();
            let mut ahead = poisoned.into_inner();
            *ahead = Ahead::off();
            ahead
        })
    }
}

impl BiasComputer for Walk {
    fn compute_bias(&self, parser: &mut ParserRecognizer<'_>, start: &[u8]) -> SimpleVob {
        let mut mask = self.trie().alloc_token_set();
        if !start.is_empty() {
            // A part of the next token is written already.
            self.trie().add_bias(parser, &mut mask, start);
            return mask;
        }
        let mut ahead = self.ahead();
        ahead.begin_mask(parser);
        if ahead.is_off() && !ahead.allows_all(parser) {
            // Without a look-ahead, llguidance's own walk is faster.
            self.trie().add_bias(parser, &mut mask, &[]);
            return mask;
        }
        for forest in self.words.forests() {
            allow_words(forest, parser, &mut ahead, &mut mask);
        }
        self.words.rest().add_bias(parser, &mut mask, &[]);
        mask
    }

    fn trie(&self) -> &TokTrie {
        self.words.trie()
    }
}

/// Adds the words of a forest that may come next to the mask.
fn allow_words(forest: &Forest, parser: &mut ParserRecognizer<'_>, ahead: &mut Ahead, mask: &mut SimpleVob) {
    let effort = match forest.kind() {
        Kind::Any if forest.nodes().len() < WIDE_SEARCH_NODES_MIN as usize => Effort::Known,
        _ => Effort::Root,
    };
    let state = parser.lexer_state();
    let bound = ahead.bound(parser, state, forest.kind(), effort);
    if bound.least > 0 {
        mask.or(forest.words_up_to(bound.least));
    }
    if bound.least >= CHARACTERS_MAX || bound.is_exact() {
        return;
    }
    parser.trie_started("words");
    let (rest, walked) = match bound.least {
        0 => walk::<false>(forest, parser, ahead, mask, bound),
        _ => walk::<true>(forest, parser, ahead, mask, bound),
    };
    parser.pop_bytes(rest);
    parser.trie_finished();
    parser.save_stats(walked);
    mask.disallow_token(forest.no_word());
}

/// Walks through a forest byte by byte and adds the words that the form allows. With `SKIPS`, the mask already has the words of up to `bound.least`
/// characters. Returns how many bytes to take back at the end, and the number of nodes visited.
#[inline(never)]
fn walk<const SKIPS: bool>(
    forest: &Forest,
    parser: &mut ParserRecognizer<'_>,
    ahead: &mut Ahead,
    mask: &mut SimpleVob,
    bound: Bound,
) -> (usize, usize) {
    let nodes = forest.nodes();
    // Counting skipped nodes is cheaper than counting visited ones.
    let (mut index, mut back, mut skipped) = (0, 0, 0);
    while let Some(node) = nodes.get(index) {
        parser.pop_bytes(back);
        let is_done = SKIPS && forest.place(index).is_within(bound.least);
        if is_done || !parser.try_push_byte(node.byte()) {
            index += node.size();
            skipped += node.size() - 1;
            back = node.parents() - 1;
            continue;
        }
        mask.allow_token(node.word());
        let is_leaf = node.size() == 1;
        if is_leaf || node.size() >= ASK_NODES_MIN as usize && is_told(forest, index, parser, ahead, mask) {
            index += node.size();
            skipped += node.size() - 1;
            back = node.parents();
            continue;
        }
        index += 1;
        back = 0;
    }
    (back, index - skipped)
}

/// Whether the look-ahead decides about all words below a node. If so, the mask has those that are allowed.
#[inline(never)]
fn is_told(
    forest: &Forest,
    index: usize,
    parser: &mut ParserRecognizer<'_>,
    ahead: &mut Ahead,
    mask: &mut SimpleVob,
) -> bool {
    let (node, place) = (forest.nodes()[index], forest.place(index));
    if place.longest == 0 {
        return false;
    }
    let nodes_min = match place.kind {
        Kind::BeyondAscii | Kind::Any => WIDE_SEARCH_NODES_MIN,
        Kind::LowerCase | Kind::Letters | Kind::Ascii => SEARCH_NODES_MIN,
    };
    let effort = match node.size() >= nodes_min as usize {
        true => Effort::Below,
        false => Effort::Known,
    };
    let state = parser.lexer_state();
    let bound = ahead.bound(parser, state, place.kind, effort);
    if bound.least >= place.longest {
        forest.allow_below(index, mask);
        return true;
    }
    if bound.is_exact() {
        forest.allow_shorter_below(index, place.characters + bound.least, mask);
    }
    bound.is_exact()
}
