//! Finds and redacts private data in text: privacy classes, kinds of findings, redaction, and the only way in which a text can be
//! cleared to leave the device. The crate is pure: it uses no files, clock, randomness or network. `whimbrel-policy` decides
//! where a request runs.
//!
//! A request's text is a [`Draft`]. [`Scanner::examine`] turns it into an [`Examined`]: the draft with its findings. A
//! conversation instead keeps an [`ExaminedMessage`] for each of its messages, and [`Examined::of`] combines them. A policy that
//! allows an endpoint issues a [`Permit`] for exactly this draft, and [`Examined::clear`] turns the two into a [`Cleared`]
//! payload, the only thing that `whimbrel-network` accepts. The conversation's [`Placeholders`] keep the replaced values, and a
//! [`Reidentifier`] puts them back into the answer.
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
//! // The endpoint answers with the placeholder, and the user sees the address.
//! assert_eq!(placeholders.reidentify("⟨EMAIL_1⟩ is valid."), "a@b.example is valid.");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod breaks;
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

pub use breaks::with_plain_breaks;
pub use class::PrivacyClass;
pub use cleared::{ClearError, Cleared, Permit, Release};
pub use draft::{Draft, DraftMessage, QUESTIONS_JOINT, Speaker};
pub use examined::{ContentDigest, ContentFacts, Examined, ExaminedMessage};
pub use finding::{CharacterSpan, Finding, FindingKind, in_characters};
pub use placeholders::{PLACEHOLDER_BYTES_MAX, PLACEHOLDERS_MAX, Placeholders, PlaceholdersFull};
pub use redaction::{Guess, RedactError, Redacted, RedactedFinding, redact};
pub use reidentify::Reidentifier;
pub use scanner::{
    GUESS_CONFIDENCE_MIN, MESSAGES_MAX, ScanError, Scanner, ScannerError, ScannerOptions, TEXT_BYTES_MAX,
    USER_WORD_BYTES_MAX, USER_WORDS_MAX,
};
