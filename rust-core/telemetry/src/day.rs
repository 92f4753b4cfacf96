//! What one day's requests took, for charts over time.

use serde::{Deserialize, Serialize};
use whimbrel_record::{Closing, PlaceKind, Thermal};

use crate::series::add;
use crate::{Histogram, Measure, Outcomes};

/// Days that a meter keeps at most; older ones are only in the totals.
pub const DAYS_MAX: u32 = 49;

/// See the module.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Day {
    /// When the day began where the device was, in milliseconds since 1970.
    pub begins_ms: u64,
    /// How its requests ended.
    pub outcomes: Outcomes,
    /// How many were answered by models on this device, the system's included.
    pub answered_here: u64,
    /// How many were answered elsewhere.
    pub answered_elsewhere: u64,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Energy used on this device, in millijoules.
    pub millijoules: u64,
    /// The times to the first text.
    pub first_token: Histogram,
    /// The times for one token of an answer on this device.
    pub decode_token: Histogram,
    /// How far the battery's charge fell between requests while it was not being charged, in percent. It falls for other reasons, too.
    pub battery_percent_lost: u32,
    /// Over how long it fell so far, in milliseconds.
    pub battery_ms: u64,
    /// The hottest that the device was at the end of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thermal_max: Option<Thermal>,
}

impl Day {
    /// A day without requests.
    #[must_use]
    pub fn new(begins_ms: u64) -> Day {
        Day {
            begins_ms,
            ..Day::default()
        }
    }

    /// Counts a request.
    pub fn count(&mut self, closing: &Closing) {
        self.outcomes.count(closing);
        if Measure::Total.of(closing).is_some() {
            match closing.place_kind() {
                None | Some(PlaceKind::OnDevice | PlaceKind::SystemModel) => add(&mut self.answered_here, 1),
                Some(_) => add(&mut self.answered_elsewhere, 1),
            }
        }
        for attempt in &closing.attempts {
            add(&mut self.bytes_out, attempt.bytes_out);
        }
        add(&mut self.output_tokens, Measure::OutputTokens.of(closing).unwrap_or(0));
        // Requests without an answer used energy, too.
        let millijoules = closing.energy.as_ref().map_or(0, |energy| energy.millijoules);
        add(&mut self.millijoules, millijoules);
        for (measure, histogram) in [
            (Measure::FirstToken, &mut self.first_token),
            (Measure::DecodeToken, &mut self.decode_token),
        ] {
            if let Some(value) = measure.of(closing) {
                histogram.add(measure, value);
            }
        }
        self.thermal_max = self.thermal_max.max(closing.measured.thermal);
    }
}
