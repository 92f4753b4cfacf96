//! Notices an answer that says the same over and over, as small models do. Deterministic, a few comparisons a token.

/// The longest part that is noticed when it repeats, in tokens.
const PERIOD_MAX: usize = 128;
/// At least this many tokens must repeat earlier ones.
const REPEATED_TOKENS_MIN: u32 = 48;
/// A part must come back at least this many times.
const REPEATS_MIN: u32 = 3;

/// For each distance, how many of the last tokens are those at that distance before them.
pub(super) struct Repetition([u32; PERIOD_MAX]);

impl Default for Repetition {
    fn default() -> Repetition {
        Repetition([0; PERIOD_MAX])
    }
}

impl Repetition {
    /// Takes in the answer's newest token. Returns whether the answer repeats itself now.
    pub(super) fn take(&mut self, answer: &[u32]) -> bool {
        let Some((newest, before)) = answer.split_last() else {
            return false;
        };
        let mut repeats = false;
        for ((period, repeated), token) in (1..).zip(&mut self.0).zip(before.iter().rev()) {
            *repeated = if token == newest { *repeated + 1 } else { 0 };
            repeats |= *repeated >= REPEATED_TOKENS_MIN.max(REPEATS_MIN * period);
        }
        repeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many tokens the answer is seen to repeat itself.
    fn seen_after(answer: &[u32]) -> Option<usize> {
        let mut repetition = Repetition::default();
        (1..=answer.len()).find(|&length| repetition.take(&answer[..length]))
    }

    fn part(length: u32) -> Vec<u32> {
        (0..length).map(|token| 1000 + token).collect()
    }

    #[test]
    fn a_part_that_comes_back_is_noticed() {
        // The length of the part, and of what is needed to notice it.
        for (length, needed) in [(1, 49), (2, 50), (4, 52), (16, 64), (17, 68), (50, 200), (128, 512)] {
            let answer: Vec<u32> = (0..7).chain(part(length).repeat(60)).collect();
            assert_eq!(seen_after(&answer), Some(needed + 7), "{length}");
        }
        assert_eq!(seen_after(&part(129).repeat(10)), None);
    }

    #[test]
    fn what_changes_is_no_repetition() {
        let counted: Vec<u32> = (0..400).flat_map(|line| [1, 2, 3, line % 90 + 10]).collect();
        assert_eq!(seen_after(&counted[..300]), None, "a numbered list");
        assert_eq!(seen_after(&part(20).repeat(3)), None, "a refrain");
        assert_eq!(seen_after(&[5; 48]), None, "a rule of hyphens");
        assert_eq!(seen_after(&[]), None);
    }
}
