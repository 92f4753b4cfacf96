//! A draft together with what was found in it, and the facts about it that a policy may know.

use std::collections::BTreeMap;

use crate::{Draft, Finding, FindingKind, PrivacyClass, Scanner};

/// BLAKE3 of a draft and of what was found in it: ties a permit to the text that it was issued for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ContentDigest(pub(crate) [u8; 32]);

/// What a policy may know about a draft: everything but the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContentFacts {
    /// The highest of the app's class and of the findings'.
    pub class: PrivacyClass,
    /// How often each kind was found; kinds that were not found are absent.
    pub findings: BTreeMap<FindingKind, u32>,
    /// Length of all messages in bytes of UTF-8.
    pub text_bytes: u64,
    /// Which draft this is about.
    pub digest: ContentDigest,
}

/// A draft with what was found in it. Only [`Scanner::examine`] makes it, so its facts are those of its text.
#[derive(Clone, Debug)]
pub struct Examined {
    pub(crate) draft: Draft,
    /// Message by message.
    pub(crate) findings: Vec<Vec<Finding>>,
    pub(crate) facts: ContentFacts,
    pub(crate) scanner: Scanner,
}

impl Examined {
    /// The same as [`Scanner::examine`].
    ///
    /// # Errors
    /// When the draft is too long or has too many messages.
    pub fn examine(draft: Draft, scanner: &Scanner) -> Result<Examined, crate::ScanError> {
        scanner.examine(draft)
    }

    pub(crate) fn new(draft: Draft, findings: Vec<Vec<Finding>>, scanner: Scanner) -> Examined {
        let counts = crate::scanner::count(&findings);
        let found = counts.keys().map(|kind| kind.class()).max().unwrap_or_default();
        let facts = ContentFacts {
            class: draft.class.max(found),
            findings: counts,
            text_bytes: draft.messages.iter().map(|message| message.text.len() as u64).sum(),
            digest: ContentDigest::of(&draft, &findings),
        };
        Examined {
            draft,
            findings,
            facts,
            scanner,
        }
    }

    /// The text, for the engine on this device.
    #[must_use]
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// What was found, message by message.
    #[must_use]
    pub fn findings(&self) -> &[Vec<Finding>] {
        &self.findings
    }

    /// What a policy may know.
    #[must_use]
    pub fn facts(&self) -> &ContentFacts {
        &self.facts
    }
}

impl ContentDigest {
    /// Every part is preceded by its length or has a fixed one, so that two different drafts never make the same bytes. The findings
    /// belong to it: the same text examined with other words has other facts, which a permit for these must not cover.
    fn of(draft: &Draft, findings: &[Vec<Finding>]) -> ContentDigest {
        let mut hasher = blake3::Hasher::new_derive_key("whimbrel privacy draft 1");
        hasher.update(&[draft.class as u8]);
        hasher.update(&(draft.messages.len() as u64).to_le_bytes());
        for (message, findings) in draft.messages.iter().zip(findings) {
            hasher.update(&[message.speaker as u8]);
            hasher.update(&(message.text.len() as u64).to_le_bytes());
            hasher.update(message.text.as_bytes());
            hasher.update(&(findings.len() as u64).to_le_bytes());
            for finding in findings {
                hasher.update(&[finding.kind as u8]);
                hasher.update(&finding.start.to_le_bytes());
                hasher.update(&finding.end.to_le_bytes());
            }
        }
        ContentDigest(*hasher.finalize().as_bytes())
    }
}
