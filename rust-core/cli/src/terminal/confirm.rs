//! A question that a person answers with yes or no.

use std::io::{self, BufRead, Read};

use crate::error::CliError;
use crate::terminal::input;

/// Bytes of an answer to the question.
const REPLY_BYTES_MAX: u64 = 64;

/// Asks before something that cannot be undone, which `action` names. `unchanged` is what is said after a no.
///
/// # Errors
/// [`CliError::Usage`] after a no, and without a terminal; [`CliError::StandardInput`].
pub(crate) fn require(action: &str, unchanged: &str, question: impl FnOnce() -> String) -> Result<(), CliError> {
    if input::is_piped() {
        return Err(CliError::usage(format!("{action} needs a confirmation"), "add --yes"));
    }
    match ask(&question())? {
        true => Ok(()),
        false => Err(CliError::usage(
            format!("not confirmed; {unchanged}"),
            "add --yes to skip the question",
        )),
    }
}

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
