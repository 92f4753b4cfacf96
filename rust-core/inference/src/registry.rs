//! State shared by handles and the inference thread: which answers are in progress, and what must be closed. It makes cancelling and
//! closing take effect at once, even while the inference thread is in the middle of a step.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use whimbrel_engine::CancelFlag;

use crate::error::{lock, within};
use crate::{ANSWERS_MAX, InferenceError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModelId(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(u64);

/// Something that the inference thread holds for a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owned {
    Model(ModelId),
    Session(SessionId),
}

/// Whose answer it is. A raw completion belongs to no session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) model: ModelId,
    pub(crate) session: Option<SessionId>,
}

impl Owner {
    fn is_under(&self, owned: Owned) -> bool {
        match owned {
            Owned::Model(id) => self.model == id,
            Owned::Session(id) => self.session == Some(id),
        }
    }
}

struct Running {
    owner: Owner,
    cancel: CancelFlag,
}

#[derive(Default)]
struct State {
    closing: bool,
    to_close: Vec<Owned>,
    running: HashMap<u64, Running>,
}

#[derive(Default)]
pub(crate) struct Registry {
    last_id: AtomicU64,
    state: Mutex<State>,
}

impl Registry {
    pub(crate) fn model_id(&self) -> ModelId {
        ModelId(self.next_id())
    }

    pub(crate) fn session_id(&self) -> SessionId {
        SessionId(self.next_id())
    }

    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// No user code runs under this lock, and every change under it is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Enters an answer. A cancelled answer no longer counts, though it may take one more step to end.
    pub(crate) fn begin(self: &Arc<Self>, owner: Owner, cancel: &CancelFlag) -> Result<Ticket, InferenceError> {
        let mut state = self.state();
        if state.closing {
            return Err(InferenceError::Closed { what: "client" });
        }
        let live = || state.running.values().filter(|running| !running.cancel.is_cancelled());
        if owner.session.is_some() && live().any(|running| running.owner.session == owner.session) {
            return Err(InferenceError::Busy);
        }
        within("answers at once", live().count() as u64 + 1, ANSWERS_MAX)?;
        let id = self.next_id();
        state.running.insert(
            id,
            Running {
                owner,
                cancel: cancel.clone(),
            },
        );
        Ok(Ticket {
            registry: self.clone(),
            id,
        })
    }

    /// Answers entered and not ended, cancelled ones included until they end.
    pub(crate) fn active_answers(&self) -> u32 {
        u32::try_from(self.state().running.len()).unwrap_or(u32::MAX)
    }

    /// Asks for something to be closed and cancels the answers under it.
    pub(crate) fn close(&self, owned: Owned) {
        let mut state = self.state();
        state
            .running
            .values()
            .filter(|running| running.owner.is_under(owned))
            .for_each(|running| running.cancel.cancel());
        state.to_close.push(owned);
    }

    /// Asks for everything to be closed and cancels all answers.
    pub(crate) fn close_all(&self) {
        let mut state = self.state();
        state.closing = true;
        state.running.values().for_each(|running| running.cancel.cancel());
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.state().closing
    }

    pub(crate) fn take_to_close(&self) -> Vec<Owned> {
        std::mem::take(&mut self.state().to_close)
    }
}

/// An answer's entry in the registry, for as long as this lives.
pub(crate) struct Ticket {
    registry: Arc<Registry>,
    id: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.registry.state().running.remove(&self.id);
    }
}
