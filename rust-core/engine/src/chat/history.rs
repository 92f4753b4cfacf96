//! Which part of a conversation's history goes into a prompt: the exchanges of a history, and the search for how many of the oldest must be
//! left out.

use std::borrow::Cow;

use crate::{Message, Role};

/// A history cut into exchanges. The system message at its beginning and the question at its end belong to none and always stay.
pub(super) struct History<'m> {
    messages: &'m [Message],
    /// Where each exchange begins, and last where the question does.
    starts: Vec<usize>,
}

impl<'m> History<'m> {
    /// `messages` end with a question.
    pub(super) fn new(messages: &'m [Message]) -> Self {
        let first = system_messages(messages);
        let questions = (first + 1..messages.len()).filter(|index| messages[*index].role == Role::User);
        History {
            messages,
            starts: std::iter::once(first).chain(questions).collect(),
        }
    }

    /// How many exchanges there are before the question.
    pub(super) fn exchanges(&self) -> usize {
        self.starts.len() - 1
    }

    /// The messages without the oldest `dropped` exchanges.
    pub(super) fn without(&self, dropped: usize) -> Cow<'m, [Message]> {
        if dropped == 0 {
            return Cow::Borrowed(self.messages);
        }
        let (system, rest) = (&self.messages[..self.starts[0]], &self.messages[self.starts[dropped]..]);
        Cow::Owned([system, rest].concat())
    }

    /// How many messages the oldest `dropped` exchanges have.
    pub(super) fn messages_in(&self, dropped: usize) -> usize {
        self.starts[dropped] - self.starts[0]
    }
}

/// The messages with another question at their end.
pub(super) fn with_question(messages: Cow<'_, [Message]>, question: &str) -> Vec<Message> {
    let mut messages = messages.into_owned();
    if let Some(last) = messages.last_mut() {
        last.content = question.to_owned();
    }
    messages
}

/// How many system messages stand at the beginning.
pub(super) fn system_messages(messages: &[Message]) -> usize {
    messages
        .iter()
        .position(|message| message.role != Role::System)
        .unwrap_or(messages.len())
}

/// The smallest number from 0 to `most` for which `fits` holds, or `most` if it holds for none. What fits for a number must fit for
/// every larger one.
///
/// The search starts at `guess`. It moves away from it in steps that double and then halves what is left between the last two,
/// so it asks about as often as the distance from the guess has binary digits, twice. The last number that it asks for with a
/// positive answer is the result; if all answers are negative, it is the last one asked for.
pub(super) fn smallest_that_fits<E>(
    most: usize,
    guess: usize,
    mut fits: impl FnMut(usize) -> Result<bool, E>,
) -> Result<usize, E> {
    // Everything below `low` is known not to fit; `high` is known to fit.
    let (mut low, mut high) = (0, guess.min(most));
    let mut step = 1;
    if fits(high)? {
        while low < high {
            let next = high.saturating_sub(step);
            if !fits(next)? {
                low = next + 1;
                break;
            }
            high = next;
            step *= 2;
        }
    } else {
        loop {
            low = high + 1;
            if low > most {
                return Ok(most);
            }
            high = most.min(high + step);
            if fits(high)? {
                break;
            }
            step *= 2;
        }
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if fits(middle)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(high)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn search(most: usize, guess: usize, smallest: usize) -> (usize, u32) {
        let mut asked = 0;
        let found = smallest_that_fits::<()>(most, guess, |number| {
            asked += 1;
            assert!(number <= most);
            Ok(number >= smallest)
        });
        (found.unwrap(), asked)
    }

    #[test]
    fn the_search_finds_what_counting_up_finds() {
        for most in 0..20 {
            for guess in 0..25 {
                // The last one fits for no number.
                for smallest in 0..=most + 1 {
                    let counted = (0..most).find(|number| *number >= smallest).unwrap_or(most);
                    assert_eq!(
                        search(most, guess, smallest).0,
                        counted,
                        "{smallest} of {most}, guessed {guess}"
                    );
                }
            }
        }
    }

    #[test]
    fn five_hundred_exchanges_are_rendered_twenty_times_at_most() {
        for guess in [0, 1, 250, 499, 500] {
            for smallest in 0..=501 {
                let (_, asked) = search(500, guess, smallest);
                assert!(asked <= 20, "{asked} for {smallest}, guessed {guess}");
            }
        }
        assert_eq!(search(500, 0, 0), (0, 1), "nothing need be dropped");
        for guess in 1..500 {
            assert_eq!(search(500, guess, guess), (guess, 2), "the guess is right");
            assert!(search(500, guess, guess + 1).1 <= 2, "the usual next turn");
        }
    }

    #[test]
    fn exchanges_are_cut_at_questions() {
        use Role::{Assistant, System, User};
        let history = |roles: &[Role]| -> Vec<Message> {
            let numbered = roles.iter().enumerate();
            numbered
                .map(|(index, role)| Message {
                    role: *role,
                    content: index.to_string(),
                })
                .collect()
        };
        for (roles, expected) in [
            (&[User][..], &["0"][..]),
            (&[System, User], &["01"]),
            (
                &[System, User, Assistant, User, Assistant, User],
                &["012345", "0345", "05"],
            ),
            (&[Assistant, User, User], &["012", "12", "2"]),
            (&[User, System, Assistant, User], &["0123", "3"]),
        ] {
            let messages = history(roles);
            let history = History::new(&messages);
            assert_eq!(history.exchanges() + 1, expected.len());
            for (dropped, expected) in expected.iter().enumerate() {
                let left = history.without(dropped);
                let text: String = left.iter().map(|message| message.content.as_str()).collect();
                assert_eq!(text, *expected, "{roles:?} without {dropped}");
                assert_eq!(history.messages_in(dropped), messages.len() - left.len());
            }
        }
    }
}
