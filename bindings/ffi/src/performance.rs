//! What requests took: times, tokens, memory and energy, by model and task and by day.

use whimbrel_client::{policy, record, telemetry};

use crate::{Assistant, CoreError, Host, PlaceKind, Thermal, json};

/// What requests took since counting began. Everything is counted on this device; see `Telemetry` for what may leave it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Performance {
    /// When counting began, in milliseconds since 1970.
    pub begins_ms: u64,
    /// When the last request that is counted ended.
    pub through_ms: u64,
    /// How all requests ended.
    pub outcomes: RequestOutcomes,
    /// One for each kind of request, most requests first.
    pub series: Vec<PerformanceSeries>,
    /// The days with requests, oldest first; the last 49 of them.
    pub days: Vec<PerformanceDay>,
    /// Models on this device that have become slower or worse.
    pub regressions: Vec<Regression>,
    /// How often requests failed with each code, most frequent first.
    pub failures: Vec<FailureCount>,
    /// The energy used on this device, by the method of estimating it.
    pub energy: Vec<EnergyTotal>,
    /// How often the app was ended in the middle of a request, by its stage.
    pub endings: Vec<EndingCount>,
    /// All of it in JSON.
    pub json: String,
}

/// How requests ended.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct RequestOutcomes {
    /// With an answer.
    pub answered: u64,
    /// With an answer that was given before.
    pub given_again: u64,
    /// The user or the app stopped them.
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

/// What requests of one kind took: those of one task that one model answered at one kind of place.
#[derive(Clone, Debug, uniffi::Record)]
pub struct PerformanceSeries {
    /// Where they were answered, or tried last. Absent if no place was asked.
    pub place: Option<PlaceKind>,
    /// The model.
    pub model: Option<String>,
    /// The model's variant, on this device.
    pub variant: Option<String>,
    /// The task.
    pub task: String,
    /// The class of the device, if its memory is known.
    pub device: Option<DeviceClass>,
    /// How they ended.
    pub outcomes: RequestOutcomes,
    /// Bytes that left the device for them.
    pub bytes_out: u64,
    /// Bytes that were received for them.
    pub bytes_in: u64,
    /// The most memory that the process had at the end of one of them, in bytes.
    pub memory_bytes_max: u64,
    /// The measures that have values.
    pub measures: Vec<MeasuredValues>,
}

/// How much a device can do, in classes that are too wide to tell one device from another.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum DeviceClass {
    /// Less than 4 GB of memory.
    Small,
    /// 4 to 8 GB.
    Medium,
    /// 8 GB and more.
    Large,
}

/// One figure of a request. Times are in microseconds.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Measure {
    /// From the request to its end.
    Total,
    /// From the request to the first text.
    FirstToken,
    /// Looking for private data in the text, and replacing it.
    Examine,
    /// Deciding where to ask.
    Decide,
    /// On this device, until the model begins with the prompt.
    Load,
    /// On this device: one token of the prompt, on average over the prompt.
    PrefillToken,
    /// On this device: one token of the answer, on average over the answer.
    DecodeToken,
    /// Elsewhere: from asking the place to the first piece of its answer.
    Network,
    /// Processor time of the whole process, on all cores.
    Processor,
    /// Tokens of the prompt.
    InputTokens,
    /// Tokens of the answer.
    OutputTokens,
    /// Energy used on this device, in millijoules.
    Energy,
}

/// The values of one measure over the answers of a series.
#[derive(Clone, Debug, uniffi::Record)]
pub struct MeasuredValues {
    /// The measure.
    pub measure: Measure,
    /// How many values there are.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
    /// Half of the values are below it. Estimated, as is the next one.
    pub median: f64,
    /// 95 % of the values are below it.
    pub p95: f64,
    /// The upper bounds of the histogram's buckets.
    pub bounds: Vec<u64>,
    /// How many values are in each bucket; one more than there are bounds, for what is larger.
    pub counts: Vec<u32>,
}

/// What one day's requests took.
#[derive(Clone, Debug, uniffi::Record)]
pub struct PerformanceDay {
    /// When the day began, in milliseconds since 1970.
    pub begins_ms: u64,
    /// How its requests ended.
    pub outcomes: RequestOutcomes,
    /// How many were answered on this device.
    pub answered_here: u64,
    /// How many were answered elsewhere.
    pub answered_elsewhere: u64,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Energy used on this device, in millijoules.
    pub millijoules: u64,
    /// The median time to the first text, in milliseconds. Absent if there was no text.
    pub median_first_token_ms: Option<u64>,
    /// The median speed of answers on this device, in tokens per second.
    pub decode_tokens_per_second: Option<f64>,
    /// How fast the battery's charge fell between requests, in percent an hour, whatever the reason.
    pub battery_percent_per_hour: Option<f64>,
    /// The hottest that the device was at the end of a request.
    pub thermal_max: Option<Thermal>,
}

/// What has become worse about a model.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum RegressionKind {
    /// It takes longer for a token.
    Slower,
    /// More of its answers fail or repeat themselves.
    Worse,
    /// People reject more of its answers.
    Rejected,
}

/// A model on this device has become slower or worse.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Regression {
    /// The model.
    pub model: String,
    /// Its variant.
    pub variant: String,
    /// What has become worse.
    pub kind: RegressionKind,
    /// When it became so, estimated, in milliseconds since 1970.
    pub since_ms: u64,
    /// When that was found.
    pub found_ms: u64,
    /// What it was before: the typical time for a token of an answer in microseconds, or the share of bad or rejected answers, 0 to 1.
    pub before: f64,
    /// What it is now, in the same unit.
    pub after: f64,
}

/// How often requests failed with a code.
#[derive(Clone, Debug, uniffi::Record)]
pub struct FailureCount {
    /// The code.
    pub code: String,
    /// How often.
    pub count: u64,
}

/// What a request was doing.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum RequestStage {
    /// Its text was examined, and it was decided where to ask.
    Decide,
    /// The model's context was made or restored, other answers had their turn, or a short prompt was read.
    Load,
    /// The model read a long prompt.
    Prefill,
    /// The model wrote the answer.
    Decode,
    /// A place elsewhere was asked and had not answered yet.
    Network,
    /// A place elsewhere answered.
    Receive,
    /// The app carried out a tool.
    Tool,
}

/// A request that was going on when the app was ended.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct RequestEnding {
    /// What it was doing.
    pub stage: RequestStage,
    /// When it made progress last, in milliseconds since 1970.
    pub progress_ms: u64,
    /// When the app was known to run last.
    pub alive_ms: u64,
    /// Whether it had made no progress for ten seconds while it computed: the app was probably ended because of that.
    pub stuck: bool,
}

/// How often the app was ended in a stage of a request.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct EndingCount {
    /// The stage.
    pub stage: RequestStage,
    /// How often.
    pub times: u64,
    /// How often the request had made no progress for ten seconds before, while it computed.
    pub stuck: u64,
}

/// Energy by the method of estimating it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct EnergyTotal {
    /// The method.
    pub method: String,
    /// Millijoules.
    pub millijoules: u64,
}

#[uniffi::export]
impl Assistant {
    /// The requests that were in progress when the last process that used this ledger was ended without having closed it: by a crash, or by a system that needed
    /// the memory. Empty after an orderly end.
    pub fn endings(&self) -> Vec<RequestEnding> {
        self.0.endings().iter().map(Into::into).collect()
    }

    /// What requests took, by model and task and by day.
    pub async fn performance(&self) -> Result<Performance, CoreError> {
        Ok((&self.0.performance().await?).into())
    }

    /// The same as a page for people: one HTML text that needs no network. `host` is what the device is called on it.
    pub async fn performance_page(&self, host: Host) -> Result<String, CoreError> {
        Ok(self.0.performance_page(host.into()).await?)
    }

    /// Forgets what requests took, and counts from now on. The ledger keeps its receipts.
    pub async fn reset_performance(&self) -> Result<(), CoreError> {
        Ok(self.0.reset_performance().await?)
    }
}

impl From<&telemetry::Overview> for Performance {
    fn from(from: &telemetry::Overview) -> Self {
        Performance {
            begins_ms: from.begins_ms,
            through_ms: from.through_ms,
            outcomes: from.outcomes.into(),
            series: from.series.iter().map(Into::into).collect(),
            days: from.days.iter().map(Into::into).collect(),
            regressions: from.regressions.iter().map(Into::into).collect(),
            failures: (from.codes.iter())
                .map(|(code, count)| FailureCount {
                    code: code.to_string(),
                    count: *count,
                })
                .collect(),
            energy: (from.energy.iter())
                .map(|energy| EnergyTotal {
                    method: energy.method.to_string(),
                    millijoules: energy.millijoules,
                })
                .collect(),
            endings: (from.endings.iter())
                .map(|ending| EndingCount {
                    stage: ending.stage.into(),
                    times: ending.times,
                    stuck: ending.stuck,
                })
                .collect(),
            json: json(from),
        }
    }
}

impl From<telemetry::Outcomes> for RequestOutcomes {
    fn from(from: telemetry::Outcomes) -> Self {
        RequestOutcomes {
            answered: from.answered,
            given_again: from.given_again,
            cancelled: from.cancelled,
            failed: from.failed,
            denied: from.denied,
            deferred: from.deferred,
            interrupted: from.interrupted,
        }
    }
}

impl From<&telemetry::SeriesView> for PerformanceSeries {
    fn from(from: &telemetry::SeriesView) -> Self {
        PerformanceSeries {
            place: from.place.map(Into::into),
            model: from.model.as_ref().map(ToString::to_string),
            variant: from.variant.as_ref().map(ToString::to_string),
            task: from.task.to_string(),
            device: from.device.map(Into::into),
            outcomes: from.outcomes.into(),
            bytes_out: from.bytes_out,
            bytes_in: from.bytes_in,
            memory_bytes_max: from.memory_bytes_max,
            measures: from.measures.iter().map(Into::into).collect(),
        }
    }
}

impl From<&telemetry::HistogramView> for MeasuredValues {
    fn from(from: &telemetry::HistogramView) -> Self {
        MeasuredValues {
            measure: from.measure.into(),
            count: from.count,
            sum: from.sum,
            min: from.min,
            max: from.max,
            median: from.median,
            p95: from.p95,
            bounds: from.bounds.clone(),
            counts: from.counts.clone(),
        }
    }
}

impl From<&telemetry::DayView> for PerformanceDay {
    fn from(from: &telemetry::DayView) -> Self {
        PerformanceDay {
            begins_ms: from.begins_ms,
            outcomes: from.outcomes.into(),
            answered_here: from.answered_here,
            answered_elsewhere: from.answered_elsewhere,
            bytes_out: from.bytes_out,
            output_tokens: from.output_tokens,
            millijoules: from.millijoules,
            median_first_token_ms: from.first_token_ms.map(|ms| ms.round() as u64),
            decode_tokens_per_second: from.decode_tokens_per_second,
            battery_percent_per_hour: from.battery_percent_per_hour,
            thermal_max: from.thermal_max.map(Into::into),
        }
    }
}

impl From<&telemetry::Regression> for Regression {
    fn from(from: &telemetry::Regression) -> Self {
        Regression {
            model: from.model.to_string(),
            variant: from.variant.to_string(),
            kind: match from.kind {
                telemetry::RegressionKind::Slower => RegressionKind::Slower,
                telemetry::RegressionKind::Worse => RegressionKind::Worse,
                telemetry::RegressionKind::Rejected => RegressionKind::Rejected,
            },
            since_ms: from.since_ms,
            found_ms: from.found_ms,
            before: from.before,
            after: from.after,
        }
    }
}

impl From<telemetry::Measure> for Measure {
    fn from(from: telemetry::Measure) -> Self {
        match from {
            telemetry::Measure::Total => Measure::Total,
            telemetry::Measure::FirstToken => Measure::FirstToken,
            telemetry::Measure::Examine => Measure::Examine,
            telemetry::Measure::Decide => Measure::Decide,
            telemetry::Measure::Load => Measure::Load,
            telemetry::Measure::PrefillToken => Measure::PrefillToken,
            telemetry::Measure::DecodeToken => Measure::DecodeToken,
            telemetry::Measure::Network => Measure::Network,
            telemetry::Measure::Processor => Measure::Processor,
            telemetry::Measure::InputTokens => Measure::InputTokens,
            telemetry::Measure::OutputTokens => Measure::OutputTokens,
            telemetry::Measure::Energy => Measure::Energy,
        }
    }
}

impl From<&telemetry::Ended> for RequestEnding {
    fn from(from: &telemetry::Ended) -> Self {
        RequestEnding {
            stage: from.stage.into(),
            progress_ms: from.progress_ms,
            alive_ms: from.alive_ms,
            stuck: from.is_stuck,
        }
    }
}

impl From<telemetry::Stage> for RequestStage {
    fn from(from: telemetry::Stage) -> Self {
        match from {
            telemetry::Stage::Decide => RequestStage::Decide,
            telemetry::Stage::Load => RequestStage::Load,
            telemetry::Stage::Prefill => RequestStage::Prefill,
            telemetry::Stage::Decode => RequestStage::Decode,
            telemetry::Stage::Network => RequestStage::Network,
            telemetry::Stage::Receive => RequestStage::Receive,
            telemetry::Stage::Tool => RequestStage::Tool,
        }
    }
}

impl From<record::DeviceClass> for DeviceClass {
    fn from(from: record::DeviceClass) -> Self {
        match from {
            record::DeviceClass::Small => DeviceClass::Small,
            record::DeviceClass::Medium => DeviceClass::Medium,
            record::DeviceClass::Large => DeviceClass::Large,
        }
    }
}

impl From<record::PlaceKind> for PlaceKind {
    fn from(from: record::PlaceKind) -> Self {
        match from {
            record::PlaceKind::OnDevice => PlaceKind::OnDevice,
            record::PlaceKind::SystemModel => PlaceKind::SystemModel,
            record::PlaceKind::OwnDevice => PlaceKind::OwnDevice,
            record::PlaceKind::Organisation => PlaceKind::Organisation,
            record::PlaceKind::PublicCloud => PlaceKind::PublicCloud,
        }
    }
}

impl From<policy::Thermal> for Thermal {
    fn from(from: policy::Thermal) -> Self {
        match from {
            policy::Thermal::Nominal => Thermal::Nominal,
            policy::Thermal::Fair => Thermal::Fair,
            policy::Thermal::Serious => Thermal::Serious,
            policy::Thermal::Critical => Thermal::Critical,
        }
    }
}
