//! Tools at endpoints: what an endpoint is told of them, and whether what it calls may be called. An endpoint may call what it likes, so nothing is
//! called before it was checked.

use serde_json::{Value, json};
use whimbrel_engine::{Form, ToolCall, ToolUse, json_on_one_line};
use whimbrel_privacy::{Reidentifier, Speaker, with_plain_breaks};

use super::remote_form::{FormedAnswer, is_plain};

/// What tools say, as texts that are examined like messages.
pub(crate) struct Told {
    /// Calls and results, and the tools last, as an endpoint is told them.
    pub(crate) texts: Vec<(Speaker, String)>,
    /// Whether an endpoint can be told. It cannot if something private could hide behind the escapes of JSON; then the texts are as they are.
    pub(crate) can_leave: bool,
}

/// What these tools say.
pub(crate) fn told(tools: &ToolUse) -> Told {
    let mut can_leave = true;
    let mut texts = Vec::with_capacity(2 * tools.steps.len() + 1);
    for step in &tools.steps {
        let arguments: Value = serde_json::from_str(&step.call.arguments).unwrap_or_default();
        let call = without_escapes(arguments).map(|arguments| json!({"name": step.call.name, "arguments": arguments}));
        can_leave &= call.is_some();
        let call = call.map_or_else(
            || step.call.arguments.clone(),
            |call| with_plain_breaks(&json_on_one_line(&call)),
        );
        texts.push((Speaker::Call, call));
        can_leave &= !serde_json::from_str(&step.result).is_ok_and(|result| has_backslash(&result));
        texts.push((Speaker::Tool, step.result.clone()));
    }
    let listed: Option<Value> = tools.tools.iter().map(listed).collect();
    can_leave &= listed.is_some();
    let listed = match listed {
        Some(listed) => with_plain_breaks(&json_on_one_line(&listed)),
        None => {
            let texts = tools
                .tools
                .iter()
                .flat_map(|tool| [tool.description.as_str(), tool.parameters.as_str()]);
            texts.collect::<Vec<_>>().join("\n")
        }
    };
    texts.push((Speaker::Tools, listed));
    Told { texts, can_leave }
}

fn listed(tool: &whimbrel_engine::Tool) -> Option<Value> {
    let parameters: Value = serde_json::from_str(&tool.parameters).ok()?;
    let description = plain(&tool.description)?;
    is_plain(&parameters).then(|| json!({"name": tool.name, "description": description, "parameters": parameters}))
}

/// Arguments that were called before, as JSON without escapes but those of line breaks: what is private in them is then found as in any text.
fn without_escapes(value: Value) -> Option<Value> {
    Some(match value {
        Value::String(text) => plain(&text)?.into(),
        Value::Array(values) => values.into_iter().map(without_escapes).collect::<Option<_>>()?,
        Value::Object(keys) => {
            let keys = keys.into_iter();
            let plain = keys.map(|(key, value)| Some((plain(&key)?, without_escapes(value)?)));
            Value::Object(plain.collect::<Option<_>>()?)
        }
        value => value,
    })
}

/// Whether a text in JSON has a backslash: what it hides is behind escapes within escapes.
fn has_backslash(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\\'),
        Value::Array(values) => values.iter().any(has_backslash),
        Value::Object(keys) => keys
            .iter()
            .any(|(key, value)| key.contains('\\') || has_backslash(value)),
        _ => false,
    }
}

/// A text that JSON writes without escapes but those of line breaks. None for one with a backslash or another control character: what is written
/// with these is found only where they stay as they are.
fn plain(text: &str) -> Option<String> {
    let plain = text.chars().map(|character| match character {
        '"' => Some('\''),
        '\\' => None,
        '\n' | '\r' | '\t' => Some(character),
        character if character.is_control() => None,
        character => Some(character),
    });
    plain.collect()
}

/// A call of a tool that was offered, with arguments that the tool takes, written as this device writes them and with the values put back that were
/// replaced on the way. None for any other call.
pub(crate) fn checked(call: ToolCall, tools: &ToolUse, reidentifier: Option<Reidentifier>) -> Option<ToolCall> {
    let tool = tools.find(&call.name)?;
    let mut arguments = FormedAnswer::new(Form::JsonSchema(tool.parameters.clone()), reidentifier);
    arguments.push(&call.arguments);
    Some(ToolCall {
        name: call.name,
        arguments: arguments.finish()?,
    })
}
