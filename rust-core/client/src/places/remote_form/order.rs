//! The order of properties: an endpoint may write them in any, and an answer under a schema has that of the schema.

use serde_json::{Map, Value};

/// The keywords that combine schemas of the same value.
const COMBINING: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Puts the properties of every object within a value into the order in which the schema names them. Those that it does not name come last, as they
/// came.
pub(super) fn put_in_order(value: &mut Value, schema: &Value) {
    Ordering { root: schema }.value(value, &[schema]);
}

struct Ordering<'s> {
    root: &'s Value,
}

impl<'s> Ordering<'s> {
    /// `schemas`: all that may describe this value.
    fn value(&self, value: &mut Value, schemas: &[&'s Value]) {
        match value {
            Value::Array(items) => {
                let schemas = self.all(schemas);
                for (index, item) in items.iter_mut().enumerate() {
                    let of_item: Vec<&Value> = schemas.iter().flat_map(|schema| items_at(schema, index)).collect();
                    self.value(item, &of_item);
                }
            }
            Value::Object(keys) => {
                let schemas = self.all(schemas);
                let mut old = std::mem::take(keys);
                for name in schemas.iter().flat_map(|schema| names(schema)) {
                    if let Some(value) = old.shift_remove(name) {
                        keys.insert(name.clone(), value);
                    }
                }
                keys.append(&mut old);
                for (key, value) in keys.iter_mut() {
                    let of_value: Vec<&Value> = schemas.iter().flat_map(|schema| property(schema, key)).collect();
                    self.value(value, &of_value);
                }
            }
            _ => {}
        }
    }

    /// The objects among these schemas with those that they refer to or combine, each once.
    fn all(&self, schemas: &[&'s Value]) -> Vec<&'s Map<String, Value>> {
        let mut waiting: Vec<&Value> = schemas.iter().rev().copied().collect();
        let mut all: Vec<&Map<String, Value>> = Vec::new();
        while let Some(schema) = waiting.pop() {
            let Value::Object(schema) = schema else { continue };
            if all.iter().any(|known| std::ptr::eq(*known, schema)) {
                continue;
            }
            all.push(schema);
            let combined = COMBINING.iter().filter_map(|keyword| schema.get(*keyword)?.as_array());
            let combined: Vec<&Value> = combined.flatten().collect();
            waiting.extend(combined.into_iter().rev());
            waiting.extend(schema.get("$ref").and_then(|target| self.target(target.as_str()?)));
        }
        all
    }

    fn target(&self, reference: &str) -> Option<&'s Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }
}

fn names(schema: &Map<String, Value>) -> impl Iterator<Item = &String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(Map::keys)
}

/// What may describe the value of a property.
fn property<'s>(schema: &'s Map<String, Value>, key: &str) -> Vec<&'s Value> {
    if let Some(named) = schema.get("properties").and_then(|properties| properties.get(key)) {
        return vec![named];
    }
    let by_pattern = schema.get("patternProperties").and_then(Value::as_object);
    let by_pattern = by_pattern.into_iter().flat_map(Map::values);
    by_pattern.chain(schema.get("additionalProperties")).collect()
}

/// What may describe the item at a place.
fn items_at(schema: &Map<String, Value>, index: usize) -> Vec<&Value> {
    let first = schema
        .get("prefixItems")
        .or_else(|| schema.get("items").filter(|items| items.is_array()));
    if let Some(item) = first.and_then(|first| first.get(index)) {
        return vec![item];
    }
    ["items", "additionalItems"]
        .iter()
        .filter_map(|keyword| schema.get(*keyword))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: Value, value: Value, expected: &str) {
        let mut value = value;
        put_in_order(&mut value, &schema);
        assert_eq!(value.to_string(), expected, "{schema}");
    }

    #[test]
    fn properties_follow_the_schema() {
        let ab = json!({"properties": {"a": true, "b": true}});
        let value = || json!({"c": 0, "b": 1, "a": 2});
        let ordered = r#"{"a":2,"b":1,"c":0}"#;
        check(ab.clone(), value(), ordered);
        check(json!({"$ref": "#/$defs/ab", "$defs": {"ab": ab}}), value(), ordered);
        check(
            json!({"allOf": [{"properties": {"a": true}}, {"properties": {"b": true}}]}),
            value(),
            ordered,
        );
        check(json!({"anyOf": [{"type": "null"}, ab]}), value(), ordered);
        // Within others, wherever a schema can stand.
        let inner = format!("[{ordered}]");
        check(json!({"items": ab}), json!([value()]), &inner);
        check(json!({"prefixItems": [ab]}), json!([value()]), &inner);
        check(json!({"items": [ab]}), json!([value()]), &inner);
        let inner = format!(r#"{{"x":{ordered}}}"#);
        check(json!({"additionalProperties": ab}), json!({"x": value()}), &inner);
        check(json!({"patternProperties": {"^x": ab}}), json!({"x": value()}), &inner);
        // A schema within itself.
        let tree = json!({"properties": {"a": true, "b": {"$ref": "#"}}});
        check(
            tree,
            json!({"b": {"b": {"b": 1, "a": 2}, "a": 3}, "a": 4}),
            r#"{"a":4,"b":{"a":3,"b":{"a":2,"b":1}}}"#,
        );
        check(json!({"$ref": "#"}), json!({"b": 1, "a": 2}), r#"{"b":1,"a":2}"#);
    }
}
