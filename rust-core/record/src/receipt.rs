//! The content of a receipt, and the bytes of it that are hashed and stored. A receipt cannot contain a user's text: names are [`Label`]s,
//! and everything else is a number or a fixed word.
//!
//! A receipt consists of two ledger entries: an [`Intent`], which is durable before the first byte leaves, and a [`Closing`]. Their
//! canonical bytes are compact JSON with the fields in the order of the types here, without absent fields, and with whole numbers only.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use whimbrel_privacy::{FindingKind, PrivacyClass, Release};

use crate::error::limit;
use crate::{AttemptEnd, Code, Feedback, FinishReason, Label, Measured, Outcome, Place, PlaceKind, RecordError};

/// The newest version of the fields of [`Intent`] and [`Closing`]. Each entry is stored with the oldest version that has its fields.
pub const RECEIPT_FORMAT: u32 = 6;
/// The version without [`Closing::measured`].
const FIFTH_FORMAT: u32 = 5;
/// The version without [`Closing::calls`] too.
const FOURTH_FORMAT: u32 = 4;
/// The version without [`Closing::answered_before`] too.
const THIRD_FORMAT: u32 = 3;
/// The version without [`Closing::repeated`] too.
const SECOND_FORMAT: u32 = 2;
/// The version without [`Intent::history`] and [`Closing::finish`] too.
const FIRST_FORMAT: u32 = 1;
/// The task of receipts that are for telemetry, and not for a request of the user. No app can use it.
pub const TELEMETRY_TASK: &str = "@telemetry";
/// Maximum number of rule ids in one list.
pub const RULES_MAX: u32 = 64;
/// Maximum number of candidates of a plan, and of attempts of a receipt.
pub const CANDIDATES_MAX: u32 = 32;
/// Maximum number of different tools that one answer can call.
pub const CALLED_TOOLS_MAX: u32 = 64;
/// Maximum length of an entry's canonical bytes.
pub const BODY_BYTES_MAX: u32 = 64 * 1024;

/// The number of a receipt in its ledger: 1, 2, 3 and so on, without gaps.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ReceiptId(pub u64);

impl std::fmt::Display for ReceiptId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A candidate of a plan.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// Where the request may run.
    pub place: Place,
    /// In which form the text would leave the device; `None` if it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Release>,
    /// The maximum number of bytes that would leave; 0 if the text stays.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_out_max: u64,
    /// The rules that allow it, at most [`RULES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Label>,
}

/// What is about to happen. It is written before the first byte leaves.
///
/// ```
/// use whimbrel_privacy::PrivacyClass;
/// use whimbrel_record::{Intent, Label, decode_intent};
///
/// let intent = Intent::new(Label::new("request-1")?, Label::new("chat")?, PrivacyClass::Personal);
/// let bytes = intent.encode().unwrap();
/// assert_eq!(bytes, r#"{"request":"request-1","task":"chat","class":"personal"}"#);
/// assert_eq!(decode_intent(bytes.as_bytes()), Some(intent));
/// # Ok::<(), whimbrel_record::LabelError>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The request's id.
    pub request: Label,
    /// The kind of work, such as `chat`, `classify`, or whatever the app calls it.
    pub task: Label,
    /// How private the text is.
    pub class: PrivacyClass,
    /// The rules that decided about the whole request, for example those that deny it; at most [`RULES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Label>,
    /// How many different values of each kind were found in the text, the conversation's history included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub findings: BTreeMap<FindingKind, u32>,
    /// The candidates in order, at most [`CANDIDATES_MAX`]. Text can only have been sent to the remote ones among these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub planned: Vec<Planned>,
    /// The endpoints that were refused because of the conversation's history, at most [`CANDIDATES_MAX`]. Since format 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Label>,
}

/// An attempt with one candidate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// The place.
    pub place: Place,
    /// In which form the text left the device; `None` if it stayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Release>,
    /// How it ended.
    pub ended: AttemptEnd,
    /// The code of its error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Label>,
    /// The rules that allowed it, at most [`RULES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Label>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// Bytes of payload that left the device.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_out: u64,
    /// Bytes of payload that were received.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_in: u64,
}

/// The tokens of the attempt that answered.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Prompt tokens.
    pub input: u64,
    /// Answer tokens.
    pub output: u64,
}

/// How the time was spent, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Time in the queue.
    pub queue_ms: u64,
    /// From the request to the first token, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u64>,
    /// From the request to its end.
    pub total_ms: u64,
}

/// An estimate of the energy that a request used on this device.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Energy {
    /// Millijoules.
    pub millijoules: u64,
    /// The estimation method.
    pub method: Label,
}

impl Energy {
    /// The estimate in joules.
    #[must_use]
    pub fn joules(&self) -> f64 {
        self.millijoules as f64 / 1000.0
    }
}

/// How a request went: the second entry of a receipt.
///
/// ```
/// use whimbrel_record::{Closing, Code, Outcome};
///
/// let mut closing = Closing::new(Outcome::Failed);
/// closing.error = Some(Code::Deadline.into());
/// assert_eq!(closing.code(), Some(Code::Deadline));
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// How the request ended.
    pub outcome: Outcome,
    /// The code of the error that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Label>,
    /// The attempts, in order, at most [`CANDIDATES_MAX`]. The answer, if there is one, came from the last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// How many different values of each kind were replaced in text that left the device, the conversation's history included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redacted: BTreeMap<FindingKind, u32>,
    /// Tokens.
    pub tokens: Tokens,
    /// How the time was spent.
    pub latency: Latency,
    /// The energy, if there is an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<Energy>,
    /// Why the answer is complete, if there is one. Since format 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<FinishReason>,
    /// How many of the values in [`Closing::redacted`] had left, replaced, with an earlier question of the conversation. Since format 3.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub repeated: BTreeMap<FindingKind, u32>,
    /// The receipt whose answer was given again. No place was asked. Since format 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_before: Option<ReceiptId>,
    /// How often the answer called each tool, by the tool's name; at most [`CALLED_TOOLS_MAX`] names. The arguments of a call are never recorded.
    /// Since format 5.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<Label, u32>,
    /// What it took, in parts. Since format 6.
    #[serde(default, skip_serializing_if = "Measured::is_empty")]
    pub measured: Measured,
}

/// A receipt as the ledger shows it: what was planned, how it went, and its position in the ledger.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Receipt {
    /// Its number.
    pub id: ReceiptId,
    /// When it was opened, in milliseconds since 1970 UTC.
    pub opened_ms: u64,
    /// When it was closed.
    pub closed_ms: Option<u64>,
    /// How the request ended. `None` if there is no end yet: the request is in progress, or its process died and the store has not been
    /// opened for writing since. Opening it closes the receipt as interrupted.
    pub outcome: Option<Outcome>,
    /// Where the answer came from, or which place was tried last.
    pub place: Option<Place>,
    /// Bytes of payload that left the device.
    pub bytes_out: u64,
    /// Bytes that may have left in addition, because the process ended before the receipt was complete: the amount that the plan allowed
    /// for.
    pub bytes_out_uncertain: u64,
    /// Bytes of payload that were received.
    pub bytes_in: u64,
    /// The entry that was written before the first byte left.
    pub intent: Intent,
    /// The entry that was written at the end.
    pub closing: Option<Closing>,
    /// The user's feedback on the answer.
    pub feedback: Vec<Feedback>,
    /// The sequence numbers of its entries in the ledger.
    pub sequences: Vec<u64>,
    /// The chain hashes of these entries, in hexadecimal digits.
    pub hashes: Vec<String>,
}

impl Intent {
    /// An intent without a plan, for example of a request that is denied.
    #[must_use]
    pub fn new(request: Label, task: Label, class: PrivacyClass) -> Intent {
        Intent {
            request,
            task,
            class,
            rules: Vec::new(),
            findings: BTreeMap::new(),
            planned: Vec::new(),
            history: Vec::new(),
        }
    }

    /// The format version that is stored with it.
    #[must_use]
    pub fn format(&self) -> u32 {
        if self.history.is_empty() {
            FIRST_FORMAT
        } else {
            SECOND_FORMAT
        }
    }

    /// Whether it is for telemetry, and not for a request of the user.
    #[must_use]
    pub fn is_report(&self) -> bool {
        self.task.as_str() == TELEMETRY_TASK
    }

    /// Whether text may leave the device.
    #[must_use]
    pub fn may_leave(&self) -> bool {
        self.planned.iter().any(|planned| planned.place.is_remote())
    }

    /// The maximum number of bytes that may leave the device.
    #[must_use]
    pub fn bytes_out_max(&self) -> u64 {
        let remote = self.planned.iter().filter(|planned| planned.place.is_remote());
        remote.fold(0, |sum, planned| sum.saturating_add(planned.bytes_out_max))
    }

    /// Parses a body without checking that it is canonical, which would double the time. For counting.
    #[must_use]
    pub fn parse(body: &str) -> Option<Intent> {
        serde_json::from_str(body).ok()
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// [`RecordError::TooMuch`] for a list or an entry that is too long.
    pub fn encode(&self) -> Result<String, RecordError> {
        limit("rules of a request", self.rules.len(), RULES_MAX)?;
        limit("planned candidates", self.planned.len(), CANDIDATES_MAX)?;
        limit("endpoints refused for the history", self.history.len(), CANDIDATES_MAX)?;
        for planned in &self.planned {
            limit("rules of a candidate", planned.rules.len(), RULES_MAX)?;
        }
        encode(self)
    }
}

impl Attempt {
    /// The code of its error; `None` for a code that this program does not know.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        code(self.error.as_ref())
    }
}

impl Closing {
    /// A closing without attempts.
    #[must_use]
    pub fn new(outcome: Outcome) -> Closing {
        Closing {
            outcome,
            error: None,
            attempts: Vec::new(),
            redacted: BTreeMap::new(),
            tokens: Tokens::default(),
            latency: Latency::default(),
            energy: None,
            finish: None,
            repeated: BTreeMap::new(),
            answered_before: None,
            calls: BTreeMap::new(),
            measured: Measured::default(),
        }
    }

    /// The format version that is stored with it.
    #[must_use]
    pub fn format(&self) -> u32 {
        if !self.measured.is_empty() {
            RECEIPT_FORMAT
        } else if !self.calls.is_empty() {
            FIFTH_FORMAT
        } else if self.answered_before.is_some() {
            FOURTH_FORMAT
        } else if !self.repeated.is_empty() {
            THIRD_FORMAT
        } else if self.finish.is_some() {
            SECOND_FORMAT
        } else {
            FIRST_FORMAT
        }
    }

    /// The code of the error that ended the request; `None` for a code that this program does not know.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        code(self.error.as_ref())
    }

    /// Where the answer came from, or which place was tried last.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.attempts.last().map(|attempt| &attempt.place)
    }

    /// The kind of that place.
    #[must_use]
    pub fn place_kind(&self) -> Option<PlaceKind> {
        self.place().map(PlaceKind::of)
    }

    /// Parses a body without checking that it is canonical, which would double the time. For counting.
    #[must_use]
    pub fn parse(body: &str) -> Option<Closing> {
        serde_json::from_str(body).ok()
    }

    /// The canonical bytes.
    ///
    /// # Errors
    /// [`RecordError::TooMuch`] for a list or an entry that is too long.
    pub fn encode(&self) -> Result<String, RecordError> {
        limit("attempts", self.attempts.len(), CANDIDATES_MAX)?;
        limit("tools that were called", self.calls.len(), CALLED_TOOLS_MAX)?;
        for attempt in &self.attempts {
            limit("rules of an attempt", attempt.rules.len(), RULES_MAX)?;
        }
        encode(self)
    }
}

/// Parses the canonical bytes of an intent. `None` if they are not exactly what [`Intent`] writes.
#[must_use]
pub fn decode_intent(body: &[u8]) -> Option<Intent> {
    decode(body, Intent::encode)
}

/// Parses the canonical bytes of a closing. `None` if they are not exactly what [`Closing`] writes.
#[must_use]
pub fn decode_closing(body: &[u8]) -> Option<Closing> {
    decode(body, Closing::encode)
}

fn decode<T: DeserializeOwned>(body: &[u8], encode: impl Fn(&T) -> Result<String, RecordError>) -> Option<T> {
    if body.len() > BODY_BYTES_MAX as usize {
        return None;
    }
    let value: T = serde_json::from_slice(body).ok()?;
    (encode(&value).ok()?.as_bytes() == body).then_some(value)
}

fn encode<T: Serialize>(value: &T) -> Result<String, RecordError> {
    let text = serde_json::to_string(value).expect("records of labels and numbers are JSON");
    limit("bytes of an entry", text.len(), BODY_BYTES_MAX)?;
    Ok(text)
}

fn code(error: Option<&Label>) -> Option<Code> {
    error.and_then(|error| Code::from_name(error.as_str()))
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
