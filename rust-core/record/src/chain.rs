//! The hash chain and its seals: what exactly is hashed, and what is sealed with which key. `docs/ledger.md` describes both.

mod walk;

use std::fmt::Write;

use blake3::Hash;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use self::walk::Walk;
use crate::{Outcome, PlaceKind, Stats};

/// The first line of the text that is hashed for an entry.
pub const ENTRY_DOMAIN: &str = "whimbrel-ledger-entry-1";
const HEAD_DOMAIN: &str = "whimbrel-ledger-head-1";
const CHECKPOINT_DOMAIN: &str = "whimbrel-ledger-checkpoint-1";
const STATE_DOMAIN: &str = "whimbrel-state-1";
const FLOOR_DOMAIN: &str = "whimbrel-ledger-floor-1";
const SEAL_CONTEXT: &str = "whimbrel store 2026-11-23 seals";
const KEY_ID_CONTEXT: &str = "whimbrel store 2026-11-23 key id";

/// The hash that precedes the first entry of a ledger.
pub const GENESIS: Hash = Hash::from_bytes([0; 32]);
/// The value of the columns `outcome` and `place` for entries without them.
pub const NONE: &str = "-";

/// Parses a hash. Only the form in which hashes are written is accepted: lower-case digits.
#[must_use]
pub fn hash_from_text(text: &str) -> Option<Hash> {
    let hash = Hash::from_hex(text).ok()?;
    (hash.to_hex().as_str() == text).then_some(hash)
}

/// The kind of a ledger entry.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A receipt starts: an intent.
    Opened,
    /// A receipt ends: a closing.
    Closed,
    /// Older entries were pruned.
    Pruned,
    /// The ledger was started again, because the previous one was damaged, lost or changed.
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

/// An entry as it is stored, without its hash. [`Entry::is_plain`] checks its words.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its number, from 1.
    pub sequence: u64,
    /// The name of its [`EntryKind`].
    pub kind: &'a [u8],
    /// The receipt's number; 0 for an entry that belongs to no receipt.
    pub receipt: u64,
    /// When it was written, in milliseconds since 1970 UTC.
    pub time_ms: u64,
    /// The name of a closing's [`Outcome`], otherwise [`NONE`].
    pub outcome: &'a [u8],
    /// The name of a closing's [`PlaceKind`], otherwise [`NONE`].
    pub place: &'a [u8],
    /// Version of the body.
    pub format: u64,
    /// The content in canonical JSON.
    pub body: &'a [u8],
}

impl Entry<'_> {
    /// Whether all words are ones that the ledger writes. Only then is the hashed text unambiguous.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let is = |word: &[u8], name: &str| word == name.as_bytes();
        EntryKind::ALL.iter().any(|kind| is(self.kind, kind.name()))
            && (is(self.outcome, NONE) || Outcome::ALL.iter().any(|outcome| is(self.outcome, outcome.name())))
            && (is(self.place, NONE) || PlaceKind::ALL.iter().any(|place| is(self.place, place.name())))
    }

    /// The entry's chain hash after an entry with the hash `previous`, as if its number were `sequence`. `scratch` is a buffer for the
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

/// The end of the ledger. It is sealed, so that removed entries are noticed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// The last entry's number; 0 if there is none.
    pub sequence: u64,
    /// The last receipt's number; 0 if there is none.
    pub receipts: u64,
    /// The last entry's hash.
    pub hash: Hash,
}

impl Head {
    /// The head of a ledger without entries.
    pub const EMPTY: Head = Head {
        sequence: 0,
        receipts: 0,
        hash: GENESIS,
    };

    fn text(&self, domain: &str) -> String {
        format!("{domain}\n{}\n{}\n{}", self.sequence, self.receipts, self.hash.to_hex())
    }

    /// The bytes of the floor in the vault.
    #[must_use]
    pub fn to_floor(self) -> Vec<u8> {
        self.text(FLOOR_DOMAIN).into_bytes()
    }

    /// Parses the floor from the vault; `None` if the bytes are not a floor.
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

/// A summary of the entries that pruning removed, or of the previous ledger if a ledger was started again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The number of the last removed entry.
    pub sequence: u64,
    /// The number of the last removed receipt.
    pub receipts: u64,
    /// The hash of that entry, in hexadecimal digits. The next entry continues from it.
    pub hash: String,
    /// When it was made, in milliseconds since 1970 UTC.
    pub time_ms: u64,
    /// Whether entries were lost rather than pruned: the ledger was started again, and `totals` does not count them.
    pub lost: bool,
    /// The totals of the pruned receipts.
    pub totals: Stats,
}

/// The keys that seal the ends of a ledger, derived from the vault's key.
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
    /// Derives the keys from the vault's key.
    #[must_use]
    pub fn derive(root: &[u8]) -> SealKeys {
        let mut id = [0; 8];
        id.copy_from_slice(&blake3::derive_key(KEY_ID_CONTEXT, root)[..8]);
        SealKeys {
            seal: Zeroizing::new(blake3::derive_key(SEAL_CONTEXT, root)),
            id,
        }
    }

    /// Identifies this key without revealing anything about it.
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
