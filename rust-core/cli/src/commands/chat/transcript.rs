//! `/save`: the conversation as JSON, with everything that is known of it.

use std::io;
use std::path::Path;

use serde::Serialize;
use whimbrel_client::record::ReceiptId;
use whimbrel_client::{GenerationOptions, Message};
use whimbrel_files::{Existing, Readers};

use crate::error::CliError;
use crate::terminal::confirm;

/// What is written.
#[derive(Serialize)]
pub(super) struct Transcript<'a> {
    /// What the model is called; null where there is none on this device.
    pub(super) model: Option<&'a str>,
    pub(super) variant: Option<&'a str>,
    /// The policy's name; null where none decides, and the task with it.
    pub(super) policy: Option<String>,
    pub(super) task: Option<&'a str>,
    /// Milliseconds since 1970.
    pub(super) saved_ms: u64,
    pub(super) context_length: u32,
    pub(super) options: &'a GenerationOptions,
    /// The system message first, if there is one.
    pub(super) messages: &'a [Message],
    /// Those of the answers, in order.
    pub(super) receipts: &'a [ReceiptId],
}

/// Writes a conversation whole or not at all. A file that is there already is replaced only when a person says so; false is a no.
///
/// # Errors
/// [`CliError::OutputExists`] where nobody can be asked, [`CliError::Write`], [`CliError::StandardInput`].
pub(super) fn write(path: &Path, transcript: &Transcript<'_>, may_ask: bool) -> Result<bool, CliError> {
    let mut existing = Existing::Keep;
    if path.symlink_metadata().is_ok() {
        if !may_ask {
            return Err(CliError::OutputExists { path: path.to_owned() });
        }
        if !confirm::ask(&format!("{} exists. Replace it?", path.display()))? {
            return Ok(false);
        }
        existing = Existing::Replace;
    }
    let text = serde_json::to_string_pretty(transcript).map_err(|error| CliError::write(path)(error.into()))?;
    match whimbrel_files::write(path, existing, Readers::Owner, format!("{text}\n").as_bytes()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(CliError::OutputExists { path: path.to_owned() })
        }
        Err(error) => Err(CliError::write(path)(error)),
    }
}
