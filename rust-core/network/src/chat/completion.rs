//! The JSON of an answer, as a whole or in the chunks of a stream. Pure: bytes in, values out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Failure, ServerCode};

/// The longest name of a model that is taken over from an answer, in bytes.
pub const REPORTED_MODEL_BYTES_MAX: u32 = 128;

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
/// ```
/// use whimbrel_network::{FinishReason, read_piece};
///
/// let chunk = br#"{"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}"#;
/// assert_eq!(read_piece(chunk)?.text.as_deref(), Some("Hello"));
/// let last = br#"{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}"#;
/// assert_eq!(read_piece(last)?.finish_reason, Some(FinishReason::ContentFilter));
/// # Ok::<(), whimbrel_network::Failure>(())
/// ```
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
        // Some servers write an empty reason into every chunk but the last.
        let reason = choice.finish_reason.as_deref().filter(|word| !word.is_empty());
        piece.finish_reason = reason.map(finish_reason);
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
///
/// ```
/// use whimbrel_network::{ServerCode, read_error};
///
/// let body = br#"{"error":{"message":"You wrote: ...","code":"context_length_exceeded"}}"#;
/// assert_eq!(read_error(body), ServerCode::ContextLength);
/// assert_eq!(read_error(b"<html>"), ServerCode::Unstated);
/// ```
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
            r#"{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}"#,
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
}
