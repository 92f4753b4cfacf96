//! What requests of one kind took: those of one task that one model answered at one kind of place.

use serde::{Deserialize, Serialize};
use whimbrel_record::{Closing, DeviceClass, Intent, Label, Outcome, Place, PlaceKind};

use crate::regression::bundle;
use crate::{Histogram, Measure};

/// Series of a meter at most. Requests of further kinds are counted together for each kind of place, under the name [`OTHER`].
pub const SERIES_MAX: u32 = 22;
/// Series that are not for what has no series of its own: there is one of those for each kind of place, and one where no place was asked.
pub(crate) const NAMED_MAX: u32 = SERIES_MAX - PlaceKind::ALL.len() as u32 - 1;
/// The name of model and task under which requests of further kinds are counted.
pub const OTHER: &str = "@others";

/// Which requests a series counts.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesKey {
    /// Where they were answered, or tried last; `None` if no place was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceKind>,
    /// The model: its name on this device, the adapter of the system's model, or the model that an endpoint was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Label>,
    /// The model's variant, on this device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Label>,
    /// The first eight digits of the bundle's hash, on this device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Label>,
    /// The task.
    pub task: Label,
    /// The class of the device, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceClass>,
}

impl SeriesKey {
    /// The series of a receipt.
    #[must_use]
    pub fn of(intent: &Intent, closing: &Closing) -> SeriesKey {
        let place = closing.place().filter(|_| closing.answered_before.is_none());
        let (model, variant, bundle) = match place {
            Some(Place::OnDevice { model, variant, hash }) => (Some(model), Some(variant), Some(bundle(hash))),
            Some(Place::SystemModel { adapter }) => (Some(adapter), None, None),
            Some(Place::Remote { model, .. }) => (Some(model), None, None),
            None => (None, None, None),
        };
        SeriesKey {
            place: place.map(PlaceKind::of),
            model: model.cloned(),
            variant: variant.cloned(),
            bundle,
            task: intent.task.clone(),
            device: closing.measured.device,
        }
    }

    /// The series of what has no series of its own, at a kind of place.
    #[must_use]
    pub fn other(place: Option<PlaceKind>) -> SeriesKey {
        SeriesKey {
            place,
            model: Some(Label::squeezed(OTHER)),
            variant: None,
            bundle: None,
            task: Label::squeezed(OTHER),
            device: None,
        }
    }

    /// Whether it counts what has no series of its own.
    #[must_use]
    pub fn is_other(&self) -> bool {
        *self == SeriesKey::other(self.place)
    }
}

/// How requests ended.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outcomes {
    /// With an answer.
    pub answered: u64,
    /// With an answer that was given before.
    pub given_again: u64,
    /// The user or the app cancelled them.
    pub cancelled: u64,
    /// Without an answer.
    pub failed: u64,
    /// The policy denied them.
    pub denied: u64,
    /// They were deferred.
    pub deferred: u64,
    /// The process ended before they did.
    pub interrupted: u64,
}

impl Outcomes {
    /// Counts how a request ended.
    pub fn count(&mut self, closing: &Closing) {
        let counter = match closing.outcome {
            Outcome::Answered if closing.answered_before.is_some() => &mut self.given_again,
            Outcome::Answered => &mut self.answered,
            Outcome::Cancelled => &mut self.cancelled,
            Outcome::Failed => &mut self.failed,
            Outcome::Denied => &mut self.denied,
            Outcome::Deferred => &mut self.deferred,
            Outcome::Interrupted => &mut self.interrupted,
        };
        add(counter, 1);
    }

    /// Adds other requests.
    pub fn add(&mut self, other: &Outcomes) {
        add(&mut self.answered, other.answered);
        add(&mut self.given_again, other.given_again);
        add(&mut self.cancelled, other.cancelled);
        add(&mut self.failed, other.failed);
        add(&mut self.denied, other.denied);
        add(&mut self.deferred, other.deferred);
        add(&mut self.interrupted, other.interrupted);
    }

    /// How many requests there were.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.named()
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Each number with its name in JSON.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("answered", self.answered),
            ("given_again", self.given_again),
            ("cancelled", self.cancelled),
            ("failed", self.failed),
            ("denied", self.denied),
            ("deferred", self.deferred),
            ("interrupted", self.interrupted),
        ]
    }
}

/// See the module.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// How the requests ended.
    pub outcomes: Outcomes,
    /// Bytes that left the device for them.
    pub bytes_out: u64,
    /// Bytes that were received for them.
    pub bytes_in: u64,
    /// The most memory that the process had at the end of one of them, in bytes.
    pub memory_bytes_max: u64,
    /// One for each [`Measure`], in the order of [`Measure::ALL`].
    histograms: Box<[Histogram; Measure::ALL.len()]>,
}

impl Series {
    /// Counts a request.
    pub fn count(&mut self, closing: &Closing) {
        self.outcomes.count(closing);
        for attempt in &closing.attempts {
            add(&mut self.bytes_out, attempt.bytes_out);
            add(&mut self.bytes_in, attempt.bytes_in);
        }
        self.memory_bytes_max = self.memory_bytes_max.max(closing.measured.memory_bytes);
        for (measure, histogram) in Measure::ALL.into_iter().zip(&mut *self.histograms) {
            if let Some(value) = measure.of(closing) {
                histogram.add(measure, value);
            }
        }
    }

    /// The values of a measure.
    #[must_use]
    pub fn histogram(&self, measure: Measure) -> &Histogram {
        &self.histograms[measure as usize]
    }
}

/// Adds to a sum, which stays at the largest number where it would become larger.
pub(crate) fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}
