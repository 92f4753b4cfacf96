//! The scanner: its options, its limits, and how it merges the detectors' findings. The detectors are in `detect`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use thiserror::Error;

use crate::normal::Normal;
use crate::normal::excerpt::findings_near;
use crate::occurrences::Comparable;
use crate::{Draft, Examined, ExaminedMessage, Finding, FindingKind, Speaker};

/// Maximum length of a text in UTF-8 bytes; for a draft, of all messages together.
pub const TEXT_BYTES_MAX: u32 = 4 << 20;
/// Maximum number of messages in a draft.
pub const MESSAGES_MAX: u32 = 4096;
/// Maximum number of words that the app and the user may supply.
pub const USER_WORDS_MAX: u32 = 10_000;
/// Maximum length of a supplied word in UTF-8 bytes.
pub const USER_WORD_BYTES_MAX: u32 = 256;

/// How sure a guess is at least: a finding that is not sure enough to be replaced, but raises the class of its text.
pub const GUESS_CONFIDENCE_MIN: f32 = 0.48;

/// How a [`Scanner`] works.
///
/// ```
/// use whimbrel_privacy::{FindingKind, Scanner, ScannerOptions};
///
/// let scanner = Scanner::new(ScannerOptions {
///     user_words: vec!["Bluebird".to_owned()],
///     ..ScannerOptions::default()
/// })?;
/// let findings = scanner.scan("When does BLUEBIRD ship?")?;
/// assert_eq!(findings[0].kind, FindingKind::UserWord);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ScannerOptions {
    /// Additional words or phrases to find, such as a project's code name or a nickname. They are found as words, in any case and
    /// encoding: also with an ending, as one half of a compound, after the prefixes that Arabic and Hebrew attach to a word, and
    /// inside text without blanks.
    pub user_words: Vec<String>,
    /// Findings that are less sure than this, from 0 to 1, are left out. Those of at least [`GUESS_CONFIDENCE_MIN`] still raise the
    /// class of the text: see [`ExaminedMessage::guesses`].
    pub confidence_min: f32,
}

impl Default for ScannerOptions {
    fn default() -> ScannerOptions {
        ScannerOptions {
            user_words: Vec::new(),
            confidence_min: 0.5,
        }
    }
}

// The words are what the user wants to keep to themselves.
impl fmt::Debug for ScannerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScannerOptions")
            .field("user_words", &self.user_words.len())
            .field("confidence_min", &self.confidence_min)
            .finish()
    }
}

/// Why a scanner cannot be made from some options.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum ScannerError {
    /// More than [`USER_WORDS_MAX`].
    #[error("{count} words to replace were given, the limit is {USER_WORDS_MAX}")]
    TooManyWords {
        /// Their number.
        count: u64,
    },
    /// Longer than [`USER_WORD_BYTES_MAX`].
    #[error("a word to replace (number {}) has {bytes} bytes, the limit is {USER_WORD_BYTES_MAX}", .index + 1)]
    LongWord {
        /// The index of the word, from 0.
        index: u32,
        /// Its length in bytes.
        bytes: u64,
    },
    /// A word without a letter or a digit.
    #[error("a word to replace (number {}) has no letter and no digit", .index + 1)]
    EmptyWord {
        /// The index of the word, from 0.
        index: u32,
    },
    /// The minimum confidence is NaN or not between 0 and 1.
    #[error("the minimum confidence {value} is not from 0 to 1")]
    Confidence {
        /// The value that was given.
        value: f32,
    },
}

/// Why a text could not be scanned.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ScanError {
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("the text has {bytes} bytes, the limit is {TEXT_BYTES_MAX}")]
    LongText {
        /// Its length in bytes.
        bytes: u64,
    },
    /// There are more than [`MESSAGES_MAX`] messages.
    #[error("the draft has {count} messages, the limit is {MESSAGES_MAX}")]
    TooManyMessages {
        /// Their number.
        count: u64,
    },
}

/// Finds personal and secret data in texts. Cheap to clone: clones share everything.
///
/// ```
/// use whimbrel_privacy::{FindingKind, Scanner, ScannerOptions};
///
/// let scanner = Scanner::new(ScannerOptions::default())?;
/// let text = "Write to maria@example.org, her card is 4111 1111 1111 1111.";
/// let findings = scanner.scan(text)?;
/// let found: Vec<_> = findings.iter().map(|finding| (finding.kind, finding.of(text))).collect();
/// assert_eq!(
///     found,
///     [
///         (FindingKind::Email, "maria@example.org"),
///         (FindingKind::PaymentCard, "4111 1111 1111 1111"),
///     ]
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Scanner {
    rules: Arc<Rules>,
}

struct Rules {
    id: RulesId,
    confidence_min: f32,
    words: crate::occurrences::Occurrences,
}

/// BLAKE3 of a scanner's options. Scanners with the same options find the same in every text.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct RulesId([u8; 32]);

impl RulesId {
    fn of(options: &ScannerOptions) -> RulesId {
        let mut hasher = blake3::Hasher::new_derive_key("whimbrel privacy rules 1");
        hasher.update(&options.confidence_min.to_bits().to_le_bytes());
        for word in &options.user_words {
            hasher.update(&(word.len() as u64).to_le_bytes());
            hasher.update(word.as_bytes());
        }
        RulesId(*hasher.finalize().as_bytes())
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner").finish_non_exhaustive()
    }
}

impl Scanner {
    /// A scanner with these options.
    ///
    /// # Errors
    /// There are too many words, a word is too long or empty, or the confidence is NaN or not between 0 and 1.
    pub fn new(options: ScannerOptions) -> Result<Scanner, ScannerError> {
        let count = options.user_words.len() as u64;
        if count > u64::from(USER_WORDS_MAX) {
            return Err(ScannerError::TooManyWords { count });
        }
        for (index, word) in (0..).zip(&options.user_words) {
            let bytes = word.len() as u64;
            if bytes > u64::from(USER_WORD_BYTES_MAX) {
                return Err(ScannerError::LongWord { index, bytes });
            }
            if !word.chars().any(char::is_alphanumeric) {
                return Err(ScannerError::EmptyWord { index });
            }
        }
        let value = options.confidence_min;
        if !(0.0..=1.0).contains(&value) {
            return Err(ScannerError::Confidence { value });
        }
        let words = options
            .user_words
            .iter()
            .map(|word| (word.as_str(), FindingKind::UserWord));
        Ok(Scanner {
            rules: Arc::new(Rules {
                id: RulesId::of(&options),
                confidence_min: value,
                words: crate::occurrences::Occurrences::inflected(words),
            }),
        })
    }

    /// The findings in `text`, in order; they do not overlap.
    ///
    /// # Errors
    /// [`ScanError::LongText`].
    pub fn scan(&self, text: &str) -> Result<Vec<Finding>, ScanError> {
        Ok(self.scan_for_guesses(text)?.findings)
    }

    /// As [`Scanner::scan`], with what only raises the class.
    pub(crate) fn scan_for_guesses(&self, text: &str) -> Result<Scanned, ScanError> {
        within_limits(std::iter::once(text.len()))?;
        Ok(self.scanned(text))
    }

    /// The message with what is in it, to be kept beside the message and put into a draft with [`Examined::of`].
    ///
    /// ```
    /// use whimbrel_privacy::{PrivacyClass, Scanner, ScannerOptions, Speaker};
    ///
    /// let scanner = Scanner::new(ScannerOptions::default())?;
    /// let message = scanner.examine_message(Speaker::User, "My password: hunter2!x")?;
    /// assert_eq!(message.class(), PrivacyClass::Secret);
    /// assert!(scanner.made(&message));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ScanError::LongText`].
    pub fn examine_message(&self, speaker: Speaker, text: impl Into<Arc<str>>) -> Result<ExaminedMessage, ScanError> {
        let text = text.into();
        within_limits(std::iter::once(text.len()))?;
        Ok(self.examined(speaker, text))
    }

    /// Whether a scanner with the same options made `message`. After a change of the options, [`Examined::of`] examines it again.
    #[must_use]
    pub fn made(&self, message: &ExaminedMessage) -> bool {
        message.made_by() == self.rules.id
    }

    /// The draft with its findings.
    ///
    /// # Errors
    /// The draft is too long or has too many messages.
    pub fn examine(&self, draft: Draft) -> Result<Examined, ScanError> {
        within_limits(draft.messages.iter().map(|message| message.text.len()))?;
        let messages = draft
            .messages
            .into_iter()
            .map(|message| self.examined(message.speaker, message.text.into()));
        Ok(Examined::new(messages.collect(), draft.class, self))
    }

    /// As [`Scanner::examine_message`], for texts whose length was checked.
    pub(crate) fn examined(&self, speaker: Speaker, text: Arc<str>) -> ExaminedMessage {
        let scanned = self.scanned(&text);
        ExaminedMessage::new(speaker, text, scanned, self.rules.id)
    }

    fn scanned(&self, text: &str) -> Scanned {
        let normal = Normal::of(text);
        let comparable = Comparable::of(&normal);
        let (mut findings, mut guesses) = self.replaced_and_guesses(text, &comparable);
        let (special, unsure): (Vec<_>, Vec<_>) = crate::special::find(&comparable)
            .into_iter()
            .partition(|finding| finding.confidence >= self.rules.confidence_min);
        let apart = special.into_iter().filter_map(|one| outside(one, &findings));
        let special: Vec<Finding> = apart.collect();
        add_beside(&mut findings, without_overlaps(special.clone()));
        let special = joined_by_kind(special);
        guesses.extend(unsure);
        let mut guesses = without_overlaps(guesses);
        guesses.retain(|guess| {
            let next = findings.partition_point(|finding| finding.end <= guess.start);
            findings.get(next).is_none_or(|finding| guess.end <= finding.start)
        });
        Scanned {
            findings,
            guesses,
            special,
        }
    }

    /// What is sure enough to be replaced, which is everything but the special categories, and what is not; nothing in either overlaps.
    fn replaced_and_guesses(&self, text: &str, comparable: &Comparable) -> (Vec<Finding>, Vec<Finding>) {
        let detected = self.detected(text, comparable.normal()).into_iter();
        let (mut found, guesses): (Vec<_>, Vec<_>) =
            detected.partition(|finding| finding.confidence >= self.rules.confidence_min);
        for (range, kind) in self.rules.words.find(comparable) {
            found.push(Finding {
                kind,
                start: range.start as u32,
                end: range.end as u32,
                confidence: 1.0,
            });
        }
        (without_overlaps(found), without_overlaps(guesses))
    }

    /// What is to be replaced near `places` of `text`, which are in order.
    pub(crate) fn find_near(&self, text: &str, places: impl Iterator<Item = Range<usize>>) -> Vec<Finding> {
        findings_near(text, places, |part| {
            self.replaced_and_guesses(part, &Comparable::of(&Normal::of(part))).0
        })
    }

    /// What the detectors find that is sure enough or a guess, in no order. Around each change of the normal form the original is looked at too,
    /// so that no change can hide anything.
    fn detected(&self, text: &str, normal: &Normal) -> Vec<Finding> {
        let mut found = Vec::new();
        crate::detect::all(normal.text(), &mut found);
        crate::normal::wrapped::findings(normal.text(), crate::detect::all, &mut found);
        if normal.is_changed() {
            for finding in &mut found {
                let original = normal.original(finding.range());
                (finding.start, finding.end) = (original.start as u32, original.end as u32);
            }
            found.extend(findings_near(text, normal.changed(), |part| {
                let mut found = Vec::new();
                crate::detect::all(part, &mut found);
                found
            }));
        }
        let least = self.rules.confidence_min.min(GUESS_CONFIDENCE_MIN);
        found.retain(|finding| finding.confidence >= least);
        found
    }
}

/// What is in a text.
pub(crate) struct Scanned {
    /// In order; they do not overlap.
    pub(crate) findings: Vec<Finding>,
    /// What only raises the class; in order, and it overlaps neither itself nor a finding.
    pub(crate) guesses: Vec<Finding>,
    /// Every special category that was named, also where one lies inside another: a rule about either has to see it. Those of one kind do
    /// not overlap.
    pub(crate) special: Vec<Finding>,
}

/// Whether messages of these lengths in bytes make a draft.
pub(crate) fn within_limits(text_bytes: impl ExactSizeIterator<Item = usize>) -> Result<(), ScanError> {
    let count = text_bytes.len() as u64;
    if count > u64::from(MESSAGES_MAX) {
        return Err(ScanError::TooManyMessages { count });
    }
    let bytes = text_bytes.map(|bytes| bytes as u64).sum();
    if bytes > u64::from(TEXT_BYTES_MAX) {
        return Err(ScanError::LongText { bytes });
    }
    Ok(())
}

/// Adds what of `more` lies outside `found`, both in order. A word inside what is replaced gives no category away: "Christian" in a
/// person's name.
fn add_beside(found: &mut Vec<Finding>, more: Vec<Finding>) {
    let apart: Vec<Finding> = more.into_iter().filter_map(|one| outside(one, found)).collect();
    if !apart.is_empty() {
        found.extend(apart);
        found.sort_by_key(|finding| finding.start);
    }
}

/// The first part of `one` outside `found`.
fn outside(mut one: Finding, found: &[Finding]) -> Option<Finding> {
    let first = found.partition_point(|other| other.end <= one.start);
    for other in &found[first..] {
        if other.start > one.start {
            one.end = one.end.min(other.start);
            break;
        }
        one.start = other.end;
        if one.start >= one.end {
            return None;
        }
    }
    Some(one)
}

/// Joins overlapping findings of the same kind.
fn joined_by_kind(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by_key(|finding| (finding.kind, finding.start));
    found.dedup_by(|next, last| {
        let overlaps = next.kind == last.kind && next.start < last.end;
        if overlaps {
            last.end = last.end.max(next.end);
        }
        overlaps
    });
    found
}

/// Joins overlapping findings: what they cover together is one finding, of the kind of the surest, among equals of the longest. No
/// byte that a detector found is given up.
fn without_overlaps(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by_key(|finding| (finding.start, std::cmp::Reverse(finding.end)));
    let mut joined: Vec<Finding> = Vec::with_capacity(found.len());
    let mut longest = 0;
    for finding in found {
        let length = finding.end - finding.start;
        match joined.last_mut().filter(|last| finding.start < last.end) {
            Some(last) => {
                // Streets are called after people, not the other way round.
                let street = (last.kind, finding.kind) == (FindingKind::StreetAddress, FindingKind::PersonName);
                let name = (last.kind, finding.kind) == (FindingKind::PersonName, FindingKind::StreetAddress);
                if !street && (name || (finding.confidence, length) > (last.confidence, longest)) {
                    (last.kind, last.confidence, longest) = (finding.kind, finding.confidence, length);
                }
                last.end = last.end.max(finding.end);
            }
            None => {
                longest = length;
                joined.push(finding);
            }
        }
    }
    joined
}
