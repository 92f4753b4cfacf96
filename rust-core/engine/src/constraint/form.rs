//! The form itself: what an app writes, its limits, and why one is refused.

use llguidance::JsonCompileOptions;
use llguidance::api::TopLevelGrammar;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::vocabulary::{compile_for_bytes, is_whole};
use crate::EngineError;

/// The longest form, in bytes of its text.
pub const FORM_BYTES_MAX: u32 = 256 * 1024;
/// The deepest nesting of brackets in a form.
pub const FORM_NESTING_MAX: u32 = 100;
/// The longest reason that is passed on, in characters.
const REASON_CHARACTERS_MAX: usize = 300;
/// The key by which a schema could change how it is read.
const OWN_OPTIONS: &str = "x-guidance";

/// The form that an answer must have. The model then chooses only among the tokens that the form allows.
///
/// ```
/// use whimbrel_engine::Form;
///
/// let form = Form::JsonSchema(r#"{"type": "object", "properties": {"age": {"type": "integer"}}}"#.into());
/// let json = r#"{"json_schema":"{\"type\": \"object\", \"properties\": {\"age\": {\"type\": \"integer\"}}}"}"#;
/// assert_eq!(serde_json::to_string(&form)?, json);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// One of these texts, as it is.
    Choice(Vec<String>),
    /// JSON that is valid by this JSON Schema (draft 4 to 2020-12), on one line, with a space behind each colon and comma. Properties come in the
    /// order in which the schema names them. A keyword that cannot be enforced is refused; annotations and unknown keywords mean nothing,
    /// as the standard says.
    JsonSchema(String),
    /// A text that this regular expression (in the syntax of Rust's `regex`, without lookaround) matches as a whole. Anchors may only
    /// stand at its ends, where they change nothing.
    Regex(String),
    /// A text of this grammar, in llguidance's variant of Lark; `start` is the rule of the whole text.
    Grammar(String),
}

impl Form {
    /// Checks that the form can be used, without a model. Whether a model's vocabulary can write it shows when an answer is made.
    ///
    /// # Errors
    /// [`EngineError::Form`] for a form that is malformed, out of its limits, or uses what is not supported.
    pub fn validate(&self) -> Result<(), EngineError> {
        compile_for_bytes(self).map(drop)
    }

    /// Whether a whole text has the form. A JSON text must be written as [`Form::JsonSchema`] says.
    ///
    /// ```
    /// use whimbrel_engine::Form;
    ///
    /// let form = Form::JsonSchema(r#"{"properties": {"age": {"type": "integer"}}, "required": ["age"]}"#.into());
    /// assert!(form.accepts(r#"{"age": 7}"#)?);
    /// assert!(!form.accepts(r#"{"age": 7.5}"#)?);
    /// # Ok::<(), whimbrel_engine::EngineError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Form::validate`].
    pub fn accepts(&self, text: &str) -> Result<bool, EngineError> {
        let bytes: Vec<u32> = text.bytes().map(u32::from).collect();
        Ok(is_whole(compile_for_bytes(self)?, &bytes))
    }

    /// What messages call it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Form::Choice(_) => "list of choices",
            Form::JsonSchema(_) => "JSON schema",
            Form::Regex(_) => "regular expression",
            Form::Grammar(_) => "grammar",
        }
    }

    /// What llguidance compiles.
    ///
    /// # Errors
    /// [`EngineError::Form`] for what is malformed or out of its limits.
    pub(super) fn grammar(&self) -> Result<TopLevelGrammar, EngineError> {
        self.check_limits()?;
        match self {
            Form::Choice(choices) => self.choices(choices),
            Form::JsonSchema(text) => self.schema(text),
            Form::Regex(expression) if expression.is_empty() => Err(self.error(None, "it is empty")),
            Form::Regex(expression) => Ok(TopLevelGrammar::from_regex(expression)),
            Form::Grammar(text) => Ok(TopLevelGrammar::from_lark(text.clone())),
        }
    }

    fn check_limits(&self) -> Result<(), EngineError> {
        let bytes: usize = match self {
            Form::Choice(choices) => choices.iter().map(String::len).sum(),
            Form::JsonSchema(text) | Form::Regex(text) | Form::Grammar(text) => text.len(),
        };
        if bytes > FORM_BYTES_MAX as usize {
            let reason = format!("it has {bytes} bytes, the limit is {FORM_BYTES_MAX}");
            return Err(self.error(None, &reason));
        }
        // Parsers recurse. A bracket within a string counts too, which is of no importance at this depth.
        if let Form::JsonSchema(text) | Form::Regex(text) | Form::Grammar(text) = self
            && nesting(text) > FORM_NESTING_MAX
        {
            let reason = format!("its brackets are nested more than {FORM_NESTING_MAX} deep");
            return Err(self.error(None, &reason));
        }
        Ok(())
    }

    fn choices(&self, choices: &[String]) -> Result<TopLevelGrammar, EngineError> {
        if choices.is_empty() {
            return Err(self.error(None, "it is empty"));
        }
        if let Some(index) = choices.iter().position(String::is_empty) {
            return Err(self.error(Some(index.to_string()), "a choice must not be empty"));
        }
        let quoted: Vec<String> = choices
            .iter()
            .map(|choice| Value::from(choice.as_str()).to_string())
            .collect();
        let grammar = format!("start: CHOICE\nCHOICE: {}", quoted.join(" | "));
        Ok(TopLevelGrammar::from_lark(grammar))
    }

    fn schema(&self, text: &str) -> Result<TopLevelGrammar, EngineError> {
        let schema = prepared_schema(text).map_err(|(place, reason)| self.error(place, reason))?;
        Ok(TopLevelGrammar::from_json_schema(schema))
    }

    /// The error for a form that llguidance refused.
    pub(super) fn refused(&self, message: &str) -> EngineError {
        // A defect there is caught there, and comes with a backtrace.
        if message.starts_with("panic:") {
            return self.error(None, "it cannot be compiled");
        }
        if let (Form::JsonSchema(text), Some(keys)) = (self, message.strip_prefix("Unimplemented keys: ")) {
            let keys: Vec<String> = serde_json::from_str(keys.lines().next().unwrap_or_default()).unwrap_or_default();
            let schema: Value = serde_json::from_str(text).unwrap_or_default();
            let place = keys.first().and_then(|key| pointer_to(&schema, key));
            return self.error(place, &format!("{} cannot be enforced", keys.join(", ")));
        }
        let mut lines = message.lines();
        let mut reason = lines.next().unwrap_or_default().to_owned();
        // Behind a picture of the place stands what is wrong there.
        if let Some(detail) = lines.find_map(|line| line.strip_prefix("error: ")) {
            reason = format!("{reason} {detail}");
        }
        let reason: String = reason.chars().take(REASON_CHARACTERS_MAX).collect();
        self.error(None, &reason)
    }

    fn error(&self, place: Option<String>, reason: &str) -> EngineError {
        EngineError::Form {
            kind: self.kind(),
            place,
            reason: reason.to_owned(),
        }
    }
}

/// A schema with the options for one way to write a value: what is fixed is then forced, and a small model cannot lose itself in blanks.
///
/// # Errors
/// Where and why it is none.
pub(super) fn prepared_schema(text: &str) -> Result<Value, (Option<String>, &'static str)> {
    let mut schema: Value = serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        (Some(place), "it is not JSON")
    })?;
    match &mut schema {
        Value::Bool(true) => schema = Value::Object(serde_json::Map::new()),
        Value::Object(keys) if !keys.contains_key(OWN_OPTIONS) => {}
        Value::Object(_) => return Err((Some(format!("/{OWN_OPTIONS}")), "this key is not supported")),
        _ => return Err((None, "it must be an object or true")),
    }
    let options = JsonCompileOptions {
        item_separator: ", ".into(),
        key_separator: ": ".into(),
        whitespace_flexible: false,
        ..JsonCompileOptions::default()
    };
    options.apply_to(&mut schema);
    Ok(schema)
}

/// How deep brackets of any kind are nested.
fn nesting(text: &str) -> u32 {
    let (mut depth, mut deepest) = (0_u32, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Where in a document a key stands first, as a JSON Pointer (RFC 6901).
fn pointer_to(value: &Value, wanted: &str) -> Option<String> {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(keys) if keys.contains_key(wanted) => Some(format!("/{}", escaped(wanted))),
        Value::Object(keys) => keys
            .iter()
            .find_map(|(key, value)| Some(format!("/{}{}", escaped(key), pointer_to(value, wanted)?))),
        Value::Array(values) => (0..)
            .zip(values)
            .find_map(|(index, value): (u32, _)| Some(format!("/{index}{}", pointer_to(value, wanted)?))),
        _ => None,
    }
}
