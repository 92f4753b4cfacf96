//! The state of one conversation: its KV cache and its position, over the shared model.

pub(crate) mod costs;
pub(crate) mod prefix;
pub(crate) mod scores;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use whimbrel_kernels::group_maxima;

use self::costs::RunCosts;
use self::prefix::SavedPrefix;
use self::scores::{SCORE_GROUP, Scores};
use crate::cache::Mark;
use crate::clock::now;
use crate::graph::context::RunContext;
use crate::graph::operator::ARITY_MAX;
use crate::graph::plan::{Buffers, RunObserver};
use crate::memory::{ANSWERING_BYTES, check_room};
use crate::{CancelFlag, EngineError, Model, PREFILL_CHUNK, PrefixError};

/// Rows of logits that are computed at a time when every row is wanted.
const LOGIT_ROWS: usize = 16;

/// The state of one conversation: the tokens seen so far and their keys and values.
///
/// ```
/// # use std::path::Path;
/// # use whimbrel_engine::{Model, OpenOptions};
/// use whimbrel_engine::{CancelFlag, Session};
///
/// # fn main() -> Result<(), whimbrel_engine::EngineError> {
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/tiny");
/// # let model = Model::open(Path::new(folder), &OpenOptions::default())?;
/// let never = CancelFlag::default();
/// let mut session = Session::new(&model, 64)?;
/// session.prefill(&[20, 21], &never)?;
/// let after = session.logits(&[22], &never)?.to_vec();
/// assert_eq!(after.len(), model.tokenizer().vocabulary_len() as usize);
///
/// // One token back, and the same again.
/// session.truncate(2);
/// assert_eq!(session.logits(&[22], &never)?, after);
/// # Ok(())
/// # }
/// ```
pub struct Session {
    model: Arc<Model>,
    context_length: u32,
    ids: Vec<u32>,
    /// Lengths at which the text is to be marked when it gets there, so that it can be cut there.
    to_mark: Vec<usize>,
    /// Rows of the vocabulary's length; as many as were asked for at most so far.
    logits: Vec<f32>,
    /// The largest of each group of logits, rows as above.
    maxima: Vec<f32>,
    context: RunContext,
    buffers: Buffers,
    /// Measured while answers are made; they decide about guesses.
    costs: RunCosts,
}

/// Where a run spent its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunProfile {
    /// The whole run.
    pub total: Duration,
    /// The part spent inside operators. The rest is overhead of the graph: going from one operator to the next, and, in this measurement,
    /// reading the clock.
    pub operators: Duration,
}

/// Adds up the time inside operators.
struct Stopwatch {
    started: Instant,
    operators: Duration,
}

impl RunObserver for Stopwatch {
    fn before(&mut self) {
        self.started = now();
    }

    fn after(&mut self, _: usize, _: &[usize; ARITY_MAX], _: &[Vec<f32>]) {
        self.operators += self.started.elapsed();
    }
}

impl Session {
    /// Reserves a KV cache for `context_length` tokens.
    ///
    /// # Errors
    /// [`EngineError::Option`] if the length is 0 or exceeds the model's, [`EngineError::Memory`] if there is not enough memory.
    pub fn new(model: &Arc<Model>, context_length: u32) -> Result<Session, EngineError> {
        let longest = model.manifest().context_length;
        if !(1..=longest).contains(&context_length) {
            return Err(EngineError::Option {
                option: "context length",
                expected: format!("1 to {longest}, the model's own"),
                found: context_length.to_string(),
            });
        }
        let bytes = model.kv_bytes(context_length) + ANSWERING_BYTES;
        check_room(&format!("a context of {context_length} tokens"), context_length, bytes)?;
        Ok(Session {
            context_length,
            ids: Vec::with_capacity(context_length as usize),
            to_mark: Vec::new(),
            logits: Vec::new(),
            maxima: Vec::new(),
            context: model.run_context(context_length)?,
            buffers: Buffers::default(),
            costs: RunCosts::default(),
            model: model.clone(),
        })
    }

    /// The model that this session runs.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Size of the context in tokens.
    #[must_use]
    pub fn context_length(&self) -> u32 {
        self.context_length
    }

    /// The tokens whose keys and values are in the cache.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.ids
    }

    /// Removes everything after the first `length` tokens, and returns how many are left. In a model with layers that see only the last
    /// tokens, or with convolutions, that can be fewer than `length`: the nearest number from which the session can still go on. Up to 25 of
    /// the tokens that were run last can always be removed alone.
    pub fn truncate(&mut self, length: u32) -> u32 {
        let kept = self.nearest(length as usize);
        self.ids.truncate(kept);
        self.to_mark.clear();
        self.context.cache.borrow_mut().truncate(kept);
        self.context.position.set(kept);
        kept as u32
    }

    /// The greatest length, at most this one, from which the session can go on.
    fn nearest(&self, length: usize) -> usize {
        let length = length.min(self.ids.len());
        if self.is_free() {
            return length;
        }
        let cache = self.context.cache.borrow();
        (1..=length).rev().find(|length| cache.holds(*length)).unwrap_or(0)
    }

    /// Whether the session can go back to any length of its text.
    fn is_free(&self) -> bool {
        self.model.layout().keeps_everything() || self.model.graph().reference.is_some()
    }

    /// Keeps what it takes to go back to this length of the text, which it has now or had a moment ago, as far as there is room.
    pub(crate) fn mark_turn(&mut self, length: usize) {
        self.context.cache.borrow_mut().mark(Mark::Turn, length);
    }

    /// Asks for what it takes to go back to a length that the text does not have yet.
    pub(crate) fn mark_fork_at(&mut self, length: usize) {
        if length > self.ids.len() && !self.is_free() {
            self.to_mark.push(length);
        }
    }

    /// How many of the next `rest` tokens of a prompt to run together.
    pub(crate) fn chunk(&self, rest: usize) -> usize {
        let marks = self
            .to_mark
            .iter()
            .filter_map(|length| length.checked_sub(self.ids.len()));
        let to_mark = marks.filter(|length| *length > 0).min();
        rest.min(PREFILL_CHUNK).min(to_mark.unwrap_or(rest))
    }

    /// Runs tokens through the layers without computing logits.
    ///
    /// # Errors
    /// [`EngineError::ContextFull`], [`EngineError::Cancelled`], [`EngineError::Run`]; the session is then unchanged, except that one which
    /// cannot go back to any length (see [`Session::truncate`]) may have fewer tokens if there were more than [`PREFILL_CHUNK`].
    pub fn prefill(&mut self, ids: &[u32], cancel: &CancelFlag) -> Result<(), EngineError> {
        self.run(ids, cancel, &mut ())?;
        self.commit(ids);
        Ok(())
    }

    /// Runs tokens and returns the logits after the last one, one per vocabulary entry.
    ///
    /// # Errors
    /// As [`Session::prefill`].
    pub fn logits(&mut self, ids: &[u32], cancel: &CancelFlag) -> Result<&mut [f32], EngineError> {
        self.logits_after(ids, 1, cancel)
    }

    /// Runs tokens and returns the logits after each of the last `count` of them, row by row. A row is bit for bit what running the tokens
    /// one by one would give.
    ///
    /// # Errors
    /// As [`Session::prefill`].
    pub fn logits_after(&mut self, ids: &[u32], count: u32, cancel: &CancelFlag) -> Result<&mut [f32], EngineError> {
        let rows = self.run_to_head(ids, count, cancel)?;
        Ok(&mut self.logits[..rows * self.model.graph().head.weights.rows])
    }

    /// Like [`Session::logits_after`], with each row in the form that the sampler needs.
    ///
    /// # Errors
    /// As [`Session::prefill`].
    pub fn scores_after<'s>(
        &'s mut self,
        ids: &[u32],
        count: u32,
        cancel: &CancelFlag,
    ) -> Result<impl Iterator<Item = Scores<'s>> + use<'s>, EngineError> {
        let rows = self.run_to_head(ids, count, cancel)?;
        let vocabulary = self.model.graph().head.weights.rows;
        let logits = self.logits.chunks_exact_mut(vocabulary);
        let maxima = self.maxima.chunks_exact_mut(vocabulary.div_ceil(SCORE_GROUP));
        let scores = logits.zip(maxima).take(rows);
        Ok(scores.map(|(logits, maxima)| Scores { logits, maxima }))
    }

    /// Runs tokens and computes the logits after each of the last `count`, or all of fewer; how many those are.
    fn run_to_head(&mut self, ids: &[u32], count: u32, cancel: &CancelFlag) -> Result<usize, EngineError> {
        self.run(ids, cancel, &mut ())?;
        let rows = ids.len().min(count as usize);
        self.head(ids.len() - rows, rows, cancel)?;
        self.commit(ids);
        Ok(rows)
    }

    /// Decodes one token like [`Session::logits`], and measures where the time is spent.
    ///
    /// # Errors
    /// As [`Session::prefill`].
    pub fn profile(&mut self, id: u32, cancel: &CancelFlag) -> Result<RunProfile, EngineError> {
        let started = now();
        let mut stopwatch = Stopwatch {
            started,
            operators: Duration::ZERO,
        };
        self.run(&[id], cancel, &mut stopwatch)?;
        stopwatch.started = now();
        self.head(0, 1, cancel)?;
        let operators = stopwatch.operators + stopwatch.started.elapsed();
        self.commit(&[id]);
        Ok(RunProfile {
            total: started.elapsed(),
            operators,
        })
    }

    /// Runs tokens and passes the logits after each of them, from index `first` of `ids` on, to `each` with that index.
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
        self.run(ids, cancel, &mut ())?;
        let vocabulary = self.model.graph().head.weights.rows;
        let mut index = first;
        while index < ids.len() {
            let rows = LOGIT_ROWS.min(ids.len() - index);
            self.head(index, rows, cancel)?;
            for (row, logits) in self.logits.chunks_exact(vocabulary).take(rows).enumerate() {
                each(index + row, logits);
            }
            index += rows;
        }
        self.commit(ids);
        Ok(())
    }

    /// The first `length` tokens (all, if there are fewer) with their keys and values as bytes, and a note of the caller. The bytes contain
    /// what users said, in the ids and the note. They hold fewer tokens where the session could not go back to `length` either (see
    /// [`Session::truncate`]).
    ///
    /// # Errors
    /// [`EngineError::Option`] for a note that is too long, and on tract's own operators.
    pub fn save_prefix(&self, length: u32, note: &[u8]) -> Result<Vec<u8>, EngineError> {
        if self.model.graph().reference.is_some() {
            // Its keys and values are not in the cache.
            return Err(EngineError::Option {
                option: "reference",
                expected: "off for a prefix to be saved".into(),
                found: "on".into(),
            });
        }
        let ids = &self.ids[..self.nearest(length as usize)];
        prefix::write(&self.model, ids, note, |bytes| {
            self.context.cache.borrow().save(ids.len(), bytes);
        })
    }

    /// Starts from a saved prefix, and discards everything else.
    ///
    /// # Errors
    /// [`EngineError::Prefix`] if the context is too short for it; the session is then unchanged. [`EngineError::PrefixRead`]; the session is
    /// then empty.
    pub fn restore_prefix(&mut self, saved: &SavedPrefix<'_>) -> Result<(), EngineError> {
        let ids = saved.tokens();
        if ids.len() > self.context_length as usize {
            return Err(EngineError::Prefix(PrefixError::TooLong {
                tokens: ids.len() as u64,
                limit: self.context_length.into(),
            }));
        }
        self.truncate(0);
        let restored = self
            .context
            .cache
            .borrow_mut()
            .restore(ids.len(), saved.values(), &self.context.pool);
        restored.map_err(|source| EngineError::PrefixRead { source })?;
        self.start_with(ids);
        Ok(())
    }

    /// Begins with the longest prefix of `ids` that another session of this model shares, if that saves running any of them.
    pub(crate) fn adopt_shared(&mut self, ids: &[u32]) {
        let known = self.ids.iter().zip(ids).take_while(|(a, b)| a == b).count();
        let Some(shared) = self.model.shared_prefix(self.context_length, ids) else {
            return;
        };
        if shared.ids().len() <= known {
            return;
        }
        match self.context.cache.borrow_mut().adopt(shared.clone()) {
            Ok(()) => {}
            Err(error) => return log::debug!("a shared prefix cannot be used: {error}"),
        }
        self.start_with(shared.ids());
    }

    /// The cache holds these tokens now and nothing else.
    fn start_with(&mut self, ids: &[u32]) {
        self.ids.clear();
        self.ids.extend_from_slice(ids);
        self.to_mark.clear();
        self.context.position.set(ids.len());
    }

    /// Shares the first `length` tokens with the other sessions of the model, where the system can and it is not done yet.
    pub(crate) fn share(&mut self, length: usize) {
        let mut cache = self.context.cache.borrow_mut();
        let is_possible = length <= self.ids.len() && cache.holds(length) && !cache.is_shared();
        if !is_possible || self.model.graph().reference.is_some() {
            return;
        }
        match cache.share(&self.ids[..length], self.ids.len(), self.context_length) {
            Ok(shared) => self.model.add_shared_prefix(&shared),
            Err(error) => log::debug!("a prefix cannot be shared: {error}"),
        }
    }

    pub(crate) fn costs(&self) -> &RunCosts {
        &self.costs
    }

    pub(crate) fn costs_mut(&mut self) -> &mut RunCosts {
        &mut self.costs
    }

    /// Runs everything before the head. Keys and values behind the position are written; the position itself is not moved.
    fn run(&mut self, ids: &[u32], cancel: &CancelFlag, observer: &mut impl RunObserver) -> Result<(), EngineError> {
        let needed = self.ids.len() as u64 + ids.len() as u64;
        if needed > u64::from(self.context_length) {
            return Err(EngineError::ContextFull {
                needed,
                limit: u64::from(self.context_length),
            });
        }
        if ids.is_empty() {
            return Err(EngineError::Run {
                reason: "a run needs at least one token".into(),
            });
        }
        self.context.cancel.replace(cancel.clone());
        let graph = self.model.graph();
        if let Some(reference) = &graph.reference {
            // It keeps nothing between runs.
            let all = [&self.ids, ids].concat();
            let hidden = reference.hidden(&all).map_err(failed)?;
            let first = self.ids.len() * graph.head.weights.columns;
            graph.body.set_hidden(&mut self.buffers, &hidden[first..]);
            return Ok(());
        }
        let outcome = if self.is_free() || ids.len() <= PREFILL_CHUNK {
            graph.body.run(&self.context, ids, &mut self.buffers, observer)
        } else {
            self.run_in_chunks(ids, observer)
        };
        let outcome = outcome.and_then(|()| self.check_weights());
        self.settled(outcome)
    }

    /// The outcome of a run or of a part of it. After a failure the session goes back to where it can go on from.
    fn settled<T>(&mut self, outcome: Result<T, EngineError>) -> Result<T, EngineError> {
        if outcome.is_err() && !self.is_free() {
            self.truncate(u32::MAX);
        }
        outcome
    }

    /// Runs tokens chunk by chunk: layers that see only the last tokens keep no more than a chunk needs.
    fn run_in_chunks(&mut self, ids: &[u32], observer: &mut impl RunObserver) -> Result<(), EngineError> {
        let (model, start) = (self.model.clone(), self.context.position.get());
        let body = &model.graph().body;
        let mut hidden = Vec::new();
        for (index, chunk) in ids.chunks(PREFILL_CHUNK).enumerate() {
            self.context.position.set(start + index * PREFILL_CHUNK);
            let outcome = body.run(&self.context, chunk, &mut self.buffers, observer);
            self.context.position.set(start);
            outcome?;
            hidden.extend_from_slice(body.hidden(&self.buffers));
        }
        body.set_hidden(&mut self.buffers, &hidden);
        Ok(())
    }

    /// Whether every weight that was read was there.
    fn check_weights(&self) -> Result<(), EngineError> {
        match self.model.graph().head.weights.is_cut() {
            false => Ok(()),
            true => Err(EngineError::Corrupt {
                file: self.model.variant().weights.path.clone(),
                reason: "it was truncated while in use".into(),
            }),
        }
    }

    /// Logits after some rows of the last run, into the first rows of `logits`.
    fn head(&mut self, first: usize, rows: usize, cancel: &CancelFlag) -> Result<(), EngineError> {
        let outcome = self.compute_head(first, rows, cancel);
        self.settled(outcome)
    }

    fn compute_head(&mut self, first: usize, rows: usize, cancel: &CancelFlag) -> Result<(), EngineError> {
        if cancel.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        let graph = self.model.graph();
        let (width, vocabulary) = (graph.head.weights.columns, graph.head.weights.rows);
        let groups = vocabulary.div_ceil(SCORE_GROUP);
        let hidden = &graph.body.hidden(&self.buffers)[first * width..(first + rows) * width];
        if self.logits.len() < rows * vocabulary {
            self.logits.resize(rows * vocabulary, 0.0);
            self.maxima.resize(rows * groups, 0.0);
        }
        let (logits, maxima) = (&mut self.logits[..rows * vocabulary], &mut self.maxima[..rows * groups]);
        if let Some(reference) = &graph.reference {
            logits.copy_from_slice(&reference.logits(hidden, width).map_err(failed)?);
            for (logits, maxima) in logits.chunks_exact(vocabulary).zip(maxima.chunks_exact_mut(groups)) {
                group_maxima(logits, maxima);
            }
            return Ok(());
        }
        graph.head.multiply(&self.context, hidden, None, logits, Some(maxima));
        self.check_weights()
    }

    /// The tokens of a run that succeeded are now part of the session.
    fn commit(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
        let length = self.ids.len();
        self.context.position.set(length);
        if self.is_free() {
            return;
        }
        let mut cache = self.context.cache.borrow_mut();
        if self.to_mark.contains(&length) {
            cache.mark(Mark::Fork, length);
            self.to_mark.retain(|marked| *marked > length);
        }
        cache.mark_in_passing(length);
    }
}

fn failed(error: tract_nnef::internal::TractError) -> EngineError {
    EngineError::Run {
        reason: format!("{error:#}"),
    }
}
