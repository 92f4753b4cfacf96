//! Checks a value against a JSON schema, as far as the schemas of this repository go: another keyword or pattern is an error, so that
//! none is silently not checked.

use serde_json::Value;

const ANNOTATIONS: [&str; 4] = ["$schema", "$defs", "title", "description"];

/// Where `value` departs from the schema `root`: places with the keyword that does not hold.
pub(crate) fn violations(root: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(root, root, value, "", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    for (keyword, argument) in schema.as_object().unwrap() {
        if ANNOTATIONS.contains(&keyword.as_str()) {
            continue;
        }
        let holds = match value {
            Value::Object(_) => about_tables(root, schema, keyword, value, place, found),
            Value::Array(_) => about_lists(root, keyword, argument, value, place, found),
            _ => None,
        };
        let holds = holds.or_else(|| about_scalars(keyword, argument, value));
        let holds = holds.or_else(|| about_anything(root, keyword, argument, value, place, found));
        if !holds.unwrap_or_else(|| panic!("the keyword {keyword} is not checked here")) {
            found.push(format!("{place}: {keyword}"));
        }
    }
}

fn holds(root: &Value, schema: &Value, value: &Value) -> bool {
    let mut found = Vec::new();
    check(root, schema, value, "", &mut found);
    found.is_empty()
}

fn names(argument: &Value) -> impl Iterator<Item = &str> {
    argument.as_array().unwrap().iter().map(|name| name.as_str().unwrap())
}

fn about_anything(
    root: &Value,
    keyword: &str,
    argument: &Value,
    value: &Value,
    place: &str,
    found: &mut Vec<String>,
) -> Option<bool> {
    let fitting = || {
        argument
            .as_array()
            .unwrap()
            .iter()
            .filter(|schema| holds(root, schema, value))
            .count()
    };
    Some(match keyword {
        "$ref" => {
            let pointer = argument.as_str().unwrap().strip_prefix('#').unwrap();
            check(root, root.pointer(pointer).unwrap(), value, place, found);
            true
        }
        "type" => match argument.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "number" => value.is_number(),
            "integer" => value.is_u64() || value.is_i64(),
            other => panic!("the type {other} is not checked here"),
        },
        "const" => value == argument,
        "enum" => argument.as_array().unwrap().contains(value),
        "anyOf" => fitting() > 0,
        "oneOf" => fitting() == 1,
        // About other types than the value's: nothing to say.
        "minimum"
        | "maximum"
        | "minLength"
        | "maxLength"
        | "pattern"
        | "required"
        | "additionalProperties"
        | "properties"
        | "minProperties"
        | "maxProperties"
        | "propertyNames"
        | "dependentRequired"
        | "items"
        | "minItems"
        | "maxItems"
        | "uniqueItems" => true,
        _ => return None,
    })
}

fn about_scalars(keyword: &str, argument: &Value, value: &Value) -> Option<bool> {
    if let Some(number) = value.as_f64() {
        return match keyword {
            "minimum" => Some(number >= argument.as_f64().unwrap()),
            "maximum" => Some(number <= argument.as_f64().unwrap()),
            _ => None,
        };
    }
    let text = value.as_str()?;
    let length = || text.chars().count() as u64;
    match keyword {
        "minLength" => Some(length() >= argument.as_u64().unwrap()),
        "maxLength" => Some(length() <= argument.as_u64().unwrap()),
        "pattern" => Some(matches(argument.as_str().unwrap(), text)),
        _ => None,
    }
}

fn about_lists(
    root: &Value,
    keyword: &str,
    argument: &Value,
    value: &Value,
    place: &str,
    found: &mut Vec<String>,
) -> Option<bool> {
    let entries = value.as_array()?;
    Some(match keyword {
        "items" => {
            for (index, entry) in entries.iter().enumerate() {
                check(root, argument, entry, &format!("{place}/{index}"), found);
            }
            true
        }
        "minItems" => entries.len() as u64 >= argument.as_u64().unwrap(),
        "maxItems" => entries.len() as u64 <= argument.as_u64().unwrap(),
        "uniqueItems" => (1..entries.len()).all(|index| !entries[..index].contains(&entries[index])),
        _ => return None,
    })
}

fn about_tables(
    root: &Value,
    schema: &Value,
    keyword: &str,
    value: &Value,
    place: &str,
    found: &mut Vec<String>,
) -> Option<bool> {
    let (table, argument) = (value.as_object()?, &schema[keyword]);
    Some(match keyword {
        "required" => names(argument).all(|name| table.contains_key(name)),
        "dependentRequired" => {
            let mut dependent = argument.as_object().unwrap().iter();
            dependent
                .all(|(name, needed)| !table.contains_key(name) || names(needed).all(|name| table.contains_key(name)))
        }
        "minProperties" => table.len() as u64 >= argument.as_u64().unwrap(),
        "maxProperties" => table.len() as u64 <= argument.as_u64().unwrap(),
        "propertyNames" => table
            .keys()
            .all(|name| holds(root, argument, &Value::from(name.as_str()))),
        "properties" => {
            for (name, inner) in argument.as_object().unwrap() {
                if let Some(value) = table.get(name) {
                    check(root, inner, value, &format!("{place}/{name}"), found);
                }
            }
            true
        }
        "additionalProperties" => {
            let mut others = table
                .iter()
                .filter(|(name, _)| schema["properties"].get(name).is_none());
            match argument {
                Value::Bool(false) => others.next().is_none(),
                schema => {
                    for (name, value) in others {
                        check(root, schema, value, &format!("{place}/{name}"), found);
                    }
                    true
                }
            }
        }
        _ => return None,
    })
}

fn matches(pattern: &str, text: &str) -> bool {
    let is_id = |text: &str| {
        let mut bytes = text.bytes();
        bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let is_remote = |text: &str| match text.split_once(':') {
        Some(("remote" | "redact_then_remote", id)) => id == "*" || is_id(id),
        _ => false,
    };
    match pattern {
        "^https?://" => text.starts_with("https://") || text.starts_with("http://"),
        "^[A-Za-z0-9][A-Za-z0-9._-]*$" => is_id(text),
        STEP => ["on_device", "system_model", "queue"].contains(&text) || is_remote(text),
        DENIAL => {
            let words = [
                "everything",
                "off_device",
                "unredacted",
                "on_device",
                "system_model",
                "queue",
            ];
            let trust = ["own_device_nearby", "organisation", "public_cloud"];
            words.contains(&text)
                || is_remote(text)
                || text.strip_prefix("endpoint:").is_some_and(is_id)
                || text.strip_prefix("trust:").is_some_and(|class| trust.contains(&class))
        }
        other => panic!("the pattern {other} is not checked here"),
    }
}

const STEP: &str = "^(on_device|system_model|queue|(remote|redact_then_remote):([*]|[A-Za-z0-9][A-Za-z0-9._-]*))$";
const DENIAL: &str = "^(everything|off_device|unredacted|on_device|system_model|queue|trust:(own_device_nearby|organisation|\
                      public_cloud)|endpoint:[A-Za-z0-9][A-Za-z0-9._-]*|(remote|redact_then_remote):([*]|[A-Za-z0-9][A-Za-z0-9._-]*))$";
