//! Forms at endpoints: what an endpoint is told of the form, and what its answer has to be. An endpoint may keep to the form or not, so nothing of
//! its answer is shown before the whole answer was checked.

mod order;

use serde_json::{Map, Value, json};
use whimbrel_engine::{Form, json_on_one_line};
use whimbrel_privacy::Reidentifier;

use self::order::put_in_order;

/// The property that holds the choice: endpoints only take schemas of objects.
const CHOICE: &str = "choice";
/// The most tokens of what stands around a choice, with the blanks that an endpoint may write.
const AROUND_CHOICE_TOKENS: u32 = 32;
/// The keywords that only explain: no answer repeats their texts.
const EXPLAINING: [&str; 2] = ["description", "title"];
/// The keyword whose value is a regular expression, which is full of backslashes.
const PATTERN: &str = "pattern";

/// The schema of the form that an endpoint gets, as the JSON that is examined and cleared like a message. None for a form that has no schema, or one
/// in which something private could hide behind the escapes of JSON.
pub(crate) fn schema_text(form: &Form) -> Option<String> {
    let schema = match form {
        Form::Choice(choices) => json!({
            "type": "object",
            "properties": {CHOICE: {"enum": choices}},
            "required": [CHOICE],
            "additionalProperties": false,
        }),
        Form::JsonSchema(text) => match serde_json::from_str(text).ok()? {
            Value::Bool(true) => Value::Object(Map::new()),
            schema => schema,
        },
        Form::Regex(_) | Form::Grammar(_) => return None,
    };
    is_plain(&schema).then(|| json_on_one_line(&schema))
}

/// The tokens of an answer at an endpoint that are not part of the answer as it is shown.
pub(crate) fn further_tokens(form: &Form) -> u32 {
    match form {
        Form::Choice(_) => AROUND_CHOICE_TOKENS,
        Form::JsonSchema(_) | Form::Regex(_) | Form::Grammar(_) => 0,
    }
}

/// Whether what is private in a schema is found in its JSON like in a message. The scanner decodes the escapes of JSON, but not escapes within
/// escapes; and a value that stands behind escapes could not be put back into an answer.
pub(super) fn is_plain(schema: &Value) -> bool {
    let mut waiting = vec![(schema, "")];
    while let Some((value, keyword)) = waiting.pop() {
        match value {
            Value::String(_) if keyword == PATTERN => {}
            Value::String(text) if EXPLAINING.contains(&keyword) && !text.contains('\\') => {}
            Value::String(text) if is_escaped(text) => return false,
            Value::Array(values) => waiting.extend(values.iter().map(|value| (value, ""))),
            Value::Object(keys) if keys.keys().any(|key| is_escaped(key)) => return false,
            Value::Object(keys) => waiting.extend(keys.iter().map(|(key, value)| (value, key.as_str()))),
            _ => {}
        }
    }
    true
}

/// Whether JSON writes a text with escapes.
fn is_escaped(text: &str) -> bool {
    text.contains(|character: char| character.is_control() || ['"', '\\'].contains(&character))
}

/// Whether a redacted schema still is one: something else than a text may have been replaced in it.
pub(crate) fn is_schema(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Object(_)))
}

/// The answer of an endpoint that was told a form.
pub(crate) struct FormedAnswer {
    form: Form,
    reidentifier: Option<Reidentifier>,
    text: String,
}

impl FormedAnswer {
    pub(crate) fn new(form: Form, reidentifier: Option<Reidentifier>) -> FormedAnswer {
        FormedAnswer {
            form,
            reidentifier,
            text: String::new(),
        }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &str) {
        self.text.push_str(piece);
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.text.len() as u64
    }

    /// The answer as it is shown, with redacted values put back and written as an answer of this device would be. None if it does not have the form.
    pub(crate) fn finish(self) -> Option<String> {
        let mut value: Value = serde_json::from_str(&self.text).ok()?;
        if let Some(reidentifier) = &self.reidentifier {
            put_back(&mut value, reidentifier);
        }
        let text = match &self.form {
            Form::Choice(_) => match value {
                Value::Object(mut keys) if keys.len() == 1 => match keys.remove(CHOICE)? {
                    Value::String(choice) => choice,
                    _ => return None,
                },
                _ => return None,
            },
            Form::JsonSchema(schema) => {
                put_in_order(&mut value, &serde_json::from_str(schema).ok()?);
                json_on_one_line(&value)
            }
            Form::Regex(_) | Form::Grammar(_) => return None,
        };
        self.form.accepts(&text).is_ok_and(|accepts| accepts).then_some(text)
    }
}

/// Puts redacted values back into the texts and keys of a value, where they need no escapes.
fn put_back(value: &mut Value, reidentifier: &Reidentifier) {
    let whole = |text: &str| {
        let mut reidentifier = reidentifier.clone();
        let first = reidentifier.push(text);
        first + &reidentifier.finish()
    };
    match value {
        Value::String(text) => *text = whole(text),
        Value::Array(values) => values.iter_mut().for_each(|value| put_back(value, reidentifier)),
        Value::Object(keys) => {
            let old = std::mem::take(keys);
            keys.extend(old.into_iter().map(|(key, mut value)| {
                put_back(&mut value, reidentifier);
                (whole(&key), value)
            }));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(form: &Form, text: &str) -> Option<String> {
        let mut answer = FormedAnswer::new(form.clone(), None);
        let (first, second) = text.split_at(text.len() / 2);
        answer.push(first);
        answer.push(second);
        answer.finish()
    }

    #[test]
    fn an_answer_is_shown_as_this_device_writes_it() {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "sizes": {"type": "array", "items": {"$ref": "#/$defs/size"}},
            },
            "required": ["name", "sizes"],
            "additionalProperties": false,
            "$defs": {"size": {
                "type": "object",
                "properties": {"width": {"type": "integer"}, "height": {"type": "integer"}},
                "required": ["width", "height"],
                "additionalProperties": false,
            }},
        });
        let form = Form::JsonSchema(schema.to_string());
        let expected = r#"{"name": "ö\" ", "sizes": [{"width": 1, "height": 2}]}"#;
        let cases = [
            (expected, Some(expected)),
            (
                "\n{\"sizes\":[{\"height\":2,\"width\":1}],\n  \"name\":\"\\u00f6\\\" \"}\n",
                Some(expected),
            ),
            (r#"{"name": "x"}"#, None),
            (r#"{"name": "x", "sizes": [], "more": 1}"#, None),
            (r#"{"name": "x", "sizes": [{"width": 1.5, "height": 2}]}"#, None),
            (r#"{"name": "x", "sizes": []"#, None),
            ("```json\n{\"name\": \"x\", \"sizes\": []}\n```", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(finish(&form, text).as_deref(), expected, "{text}");
        }
        let nested = "[".repeat(100_000);
        assert_eq!(finish(&form, &nested), None);
    }

    #[test]
    fn a_choice_goes_and_comes_in_an_object() {
        let form = Form::Choice(vec!["yes".to_owned(), "not now".to_owned()]);
        let text = schema_text(&form).unwrap();
        assert!(text.contains(r#"{"choice": {"enum": ["yes", "not now"]}}"#), "{text}");
        let cases = [
            (r#"{"choice": "yes"}"#, Some("yes")),
            (r#"{"choice":"not \u006eow"}"#, Some("not now")),
            (r#"{"choice": "no"}"#, None),
            (r#"{"choice": 7}"#, None),
            (r#"{"choice": "yes", "because": "x"}"#, None),
            (r#""yes""#, None),
            ("yes", None),
        ];
        for (text, expected) in cases {
            assert_eq!(finish(&form, text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn nothing_hides_behind_escapes() {
        let check = |schema: &str, expected: Option<&str>| {
            let text = schema_text(&Form::JsonSchema(schema.to_owned()));
            assert_eq!(text.as_deref(), expected, "{schema}");
        };
        check("true", Some("{}"));
        check(r#"{"const": "\u0061nna"}"#, Some(r#"{"const": "anna"}"#));
        check(
            r#"{"description": "The \"best\"\nname", "enum": ["a b"]}"#,
            Some(r#"{"description": "The \"best\"\nname", "enum": ["a b"]}"#),
        );
        check(r#"{"pattern": "\\d{4}"}"#, Some(r#"{"pattern": "\\d{4}"}"#));
        check(r#"{"enum": ["a\\b"]}"#, None);
        check(r#"{"enum": ["a\tb"]}"#, None);
        check(r#"{"description": "a\\b"}"#, None);
        check(r#"{"properties": {"a\"b": true}}"#, None);
        assert_eq!(schema_text(&Form::Regex("a".to_owned())), None);
        assert_eq!(schema_text(&Form::Grammar("start: \"a\"".to_owned())), None);
    }
}
