//! A question that a person answers with yes or no.

use std::io::{self, BufRead, Read};

use crate::error::CliError;

/// Bytes of an answer to the question.
const REPLY_BYTES_MAX: u64 = 64;

/// Asks on standard error and reads a line from standard input, which must be a terminal. Anything but `y` and `yes` is a no.
///
/// # Errors
/// [`CliError::StandardInput`].
pub(crate) fn ask(question: &str) -> Result<bool, CliError> {
    eprint!("{question} [y/N] ");
    let mut reply = String::new();
    let mut limited = io::stdin().lock().take(REPLY_BYTES_MAX);
    limited.read_line(&mut reply).map_err(CliError::StandardInput)?;
    Ok(matches!(reply.trim(), "y" | "Y" | "yes"))
}
