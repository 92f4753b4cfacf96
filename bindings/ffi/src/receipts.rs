//! Receipts and what they come to, as apps see them: the figures that are shown, and everything as JSON.

use whimbrel_client::assistant::json;
use whimbrel_client::store;

use crate::requests::{FindingCount, counts};
use crate::{Outcome, Place, PrivacyClass};

/// Kinds of places, to choose receipts by.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum PlaceKind {
    /// Whimbrel's own engine.
    OnDevice,
    /// The system's model.
    SystemModel,
    /// Another device of the same person.
    OwnDevice,
    /// A machine of the organisation.
    Organisation,
    /// A public cloud.
    PublicCloud,
}

/// Which receipts are listed; what is not given does not choose.
#[derive(Clone, Debug, Default, uniffi::Record)]
pub struct ReceiptFilter {
    /// Receipts with lower numbers than this one: the next page begins before the last one's number.
    #[uniffi(default = None)]
    pub before: Option<u64>,
    /// Receipts that were opened at this time or later, in milliseconds since 1970.
    #[uniffi(default = None)]
    pub from_ms: Option<u64>,
    /// Receipts that were opened before this time.
    #[uniffi(default = None)]
    pub until_ms: Option<u64>,
    /// Receipts that ended so. Deadlines and unavailability count as failed.
    #[uniffi(default = None)]
    pub outcome: Option<Outcome>,
    /// Receipts whose answer came from there, or which were tried there last.
    #[uniffi(default = None)]
    pub place: Option<PlaceKind>,
}

/// What is written down of one request.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Receipt {
    /// Its number in the ledger.
    pub id: u64,
    /// When it was opened, in milliseconds since 1970.
    pub opened_ms: u64,
    /// When it was closed.
    pub closed_ms: Option<u64>,
    /// How the request ended; nothing while it runs.
    pub outcome: Option<Outcome>,
    /// Where the answer came from, or what was tried last.
    pub place: Option<Place>,
    /// The app's name for what it was doing.
    pub task: String,
    /// How private the text was.
    pub privacy_class: PrivacyClass,
    /// The ids of the rules that decided about the request as a whole.
    pub rules: Vec<String>,
    /// How often each kind was found in the text.
    pub findings: Vec<FindingCount>,
    /// How often each kind was replaced in text that left.
    pub redacted: Vec<FindingCount>,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that may have left besides, because no end was written in time.
    pub bytes_out_uncertain: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// All of it in JSON: what was planned, each attempt, tokens, times, feedback, and its hashes in the ledger.
    pub json: String,
}

/// What a verification of the ledger saw.
#[derive(Clone, Debug, uniffi::Record)]
pub struct LedgerReport {
    /// Whether the ledger is as it was written.
    pub intact: bool,
    /// Entries that were read.
    pub entries: u64,
    /// Receipts that these entries open.
    pub receipts: u64,
    /// What is wrong, in words; at most 256.
    pub problems: Vec<String>,
    /// All of it in JSON.
    pub json: String,
}

/// What the device is called in a sentence.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Host {
    /// "this phone"
    Phone,
    /// "this tablet"
    Tablet,
    /// "this computer"
    Computer,
}

/// What a number of receipts come to.
#[derive(Clone, Debug, uniffi::Record)]
pub struct LedgerStats {
    /// How many receipts these are.
    pub receipts: u64,
    /// Answers from Whimbrel's own engine.
    pub answers_on_device: u64,
    /// Answers from the system's model.
    pub answers_system_model: u64,
    /// Answers from another device of the same person.
    pub answers_own_device: u64,
    /// Answers from a machine of the organisation.
    pub answers_organisation: u64,
    /// Answers from a public cloud.
    pub answers_public_cloud: u64,
    /// Requests that the user or the app stopped.
    pub cancelled: u64,
    /// Requests without an answer.
    pub failed: u64,
    /// Requests that the policy forbade.
    pub denied: u64,
    /// Requests that were put off.
    pub deferred: u64,
    /// Requests whose process ended first.
    pub interrupted: u64,
    /// Requests without an end yet.
    pub unfinished: u64,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that may have left besides.
    pub bytes_out_uncertain: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// How many requests sent text that was not public, as it is.
    pub personal_as_is: u64,
    /// How often each kind was replaced in text that left.
    pub redacted: Vec<FindingCount>,
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    /// The energy estimates, in thousandths of a joule.
    pub millijoules: u64,
    /// All of it in one English sentence.
    pub summary: String,
}

impl From<ReceiptFilter> for store::Filter {
    fn from(from: ReceiptFilter) -> Self {
        store::Filter {
            before: from.before.map(store::ReceiptId),
            from_ms: from.from_ms,
            until_ms: from.until_ms,
            outcome: from.outcome.map(|outcome| match outcome {
                Outcome::Answered => store::Outcome::Answered,
                Outcome::Cancelled => store::Outcome::Cancelled,
                Outcome::Failed | Outcome::DeadlinePassed | Outcome::Unavailable => store::Outcome::Failed,
                Outcome::Denied => store::Outcome::Denied,
                Outcome::Deferred => store::Outcome::Deferred,
                Outcome::Interrupted => store::Outcome::Interrupted,
            }),
            place: from.place.map(|place| match place {
                PlaceKind::OnDevice => store::PlaceKind::OnDevice,
                PlaceKind::SystemModel => store::PlaceKind::SystemModel,
                PlaceKind::OwnDevice => store::PlaceKind::OwnDevice,
                PlaceKind::Organisation => store::PlaceKind::Organisation,
                PlaceKind::PublicCloud => store::PlaceKind::PublicCloud,
            }),
        }
    }
}

impl From<&store::Receipt> for Receipt {
    fn from(from: &store::Receipt) -> Self {
        Receipt {
            id: from.id.0,
            opened_ms: from.opened_ms,
            closed_ms: from.closed_ms,
            outcome: from.outcome.map(|outcome| match outcome {
                store::Outcome::Answered => Outcome::Answered,
                store::Outcome::Cancelled => Outcome::Cancelled,
                store::Outcome::Failed => Outcome::Failed,
                store::Outcome::Denied => Outcome::Denied,
                store::Outcome::Deferred => Outcome::Deferred,
                store::Outcome::Interrupted => Outcome::Interrupted,
            }),
            place: from.place.as_ref().map(Into::into),
            task: from.intent.task.to_string(),
            privacy_class: from.intent.class.into(),
            rules: from.intent.rules.iter().map(ToString::to_string).collect(),
            findings: counts(&from.intent.findings),
            redacted: from
                .closing
                .as_ref()
                .map_or_else(Vec::new, |closing| counts(&closing.redacted)),
            bytes_out: from.bytes_out,
            bytes_out_uncertain: from.bytes_out_uncertain,
            bytes_in: from.bytes_in,
            json: json(from),
        }
    }
}

impl From<&store::Report> for LedgerReport {
    fn from(from: &store::Report) -> Self {
        LedgerReport {
            intact: from.is_intact(),
            entries: from.entries,
            receipts: from.receipts,
            problems: from.problems.iter().map(ToString::to_string).collect(),
            json: json(from),
        }
    }
}

impl From<Host> for store::Host {
    fn from(from: Host) -> Self {
        match from {
            Host::Phone => store::Host::Phone,
            Host::Tablet => store::Host::Tablet,
            Host::Computer => store::Host::Computer,
        }
    }
}

impl LedgerStats {
    pub(crate) fn new(from: &store::Stats, host: Host) -> LedgerStats {
        LedgerStats {
            receipts: from.receipts,
            answers_on_device: from.answers.on_device,
            answers_system_model: from.answers.system_model,
            answers_own_device: from.answers.own_device,
            answers_organisation: from.answers.organisation,
            answers_public_cloud: from.answers.public_cloud,
            cancelled: from.cancelled,
            failed: from.failed,
            denied: from.denied,
            deferred: from.deferred,
            interrupted: from.interrupted,
            unfinished: from.unfinished,
            bytes_out: from.bytes_out,
            bytes_out_uncertain: from.bytes_out_uncertain,
            bytes_in: from.bytes_in,
            personal_as_is: from.personal_as_is,
            redacted: counts(&from.redacted),
            tokens_in: from.tokens_in,
            tokens_out: from.tokens_out,
            millijoules: from.millijoules,
            summary: from.summary(host.into()),
        }
    }
}
