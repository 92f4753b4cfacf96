//! Small words of messages: counts with their noun.

/// `1 message`, `2 messages`: a count and its noun, which takes an s for everything but one.
pub(crate) fn counted(count: impl Into<u64>, noun: &str) -> String {
    counted_as(count, noun, &format!("{noun}s"))
}

/// The same for a noun with a plural of its own: `1 entry`, `2 entries`.
pub(crate) fn counted_as(count: impl Into<u64>, one: &str, several: &str) -> String {
    match count.into() {
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
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
