//! One answer of the engine, pulled by its reader.

use std::any::Any;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use whimbrel_engine::{CancelFlag, GenerationOptions, Step};

use crate::InferenceError;
use crate::command::{Begin, Command, Prompt};
use crate::limits::STEPS_WAITING_MAX;
use crate::link::Link;
use crate::registry::Owner;

/// An answer in progress. It continues by itself until [`STEPS_WAITING_MAX`] steps wait for the reader, and is cancelled when it is
/// dropped.
pub struct Stream {
    link: Arc<Link>,
    cancel: CancelFlag,
    reader: Mutex<Reader>,
    /// The session or the model: stays open as long as its answer is wanted.
    _owner: Box<dyn Any + Send + Sync>,
}

struct Reader {
    events: mpsc::Receiver<Result<Step, InferenceError>>,
    /// An error that came behind events which had to be handed out first.
    failure: Option<InferenceError>,
    ended: bool,
}

impl Stream {
    pub(crate) async fn begin(
        link: Arc<Link>,
        owner: Owner,
        prompt: Prompt,
        options: GenerationOptions,
        keep: Box<dyn Any + Send + Sync>,
    ) -> Result<Stream, InferenceError> {
        let cancel = CancelFlag::default();
        let ticket = link.registry.begin(owner, &cancel)?;
        let (sender, events) = mpsc::channel(STEPS_WAITING_MAX);
        let reader = Mutex::new(Reader {
            events,
            failure: None,
            ended: false,
        });
        // Made first: dropping this future half-way cancels the answer.
        let answer = Stream {
            link,
            cancel: cancel.clone(),
            reader,
            _owner: keep,
        };
        let begin = Box::new(Begin {
            owner,
            prompt,
            options,
            cancel,
            events: sender,
            ticket,
        });
        answer.link.request(|reply| Command::Begin { begin, reply }).await?;
        Ok(answer)
    }

    /// Waits for at least one step, and returns all waiting steps. An empty list means that the answer has ended.
    ///
    /// # Errors
    /// [`InferenceError::Engine`] if the model failed, [`InferenceError::Closed`]. The error is returned once; then the answer has ended.
    pub async fn next(&self) -> Result<Vec<Step>, InferenceError> {
        let mut reader = self.reader.lock().await;
        let mut batch = Vec::new();
        if let Some(failure) = reader.failure.take() {
            return Err(failure);
        }
        if reader.ended {
            return Ok(Vec::new());
        }
        let received = reader.events.recv_many(&mut batch, STEPS_WAITING_MAX).await;
        self.link.wake();
        if received == 0 {
            // The thread went away without a last word.
            reader.ended = true;
            return Err(self.link.gone());
        }
        let mut events = Vec::with_capacity(received);
        for item in batch {
            match item {
                Ok(event) => {
                    reader.ended |= matches!(event, Step::Finished { .. });
                    events.push(event);
                }
                Err(failure) => {
                    reader.ended = true;
                    reader.failure = Some(failure);
                }
            }
        }
        if events.is_empty()
            && let Some(failure) = reader.failure.take()
        {
            return Err(failure);
        }
        Ok(events)
    }

    /// Stops the answer, at the latest after the current operator. Its reader still gets the last event, with
    /// [`whimbrel_engine::FinishReason::Cancelled`]. May be called again, and after the end.
    pub fn cancel(&self) {
        self.cancel.cancel();
        self.link.wake();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.cancel();
    }
}
