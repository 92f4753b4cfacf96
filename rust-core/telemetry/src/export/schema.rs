//! Everything that can be exported, as a table. It is made from the enums that the messages are made from, so it cannot miss anything.

use crate::export::attributes::{Key, Values};
use crate::export::instruments::{Kind, Metric};
use crate::export::spans::{SpanName, Stage};

/// A row of the schema: the resource, a metric, a span, or an attribute of these.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SchemaRow {
    /// `resource`, `metric`, `span` or `attribute`.
    pub signal: &'static str,
    /// The name of the metric, the span or the attribute.
    pub name: &'static str,
    /// The unit; empty if there is none.
    pub unit: &'static str,
    /// The attributes of a resource, a metric or a span.
    pub attributes: Vec<&'static str>,
    /// What the values are: the kind of a metric, or what an attribute can be.
    pub values: String,
    /// What it means.
    pub meaning: &'static str,
}

/// The attributes of the resource, in their order.
pub(crate) const RESOURCE_KEYS: [Key; 8] = [
    Key::ServiceName,
    Key::InstanceId,
    Key::SdkName,
    Key::SdkLanguage,
    Key::SdkVersion,
    Key::OsType,
    Key::OsName,
    Key::Device,
];

/// The whole schema: first the resource, then metrics, spans, and attributes.
#[must_use]
pub fn schema() -> Vec<SchemaRow> {
    let resource = SchemaRow {
        signal: "resource",
        name: "",
        unit: "",
        attributes: names(&RESOURCE_KEYS),
        values: String::new(),
        meaning: "Who exports; part of every message.",
    };
    let metrics = Metric::all().map(|metric| SchemaRow {
        signal: "metric",
        name: metric.name(),
        unit: metric.unit(),
        attributes: names(&metric.keys()),
        values: match metric.kind() {
            Kind::Histogram => "histogram",
            Kind::Sum => "sum",
            Kind::Gauge => "gauge",
        }
        .to_owned(),
        meaning: metric.meaning(),
    });
    let spans = SpanName::all().map(|span| SchemaRow {
        signal: "span",
        name: span.name(),
        unit: "",
        attributes: names(&span.keys()),
        values: match span {
            SpanName::Request(_) => "root",
            SpanName::Attempt(_) => "child of a request",
            SpanName::Stage(Stage::Examine | Stage::Decide) => "child of a request",
            SpanName::Stage(_) => "child of an attempt",
        }
        .to_owned(),
        meaning: span.meaning(),
    });
    let attributes = Key::ALL.iter().map(|key| SchemaRow {
        signal: "attribute",
        name: key.name(),
        unit: unit(key.values()),
        attributes: Vec::new(),
        values: described(key.values()),
        meaning: key.meaning(),
    });
    [resource]
        .into_iter()
        .chain(metrics)
        .chain(spans)
        .chain(attributes)
        .collect()
}

fn names(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name()).collect()
}

fn unit(values: Values) -> &'static str {
    match values {
        Values::Seconds => "s",
        Values::Joules => "J",
        _ => "",
    }
}

fn described(values: Values) -> String {
    let text = match values {
        Values::Words(words) => {
            let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            return quoted.join(", ");
        }
        Values::Code => "a code of the ledger, or `_OTHER`",
        Values::Known => "a name of the vocabulary, or `other`",
        Values::Service => "the name that the app's developer gave the app",
        Values::Id => "a random UUID",
        Values::Version => "a version of Whimbrel",
        Values::Count => "a whole number",
        Values::Seconds | Values::Joules => "a number",
    };
    text.to_owned()
}
