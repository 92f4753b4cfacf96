//! The JSON of chat completions: what is asked, and what comes back. Pure: bytes in, values out.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use whimbrel_privacy::{Cleared, Speaker};

use crate::http::endpoint::is_name;
use crate::{Endpoint, Failure, ServerCode, TokenLimitField};

/// The longest request id, in bytes.
pub const REQUEST_ID_BYTES_MAX: u32 = 64;
/// The most stop strings.
pub const STOPS_MAX: u32 = 4;
/// The longest stop string, in bytes.
pub const STOP_BYTES_MAX: u32 = 256;
/// The longest name of a model that is taken over from an answer, in bytes.
pub const REPORTED_MODEL_BYTES_MAX: u32 = 128;

/// What is asked for besides the text. None of it is examined for personal data: it is for values of the app's own.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatOptions {
    /// Sent as `Idempotency-Key`, the same in every attempt: 1 to 64 letters, digits, `.`, `_` and `-`. Unique to the request.
    pub request_id: String,
    /// The most tokens of the answer, 1 or more.
    pub max_tokens: Option<u32>,
    /// 0 to 2.
    pub temperature: Option<f32>,
    /// Above 0, up to 1.
    pub top_p: Option<f32>,
    /// Strings before which the answer ends: at most 4 of 1 to 256 bytes. Constants of the app's, never a user's text.
    pub stop: Vec<String>,
    /// For servers that can repeat an answer.
    pub seed: Option<i64>,
}

impl ChatOptions {
    /// No options but the request's id.
    #[must_use]
    pub fn new(request_id: &str) -> ChatOptions {
        ChatOptions {
            request_id: request_id.to_owned(),
            max_tokens: None,
            temperature: None,
            top_p: None,
            stop: Vec::new(),
            seed: None,
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
}

#[derive(Serialize)]
struct RequestMessage<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The body of the request.
pub(crate) fn request_body(endpoint: &Endpoint, payload: &Cleared, options: &ChatOptions) -> Result<Vec<u8>, Failure> {
    options.check()?;
    let settings = endpoint.settings();
    if payload.messages().is_empty() {
        return Err(Failure::NoMessage);
    }
    let messages = payload.messages().iter().map(|message| RequestMessage {
        role: role(message.speaker),
        content: &message.text,
    });
    let (max_tokens, max_completion_tokens) = match settings.token_limit_field {
        TokenLimitField::MaxTokens => (options.max_tokens, None),
        TokenLimitField::MaxCompletionTokens => (None, options.max_tokens),
    };
    let request = Request {
        model: &settings.model,
        messages: messages.collect(),
        stream: true,
        stream_options: settings.ask_usage.then_some(StreamOptions { include_usage: true }),
        max_tokens,
        max_completion_tokens,
        temperature: options.temperature,
        top_p: options.top_p,
        stop: &options.stop,
        seed: options.seed,
    };
    let body = serde_json::to_vec(&request).expect("strings and finite numbers are JSON");
    let (bytes, bytes_max) = (body.len() as u64, u64::from(settings.request_bytes_max));
    if bytes > bytes_max {
        return Err(Failure::RequestTooLarge { bytes, bytes_max });
    }
    Ok(body)
}

/// A tool's result goes as the user's: the role `tool` belongs to a call by the model, which a draft does not hold.
fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::System => "system",
        Speaker::User | Speaker::Tool => "user",
        Speaker::Assistant => "assistant",
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended it, or a stop string.
    Stop,
    /// The limit of tokens, or of the context.
    Length,
    /// The provider's filter.
    ContentFilter,
    /// The model wants a tool.
    ToolCalls,
    /// Another word.
    Other,
    /// The stream was complete, and the server gave no reason.
    Unstated,
}

/// Tokens as the server counted them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Usage {
    /// Of the request.
    pub prompt_tokens: u64,
    /// Of the answer.
    pub completion_tokens: u64,
}

/// What one piece of an answer says. Absent fields are `None`; unknown ones are not looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// Text to append.
    pub text: Option<String>,
    /// Said once, near the end.
    pub finish_reason: Option<FinishReason>,
    /// Said once, at the end, by servers that count.
    pub usage: Option<Usage>,
    /// The model that answered, if its name is short and visible ASCII.
    pub model: Option<String>,
}

#[derive(Deserialize)]
struct AnswerJson {
    choices: Option<Vec<ChoiceJson>>,
    usage: Option<Value>,
    model: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct ChoiceJson {
    index: Option<u64>,
    delta: Option<MessageJson>,
    message: Option<MessageJson>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct MessageJson {
    content: Option<String>,
}

/// Reads a chunk of a stream, or the whole answer of a server that does not stream.
///
/// # Errors
/// [`Failure::Malformed`] for what is no chat completion, [`Failure::Reported`] for an error in its place.
pub fn read_piece(json: &[u8]) -> Result<Piece, Failure> {
    let malformed = Failure::Malformed { what: "JSON" };
    let answer: AnswerJson = serde_json::from_slice(json).map_err(|_| malformed)?;
    if let Some(error) = answer.error.filter(|error| !error.is_null()) {
        return Err(Failure::Reported {
            code: error_code(&error),
        });
    }
    if answer.choices.is_none() && answer.usage.is_none() {
        return Err(malformed);
    }
    let first = answer
        .choices
        .into_iter()
        .flatten()
        .find(|choice| choice.index.unwrap_or(0) == 0);
    let mut piece = Piece {
        usage: answer.usage.as_ref().and_then(usage),
        model: answer.model.as_ref().and_then(Value::as_str).and_then(model_name),
        ..Piece::default()
    };
    if let Some(choice) = first {
        let message = choice.delta.or(choice.message);
        piece.text = message.and_then(|message| message.content);
        piece.finish_reason = choice.finish_reason.as_deref().map(finish_reason);
    }
    Ok(piece)
}

fn finish_reason(word: &str) -> FinishReason {
    match word {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "content_filter" => FinishReason::ContentFilter,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        _ => FinishReason::Other,
    }
}

fn usage(value: &Value) -> Option<Usage> {
    Some(Usage {
        prompt_tokens: value.get("prompt_tokens")?.as_u64()?,
        completion_tokens: value.get("completion_tokens")?.as_u64()?,
    })
}

fn model_name(name: &str) -> Option<String> {
    let fits = (1..=REPORTED_MODEL_BYTES_MAX as usize).contains(&name.len());
    (fits && name.bytes().all(|byte| byte.is_ascii_graphic())).then(|| name.to_owned())
}

/// What the body of a refusal means. Its words are looked up in a list and dropped.
#[must_use]
pub fn read_error(body: &[u8]) -> ServerCode {
    let Ok(whole) = serde_json::from_slice::<Value>(body) else {
        return ServerCode::Unstated;
    };
    error_code(whole.get("error").unwrap_or(&whole))
}

fn error_code(error: &Value) -> ServerCode {
    ["code", "type"]
        .into_iter()
        .filter_map(|field| error.get(field)?.as_str())
        .map(ServerCode::from_word)
        .find(|code| *code != ServerCode::Unstated)
        .unwrap_or(ServerCode::Unstated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<Piece, Failure>) {
        assert_eq!(read_piece(json.as_bytes()), expected, "{json}");
    }

    #[test]
    fn pieces() {
        let text = |text: &str| Piece {
            text: Some(text.to_owned()),
            ..Piece::default()
        };
        check(
            r#"{"choices":[{"index":0,"delta":{"content":"a\n"}}]}"#,
            Ok(text("a\n")),
        );
        check(
            r#"{"choices":[{"delta":{"content":"a","new":{}},"logprobs":null}],"x":[1]}"#,
            Ok(text("a")),
        );
        check(
            r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]}"#,
            Ok(text("a")),
        );
        check(
            r#"{"choices":[{"message":{"role":"assistant","content":"all"}}]}"#,
            Ok(text("all")),
        );
        check(
            r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#,
            Ok(Piece::default()),
        );
        check(r#"{"choices":[],"error":null}"#, Ok(Piece::default()));
        let whole = Piece {
            text: Some("all".to_owned()),
            finish_reason: Some(FinishReason::Length),
            usage: Some(Usage {
                prompt_tokens: 3,
                completion_tokens: 1,
            }),
            model: Some("org/model:1".to_owned()),
        };
        check(
            r#"{"model":"org/model:1","choices":[{"message":{"content":"all"},"finish_reason":"length"}],
                "usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#,
            Ok(whole),
        );
        // Counts and names that make no sense are left out; they are no reason to lose the text.
        for odd in [
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":-1,"completion_tokens":1}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":[]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"model":"a b"}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"model":7}"#,
        ] {
            check(odd, Ok(text("a")));
        }
    }

    #[test]
    fn finish_reasons() {
        for (word, expected) in [
            ("stop", FinishReason::Stop),
            ("length", FinishReason::Length),
            ("content_filter", FinishReason::ContentFilter),
            ("tool_calls", FinishReason::ToolCalls),
            ("eos", FinishReason::Other),
        ] {
            let json = format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{word}"}}]}}"#);
            let piece = Piece {
                finish_reason: Some(expected),
                ..Piece::default()
            };
            check(&json, Ok(piece));
        }
    }

    #[test]
    fn garbage_is_refused() {
        let deep = "[".repeat(100_000);
        for json in [
            "",
            "null",
            "7",
            "{}",
            "[]",
            "{\"choices\":",
            "{\"choices\":{}}",
            "{\"choices\":[7]}",
            "{\"choices\":[{\"delta\":{\"content\":7}}]}",
            "{\"choices\":[{\"delta\":\"a\"}]}",
            "\u{feff}{\"choices\":[]}",
            "<html>",
            &deep,
        ] {
            check(json, Err(Failure::Malformed { what: "JSON" }));
        }
        assert_eq!(read_piece(b"\xff"), Err(Failure::Malformed { what: "JSON" }));
    }

    #[test]
    fn errors_become_codes() {
        for (body, code) in [
            (
                r#"{"error":{"message":"text","code":"context_length_exceeded"}}"#,
                ServerCode::ContextLength,
            ),
            (
                r#"{"error":{"code":400,"type":"exceed_context_size_error"}}"#,
                ServerCode::ContextLength,
            ),
            (
                r#"{"error":{"code":"something","type":"invalid_request_error"}}"#,
                ServerCode::InvalidRequest,
            ),
            (
                r#"{"object":"error","type":"NotFoundError","code":404}"#,
                ServerCode::NotFound,
            ),
            (r#"{"error":{"code":"alice@example.com"}}"#, ServerCode::Unstated),
            (r#"{"error":"text"}"#, ServerCode::Unstated),
            (r#"{"error":{"code":{"a":1}}}"#, ServerCode::Unstated),
            ("", ServerCode::Unstated),
            ("<html>", ServerCode::Unstated),
        ] {
            assert_eq!(read_error(body.as_bytes()), code, "{body}");
        }
        check(
            r#"{"error":{"message":"text","code":"server_error"},"choices":[]}"#,
            Err(Failure::Reported {
                code: ServerCode::ServerError,
            }),
        );
        check(
            r#"{"error":"text"}"#,
            Err(Failure::Reported {
                code: ServerCode::Unstated,
            }),
        );
    }

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
