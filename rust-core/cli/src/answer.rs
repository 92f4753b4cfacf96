//! Answers as `run`, `task` and `chat` show them: where they come from, how they are received, and what is said about them.

pub(crate) mod figures;
pub(crate) mod outcome;
pub(crate) mod report;
mod source;
pub(crate) mod tools;

use std::sync::Arc;

use tokio::sync::Notify;
use whimbrel_client::{Answer, ClientError, Event, Report, ToolResult, block_on};

pub(crate) use self::source::AnswerSource;
pub(crate) use self::tools::ServedTools;
use crate::error::CliError;
use crate::terminal::progress::Progress;
use crate::terminal::screen::Screen;
use crate::terminal::thoughts::Thoughts;
use crate::terminal::{interrupt, output, style};

/// Events taken at a time.
const BATCH: u32 = 64;

/// A whole answer, or none.
pub(crate) struct Completion {
    pub(crate) text: String,
    /// What was thought before it, by the last place.
    pub(crate) thinking: String,
    pub(crate) report: Report,
}

/// Shows every piece of text on the screen as it comes, has the tools that the model calls carried out, and says so when the text above no longer holds. While a long prompt is read, a terminal
/// shows how far, and what the model thinks before it answers. Ctrl-C stops the answer, which then ends like any other, as cancelled.
///
/// # Errors
/// [`CliError::Output`], after the answer was stopped. Those of the model where no policy decides, and those of the ledger when no receipt can
/// be written.
pub(crate) fn receive(
    answer: Answer,
    screen: &mut Screen,
    tools: Option<&ServedTools>,
) -> Result<Completion, CliError> {
    let answer = Arc::new(answer);
    let (stopped, raised) = (answer.clone(), Arc::new(Notify::new()));
    let notified = raised.clone();
    let _guard = interrupt::on_raise(move || {
        stopped.cancel();
        notified.notify_one();
    });
    let (mut text, mut thinking) = (String::new(), String::new());
    let mut thoughts = Thoughts::new(screen);
    let mut reading = None;
    loop {
        let events = block_on(answer.next(BATCH))?;
        if events.is_empty() {
            // The last event is always the report.
            return Err(ClientError::Stopped.into());
        }
        // Where the text begins that is yet to be shown.
        let mut shown = text.len();
        for event in events {
            if !matches!(event, Event::Reading { .. }) {
                reading = None;
            }
            match event {
                Event::Started { .. } => {
                    thoughts.end();
                    thinking.clear();
                }
                Event::Reading { done, total } => read_on(&mut reading, done, total),
                Event::Thinking(piece) => {
                    thoughts.show(&piece);
                    thinking.push_str(&piece);
                }
                Event::Text(piece) => {
                    thoughts.end();
                    text.push_str(&piece);
                }
                Event::Restarted => {
                    screen.show(&text[shown..])?;
                    screen.discard(&text)?;
                    if screen.is_watched() && !text.is_empty() {
                        style::note("[discarding the text above; retrying elsewhere]");
                    }
                    text.clear();
                    shown = 0;
                }
                Event::Call(call) => {
                    thoughts.end();
                    screen.show(&text[shown..])?;
                    shown = text.len();
                    let result = match tools {
                        Some(tools) => tools.carry_out(&call, &raised)?,
                        None => ToolResult::Refused,
                    };
                    // After Ctrl-C nobody waits for it any more.
                    drop(answer.give_result(call.id, result));
                }
                Event::Finished(report) => {
                    thoughts.end();
                    screen.show(&text[shown..])?;
                    screen.end(&text)?;
                    return Ok(Completion {
                        text,
                        thinking,
                        report: *report,
                    });
                }
            }
        }
        screen.show(&text[shown..])?;
    }
}

/// How far a long prompt is read, for a person who waits for the first word.
fn read_on(reading: &mut Option<Progress>, done: u32, total: u32) {
    if output::watched() {
        let progress = reading.get_or_insert_with(|| Progress::steps("reading the prompt", total.into()));
        progress.set(done.into());
    }
}
