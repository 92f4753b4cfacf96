//! An answer on its way: the events that the caller pulls, and the count of what went over the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::{ChatError, Delivery, Failure, FinishReason, Usage};

/// So many events wait for the caller; then no more is read from the connection until one is taken.
pub const EVENTS_WAITING_MAX: u32 = 64;

/// What a request moved, all attempts together: request and status lines, header fields and bodies, as HTTP/1.1 writes them. Framing, the
/// compression of HTTP/2's headers, and TLS are not counted. Bytes count as out once they were handed to a connection.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Traffic {
    /// How often the request was tried.
    pub attempts: u32,
    /// Bytes that went out.
    pub bytes_out: u64,
    /// Bytes that came in.
    pub bytes_in: u64,
}

/// A step of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEvent {
    /// The server accepted the request; the header of its answer is here.
    Started {
        /// What went over the wire so far.
        traffic: Traffic,
        /// HTTP/2, or 1.1.
        http2: bool,
    },
    /// Text to append to the answer. Never empty.
    Text(String),
    /// The answer is whole. Nothing follows.
    Finished(Finished),
}

/// The end of an answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Finished {
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens, if the server counted them.
    pub usage: Option<Usage>,
    /// The model that answered, if the server named it.
    pub model: Option<String>,
    /// What went over the wire.
    pub traffic: Traffic,
    /// From the call to the first text; `None` for an empty answer.
    pub first_text_ms: Option<u64>,
    /// From the call to the end.
    pub total_ms: u64,
}

/// An answer on its way. Dropping it before its end cancels it.
#[derive(Debug)]
pub struct Answer {
    events: mpsc::Receiver<Result<ChatEvent, ChatError>>,
    canceller: Canceller,
    meter: Arc<Meter>,
    ended: bool,
}

impl Answer {
    pub(crate) fn new(
        events: mpsc::Receiver<Result<ChatEvent, ChatError>>,
        task: AbortHandle,
        meter: Arc<Meter>,
    ) -> Answer {
        Answer {
            events,
            canceller: Canceller(task),
            meter,
            ended: false,
        }
    }

    /// Waits for the next event; `None` after [`ChatEvent::Finished`] or an error. May be polled by any executor, and dropped while
    /// waiting without losing an event.
    ///
    /// # Errors
    /// [`ChatError`], as the last item.
    pub async fn next(&mut self) -> Option<Result<ChatEvent, ChatError>> {
        if self.ended {
            return None;
        }
        let cancelled = || Err(self.meter.error(Failure::Cancelled));
        let event = self.events.recv().await.unwrap_or_else(cancelled);
        self.ended = matches!(event, Err(_) | Ok(ChatEvent::Finished(_)));
        Some(event)
    }

    /// Ends the request and closes its connection (its stream, with HTTP/2). Events that wait are still given, then
    /// [`Failure::Cancelled`]. May be called again, and after the end, when it does nothing.
    pub fn cancel(&self) {
        if !self.ended {
            self.canceller.cancel();
        }
    }

    /// A handle that cancels from elsewhere, while [`Answer::next`] waits.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// What went over the wire until now; the last word for a receipt, also of a cancelled request.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.meter.traffic()
    }

    /// How far the request came until now.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        self.meter.delivery()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Cancels an [`Answer`] from anywhere.
#[derive(Clone, Debug)]
pub struct Canceller(AbortHandle);

impl Canceller {
    /// See [`Answer::cancel`].
    pub fn cancel(&self) {
        self.0.abort();
    }
}

/// What a request has done so far, seen from several tasks.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    attempts: AtomicU32,
    bytes_out: AtomicU64,
    bytes_in: AtomicU64,
    /// A [`Delivery`], in its order.
    delivery: AtomicU8,
    text_seen: AtomicBool,
    /// The caller does not take events fast enough; the server is not to blame for the time.
    waits_for_caller: AtomicBool,
}

impl Meter {
    pub(crate) fn begin_attempt(&self) -> u32 {
        self.attempts.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
        self.reach(Delivery::Unknown);
    }

    pub(crate) fn received(&self, bytes: u64) {
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn reach(&self, delivery: Delivery) {
        self.delivery.store(delivery as u8, Ordering::Relaxed);
    }

    pub(crate) fn text(&self) {
        self.text_seen.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_waits_for_caller(&self, waits: bool) {
        self.waits_for_caller.store(waits, Ordering::Relaxed);
    }

    pub(crate) fn waits_for_caller(&self) -> bool {
        self.waits_for_caller.load(Ordering::Relaxed)
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            attempts: self.attempts.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn delivery(&self) -> Delivery {
        let reached = self.delivery.load(Ordering::Relaxed);
        [Delivery::NotSent, Delivery::Refused, Delivery::Unknown]
            .into_iter()
            .find(|delivery| *delivery as u8 == reached)
            .unwrap_or(Delivery::Answered)
    }

    pub(crate) fn error(&self, failure: Failure) -> ChatError {
        ChatError {
            failure,
            partial_text: self.text_seen.load(Ordering::Relaxed),
            delivery: self.delivery(),
            traffic: self.traffic(),
        }
    }
}
