//! Where a request may run: policies that people can read, decisions under them, and how a decision is carried out. The crate is pure:
//! values in, decisions out. It uses no files, no clock and no network; time and seeds are arguments. It does not see text, only what
//! `whimbrel-privacy` reports about it.
//!
//! A [`Policy`] is parsed from a document. A [`PolicySet`] is the app's policy with the user's, which can only make it stricter. [`route`]
//! decides about one request and returns a [`Plan`]. A [`Candidate`] of the plan gives the permit that a text needs to leave the device.
//! [`Exchange`] carries the plan out. [`Learned`] orders the candidates that the rules allow. `docs/policy.md` describes the documents.
//! [`download`] decides how a model file is fetched, [`outbox`] when a queued request is sent, [`telemetry`] what the
//! app's developer is sent about requests, and [`budget`] which caches are dropped.

pub mod budget;
mod condition;
mod device;
mod document;
pub mod download;
mod exchange;
mod explain;
mod history;
mod id;
mod learned;
pub mod limits;
pub mod outbox;
mod plan;
mod refusal;
mod request;
mod route;
mod spending;
pub mod telemetry;
mod tool;

pub use condition::Found;
pub use device::{Accelerator, DeviceState, DeviceUpdate, DeviceView, Network, Reading, Reported, Thermal};
pub use document::{
    Endpoint, Format, Limits, Order, Policy, PolicyError, PolicyErrorReason, PolicyRole, PolicySet, Preset,
};
pub use exchange::{
    ATTEMPTS_MAX, Attempt, Command, Conclusion, Confidence, Ended, Ending, Escalation, EscalationThresholds, Event,
    Exchange, Kept, NEXT_PLACE_MS, Price, STOP_MS_MAX, Usage, Weakness, escalation, fallback, repetition_ratio,
};
pub use explain::{ExplainedRequest, Explanation, explain};
pub use history::Recipients;
pub use id::Id;
pub use learned::{EVIDENCE_MAX, HALF_LIFE_MS, Learned, LearnedError, LearnedRecord, LearnedSnapshot, LearningMode};
pub use plan::{
    Bounds, Budget, Candidate, Decision, Deferred, Expected, Plan, Quality, Reason, RuleOutcome, RuleTrace,
};
pub use refusal::{Refusal, Refused};
pub use request::{
    Availability, CandidateFacts, Circuit, EndpointFacts, LocalModelFacts, Need, RequestFacts, SystemModelFacts,
    UsedToday,
};
pub use route::{
    DEADLINE_MS_DEFAULT, FIRST_TOKEN_MS_DEFAULT, REMEMBERED_CLASS_MAX_DEFAULT, REMEMBERED_DAYS_DEFAULT, RouteInput,
    route,
};
pub use spending::{SetAside, Spending};
pub use tool::{ToolPermission, ToolRuling};
