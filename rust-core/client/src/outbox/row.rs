//! What the store keeps of a queued question.

use std::fmt;

use serde::{Deserialize, Serialize};
use whimbrel_policy::Recipients;
use whimbrel_policy::outbox::Entry;
use whimbrel_store::{OutboxId, QueuedRequest, QueuedState, StoreError};

use crate::ClientError;
use crate::request::AskOptions;

/// Version of what is sealed of a question.
const FORMAT: u32 = 1;

/// A question that waits.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QueuedQuestion {
    pub(super) format: u32,
    /// Its text.
    pub text: String,
    /// How it is asked.
    pub options: AskOptions,
    /// Who may read it by the decision when it was asked, if there was one. A later policy can only allow fewer places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipients: Option<Recipients>,
    /// For how many milliseconds after it was queued an answer is of use; `None` means for ever.
    pub expires_ms: Option<u64>,
}

impl QueuedQuestion {
    pub(crate) fn new(text: &str, options: &AskOptions) -> QueuedQuestion {
        QueuedQuestion {
            format: FORMAT,
            text: text.to_owned(),
            options: options.clone(),
            recipients: None,
            expires_ms: options.expires_in_ms,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("it has only texts as keys")
    }

    pub(super) fn decode(bytes: &[u8], id: OutboxId) -> Result<QueuedQuestion, ClientError> {
        let question: Option<QueuedQuestion> = serde_json::from_slice(bytes).ok();
        let question = question.filter(|question| question.format == FORMAT);
        Ok(question.ok_or_else(|| unreadable(id))?)
    }
}

// Questions are what people said.
impl fmt::Debug for QueuedQuestion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut record = formatter.debug_struct("QueuedQuestion");
        record.field("bytes", &self.text.len()).field("options", &self.options);
        record.finish_non_exhaustive()
    }
}

/// A row that was read.
pub(super) struct Row {
    pub(super) conversation: whimbrel_store::ConversationId,
    pub(super) created_ms: u64,
    pub(super) question: QueuedQuestion,
    pub(super) entry: Entry,
}

impl Row {
    pub(super) fn of(row: &QueuedRequest) -> Result<Row, ClientError> {
        let entry = std::str::from_utf8(&row.state.machine).ok();
        let entry = entry.and_then(|entry| Entry::decode(entry).ok());
        let entry = entry.filter(|entry| entry.id() == row.id.0);
        Ok(Row {
            conversation: row.conversation,
            created_ms: row.created_ms,
            question: QueuedQuestion::decode(&row.request, row.id)?,
            entry: entry.ok_or_else(|| unreadable(row.id))?,
        })
    }
}

/// What the store keeps of a machine's entry.
pub(super) fn state(entry: &Entry, next_attempt_ms: Option<u64>) -> QueuedState {
    QueuedState {
        tag: u8::from(entry.is_leased()),
        next_attempt_ms,
        priority: entry.priority() as i32,
        machine: entry.encode().into_bytes(),
    }
}

fn unreadable(id: OutboxId) -> StoreError {
    StoreError::Unreadable {
        what: format!("the queued question {id}"),
    }
}
