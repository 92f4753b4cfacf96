//! What `examples/train_tagger` needs to see of the scanner to train the tagger of names and to measure it. It is not part of the public
//! interface.

use std::ops::Range;

use crate::Finding;
use crate::detect::view::View;
use crate::detect::{by_rules, tagger};

/// How many weights the tagger has.
pub const WEIGHTS: usize = tagger::WEIGHTS;

/// A word that the tagger is asked about.
pub struct Candidate {
    /// Where it is, in bytes of UTF-8.
    pub range: Range<usize>,
    /// The places of its features in the table of weights.
    pub features: Vec<u32>,
}

/// The words of `text` that the tagger is asked about. The lexicon forgets the words at the places of which `is_hidden` says so, so that
/// the tagger learns about words that no list holds.
pub fn candidates(text: &str, is_hidden: impl Fn(&Range<usize>) -> bool) -> Vec<Candidate> {
    let view = view(text, is_hidden);
    let asked = (0..view.tokens.len()).filter(|&index| tagger::is_candidate(&view, index));
    let candidate = |index: usize| {
        let mut features = Vec::new();
        tagger::features(&view, index, |place| features.push(place as u32));
        Candidate {
            range: view.start(index)..view.end(index),
            features,
        }
    };
    asked.map(candidate).collect()
}

/// What is found in `text` with the same words forgotten: by the rules, and by the rules and the tagger.
pub fn found(text: &str, is_hidden: impl Fn(&Range<usize>) -> bool) -> (Vec<Finding>, Vec<Finding>) {
    let view = view(text, is_hidden);
    let mut rules = Vec::new();
    by_rules(&view, &mut rules);
    let mut all = rules.clone();
    tagger::all(&view, &mut all);
    (rules, all)
}

fn view(text: &str, is_hidden: impl Fn(&Range<usize>) -> bool) -> View<'_> {
    let mut view = View::new(text);
    for token in &mut view.tokens {
        if is_hidden(&(token.start as usize..token.end as usize)) {
            token.meaning = 0;
        }
    }
    view
}
