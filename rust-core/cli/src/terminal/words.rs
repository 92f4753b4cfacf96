//! Small words of messages: counts with their noun.

/// `1 message`, `2 messages`: a count and its noun, which takes an s for everything but one.
pub(crate) fn counted(count: impl Into<u64>, noun: &str) -> String {
    match count.into() {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn a_noun_follows_its_count() {
        for (count, expected) in [(0_u32, "0 messages"), (1, "1 message"), (2, "2 messages")] {
            assert_eq!(counted(count, "message"), expected);
        }
    }
}
