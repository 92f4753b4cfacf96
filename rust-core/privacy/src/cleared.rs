//! Permits, and the payloads that may leave the device.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    ContentDigest, ContentFacts, DraftMessage, Examined, ExaminedMessage, Finding, FindingKind, Placeholders,
    PlaceholdersFull, redaction,
};

/// In which form a text may leave.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// As it is.
    AsIs,
    /// With every finding replaced with a placeholder.
    Redacted,
}

/// Permission to send one draft to one endpoint, in one form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Permit {
    endpoint: String,
    release: Release,
    digest: ContentDigest,
}

impl Permit {
    /// Permits sending the draft with these facts to `endpoint` (its id in the policy). Only `whimbrel-policy` may call this: a
    /// lint rejects every other call in the workspace.
    #[must_use]
    pub fn issue(endpoint: &str, release: Release, facts: &ContentFacts) -> Permit {
        Permit {
            endpoint: endpoint.to_owned(),
            release,
            digest: facts.digest,
        }
    }

    /// The endpoint's id.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The form.
    #[must_use]
    pub fn release(&self) -> Release {
        self.release
    }
}

/// Text that may leave the device, for one endpoint. Only [`Examined::clear`] makes it:
///
/// ```compile_fail,E0451
/// use whimbrel_privacy::{Cleared, Release};
/// let forged = Cleared {
///     endpoint: String::from("cloud"),
///     release: Release::AsIs,
///     messages: Vec::new(),
///     redactions: Default::default(),
///     repeated: Default::default(),
/// };
/// ```
#[derive(Clone, Debug)]
pub struct Cleared {
    endpoint: String,
    release: Release,
    messages: Vec<DraftMessage>,
    redactions: BTreeMap<FindingKind, u32>,
    repeated: BTreeMap<FindingKind, u32>,
}

impl Cleared {
    /// The only endpoint to which it may be sent.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The form.
    #[must_use]
    pub fn release(&self) -> Release {
        self.release
    }

    /// The messages that may be sent, oldest first.
    #[must_use]
    pub fn messages(&self) -> &[DraftMessage] {
        &self.messages
    }

    /// How many different values of each kind are replaced in it; none when it goes as it is.
    #[must_use]
    pub fn redactions(&self) -> &BTreeMap<FindingKind, u32> {
        &self.redactions
    }

    /// How many of these were replaced in an earlier text of the conversation that was sent: see [`Placeholders::note_sent`].
    #[must_use]
    pub fn repeated(&self) -> &BTreeMap<FindingKind, u32> {
        &self.repeated
    }
}

/// Why a draft was not cleared.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ClearError {
    /// The permit was issued for another draft.
    #[error("the permit was issued for another text")]
    OtherDraft,
    /// The conversation has no room for another placeholder.
    #[error(transparent)]
    PlaceholdersFull(#[from] PlaceholdersFull),
    /// Every replacement caused new findings, or the original could not be restored. Nothing may be sent.
    #[error("the text cannot be redacted: replacing private data produced new findings")]
    Unsettled,
}

impl Examined {
    /// Makes the payload that `permit` allows. Redaction replaces every finding, every other occurrence of a value that was found
    /// here or earlier in the conversation (in other case or spacing, inside longer words, names also by their parts), and
    /// anything that looks like a placeholder. Values that are split over messages are not joined.
    ///
    /// ```
    /// use whimbrel_privacy::{
    ///     Draft, DraftMessage, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
    /// };
    ///
    /// let scanner = Scanner::new(ScannerOptions::default())?;
    /// let examined = scanner.examine(Draft {
    ///     messages: vec![DraftMessage {
    ///         speaker: Speaker::User,
    ///         text: "Is a@b.example a valid address?".to_owned(),
    ///     }],
    ///     class: PrivacyClass::Public,
    /// })?;
    /// // In an app the policy issues the permit.
    /// let permit = Permit::issue("cloud", Release::Redacted, examined.facts());
    /// let mut placeholders = Placeholders::new();
    /// let cleared = examined.clear(&permit, &mut placeholders)?;
    /// assert_eq!(cleared.messages()[0].text, "Is ⟨EMAIL_1⟩ a valid address?");
    /// assert_eq!(placeholders.reidentify("⟨EMAIL_1⟩ is valid."), "a@b.example is valid.");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The permit is for another draft, the conversation has too many placeholders, or redaction does not finish.
    pub fn clear(&self, permit: &Permit, placeholders: &mut Placeholders) -> Result<Cleared, ClearError> {
        if permit.digest != self.facts.digest {
            return Err(ClearError::OtherDraft);
        }
        let mut cleared = Cleared {
            endpoint: permit.endpoint.clone(),
            release: permit.release,
            messages: Vec::new(),
            redactions: BTreeMap::new(),
            repeated: BTreeMap::new(),
        };
        match permit.release {
            Release::AsIs => cleared.messages = self.as_is(),
            Release::Redacted => self.redact(placeholders, &mut cleared)?,
        }
        Ok(cleared)
    }

    fn as_is(&self) -> Vec<DraftMessage> {
        let message = |message: &ExaminedMessage| DraftMessage {
            speaker: message.speaker(),
            text: message.text().as_ref().to_owned(),
        };
        self.messages.iter().map(message).collect()
    }

    fn redact(&self, placeholders: &mut Placeholders, cleared: &mut Cleared) -> Result<(), ClearError> {
        let texts: Vec<&str> = self.messages.iter().map(|message| message.text().as_ref()).collect();
        let findings: Vec<&[Finding]> = self.messages.iter().map(ExaminedMessage::findings).collect();
        let redaction = redaction::redact_all(&texts, &findings, &self.scanner, placeholders)?;
        let speakers = self.messages.iter().map(ExaminedMessage::speaker);
        let messages = speakers
            .zip(redaction.texts)
            .map(|(speaker, text)| DraftMessage { speaker, text });
        cleared.messages = messages.collect();
        (cleared.redactions, cleared.repeated) = (redaction.counts, redaction.repeated);
        Ok(())
    }
}
