//! Receives an answer piece by piece, and lets Ctrl-C stop it.

use std::sync::Arc;

use whimbrel_client::{Answer, AnswerEvent, ClientError, Statistics, block_on};

use crate::error::CliError;
use crate::interrupt;

/// Events taken at a time.
const BATCH: u32 = 64;

/// A whole answer.
pub(crate) struct Received {
    pub(crate) text: String,
    pub(crate) statistics: Statistics,
}

/// Hands every piece of text to `show` as it comes. Ctrl-C stops the answer; it then ends like any other, as cancelled.
///
/// # Errors
/// What `show` returns, after the answer was stopped; [`CliError::Client`], [`CliError::Engine`].
pub(crate) fn receive(
    answer: Answer,
    mut show: impl FnMut(&str) -> Result<(), CliError>,
) -> Result<Received, CliError> {
    let answer = Arc::new(answer);
    let stopped = answer.clone();
    let _guard = interrupt::on_raise(move || stopped.cancel());
    let mut text = String::new();
    loop {
        let events = block_on(answer.next(BATCH))?;
        if events.is_empty() {
            // The last event is always the figures.
            return Err(ClientError::Stopped.into());
        }
        let mut piece = String::new();
        let mut finished = None;
        for event in events {
            match event {
                AnswerEvent::Prefilled { .. } => {}
                AnswerEvent::Text(more) => piece.push_str(&more),
                AnswerEvent::Finished(statistics) => finished = Some(statistics),
            }
        }
        if !piece.is_empty() {
            show(&piece)?;
            text.push_str(&piece);
        }
        if let Some(statistics) = finished {
            return Ok(Received { text, statistics });
        }
    }
}
