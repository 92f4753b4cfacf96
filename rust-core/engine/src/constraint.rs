//! Constrained decoding: the form that an answer must have, and which tokens it leaves at each place. The grammars are those of llguidance; here
//! are the limits, the errors, and what our tokenizer adds. How an answer is made under a form is in [`crate::generation`].

mod call;
mod form;
mod mask;
mod vocabulary;
mod walk;

pub use form::{FORM_BYTES_MAX, FORM_NESTING_MAX, Form};
pub use vocabulary::Vocabulary;

use std::sync::Arc;

use llguidance::Matcher;
use llguidance::api::StopReason;
use llguidance::toktrie::SimpleVob;

pub(crate) use self::call::CallConstraint;
pub(crate) use self::mask::keep;
use self::vocabulary::is_whole;
use crate::EngineError;

/// Tokens after which an answer does not start over.
const START_OVER_TOKENS_MAX: usize = 512;

/// The reason for an answer that cannot go on.
const NO_TOKEN: &str = "no token of this model's vocabulary can continue the answer";

/// An answer that is held to a form, up to some token.
///
/// ```
/// # use std::path::Path;
/// # use whimbrel_engine::{Model, OpenOptions};
/// use whimbrel_engine::{Constraint, Form};
///
/// # fn main() -> Result<(), whimbrel_engine::EngineError> {
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny");
/// # let model = Model::open(Path::new(folder), &OpenOptions::default())?;
/// let form = Form::Choice(vec!["one two".into(), "one three".into()]);
/// let mut constraint = Constraint::new(&model.vocabulary()?, &form)?;
/// assert!(constraint.accepts("one two"));
/// assert!(!constraint.accepts("one"), "it is not complete");
///
/// // Every choice begins in the same way, so the model is not asked about it.
/// let forced = constraint.forced();
/// constraint.take(&forced)?;
/// assert!(!constraint.may_end());
/// # Ok(())
/// # }
/// ```
pub struct Constraint {
    vocabulary: Arc<Vocabulary>,
    /// The special tokens in the form itself.
    tokens: Vec<u32>,
    form: Form,
    /// The tokens so far.
    taken: Vec<u32>,
    /// Whether masks are computed with a look-ahead.
    looks_ahead: bool,
    /// Before the first token.
    fresh: Matcher,
    /// After the tokens so far.
    matcher: Matcher,
}

impl Constraint {
    /// Compiles a form.
    ///
    /// # Errors
    /// [`EngineError::Form`] for a form that is malformed, out of its limits, or uses what is not supported.
    pub fn new(vocabulary: &Arc<Vocabulary>, form: &Form) -> Result<Constraint, EngineError> {
        Constraint::with_tokens(vocabulary, form, &[])
    }

    /// Compiles a form that has special tokens in it.
    ///
    /// # Errors
    /// As [`Constraint::new`].
    fn with_tokens(vocabulary: &Arc<Vocabulary>, form: &Form, tokens: &[u32]) -> Result<Constraint, EngineError> {
        let fresh = vocabulary.compile(form, true)?;
        Ok(Constraint {
            vocabulary: vocabulary.clone(),
            tokens: tokens.to_vec(),
            form: form.clone(),
            taken: Vec::new(),
            looks_ahead: true,
            matcher: fresh.clone(),
            fresh,
        })
    }

    /// The tokens that must come next. Empty where the model has a choice.
    pub fn forced(&mut self) -> Vec<u32> {
        match self.is_complete() {
            true => Vec::new(),
            false => self.matcher.compute_ff_tokens(),
        }
    }

    /// The tokens that may come next, one bit each, the lowest bit of the first word for token 0. Tokens that end a turn are among them where the
    /// answer may end. Must not be called when the form is complete.
    ///
    /// # Errors
    /// [`EngineError::Form`] if the form became too complex to go on.
    pub fn mask(&mut self) -> Result<SimpleVob, EngineError> {
        let mut mask = match self.matcher.compute_mask() {
            Err(_) if self.start_over() => self.matcher.compute_mask(),
            mask => mask,
        }
        .map_err(|_| self.failed())?;
        let special: Vec<u32> = self.tokens.iter().copied().filter(|id| mask.is_allowed(*id)).collect();
        mask.and(self.vocabulary.allowed());
        special.into_iter().for_each(|id| mask.allow_token(id));
        match mask.is_zero() {
            true => Err(self.error(NO_TOKEN)),
            false => Ok(mask),
        }
    }

    /// How many of these tokens, one after the other, the form allows. Tokens that end a turn are not counted.
    pub fn allowed(&mut self, tokens: &[u32]) -> u32 {
        match self.is_complete() {
            true => 0,
            false => self.matcher.validate_tokens(tokens).unwrap_or(0) as u32,
        }
    }

    /// Goes on behind these tokens.
    ///
    /// # Errors
    /// [`EngineError::Form`] if the form does not allow them, or became too complex to go on.
    pub fn take(&mut self, tokens: &[u32]) -> Result<(), EngineError> {
        match self.matcher.consume_tokens(tokens) {
            Err(_) if self.start_over() => self.matcher.consume_tokens(tokens),
            taken => taken,
        }
        .map_err(|_| self.failed())?;
        self.taken.extend_from_slice(tokens);
        Ok(())
    }

    /// Starts over without a look-ahead after a failure, and returns to the same place. Only once, but after any failure: the look-ahead uses some of the
    /// lexer's limited fuel and states, so a form that fails with it may work without it. Not far into an answer, because a cancellation cannot stop
    /// the masks that are computed again. Masks are computed where the answer computed them, because
    /// each mask renews the fuel.
    fn start_over(&mut self) -> bool {
        if self.taken.len() > START_OVER_TOKENS_MAX {
            return false;
        }
        let Some(fresh) = self.without_look_ahead() else {
            return false;
        };
        self.looks_ahead = false;
        let mut matcher = fresh.clone();
        for token in &self.taken {
            if matcher.compute_ff_tokens().is_empty() && matcher.compute_mask().is_err()
                || matcher.consume_tokens(&[*token]).is_err()
            {
                return false;
            }
        }
        (self.fresh, self.matcher) = (fresh, matcher);
        true
    }

    /// The form's matcher without a look-ahead, if there was one.
    fn without_look_ahead(&self) -> Option<Matcher> {
        let vocabulary = self.looks_ahead.then_some(&self.vocabulary)?;
        vocabulary.compile(&self.form, false).ok()
    }

    /// Whether the answer is complete and nothing can follow.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.matcher.stop_reason() == StopReason::NoExtension
    }

    /// Whether the answer may end here.
    pub fn may_end(&mut self) -> bool {
        self.is_complete() || self.matcher.is_accepting().unwrap_or(false)
    }

    /// Number of tokens of the vocabulary.
    pub(crate) fn vocabulary_len(&self) -> u32 {
        self.vocabulary.tokenizer().vocabulary_len()
    }

    /// Whether a whole answer has the form.
    #[must_use]
    pub fn accepts(&self, text: &str) -> bool {
        let tokens = self.vocabulary.tokenizer().encode_rest(text);
        // Clones share a lexer, so another clone may have used up its limits.
        is_whole(self.fresh.clone(), &tokens)
            || self
                .without_look_ahead()
                .is_some_and(|matcher| is_whole(matcher, &tokens))
    }

    /// The error for what the matcher could not do.
    fn failed(&self) -> EngineError {
        self.error(match self.matcher.stop_reason() {
            StopReason::LexerTooComplex | StopReason::ParserTooComplex => {
                "it became too complex while the answer was made"
            }
            StopReason::NoExtensionBias => NO_TOKEN,
            _ => "it does not allow a token that was to be taken",
        })
    }

    fn error(&self, reason: &str) -> EngineError {
        EngineError::Form {
            kind: self.form.kind(),
            place: None,
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Tokenizer;

    const NAME: &str = r#"{"type": "string", "maxLength": 20}"#;

    fn constraint() -> Constraint {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny/tokenizer.bin");
        let tokenizer = Tokenizer::from_bytes(&std::fs::read(file).unwrap()).unwrap();
        let vocabulary = Arc::new(Vocabulary::new(Arc::new(tokenizer)).unwrap());
        Constraint::new(&vocabulary, &Form::JsonSchema(NAME.to_owned())).unwrap()
    }

    /// Makes a matcher fail.
    type Fault = fn(&mut Matcher);

    const FAULTS: [Fault; 2] = [
        |matcher| assert!(matcher.test_trigger_lexer_error().is_err()),
        |matcher| assert!(matcher.consume_tokens(&[u32::MAX]).is_err()),
    ];

    #[test]
    fn a_failure_is_overcome_without_a_look_ahead_once() {
        for fault in FAULTS {
            let (mut constraint, mut sound) = (constraint(), constraint());
            let tokens = constraint.vocabulary.tokenizer().encode_rest("\"one two three\"");
            for token in &tokens[..2] {
                for constraint in [&mut constraint, &mut sound] {
                    constraint.mask().unwrap();
                    constraint.take(&[*token]).unwrap();
                }
            }
            fault(&mut constraint.matcher);
            assert_eq!(constraint.mask().unwrap().to_list(), sound.mask().unwrap().to_list());
            assert!(!constraint.looks_ahead);
            constraint.take(&tokens[2..]).unwrap();
            assert!(constraint.is_complete() && constraint.accepts("\"one two three\""));
            fault(&mut constraint.matcher);
            assert!(matches!(constraint.mask(), Err(EngineError::Form { .. })));
        }
    }

    #[test]
    fn a_failure_of_the_shared_lexer_refuses_no_answer() {
        let mut constraint = constraint();
        constraint.matcher.test_trigger_lexer_error().unwrap_err();
        assert!(constraint.accepts("\"one two three\""));
        assert!(!constraint.accepts("one"));
        let tokens = constraint.vocabulary.tokenizer().encode_rest("\"one\"");
        constraint.take(&tokens).unwrap();
        assert!(constraint.is_complete());
    }
}
