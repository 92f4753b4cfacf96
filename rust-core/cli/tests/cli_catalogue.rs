//! `shared-models/catalogue.json` against `shared-models/catalogue.schema.json`, and the schema against wrong catalogues.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// The keywords of JSON Schema that the schema uses; another one is an error, so that none is silently not checked.
const ANNOTATIONS: [&str; 4] = ["$schema", "$defs", "title", "description"];

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared-models")
        .join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Where a value departs from a schema.
fn violations(root: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    for (keyword, argument) in schema.as_object().unwrap() {
        let keeps = match keyword.as_str() {
            "$ref" => {
                let pointer = argument.as_str().unwrap().strip_prefix('#').unwrap();
                violations(root, root.pointer(pointer).unwrap(), value, place, found);
                true
            }
            "type" => match argument.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "integer" => value.is_u64() || value.is_i64(),
                "number" => value.is_number(),
                other => panic!("type {other} is not checked here"),
            },
            "const" => value == argument,
            "oneOf" => {
                let fits = |branch: &Value| {
                    let mut wrong = Vec::new();
                    violations(root, branch, value, place, &mut wrong);
                    wrong.is_empty()
                };
                argument
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|branch| fits(branch))
                    .count()
                    == 1
            }
            "enum" => argument.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|number| number >= argument.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= argument.as_f64().unwrap()),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.len() as u64 >= argument.as_u64().unwrap()),
            "pattern" => value
                .as_str()
                .is_none_or(|text| matches(argument.as_str().unwrap(), text)),
            "required" => argument
                .as_array()
                .unwrap()
                .iter()
                .all(|key| value.get(key.as_str().unwrap()).is_some()),
            "additionalProperties" => {
                assert_eq!(argument, false);
                let keys = value.as_object().into_iter().flat_map(|object| object.keys());
                keys.into_iter().all(|key| schema["properties"].get(key).is_some())
            }
            "properties" => {
                for (key, inner) in argument.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        violations(root, inner, value, &format!("{place}/{key}"), found);
                    }
                }
                true
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    violations(root, argument, value, &format!("{place}/{index}"), found);
                }
                true
            }
            other => {
                assert!(ANNOTATIONS.contains(&other), "the keyword {other} is not checked here");
                true
            }
        };
        if !keeps {
            found.push(format!("{place}: {keyword}"));
        }
    }
}

/// The patterns that the schema uses: anchored, a class each, perhaps repeated.
fn matches(pattern: &str, text: &str) -> bool {
    let word = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let first = |good: &dyn Fn(char) -> bool| text.chars().next().is_some_and(good);
    match pattern {
        "^https://" => text.starts_with("https://"),
        "^[0-9a-f]{64}$" => text.len() == 64 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')),
        "^[A-Za-z0-9_-][A-Za-z0-9._-]*$" => first(&|c| c != '.') && word(text, "._-"),
        "^[A-Za-z0-9][A-Za-z0-9._-]*$" => first(&|c| c.is_ascii_alphanumeric()) && word(text, "._-"),
        "^[0-9][A-Za-z0-9.+!]*$" => first(&|c| c.is_ascii_digit()) && word(text, ".+!"),
        other => panic!("the pattern {other} is not checked here"),
    }
}

fn check(catalogue: &Value, expected: &[&str]) {
    let schema = read("catalogue.schema.json");
    let mut found = Vec::new();
    violations(&schema, &schema, catalogue, "", &mut found);
    assert_eq!(found, expected);
}

#[test]
fn the_catalogue_follows_its_schema() {
    check(&read("catalogue.json"), &[]);
}

/// What the catalogue says of tasks is what their page says.
#[test]
fn measured_tasks_are_those_of_the_guide() {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tasks.md")).unwrap();
    let catalogue = read("catalogue.json");
    let models = catalogue["models"].as_array().unwrap().iter();
    let measured: Vec<&Value> = models.filter_map(|model| model["tasks"].as_array()).flatten().collect();
    assert!(!measured.is_empty());
    for task in measured {
        let [texts, percent] = ["texts", "right_percent"].map(|field| task[field].as_u64().unwrap());
        let row = format!("| `{}` | {texts} | {percent} % (", task["name"].as_str().unwrap());
        assert!(guide.contains(&row), "{row}");
    }
}

#[test]
fn the_schema_finds_what_is_wrong() {
    let change = |pointer: &str, value: Value| {
        let mut catalogue = read("catalogue.json");
        *catalogue.pointer_mut(pointer).unwrap() = value;
        catalogue
    };
    check(&change("/version", json!(2)), &["/version: const"]);
    check(&change("/models/0/name", json!("../x")), &["/models/0/name: pattern"]);
    check(
        &change("/models/0/quantization", json!("q9")),
        &["/models/0/quantization: enum"],
    );
    check(
        &change("/models/0/parameters", json!(0)),
        &["/models/0/parameters: minimum"],
    );
    check(&change("/models/0/title", json!("")), &["/models/0/title: minLength"]);
    check(
        &change("/models/0/source/wheel/sha256", json!("ab")),
        &["/models/0/source: oneOf"],
    );
    check(
        &change("/models/0/licence", json!({"spdx": "MIT"})),
        &["/models/0/licence: required"],
    );
    let more = json!({"spdx": "MIT", "url": "https://example.org", "more": 1});
    check(
        &change("/models/0/licence", more),
        &["/models/0/licence: additionalProperties"],
    );
    check(
        &change("/models/1/source/parts/0/package", json!("../x")),
        &["/models/1/source: oneOf"],
    );
    check(
        &change("/models/1/licence/terms/url", json!("http://example.org")),
        &["/models/1/licence/terms/url: pattern"],
    );
    check(&change("/models", json!({})), &["/models: type"]);
}
