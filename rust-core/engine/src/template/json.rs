//! The `tojson` filter as chat templates expect it: the output of Python's `json.dumps`, not escaped for HTML.

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;

use super::Limited;
use crate::json::OneLine;

/// The widest indentation, in spaces.
const INDENT_MAX: u32 = 16;

/// `value | tojson(indent, ensure_ascii, separators, sort_keys)`. Keys keep their order; the last two have no effect.
///
/// # Errors
/// An invalid operation if the value has no JSON form or an argument is unknown.
pub(super) fn tojson(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<u32> = options.get("indent")?;
    let ensure_ascii: Option<bool> = options.get("ensure_ascii")?;
    let _separators: Option<Value> = options.get("separators")?;
    let _sort_keys: Option<bool> = options.get("sort_keys")?;
    options.assert_all_used()?;
    // A short value may have a long form: lists that hold the same list twice, again and again.
    let mut out = Limited::default();
    let written = match indent {
        Some(indent) => {
            let indent = " ".repeat(indent.min(INDENT_MAX) as usize);
            let formatter = PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, OneLine)),
    };
    written.map_err(|_| {
        Error::new(
            ErrorKind::InvalidOperation,
            "the value has no JSON form, or its JSON is too long",
        )
    })?;
    let text = String::from_utf8(out.bytes).expect("JSON is UTF-8");
    let text = if ensure_ascii == Some(true) {
        escape(&text)
    } else {
        text
    };
    Ok(Value::from_safe_string(text))
}

/// Everything beyond ASCII as `\uXXXX`, in UTF-16. It only stands inside strings.
fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            let mut units = [0; 2];
            out.extend(
                character
                    .encode_utf16(&mut units)
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}")),
            );
        }
    }
    out
}
