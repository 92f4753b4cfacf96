//! Tools as chat completions take them: the field `tools`, and earlier calls with their results among the messages. Pure.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use whimbrel_privacy::{Cleared, DraftMessage, Speaker};

use super::calls::is_tool_name;
use super::tidy::tidy;
use crate::Failure;

const FUNCTION: &str = "function";
/// Redaction replaced something else than a text, or the tools were none before.
const FAILURE: Failure = Failure::Option { option: "tools" };

/// A tool that the model may call.
#[derive(Serialize)]
pub(super) struct Tool {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function,
}

#[derive(Deserialize, Serialize)]
struct Function {
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    parameters: Map<String, Value>,
}

/// A call in a message of the assistant.
#[derive(Serialize)]
pub(super) struct ToolCall {
    pub(super) id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: CalledFunction,
}

#[derive(Serialize)]
struct CalledFunction {
    name: String,
    /// JSON in a text.
    arguments: String,
}

/// The text of a call.
#[derive(Deserialize)]
struct Call {
    name: String,
    arguments: Map<String, Value>,
}

/// The tools among the messages, if there are some.
///
/// # Errors
/// [`Failure::Option`] if it is no list of tools with different names any more, because redaction replaced something else than a text in it, or if
/// there are several lists.
pub(super) fn tools(payload: &Cleared) -> Result<Vec<Tool>, Failure> {
    let mut lists = payload
        .messages()
        .iter()
        .filter(|message| message.speaker == Speaker::Tools);
    let Some(list) = lists.next() else {
        return Ok(Vec::new());
    };
    let functions: Vec<Function> = json(&list.text)?;
    let names = functions.iter().map(|function| function.name.as_str());
    let is_named =
        |(place, name): (usize, &str)| is_tool_name(name) && !names.clone().take(place).any(|other| other == name);
    if lists.next().is_some() || !names.clone().enumerate().all(is_named) {
        return Err(FAILURE);
    }
    let tool = |function| Tool {
        kind: FUNCTION,
        function,
    };
    Ok(functions.into_iter().map(tool).collect())
}

/// How many of the calls that these messages begin with have a result: the results follow the calls in the same order.
pub(super) fn answered_calls(messages: &[DraftMessage]) -> AnsweredCalls {
    let of = |messages: &[DraftMessage], speaker| {
        let others = messages.iter().position(|message| message.speaker != speaker);
        others.unwrap_or(messages.len())
    };
    let calls = of(messages, Speaker::Call);
    AnsweredCalls {
        calls,
        results: of(&messages[calls..], Speaker::Tool).min(calls),
    }
}

/// See [`answered_calls`].
pub(super) struct AnsweredCalls {
    /// Calls in a row.
    pub(super) calls: usize,
    /// Results behind them, one for each of the first calls.
    pub(super) results: usize,
}

/// A call as the field `tool_calls` takes it. `number` counts the calls of the request from 1.
///
/// # Errors
/// [`Failure::Option`] if it is no call any more, because redaction replaced something else than a text in it.
pub(super) fn tool_call(message: &DraftMessage, number: u32) -> Result<ToolCall, Failure> {
    let call: Call = json(&message.text)?;
    if !is_tool_name(&call.name) {
        return Err(FAILURE);
    }
    Ok(ToolCall {
        id: call_id(number),
        kind: FUNCTION,
        function: CalledFunction {
            name: call.name,
            arguments: Value::Object(call.arguments).to_string(),
        },
    })
}

/// Mistral's models take only ids of nine letters and digits; every other server takes them too.
pub(super) fn call_id(number: u32) -> String {
    format!("call{number:05}")
}

/// Reads JSON whose strings may hold line breaks and tabs as themselves.
fn json<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    let read = |text: &str| serde_json::from_str(text).map_err(|_| FAILURE);
    read(text).or_else(|failure| read(&tidy(text).ok_or(failure)?))
}
