//! The text of a place as it is shown, the same for every place: redacted values are put back, the text ends before a stop string, and the
//! answer's limit applies.

use whimbrel_engine::{EngineError, StopMatcher};
use whimbrel_privacy::Reidentifier;

use crate::ANSWER_BYTES_MAX;

/// Turns a place's pieces into what is shown. Stop strings are looked for here and never sent anywhere, because nobody examined them.
pub(crate) struct Output {
    reidentifier: Option<Reidentifier>,
    stops: StopMatcher,
    bytes: u64,
}

impl Output {
    pub(crate) fn new(reidentifier: Option<Reidentifier>, stops: &[String]) -> Result<Output, EngineError> {
        Ok(Output {
            reidentifier,
            stops: StopMatcher::new(stops)?,
            bytes: 0,
        })
    }

    /// What of this piece, and of what was held back before it, is shown now.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        let shown = match &mut self.reidentifier {
            Some(reidentifier) => self.stops.push(&reidentifier.push(piece)),
            None => self.stops.push(piece),
        };
        self.bytes += shown.len() as u64;
        shown
    }

    /// Whether a stop string has appeared: nothing more is shown.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stops.is_stopped()
    }

    /// Whether more was shown than an answer may have.
    pub(crate) fn is_too_large(&self) -> bool {
        self.bytes > ANSWER_BYTES_MAX
    }

    /// What was held back, at the end of the place's text.
    pub(crate) fn finish(&mut self) -> String {
        let rest = self.reidentifier.take().map(Reidentifier::finish);
        let mut shown = rest.map_or_else(String::new, |rest| self.stops.push(&rest));
        shown += &self.stops.finish();
        shown
    }
}
