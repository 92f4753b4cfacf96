//! The hash chain and its seals: what exactly is hashed, and what is sealed with which key. `docs/ledger.md` describes both.

mod walk;

use std::fmt::Write;

use blake3::Hash;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use self::walk::Walk;
use crate::{Outcome, PlaceKind, Stats};

/// The first line of what is hashed for an entry.
pub const ENTRY_DOMAIN: &str = "whimbrel-ledger-entry-1";
const HEAD_DOMAIN: &str = "whimbrel-ledger-head-1";
const CHECKPOINT_DOMAIN: &str = "whimbrel-ledger-checkpoint-1";
const STATE_DOMAIN: &str = "whimbrel-state-1";
const FLOOR_DOMAIN: &str = "whimbrel-ledger-floor-1";
const SEAL_CONTEXT: &str = "whimbrel store 2026-11-23 seals";
const KEY_ID_CONTEXT: &str = "whimbrel store 2026-11-23 key id";

/// What stands before the first entry of a ledger.
pub const GENESIS: Hash = Hash::from_bytes([0; 32]);
/// What stands for "none" in the columns `outcome` and `place`.
pub const NONE: &str = "-";

/// Reads a hash in the one form in which it is written: lower-case digits.
#[must_use]
pub fn hash_from_text(text: &str) -> Option<Hash> {
    let hash = Hash::from_hex(text).ok()?;
    (hash.to_hex().as_str() == text).then_some(hash)
}

/// What an entry of the ledger is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A receipt begins: an intent.
    Opened,
    /// A receipt ends: a closing.
    Closed,
    /// Older entries were pruned.
    Pruned,
    /// The ledger began again, because the one before was damaged, lost or changed.
    Restarted,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: [EntryKind; 4] = [
        EntryKind::Opened,
        EntryKind::Closed,
        EntryKind::Pruned,
        EntryKind::Restarted,
    ];

    /// The word in the ledger.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EntryKind::Opened => "opened",
            EntryKind::Closed => "closed",
            EntryKind::Pruned => "pruned",
            EntryKind::Restarted => "restarted",
        }
    }
}

/// One entry as it is stored, without its hash. The words are checked by [`Entry::is_plain`].
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its number, from 1.
    pub sequence: u64,
    /// The name of its [`EntryKind`].
    pub kind: &'a [u8],
    /// The receipt's number; 0 for an entry of none.
    pub receipt: u64,
    /// When it was written: milliseconds since 1970 in universal time.
    pub time_ms: u64,
    /// The name of a closing's [`Outcome`], else [`NONE`].
    pub outcome: &'a [u8],
    /// The name of a closing's [`PlaceKind`], else [`NONE`].
    pub place: &'a [u8],
    /// Version of the body.
    pub format: u64,
    /// The content in canonical JSON.
    pub body: &'a [u8],
}

impl Entry<'_> {
    /// Whether the words are among those that are ever written. Only then is the text that is hashed unambiguous.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let is = |word: &[u8], name: &str| word == name.as_bytes();
        EntryKind::ALL.iter().any(|kind| is(self.kind, kind.name()))
            && (is(self.outcome, NONE) || Outcome::ALL.iter().any(|outcome| is(self.outcome, outcome.name())))
            && (is(self.place, NONE) || PlaceKind::ALL.iter().any(|place| is(self.place, place.name())))
    }

    /// The entry's chain hash, behind an entry with the hash `previous`, as if it had the number `sequence`. `scratch` is room for the
    /// text.
    pub fn hash_at(&self, sequence: u64, previous: &Hash, scratch: &mut Vec<u8>) -> Hash {
        use std::io::Write;
        scratch.clear();
        let mut line = |text: &[u8]| {
            scratch.extend_from_slice(text);
            scratch.push(b'\n');
        };
        line(ENTRY_DOMAIN.as_bytes());
        line(Decimal::of(sequence).text());
        line(self.kind);
        line(Decimal::of(self.receipt).text());
        line(Decimal::of(self.time_ms).text());
        line(self.outcome);
        line(self.place);
        line(Decimal::of(self.format).text());
        line(previous.to_hex().as_bytes());
        scratch.write_all(self.body).expect("a vector takes every byte");
        blake3::hash(scratch)
    }

    /// The entry's chain hash at its own number.
    pub fn hash(&self, previous: &Hash, scratch: &mut Vec<u8>) -> Hash {
        self.hash_at(self.sequence, previous, scratch)
    }
}

/// A number in decimal digits, without an allocation: verifying writes four for every entry.
struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    fn of(mut number: u64) -> Decimal {
        let mut decimal = Decimal {
            digits: [b'0'; 20],
            start: 20,
        };
        loop {
            decimal.start -= 1;
            decimal.digits[decimal.start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return decimal;
            }
        }
    }

    fn text(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

/// Where the ledger ends: sealed, so that a cut tail shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// The last entry's number; 0 when there is none.
    pub sequence: u64,
    /// The last receipt's number; 0 when there is none.
    pub receipts: u64,
    /// The last entry's hash.
    pub hash: Hash,
}

impl Head {
    /// Of a ledger without entries.
    pub const EMPTY: Head = Head {
        sequence: 0,
        receipts: 0,
        hash: GENESIS,
    };

    fn text(&self, domain: &str) -> String {
        format!("{domain}\n{}\n{}\n{}", self.sequence, self.receipts, self.hash.to_hex())
    }

    /// The bytes of the vault's floor.
    #[must_use]
    pub fn to_floor(self) -> Vec<u8> {
        self.text(FLOOR_DOMAIN).into_bytes()
    }

    /// Reads the vault's floor; none when it is none.
    #[must_use]
    pub fn from_floor(bytes: &[u8]) -> Option<Head> {
        let mut lines = str::from_utf8(bytes).ok()?.split('\n');
        if lines.next()? != FLOOR_DOMAIN {
            return None;
        }
        let head = Head {
            sequence: lines.next()?.parse().ok()?,
            receipts: lines.next()?.parse().ok()?,
            hash: hash_from_text(lines.next()?)?,
        };
        lines.next().is_none().then_some(head)
    }
}

/// What pruning leaves of the entries that it removes, or what a ledger that began again knows of the one before.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The number of the last entry that is not here any more.
    pub sequence: u64,
    /// The number of the last receipt that is not here any more.
    pub receipts: u64,
    /// The hash of that entry, in hexadecimal digits: the next entry continues from it.
    pub hash: String,
    /// When it was made: milliseconds since 1970 in universal time.
    pub time_ms: u64,
    /// Whether entries were lost and not pruned: the ledger began again, and `totals` does not count them.
    pub lost: bool,
    /// What the pruned receipts come to.
    pub totals: Stats,
}

/// The keys that the vault's key gives: they seal the ends of a ledger.
pub struct SealKeys {
    seal: Zeroizing<[u8; 32]>,
    id: [u8; 8],
}

impl std::fmt::Debug for SealKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SealKeys(..)")
    }
}

impl SealKeys {
    /// Derives them from the vault's key.
    #[must_use]
    pub fn derive(root: &[u8]) -> SealKeys {
        let mut id = [0; 8];
        id.copy_from_slice(&blake3::derive_key(KEY_ID_CONTEXT, root)[..8]);
        SealKeys {
            seal: Zeroizing::new(blake3::derive_key(SEAL_CONTEXT, root)),
            id,
        }
    }

    /// Tells this key from others without giving anything away.
    #[must_use]
    pub fn id(&self) -> [u8; 8] {
        self.id
    }

    fn seal(&self, text: &str) -> Hash {
        blake3::keyed_hash(&self.seal, text.as_bytes())
    }

    /// The seal of a ledger's end.
    #[must_use]
    pub fn seal_head(&self, head: &Head) -> Hash {
        self.seal(&head.text(HEAD_DOMAIN))
    }

    /// The seal of a checkpoint.
    #[must_use]
    pub fn seal_checkpoint(&self, checkpoint: &Checkpoint) -> Hash {
        let text = serde_json::to_string(checkpoint).expect("a record of numbers and words is JSON");
        self.seal(&format!("{CHECKPOINT_DOMAIN}\n{text}"))
    }

    /// The seal of a piece of state.
    #[must_use]
    pub fn seal_state(&self, name: &str, value: &[u8]) -> Hash {
        let mut text = format!("{STATE_DOMAIN}\n{name}\n");
        // The value's hash in place of the value: the text stays short.
        write!(text, "{}", blake3::hash(value).to_hex()).expect("a string takes every character");
        self.seal(&text)
    }
}
