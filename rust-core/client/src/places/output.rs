//! The text of a place as it is shown, the same for every place: redacted values are put back, the answer ends before a stop string, its limit
//! applies, and an answer that must have a form is checked where the place may not have kept to it.

use whimbrel_engine::{EngineError, Said, StopMatcher, ThinkingMarks, ThinkingSplitter};
use whimbrel_privacy::Reidentifier;
use whimbrel_record::Code;

use super::remote_form::FormedAnswer;
use crate::{ANSWER_BYTES_MAX, Form};

/// Turns a place's pieces into what is shown. Stop strings are looked for here and never sent anywhere, because nobody examined them.
pub(crate) struct Output {
    /// For thoughts, which are a text of their own.
    thoughts: Option<Reidentifier>,
    answer: Option<Reidentifier>,
    /// Where the place may leave thoughts in the text of its answers.
    splitter: Option<ThinkingSplitter>,
    /// Where the answer must have a form that the place may not have kept to.
    formed: Option<FormedAnswer>,
    stops: StopMatcher,
    bytes: u64,
}

impl Output {
    /// `has_marks`: thoughts may stand in the text, between marks. `form`: what the answer must have, unless the place holds it to that.
    ///
    /// # Errors
    /// For stop strings that are out of their limits.
    pub(crate) fn new(
        reidentifier: Option<Reidentifier>,
        stops: &[String],
        has_marks: bool,
        form: Option<Form>,
    ) -> Result<Output, EngineError> {
        Ok(Output {
            thoughts: reidentifier.clone(),
            formed: form.map(|form| FormedAnswer::new(form, reidentifier.clone())),
            answer: reidentifier,
            splitter: has_marks.then(|| ThinkingSplitter::new(ThinkingMarks::default(), false)),
            stops: StopMatcher::new(stops)?,
            bytes: 0,
        })
    }

    /// What of this piece, and of what was held back before it, is shown now.
    pub(crate) fn push(&mut self, mut said: Said) -> Said {
        if let Some(splitter) = &mut self.splitter {
            let split = splitter.push(&said.text);
            said.thinking += &split.thinking;
            said.text = split.text;
        }
        self.put_back(said)
    }

    /// Whether a stop string has appeared: nothing more is shown.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stops.is_stopped()
    }

    /// Whether more was shown than an answer may have.
    pub(crate) fn is_too_large(&self) -> bool {
        self.bytes + self.formed.as_ref().map_or(0, FormedAnswer::bytes) > ANSWER_BYTES_MAX
    }

    /// Whether the end of the text takes work that must not be done on a thread for requests.
    pub(crate) fn has_form(&self) -> bool {
        self.formed.is_some()
    }

    /// What was held back, at the end of the place's text.
    ///
    /// # Errors
    /// The code for an answer that does not have its form.
    pub(crate) fn finish(mut self) -> Result<Said, Code> {
        let rest = self.splitter.take().map(|mut splitter| splitter.finish());
        let mut said = self.put_back(rest.unwrap_or_default());
        said.thinking += &rest_of(&mut self.thoughts);
        let has_form = self.has_form();
        let rest = match self.formed.take() {
            Some(formed) => formed.finish().ok_or(Code::NotInForm)?,
            None => rest_of(&mut self.answer),
        };
        said.text += &self.stops.push(&rest);
        said.text += &self.stops.finish();
        match has_form && self.is_stopped() {
            true => Err(Code::NotInForm),
            false => Ok(said),
        }
    }

    fn put_back(&mut self, mut said: Said) -> Said {
        if let Some(formed) = &mut self.formed {
            formed.push(&std::mem::take(&mut said.text));
        }
        let mut thinking = put_back(&mut self.thoughts, said.thinking);
        if !said.text.is_empty() {
            thinking += &rest_of(&mut self.thoughts);
        }
        let text = self.stops.push(&put_back(&mut self.answer, said.text));
        self.bytes += (thinking.len() + text.len()) as u64;
        Said { thinking, text }
    }
}

fn put_back(reidentifier: &mut Option<Reidentifier>, piece: String) -> String {
    match reidentifier {
        Some(reidentifier) => reidentifier.push(&piece),
        None => piece,
    }
}

fn rest_of(reidentifier: &mut Option<Reidentifier>) -> String {
    reidentifier.take().map(Reidentifier::finish).unwrap_or_default()
}
