//! The metrics that can be exported: their names, units, meanings and attributes. Names of OpenTelemetry's conventions for generative AI
//! (`semantic-conventions-genai` 0.1.0) are used where the meaning is the same. These conventions are not stable yet; a new release of them
//! is a change of this file. The bounds of histograms are those of the meter, not those that the conventions suggest.

use crate::export::attributes::Key;
use crate::{Measure, Unit};

/// One metric of the schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Metric {
    /// A histogram of a measure.
    Of(Measure),
    Requests,
    Errors,
    NetworkBytes,
    EnergyUsed,
    MemoryMax,
}

/// How a metric's values add up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Histogram,
    Sum,
    Gauge,
}

impl Metric {
    pub(crate) fn all() -> impl Iterator<Item = Metric> {
        let totals = [
            Metric::Requests,
            Metric::Errors,
            Metric::NetworkBytes,
            Metric::EnergyUsed,
            Metric::MemoryMax,
        ];
        Measure::ALL.into_iter().map(Metric::Of).chain(totals)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Metric::Of(Measure::Total) => "gen_ai.client.inference.duration",
            Metric::Of(Measure::FirstToken) => "gen_ai.client.inference.time_to_first_chunk",
            Metric::Of(Measure::Examine) => "whimbrel.examine.duration",
            Metric::Of(Measure::Decide) => "whimbrel.decide.duration",
            Metric::Of(Measure::Load) => "whimbrel.load.duration",
            Metric::Of(Measure::PrefillToken) => "whimbrel.prefill.time_per_token",
            Metric::Of(Measure::DecodeToken) => "gen_ai.server.time_per_output_token",
            Metric::Of(Measure::Network) => "whimbrel.network.duration",
            Metric::Of(Measure::Processor) => "whimbrel.processor.time",
            Metric::Of(Measure::InputTokens) => "gen_ai.client.inference.operation.input_tokens",
            Metric::Of(Measure::OutputTokens) => "gen_ai.client.inference.operation.output_tokens",
            Metric::Of(Measure::Energy) => "whimbrel.request.energy",
            Metric::Requests => "whimbrel.requests",
            Metric::Errors => "whimbrel.errors",
            Metric::NetworkBytes => "whimbrel.network.io",
            Metric::EnergyUsed => "whimbrel.energy.used",
            Metric::MemoryMax => "whimbrel.memory.max",
        }
    }

    /// The unit, as UCUM and OpenTelemetry write it.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Metric::Of(measure) => match measure.unit() {
                Unit::Microseconds => "s",
                Unit::Tokens => "{token}",
                Unit::Millijoules => "J",
            },
            Metric::Requests | Metric::Errors => "{request}",
            Metric::NetworkBytes | Metric::MemoryMax => "By",
            Metric::EnergyUsed => "J",
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Metric::Of(_) => Kind::Histogram,
            Metric::Requests | Metric::Errors | Metric::NetworkBytes | Metric::EnergyUsed => Kind::Sum,
            Metric::MemoryMax => Kind::Gauge,
        }
    }

    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Metric::Of(Measure::Total) => "From the request to its end. Answers only, as in all histograms.",
            Metric::Of(Measure::FirstToken) => "From the request to the first text.",
            Metric::Of(Measure::Examine) => "Looking for private data in the text, and replacing it.",
            Metric::Of(Measure::Decide) => "Deciding where to ask.",
            Metric::Of(Measure::Load) => "On this device, until the model begins with the prompt.",
            Metric::Of(Measure::PrefillToken) => "On this device, one token of the prompt.",
            Metric::Of(Measure::DecodeToken) => "On this device, one token of the answer behind its first.",
            Metric::Of(Measure::Network) => "From asking an endpoint to the first piece of its answer.",
            Metric::Of(Measure::Processor) => "Processor time of the process, on all cores.",
            Metric::Of(Measure::InputTokens) => "Tokens of a prompt.",
            Metric::Of(Measure::OutputTokens) => "Tokens of an answer.",
            Metric::Of(Measure::Energy) => "Energy that a request used on this device.",
            Metric::Requests => "Requests, by how they ended.",
            Metric::Errors => "Requests that failed, by the reason.",
            Metric::NetworkBytes => "Bytes of requests to endpoints and of their answers.",
            Metric::EnergyUsed => "Energy used on this device.",
            Metric::MemoryMax => "The most memory that the process had at the end of a request.",
        }
    }

    /// The attributes of its data points.
    pub(crate) fn keys(self) -> Vec<Key> {
        let group = [
            Key::Operation,
            Key::Provider,
            Key::Model,
            Key::Variant,
            Key::Place,
            Key::Task,
        ];
        match self {
            Metric::Of(_) | Metric::MemoryMax => group.to_vec(),
            Metric::Requests => [&group[..], &[Key::Outcome]].concat(),
            Metric::NetworkBytes => [&group[..], &[Key::Direction]].concat(),
            Metric::Errors => vec![Key::Error],
            Metric::EnergyUsed => vec![Key::EnergyMethod],
        }
    }

    /// How many units of the meter are one unit of the metric.
    pub(crate) fn divisor(self) -> f64 {
        match self {
            Metric::Of(measure) => match measure.unit() {
                Unit::Microseconds => 1e6,
                Unit::Tokens => 1.0,
                Unit::Millijoules => 1e3,
            },
            _ => 1.0,
        }
    }
}
