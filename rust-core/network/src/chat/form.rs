//! The form of the answer as chat completions take it: the field `response_format` with a JSON schema. Pure.

use serde::Serialize;
use serde_json::{Map, Value};
use whimbrel_privacy::{Cleared, Speaker};

use crate::Failure;

/// What servers call the schema. They want a name and do nothing with it.
const NAME: &str = "answer";
/// The keywords of "strict" schemas whose value is neither a schema nor holds some (OpenAI's guide "Structured model outputs").
const STRICT_WORDS: [&str; 17] = [
    "$ref",
    "$schema",
    "additionalProperties",
    "const",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "multipleOf",
    "pattern",
    "required",
    "type",
];

/// See the module.
#[derive(Serialize)]
pub(super) struct ResponseFormat {
    #[serde(rename = "type")]
    kind: &'static str,
    json_schema: JsonSchema,
}

#[derive(Serialize)]
struct JsonSchema {
    name: &'static str,
    /// Whether the server must hold the answer to it. Servers refuse that for a schema which they cannot hold, so it is asked only for the
    /// schemas that are known to work.
    strict: bool,
    schema: Value,
}

/// The form among the messages, if there is one.
///
/// # Errors
/// [`Failure::Option`] if it is no JSON schema any more, because redaction replaced something else than a text in it, or if there are several.
pub(super) fn response_format(payload: &Cleared) -> Result<Option<ResponseFormat>, Failure> {
    let mut forms = payload
        .messages()
        .iter()
        .filter(|message| message.speaker == Speaker::Form);
    let Some(form) = forms.next() else {
        return Ok(None);
    };
    let failure = Failure::Option { option: "form" };
    match (serde_json::from_str(&form.text), forms.next()) {
        (Ok(Value::Object(schema)), None) => Ok(Some(ResponseFormat {
            kind: "json_schema",
            json_schema: JsonSchema {
                name: NAME,
                strict: schema.get("type").is_some_and(|kind| kind == "object") && is_strict(&schema),
                schema: Value::Object(schema),
            },
        })),
        _ => Err(failure),
    }
}

/// Whether a schema is of the kind that servers hold strictly: nothing but known keywords, every property required, and no others allowed.
fn is_strict(schema: &Map<String, Value>) -> bool {
    let no_properties = Map::new();
    let properties = schema.get("properties").map_or(Some(&no_properties), Value::as_object);
    let Some(properties) = properties else { return false };
    let is_object = schema.contains_key("properties") || schema.get("type").is_some_and(|kind| kind == "object");
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &String| required.is_some_and(|required| required.iter().any(|one| one == name));
    let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    if is_object && !(is_closed && properties.keys().all(is_required)) {
        return false;
    }
    schema.iter().all(|(word, value)| match word.as_str() {
        "properties" | "$defs" => value.as_object().is_some_and(|schemas| all_strict(schemas.values())),
        "anyOf" => value.as_array().is_some_and(all_strict),
        "items" => all_strict([value]),
        word => STRICT_WORDS.contains(&word),
    })
}

fn all_strict<'v>(schemas: impl IntoIterator<Item = &'v Value>) -> bool {
    let strict = |schema: &Value| schema.as_object().is_some_and(is_strict);
    schemas.into_iter().all(strict)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strict_schemas_are_known() {
        let closed = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
        let text = json!({"type": "string"});
        let cases = [
            (closed(json!({"a": text}), json!(["a"])), true),
            (
                closed(json!({"a": {"enum": ["x", "y"], "description": "d"}}), json!(["a"])),
                true,
            ),
            (
                closed(
                    json!({"a": {"type": "array", "items": text, "maxItems": 3}}),
                    json!(["a"]),
                ),
                true,
            ),
            (
                closed(json!({"a": {"anyOf": [text, {"type": "null"}]}}), json!(["a"])),
                true,
            ),
            // Not required, open, open further in, and keywords that not every server knows.
            (closed(json!({"a": text}), json!([])), false),
            (
                json!({"type": "object", "properties": {"a": text}, "required": ["a"]}),
                false,
            ),
            (closed(json!({"a": {"type": "object"}}), json!(["a"])), false),
            (
                closed(json!({"a": {"type": "string", "maxLength": 5}}), json!(["a"])),
                false,
            ),
            (closed(json!({"a": {"allOf": [text]}}), json!(["a"])), false),
            (closed(json!({"a": true}), json!(["a"])), false),
            (closed(json!(7), json!(["a"])), false),
        ];
        for (schema, expected) in cases {
            assert_eq!(is_strict(schema.as_object().unwrap()), expected, "{schema}");
        }
    }
}
