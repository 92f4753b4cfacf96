//! What a message is, its limits, and the bytes that are sealed.

use serde::{Deserialize, Serialize};
use whimbrel_record::{ReceiptId, RecordError, limit};

/// Maximum size of a title in bytes.
pub const TITLE_BYTES_MAX: u32 = 1024;
/// Maximum size of a message's text in bytes.
pub const MESSAGE_TEXT_BYTES_MAX: u32 = 8 << 20;
/// Maximum size of a message's attributes in bytes.
pub const MESSAGE_ATTRIBUTES_BYTES_MAX: u32 = 1 << 20;
/// Maximum size of a conversation's attributes in bytes.
pub const CONVERSATION_ATTRIBUTES_BYTES_MAX: u32 = 4 << 20;
/// Maximum number of messages of a conversation.
pub const CONVERSATION_MESSAGES_MAX: u32 = 100_000;

/// Version of the bytes that are sealed.
const FORMAT: u8 = 1;
/// Format, role, receipt, and the size of the attributes.
const HEADER_BYTES: usize = 1 + 1 + 8 + 4;

/// Who wrote a message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    /// The app, for the model.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// Whether a message is whole.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// It is whole.
    Complete,
    /// It is an answer that is being written.
    Draft,
    /// It is an answer that ended early: it was cancelled, it failed, or its process ended.
    Interrupted,
    /// Its content could not be read any more and was given up; see [`crate::Store::repair`].
    Lost,
}

/// One message of a conversation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredMessage {
    /// Who wrote it.
    pub role: MessageRole,
    /// Its text.
    pub text: String,
    /// What the caller knows about it, such as its class and recipients, in a form of the caller's. It is sealed with the text.
    pub attributes: String,
    /// When it was written, in milliseconds since 1970.
    pub time_ms: u64,
    /// The receipt of the request that it belongs to.
    pub receipt: Option<ReceiptId>,
    /// Whether it is whole.
    pub state: MessageState,
}

impl MessageRole {
    fn code(self) -> u8 {
        match self {
            MessageRole::System => 0,
            MessageRole::User => 1,
            MessageRole::Assistant => 2,
        }
    }

    fn from_code(code: u8) -> Option<MessageRole> {
        let all = [MessageRole::System, MessageRole::User, MessageRole::Assistant];
        all.get(usize::from(code)).copied()
    }
}

impl MessageState {
    pub(crate) fn code(self) -> i64 {
        match self {
            MessageState::Complete => 0,
            MessageState::Draft => 1,
            MessageState::Interrupted => 2,
            MessageState::Lost => 3,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<MessageState> {
        Some(match code {
            0 => MessageState::Complete,
            1 => MessageState::Draft,
            2 => MessageState::Interrupted,
            3 => MessageState::Lost,
            _ => return None,
        })
    }
}

/// What is sealed of a message.
pub(crate) struct Body<'a> {
    pub(crate) role: MessageRole,
    pub(crate) receipt: Option<ReceiptId>,
    pub(crate) attributes: &'a str,
    pub(crate) text: &'a str,
}

impl<'a> Body<'a> {
    pub(crate) fn of(message: &'a StoredMessage) -> Body<'a> {
        Body {
            role: message.role,
            receipt: message.receipt,
            attributes: &message.attributes,
            text: &message.text,
        }
    }

    /// A format byte, the role, the receipt (8 bytes, 0 for none), the size of the attributes (4 bytes), the attributes, and the text.
    /// Numbers are little-endian.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let attributes = self.attributes.as_bytes();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + attributes.len() + self.text.len());
        bytes.extend_from_slice(&[FORMAT, self.role.code()]);
        bytes.extend_from_slice(&self.receipt.map_or(0, |receipt| receipt.0).to_le_bytes());
        bytes.extend_from_slice(&(attributes.len() as u32).to_le_bytes());
        bytes.extend_from_slice(attributes);
        bytes.extend_from_slice(self.text.as_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Body<'a>> {
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let [FORMAT, role, numbers @ ..] = header else {
            return None;
        };
        let (receipt, size) = numbers.split_first_chunk::<8>()?;
        let receipt = u64::from_le_bytes(*receipt);
        let size = u32::from_le_bytes(size.try_into().ok()?) as usize;
        let (attributes, text) = rest.split_at_checked(size)?;
        Some(Body {
            role: MessageRole::from_code(*role)?,
            receipt: (receipt > 0).then_some(ReceiptId(receipt)),
            attributes: std::str::from_utf8(attributes).ok()?,
            text: std::str::from_utf8(text).ok()?,
        })
    }
}

/// Checks a message's sizes.
pub(crate) fn check_message(message: &StoredMessage) -> Result<(), RecordError> {
    limit("bytes of a message", message.text.len(), MESSAGE_TEXT_BYTES_MAX)?;
    limit(
        "bytes of a message's attributes",
        message.attributes.len(),
        MESSAGE_ATTRIBUTES_BYTES_MAX,
    )
}
