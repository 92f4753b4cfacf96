//! Builds the JSON of a request from cleared text and the options that chat completions support. Pure.

use std::borrow::Cow;

use serde::Serialize;
use whimbrel_privacy::{Cleared, DraftMessage, QUESTIONS_JOINT, Speaker};

use crate::Failure;
use crate::chat::form::{ResponseFormat, response_format};
use crate::chat::tools::{AnsweredCalls, Tool, ToolCall, answered_calls, call_id, tool_call, tools};
use crate::http::endpoint::{Endpoint, is_name};
use crate::http::settings::TokenLimitField;

/// Maximum length of a request id in bytes.
pub const REQUEST_ID_BYTES_MAX: u32 = 64;
/// Maximum number of stop strings.
pub const STOPS_MAX: u32 = 4;
/// Maximum length of a stop string in bytes.
pub const STOP_BYTES_MAX: u32 = 256;

const ASSISTANT: &str = "assistant";

/// The options of a request. They are not scanned for personal data, so use only values of the app.
///
/// The chat completions of OpenAI's API have no field for `top_k`, `min_p` or a repetition penalty, and many servers refuse unknown fields.
/// Such options cannot be sent; a caller that has them must report them as unsupported.
///
/// ```
/// use whimbrel_network::ChatOptions;
///
/// let options = ChatOptions {
///     max_tokens: Some(256),
///     temperature: Some(0.0),
///     seed: Some(7),
///     ..ChatOptions::new("request-1")
/// };
/// assert_eq!(options.top_p, None);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ChatOptions {
    /// Sent as `Idempotency-Key`, the same in every attempt: 1 to 64 letters, digits, `.`, `_` and `-`. It must be unique to the request.
    pub request_id: String,
    /// Maximum tokens of the answer, 1 or more.
    pub max_tokens: Option<u32>,
    /// 0 to 2.
    pub temperature: Option<f32>,
    /// Above 0, up to 1.
    pub top_p: Option<f32>,
    /// Stop strings: at most 4 of 1 to 256 bytes. They must be constants of the app, never a user's text.
    pub stop: Vec<String>,
    /// Sent as `seed`. A server that supports it tries to give the same answer to the same request, without a guarantee.
    pub seed: Option<i64>,
    /// Whether the model may call the tools of the request. `false` sends `"tool_choice": "none"` if there are tools; a call that comes nevertheless
    /// gives no event.
    pub may_call: bool,
    /// Whether it must call one (`"tool_choice": "required"`).
    pub must_call: bool,
    /// Maximum wait before a retry, in milliseconds. Use a shorter wait if there is another place to ask. `None` uses
    /// [`RETRY_AFTER_MS_MAX`](crate::RETRY_AFTER_MS_MAX). Not sent.
    pub wait_ms_max: Option<u64>,
}

impl ChatOptions {
    /// No options except the request's id.
    #[must_use]
    pub fn new(request_id: &str) -> ChatOptions {
        ChatOptions {
            request_id: request_id.to_owned(),
            max_tokens: None,
            temperature: None,
            top_p: None,
            stop: Vec::new(),
            seed: None,
            may_call: true,
            must_call: false,
            wait_ms_max: None,
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let stops = &self.stop;
        let stop_fits = |stop: &String| (1..=STOP_BYTES_MAX as usize).contains(&stop.len());
        let wrong = if !is_name(&self.request_id, REQUEST_ID_BYTES_MAX) {
            "request_id"
        } else if self.max_tokens == Some(0) {
            "max_tokens"
        } else if self.temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
            "temperature"
        } else if self.top_p.is_some_and(|value| !(value > 0.0 && value <= 1.0)) {
            "top_p"
        } else if stops.len() > STOPS_MAX as usize || !stops.iter().all(stop_fits) {
            "stop"
        } else {
            return Ok(());
        };
        Err(Failure::Option { option: wrong })
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<RequestMessage<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat>,
}

#[derive(Serialize)]
struct RequestMessage<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
    /// `null` beside calls without text: some templates of models take an empty text for an answer.
    content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
}

impl<'a> RequestMessage<'a> {
    fn new(role: &'static str, content: &'a str) -> RequestMessage<'a> {
        RequestMessage {
            role,
            content: Some(Cow::Borrowed(content)),
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The messages that somebody said. Questions in a row, of which nobody answered the first ones, are one message: the template of a server's model may refuse two of
/// one speaker.
fn messages(payload: &Cleared) -> Result<Vec<RequestMessage<'_>>, Failure> {
    let mut messages: Vec<RequestMessage<'_>> = Vec::with_capacity(payload.messages().len());
    let mut calls_sent = 0;
    let mut rest = payload.messages();
    while let Some((message, after)) = rest.split_first() {
        if message.speaker == Speaker::Call {
            rest = add_calls(rest, &mut calls_sent, &mut messages)?;
            continue;
        }
        rest = after;
        // An empty system message says that there is none.
        if message.speaker == Speaker::System && message.text.is_empty() {
            continue;
        }
        let Some(role) = role(message.speaker) else { continue };
        match messages.last_mut().filter(|last| last.role == role) {
            Some(RequestMessage {
                content: Some(content), ..
            }) if message.speaker == Speaker::User => {
                let content = content.to_mut();
                content.push_str(QUESTIONS_JOINT);
                content.push_str(&message.text);
            }
            _ => messages.push(RequestMessage::new(role, &message.text)),
        }
    }
    Ok(messages)
}

/// Adds the calls that `rest` begins with, as one message, and their results. Returns what follows. Servers refuse a call without a result, so it
/// is left out.
fn add_calls<'a>(
    rest: &'a [DraftMessage],
    calls_sent: &mut u32,
    messages: &mut Vec<RequestMessage<'a>>,
) -> Result<&'a [DraftMessage], Failure> {
    let AnsweredCalls { calls, results } = answered_calls(rest);
    let (called, rest) = rest.split_at(calls);
    let (results, rest) = rest.split_at(results);
    let first = *calls_sent + 1;
    let tool_calls: Vec<ToolCall> = (first..)
        .zip(called.iter().take(results.len()))
        .map(|(number, call)| tool_call(call, number))
        .collect::<Result<_, _>>()?;
    if tool_calls.is_empty() {
        return Ok(rest);
    }
    *calls_sent += tool_calls.len() as u32;
    // What the assistant said before it called belongs to the same message.
    let said = messages.pop_if(|last| last.role == ASSISTANT && last.tool_calls.is_empty());
    messages.push(RequestMessage {
        role: ASSISTANT,
        content: said.and_then(|said| said.content).filter(|content| !content.is_empty()),
        tool_calls,
        tool_call_id: None,
    });
    messages.extend((first..).zip(results).map(|(number, result)| RequestMessage {
        tool_call_id: Some(call_id(number)),
        ..RequestMessage::new("tool", &result.text)
    }));
    Ok(rest)
}

/// A request as it is sent.
#[derive(Debug)]
pub(crate) struct RequestBody {
    pub(crate) json: Vec<u8>,
    /// The model may call tools.
    pub(crate) takes_calls: bool,
}

/// The body of the request.
pub(crate) fn request_body(
    endpoint: &Endpoint,
    payload: &Cleared,
    options: &ChatOptions,
) -> Result<RequestBody, Failure> {
    options.check()?;
    let settings = endpoint.settings();
    let messages = messages(payload)?;
    if messages.is_empty() {
        return Err(Failure::NoMessage);
    }
    let (max_tokens, max_completion_tokens) = match settings.token_limit_field {
        TokenLimitField::MaxTokens => (options.max_tokens, None),
        TokenLimitField::MaxCompletionTokens => (None, options.max_tokens),
    };
    let tools = tools(payload)?;
    let has_tools = !tools.is_empty();
    let request = Request {
        model: &settings.model,
        messages,
        stream: true,
        stream_options: settings.ask_usage.then_some(StreamOptions { include_usage: true }),
        max_tokens,
        max_completion_tokens,
        temperature: options.temperature,
        top_p: options.top_p,
        stop: &options.stop,
        seed: options.seed,
        tools,
        tool_choice: match (options.may_call, options.must_call) {
            _ if !has_tools => None,
            (false, _) => Some("none"),
            (true, true) => Some("required"),
            (true, false) => None,
        },
        response_format: response_format(payload)?,
    };
    let json = serde_json::to_vec(&request).expect("strings and finite numbers are JSON");
    let (bytes, bytes_max) = (json.len() as u64, u64::from(settings.request_bytes_max));
    if bytes > bytes_max {
        return Err(Failure::RequestTooLarge { bytes, bytes_max });
    }
    Ok(RequestBody {
        json,
        takes_calls: has_tools && options.may_call,
    })
}

/// A tool's result without a call goes as the user's: the role `tool` belongs to a call. The form of the answer and the tools are said by nobody, and
/// calls are added by [`add_calls`].
fn role(speaker: Speaker) -> Option<&'static str> {
    match speaker {
        Speaker::System => Some("system"),
        Speaker::User | Speaker::Tool => Some("user"),
        Speaker::Assistant => Some(ASSISTANT),
        Speaker::Form | Speaker::Call | Speaker::Tools => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_ranges() {
        let check = |change: fn(&mut ChatOptions), wrong: Option<&'static str>| {
            let mut options = ChatOptions::new("r-1");
            change(&mut options);
            let expected = wrong.map(|option| Failure::Option { option });
            assert_eq!(options.check().err(), expected, "{options:?}");
        };
        check(|_| {}, None);
        check(|options| options.request_id = "x".repeat(64), None);
        check(|options| options.request_id = "x".repeat(65), Some("request_id"));
        check(|options| options.request_id = "a@b".to_owned(), Some("request_id"));
        check(|options| options.request_id.clear(), Some("request_id"));
        check(|options| options.max_tokens = Some(1), None);
        check(|options| options.max_tokens = Some(0), Some("max_tokens"));
        check(|options| options.temperature = Some(2.0), None);
        check(|options| options.temperature = Some(2.1), Some("temperature"));
        check(|options| options.temperature = Some(f32::NAN), Some("temperature"));
        check(|options| options.top_p = Some(1.0), None);
        check(|options| options.top_p = Some(0.0), Some("top_p"));
        check(|options| options.top_p = Some(f32::INFINITY), Some("top_p"));
        check(|options| options.stop = vec!["x".repeat(256); 4], None);
        check(|options| options.stop = vec!["x".repeat(257)], Some("stop"));
        check(|options| options.stop = vec![String::new()], Some("stop"));
        check(|options| options.stop = vec!["x".to_owned(); 5], Some("stop"));
    }
}
