//! Chat templates: convert messages to the text, and the tokens, that a model was trained on.
//!
//! Templates are Jinja as `transformers` runs them (`trim_blocks`, `lstrip_blocks`, loop controls, Python's string methods,
//! `raise_exception`, `strftime_now`, a `tojson` without HTML escapes). A template is part of a bundle and not to be trusted:
//! it loads nothing, and its size, its steps, its memory, its recursion and its output are limited.
//!
//! Some templates have no place for a system message: they refuse it or leave it out. Its text then stands in front of the
//! first question ([`ChatTemplate::takes_system`]).
//!
//! The content of a message is text. If it contains the text of a control token, the model sees those characters and not the token
//! ([`ChatTemplate::render_tokens`]).

mod calls;
mod date;
mod json;
#[cfg(test)]
mod tests;
mod thinking;

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

pub(crate) use self::calls::CallBody;
pub use self::calls::CallFormat;
use self::thinking::Beginning;
pub use self::thinking::ThinkingMarks;
use crate::{EngineError, Tokenizer, ToolUse};

/// The largest template, in bytes.
pub(crate) const TEMPLATE_BYTES_MAX: u32 = 1 << 18;
/// The longest rendered conversation, in bytes.
pub(crate) const RENDERED_BYTES_MAX: u32 = 1 << 24;
/// What a template may spend on one conversation: about a unit a step, and a unit for each 64 bytes that it makes or goes
/// through, so that it has 256 MB at most.
const FUEL_MAX: u64 = 4_000_000;
/// The deepest nesting of blocks and macros while rendering.
const RECURSION_MAX: u32 = 200;
/// The longest part of a template in an error, in characters.
const QUOTED_CHARACTERS_MAX: usize = 80;
const NAME: &str = "chat";
/// A system message and a question that no template contains.
const SYSTEM_PROBE: &str = "system-probe-7f3a";
const QUESTION_PROBE: &str = "question-probe-7f3a";
const PROBE_OPTIONS: RenderOptions<'static> = RenderOptions {
    add_generation_prompt: true,
    bos_token: None,
    eos_token: None,
    now: Some(0),
    tools: None,
    tool_use: None,
    thinking: None,
};

/// The author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The author.
    pub role: Role,
    /// The text.
    pub content: String,
}

/// The values, apart from the messages, with which a template is rendered.
#[derive(Clone, Copy, Debug, Default)]
pub struct RenderOptions<'o> {
    /// Whether the text ends where the assistant's next answer starts.
    pub add_generation_prompt: bool,
    /// Text of the beginning-of-sequence token; [`ChatTemplate::render_tokens`] uses the tokenizer's.
    pub bos_token: Option<&'o str>,
    /// Text of the end-of-sequence token; [`ChatTemplate::render_tokens`] uses the tokenizer's.
    pub eos_token: Option<&'o str>,
    /// The time for templates that print the date: seconds since 1970 began, on the clock that is to be shown. Without it
    /// templates find that `strftime_now` is not defined. The client gives the local time of a conversation's first question.
    pub now: Option<i64>,
    /// The tools that the model may call: a list in JSON, as the template expects it. Without it templates find that `tools` is not
    /// defined.
    pub tools: Option<&'o str>,
    /// The tools that the model may call, and what it has called since the last message, in the form of this template ([`ChatTemplate::calls`]): takes the
    /// place of `tools`.
    pub tool_use: Option<&'o ToolUse>,
    /// Whether the model thinks before it answers, in templates that let the caller choose; without it the template decides.
    pub thinking: Option<bool>,
}

/// A rendered conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The tokens. If the tokenizer requires `bos` at the start of sequences, it is there, whatever the template does.
    pub ids: Vec<u32>,
    /// The text as the model sees it.
    pub text: String,
    /// The text with `sentinel` wherever a message's text must not become a control token ([`Tokenizer::encode_marked`]).
    pub marked: String,
    /// See `marked`. It does not occur in any message.
    pub sentinel: char,
    /// Whether the text ends inside a block of thoughts, so that the answer begins there.
    pub is_thinking: bool,
}

/// A compiled chat template.
///
/// ```
/// use whimbrel_engine::{ChatTemplate, Message, RenderOptions, Role};
///
/// # fn main() -> Result<(), whimbrel_engine::EngineError> {
/// let template = ChatTemplate::new(
///     "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}\
///      {% if add_generation_prompt %}<assistant>{% endif %}",
/// )?;
/// let messages = [Message {
///     role: Role::User,
///     content: "Hello".into(),
/// }];
/// let options = RenderOptions {
///     add_generation_prompt: true,
///     ..RenderOptions::default()
/// };
/// assert_eq!(template.render(&messages, &options)?, "<user>Hello<assistant>");
/// # Ok(())
/// # }
/// ```
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    /// The source as it was compiled, with every character in the same place.
    compiled: String,
    takes_system: bool,
    thinking: Option<ThinkingMarks>,
    calls: CallFormat,
}

impl ChatTemplate {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`EngineError::Template`] if it is larger than 256 KiB or not valid Jinja.
    pub fn new(source: &str) -> Result<Self, EngineError> {
        if source.len() > TEMPLATE_BYTES_MAX as usize {
            return Err(bad(format!(
                "{} bytes, the limit is {TEMPLATE_BYTES_MAX}",
                source.len()
            )));
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.expect("the delimiters are Jinja's own"));
        environment.set_fuel(Some(FUEL_MAX));
        environment.set_recursion_limit(RECURSION_MAX as usize);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", json::tojson);
        environment.add_test("iterable", is_iterable);
        environment.add_function("raise_exception", raise_exception);
        // The template holds no user text yet, so the whole message can be shown.
        let compiled = without_generation_tags(source);
        environment
            .add_template_owned(NAME, compiled.clone())
            .map_err(|error| bad(format!("line {}: {error}", error.line().unwrap_or(0))))?;
        let mut template = Self {
            environment,
            source: source.to_owned(),
            compiled,
            takes_system: true,
            thinking: None,
            calls: CallFormat::default(),
        };
        template.takes_system = template.shows_system();
        template.thinking = template.find_marks();
        template.calls = template.find_calls();
        Ok(template)
    }

    /// Whether the template has a place for a system message. Where it has none, [`ChatTemplate::render`] puts the system
    /// message's text in front of the first question, with an empty line between them.
    #[must_use]
    pub fn takes_system(&self) -> bool {
        self.takes_system
    }

    /// Whether the template may print the date.
    #[must_use]
    pub fn prints_date(&self) -> bool {
        self.source.contains("strftime_now")
    }

    /// Renders a question alone, with which every conversation begins: what fails here always fails.
    ///
    /// # Errors
    /// [`EngineError::Template`] as [`ChatTemplate::render`], also if the text does not contain the question.
    pub fn try_out(&self) -> Result<(), EngineError> {
        let text = self.fill(&[probe(Role::User, QUESTION_PROBE)], &PROBE_OPTIONS)?;
        match text.contains(QUESTION_PROBE) {
            true => Ok(()),
            false => Err(bad("the text does not contain the question".into())),
        }
    }

    /// Tries it: a template that shows a question alone, and with a system message fails or shows nothing of that, has no place for
    /// one.
    fn shows_system(&self) -> bool {
        if self.try_out().is_err() {
            return true;
        }
        let messages = [probe(Role::System, SYSTEM_PROBE), probe(Role::User, QUESTION_PROBE)];
        match self.fill(&messages, &PROBE_OPTIONS) {
            Ok(text) => text.contains(SYSTEM_PROBE),
            Err(_) => false,
        }
    }

    /// The text of a conversation.
    ///
    /// # Errors
    /// [`EngineError::Template`] if the template raises an exception, fails, or exceeds a limit. The message contains nothing from the
    /// conversation.
    pub fn render(&self, messages: &[Message], options: &RenderOptions<'_>) -> Result<String, EngineError> {
        let (messages, listed) = match options.tool_use {
            Some(tools) => self.calls.messages(messages, tools),
            None => (messages.iter().map(|message| json!(message)).collect(), None),
        };
        let messages = match self.takes_system {
            true => messages,
            false => with_system_in_question(messages),
        };
        let listed = listed.map(|listed| listed.to_string());
        let options = RenderOptions {
            tools: match options.tool_use {
                Some(_) => listed.as_deref(),
                None => options.tools,
            },
            ..*options
        };
        self.fill(&messages, &options)
    }

    /// The text of these messages as they are.
    fn fill(&self, messages: &[impl Serialize], options: &RenderOptions<'_>) -> Result<String, EngineError> {
        let template = self
            .environment
            .get_template(NAME)
            .expect("the template was added when it was compiled");
        let strftime_now = options
            .now
            .map(|now| Value::from_function(move |format: &str| -> String { date::strftime(now, format) }));
        let mut context = BTreeMap::from([
            ("messages", Value::from(Serde(messages))),
            ("add_generation_prompt", options.add_generation_prompt.into()),
            ("bos_token", options.bos_token.unwrap_or_default().into()),
            ("eos_token", options.eos_token.unwrap_or_default().into()),
        ]);
        context.extend(strftime_now.map(|function| ("strftime_now", function)));
        context.extend(tools(options.tools)?.map(|tools| ("tools", tools)));
        // The two names that templates use.
        context.extend(
            ["enable_thinking", "thinking"]
                .into_iter()
                .filter_map(|name| Some((name, options.thinking?.into()))),
        );
        let context = Value::from(context);
        let mut out = Limited::default();
        // A template is not to be trusted, and a defect of the template engine must not end the thread that computes.
        let rendered = catch_unwind(AssertUnwindSafe(|| {
            template.render_captured_to(context, &mut out).map(drop)
        }));
        let rendered = rendered.map_err(|_| bad("the template engine stopped because of a bug".into()))?;
        if out.is_full {
            return Err(bad(format!(
                "the rendered text is longer than {RENDERED_BYTES_MAX} bytes"
            )));
        }
        rendered.map_err(|error| self.failure(&error))?;
        Ok(String::from_utf8(out.bytes).expect("templates write text"))
    }

    /// The tokens of a conversation. Text in messages never becomes control tokens, and never the marks of a block of thoughts to the
    /// template, which may leave such blocks out. A block that the template opens although the model is not to think is closed at once.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`]; [`EngineError::NoThinking`]; [`EngineError::Template`] also if the messages contain every noncharacter from U+FDD0 to U+FDEF, so
    /// that none is left as a sentinel.
    pub fn render_tokens(
        &self,
        tokenizer: &Tokenizer,
        messages: &[Message],
        options: &RenderOptions<'_>,
    ) -> Result<Prompt, EngineError> {
        let text_of = |id: Option<u32>| id.and_then(|id| std::str::from_utf8(tokenizer.decode_bytes(id)).ok());
        let options = RenderOptions {
            bos_token: options.bos_token.or(text_of(tokenizer.bos())),
            eos_token: options.eos_token.or(text_of(tokenizer.eos())),
            ..*options
        };
        let contents = messages.iter().map(|message| message.content.as_str());
        let of_tools = options.tool_use.map(|tools| json!(tools).to_string());
        let contents = contents.chain(of_tools.as_deref()).chain([self.source.as_str()]);
        let sentinel = tokenizer
            .sentinel(contents)
            .ok_or_else(|| bad("the messages contain every noncharacter from U+FDD0 to U+FDEF".into()))?;
        let protected: Vec<Message> = messages
            .iter()
            .map(|message| Message {
                role: message.role,
                content: self.protect(tokenizer, &message.content, sentinel),
            })
            .collect();
        let tools = options.tool_use;
        let tools = tools.map(|tools| calls::protected(tools, |text| self.protect(tokenizer, text, sentinel)));
        let options = RenderOptions {
            tool_use: tools.as_ref(),
            ..options
        };
        let mut marked = self.render(&protected, &options)?;
        let is_thinking = match options.add_generation_prompt {
            true => self.begin(&mut marked, &protected, &options)?,
            false => false,
        };
        let mut ids = tokenizer.encode_marked(&marked, sentinel);
        if let (true, Some(bos)) = (tokenizer.add_bos(), tokenizer.bos())
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        Ok(Prompt {
            ids,
            text: marked.replace(sentinel, ""),
            marked,
            sentinel,
            is_thinking,
        })
    }

    /// A message's content so that neither the tokenizer nor the template takes any of it for structure: see [`Tokenizer::protect`].
    pub(crate) fn protect(&self, tokenizer: &Tokenizer, content: &str, sentinel: char) -> String {
        let protected = tokenizer.protect(content, sentinel);
        match &self.thinking {
            Some(marks) => marks.hide(protected, sentinel),
            None => protected,
        }
    }

    /// Whether the answer to a rendered conversation begins inside a block of thoughts.
    fn begin(
        &self,
        marked: &mut String,
        messages: &[Message],
        options: &RenderOptions<'_>,
    ) -> Result<bool, EngineError> {
        let beginning = match &self.thinking {
            Some(marks) => Some((self.beginning(marks, messages, options)?, marks)),
            None => None,
        };
        match (beginning, options.thinking) {
            (None | Some((Beginning::Closed, _)), Some(true)) => Err(EngineError::NoThinking),
            (Some((Beginning::Open, marks)), Some(false)) => {
                marked.push_str(&marks.close);
                marked.push_str("\n\n");
                Ok(false)
            }
            (beginning, _) => Ok(matches!(beginning, Some((Beginning::Open, _)))),
        }
    }

    /// What went wrong and where, without anything that may have come from a message: a template's own exception is quoted if its
    /// words stand in the template, and of the template the expression that failed.
    fn failure(&self, error: &Error) -> EngineError {
        use ErrorKind::{UnknownFilter, UnknownFunction, UnknownMethod, UnknownTest};
        let mut reason = format!("line {}: {}", error.line().unwrap_or(0), error.kind());
        // Of what is unknown, the template engine says the name, which stands in the template, and the kind of value.
        let is_name = matches!(
            error.kind(),
            UnknownFilter | UnknownFunction | UnknownMethod | UnknownTest
        );
        if let Some(detail) = error.detail().filter(|detail| is_name || self.source.contains(detail)) {
            reason = format!("{reason}: {detail}");
        }
        let expression = error.range().and_then(|range| self.compiled.get(range));
        if let Some(expression) = expression.filter(|expression| !expression.is_empty()) {
            reason = format!("{reason}, in `{}`", shortened(expression));
        }
        bad(reason)
    }
}

impl std::fmt::Debug for ChatTemplate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ChatTemplate")
            .field("bytes", &self.source.len())
            .finish_non_exhaustive()
    }
}

fn probe(role: Role, content: &str) -> Message {
    Message {
        role,
        content: content.to_owned(),
    }
}

/// The messages behind a system message, whose text stands in front of the first question instead.
fn with_system_in_question(mut messages: Vec<Json>) -> Vec<Json> {
    let is_by = |message: &Json, role: Role| message["role"] == json!(role);
    if !messages.first().is_some_and(|first| is_by(first, Role::System)) {
        return messages;
    }
    let system = messages.remove(0);
    let system = system["content"].as_str().unwrap_or_default();
    let question = messages.iter_mut().find(|message| is_by(message, Role::User));
    if let Some(question) = question.filter(|_| !system.is_empty()) {
        let text = question["content"].as_str().unwrap_or_default();
        question["content"] = format!("{system}\n\n{text}").into();
    }
    messages
}

/// The template with `{% generation %}` blocks as plain ones. `transformers` marks with them what the model wrote, for training;
/// they add nothing to the text. Everything stays in its place.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start + 2);
        out.push_str(before);
        let length = tag.find("%}").unwrap_or(tag.len());
        let (tag, after) = tag.split_at(length);
        match tag.trim_matches(['-', '+']).trim() {
            "generation" => out.push_str(&tag.replace("generation", "if true   ")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif        ")),
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out + rest
}

/// In Python nothing can be taken from none; minijinja takes it for an empty list.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// The tools as a template finds them, in the order in which they are written.
fn tools(json: Option<&str>) -> Result<Option<Value>, EngineError> {
    let Some(json) = json else { return Ok(None) };
    match serde_json::from_str::<Value>(json) {
        Ok(tools) if tools.kind() == ValueKind::Seq => Ok(Some(tools)),
        _ => Err(bad("the tools are not a list in JSON".into())),
    }
}

/// Part of a template on one line, and not too long for a message.
fn shortened(expression: &str) -> String {
    let line = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(QUOTED_CHARACTERS_MAX) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// Takes text up to [`RENDERED_BYTES_MAX`].
#[derive(Default)]
struct Limited {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > RENDERED_BYTES_MAX as usize {
            self.is_full = true;
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bad(reason: String) -> EngineError {
    EngineError::Template { reason }
}
