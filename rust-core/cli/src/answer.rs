//! Answers as `run` and `chat` show them: where they come from, how they are received, and what is said about them.

pub(crate) mod figures;
pub(crate) mod report;
mod source;

use std::sync::Arc;

use whimbrel_client::{Answer, ClientError, Event, Report, block_on};

pub(crate) use self::source::AnswerSource;
use crate::error::CliError;
use crate::terminal::{interrupt, output};

/// Events taken at a time.
const BATCH: u32 = 64;

/// A whole answer, or none.
pub(crate) struct Completion {
    pub(crate) text: String,
    pub(crate) report: Report,
}

/// Passes every piece of text to `show` as it comes, and says so when the text above no longer holds. Ctrl-C stops the answer, which then
/// ends like any other, as cancelled.
///
/// # Errors
/// What `show` returns, after the answer was stopped. Those of the model where no policy decides, and those of the ledger when no receipt can
/// be written.
pub(crate) fn receive(
    answer: Answer,
    mut show: impl FnMut(&str) -> Result<(), CliError>,
) -> Result<Completion, CliError> {
    let answer = Arc::new(answer);
    let stopped = answer.clone();
    let _guard = interrupt::on_raise(move || stopped.cancel());
    let mut text = String::new();
    let mut is_thinking = false;
    loop {
        let events = block_on(answer.next(BATCH))?;
        if events.is_empty() {
            // The last event is always the report.
            return Err(ClientError::Stopped.into());
        }
        // Where the text begins that is yet to be shown.
        let mut shown = text.len();
        let mut finished = None;
        for event in events {
            match event {
                Event::Started { .. } => is_thinking = false,
                Event::Reading { .. } => {}
                Event::Thinking { .. } => {
                    // Once for each place.
                    if !std::mem::replace(&mut is_thinking, true) && output::watched() {
                        eprintln!("[thinking]");
                    }
                }
                Event::Text(piece) => text.push_str(&piece),
                Event::Restarted => {
                    if !text.is_empty() && !text.ends_with('\n') {
                        text.push('\n');
                    }
                    show(&text[shown..])?;
                    text.clear();
                    shown = 0;
                    eprintln!("[discarding the text above; retrying elsewhere]");
                }
                Event::Finished(report) => finished = Some(*report),
            }
        }
        if shown < text.len() {
            show(&text[shown..])?;
        }
        if let Some(report) = finished {
            return Ok(Completion { text, report });
        }
    }
}
