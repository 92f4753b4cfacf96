//! The form of a call of a tool, as a grammar: the marks around it, the tools' names, and arguments by their schemas.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::form::{Form, prepared_schema};
use super::{Constraint, Vocabulary};
use crate::json::json_on_one_line;
use crate::template::CallBody;
use crate::{CallFormat, EngineError, Tokenizer, Tool, ToolChoice, ToolUse};

/// Holds a model to calls of some tools.
pub(crate) struct CallConstraint {
    /// The token that begins every call, if it is a single one.
    pub(crate) mark: Option<u32>,
    /// Without such a token: what every call begins with.
    pub(crate) opening: String,
    /// A call, from its mark on. Without a mark the answer from its beginning, which may be a call.
    pub(crate) constraint: Constraint,
}

impl CallConstraint {
    /// # Errors
    /// [`EngineError::Tool`]; [`EngineError::Form`] for tools that are too complex together.
    pub(crate) fn new(
        vocabulary: &Arc<Vocabulary>,
        format: &CallFormat,
        tools: &ToolUse,
    ) -> Result<CallConstraint, EngineError> {
        let mut grammar = Grammar {
            tokenizer: vocabulary.tokenizer(),
            rules: String::new(),
            tokens: Vec::new(),
        };
        let open = format.open.trim_start();
        let (begins, ends) = (grammar.marked(open), grammar.marked(&format.close));
        let mut bodies = Vec::with_capacity(tools.tools.len());
        for (index, tool) in tools.tools.iter().enumerate() {
            bodies.push(grammar.call(&format.body, tool, index)?);
        }
        let mark = grammar.mark(open);
        let opening = match &format.body {
            CallBody::Json { name, .. } => format!("{open}{{{}: ", quoted(name)),
            CallBody::Python => open.to_owned(),
        };
        let start = match (tools.choice, mark) {
            (ToolChoice::Required, _) | (_, Some(_)) => "call",
            (ToolChoice::Auto, None) => "call | TEXT",
            (ToolChoice::None, None) => "TEXT",
        };
        let mut text = format!("start: {start}\ncall: {begins} ({}) {ends}\n", bodies.join(" | "));
        if start.ends_with("TEXT") {
            // Not even the beginning of a call, so that one that is cut off or malformed is never taken for an answer.
            let _ = writeln!(text, "TEXT: /(?s:.+)/ & ~/(?s:{}.*)/", escaped(&opening));
        }
        text += &grammar.rules;
        Ok(CallConstraint {
            mark,
            opening,
            constraint: Constraint::with_tokens(vocabulary, &Form::Grammar(text), &grammar.tokens)?,
        })
    }
}

/// A grammar in llguidance's variant of Lark while it is written.
struct Grammar<'t> {
    tokenizer: &'t Tokenizer,
    rules: String,
    /// The special tokens in it.
    tokens: Vec<u32>,
}

impl Grammar<'_> {
    /// A text in which special tokens stand for themselves.
    fn marked(&mut self, text: &str) -> String {
        let (mut parts, mut plain) = (Vec::new(), Vec::new());
        for id in self.tokenizer.encode(text, true) {
            if self.tokenizer.is_normal(id) {
                plain.extend_from_slice(self.tokenizer.decode_bytes(id));
                continue;
            }
            parts.extend(literal(&std::mem::take(&mut plain)));
            parts.push(format!("<[{id}]>"));
            self.tokens.push(id);
        }
        parts.extend(literal(&plain));
        parts.join(" ")
    }

    /// The special token that a text begins with.
    fn mark(&self, text: &str) -> Option<u32> {
        let first = self.tokenizer.encode(text, true).first().copied();
        first.filter(|id| !self.tokenizer.is_normal(*id))
    }

    /// What a call of a tool consists of between the marks.
    fn call(&mut self, body: &CallBody, tool: &Tool, index: usize) -> Result<String, EngineError> {
        let schema = prepared_schema(&tool.parameters).map_err(|_| malformed(tool))?;
        match body {
            CallBody::Json { name, arguments } => {
                let rule = format!("arguments{index}");
                let _ = writeln!(self.rules, "{rule}: %json {schema}");
                let before = format!("{{{}: {}, {}: ", quoted(name), quoted(&tool.name), quoted(arguments));
                Ok(format!("{} {rule} \"}}\"", quoted(&before)))
            }
            CallBody::Python => {
                let first = self.named_arguments(&schema, tool, index)?;
                Ok(format!("{} {first} \")\"", quoted(&format!("{}(", tool.name))))
            }
        }
    }

    /// The rules for named arguments in the order of the schema, and the name of the first.
    fn named_arguments(&mut self, schema: &Value, tool: &Tool, index: usize) -> Result<String, EngineError> {
        let none = Map::new();
        let schema = schema.as_object().unwrap_or(&none);
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |key: &str| required.is_some_and(|required| required.iter().any(|one| one == key));
        for (place, (key, value)) in properties.iter().enumerate() {
            if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(EngineError::Tool {
                    name: tool.name.clone(),
                    reason: format!("this model cannot name the argument {key:?}"),
                });
            }
            let mut value = value.clone();
            if let Value::Object(value) = &mut value {
                // What its references lead to stands beside the properties.
                let shared = ["$defs", "definitions", "x-guidance"];
                let shared = shared
                    .iter()
                    .filter_map(|key| Some(((*key).to_owned(), schema.get(*key)?.clone())));
                value.extend(shared);
            }
            let _ = writeln!(self.rules, "value{index}x{place}: %json {value}");
            for (state, separator) in [("first", ""), ("more", ", ")] {
                let named = quoted(&format!("{separator}{key}="));
                let skipped = match is_required(key) {
                    true => String::new(),
                    false => format!(" | {state}{index}x{}", place + 1),
                };
                let _ = writeln!(
                    self.rules,
                    "{state}{index}x{place}: {named} value{index}x{place} more{index}x{}{skipped}",
                    place + 1
                );
            }
        }
        for state in ["first", "more"] {
            let _ = writeln!(self.rules, "{state}{index}x{}: \"\"", properties.len());
        }
        Ok(format!("first{index}x0"))
    }
}

fn malformed(tool: &Tool) -> EngineError {
    EngineError::Tool {
        name: tool.name.clone(),
        reason: "its parameters must be a JSON Schema".into(),
    }
}

/// A text as JSON and Lark write it.
fn quoted(text: &str) -> String {
    json_on_one_line(&text.into())
}

fn literal(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| quoted(&String::from_utf8_lossy(bytes)))
}

/// A text as a regular expression that matches only it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(2 * text.len());
    for character in text.chars() {
        match character {
            '\n' => escaped += "\\n",
            character if character.is_alphanumeric() || character == ' ' || character == '_' => escaped.push(character),
            character if character.is_ascii() => {
                let _ = write!(escaped, "\\x{:02x}", u32::from(character));
            }
            character => escaped.push(character),
        }
    }
    escaped
}
