//! The form of an answer in progress: when it begins to hold, what must come next, and whether what was said has the form. A call of a tool is such a
//! form, which begins where the model begins to call.

use std::collections::VecDeque;

use llguidance::toktrie::SimpleVob;

use crate::constraint::CallConstraint;
use crate::{CallFormat, Constraint, EngineError, ToolCall, ToolChoice};

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
    /// In the answer, which has the form.
    Answering,
    /// In an answer that is free, until the model calls a tool.
    Free,
}

/// What an answer may be beside text.
struct Calls {
    format: CallFormat,
    /// The token that begins a call.
    mark: Option<u32>,
    /// Without such a token: what a call begins with, at the beginning of the answer.
    opening: String,
    /// Whether the answer may be text.
    may_be_text: bool,
    /// Where no call may come: all tokens but the mark.
    unmarked: Option<SimpleVob>,
}

/// The form of an answer in progress.
pub(super) struct Formed {
    constraint: Constraint,
    /// The token that opens a block of thoughts, if the model may think.
    open: Option<u32>,
    phase: Phase,
    /// The phase in which the answer begins.
    start: Phase,
    calls: Option<Calls>,
    /// What must come next, in order.
    forced: VecDeque<u32>,
    forced_tokens: u32,
    /// The answer's text as far as it was shown; of a call, all of it.
    text: String,
}

impl Formed {
    pub(super) fn new(constraint: Constraint, open: Option<u32>) -> Formed {
        Formed {
            constraint,
            open,
            phase: Phase::Answering,
            start: Phase::Answering,
            calls: None,
            forced: VecDeque::new(),
            forced_tokens: 0,
            text: String::new(),
        }
    }

    /// An answer that may be a call of a tool.
    pub(super) fn calling(call: CallConstraint, format: CallFormat, choice: ToolChoice, open: Option<u32>) -> Formed {
        let CallConstraint {
            mark,
            opening,
            constraint,
        } = call;
        let unmarked = mark.filter(|_| choice == ToolChoice::None).map(|mark| {
            let mut tokens = SimpleVob::alloc(constraint.vocabulary_len() as usize);
            tokens.set_all(true);
            tokens.disallow_token(mark);
            tokens
        });
        let start = match (choice, mark) {
            (ToolChoice::Required, _) | (_, None) => Phase::Answering,
            (_, Some(_)) => Phase::Free,
        };
        Formed {
            phase: start,
            start,
            calls: Some(Calls {
                format,
                mark,
                opening,
                may_be_text: choice != ToolChoice::Required,
                unmarked,
            }),
            ..Formed::new(constraint, open)
        }
    }

    /// Thoughts may come first; `is_open` says that the prompt has opened them.
    pub(super) fn expect_thoughts(&mut self, is_open: bool) {
        self.phase = match self.open {
            _ if is_open => Phase::Thinking,
            Some(open) if self.start == Phase::Answering => Phase::Undecided { open },
            _ => self.start,
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
        match (
            self.phase,
            self.calls.as_ref().and_then(|calls| calls.unmarked.as_ref()),
        ) {
            (Phase::Free, Some(unmarked)) => return Ok(Next::Among(unmarked.clone())),
            (Phase::Free | Phase::Thinking, _) => return Ok(Next::Free),
            _ => {}
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
            Phase::Free => {
                let mark = self.calls.as_ref().and_then(|calls| calls.mark);
                tokens.iter().take_while(|token| Some(**token) != mark).count()
            }
            Phase::Answering if self.is_deciding() => 0,
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
            Phase::Free if Some(token) == self.calls.as_ref().and_then(|calls| calls.mark) => {
                self.phase = Phase::Answering;
            }
            Phase::Free => {
                if Some(token) == self.open && self.text.is_empty() {
                    self.phase = Phase::Thinking;
                }
                return Ok(false);
            }
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
        if self.phase == Phase::Thinking {
            self.phase = self.start;
        }
    }

    /// Takes a piece of the answer, and returns what is known not to be part of a call.
    pub(super) fn hear(&mut self, piece: String) -> String {
        let Some(calls) = self.calls.as_ref().filter(|_| self.phase == Phase::Answering) else {
            return piece;
        };
        self.text += &piece;
        let may_be_call = calls.opening.starts_with(&self.text) || self.text.starts_with(&calls.opening);
        if calls.mark.is_some() || may_be_call {
            return String::new();
        }
        self.phase = Phase::Free;
        std::mem::take(&mut self.text)
    }

    /// The answer ends: what was held back as the beginning of a call and is none.
    pub(super) fn rest(&mut self) -> String {
        match self.is_deciding() {
            true => {
                self.phase = Phase::Free;
                std::mem::take(&mut self.text)
            }
            false => String::new(),
        }
    }

    /// Whether it is open if the answer is a call.
    fn is_deciding(&self) -> bool {
        let is_open =
            |calls: &Calls| calls.may_be_text && calls.mark.is_none() && !self.text.starts_with(&calls.opening);
        self.phase == Phase::Answering && self.calls.as_ref().is_some_and(is_open)
    }

    /// Whether a call was begun, or may have been.
    pub(super) fn is_calling(&self) -> bool {
        self.calls.is_some() && self.phase == Phase::Answering
    }

    /// The call that the answer is or ends with, if it is complete.
    pub(super) fn call(&mut self) -> Option<ToolCall> {
        let is_call = self.phase == Phase::Answering && self.constraint.may_end();
        let calls = self.calls.as_ref().filter(|_| is_call)?;
        calls.format.parse(&self.text)
    }

    /// Adds what was shown of the answer.
    pub(super) fn show(&mut self, text: &str) {
        if self.calls.is_none() {
            self.text.push_str(text);
        }
    }

    /// Whether the answer could end with the last token.
    pub(super) fn may_end(&mut self) -> bool {
        self.phase == Phase::Answering && self.constraint.may_end()
    }

    /// Whether what was shown has the form.
    pub(super) fn is_whole(&self) -> bool {
        match &self.calls {
            Some(_) => self.phase != Phase::Answering,
            None => self.constraint.accepts(&self.text),
        }
    }
}
