//! What the product takes from outside and a test or a simulator brings its own of: the clock, randomness, the ledger, and what answers.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use whimbrel_policy::{Candidate, CandidateFacts, PolicySet, RequestFacts};
use whimbrel_record::{Closing, Code, Intent, ReceiptId, Signal};
use whimbrel_store::{Store, StoreError};

use crate::ClientError;
pub use crate::places::{Ask, Attempt, Backend, BoxFuture, Last, Part, Payload};

/// The one clock: wall time for receipts and readings, and a time that nobody can set for deadlines.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Milliseconds since some fixed moment; never goes back. Runs with tokio's time, so that a test can pause it.
    fn elapsed_ms(&self) -> u64;
}

/// The system's clock.
#[derive(Debug)]
pub struct SystemClock {
    began: Instant,
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock { began: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Where the ids of requests come from.
pub trait Randomness: Send + Sync {
    /// Fills the bytes with random ones.
    ///
    /// # Errors
    /// [`ClientError::NoRandomness`].
    fn fill(&self, bytes: &mut [u8]) -> Result<(), ClientError>;
}

/// The system's random numbers.
#[derive(Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), ClientError> {
        getrandom::fill(bytes).map_err(|_| ClientError::NoRandomness)
    }
}

/// Where receipts are written, and small pieces of state. Every call may wait for the disk.
pub trait Records: Send + Sync {
    /// Writes a receipt's first entry. It is durable when this returns.
    ///
    /// # Errors
    /// Those of the ledger; nothing may leave the device then.
    fn begin(&self, intent: &Intent, now_ms: u64) -> Result<ReceiptId, StoreError>;

    /// Writes a receipt's second entry.
    ///
    /// # Errors
    /// Those of the ledger.
    fn finish(&self, receipt: ReceiptId, closing: &Closing, now_ms: u64) -> Result<(), StoreError>;

    /// Writes both entries of a request that is over already.
    ///
    /// # Errors
    /// Those of the ledger.
    fn record(&self, intent: &Intent, closing: &Closing, now_ms: u64) -> Result<ReceiptId, StoreError>;

    /// Keeps what the user thought of an answer. Returns what learning needs of the receipt, the task and the name of the candidate that
    /// answered; `None` when nobody did.
    ///
    /// # Errors
    /// Those of the ledger, for example when there is no such receipt.
    fn feedback(&self, receipt: ReceiptId, signal: Signal, now_ms: u64)
    -> Result<Option<(String, String)>, StoreError>;

    /// A piece of state.
    ///
    /// # Errors
    /// Those of the store.
    fn state(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps a piece of state.
    ///
    /// # Errors
    /// Those of the store.
    fn keep_state(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;
}

impl Records for Store {
    fn begin(&self, intent: &Intent, now_ms: u64) -> Result<ReceiptId, StoreError> {
        self.ledger().begin(intent, now_ms)
    }

    fn finish(&self, receipt: ReceiptId, closing: &Closing, now_ms: u64) -> Result<(), StoreError> {
        self.ledger().finish(receipt, closing, now_ms)
    }

    fn record(&self, intent: &Intent, closing: &Closing, now_ms: u64) -> Result<ReceiptId, StoreError> {
        self.ledger().record(intent, closing, now_ms)
    }

    fn feedback(
        &self,
        receipt: ReceiptId,
        signal: Signal,
        now_ms: u64,
    ) -> Result<Option<(String, String)>, StoreError> {
        let ledger = self.ledger();
        ledger.feedback(receipt, signal, now_ms)?;
        let receipt = ledger.show(receipt)?;
        let last = receipt.closing.as_ref().and_then(|closing| closing.attempts.last());
        let candidate = last.map(|attempt| attempt.place.candidate_name(attempt.sent));
        Ok(candidate.map(|candidate| (receipt.intent.task.to_string(), candidate)))
    }

    fn state(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.state_get(name)
    }

    fn keep_state(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.state_put(name, bytes)
    }
}

/// Stands in for the device's models and the network.
pub trait Backends: Send + Sync {
    /// What could answer now.
    fn facts(&self, request: &RequestFacts) -> CandidateFacts;

    /// What answers for a candidate that was decided by these policies.
    ///
    /// # Errors
    /// Why it cannot be asked.
    fn backend(&self, candidate: &Candidate, policies: &PolicySet) -> Result<Arc<dyn Backend>, Code>;
}

/// Everything that can be replaced.
pub struct Ports {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Random numbers.
    pub randomness: Arc<dyn Randomness>,
    /// The ledger; `None` opens the one of [`crate::AssistantOptions::store`].
    pub records: Option<Arc<dyn Records>>,
    /// What answers; `None` asks the device's models and the policy's endpoints.
    pub backends: Option<Arc<dyn Backends>>,
}

impl Default for Ports {
    fn default() -> Ports {
        Ports {
            clock: Arc::new(SystemClock::default()),
            randomness: Arc::new(SystemRandomness),
            records: None,
            backends: None,
        }
    }
}
