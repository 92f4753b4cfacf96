//! Interprets a server's error. Its words and numbers are looked up in lists and then dropped, because a server may repeat what it was
//! sent. Pure.

use serde_json::{Map, Value};

use super::content::{field, is_void};
use crate::ServerCode;

/// Fields that hold a word or a number for an error.
const CODE_FIELDS: [&str; 5] = ["code", "type", "status", "error_code", "error_type"];
/// So much of a message is looked at, in bytes.
const MESSAGE_BYTES_MAX: usize = 4096;
/// Phrases of messages, in lower case, for servers whose words say only that the request is wrong.
const PHRASES: [(ServerCode, &[&str]); 4] = [
    (
        ServerCode::ContextLength,
        &[
            "context length",
            "context window",
            "context size",
            "prompt is too long",
            "input is too long",
            "too many tokens",
            "maximum number of tokens",
        ],
    ),
    (
        ServerCode::QuotaExceeded,
        &[
            "insufficient balance",
            "insufficient credit",
            "insufficient funds",
            "payment required",
            "out of credits",
        ],
    ),
    (
        ServerCode::UnsupportedOption,
        &[
            "unsupported parameter",
            "unsupported value",
            "unrecognized request argument",
            "extra inputs are not permitted",
        ],
    ),
    (ServerCode::NotFound, &["model not found", "no such model"]),
];

/// Interprets the body of an error response. Its words are looked up in a list and then dropped.
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
    // A list with one error, as some servers send it.
    let whole = match &whole {
        Value::Array(errors) => errors.first().unwrap_or(&whole),
        _ => &whole,
    };
    error_code(whole.get("error").filter(|error| !is_void(error)).unwrap_or(whole))
}

/// The error that an object of a stream reports, if it reports one.
pub(super) fn reported(object: &Map<String, Value>) -> Option<ServerCode> {
    if let Some(error) = field(object, "error").or_else(|| field(object, "errors")) {
        return Some(error_code(error));
    }
    let is_error = |name: &str| {
        let word = object.get(name).and_then(Value::as_str);
        word.is_some_and(|word| word.eq_ignore_ascii_case("error"))
    };
    let has_message = object.get("message").is_some_and(Value::is_string);
    let is_bare = field(object, "choices").is_none()
        && (["error_code", "error_msg", "detail"]
            .iter()
            .any(|name| field(object, name).is_some())
            || (has_message && field(object, "code").is_some()));
    let is_error = ["object", "type", "event", "status"].into_iter().any(is_error);
    (is_error || is_bare).then(|| code_of(object))
}

fn error_code(error: &Value) -> ServerCode {
    match error {
        Value::Object(error) => code_of(error),
        Value::Array(errors) => errors.first().map_or(ServerCode::Unstated, error_code),
        Value::String(word) => from_word_or_phrase(ServerCode::from_word(word), Some(word)),
        _ => ServerCode::Unstated,
    }
}

fn code_of(error: &Map<String, Value>) -> ServerCode {
    let inner = error.get("innererror").and_then(Value::as_object);
    let fields = |object: &Map<String, Value>| {
        let values = CODE_FIELDS.iter().filter_map(|name| object.get(*name).cloned());
        values.collect::<Vec<_>>()
    };
    let values: Vec<Value> = inner.into_iter().chain([error]).flat_map(fields).collect();
    let words = values.iter().filter_map(Value::as_str).map(ServerCode::from_word);
    let numbers = values.iter().filter_map(status).map(ServerCode::from_status);
    // What says most comes first: a word of its own, a phrase, a status, a word that says only whose fault it is.
    let mut all = words.chain(numbers).filter(|code| *code != ServerCode::Unstated);
    let specific = all.clone().find(|code| !code.is_general());
    let known = specific.or_else(|| all.next()).unwrap_or(ServerCode::Unstated);
    from_word_or_phrase(known, error.get("message").and_then(Value::as_str))
}

fn status(value: &Value) -> Option<u16> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn from_word_or_phrase(known: ServerCode, message: Option<&str>) -> ServerCode {
    let Some(message) = message.filter(|_| known.is_general()) else {
        return known;
    };
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
    let message = message[..end].to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    let found = PHRASES.iter().find(|(_, phrases)| says(phrases));
    found.map_or(known, |(code, _)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (
                r#"{"object":"error","type":"BadRequestError","code":400,"message":"The maximum context length is 512 tokens."}"#,
                ServerCode::ContextLength,
            ),
            (
                r#"{"error":{"code":402,"message":"Add to your account"}}"#,
                ServerCode::QuotaExceeded,
            ),
            (r#"{"error":{"code":"429"}}"#, ServerCode::RateLimited),
            (r#"[{"error":{"code":404,"status":"NOT_FOUND"}}]"#, ServerCode::NotFound),
            (
                r#"{"error":{"code":"unsupported_parameter","type":"invalid_request_error","param":"seed"}}"#,
                ServerCode::UnsupportedOption,
            ),
            (
                r#"{"error":{"code":"x","innererror":{"code":"content_filter"}}}"#,
                ServerCode::ContentFiltered,
            ),
            (r#"{"error":"model not found"}"#, ServerCode::NotFound),
            (r#"{"error":{"code":"alice@example.com"}}"#, ServerCode::Unstated),
            (r#"{"error":"text"}"#, ServerCode::Unstated),
            (r#"{"error":{"code":{"a":1}}}"#, ServerCode::Unstated),
            (r#"{"error":{"code":99999999}}"#, ServerCode::Unstated),
            ("[]", ServerCode::Unstated),
            ("", ServerCode::Unstated),
            ("<html>", ServerCode::Unstated),
        ] {
            assert_eq!(read_error(body.as_bytes()), code, "{body}");
        }
    }
}
