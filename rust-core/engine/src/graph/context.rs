//! What a run shares with its operators: the KV cache, the position, the cancel flag, and the operators' working memory.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use tract_nnef::internal::*;
use whimbrel_kernels::{Activations, Rotation, ThreadPool};

use crate::CancelFlag;
use crate::bundle::weights::WeightRef;
use crate::cache::KvCache;

/// See the module. Operators get it read-only, hence the cells; a session is used by one thread at a time.
pub(crate) struct RunContext {
    /// Tokens whose keys and values are in the cache. It moves only after a run succeeded.
    pub(crate) position: Cell<usize>,
    pub(crate) cancel: RefCell<CancelFlag>,
    pub(crate) cache: RefCell<KvCache>,
    pub(crate) pool: Arc<ThreadPool>,
    pub(crate) activations: RefCell<Activations>,
    pub(crate) scratch: RefCell<Vec<f32>>,
    pub(crate) attention_scratch: RefCell<Vec<f32>>,
    rotations: RefCell<Vec<RotationTable>>,
}

impl RunContext {
    pub(crate) fn new(cache: KvCache, pool: Arc<ThreadPool>) -> RunContext {
        RunContext {
            position: Cell::new(0),
            cancel: RefCell::default(),
            cache: RefCell::new(cache),
            pool,
            activations: RefCell::default(),
            scratch: RefCell::default(),
            attention_scratch: RefCell::default(),
            rotations: RefCell::default(),
        }
    }

    /// The context of the session that runs, where tract's own executor hands it on in the turn's shared state.
    pub(crate) fn of<'a>(context: &'a EvalContext) -> TractResult<&'a RunContext> {
        context
            .shared
            .and_then(|shared| shared.get::<RunContext>())
            .context("run outside of a session")
    }

    /// Fails when somebody cancelled.
    pub(crate) fn check_cancelled(&self) -> TractResult<()> {
        ensure!(!self.cancel.borrow().is_cancelled(), "cancelled");
        Ok(())
    }

    /// Calls `use_rotation` with the rotary angles of the next `rows` positions; they are computed once a run, not once a layer.
    pub(crate) fn with_rotation<R>(
        &self,
        frequencies: &WeightRef,
        rows: usize,
        use_rotation: impl FnOnce(Rotation<'_>) -> R,
    ) -> TractResult<R> {
        let mut tables = self.rotations.borrow_mut();
        let index = match tables.iter().position(|table| table.frequencies == *frequencies) {
            Some(index) => index,
            None => {
                tables.push(RotationTable::new(frequencies));
                tables.len() - 1
            }
        };
        tables[index].prepare(self.position.get(), rows)?;
        Ok(use_rotation(tables[index].rotation()))
    }
}

/// Cosines and sines of some positions for one set of frequencies.
struct RotationTable {
    frequencies: WeightRef,
    position: usize,
    rows: usize,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl RotationTable {
    fn new(frequencies: &WeightRef) -> RotationTable {
        RotationTable {
            frequencies: frequencies.clone(),
            position: 0,
            rows: 0,
            cosines: Vec::new(),
            sines: Vec::new(),
        }
    }

    fn prepare(&mut self, position: usize, rows: usize) -> TractResult<()> {
        if (self.position, self.rows) == (position, rows) {
            return Ok(());
        }
        let frequencies = self.frequencies.floats().context("frequencies are not f32")?;
        self.cosines.clear();
        self.sines.clear();
        for position in position..position + rows {
            for frequency in frequencies {
                let (sine, cosine) = (position as f64 * f64::from(*frequency)).sin_cos();
                self.cosines.push(cosine as f32);
                self.sines.push(sine as f32);
            }
        }
        (self.position, self.rows) = (position, rows);
        Ok(())
    }

    fn rotation(&self) -> Rotation<'_> {
        Rotation {
            pairs: self.frequencies.columns,
            cosines: &self.cosines,
            sines: &self.sines,
        }
    }
}
