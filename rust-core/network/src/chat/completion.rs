//! Parses the JSON of an answer, as a whole or in the chunks of a stream, with tolerance: it reads whatever it can, skips what cannot
//! contain text, and reports an error only if text may have been lost. Pure: bytes in, values out.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::calls::CallPiece;
use super::content::{Said, field, index, is_void};
use super::finish::FinishReason;
use super::halves::{REPLACEMENT, mend};
use super::server_error::reported;
use super::tidy::tidy;
use crate::Failure;

/// Maximum length of a model name in an answer, in bytes; longer names are ignored.
pub const REPORTED_MODEL_BYTES_MAX: u32 = 128;

const MALFORMED: Failure = Failure::Malformed { what: "JSON" };

/// Token counts reported by the server.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Usage {
    /// Of the request.
    pub prompt_tokens: u64,
    /// Of the answer.
    pub completion_tokens: u64,
}

/// One piece of an answer. Absent fields are `None`; unknown fields are ignored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// Text to append.
    pub text: Option<String>,
    /// What the model thinks, to append; it is not part of the answer.
    pub thinking: Option<String>,
    /// The model refused to answer.
    pub is_refused: bool,
    /// The model called a tool.
    pub calls_tool: bool,
    /// What the piece says of calls of tools, for a [`CallReader`](crate::CallReader).
    pub calls: Vec<CallPiece>,
    /// Occurs once, near the end.
    pub finish_reason: Option<FinishReason>,
    /// Occurs once, at the end, if the server counts tokens.
    pub usage: Option<Usage>,
    /// The model that answered, if its name is short and visible ASCII.
    pub model: Option<String>,
}

/// Parses the pieces of one answer in order: the chunks of a stream, or the whole answer of a server that does not stream.
///
/// ```
/// use whimbrel_network::{FinishReason, PieceReader};
///
/// let mut reader = PieceReader::new();
/// let mut text = |json: &str| Ok::<_, whimbrel_network::Failure>(reader.read(json)?.and_then(|piece| piece.text));
/// assert_eq!(text(r#"{"choices":[{"index":0,"delta":{"content":"Hello"}}]}"#)?.as_deref(), Some("Hello"));
/// // Parts in place of a string, and half a character at the end of a chunk.
/// assert_eq!(text(r#"{"choices":[{"delta":{"content":[{"type":"text","text":"!\ud83d"}]}}]}"#)?.as_deref(), Some("!"));
/// assert_eq!(text(r#"{"choices":[{"delta":{"content":"\udc26"}}]}"#)?.as_deref(), Some("🐦"));
/// // Events that cannot contain text are skipped.
/// assert_eq!(reader.read(r#"{"type":"keepalive"}"#)?, None);
/// let last = reader.read(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}"#)?.unwrap();
/// assert_eq!(last.finish_reason, Some(FinishReason::ContentFilter));
/// # Ok::<(), whimbrel_network::Failure>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct PieceReader {
    /// Half a character that the last chunk ended with.
    held: Option<u16>,
    has_delta: bool,
    /// Calls came in pieces; a whole message that follows repeats them.
    has_call_delta: bool,
}

impl PieceReader {
    /// A reader at the beginning of an answer.
    #[must_use]
    pub fn new() -> PieceReader {
        PieceReader::default()
    }

    /// Parses one piece; `None` if it cannot contain text.
    ///
    /// # Errors
    /// [`Failure::Malformed`] for a piece that may have contained text but cannot be parsed, [`Failure::Reported`] for an error in place of
    /// a piece.
    pub fn read(&mut self, json: &str) -> Result<Option<Piece>, Failure> {
        let json = json.trim_start_matches('\u{feff}');
        // Only an object carries text.
        if !json.contains('{') {
            return Ok(None);
        }
        let held = self.held.take();
        let (value, mended) = match serde_json::from_str::<Value>(json) {
            Ok(value) => (value, None),
            Err(_) => read_mended(json, held)?,
        };
        let (is_joined, next_held) = mended.unwrap_or_default();
        let mut piece = match &value {
            Value::Object(object) => self.read_object(object)?,
            value if is_void(value) => None,
            _ => return Err(MALFORMED),
        };
        self.held = next_held;
        if held.is_none() || is_joined {
            return Ok(piece);
        }
        // The other half of the character did not come. It may yet come, as long as there is no other text.
        match &mut piece {
            Some(piece) if piece.text.is_some() || next_held.is_some() => {
                piece.text.get_or_insert_default().insert(0, REPLACEMENT);
            }
            _ => self.held = held,
        }
        Ok(piece)
    }

    /// The rest at the end of the answer: a replacement character for half a character whose other half never arrived.
    #[must_use]
    pub fn finish(&mut self) -> Option<String> {
        self.held.take().map(|_| REPLACEMENT.to_string())
    }

    fn read_object(&mut self, object: &Map<String, Value>) -> Result<Option<Piece>, Failure> {
        if let Some(code) = reported(object) {
            return Err(Failure::Reported { code });
        }
        let usage = object.get("usage").and_then(usage);
        let mut said = match object.get("choices") {
            Some(Value::Array(choices)) => self.read_choices(choices)?,
            // One choice without its list.
            Some(choice @ Value::Object(_)) if !is_void(choice) => self.read_choices(std::slice::from_ref(choice))?,
            Some(Value::String(text)) if !text.is_empty() => return Err(MALFORMED),
            _ if usage.is_some() => Said::default(),
            _ => return Ok(None),
        };
        self.has_delta |= said.is_delta;
        let has_whole_calls = said.calls.iter().any(|call| call.is_whole);
        if has_whole_calls && self.has_call_delta {
            said.calls.retain(|call| !call.is_whole);
        }
        self.has_call_delta |= !said.calls.is_empty() && !has_whole_calls;
        Ok(Some(Piece {
            text: Some(said.text).filter(|text| !text.is_empty()),
            thinking: Some(said.thinking).filter(|thinking| !thinking.is_empty()),
            is_refused: said.is_refused,
            calls_tool: said.calls_tool,
            calls: said.calls,
            finish_reason: said.finish_reason,
            usage,
            model: object.get("model").and_then(Value::as_str).and_then(model_name),
        }))
    }

    /// The first of several answers; the others were not asked for.
    fn read_choices(&self, choices: &[Value]) -> Result<Said, Failure> {
        let mut said = Said::default();
        for (place, choice) in (0..).zip(choices) {
            match choice {
                Value::Object(choice) if index(choice, place) == 0 => {
                    if let Some(code) = field(choice, "error").and_then(|_| reported(choice)) {
                        return Err(Failure::Reported { code });
                    }
                    said.take_choice(choice, !self.has_delta)?;
                }
                Value::String(text) if !text.is_empty() => return Err(MALFORMED),
                _ => {}
            }
        }
        Ok(said)
    }
}

/// Whether a chunk was joined to the half of a character before it, and the half that it leaves.
type Joint = (bool, Option<u16>);

/// Reads what is no JSON and can be made some, behind half a character.
fn read_mended(json: &str, held: Option<u16>) -> Result<(Value, Option<Joint>), Failure> {
    let tidied = tidy(json);
    let (json, joint) = match (mend(tidied.as_deref().unwrap_or(json), held), tidied) {
        (Some(mended), _) => (mended.json, Some((mended.is_joined, mended.held))),
        (None, Some(tidied)) => (tidied, None),
        (None, None) => return Err(MALFORMED),
    };
    let value = serde_json::from_str(&json).map_err(|_| MALFORMED)?;
    Ok((value, joint))
}

fn usage(value: &Value) -> Option<Usage> {
    let count = |names: [&str; 2]| {
        let value = names.into_iter().find_map(|name| value.get(name))?;
        match value {
            Value::String(text) => text.trim().parse().ok(),
            value => value.as_u64(),
        }
    };
    Some(Usage {
        prompt_tokens: count(["prompt_tokens", "input_tokens"])?,
        completion_tokens: count(["completion_tokens", "output_tokens"])?,
    })
}

fn model_name(name: &str) -> Option<String> {
    let fits = (1..=REPORTED_MODEL_BYTES_MAX as usize).contains(&name.len());
    (fits && name.bytes().all(|byte| byte.is_ascii_graphic())).then(|| name.to_owned())
}

#[cfg(test)]
mod tests;
