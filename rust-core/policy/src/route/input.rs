//! All inputs of a decision, in one value.

use std::sync::Arc;

use whimbrel_privacy::ContentFacts;
use whimbrel_record::Place;

use crate::device::DeviceState;
use crate::document::PolicySet;
use crate::history::Recipients;
use crate::learned::Learned;
use crate::request::{CandidateFacts, RequestFacts, UsedToday};

/// All inputs of a decision.
#[derive(Clone, Copy, Debug)]
pub struct RouteInput<'a> {
    /// The request.
    pub request: &'a RequestFacts,
    /// What was found in the text.
    pub content: &'a ContentFacts,
    /// The device.
    pub device: &'a DeviceState,
    /// Unix time in milliseconds, for the age of the device's readings and the decay of what was learned.
    pub now_ms: u64,
    /// The policies.
    pub policies: &'a PolicySet,
    /// The places that could answer.
    pub candidates: &'a CandidateFacts,
    /// Usage today.
    pub used_today: UsedToday,
    /// What was learned from feedback.
    pub learned: &'a Learned,
    /// Who may read each message of the history that the text contains.
    pub history: &'a [Arc<Recipients>],
    /// Places that are excluded, whatever the rules say.
    pub excluded: &'a [Place],
}
