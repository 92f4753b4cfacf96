//! An answer, pulled by its reader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, mpsc, watch};

use crate::error::lock;
use crate::report::Event;
use crate::tools::{CallDesk, ToolResult};
use crate::{ClientError, EVENTS_WAITING_MAX};

struct Reader {
    events: mpsc::Receiver<Result<Event, ClientError>>,
    /// An error that came behind events which had to be handed out first.
    failure: Option<ClientError>,
}

/// An answer in progress. It continues by itself until [`EVENTS_WAITING_MAX`] events wait for the reader, and is cancelled when it is
/// dropped.
pub struct Answer {
    desk: Arc<CallDesk>,
    reader: Mutex<Reader>,
    cancel: watch::Sender<bool>,
    text: std::sync::Mutex<String>,
    has_ended: AtomicBool,
}

impl Answer {
    pub(crate) fn new(
        events: mpsc::Receiver<Result<Event, ClientError>>,
        cancel: watch::Sender<bool>,
        desk: Arc<CallDesk>,
    ) -> Answer {
        Answer {
            desk,
            reader: Mutex::new(Reader { events, failure: None }),
            cancel,
            text: std::sync::Mutex::default(),
            has_ended: false.into(),
        }
    }

    /// Waits for at least one event, and returns all waiting events, at most `max` (clamped to between 1 and [`EVENTS_WAITING_MAX`]). An
    /// empty list means that the answer has ended.
    ///
    /// # Errors
    /// [`ClientError`] if the request could not be carried out at all: no receipt can be written, or, without a policy, the model failed.
    /// The error is returned once; then the answer has ended.
    pub async fn next(&self, max: u32) -> Result<Vec<Event>, ClientError> {
        let Reader { events, failure } = &mut *self.reader.lock().await;
        if let Some(failure) = failure.take() {
            return Err(failure);
        }
        let mut batch = Vec::new();
        let max = (max as usize).clamp(1, EVENTS_WAITING_MAX);
        if events.recv_many(&mut batch, max).await == 0 {
            return match self.has_ended.swap(true, Ordering::Relaxed) {
                true => Ok(Vec::new()),
                // The thread went away without a last word.
                false => Err(ClientError::Stopped),
            };
        }
        let mut given = Vec::with_capacity(batch.len());
        for item in batch {
            match item {
                Ok(event) => {
                    self.read(&event);
                    given.push(event);
                }
                Err(error) => {
                    self.has_ended.store(true, Ordering::Relaxed);
                    *failure = Some(error);
                }
            }
        }
        match failure.take_if(|_| given.is_empty()) {
            Some(failure) => Err(failure),
            None => Ok(given),
        }
    }

    /// Gives what came of a call ([`Event::Call`]), and the answer goes on. A function that a person must confirm must not run before that.
    ///
    /// # Errors
    /// [`ClientError::UnknownCall`] if no call with this number waits, for instance because its time is over; [`ClientError::Limit`] for a result
    /// that is longer than [`crate::TOOL_RESULT_BYTES_MAX`], after which the call still waits.
    pub fn give_result(&self, call: u32, result: ToolResult) -> Result<(), ClientError> {
        self.desk.give(call, result)
    }

    /// The text read so far, without text that was discarded.
    #[must_use]
    pub fn text_so_far(&self) -> String {
        lock(&self.text).clone()
    }

    /// Stops the answer. Its reader still gets the last event. May be called again, and after the end.
    pub fn cancel(&self) {
        self.cancel.send_replace(true);
    }

    fn read(&self, event: &Event) {
        let mut text = lock(&self.text);
        match event {
            Event::Text(piece) => text.push_str(piece),
            Event::Restarted => text.clear(),
            Event::Finished(_) => self.has_ended.store(true, Ordering::Relaxed),
            Event::Started { .. } | Event::Reading { .. } | Event::Thinking(_) | Event::Call(_) => {}
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.cancel();
    }
}
