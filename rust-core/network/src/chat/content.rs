//! The content of a choice: its text, and whether the model thought, refused or called a tool. OpenAI writes the text as one string; others
//! write lists of parts. Pure.

use serde_json::{Map, Value};

use super::calls::{CallPiece, take_calls};
use super::finish::FinishReason;
use crate::Failure;

/// Fields in which servers send what a model thinks before it answers. Several may hold the same text.
const THINKING_FIELDS: [&str; 6] = [
    "reasoning_content",
    "reasoning",
    "thinking",
    "reasoning_text",
    "thought",
    "reasoning_details",
];
/// Kinds of parts that hold thoughts.
const THINKING_KINDS: [&str; 3] = ["thinking", "reasoning", "thought"];
/// Fields of a part under which its words stand.
const WORD_FIELDS: [&str; 6] = ["text", "content", "thinking", "reasoning", "summary", "value"];

/// What the choices of one chunk say.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) thinking: String,
    pub(super) is_refused: bool,
    pub(super) calls_tool: bool,
    pub(super) calls: Vec<CallPiece>,
    pub(super) finish_reason: Option<FinishReason>,
    /// The text came as a difference to what was said before.
    pub(super) is_delta: bool,
}

/// Whether a value holds nothing: no text, no number but 0, and nothing inside.
pub(super) fn is_void(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.iter().all(is_void),
        Value::Object(fields) => fields.values().all(is_void),
    }
}

/// A field that holds something.
pub(super) fn field<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.get(name).filter(|value| !is_void(value))
}

/// Which of several answers a choice belongs to. A server that does not say so, or says it in an unknown way, means the place in its list.
pub(super) fn index(choice: &Map<String, Value>, place: u64) -> u64 {
    match choice.get("index") {
        Some(Value::Number(number)) => number.as_u64().or_else(|| {
            number
                .as_f64()
                .filter(|number| *number >= 0.0)
                .map(|number| number as u64)
        }),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    }
    .unwrap_or(place)
}

impl Said {
    /// Takes in a choice. `takes_whole` is whether a whole message may be read: not behind differences, which it would repeat.
    pub(super) fn take_choice(&mut self, choice: &Map<String, Value>, takes_whole: bool) -> Result<(), Failure> {
        let reason = choice.get("finish_reason").and_then(Value::as_str);
        self.finish_reason = reason.and_then(FinishReason::from_word).or(self.finish_reason);
        let before = self.text.len();
        let delta = choice.get("delta").filter(|delta| !is_nothing(delta));
        match (delta, field(choice, "message"), choice.get("text")) {
            (Some(delta), ..) => {
                self.take_message(delta, false)?;
                self.is_delta |= self.text.len() > before;
                Ok(())
            }
            (None, Some(message), _) if takes_whole => self.take_message(message, true),
            // Completions as they were before chat.
            (None, None, Some(text)) => self.take_content(text),
            _ => Ok(()),
        }
    }

    fn take_message(&mut self, message: &Value, is_whole: bool) -> Result<(), Failure> {
        let Value::Object(message) = message else {
            return self.take_content(message);
        };
        if let Some(thoughts) = THINKING_FIELDS.iter().find_map(|name| field(message, name)) {
            take_words(thoughts, &mut self.thinking);
        }
        self.is_refused |= field(message, "refusal").is_some();
        self.calls_tool |= take_calls(message, is_whole, &mut self.calls);
        message
            .get("content")
            .map_or(Ok(()), |content| self.take_content(content))
    }

    /// A text, a part of one, or a list of parts.
    fn take_content(&mut self, content: &Value) -> Result<(), Failure> {
        match content {
            Value::Null => Ok(()),
            Value::String(text) => {
                self.text.push_str(text);
                Ok(())
            }
            Value::Array(parts) => parts.iter().try_for_each(|part| self.take_content(part)),
            Value::Object(part) => self.take_part(part),
            // It may stand for text, and nobody knows which.
            Value::Bool(_) | Value::Number(_) => Err(Failure::Malformed { what: "JSON" }),
        }
    }

    fn take_part(&mut self, part: &Map<String, Value>) -> Result<(), Failure> {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        if THINKING_KINDS.iter().any(|thinking| kind.contains(thinking)) {
            take_words_of(part, &mut self.thinking);
            return Ok(());
        }
        self.is_refused |= kind == "refusal" || field(part, "refusal").is_some();
        self.calls_tool |= ["tool_use", "tool_call", "function_call"].contains(&kind);
        match part.get("text") {
            // Some wrap the text once more.
            Some(Value::Object(text)) => text.get("value").map_or(Ok(()), |value| self.take_content(value)),
            Some(text) => self.take_content(text),
            // A picture, a source, or nothing.
            None => Ok(()),
        }
    }
}

/// No value at all, or an object without fields.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

/// Adds the words in thoughts to a text.
fn take_words(thoughts: &Value, words: &mut String) {
    match thoughts {
        Value::String(text) => words.push_str(text),
        Value::Array(parts) => parts.iter().for_each(|part| take_words(part, words)),
        Value::Object(part) => take_words_of(part, words),
        _ => {}
    }
}

fn take_words_of(part: &Map<String, Value>, words: &mut String) {
    let fields = WORD_FIELDS.iter().filter_map(|name| part.get(*name));
    fields.for_each(|field| take_words(field, words));
}
