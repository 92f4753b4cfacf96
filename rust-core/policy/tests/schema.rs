//! The published schema beside the parser: what one takes or refuses the other does too, as far as a schema can say it; and both formats.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use serde_json::{Value, json};
use support::schema::violations;
use toml::de::{DeTable, DeValue};
use whimbrel_policy::{Format, Policy, PolicyError, Preset};
use whimbrel_privacy::FindingKind;

const FULL: &str = include_str!("full.toml");

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/schemas/policy.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A TOML document as JSON.
fn to_json(text: &str) -> Value {
    fn value(source: &DeValue<'_>) -> Value {
        match source {
            DeValue::String(text) => json!(text),
            DeValue::Integer(integer) => json!(i64::from_str_radix(integer.as_str(), integer.radix()).unwrap()),
            DeValue::Float(float) => json!(float.as_str().parse::<f64>().unwrap()),
            DeValue::Boolean(boolean) => json!(boolean),
            DeValue::Datetime(_) => panic!("no policy has a date"),
            DeValue::Array(list) => list.iter().map(|entry| value(entry.get_ref())).collect(),
            DeValue::Table(fields) => table(fields),
        }
    }
    fn table(fields: &DeTable<'_>) -> Value {
        let fields = fields
            .iter()
            .map(|(key, field)| (key.get_ref().to_string(), value(field.get_ref())));
        Value::Object(fields.collect())
    }
    table(DeTable::parse(text).unwrap().get_ref())
}

fn parse_json(document: &Value) -> Result<Policy, PolicyError> {
    Policy::parse(&document.to_string(), Format::Json)
}

#[test]
fn both_formats_say_the_same() {
    let presets = Preset::ALL.map(Preset::text);
    for text in presets.into_iter().chain([FULL]) {
        let policy = Policy::parse(text, Format::Toml).unwrap();
        let document = to_json(text);
        assert_eq!(parse_json(&document).unwrap(), policy);
        assert_eq!(violations(&schema(), &document), [""; 0]);
    }
    for preset in Preset::ALL {
        let policy = preset.policy(support::ENDPOINTS).unwrap();
        assert_eq!((policy.name(), policy.endpoints().len()), (preset.name(), 2));
        assert_eq!(Preset::by_name(preset.name()), Some(preset));
    }
}

#[test]
fn the_full_example_has_every_field_of_the_schema() {
    // The names of all fields of both, wherever they are.
    fn of_schema(schema: &Value, names: &mut std::collections::BTreeSet<String>) {
        if let Some(fields) = schema["properties"].as_object() {
            names.extend(fields.keys().cloned());
        }
        let inner = schema.as_object().into_iter().flat_map(|table| table.values());
        inner
            .chain(schema.as_array().into_iter().flatten())
            .for_each(|inner| of_schema(inner, names));
    }
    fn of_document(document: &Value, names: &mut std::collections::BTreeSet<String>) {
        for (name, inner) in document.as_object().into_iter().flatten() {
            names.insert(name.clone());
            of_document(inner, names);
        }
        document
            .as_array()
            .into_iter()
            .flatten()
            .for_each(|inner| of_document(inner, names));
    }
    let (mut of_both, mut here) = Default::default();
    of_schema(&schema(), &mut of_both);
    of_document(&to_json(FULL), &mut here);
    let kinds = whimbrel_privacy::FindingKind::ALL.map(|kind| kind.name().to_owned());
    let missing: Vec<_> = of_both.difference(&here).filter(|name| !kinds.contains(name)).collect();
    assert_eq!(missing, ["deny"; 0]);
}

/// Every place in a document, as JSON pointers.
fn places(value: &Value, place: String, found: &mut Vec<String>) {
    match value {
        Value::Object(table) => table
            .iter()
            .for_each(|(key, inner)| places(inner, format!("{place}/{key}"), found)),
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                places(inner, format!("{place}/{index}"), found);
            }
        }
        _ => {}
    }
    found.push(place);
}

#[test]
fn a_wrong_type_or_a_field_too_many_is_refused_by_parser_and_schema() {
    let (document, schema) = (to_json(FULL), schema());
    let mut found = Vec::new();
    places(&document, String::new(), &mut found);
    assert!(found.len() > 100);
    for place in &found {
        let mut changed = document.clone();
        let value = changed.pointer_mut(place).unwrap();
        match value {
            Value::Object(table) => drop(table.insert("a b".to_owned(), json!({}))),
            Value::Array(list) => list.push(json!(null)),
            Value::Bool(_) => *value = json!("true"),
            Value::Number(_) => *value = json!(-1),
            // A text of some fields is free, so that another type has to do.
            _ => *value = json!(7),
        }
        assert!(parse_json(&changed).is_err(), "the parser takes {place}");
        assert_ne!(violations(&schema, &changed), [""; 0], "the schema takes {place}");
        let mut changed = document.clone();
        *changed.pointer_mut(place).unwrap() = json!(null);
        assert!(parse_json(&changed).is_err(), "the parser takes null for {place}");
        assert_ne!(
            violations(&schema, &changed),
            [""; 0],
            "the schema takes null for {place}"
        );
    }
}

#[test]
fn what_the_parser_takes_the_schema_takes() {
    let (document, schema) = (to_json(FULL), schema());
    let mut all = Vec::new();
    places(&document, String::new(), &mut all);
    let mut generator = Pcg64::new(3, 3);
    let mut accepted = 0;
    for _ in 0..10_000 {
        let mut changed = document.clone();
        for _ in 0..=generator.next_u32() % 2 {
            let (from, to) = (pick(&mut generator, &all), pick(&mut generator, &all));
            let moved = document.pointer(from).unwrap().clone();
            let (table, key) = to.rsplit_once('/').unwrap_or_default();
            match changed.pointer_mut(table) {
                // Take a field away, double an entry, or put another value of the document in its place.
                Some(Value::Object(table)) if generator.next_u32().is_multiple_of(3) => drop(table.remove(key)),
                Some(Value::Array(list)) if generator.next_u32().is_multiple_of(3) => {
                    list.extend(list.clone().into_iter().next())
                }
                _ => {
                    if let Some(value) = changed.pointer_mut(to) {
                        *value = moved;
                    }
                }
            }
        }
        if parse_json(&changed).is_ok() {
            accepted += 1;
            assert_eq!(violations(&schema, &changed), [""; 0], "{changed}");
        }
    }
    assert!((500..9500).contains(&accepted), "{accepted}");
}

fn pick<'a>(generator: &mut Pcg64, from: &'a [String]) -> &'a str {
    &from[generator.next_u32() as usize % from.len()]
}

#[test]
fn every_kind_of_finding_is_in_the_schema() {
    let schema = schema();
    let names: Vec<Value> = FindingKind::ALL.iter().map(|kind| kind.name().into()).collect();
    assert_eq!(schema["$defs"]["finding"]["enum"], Value::Array(names));
}
