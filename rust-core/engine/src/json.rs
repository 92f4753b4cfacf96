//! JSON on one line, in the way of Python's `json.dumps`: what chat templates print, and how answers under a form are written.

use std::io;

use serde_json::Value;
use serde_json::ser::Formatter;

/// One line with a space after each comma and colon.
pub(crate) struct OneLine;

impl Formatter for OneLine {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// A value as an answer under a [`crate::Form::JsonSchema`] writes it. Keys keep their order.
///
/// ```
/// let value = serde_json::json!({"b": [1, 2], "a": "x"});
/// assert_eq!(whimbrel_engine::json_on_one_line(&value), r#"{"b": [1, 2], "a": "x"}"#);
/// ```
#[must_use]
pub fn json_on_one_line(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, OneLine);
    serde::Serialize::serialize(value, &mut serializer).expect("a value has a JSON form");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}
