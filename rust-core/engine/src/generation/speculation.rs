//! Guesses the next tokens from the text so far, so that one run of the model can check several of them.
//!
//! The end of the text is looked up earlier in the text; the tokens that followed it there are the guess (prompt lookup, Saxena 2023). A
//! guess never changes an answer, because every token is still sampled from the model's own scores; it only changes how many runs are
//! needed. Whether a guess is worth a longer run is decided from how often such guesses were right in this answer, and from how long runs
//! took. Guesses that are not run are still compared with the model's choice, so that a text that begins to repeat itself is noticed at no
//! cost.

use crate::session::costs::{DRAFT_MAX, RunCosts};

/// Agreement of the text's end with an earlier place beyond this many tokens makes no difference.
const MATCH_MAX: usize = 16;
/// Gain that a guess must promise before it is run.
const GAIN_MIN: f64 = 1.08;

/// Chances are learnt apart for these lengths of agreement and up.
const CLASSES: [usize; 6] = [1, 2, 3, 5, 8, MATCH_MAX];
/// The chances assumed before anything was seen, and how many observations they count for.
const PRIOR: [f64; CLASSES.len()] = [0.1, 0.25, 0.45, 0.6, 0.8, 0.9];
const PRIOR_WEIGHT: f64 = 3.0;
/// How much of an observation is left after the next one of its class.
const MEMORY: f64 = 0.95;

/// Where the text's end occurred before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Index of the token that followed.
    next: usize,
    /// Tokens that agree, at most [`MATCH_MAX`].
    length: usize,
}

/// The place of the longest agreement with the end of the text, the latest of several.
fn find(text: &[u32]) -> Option<Place> {
    let (last, before) = text.split_last()?;
    let mut best: Option<Place> = None;
    for (index, _) in before.iter().enumerate().rev().filter(|(_, token)| *token == last) {
        let agreeing = text[..index].iter().rev().zip(before.iter().rev());
        let length = 1 + agreeing.take(MATCH_MAX - 1).take_while(|(a, b)| a == b).count();
        if best.is_none_or(|best| best.length < length) {
            best = Some(Place {
                next: index + 1,
                length,
            });
            if length == MATCH_MAX {
                break;
            }
        }
    }
    best
}

/// Tokens that may come next.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Guess {
    tokens: [u32; DRAFT_MAX],
    /// How many of them are to be run.
    run: usize,
    /// Tokens of agreement that the guess rests on; 0 when there is no guess.
    length: usize,
}

impl Guess {
    /// The tokens to be run behind the last one.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens[..self.run]
    }

    /// Runs at most this many of them.
    pub(crate) fn cut(&mut self, count: usize) {
        self.run = self.run.min(count);
    }
}

/// What is learnt about one answer.
#[derive(Debug)]
pub(crate) struct Guesser {
    hits: [f64; CLASSES.len()],
    trials: [f64; CLASSES.len()],
}

impl Default for Guesser {
    fn default() -> Self {
        Guesser {
            hits: PRIOR.map(|chance| chance * PRIOR_WEIGHT),
            trials: [PRIOR_WEIGHT; CLASSES.len()],
        }
    }
}

impl Guesser {
    /// What may follow `text`, and how much of it is worth running: at most `room` tokens.
    pub(crate) fn guess(&self, text: &[u32], room: usize, costs: &RunCosts) -> Guess {
        let Some(place) = find(text) else {
            return Guess::default();
        };
        let mut guess = Guess {
            length: place.length,
            ..Guess::default()
        };
        for index in 0..DRAFT_MAX {
            // Past the end of the text the guess goes on with itself: a repetition is taken to go on.
            let from = place.next + index;
            guess.tokens[index] = text
                .get(from)
                .copied()
                .unwrap_or_else(|| guess.tokens[from - text.len()]);
        }
        let (mut chance, mut expected, mut best) = (1.0, 1.0, GAIN_MIN);
        for count in 1..=room.min(DRAFT_MAX) {
            chance *= self.chance(place.length + count - 1);
            expected += chance;
            let gain = costs.known().map_or(0.0, |costs| expected / costs[count - 1]);
            if gain > best {
                (best, guess.run) = (gain, count);
            }
        }
        guess
    }

    /// Learns from the tokens that the model chose where the guess stood, the first ones that agree and the first that does not.
    pub(crate) fn learn(&mut self, guess: &Guess, chosen: &[u32]) {
        if guess.length == 0 {
            return;
        }
        for (index, (guessed, chosen)) in guess.tokens.iter().zip(chosen).enumerate() {
            let class = class(guess.length + index);
            self.hits[class] = self.hits[class] * MEMORY + if guessed == chosen { 1.0 } else { 0.0 };
            self.trials[class] = self.trials[class] * MEMORY + 1.0;
            if guessed != chosen {
                break;
            }
        }
    }

    fn chance(&self, length: usize) -> f64 {
        let class = class(length);
        self.hits[class] / self.trials[class]
    }
}

fn class(length: usize) -> usize {
    CLASSES.iter().rposition(|least| *least <= length).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs() -> RunCosts {
        let mut costs = RunCosts::default();
        costs.learn(1, 0.004);
        costs
    }

    #[test]
    fn the_longest_latest_agreement_is_found() {
        let check = |text: &[u32], expected: Option<(usize, usize)>| {
            let found = find(text).map(|place| (place.next, place.length));
            assert_eq!(found, expected, "{text:?}");
        };
        check(&[], None);
        check(&[1], None);
        check(&[1, 2, 3], None);
        check(&[1, 1], Some((1, 1)));
        check(&[1, 2, 9, 1, 2], Some((2, 2)));
        check(&[5, 2, 9, 1, 2, 8, 7, 2], Some((5, 1)));
        check(&[1, 2, 9, 3, 2, 8, 1, 2], Some((2, 2)));
        let long: Vec<u32> = (0..40).chain(0..40).collect();
        check(&long, Some((40, MATCH_MAX)));
    }

    #[test]
    fn a_repetition_is_taken_to_go_on() {
        let text = [7, 1, 2, 3, 1, 2, 3, 1, 2, 3];
        let guess = Guesser::default().guess(&text, DRAFT_MAX, &costs());
        assert_eq!(guess.tokens, [1, 2, 3, 1, 2, 3, 1, 2]);
        assert!(!guess.tokens().is_empty());
    }

    #[test]
    fn nothing_is_run_without_room_measurements_or_agreement() {
        let text: Vec<u32> = (0..20).chain(0..20).collect();
        let run = |text: &[u32], room, costs: &RunCosts| Guesser::default().guess(text, room, costs).tokens().len();
        assert!(run(&text, DRAFT_MAX, &costs()) > 3);
        assert_eq!(run(&text, 3, &costs()), 3);
        assert_eq!(run(&text, 0, &costs()), 0);
        assert_eq!(run(&text, DRAFT_MAX, &RunCosts::default()), 0);
        assert_eq!(run(&text[..20], DRAFT_MAX, &costs()), 0);
    }

    /// Guesses that fail are no longer run; when they begin to come true without being run, they are run again.
    #[test]
    fn what_does_not_pay_is_left_and_taken_up_again() {
        let text: Vec<u32> = (0..6).chain(0..6).collect();
        let mut guesser = Guesser::default();
        let now = |guesser: &Guesser| guesser.guess(&text, DRAFT_MAX, &costs());
        assert!(!now(&guesser).tokens().is_empty());
        for _ in 0..40 {
            let guess = now(&guesser);
            guesser.learn(&guess, &[99]);
        }
        assert!(now(&guesser).tokens().is_empty());
        for _ in 0..40 {
            let guess = now(&guesser);
            guesser.learn(&guess, &guess.tokens[..1]);
        }
        assert!(!now(&guesser).tokens().is_empty());
    }

    /// Where a longer run costs as much as its tokens one by one, nothing is guessed.
    #[test]
    fn costs_decide_how_much_is_run() {
        let text: Vec<u32> = (0..20).chain(0..20).collect();
        let mut costs = costs();
        for _ in 0..100 {
            (2..=DRAFT_MAX + 1).for_each(|rows| costs.learn(rows, 0.004 * rows as f64));
        }
        assert!(Guesser::default().guess(&text, DRAFT_MAX, &costs).tokens().is_empty());
        (0..2000).for_each(|_| costs.learn(1, 0.004));
        assert!(!Guesser::default().guess(&text, DRAFT_MAX, &costs).tokens().is_empty());
    }
}
