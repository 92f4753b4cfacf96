//! What a text gives away: privacy classes, kinds of findings, redaction, and the one way in which a text becomes something that
//! may leave the device. Pure: no files, no clock, no randomness, no network. Where a request runs is `whimbrel-policy`'s decision.
//!
//! A request's text is a [`Draft`]. [`Scanner::examine`] makes it an [`Examined`]: the draft together with what was found in it. A
//! conversation keeps an [`ExaminedMessage`] for each of its messages instead, and [`Examined::of`] puts them together. A policy that allows an endpoint issues a [`Permit`] for exactly this draft, and [`Examined::clear`] turns the two into a
//! [`Cleared`] payload, which is the only thing that `whimbrel-network` takes. What was replaced is kept in the conversation's
//! [`Placeholders`], and a [`Reidentifier`] puts it back into the answer.

mod class;
mod cleared;
mod detect;
mod draft;
mod examined;
mod finding;
mod letters;
mod lexicon;
mod occurrences;
mod placeholder_form;
mod placeholders;
mod redaction;
mod reidentify;
mod scanner;

pub use class::PrivacyClass;
pub use cleared::{ClearError, Cleared, Permit, Release};
pub use draft::{Draft, DraftMessage, Speaker};
pub use examined::{ContentDigest, ContentFacts, Examined, ExaminedMessage};
pub use finding::{CharacterSpan, Finding, FindingKind, in_characters};
pub use placeholders::{PLACEHOLDER_BYTES_MAX, PLACEHOLDERS_MAX, Placeholders, PlaceholdersFull};
pub use redaction::{RedactError, Redacted, RedactedFinding, redact};
pub use reidentify::Reidentifier;
pub use scanner::{
    MESSAGES_MAX, ScanError, Scanner, ScannerError, ScannerOptions, TEXT_BYTES_MAX, USER_WORD_BYTES_MAX, USER_WORDS_MAX,
};
