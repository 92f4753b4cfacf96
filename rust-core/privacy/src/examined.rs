//! Messages and whole drafts together with their findings, and the facts about a draft that a policy may see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::distinct::{self, ValueId};
use crate::scanner::{RulesId, Scanned, within_limits};
use crate::{Finding, FindingKind, PrivacyClass, ScanError, Scanner, Speaker};

/// BLAKE3 hash of a draft and its findings, which binds a permit to the text for which it was issued.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ContentDigest(pub(crate) [u8; 32]);

/// The facts about a draft that a policy may see: everything but the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContentFacts {
    /// The higher of the app's class and the class of the findings.
    pub class: PrivacyClass,
    /// How many different values of each kind were found, in all messages together; kinds that were not found are absent.
    pub findings: BTreeMap<FindingKind, u32>,
    /// How many different values of each kind may be there without being sure enough to be replaced; see [`ExaminedMessage::guesses`].
    pub guesses: BTreeMap<FindingKind, u32>,
    /// Length of all messages in bytes of UTF-8.
    pub text_bytes: u64,
    /// Identifies the draft.
    pub digest: ContentDigest,
}

/// A message with its findings. It is immutable, and clones share everything, so a conversation keeps one for each message and
/// examines only new ones. Only [`Scanner::examine_message`] makes it:
///
/// ```compile_fail,E0451
/// use whimbrel_privacy::ExaminedMessage;
/// let forged = ExaminedMessage { parts: unreachable!() };
/// ```
#[derive(Clone)]
pub struct ExaminedMessage {
    parts: Arc<Parts>,
}

struct Parts {
    speaker: Speaker,
    text: Arc<str>,
    findings: Vec<Finding>,
    values: BTreeSet<ValueId>,
    counts: BTreeMap<FindingKind, u32>,
    guesses: Vec<Finding>,
    made_by: RulesId,
}

// No text may reach a log through `Debug`.
impl fmt::Debug for ExaminedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExaminedMessage")
            .field("speaker", &self.parts.speaker)
            .field("text_bytes", &self.parts.text.len())
            .field("counts", &self.parts.counts)
            .finish_non_exhaustive()
    }
}

impl ExaminedMessage {
    pub(crate) fn new(speaker: Speaker, text: Arc<str>, scanned: Scanned, made_by: RulesId) -> ExaminedMessage {
        let Scanned {
            findings,
            guesses,
            special,
        } = scanned;
        let mut values = distinct::values(&text, &findings);
        values.extend(distinct::values(&text, &special));
        ExaminedMessage {
            parts: Arc::new(Parts {
                speaker,
                text,
                findings,
                counts: distinct::counts(&values),
                values,
                guesses,
                made_by,
            }),
        }
    }

    /// The author.
    #[must_use]
    pub fn speaker(&self) -> Speaker {
        self.parts.speaker
    }

    /// The text. Cloning the `Arc` shares the text and does not copy it.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.parts.text
    }

    /// The findings, in the order of the text; they do not overlap. They contain positions, never text.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.parts.findings
    }

    /// How many different values of each kind were found; kinds that were not found are absent.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<FindingKind, u32> {
        &self.parts.counts
    }

    /// What may be personal but is too unsure to be replaced: mostly a word that may be a name. It raises the class, and nothing else. In the
    /// order of the text; none overlaps another or a finding.
    ///
    /// ```
    /// use whimbrel_privacy::{PrivacyClass, Scanner, ScannerOptions, Speaker};
    ///
    /// let scanner = Scanner::new(ScannerOptions::default())?;
    /// let message = scanner.examine_message(Speaker::User, "i talked to yorulmaz yesterday and it was fine")?;
    /// assert!(message.findings().is_empty());
    /// assert_eq!(message.guesses()[0].of(message.text()), "yorulmaz");
    /// assert_eq!(message.class(), PrivacyClass::Personal);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn guesses(&self) -> &[Finding] {
        &self.parts.guesses
    }

    /// The highest class of what was found or guessed; [`PrivacyClass::Public`] when nothing was.
    #[must_use]
    pub fn class(&self) -> PrivacyClass {
        class_of(self.findings().iter().chain(self.guesses()).map(|finding| finding.kind))
    }

    pub(crate) fn made_by(&self) -> RulesId {
        self.parts.made_by
    }
}

/// A draft with its findings. Only [`Scanner::examine`] and [`Examined::of`] make it, so its facts always match its text.
///
/// ```
/// use whimbrel_privacy::{Draft, DraftMessage, FindingKind, PrivacyClass, Scanner, ScannerOptions, Speaker};
///
/// let scanner = Scanner::new(ScannerOptions::default())?;
/// let examined = scanner.examine(Draft {
///     messages: vec![DraftMessage {
///         speaker: Speaker::User,
///         text: "My IBAN is DE89 3704 0044 0532 0130 00.".to_owned(),
///     }],
///     class: PrivacyClass::Personal,
/// })?;
/// // Findings raise the class that the app declared.
/// assert_eq!(examined.facts().class, PrivacyClass::Sensitive);
/// assert_eq!(examined.facts().findings[&FindingKind::Iban], 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Examined {
    pub(crate) messages: Vec<ExaminedMessage>,
    pub(crate) facts: ContentFacts,
    pub(crate) scanner: Scanner,
}

impl Examined {
    /// The draft that consists of `messages`, oldest first, as if [`Scanner::examine`] had made it. A message that was made with
    /// other options than this scanner's is examined again, so it is safe to pass a message from before a change of the word
    /// list. `class` is the privacy class according to the app; findings can only raise it.
    ///
    /// ```
    /// use whimbrel_privacy::{Examined, FindingKind, PrivacyClass, Scanner, ScannerOptions, Speaker};
    ///
    /// let scanner = Scanner::new(ScannerOptions::default())?;
    /// let mut history = vec![scanner.examine_message(Speaker::User, "I am at 10.0.0.1.")?];
    /// // The next question: only the new message is scanned.
    /// history.push(scanner.examine_message(Speaker::User, "Ping 10.0.0.2, please.")?);
    /// let examined = Examined::of(history.clone(), PrivacyClass::Public, &scanner)?;
    /// assert_eq!(examined.facts().class, PrivacyClass::Personal);
    /// assert_eq!(examined.facts().findings[&FindingKind::IpAddress], 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// There are too many messages, or they are too long together.
    pub fn of(
        mut messages: Vec<ExaminedMessage>,
        class: PrivacyClass,
        scanner: &Scanner,
    ) -> Result<Examined, ScanError> {
        within_limits(messages.iter().map(|message| message.text().len()))?;
        for message in &mut messages {
            if !scanner.made(message) {
                *message = scanner.examined(message.speaker(), message.text().clone());
            }
        }
        Ok(Examined::new(messages, class, scanner))
    }

    /// As [`Examined::of`], for messages that `scanner` made and whose limits were checked.
    pub(crate) fn new(messages: Vec<ExaminedMessage>, class: PrivacyClass, scanner: &Scanner) -> Examined {
        // A value that a later message repeats is the same one.
        let values: BTreeSet<&ValueId> = messages.iter().flat_map(|message| &message.parts.values).collect();
        let findings = distinct::counts(values);
        let guessed = messages
            .iter()
            .map(|message| distinct::values(message.text(), message.guesses()));
        let guessed: BTreeSet<ValueId> = guessed.flatten().collect();
        let guesses = distinct::counts(&guessed);
        let facts = ContentFacts {
            class: class.max(class_of(findings.keys().chain(guesses.keys()).copied())),
            findings,
            guesses,
            text_bytes: messages.iter().map(|message| message.text().len() as u64).sum(),
            digest: ContentDigest::of(&messages, class),
        };
        Examined {
            messages,
            facts,
            scanner: scanner.clone(),
        }
    }

    /// The messages with their findings, oldest first. Their text must stay on this device.
    #[must_use]
    pub fn messages(&self) -> &[ExaminedMessage] {
        &self.messages
    }

    /// The facts that a policy may see.
    #[must_use]
    pub fn facts(&self) -> &ContentFacts {
        &self.facts
    }
}

impl ContentDigest {
    /// Every part is preceded by its length or has a fixed one, so that two different drafts never make the same bytes. The findings
    /// belong to it: the same text examined with other words has other facts, which a permit for these must not cover.
    fn of(messages: &[ExaminedMessage], class: PrivacyClass) -> ContentDigest {
        let mut hasher = blake3::Hasher::new_derive_key("whimbrel privacy draft 1");
        hasher.update(&[class as u8]);
        hasher.update(&(messages.len() as u64).to_le_bytes());
        for message in messages {
            hasher.update(&[message.speaker() as u8]);
            hasher.update(&(message.text().len() as u64).to_le_bytes());
            hasher.update(message.text().as_bytes());
            for findings in [message.findings(), message.guesses()] {
                hasher.update(&(findings.len() as u64).to_le_bytes());
                for finding in findings {
                    hasher.update(&[finding.kind as u8]);
                    hasher.update(&finding.start.to_le_bytes());
                    hasher.update(&finding.end.to_le_bytes());
                }
            }
        }
        ContentDigest(*hasher.finalize().as_bytes())
    }
}

fn class_of(kinds: impl Iterator<Item = FindingKind>) -> PrivacyClass {
    kinds.map(FindingKind::class).max().unwrap_or_default()
}
