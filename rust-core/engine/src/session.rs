//! What one conversation owns: its KV cache and its position over the shared model.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{EngineError, Model};

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
}

impl Session {
    /// Reserves a KV cache for `context_length` tokens.
    ///
    /// # Errors
    /// [`EngineError::Option`] when the length is 0 or beyond the model's, [`EngineError::Memory`] when there is no room.
    pub fn new(model: &Arc<Model>, context_length: u32) -> Result<Session, EngineError> {
        let _ = context_length;
        Ok(Session { model: model.clone() })
    }

    /// The model that this session runs.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Tokens that fit, in total.
    #[must_use]
    pub fn context_length(&self) -> u32 {
        unimplemented!()
    }

    /// The tokens whose keys and values are in the cache.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        unimplemented!()
    }

    /// Forgets everything after the first `length` tokens.
    pub fn truncate(&mut self, length: u32) {
        let _ = length;
        unimplemented!()
    }

    /// Runs tokens through the layers without computing logits.
    ///
    /// # Errors
    /// [`EngineError::ContextFull`], [`EngineError::Cancelled`] (the session is then as it was before the call),
    /// [`EngineError::Run`].
    pub fn prefill(&mut self, ids: &[u32], cancel: &CancelFlag) -> Result<(), EngineError> {
        let _ = (ids, cancel);
        unimplemented!()
    }

    /// Runs tokens and returns the logits after the last one, one a vocabulary entry.
    ///
    /// # Errors
    /// As [`Session::prefill`].
    pub fn logits(&mut self, ids: &[u32], cancel: &CancelFlag) -> Result<&mut [f32], EngineError> {
        let _ = (ids, cancel);
        unimplemented!()
    }

    /// Runs tokens and hands the logits after each of them, from index `first` on, to `each` with its index in `ids`.
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
        let _ = (ids, first, cancel, each);
        unimplemented!()
    }
}
