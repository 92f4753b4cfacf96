//! The meter's figures in the form in which people and apps see them: `whimbrel stats --json`, the page, and the packages for apps.

use serde::Serialize;
use whimbrel_record::{Code, DeviceClass, Label, PlaceKind, Thermal};

use crate::{Day, Histogram, Measure, Meter, Outcomes, Regression, Series, SeriesKey, Stage, Unit};

/// What was measured, up to now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Overview {
    /// When counting began, in milliseconds since 1970.
    pub begins_ms: u64,
    /// When the last request that is counted ended.
    pub through_ms: u64,
    /// How all requests ended.
    pub outcomes: Outcomes,
    /// One for each kind of request, most requests first.
    pub series: Vec<SeriesView>,
    /// The days with requests, oldest first.
    pub days: Vec<DayView>,
    /// How often requests failed with each code, most frequent first.
    pub codes: Vec<(Code, u64)>,
    /// The energy used on this device, by the method of estimating it.
    pub energy: Vec<EnergyView>,
    /// What has become slower or worse on this device.
    pub regressions: Vec<Regression>,
    /// How often processes were ended in the middle of a request, by its stage.
    pub endings: Vec<EndingView>,
}

/// What requests of one kind took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeriesView {
    /// Where they were answered, or tried last; `None` if no place was asked.
    pub place: Option<PlaceKind>,
    /// The model.
    pub model: Option<Label>,
    /// Its variant.
    pub variant: Option<Label>,
    /// The first eight digits of the bundle's hash, on this device.
    pub bundle: Option<Label>,
    /// The task.
    pub task: Label,
    /// The class of the device.
    pub device: Option<DeviceClass>,
    /// How they ended.
    pub outcomes: Outcomes,
    /// Bytes that left the device for them.
    pub bytes_out: u64,
    /// Bytes that were received for them.
    pub bytes_in: u64,
    /// The most memory that the process had at the end of one of them, in bytes.
    pub memory_bytes_max: u64,
    /// The measures that have values.
    pub measures: Vec<HistogramView>,
}

/// The values of one measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HistogramView {
    /// The measure.
    pub measure: Measure,
    /// Its unit.
    pub unit: Unit,
    /// How many values there are.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
    /// Half of the values are below it. Estimated within its bucket, as is the next one.
    pub median: f64,
    /// 95 % of the values are below it.
    pub p95: f64,
    /// The upper bounds of the buckets.
    pub bounds: Vec<u64>,
    /// How many values are in each bucket; one more than there are bounds.
    pub counts: Vec<u32>,
}

/// One day's figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DayView {
    /// When the day began, in milliseconds since 1970.
    pub begins_ms: u64,
    /// How its requests ended.
    pub outcomes: Outcomes,
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
    /// The median time to the first text, in milliseconds.
    pub first_token_ms: Option<f64>,
    /// The median speed of answers on this device.
    pub decode_tokens_per_second: Option<f64>,
    /// How fast the battery's charge fell between requests, in percent an hour; `None` where it was not seen for long enough.
    pub battery_percent_per_hour: Option<f64>,
    /// The hottest that the device was.
    pub thermal_max: Option<Thermal>,
}

/// Energy by the method of estimating it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnergyView {
    /// The method.
    pub method: Label,
    /// Millijoules.
    pub millijoules: u64,
}

/// How often processes were ended in a stage of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndingView {
    /// The stage.
    pub stage: Stage,
    /// How often.
    pub times: u64,
    /// How often the request had been stuck before.
    pub stuck: u64,
}

/// The battery's charge is known in whole percent, so that it says little over less time.
const BATTERY_MS_LEAST: u64 = 15 * 60_000;

impl Meter {
    /// The figures for people.
    #[must_use]
    pub fn overview(&self) -> Overview {
        let mut outcomes = Outcomes::default();
        for series in self.series().values() {
            outcomes.add(&series.outcomes);
        }
        let mut series: Vec<_> = self.series().iter().map(|(key, series)| view(key, series)).collect();
        series.sort_by_key(|view| std::cmp::Reverse(view.outcomes.requests()));
        let mut codes: Vec<_> = self.codes().iter().map(|(code, count)| (*code, *count)).collect();
        codes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let energy = self.energy().iter().map(|(method, millijoules)| EnergyView {
            method: method.clone(),
            millijoules: *millijoules,
        });
        let endings = self.endings().iter().map(|(stage, endings)| EndingView {
            stage: *stage,
            times: endings.times,
            stuck: endings.stuck,
        });
        Overview {
            begins_ms: self.begins_ms(),
            through_ms: self.through_ms(),
            outcomes,
            series,
            days: self.days().iter().map(day).collect(),
            codes,
            energy: energy.collect(),
            regressions: self.regressions(),
            endings: endings.collect(),
        }
    }
}

fn view(key: &SeriesKey, series: &Series) -> SeriesView {
    let with_values = Measure::ALL
        .into_iter()
        .map(|measure| (measure, series.histogram(measure)));
    SeriesView {
        place: key.place,
        model: key.model.clone(),
        variant: key.variant.clone(),
        bundle: key.bundle.clone(),
        task: key.task.clone(),
        device: key.device,
        outcomes: series.outcomes,
        bytes_out: series.bytes_out,
        bytes_in: series.bytes_in,
        memory_bytes_max: series.memory_bytes_max,
        measures: with_values
            .filter_map(|(measure, histogram)| HistogramView::of(measure, histogram))
            .collect(),
    }
}

impl HistogramView {
    /// `None` if there are no values.
    fn of(measure: Measure, histogram: &Histogram) -> Option<HistogramView> {
        Some(HistogramView {
            measure,
            unit: measure.unit(),
            count: histogram.count(),
            sum: histogram.sum(),
            min: histogram.min(),
            max: histogram.max(),
            median: histogram.quantile(measure, 0.5)?,
            p95: histogram.quantile(measure, 0.95)?,
            bounds: measure.bounds().to_vec(),
            counts: histogram.counts(measure).to_vec(),
        })
    }
}

fn day(day: &Day) -> DayView {
    let median = |measure, histogram: &Histogram| histogram.quantile(measure, 0.5);
    let hours = day.battery_ms as f64 / 3.6e6;
    DayView {
        begins_ms: day.begins_ms,
        outcomes: day.outcomes,
        answered_here: day.answered_here,
        answered_elsewhere: day.answered_elsewhere,
        bytes_out: day.bytes_out,
        output_tokens: day.output_tokens,
        millijoules: day.millijoules,
        first_token_ms: median(Measure::FirstToken, &day.first_token).map(|us| us / 1e3),
        decode_tokens_per_second: median(Measure::DecodeToken, &day.decode_token).map(|us| 1e6 / us),
        battery_percent_per_hour: (day.battery_ms >= BATTERY_MS_LEAST)
            .then(|| f64::from(day.battery_percent_lost) / hours),
        thermal_max: day.thermal_max,
    }
}
