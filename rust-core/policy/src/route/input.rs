//! Everything that a decision depends on, in one value.

use std::sync::Arc;

use whimbrel_privacy::ContentFacts;
use whimbrel_record::Place;

use crate::device::DeviceState;
use crate::document::PolicySet;
use crate::history::Recipients;
use crate::learned::Learned;
use crate::request::{CandidateFacts, RequestFacts, UsedToday};

/// Everything that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct RouteInput<'a> {
    /// What is asked for.
    pub request: &'a RequestFacts,
    /// What the text gives away.
    pub content: &'a ContentFacts,
    /// The device.
    pub device: &'a DeviceState,
    /// Unix time in milliseconds: the clock of the device's readings, and of what was learned, which fades by it.
    pub now_ms: u64,
    /// The policies.
    pub policies: &'a PolicySet,
    /// What could answer.
    pub candidates: &'a CandidateFacts,
    /// What was used today.
    pub used_today: UsedToday,
    /// What was learned from feedback.
    pub learned: &'a Learned,
    /// Who may read each message of the history that the text contains.
    pub history: &'a [Arc<Recipients>],
    /// Places that are left out, whatever the rules say.
    pub excluded: &'a [Place],
}
