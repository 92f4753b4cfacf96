//! What a collector sees: decoded messages, and the checks that hold for each of them.

use std::collections::BTreeSet;

use prost::Message;
use whimbrel_record::Code;

use super::vocabulary;
use crate::export::attributes::{Key, VERSION, Values};
use crate::export::instruments::{Kind, Metric};
use crate::export::messages::{
    AnyValue, Data, ExportMetrics, ExportTraces, HistogramPoint, KeyValue, NumberPoint, Span, Temporality, Value,
};
use crate::export::schema::RESOURCE_KEYS;
use crate::export::{BODY_BYTES_MAX, Body, Signal};

pub(super) fn decode_metrics(bodies: &[Body]) -> Vec<ExportMetrics> {
    let decode = |body: &Body| {
        assert_eq!(body.signal(), Signal::Metrics);
        assert!(body.bytes().len() <= BODY_BYTES_MAX as usize);
        ExportMetrics::decode(body.bytes()).unwrap()
    };
    bodies.iter().map(decode).collect()
}

pub(super) fn decode_spans(bodies: &[Body]) -> Vec<Span> {
    let decode = |body: &Body| {
        assert_eq!(body.signal(), Signal::Traces);
        assert!(body.bytes().len() <= BODY_BYTES_MAX as usize);
        let mut message = ExportTraces::decode(body.bytes()).unwrap();
        assert_eq!(message.resource_spans.len(), 1);
        let mut spans = message.resource_spans.remove(0);
        check_attributes(&RESOURCE_KEYS, &spans.resource.unwrap().attributes);
        assert_eq!(spans.scope_spans.len(), 1);
        let spans = spans.scope_spans.remove(0).spans;
        assert_eq!(spans.len(), body.items() as usize);
        spans
    };
    bodies.iter().flat_map(decode).collect()
}

pub(super) enum Points {
    Numbers(Vec<NumberPoint>),
    Histograms(Vec<HistogramPoint>),
}

/// Every metric of the bodies with its points. Checks what the metrics themselves say.
pub(super) fn points(bodies: &[Body]) -> Vec<(Metric, Points)> {
    let mut found = Vec::new();
    for (message, body) in decode_metrics(bodies).into_iter().zip(bodies) {
        let mut items = 0;
        for of_resource in message.resource_metrics {
            check_attributes(&RESOURCE_KEYS, &of_resource.resource.unwrap().attributes);
            for metric in of_resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                let known = Metric::all().find(|known| known.name() == metric.name).unwrap();
                assert_eq!(
                    (metric.unit.as_str(), metric.description.as_str()),
                    (known.unit(), known.meaning())
                );
                let cumulative: i32 = Temporality::Cumulative.into();
                let points = match metric.data.unwrap() {
                    Data::Sum(sum) => {
                        assert_eq!((known.kind(), sum.aggregation_temporality), (Kind::Sum, cumulative));
                        assert!(sum.is_monotonic);
                        Points::Numbers(sum.data_points)
                    }
                    Data::Gauge(gauge) => {
                        assert_eq!(known.kind(), Kind::Gauge);
                        Points::Numbers(gauge.data_points)
                    }
                    Data::Histogram(histogram) => {
                        assert_eq!(
                            (known.kind(), histogram.aggregation_temporality),
                            (Kind::Histogram, cumulative)
                        );
                        Points::Histograms(histogram.data_points)
                    }
                };
                items += match &points {
                    Points::Numbers(points) => points.len(),
                    Points::Histograms(points) => points.len(),
                };
                found.push((known, points));
            }
        }
        assert_eq!(items, body.items() as usize);
    }
    found
}

/// Each is one of these keys, none twice, with a value that the schema allows.
pub(super) fn check_attributes(keys: &[Key], attributes: &[KeyValue]) {
    let mut seen = BTreeSet::new();
    for attribute in attributes {
        let key = keys.iter().find(|key| key.name() == attribute.key);
        let key = *key.unwrap_or_else(|| panic!("{} is not in the schema here", attribute.key));
        assert!(seen.insert(key), "{} is there twice", attribute.key);
        let value = attribute.value.clone().unwrap().value.unwrap();
        assert!(is_allowed(key, &value), "{}: {value:?}", attribute.key);
    }
}

fn is_allowed(key: Key, value: &Value) -> bool {
    let names = vocabulary();
    let mut known = [&names.models, &names.variants, &names.tasks, &names.energy_methods]
        .into_iter()
        .flatten();
    match (key.values(), value) {
        (Values::Words(words), Value::Text(text)) => words.contains(&text.as_str()),
        (Values::Words(words), Value::Array(array)) => {
            let word =
                |value: &AnyValue| matches!(&value.value, Some(Value::Text(text)) if words.contains(&text.as_str()));
            key == Key::Finish && array.values.iter().all(word)
        }
        (Values::Code, Value::Text(text)) => text == "_OTHER" || Code::from_name(text).is_some(),
        (Values::Known, Value::Text(text)) => text == "other" || known.any(|name| name.as_str() == text),
        (Values::Service, Value::Text(text)) => text == "field-notes",
        (Values::Id, Value::Text(text)) => text == "30313233-3435-3637-3839-616263646566",
        (Values::Version, Value::Text(text)) => text == VERSION,
        (Values::Count, Value::Int(count)) => *count >= 0,
        (Values::Seconds | Values::Joules, Value::Double(number)) => *number >= 0.0,
        _ => false,
    }
}
