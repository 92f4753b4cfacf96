//! The flag with which a caller stops a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a run to stop; every operator checks it. Clones share the same flag.
///
/// ```
/// # use std::path::Path;
/// # use whimbrel_engine::{Model, OpenOptions};
/// use whimbrel_engine::{CancelFlag, EngineError, Session};
///
/// # fn main() -> Result<(), EngineError> {
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny");
/// # let model = Model::open(Path::new(folder), &OpenOptions::default())?;
/// let cancel = CancelFlag::default();
/// let elsewhere = cancel.clone();
/// elsewhere.cancel();
/// let mut session = Session::new(&model, 64)?;
/// assert!(matches!(session.prefill(&[20, 21, 22], &cancel), Err(EngineError::Cancelled)));
/// assert!(session.tokens().is_empty(), "the session is as it was");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// Raises the flag. It stays raised.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
