//! What is measured of a request, in which unit, and into which buckets its values are sorted.

use serde::{Deserialize, Serialize};
use whimbrel_record::{Closing, Outcome};

/// The unit of a measure.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Microseconds.
    Microseconds,
    /// Tokens.
    Tokens,
    /// Millijoules.
    Millijoules,
}

/// One figure of a request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// From the request to its end. Counted for answers only, as are all others.
    Total,
    /// From the request to the first text.
    FirstToken,
    /// Looking for private data in the text, and replacing it.
    Examine,
    /// Deciding where to ask.
    Decide,
    /// On this device, until the model begins with the prompt.
    Load,
    /// On this device: computing on one token of the prompt, on average over the prompt.
    PrefillToken,
    /// On this device: computing on one token of the answer, on average over the answer.
    DecodeToken,
    /// Elsewhere: from asking the place to the first piece of its answer.
    Network,
    /// Processor time of the whole process, on all cores.
    Processor,
    /// Tokens of the prompt.
    InputTokens,
    /// Tokens of the answer.
    OutputTokens,
    /// Energy used on this device.
    Energy,
}

/// 1 ms to 100 s in steps of 1, 2 and 5.
const LONG: [u64; 16] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
];
/// 20 µs to 2 s in steps of 1, 2 and 5.
const SHORT: [u64; 16] = [
    20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
];
/// Powers of two: 1 to 32,768.
const TOKENS: [u64; 16] = [
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768,
];
/// 10 mJ to 1 kJ in steps of 1, 2 and 5.
const ENERGY: [u64; 16] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
];

impl Measure {
    /// Every measure.
    pub const ALL: [Measure; 12] = [
        Measure::Total,
        Measure::FirstToken,
        Measure::Examine,
        Measure::Decide,
        Measure::Load,
        Measure::PrefillToken,
        Measure::DecodeToken,
        Measure::Network,
        Measure::Processor,
        Measure::InputTokens,
        Measure::OutputTokens,
        Measure::Energy,
    ];

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Measure::Total => "total",
            Measure::FirstToken => "first_token",
            Measure::Examine => "examine",
            Measure::Decide => "decide",
            Measure::Load => "load",
            Measure::PrefillToken => "prefill_token",
            Measure::DecodeToken => "decode_token",
            Measure::Network => "network",
            Measure::Processor => "processor",
            Measure::InputTokens => "input_tokens",
            Measure::OutputTokens => "output_tokens",
            Measure::Energy => "energy",
        }
    }

    /// The unit of its values.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Measure::InputTokens | Measure::OutputTokens => Unit::Tokens,
            Measure::Energy => Unit::Millijoules,
            _ => Unit::Microseconds,
        }
    }

    /// The upper bounds of its buckets, each included in its bucket. A last bucket takes what is larger.
    #[must_use]
    pub fn bounds(self) -> &'static [u64] {
        match self {
            Measure::Total | Measure::FirstToken | Measure::Load | Measure::Network | Measure::Processor => &LONG,
            Measure::Examine | Measure::Decide | Measure::PrefillToken | Measure::DecodeToken => &SHORT,
            Measure::InputTokens | Measure::OutputTokens => &TOKENS,
            Measure::Energy => &ENERGY,
        }
    }

    /// Its value in a receipt; `None` if it was not measured, or if the request was not answered by a place.
    #[must_use]
    pub fn of(self, closing: &Closing) -> Option<u64> {
        if closing.outcome != Outcome::Answered || closing.answered_before.is_some() {
            return None;
        }
        let measured = &closing.measured;
        let some = |value: u64| (value > 0).then_some(value);
        let each = |time_us: u64, tokens: u64| (time_us > 0 && tokens > 0).then(|| time_us.div_ceil(tokens));
        match self {
            Measure::Total => Some(closing.latency.total_ms.saturating_mul(1_000)),
            Measure::FirstToken => closing.latency.first_token_ms.map(|ms| ms.saturating_mul(1_000)),
            Measure::Examine => some(measured.examine_us),
            Measure::Decide => some(measured.decide_us),
            Measure::Load => some(measured.load_us),
            Measure::PrefillToken => each(measured.prefill_us, measured.prefill_tokens),
            Measure::DecodeToken => each(measured.decode_us, measured.decode_tokens),
            Measure::Network => some(measured.network_us),
            Measure::Processor => some(measured.cpu_us),
            Measure::InputTokens => some(closing.tokens.input),
            Measure::OutputTokens => some(closing.tokens.output),
            Measure::Energy => closing.energy.as_ref().map(|energy| energy.millijoules),
        }
    }
}
