//! What the product needs from outside, and what a test or a simulator can replace: the clock, randomness, the process's own figures, the ledger,
//! and the places that answer.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::Instant;
use whimbrel_policy::{Candidate, CandidateFacts, PolicySet, RequestFacts};
use whimbrel_record::{Closing, Code, Intent, ReceiptId, Signal};
use whimbrel_store::{Store, StoreError};

use crate::ClientError;
pub use crate::performance::{Gauges, Reading, SystemGauges};
pub use crate::places::{Ask, Attempt, Backend, BoxFuture, Last, Part, Payload};

/// The clock: wall time for receipts and readings, and a monotonic time for deadlines.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// How far local time is ahead of universal time at a time in milliseconds since 1970, in seconds.
    fn utc_offset_s(&self, time_ms: u64) -> i32;

    /// Milliseconds since a fixed moment. Monotonic. It follows tokio's time, so that a test can pause it.
    fn elapsed_ms(&self) -> u64;

    /// The same in microseconds, for what is measured.
    fn elapsed_us(&self) -> u64 {
        self.elapsed_ms().saturating_mul(1_000)
    }
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

    /// That of the device's time zone; 0 where it is not known.
    fn utc_offset_s(&self, time_ms: u64) -> i32 {
        let time = i64::try_from(time_ms).map(Timestamp::from_millisecond);
        time.map_or(0, |time| {
            time.map_or(0, |time| TimeZone::system().to_offset(time).seconds())
        })
    }

    fn elapsed_ms(&self) -> u64 {
        self.elapsed_us() / 1_000
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// The source of request ids.
pub trait Randomness: Send + Sync {
    /// Fills the bytes with random values.
    ///
    /// # Errors
    /// [`ClientError::NoRandomness`].
    fn fill(&self, bytes: &mut [u8]) -> Result<(), ClientError>;
}

/// The system's random number generator.
#[derive(Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), ClientError> {
        getrandom::fill(bytes).map_err(|_| ClientError::NoRandomness)
    }
}

/// Stores receipts and small pieces of state. Every call may wait for the disk.
pub trait Records: Send + Sync {
    /// Writes a receipt's first entry. The entry is durable when this returns.
    ///
    /// # Errors
    /// Those of the ledger; nothing may then leave the device.
    fn begin(&self, intent: &Intent, now_ms: u64) -> Result<ReceiptId, StoreError>;

    /// Writes a receipt's second entry.
    ///
    /// # Errors
    /// Those of the ledger.
    fn finish(&self, receipt: ReceiptId, closing: &Closing, now_ms: u64) -> Result<(), StoreError>;

    /// Writes both entries of a request that has already ended.
    ///
    /// # Errors
    /// Those of the ledger.
    fn record(&self, intent: &Intent, closing: &Closing, now_ms: u64) -> Result<ReceiptId, StoreError>;

    /// Stores the user's feedback on an answer, and forgets an answer that the user rejects. Returns what learning needs from the receipt: the task, and the name of the candidate that
    /// answered. `None` if no candidate answered.
    ///
    /// # Errors
    /// Those of the ledger, for example if the receipt does not exist.
    fn feedback(&self, receipt: ReceiptId, signal: Signal, now_ms: u64)
    -> Result<Option<(String, String)>, StoreError>;

    /// Reads a piece of state.
    ///
    /// # Errors
    /// Those of the store.
    fn state(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Stores a piece of state.
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
        let shown = ledger.show(receipt)?;
        let before = shown.closing.as_ref().and_then(|closing| closing.answered_before);
        if signal.rejects() {
            self.answers().forget(before.unwrap_or(receipt))?;
        }
        let last = shown.closing.as_ref().and_then(|closing| closing.attempts.last());
        let candidate = last.map(|attempt| attempt.place.candidate_name(attempt.sent));
        Ok(candidate.map(|candidate| (shown.intent.task.to_string(), candidate)))
    }

    fn state(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.state_get(name)
    }

    fn keep_state(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.state_put(name, bytes)
    }
}

/// Replaces the device's models and the network.
pub trait Backends: Send + Sync {
    /// The candidates that could answer now.
    fn facts(&self, request: &RequestFacts) -> CandidateFacts;

    /// The place for a candidate that was decided under these policies.
    ///
    /// # Errors
    /// Why the place cannot be used.
    fn backend(&self, candidate: &Candidate, policies: &PolicySet) -> Result<Arc<dyn Backend>, Code>;
}

/// Everything that can be replaced from outside.
pub struct Ports {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Random numbers.
    pub randomness: Arc<dyn Randomness>,
    /// What the process has used.
    pub gauges: Arc<dyn Gauges>,
    /// The ledger; `None` opens the one at [`crate::AssistantOptions::store`].
    pub records: Option<Arc<dyn Records>>,
    /// The places that answer; `None` uses the device's models and the policy's endpoints.
    pub backends: Option<Arc<dyn Backends>>,
}

impl Default for Ports {
    fn default() -> Ports {
        Ports {
            clock: Arc::new(SystemClock::default()),
            randomness: Arc::new(SystemRandomness),
            gauges: Arc::new(SystemGauges::default()),
            records: None,
            backends: None,
        }
    }
}
