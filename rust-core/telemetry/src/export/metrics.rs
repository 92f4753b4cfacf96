//! The figures of a [`Meter`] as metrics of OTLP. All of them are cumulative: each body has the totals since the meter began, so that a
//! body that is lost, late or sent twice does no harm.
//!
//! Series whose exported attributes are the same are added up: bundles are not exported, and all models that are not in the vocabulary have
//! the same name. When the vocabulary gets a name that was counted as `other`, the totals of `other` become smaller. Collectors take that for
//! a restart of the counter.

use std::collections::BTreeMap;

use prost::Message;
use whimbrel_record::{Code, Outcome, PlaceKind};

use crate::export::attributes::{Attribute, Conclusion, Direction, PROGRAM, Provider, VERSION, whole};
use crate::export::instruments::{Kind, Metric};
use crate::export::messages::{
    Data, ExportMetrics, Gauge, HistogramPoint, Metric as MetricMessage, Number, NumberPoint, ResourceMetrics, Scope,
    ScopeMetrics, Sum, Temporality,
};
use crate::export::vocabulary::{Known, Resource, Vocabulary};
use crate::export::{BODY_BYTES_MAX, Body, Signal, messages, nanoseconds};
use crate::{Histogram, Measure, Meter, Outcomes, Series, SeriesKey};

/// Room for the tag and the length of a field that holds a message, and of those around it.
const FRAME_BYTES: usize = 16;

/// The figures of a meter, in bodies of at most [`BODY_BYTES_MAX`] bytes; none if nothing was counted. `now_ms` is the time, in milliseconds
/// since 1970.
///
/// ```
/// use whimbrel_privacy::PrivacyClass;
/// use whimbrel_record::{Closing, Intent, Label, Outcome};
/// use whimbrel_telemetry::Meter;
/// use whimbrel_telemetry::export::{InstallId, Os, Resource, Signal, Vocabulary, metrics};
///
/// let resource = Resource {
///     service: Label::new("field-notes")?,
///     install: InstallId([7; 16]),
///     os: Os::here(),
///     device: None,
/// };
/// let mut meter = Meter::new(1_800_000_000_000, 0);
/// assert!(metrics(&meter, &resource, &Vocabulary::default(), 1_800_000_060_000).is_empty());
///
/// let intent = Intent::new(Label::new("request-1")?, Label::new("private-project")?, PrivacyClass::Personal);
/// meter.count(1, 1_800_000_050_000, 0, &intent, &Closing::new(Outcome::Denied));
/// let bodies = metrics(&meter, &resource, &Vocabulary::default(), 1_800_000_060_000);
/// assert_eq!((bodies.len(), bodies[0].signal()), (1, Signal::Metrics));
/// // The name of the task is not in the vocabulary.
/// let text = String::from_utf8_lossy(bodies[0].bytes());
/// assert!(text.contains("whimbrel.task") && !text.contains("private-project"));
/// # Ok::<(), whimbrel_record::LabelError>(())
/// ```
#[must_use]
pub fn metrics(meter: &Meter, resource: &Resource, vocabulary: &Vocabulary, now_ms: u64) -> Vec<Body> {
    let points = Points {
        meter,
        vocabulary,
        groups: groups(meter, vocabulary),
        begins: nanoseconds(meter.begins_ms()),
        now: nanoseconds(now_ms.max(meter.begins_ms())),
    };
    let mut packer = Packer::new(resource);
    for metric in Metric::all() {
        for point in points.of(metric) {
            packer.add(metric, point);
        }
    }
    packer.finish()
}

/// What the exported attributes tell of a series.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Group<'v> {
    place: Option<PlaceKind>,
    model: Option<Known<'v>>,
    variant: Option<Known<'v>>,
    task: Known<'v>,
}

impl<'v> Group<'v> {
    fn of(key: &SeriesKey, vocabulary: &'v Vocabulary) -> Group<'v> {
        Group {
            place: key.place,
            model: key.model.as_ref().map(|name| vocabulary.model(name)),
            variant: key.variant.as_ref().map(|name| vocabulary.variant(name)),
            task: vocabulary.task(&key.task),
        }
    }

    fn attributes(self) -> Vec<Attribute<'v>> {
        let provider = self.place.map(|place| Attribute::Provider(Provider::of(place)));
        let place = self.place.map(Attribute::Place);
        let model = self.model.map(Attribute::Model);
        let variant = self.variant.map(Attribute::Variant);
        let optional = [provider, model, variant, place].into_iter().flatten();
        let whole = [Attribute::Operation, Attribute::Task(self.task)];
        whole.into_iter().chain(optional).collect()
    }
}

/// The totals of all series with the same exported attributes.
#[derive(Default)]
struct Totals {
    outcomes: Outcomes,
    bytes_out: u64,
    bytes_in: u64,
    memory_bytes_max: u64,
    histograms: [Histogram; Measure::ALL.len()],
}

impl Totals {
    fn add(&mut self, series: &Series) {
        self.outcomes.add(&series.outcomes);
        self.bytes_out = self.bytes_out.saturating_add(series.bytes_out);
        self.bytes_in = self.bytes_in.saturating_add(series.bytes_in);
        self.memory_bytes_max = self.memory_bytes_max.max(series.memory_bytes_max);
        for (measure, histogram) in Measure::ALL.into_iter().zip(&mut self.histograms) {
            histogram.merge(series.histogram(measure));
        }
    }

    fn histogram(&self, measure: Measure) -> &Histogram {
        &self.histograms[measure as usize]
    }
}

fn groups<'v>(meter: &Meter, vocabulary: &'v Vocabulary) -> BTreeMap<Group<'v>, Totals> {
    let mut groups: BTreeMap<Group, Totals> = BTreeMap::new();
    for (key, series) in meter.series() {
        groups.entry(Group::of(key, vocabulary)).or_default().add(series);
    }
    groups
}

fn conclusions(outcomes: &Outcomes) -> [(Conclusion, u64); 7] {
    [
        (Conclusion::Ended(Outcome::Answered), outcomes.answered),
        (Conclusion::GivenAgain, outcomes.given_again),
        (Conclusion::Ended(Outcome::Cancelled), outcomes.cancelled),
        (Conclusion::Ended(Outcome::Failed), outcomes.failed),
        (Conclusion::Ended(Outcome::Denied), outcomes.denied),
        (Conclusion::Ended(Outcome::Deferred), outcomes.deferred),
        (Conclusion::Ended(Outcome::Interrupted), outcomes.interrupted),
    ]
}

enum Point {
    Number(NumberPoint),
    Histogram(HistogramPoint),
}

impl Point {
    fn encoded_len(&self) -> usize {
        match self {
            Point::Number(point) => point.encoded_len(),
            Point::Histogram(point) => point.encoded_len(),
        }
    }
}

/// Makes the data points of each metric.
struct Points<'m> {
    meter: &'m Meter,
    vocabulary: &'m Vocabulary,
    groups: BTreeMap<Group<'m>, Totals>,
    begins: u64,
    now: u64,
}

impl Points<'_> {
    /// The points that have a value.
    fn of(&self, metric: Metric) -> Vec<Point> {
        match metric {
            Metric::Errors => self.errors(),
            Metric::EnergyUsed => self.energy(),
            _ => {
                let points = self.groups.iter();
                points
                    .flat_map(|(group, totals)| self.of_group(metric, *group, totals))
                    .collect()
            }
        }
    }

    fn of_group(&self, metric: Metric, group: Group, totals: &Totals) -> Vec<Point> {
        let count = |count: u64, more: Option<Attribute>| {
            let attributes = group.attributes().into_iter().chain(more);
            (count > 0).then(|| self.number(Number::AsInt(whole(count)), attributes))
        };
        match metric {
            Metric::Of(measure) => {
                let histogram = self.histogram(metric, measure, group, totals.histogram(measure));
                histogram.into_iter().collect()
            }
            Metric::Requests => conclusions(&totals.outcomes)
                .into_iter()
                .filter_map(|(conclusion, requests)| count(requests, Some(Attribute::Outcome(conclusion))))
                .collect(),
            Metric::NetworkBytes => [(Direction::Out, totals.bytes_out), (Direction::In, totals.bytes_in)]
                .into_iter()
                .filter_map(|(direction, bytes)| count(bytes, Some(Attribute::Direction(direction))))
                .collect(),
            _ => count(totals.memory_bytes_max, None).into_iter().collect(),
        }
    }

    fn errors(&self) -> Vec<Point> {
        let counts = self.meter.codes().iter();
        let point =
            |(code, count): (&Code, &u64)| self.number(Number::AsInt(whole(*count)), [Attribute::Error(Some(*code))]);
        counts.map(point).collect()
    }

    fn energy(&self) -> Vec<Point> {
        let mut sums: BTreeMap<Known, u64> = BTreeMap::new();
        for (method, millijoules) in self.meter.energy() {
            let sum = sums.entry(self.vocabulary.energy_method(method)).or_default();
            *sum = sum.saturating_add(*millijoules);
        }
        let point = |(method, millijoules): (Known, u64)| {
            let joules = Number::AsDouble(millijoules as f64 / 1e3);
            self.number(joules, [Attribute::EnergyMethod(method)])
        };
        sums.into_iter().map(point).collect()
    }

    fn number<'v>(&self, value: Number, attributes: impl IntoIterator<Item = Attribute<'v>>) -> Point {
        Point::Number(NumberPoint {
            start_time_unix_nano: self.begins,
            time_unix_nano: self.now,
            value: Some(value),
            attributes: attributes.into_iter().map(Attribute::encode).collect(),
        })
    }

    fn histogram(&self, metric: Metric, measure: Measure, group: Group, histogram: &Histogram) -> Option<Point> {
        let divisor = metric.divisor();
        let scaled = |value: u64| value as f64 / divisor;
        (!histogram.is_empty()).then(|| {
            Point::Histogram(HistogramPoint {
                start_time_unix_nano: self.begins,
                time_unix_nano: self.now,
                count: histogram.count(),
                sum: Some(scaled(histogram.sum())),
                bucket_counts: histogram
                    .counts(measure)
                    .iter()
                    .map(|count| u64::from(*count))
                    .collect(),
                explicit_bounds: measure.bounds().iter().map(|bound| scaled(*bound)).collect(),
                attributes: group.attributes().into_iter().map(Attribute::encode).collect(),
                min: Some(scaled(histogram.min())),
                max: Some(scaled(histogram.max())),
            })
        })
    }
}

/// Puts data points into bodies that are not too large.
struct Packer {
    resource: messages::Resource,
    finished: Vec<Body>,
    metrics: Vec<MetricMessage>,
    items: usize,
    /// At least the size of the message so far.
    bytes: usize,
    bytes_empty: usize,
}

impl Packer {
    fn new(resource: &Resource) -> Packer {
        let resource = resource.encode();
        let bytes_empty = message(&resource, Vec::new()).encoded_len() + 4 * FRAME_BYTES;
        Packer {
            resource,
            finished: Vec::new(),
            metrics: Vec::new(),
            items: 0,
            bytes: bytes_empty,
            bytes_empty,
        }
    }

    fn add(&mut self, metric: Metric, point: Point) {
        let bytes = point.encoded_len() + FRAME_BYTES;
        let head = empty(metric);
        let head_bytes = head.encoded_len() + 4 * FRAME_BYTES;
        if self.bytes + bytes + head_bytes > BODY_BYTES_MAX as usize {
            self.flush();
        }
        if self.metrics.last().is_none_or(|last| last.name != head.name) {
            self.bytes += head_bytes;
            self.metrics.push(head);
        }
        self.bytes += bytes;
        self.items += 1;
        let data = self.metrics.last_mut().and_then(|last| last.data.as_mut());
        match (data, point) {
            (Some(Data::Sum(sum)), Point::Number(point)) => sum.data_points.push(point),
            (Some(Data::Gauge(gauge)), Point::Number(point)) => gauge.data_points.push(point),
            (Some(Data::Histogram(histogram)), Point::Histogram(point)) => histogram.data_points.push(point),
            _ => unreachable!("a metric has points of its own kind"),
        }
    }

    fn flush(&mut self) {
        let metrics = std::mem::take(&mut self.metrics);
        if !metrics.is_empty() {
            let message = message(&self.resource, metrics);
            self.finished.push(Body::new(Signal::Metrics, self.items, &message));
        }
        (self.items, self.bytes) = (0, self.bytes_empty);
    }

    fn finish(mut self) -> Vec<Body> {
        self.flush();
        self.finished
    }
}

fn message(resource: &messages::Resource, metrics: Vec<MetricMessage>) -> ExportMetrics {
    let scope_metrics = ScopeMetrics {
        scope: Some(scope()),
        metrics,
    };
    ExportMetrics {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource.clone()),
            scope_metrics: vec![scope_metrics],
        }],
    }
}

/// What all data points and spans were measured by.
pub(crate) fn scope() -> Scope {
    Scope {
        name: PROGRAM.to_owned(),
        version: VERSION.to_owned(),
    }
}

fn empty(metric: Metric) -> MetricMessage {
    let data_points = Vec::new();
    let aggregation_temporality = Temporality::Cumulative.into();
    let data = match metric.kind() {
        Kind::Histogram => Data::Histogram(messages::Histogram {
            data_points: Vec::new(),
            aggregation_temporality,
        }),
        Kind::Sum => Data::Sum(Sum {
            data_points,
            aggregation_temporality,
            is_monotonic: true,
        }),
        Kind::Gauge => Data::Gauge(Gauge { data_points }),
    };
    MetricMessage {
        name: metric.name().to_owned(),
        description: metric.meaning().to_owned(),
        unit: metric.unit().to_owned(),
        data: Some(data),
    }
}
