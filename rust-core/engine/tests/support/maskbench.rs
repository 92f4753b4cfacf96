//! Schemas with valid and invalid instances: a random part of MaskBench (guidance-ai/jsonschemabench; arXiv 2501.10868). Its repository states no
//! licence, so the data lies beside this repository and not in it.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "the test and the bench use a part of it each"
)]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use serde_json::Value;
use whimbrel_engine::{Constraint, Form, Vocabulary};

/// A schema and its instances.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) form: Form,
    /// Each as an answer would write it, and whether it is valid.
    pub(crate) instances: Vec<(String, bool)>,
}

/// What became of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every instance was told right.
    Pass,
    /// The schema was refused.
    Refused,
    /// A valid instance was refused.
    ValidRefused,
    /// An invalid instance was accepted.
    InvalidAccepted,
}

/// Every schema, or `None` where the data is not there. `WHIMBREL_MASKBENCH` names another file, such as `scripts/maskbench-data.py` makes.
pub(crate) fn cases() -> Option<Vec<Case>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/maskbench/part-a.jsonl.gz");
    let path = std::env::var_os("WHIMBREL_MASKBENCH").map_or(beside, PathBuf::from);
    let file = File::open(&path).ok()?;
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    Some(lines.map(|line| case(&line.unwrap())).collect())
}

fn case(line: &str) -> Case {
    let line: Value = serde_json::from_str(line).unwrap();
    let tests = line["tests"].as_array().unwrap().iter();
    Case {
        name: line["name"].as_str().unwrap().to_owned(),
        form: Form::JsonSchema(line["schema"].to_string()),
        instances: tests
            .map(|test| (spaced(&test["data"]), test["valid"].as_bool().unwrap()))
            .collect(),
    }
}

/// JSON on one line with a space behind each colon and comma.
fn spaced(value: &Value) -> String {
    match value {
        Value::Object(keys) => {
            let keys = keys
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), spaced(value)));
            format!("{{{}}}", keys.collect::<Vec<_>>().join(", "))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        value => value.to_string(),
    }
}

/// Whether the schema's instances are told right.
pub(crate) fn verdict(vocabulary: &Arc<Vocabulary>, case: &Case) -> Verdict {
    let Ok(constraint) = Constraint::new(vocabulary, &case.form) else {
        return Verdict::Refused;
    };
    let wrong = |is_valid: bool| {
        let instances = case.instances.iter().filter(move |(_, valid)| *valid == is_valid);
        instances
            .filter(|(text, _)| constraint.accepts(text) != is_valid)
            .count()
    };
    match (wrong(false), wrong(true)) {
        (0, 0) => Verdict::Pass,
        (0, _) => Verdict::ValidRefused,
        _ => Verdict::InvalidAccepted,
    }
}
