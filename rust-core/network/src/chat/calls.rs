//! Calls of tools in an answer: what one piece of it says of them, and the reader that makes whole calls of the pieces. Whether a call fits its tool
//! is not checked here. Pure.

use serde_json::{Map, Value};

use super::content::field;
use crate::{CallProblem, Failure};

/// Maximum number of calls in one answer.
pub const CALLS_MAX: u32 = 16;
/// Maximum length of a called tool's name in bytes.
pub const CALL_NAME_BYTES_MAX: u32 = 64;
/// Maximum length of the arguments of all calls of one answer together, in bytes.
pub const CALL_ARGUMENTS_BYTES_MAX: u32 = 64 * 1024;

/// A call of a tool.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ChatCall {
    /// The tool's name: 1 to 64 ASCII letters, digits, `_` and `-`. It may be none of the tools that were offered.
    pub name: String,
    /// The arguments as the server sent them: it should be a JSON object, which is not checked here. `{}` if the server sent none.
    pub arguments: String,
}

/// What one piece of an answer says of a call.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CallPiece {
    /// The call's place among the calls, if the server gave one.
    pub index: Option<u64>,
    /// The server's id of the call.
    pub id: Option<String>,
    /// The tool's name.
    pub name: Option<String>,
    /// Text to append to the arguments.
    pub arguments: Option<String>,
    /// The piece is from a whole message, so it is a call of its own.
    pub is_whole: bool,
}

/// Puts calls together from their pieces. OpenAI gives every piece the index of its call, and the first one the id and the name. Other servers
/// leave out the index, give every call the index 0, give every piece a new id, or repeat the name.
///
/// ```
/// use whimbrel_network::{CallReader, PieceReader};
///
/// let (mut pieces, mut calls) = (PieceReader::new(), CallReader::new());
/// for json in [
///     r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"tide","arguments":"{\"port\":"}}]}}]}"#,
///     r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Hull\"}"}}]}}]}"#,
/// ] {
///     for call in pieces.read(json)?.unwrap().calls {
///         calls.read(call)?;
///     }
/// }
/// let calls = calls.finish()?;
/// assert_eq!((calls[0].name.as_str(), calls[0].arguments.as_str()), ("tide", r#"{"port":"Hull"}"#));
/// # Ok::<(), whimbrel_network::Failure>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallReader {
    calls: Vec<PartialCall>,
    arguments_bytes: u64,
}

impl CallReader {
    /// A reader at the beginning of an answer.
    #[must_use]
    pub fn new() -> CallReader {
        CallReader::default()
    }

    /// Takes in what a piece of the answer says of a call.
    ///
    /// # Errors
    /// [`Failure::BadCall`] for what is beyond a limit, and for a name that no tool can have.
    pub fn read(&mut self, piece: CallPiece) -> Result<(), Failure> {
        let says_nothing = piece.id.is_none() && piece.name.is_none() && piece.arguments.is_none();
        if says_nothing && !piece.is_whole {
            return Ok(());
        }
        let place = match self.place(&piece) {
            Some(place) => place,
            None => self.begin(&piece)?,
        };
        let call = &mut self.calls[place];
        if call.is_repeated_by(&piece) {
            return Ok(());
        }
        if call.id.is_none() {
            call.id = piece.id;
        }
        if let Some(name) = piece.name {
            call.take_name(&name)?;
        }
        if let Some(arguments) = piece.arguments {
            self.arguments_bytes += arguments.len() as u64;
            if self.arguments_bytes > u64::from(CALL_ARGUMENTS_BYTES_MAX) {
                return Err(bad(CallProblem::ArgumentsTooLong));
            }
            call.extent.take(&arguments);
            call.call.arguments.push_str(&arguments);
        }
        Ok(())
    }

    /// Whether there is no call so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether a call lacks the end of its arguments so far.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.calls.iter().any(|call| !call.extent.is_complete)
    }

    /// The calls at the end of the answer, in the order of their indexes.
    ///
    /// # Errors
    /// [`Failure::BadCall`] for a call without a name.
    pub fn finish(mut self) -> Result<Vec<ChatCall>, Failure> {
        // Calls of one index stay in the order in which they came.
        self.calls.sort_by_key(|call| call.index);
        let calls = self.calls.into_iter().map(|PartialCall { mut call, .. }| {
            if call.arguments.trim().is_empty() {
                "{}".clone_into(&mut call.arguments);
            }
            match is_tool_name(&call.name) {
                true => Ok(call),
                false => Err(bad(CallProblem::Name)),
            }
        });
        calls.collect()
    }

    /// The call that a piece continues; `None` for the first piece of one.
    fn place(&self, piece: &CallPiece) -> Option<usize> {
        if piece.is_whole {
            return None;
        }
        let has_id = |call: &PartialCall| piece.id.is_some() && call.id == piece.id;
        let place = match piece.index {
            Some(index) => self.calls.iter().rposition(|call| call.index == index),
            None => self.calls.iter().rposition(has_id).or(self.calls.len().checked_sub(1)),
        }?;
        (!self.calls[place].is_followed_by(piece)).then_some(place)
    }

    fn begin(&mut self, piece: &CallPiece) -> Result<usize, Failure> {
        let place = self.calls.len();
        if place == CALLS_MAX as usize {
            return Err(bad(CallProblem::TooMany));
        }
        let last_index = self.calls.iter().map(|call| call.index).max();
        self.calls.push(PartialCall {
            index: piece.index.or(last_index).unwrap_or_default(),
            ..PartialCall::default()
        });
        Ok(place)
    }
}

/// A call as far as it was read.
#[derive(Clone, Debug, Default)]
struct PartialCall {
    index: u64,
    id: Option<String>,
    call: ChatCall,
    extent: Extent,
}

impl PartialCall {
    /// Whether a piece in the place of this call is the first one of another call.
    fn is_followed_by(&self, piece: &CallPiece) -> bool {
        let Some(name) = &piece.name else { return false };
        if let (Some(id), Some(piece_id)) = (&self.id, &piece.id) {
            // Some servers give every piece a new id.
            let may_end_here =
                piece.index.is_none() || self.extent.is_complete || self.call.arguments.trim().is_empty();
            return id != piece_id && may_end_here;
        }
        let is_other_tool = piece.index.is_none() && *name != self.call.name && !self.call.name.is_empty();
        let has_arguments = piece.arguments.as_ref().is_some_and(|text| !text.trim().is_empty());
        is_other_tool || (has_arguments && self.extent.is_complete && !self.is_repeated_by(piece))
    }

    /// Whether a piece says all of this call again.
    fn is_repeated_by(&self, piece: &CallPiece) -> bool {
        let is_same_name = piece.name.as_ref() == Some(&self.call.name);
        is_same_name && self.extent.is_complete && piece.arguments.as_ref() == Some(&self.call.arguments)
    }

    /// Takes in a name, or the next part of one.
    fn take_name(&mut self, name: &str) -> Result<(), Failure> {
        let known = &mut self.call.name;
        if known == name {
            return Ok(());
        }
        if !self.call.arguments.trim().is_empty() && !known.is_empty() {
            return Err(bad(CallProblem::Name));
        }
        known.push_str(name.strip_prefix(known.as_str()).unwrap_or(name));
        match is_tool_name(known) {
            true => Ok(()),
            false => Err(bad(CallProblem::Name)),
        }
    }
}

/// How far a text reaches into a JSON object.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    depth: u32,
    is_in_string: bool,
    is_escaped: bool,
    /// The object has its last bracket.
    is_complete: bool,
}

impl Extent {
    /// Takes in the next part of the text.
    fn take(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_in_string => self.is_escaped = true,
                b'"' => self.is_in_string = !self.is_in_string,
                _ if self.is_in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.is_complete |= self.depth == 0;
                }
                _ => {}
            }
        }
    }
}

/// Whether a tool may have this name.
pub(super) fn is_tool_name(name: &str) -> bool {
    let fits = (1..=CALL_NAME_BYTES_MAX as usize).contains(&name.len());
    fits && name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Reads what a message or a delta says of calls: `tool_calls`, or `function_call` as it was before. Returns whether there is a call.
pub(super) fn take_calls(message: &Map<String, Value>, is_whole: bool, calls: &mut Vec<CallPiece>) -> bool {
    match (field(message, "tool_calls"), field(message, "function_call")) {
        (Some(Value::Array(list)), _) => calls.extend(list.iter().map(|call| call_piece(call, is_whole))),
        (Some(call), _) => calls.push(call_piece(call, is_whole)),
        (None, Some(call)) => calls.push(CallPiece {
            index: Some(0),
            ..call_piece(call, is_whole)
        }),
        (None, None) => return false,
    }
    true
}

fn call_piece(call: &Value, is_whole: bool) -> CallPiece {
    // A call without a name ends the answer.
    let unreadable = CallPiece {
        is_whole: true,
        ..CallPiece::default()
    };
    let Value::Object(call) = call else { return unreadable };
    let kind = call.get("type").and_then(Value::as_str).unwrap_or_default();
    if !["", "function"].contains(&kind) && !call.contains_key("function") {
        return unreadable;
    }
    let function = call.get("function").and_then(Value::as_object).unwrap_or(call);
    CallPiece {
        index: call.get("index").and_then(index),
        id: call.get("id").and_then(text),
        name: function.get("name").and_then(text),
        arguments: function.get("arguments").and_then(text),
        is_whole,
    }
}

/// A text that is not empty, or the JSON of another value.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        value => Some(value.to_string()),
    }
}

/// An index, also as text.
fn index(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_u64(),
    }
}

fn bad(problem: CallProblem) -> Failure {
    Failure::BadCall { problem }
}

#[cfg(test)]
mod tests;
