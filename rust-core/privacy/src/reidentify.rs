//! Puts values back in place of their placeholders in an answer, even if the answer arrives in pieces.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::FindingKind;
use crate::placeholder_form::{self, Form};

/// Puts values back into one answer that arrives in pieces. At most some twenty bytes, the length of the longest placeholder, are
/// held back until the next piece. Unknown placeholders are left unchanged. Use it only for answers to redacted text: if the text
/// was sent as it is, anything that looks like a placeholder is part of the text.
///
/// Values are put back exactly as they were, wherever the placeholder is. If the answer is a program or JSON, they are not
/// escaped.
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
/// // The answer arrives in pieces; a placeholder that is split in two is held back until it is complete.
/// let mut reidentifier = placeholders.reidentifier();
/// assert_eq!(reidentifier.push("Yes, ⟨EMA"), "Yes, ");
/// assert_eq!(reidentifier.push("IL_1⟩ is."), "a@b.example is.");
/// assert_eq!(reidentifier.finish(), "");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Reidentifier {
    values: Arc<HashMap<(FindingKind, u32), String>>,
    held: String,
    /// The last character before `held`.
    previous: Option<char>,
}

impl fmt::Debug for Reidentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reidentifier")
            .field("held_bytes", &self.held.len())
            .finish_non_exhaustive()
    }
}

impl Reidentifier {
    pub(crate) fn new(values: Arc<HashMap<(FindingKind, u32), String>>) -> Reidentifier {
        Reidentifier {
            values,
            held: String::new(),
            previous: None,
        }
    }

    /// Takes the next piece and returns the text that is ready.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        self.advance(false)
    }

    /// The number of bytes currently held back.
    #[must_use]
    pub fn held_bytes(&self) -> u32 {
        self.held.len() as u32
    }

    /// Returns the rest, after the last piece.
    pub fn finish(mut self) -> String {
        self.advance(true)
    }

    fn advance(&mut self, ended: bool) -> String {
        let mut said = String::with_capacity(self.held.len());
        let mut at = 0;
        while let Some(character) = self.held[at..].chars().next() {
            let mut bytes = character.len_utf8();
            let mut last = character;
            let form = if placeholder_form::may_begin(self.previous, character) {
                placeholder_form::read(&self.held[at..], ended)
            } else {
                Form::None
            };
            match form {
                Form::Open => break,
                Form::Placeholder {
                    bytes: all,
                    kind,
                    number,
                } => {
                    // An unknown one is passed over whole, as everywhere where placeholders are read.
                    bytes = all;
                    let written = &self.held[at..at + all];
                    last = written.chars().next_back().unwrap_or(character);
                    said.push_str(self.values.get(&(kind, number)).map_or(written, String::as_str));
                }
                Form::None => said.push(character),
            }
            self.previous = Some(last);
            at += bytes;
        }
        self.held.drain(..at);
        said
    }
}
