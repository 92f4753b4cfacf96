//! Reads what happens to queued questions, for a caller that waits for the next batch.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Mutex, watch};

use super::OutboxEvent;

/// What a reader hears.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heard {
    /// Something is new about a question.
    Event(OutboxEvent),
    /// This number of events was missed, because they were not read in time. [`crate::Outbox::list`] says how everything is. Every reader hears this
    /// first, with 0: nothing that happens after that listing is lost.
    Missed(u64),
}

/// Events of the outbox, from the moment on at which this was made.
pub struct OutboxReader {
    events: Mutex<Receiver<OutboxEvent>>,
    /// Nothing was read yet.
    is_new: AtomicBool,
    gone: watch::Receiver<()>,
    cancelled: watch::Sender<bool>,
}

impl OutboxReader {
    pub(super) fn new(events: Receiver<OutboxEvent>, gone: watch::Receiver<()>) -> OutboxReader {
        OutboxReader {
            events: Mutex::new(events),
            is_new: AtomicBool::new(true),
            gone,
            cancelled: watch::Sender::new(false),
        }
    }

    /// Waits for at least one event, and returns all that wait, at most `events_max`. An empty list is the end: the assistant was closed, or
    /// this was cancelled.
    pub async fn next(&self, events_max: u32) -> Vec<Heard> {
        let mut events = self.events.lock().await;
        if !*self.cancelled.borrow() && self.is_new.swap(false, Ordering::Relaxed) {
            return vec![Heard::Missed(0)];
        }
        let (mut gone, mut cancelled) = (self.gone.clone(), self.cancelled.subscribe());
        let first = tokio::select! {
            biased;
            _ = cancelled.wait_for(|cancelled| *cancelled) => return Vec::new(),
            first = events.recv() => first,
            // Nothing is ever sent: it ends with the ledger.
            _ = gone.changed() => return Vec::new(),
        };
        let mut heard = match first {
            Ok(event) => vec![Heard::Event(event)],
            Err(RecvError::Lagged(missed)) => vec![Heard::Missed(missed)],
            Err(RecvError::Closed) => return Vec::new(),
        };
        while heard.len() < events_max as usize {
            match events.try_recv() {
                Ok(event) => heard.push(Heard::Event(event)),
                Err(TryRecvError::Lagged(missed)) => heard.push(Heard::Missed(missed)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        heard
    }

    /// Ends a call of [`OutboxReader::next`] that waits, and all later ones. May be called again.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }
}
