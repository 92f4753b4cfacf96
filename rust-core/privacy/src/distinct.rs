//! Which findings are about the same value: a value that recurs in a conversation counts once.

use std::collections::{BTreeMap, BTreeSet};

use crate::normal::Normal;
use crate::placeholders::spelled;
use crate::{Finding, FindingKind};

/// A value of a kind, in whatever case and spelling. It holds a hash and no text.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ValueId {
    pub(crate) kind: FindingKind,
    hash: [u8; 16],
}

impl ValueId {
    pub(crate) fn of(kind: FindingKind, value: &str) -> ValueId {
        let form = match spelled(kind, value) {
            Some((_, form)) => form,
            None => {
                let normal = Normal::of(value);
                let words: Vec<&str> = normal.text().split_whitespace().collect();
                words.join(" ").to_lowercase()
            }
        };
        let hash = blake3::derive_key("whimbrel privacy value 1", form.as_bytes());
        ValueId {
            kind,
            hash: *hash.first_chunk().expect("the hash is longer"),
        }
    }
}

/// The different values that `findings` are about.
pub(crate) fn values(text: &str, findings: &[Finding]) -> BTreeSet<ValueId> {
    let ids = findings
        .iter()
        .map(|finding| ValueId::of(finding.kind, finding.of(text)));
    ids.collect()
}

/// How many there are of each kind; kinds that are not among them are absent.
pub(crate) fn counts<'v>(values: impl IntoIterator<Item = &'v ValueId>) -> BTreeMap<FindingKind, u32> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value.kind).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_value_are_one_value_and_other_values_are_not() {
        let check = |kind, one, other, is_same| {
            assert_eq!(
                ValueId::of(kind, one) == ValueId::of(kind, other),
                is_same,
                "{one} {other}"
            );
        };
        check(
            FindingKind::PaymentCard,
            "4111 1111 1111 1111",
            "4111-1111-11111111",
            true,
        );
        check(FindingKind::PersonName, "ADA  Lovelace", "Ada Lovelace", true);
        check(FindingKind::PersonName, "Zoe\u{308} Smith", "Zoë Smith", true);
        check(FindingKind::IpAddress, "1.11.1.1", "11.1.1.1", false);
        check(FindingKind::Health, "HIV", "ＨＩＶ", true);
        assert!(ValueId::of(FindingKind::Email, "x") != ValueId::of(FindingKind::UserWord, "x"));
    }
}
