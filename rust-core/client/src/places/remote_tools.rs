//! Tools at endpoints: what an endpoint is told of them, and whether what it calls may be called. An endpoint may call what it likes, so nothing is
//! called before it was checked.

use serde_json::{Value, json};
use whimbrel_engine::{Form, ToolCall, ToolUse, json_on_one_line};
use whimbrel_privacy::{Reidentifier, Speaker, with_plain_breaks};

use super::remote_form::{FormedAnswer, is_plain};

/// What an endpoint is told of tools, as texts that are examined and cleared like messages: calls and results, and the tools last. None if something
/// private could hide in it behind the escapes of JSON.
pub(crate) fn told(tools: &ToolUse) -> Option<Vec<(Speaker, String)>> {
    let mut told = Vec::with_capacity(2 * tools.steps.len() + 1);
    for step in &tools.steps {
        let arguments: Value = serde_json::from_str(&step.call.arguments).ok()?;
        let call = json!({"name": step.call.name, "arguments": without_escapes(arguments)?});
        told.push((Speaker::Call, with_plain_breaks(&json_on_one_line(&call))));
        told.push((Speaker::Tool, step.result.clone()));
    }
    let listed: Value = tools.tools.iter().map(listed).collect::<Option<_>>()?;
    told.push((Speaker::Tools, with_plain_breaks(&json_on_one_line(&listed))));
    Some(told)
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
