//! What a text gives away: privacy classes, kinds of findings, redaction, and the one way in which a text becomes something that
//! may leave the device. Pure: no files, no clock, no randomness, no network. Where a request runs is `whimbrel-policy`'s decision.
//!
//! A request's text is a [`Draft`]. [`Scanner::examine`] makes it an [`Examined`]: the draft together with what was found in it. A
//! conversation keeps an [`ExaminedMessage`] for each of its messages instead, and [`Examined::of`] puts them together. A policy that allows an endpoint issues a [`Permit`] for exactly this draft, and [`Examined::clear`] turns the two into a
//! [`Cleared`] payload, which is the only thing that `whimbrel-network` takes. What was replaced is kept in the conversation's
//! [`Placeholders`], and a [`Reidentifier`] puts it back into the answer.
//!
//! ```
//! use whimbrel_privacy::{
//!     Draft, DraftMessage, Permit, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions, Speaker,
//! };
//!
//! let scanner = Scanner::new(ScannerOptions::default())?;
//! let examined = scanner.examine(Draft {
//!     messages: vec![DraftMessage {
//!         speaker: Speaker::User,
//!         text: "Is a@b.example a valid address?".to_owned(),
//!     }],
//!     class: PrivacyClass::Public,
//! })?;
//! // In an app the policy issues the permit.
//! let permit = Permit::issue("cloud", Release::Redacted, examined.facts());
//! let mut placeholders = Placeholders::new();
//! let cleared = examined.clear(&permit, &mut placeholders)?;
//! assert_eq!(cleared.messages()[0].text, "Is ⟨EMAIL_1⟩ a valid address?");
//! // The endpoint answers about the placeholder, and the person reads about the address.
//! assert_eq!(placeholders.reidentify("⟨EMAIL_1⟩ is valid."), "a@b.example is valid.");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod class;
mod cleared;
mod detect;
mod distinct;
mod draft;
mod examined;
mod finding;
mod letters;
mod lexicon;
mod normal;
mod occurrences;
mod placeholder_form;
mod placeholders;
mod redaction;
mod reidentify;
mod scanner;
mod special;
#[doc(hidden)]
pub mod training;

pub use class::PrivacyClass;
pub use cleared::{ClearError, Cleared, Permit, Release};
pub use draft::{Draft, DraftMessage, Speaker};
pub use examined::{ContentDigest, ContentFacts, Examined, ExaminedMessage};
pub use finding::{CharacterSpan, Finding, FindingKind, in_characters};
pub use placeholders::{PLACEHOLDER_BYTES_MAX, PLACEHOLDERS_MAX, Placeholders, PlaceholdersFull};
pub use redaction::{Guess, RedactError, Redacted, RedactedFinding, redact};
pub use reidentify::Reidentifier;
pub use scanner::{
    GUESS_CONFIDENCE_MIN, MESSAGES_MAX, ScanError, Scanner, ScannerError, ScannerOptions, TEXT_BYTES_MAX,
    USER_WORD_BYTES_MAX, USER_WORDS_MAX,
};
