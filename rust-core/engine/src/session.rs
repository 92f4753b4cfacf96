//! What one conversation owns: its KV cache and its position over the shared model.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tract_nnef::internal::{TValue, TypedSimpleState, tensor1, tvec};

use crate::context::{Cancelled, RunContext};
use crate::{EngineError, Model};

/// Rows of logits that are computed at a time when every row is wanted.
const LOGIT_ROWS: usize = 16;

/// Asks a run to stop; every operator looks at it. Clones share the same flag.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// Raises the flag. It stays raised.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody raised it.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The state of one conversation: the tokens seen so far and their keys and values.
pub struct Session {
    model: Arc<Model>,
    context_length: u32,
    ids: Vec<u32>,
    logits: Vec<f32>,
    /// Runs the whole graph. The run context lives in its turn, and moves to `body` for the length of a run there.
    full: TypedSimpleState,
    /// Runs everything but the head.
    body: TypedSimpleState,
}

/// Which plan a run takes.
#[derive(Clone, Copy, PartialEq)]
enum Plan {
    Full,
    Body,
}

impl Session {
    /// Reserves a KV cache for `context_length` tokens.
    ///
    /// # Errors
    /// [`EngineError::Option`] when the length is 0 or beyond the model's, [`EngineError::Memory`] when there is no room.
    pub fn new(model: &Arc<Model>, context_length: u32) -> Result<Session, EngineError> {
        let longest = model.manifest().context_length;
        if !(1..=longest).contains(&context_length) {
            return Err(EngineError::Option {
                option: "context length",
                expected: format!("1 to {longest}, the model's own"),
                found: context_length.to_string(),
            });
        }
        let run = |error| EngineError::Run {
            reason: format!("{error:#}"),
        };
        let mut full = model.graph().full.spawn().map_err(run)?;
        let body = model.graph().body.spawn().map_err(run)?;
        full.turn_state.shared.insert(RunContext::new(model, context_length)?);
        Ok(Session {
            model: model.clone(),
            context_length,
            ids: Vec::with_capacity(context_length as usize),
            logits: vec![0.0; model.tokenizer().vocabulary_len() as usize],
            full,
            body,
        })
    }

    /// The model that this session runs.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Tokens that fit, in total.
    #[must_use]
    pub fn context_length(&self) -> u32 {
        self.context_length
    }

    /// The tokens whose keys and values are in the cache.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.ids
    }

    /// Forgets everything after the first `length` tokens.
    pub fn truncate(&mut self, length: u32) {
        self.ids.truncate(length as usize);
        self.context().position.set(self.ids.len());
    }

    /// Runs tokens through the layers without computing logits.
    ///
    /// # Errors
    /// [`EngineError::ContextFull`], [`EngineError::Cancelled`], [`EngineError::Run`]; the session is then as it was before.
    pub fn prefill(&mut self, ids: &[u32], cancel: &CancelFlag) -> Result<(), EngineError> {
        self.run(Plan::Body, ids, cancel).map(|_| ())
    }

    /// Runs tokens and returns the logits after the last one, one for each entry of the vocabulary.
    ///
    /// # Errors
    /// As [`Session::prefill`].
    pub fn logits(&mut self, ids: &[u32], cancel: &CancelFlag) -> Result<&mut [f32], EngineError> {
        let logits = self.run(Plan::Full, ids, cancel)?;
        self.logits.copy_from_slice(floats(&logits)?);
        Ok(&mut self.logits)
    }

    /// Runs tokens and hands the logits after each of them, from index `first` of `ids` on, to `each` with that index.
    ///
    /// # Errors
    /// As [`Session::prefill`].
    pub fn logits_each(
        &mut self,
        ids: &[u32],
        first: usize,
        cancel: &CancelFlag,
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        let hidden = self.run(Plan::Body, ids, cancel)?;
        let (hidden, graph) = (floats(&hidden)?, self.model.graph());
        let vocabulary = self.logits.len();
        let mut logits = vec![0f32; LOGIT_ROWS * vocabulary];
        let mut index = first;
        while index < ids.len() {
            if cancel.is_cancelled() {
                self.truncate((self.ids.len() - ids.len()) as u32);
                return Err(EngineError::Cancelled);
            }
            let rows = LOGIT_ROWS.min(ids.len() - index);
            let x = &hidden[index * graph.width..(index + rows) * graph.width];
            let logits = &mut logits[..rows * vocabulary];
            graph.head.multiply(self.context(), x, None, logits);
            for (row, logits) in logits.chunks_exact(vocabulary).enumerate() {
                each(index + row, logits);
            }
            index += rows;
        }
        Ok(())
    }

    fn context(&self) -> &RunContext {
        self.full
            .turn_state
            .shared
            .get::<RunContext>()
            .expect("the context was put there when the session was made")
    }

    fn run(&mut self, plan: Plan, ids: &[u32], cancel: &CancelFlag) -> Result<TValue, EngineError> {
        let needed = self.ids.len() as u64 + ids.len() as u64;
        if needed > u64::from(self.context_length) {
            return Err(EngineError::ContextFull {
                needed,
                limit: u64::from(self.context_length),
            });
        }
        let context = self.context();
        context.cancel.replace(cancel.clone());
        context.trim_outputs(ids.len());
        let input = tvec!(tensor1(&ids.iter().map(|id| i64::from(*id)).collect::<Vec<_>>()).into());
        let result = match plan {
            Plan::Full => take_turn(&mut self.full, input),
            Plan::Body => {
                std::mem::swap(&mut self.full.turn_state.shared, &mut self.body.turn_state.shared);
                let result = take_turn(&mut self.body, input);
                std::mem::swap(&mut self.full.turn_state.shared, &mut self.body.turn_state.shared);
                result
            }
        }?;
        self.ids.extend_from_slice(ids);
        self.context().position.set(self.ids.len());
        Ok(result)
    }
}

/// Runs a plan once. After an error the turn is reset, or its leftovers would break the next run.
fn take_turn(state: &mut TypedSimpleState, input: tract_nnef::internal::TVec<TValue>) -> Result<TValue, EngineError> {
    let run = |error: tract_nnef::internal::TractError| {
        if error.downcast_ref::<Cancelled>().is_some() {
            EngineError::Cancelled
        } else {
            EngineError::Run {
                reason: format!("{error:#}"),
            }
        }
    };
    match state.run(input) {
        Ok(mut outputs) if outputs.len() == 1 => Ok(outputs.remove(0)),
        Ok(outputs) => Err(EngineError::Run {
            reason: format!("{} outputs instead of one", outputs.len()),
        }),
        Err(error) => {
            state.reset_turn().map_err(run)?;
            Err(run(error))
        }
    }
}

fn floats(value: &TValue) -> Result<&[f32], EngineError> {
    let plain = value.try_as_plain_ram().and_then(|plain| plain.as_slice::<f32>());
    plain.map_err(|error| EngineError::Run {
        reason: format!("{error:#}"),
    })
}
