//! The form of an answer in progress: when it begins to hold, what must come next, and whether what was said has the form.

use std::collections::VecDeque;

use llguidance::toktrie::SimpleVob;

use crate::{Constraint, EngineError};

/// What may come next.
pub(super) enum Next {
    /// Any token.
    Free,
    /// This token, whatever the scores.
    Forced(u32),
    /// One of these tokens.
    Among(SimpleVob),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing was said yet. The answer may begin, or this token opens a block of thoughts.
    Undecided { open: u32 },
    /// In a block of thoughts, which are free.
    Thinking,
    /// In the answer.
    Answering,
}

/// The form of an answer in progress.
pub(super) struct Formed {
    constraint: Constraint,
    /// The token that opens a block of thoughts, if the model may think.
    open: Option<u32>,
    phase: Phase,
    /// What must come next, in order.
    forced: VecDeque<u32>,
    forced_tokens: u32,
    /// The answer's text as far as it was shown.
    text: String,
}

impl Formed {
    pub(super) fn new(constraint: Constraint, open: Option<u32>) -> Formed {
        Formed {
            constraint,
            open,
            phase: Phase::Answering,
            forced: VecDeque::new(),
            forced_tokens: 0,
            text: String::new(),
        }
    }

    /// Thoughts may come first; `is_open` says that the prompt has opened them.
    pub(super) fn expect_thoughts(&mut self, is_open: bool) {
        self.phase = match self.open {
            _ if is_open => Phase::Thinking,
            Some(open) => Phase::Undecided { open },
            None => Phase::Answering,
        };
    }

    /// Whether the form holds already: what was said before was thought.
    pub(super) fn is_answering(&self) -> bool {
        self.phase == Phase::Answering
    }

    /// Tokens of the answer that the form left no choice about.
    pub(super) fn forced_tokens(&self) -> u32 {
        self.forced_tokens
    }

    /// The next token, if there is no choice about it.
    pub(super) fn next_forced(&mut self) -> Option<u32> {
        if self.phase == Phase::Answering && self.forced.is_empty() {
            self.forced.extend(self.constraint.forced());
        }
        let token = self.forced.pop_front()?;
        self.forced_tokens += 1;
        Some(token)
    }

    /// What may come next.
    ///
    /// # Errors
    /// As [`Constraint::mask`].
    pub(super) fn next(&mut self) -> Result<Next, EngineError> {
        if self.phase == Phase::Thinking {
            return Ok(Next::Free);
        }
        if let Some(token) = self.next_forced() {
            return Ok(Next::Forced(token));
        }
        let mut mask = self.constraint.mask()?;
        if let Phase::Undecided { open } = self.phase {
            mask.allow_token(open);
        }
        Ok(match (mask.num_set(), mask.first_bit_set()) {
            // No random number is drawn where there is no choice, so that guesses change no answer.
            (1, Some(only)) => Next::Forced(only as u32),
            _ => Next::Among(mask),
        })
    }

    /// How many of these tokens may come next, one after the other.
    pub(super) fn allowed(&mut self, tokens: &[u32]) -> usize {
        match self.phase {
            Phase::Thinking => tokens.len(),
            Phase::Undecided { .. } => 0,
            Phase::Answering => self.constraint.allowed(tokens) as usize,
        }
    }

    /// Goes on behind a token that is no end of a turn. Returns whether the answer is complete and nothing can follow.
    ///
    /// # Errors
    /// As [`Constraint::take`].
    pub(super) fn take(&mut self, token: u32) -> Result<bool, EngineError> {
        match self.phase {
            Phase::Thinking => return Ok(false),
            Phase::Undecided { open } if token == open => {
                self.phase = Phase::Thinking;
                return Ok(false);
            }
            Phase::Undecided { .. } => self.phase = Phase::Answering,
            Phase::Answering => {}
        }
        self.constraint.take(&[token])?;
        Ok(self.constraint.is_complete())
    }

    /// No block of thoughts is open: what comes next is the answer.
    pub(super) fn end_thinking(&mut self) {
        self.phase = Phase::Answering;
    }

    /// Adds what was shown of the answer.
    pub(super) fn show(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Whether the answer could end with the last token.
    pub(super) fn may_end(&mut self) -> bool {
        self.phase == Phase::Answering && self.constraint.may_end()
    }

    /// Whether what was shown has the form.
    pub(super) fn is_whole(&self) -> bool {
        self.constraint.accepts(&self.text)
    }
}
