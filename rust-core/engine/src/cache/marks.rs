//! The lengths of a text at which a session's state is kept, so that the text can be cut there, and which of them to give up first.

/// Why the state at a length is kept, from what is given up first to what is given up last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// Every few hundred tokens.
    Passing,
    /// A question ends here or an answer does.
    Turn,
    /// Another text has parted from this one here, or may do so.
    Fork,
}

/// Turns that are kept longest.
const LATEST_TURNS: usize = 2;

/// Marks in the order in which they were made, at most one at each length.
#[derive(Debug, Default)]
pub(super) struct Marks(Vec<(Mark, usize)>);

impl Marks {
    pub(super) fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|(_, length)| *length)
    }

    /// The greatest length with a mark of this kind, 0 if there is none.
    pub(super) fn last(&self, kind: Mark) -> usize {
        let of_kind = self.0.iter().filter(|(mark, _)| *mark == kind);
        of_kind.map(|(_, length)| *length).max().unwrap_or(0)
    }

    /// Adds a mark. One that is there already becomes the latest, and keeps the more important of the two reasons.
    pub(super) fn add(&mut self, mark: Mark, length: usize) {
        let before = self.0.iter().position(|(_, other)| *other == length);
        let before = before.map_or(mark, |index| self.0.remove(index).0);
        self.0.push((mark.max(before), length));
    }

    /// Takes away the marks behind a length.
    pub(super) fn truncate(&mut self, length: usize) {
        self.0.retain(|(_, marked)| *marked <= length);
    }

    /// Takes away the mark that is needed least, and returns its length. The latest two turns are kept longest: to answer anew and to ask the
    /// last question in other words is what people do most. Everything else goes by importance and age.
    pub(super) fn take_least(&mut self) -> Option<usize> {
        let turns = (0..self.0.len()).rev().filter(|index| self.0[*index].0 == Mark::Turn);
        let latest: Vec<usize> = turns.take(LATEST_TURNS).collect();
        let rank = |index: &usize| {
            let age = latest.iter().position(|turn| turn == index);
            (age.map(|age| LATEST_TURNS - age), self.0[*index].0)
        };
        // Of equal ones the first, which is the oldest.
        let least = (0..self.0.len()).min_by_key(rank)?;
        Some(self.0.remove(least).1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, Marks};

    #[test]
    fn the_latest_turns_are_given_up_last() {
        let mut marks = Marks::default();
        for (mark, length) in [
            (Mark::Fork, 100),
            (Mark::Turn, 300),
            (Mark::Passing, 512),
            (Mark::Turn, 600),
            (Mark::Turn, 100),
            (Mark::Passing, 256),
            (Mark::Turn, 700),
        ] {
            marks.add(mark, length);
        }
        assert_eq!((marks.last(Mark::Passing), marks.last(Mark::Fork)), (512, 100));
        let given_up: Vec<usize> = std::iter::from_fn(|| marks.take_least()).collect();
        assert_eq!(given_up, [512, 256, 300, 100, 600, 700]);
    }

    #[test]
    fn marks_behind_the_end_are_gone() {
        let mut marks = Marks::default();
        for length in [3, 5, 4] {
            marks.add(Mark::Turn, length);
        }
        marks.truncate(4);
        assert_eq!(marks.lengths().collect::<Vec<_>>(), [3, 4]);
    }
}
