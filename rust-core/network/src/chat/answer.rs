//! An answer in progress: the events that the caller pulls, and the sender into which the request's task pushes them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::chat::calls::ChatCall;
use crate::chat::completion::Usage;
use crate::chat::finish::FinishReason;
use crate::http::traffic::{Delivery, RequestProgress, Traffic};
use crate::{ChatError, Failure};

/// Maximum number of events that wait for the caller. At this number, reading from the connection pauses until one is taken.
pub const EVENTS_WAITING_MAX: u32 = 64;

/// An event of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEvent {
    /// The server accepted the request; the header of its response has arrived.
    Started {
        /// Bytes sent and received so far.
        traffic: Traffic,
        /// HTTP/2 rather than HTTP/1.1.
        http2: bool,
    },
    /// The model is thinking before it answers: text to append to its thoughts, which are not part of the answer. Never empty.
    Thinking(String),
    /// Text to append to the answer. Never empty.
    Text(String),
    /// The model calls a tool. All calls come together at the end, in their order, and the finish reason is then [`FinishReason::ToolCalls`].
    /// There are none if the request offered no tools or did not allow calls ([`ChatOptions::may_call`](crate::ChatOptions::may_call)), nor if
    /// the answer was refused, filtered, failed, or was cut off within a call.
    Call(ChatCall),
    /// The answer is complete. This is the last event.
    Finished(Finished),
}

/// The end of an answer.
///
/// ```
/// use whimbrel_network::{FinishReason, Finished};
///
/// /// Whether a caller may accept an answer that ended like this.
/// fn is_complete(end: &Finished) -> bool {
///     end.text_bytes > 0 && matches!(end.finish_reason, FinishReason::Stop | FinishReason::Unstated)
/// }
/// # let end = |finish_reason, text_bytes| Finished {
/// #     finish_reason, text_bytes, passed_over: 0, usage: None, model: None, traffic: Default::default(), first_text_ms: None, total_ms: 1,
/// # };
/// assert!(is_complete(&end(FinishReason::Stop, 26)));
/// assert!(!is_complete(&end(FinishReason::Length, 26)));
/// assert!(!is_complete(&end(FinishReason::Stop, 0)));
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Finished {
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Token counts, if the server reported them.
    pub usage: Option<Usage>,
    /// The model that answered, if the server reported it.
    pub model: Option<String>,
    /// Bytes sent and received.
    pub traffic: Traffic,
    /// Bytes of text in all [`ChatEvent::Text`] events. 0 means an answer without text, whatever its `finish_reason`.
    pub text_bytes: u64,
    /// Events of the stream that could not contain text and were skipped.
    pub passed_over: u32,
    /// Time from the call to the first text; `None` for an empty answer.
    pub first_text_ms: Option<u64>,
    /// Time from the call to the end.
    pub total_ms: u64,
}

/// An answer in progress. Dropping it before its end cancels it.
#[derive(Debug)]
pub struct Answer {
    events: mpsc::Receiver<Result<ChatEvent, ChatError>>,
    canceller: Canceller,
    progress: Arc<RequestProgress>,
    ended: bool,
}

impl Answer {
    pub(crate) fn new(
        events: mpsc::Receiver<Result<ChatEvent, ChatError>>,
        task: AbortHandle,
        progress: Arc<RequestProgress>,
    ) -> Answer {
        Answer {
            events,
            canceller: Canceller(task),
            progress,
            ended: false,
        }
    }

    /// Waits for the next event; `None` after [`ChatEvent::Finished`] or an error. Any executor may poll it. The future may be dropped
    /// while it waits without losing an event.
    ///
    /// # Errors
    /// [`ChatError`], as the last item.
    pub async fn next(&mut self) -> Option<Result<ChatEvent, ChatError>> {
        if self.ended {
            return None;
        }
        let cancelled = || Err(ChatError::new(Failure::Cancelled, &self.progress));
        let event = self.events.recv().await.unwrap_or_else(cancelled);
        self.ended = matches!(event, Err(_) | Ok(ChatEvent::Finished(_)));
        Some(event)
    }

    /// Ends the request and closes its connection (or its stream, with HTTP/2). Waiting events are still delivered, followed by
    /// [`Failure::Cancelled`]. May be called again. After the end it has no effect.
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

    /// Bytes sent and received so far. Also the final figures for a receipt, including that of a cancelled request.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.progress.traffic()
    }

    /// How far the request has got so far.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        self.progress.delivery()
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

/// The side of an [`Answer`] that the request's task writes to.
pub(crate) struct EventSender {
    events: mpsc::Sender<Result<ChatEvent, ChatError>>,
    progress: Arc<RequestProgress>,
}

impl EventSender {
    pub(crate) fn new(
        events: mpsc::Sender<Result<ChatEvent, ChatError>>,
        progress: &Arc<RequestProgress>,
    ) -> EventSender {
        EventSender {
            events,
            progress: Arc::clone(progress),
        }
    }

    /// Waits until there is room for the event.
    ///
    /// # Errors
    /// [`Failure::Cancelled`] if the caller has gone.
    pub(crate) async fn send(&self, event: ChatEvent) -> Result<(), Failure> {
        self.progress.set_waits_for_caller(true);
        let sent = self.events.send(Ok(event)).await;
        self.progress.set_waits_for_caller(false);
        sent.map_err(|_| Failure::Cancelled)
    }

    /// Ends the answer with a failure. A caller who has gone does not want to hear it.
    pub(crate) async fn fail(&self, failure: Failure) {
        let _ = self.events.send(Err(ChatError::new(failure, &self.progress))).await;
    }
}
