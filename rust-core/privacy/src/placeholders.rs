//! The placeholders of one conversation and their values.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::normal::Normal;
use crate::{FindingKind, Reidentifier, placeholder_form};

/// Maximum number of placeholders in a conversation.
pub const PLACEHOLDERS_MAX: u32 = 100_000;
/// Maximum size of all values of a conversation together, in bytes.
pub const PLACEHOLDER_BYTES_MAX: u32 = 16 << 20;

/// A conversation's placeholders and their values. The same value has the same placeholder in all messages and turns; values that
/// differ in any way, even only in case, have different ones, so that exactly the original text is put back into an answer.
/// Different spellings of a number share the placeholder's number: `⟨CARD_1⟩`, `⟨CARD_1b⟩`.
///
/// It contains values that must not leave the device: serialise it only into a store on the device.
///
/// ```
/// use whimbrel_privacy::Placeholders;
/// # use whimbrel_privacy::{Draft, DraftMessage, Permit, PrivacyClass, Release, Scanner, ScannerOptions, Speaker};
/// # let scanner = Scanner::new(ScannerOptions::default())?;
/// # let text = "Is a@b.example a valid address?".to_owned();
/// # let messages = vec![DraftMessage { speaker: Speaker::User, text }];
/// # let examined = scanner.examine(Draft { messages, class: PrivacyClass::Public })?;
/// # let permit = Permit::issue("cloud", Release::Redacted, examined.facts());
/// let mut placeholders = Placeholders::new();
/// examined.clear(&permit, &mut placeholders)?;
/// assert_eq!(placeholders.count(), 1);
/// // The conversation is stored and resumed later.
/// let stored = serde_json::to_string(&placeholders)?;
/// let restored: Placeholders = serde_json::from_str(&stored)?;
/// assert_eq!(restored.reidentify("Yes, ⟨EMAIL_1⟩ is."), "Yes, a@b.example is.");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(try_from = "Record", into = "Record")]
pub struct Placeholders {
    by_value: HashMap<String, (FindingKind, u32)>,
    by_placeholder: Arc<HashMap<(FindingKind, u32), String>>,
    /// Values that are no secret: they look like a placeholder, or stood beside what was taken out.
    literal: BTreeSet<(FindingKind, u32)>,
    last: BTreeMap<FindingKind, u32>,
    /// The last numbers when a text with placeholders was sent.
    sent: BTreeMap<FindingKind, u32>,
    /// For values that are written in several ways: the first spelling's number, and how many spellings there are.
    spellings: HashMap<(FindingKind, String), (u32, u32)>,
    value_bytes: u64,
}

/// A conversation has no room for another placeholder: [`PLACEHOLDERS_MAX`] or [`PLACEHOLDER_BYTES_MAX`] is reached.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error(
    "the conversation has reached the limit of {PLACEHOLDERS_MAX} placeholders or {PLACEHOLDER_BYTES_MAX} bytes of their values"
)]
pub struct PlaceholdersFull;

/// One placeholder as it is stored.
#[derive(Clone, Deserialize, Serialize)]
struct Entry {
    kind: FindingKind,
    number: u32,
    value: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    literal: bool,
}

#[derive(Deserialize, Serialize)]
struct Record {
    placeholders: Vec<Entry>,
}

/// Why stored placeholders were not taken.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
enum RecordError {
    #[error("a placeholder or a value occurs twice")]
    Twice,
    #[error("a placeholder's number is not from 1 to {PLACEHOLDERS_MAX}")]
    Number,
    #[error("a placeholder stands for a kind that is not replaced")]
    Kind,
    #[error(transparent)]
    Full(#[from] PlaceholdersFull),
}

// The values are what must not be seen.
impl fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placeholders")
            .field("counts", &self.last)
            .finish_non_exhaustive()
    }
}

impl Placeholders {
    /// No placeholders.
    #[must_use]
    pub fn new() -> Placeholders {
        Placeholders::default()
    }

    /// The number of placeholders.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.by_placeholder.len() as u32
    }

    /// Puts the values back into one answer.
    #[must_use]
    pub fn reidentifier(&self) -> Reidentifier {
        Reidentifier::new(Arc::clone(&self.by_placeholder))
    }

    /// Puts the values back into a whole text.
    #[must_use]
    pub fn reidentify(&self, text: &str) -> String {
        let mut reidentifier = self.reidentifier();
        let mut whole = reidentifier.push(text);
        whole.push_str(&reidentifier.finish());
        whole
    }

    /// Notes that the text with the placeholders so far was sent. What [`crate::Cleared::repeated`] counts is known by that.
    pub fn note_sent(&mut self) {
        self.sent.clone_from(&self.last);
    }

    /// Whether `value` had a placeholder when a text was sent last.
    pub(crate) fn was_sent(&self, value: &str) -> bool {
        let placeholder = self.by_value.get(value);
        placeholder.is_some_and(|(kind, number)| {
            let sent = self.sent.get(kind).copied().unwrap_or(0);
            number % placeholder_form::SPELLING <= sent
        })
    }

    /// What must not leave the device, with its kind.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, FindingKind)> {
        let secret = |key: &(FindingKind, u32)| !self.literal.contains(key);
        let entries = self.by_placeholder.iter().filter(move |(key, _)| secret(key));
        entries.map(|((kind, _), value)| (value.as_str(), *kind))
    }

    /// The placeholder of `value`, which is new when the value is. `literal` says that the value is no secret.
    pub(crate) fn place(&mut self, kind: FindingKind, value: &str, literal: bool) -> Result<String, PlaceholdersFull> {
        if let Some(&(kind, number)) = self.by_value.get(value) {
            if !literal {
                self.literal.remove(&(kind, number));
            }
            return Ok(placeholder_form::write(kind, number));
        }
        let known = spelled(kind, value).and_then(|form| self.spellings.get(&form));
        let number = match known {
            Some(&(first, count)) if count < placeholder_form::SPELLINGS_MAX => {
                first + count * placeholder_form::SPELLING
            }
            _ => self.last.get(&kind).copied().unwrap_or(0) + 1,
        };
        self.insert(kind, number, value.to_owned(), literal)?;
        Ok(placeholder_form::write(kind, number))
    }

    fn insert(&mut self, kind: FindingKind, number: u32, value: String, literal: bool) -> Result<(), PlaceholdersFull> {
        let value_bytes = self.value_bytes + value.len() as u64;
        if self.count() >= PLACEHOLDERS_MAX || value_bytes > u64::from(PLACEHOLDER_BYTES_MAX) {
            return Err(PlaceholdersFull);
        }
        self.value_bytes = value_bytes;
        let (first, spelling) = (number % placeholder_form::SPELLING, number / placeholder_form::SPELLING);
        let last = self.last.entry(kind).or_insert(0);
        *last = first.max(*last);
        if let Some(form) = spelled(kind, &value) {
            let spellings = self.spellings.entry(form).or_insert((first, 0));
            if spellings.0 == first {
                spellings.1 = spellings.1.max(spelling + 1);
            }
        }
        if literal {
            self.literal.insert((kind, number));
        }
        self.by_value.insert(value.clone(), (kind, number));
        Arc::make_mut(&mut self.by_placeholder).insert((kind, number), value);
        Ok(())
    }
}

/// What is the same in all spellings of a value: numbers are written with blanks, hyphens or nothing between their digits. Words and
/// names are not, so that each has its own number.
pub(crate) fn spelled(kind: FindingKind, value: &str) -> Option<(FindingKind, String)> {
    let is_number = matches!(
        kind,
        FindingKind::PaymentCard | FindingKind::Iban | FindingKind::Phone | FindingKind::NationalId
    );
    is_number.then(|| {
        let normal = Normal::of(value);
        let signs = normal
            .text()
            .chars()
            .filter(|character| character.is_alphanumeric() || *character == '+');
        (kind, signs.flat_map(char::to_lowercase).collect())
    })
}

impl TryFrom<Record> for Placeholders {
    type Error = RecordError;

    fn try_from(record: Record) -> Result<Placeholders, RecordError> {
        let mut placeholders = Placeholders::new();
        for Entry {
            kind,
            number,
            value,
            literal,
        } in record.placeholders
        {
            if kind.is_special_category() {
                return Err(RecordError::Kind);
            }
            let spelling = number / placeholder_form::SPELLING;
            let first = number % placeholder_form::SPELLING;
            if !(1..=PLACEHOLDERS_MAX).contains(&first) || spelling >= placeholder_form::SPELLINGS_MAX {
                return Err(RecordError::Number);
            }
            if placeholders.by_value.contains_key(&value) || placeholders.by_placeholder.contains_key(&(kind, number)) {
                return Err(RecordError::Twice);
            }
            placeholders.insert(kind, number, value, literal)?;
        }
        Ok(placeholders)
    }
}

impl From<Placeholders> for Record {
    fn from(placeholders: Placeholders) -> Record {
        let entry = |(&(kind, number), value): (&(FindingKind, u32), &String)| Entry {
            kind,
            number,
            value: value.clone(),
            literal: placeholders.literal.contains(&(kind, number)),
        };
        let mut entries: Vec<_> = placeholders.by_placeholder.iter().map(entry).collect();
        entries.sort_by_key(|entry| (entry.kind, entry.number));
        Record { placeholders: entries }
    }
}
