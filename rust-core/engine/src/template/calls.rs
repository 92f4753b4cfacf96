//! How a model writes its calls of tools. Nothing is known by name where it can be seen: the template is tried with a call, and shows in what it
//! makes of it how calls are written. A template that knows no tools gets a form of ours, explained in the system message.

use serde_json::{Map, Value, json};

use super::{ChatTemplate, Message, PROBE_OPTIONS, QUESTION_PROBE, RenderOptions};
use crate::json::json_on_one_line;
use crate::tools::{ToolCall, ToolStep, ToolUse};

/// A call that no template contains.
const NAME_PROBE: &str = "call_probe_7f3a";
const KEY_PROBE: &str = "key_probe_7f3a";
const VALUE_PROBE: &str = "value-probe-7f3a";
const ANSWER_PROBE: &str = "answer-probe-7f3a";
/// The longest mark around a call, in bytes.
const MARK_BYTES_MAX: usize = 256;

/// How a call is written between its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallBody {
    /// A JSON object with the name and the arguments under these keys.
    Json {
        /// The key of the name.
        name: String,
        /// The key of the arguments.
        arguments: String,
    },
    /// As a call in Python with named arguments.
    Python,
}

/// How a model writes a call of a tool.
///
/// ```
/// use whimbrel_engine::ChatTemplate;
///
/// let template = ChatTemplate::new(
///     "{% for m in messages %}<{{ m.role }}>{{ m.content }}\
///      {% for call in m.tool_calls %}[CALL]{{ call.function | tojson }}{% endfor %}{% endfor %}\
///      {% if tools %}{{ tools | tojson }}{% endif %}{% if add_generation_prompt %}<assistant>{% endif %}",
/// )?;
/// let call = template.calls().parse(r#"[CALL]{"name": "now", "arguments": {"zone": "UTC"}}"#);
/// assert_eq!(call.map(|call| call.arguments).as_deref(), Some(r#"{"zone": "UTC"}"#));
/// # Ok::<(), whimbrel_engine::EngineError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFormat {
    pub(crate) open: String,
    pub(crate) close: String,
    pub(crate) body: CallBody,
    source: Source,
}

/// Where the form comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The template writes tools, calls and results.
    Template,
    /// The template writes the tools and the results; how its model writes calls is known.
    Known,
    /// The template knows no tools.
    Own,
}

impl Default for CallFormat {
    /// The form of ours. Many models know it.
    fn default() -> CallFormat {
        CallFormat {
            open: "<tool_call>\n".to_owned(),
            close: "\n</tool_call>".to_owned(),
            body: CallBody::json("name", "arguments"),
            source: Source::Own,
        }
    }
}

impl CallBody {
    fn json(name: &str, arguments: &str) -> CallBody {
        CallBody::Json {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        }
    }
}

impl CallFormat {
    /// Of templates that show the tools and no calls: what they contain, and how their models write calls.
    fn known(template: &str) -> Option<CallFormat> {
        let (open, close, body) = if template.contains("List of tools: ") {
            ("<|tool_call_start|>[", "]<|tool_call_end|>", CallBody::Python)
        } else if template.contains("<|tool_call|> followed by a JSON list") {
            ("<|tool_call|>[", "]", CallBody::json("name", "arguments"))
        } else {
            return None;
        };
        Some(CallFormat {
            open: open.to_owned(),
            close: close.to_owned(),
            body,
            source: Source::Known,
        })
    }

    /// Whether the template itself writes calls. Otherwise its model is shown them in a form that it knows, or in one of ours.
    #[must_use]
    pub fn is_of_template(&self) -> bool {
        self.source == Source::Template
    }

    /// Whether the template knows no tools, so that the system message explains them.
    #[must_use]
    pub fn is_explained(&self) -> bool {
        self.source == Source::Own
    }

    /// A call as the model writes it.
    #[must_use]
    pub fn write(&self, call: &ToolCall) -> String {
        let body = match &self.body {
            CallBody::Json { name, arguments } => {
                let written = [(name, call.name.clone().into()), (arguments, call.arguments())];
                let written: Map<String, Value> =
                    written.into_iter().map(|(key, value)| (key.clone(), value)).collect();
                json_on_one_line(&written.into())
            }
            CallBody::Python => {
                let arguments = call.arguments();
                let arguments = arguments.as_object().into_iter().flatten();
                let written: Vec<String> = arguments
                    .map(|(key, value)| format!("{key}={}", json_on_one_line(value)))
                    .collect();
                format!("{}({})", call.name, written.join(", "))
            }
        };
        format!("{}{body}{}", self.open, self.close)
    }

    /// The call that a whole text is; `None` for any other text.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<ToolCall> {
        let text = text.trim().strip_prefix(self.open.trim())?;
        let body = text.strip_suffix(self.close.trim())?.trim();
        match &self.body {
            CallBody::Json { name, arguments } => {
                let written: Map<String, Value> = serde_json::from_str(body).ok()?;
                let arguments = written.get(arguments).filter(|arguments| arguments.is_object())?;
                Some(ToolCall {
                    name: written.get(name)?.as_str()?.to_owned(),
                    arguments: json_on_one_line(arguments),
                })
            }
            CallBody::Python => {
                let (name, arguments) = body.strip_suffix(')')?.split_once('(')?;
                Some(ToolCall {
                    name: name.to_owned(),
                    arguments: json_on_one_line(&named_arguments(arguments)?.into()),
                })
            }
        }
    }

    /// The messages of a conversation with its tools, and those for the template's own list.
    pub(super) fn messages(&self, messages: &[Message], tools: &ToolUse) -> (Vec<Value>, Option<Value>) {
        let mut written: Vec<Value> = messages.iter().map(|message| json!(message)).collect();
        if self.source == Source::Own {
            let explained = self.explained(tools);
            match written.first_mut().filter(|first| first["role"] == "system") {
                Some(system) => {
                    let text = system["content"].as_str().unwrap_or_default();
                    system["content"] = match text.is_empty() {
                        true => explained.into(),
                        false => format!("{text}\n\n{explained}").into(),
                    };
                }
                None => written.insert(0, json!({"role": "system", "content": explained})),
            }
        }
        for (index, step) in (1..).zip(&tools.steps) {
            written.extend(self.step(step, index));
        }
        (written, (self.source != Source::Own).then(|| tools.listed()))
    }

    /// A call and its result as messages. Some templates want ids of nine characters.
    fn step(&self, step: &ToolStep, index: u32) -> [Value; 2] {
        let id = format!("call{index:05}");
        let call = match self.source {
            Source::Template => json!({
                "role": "assistant",
                "content": "",
                "tool_calls": [{
                    "type": "function",
                    "id": id,
                    "function": {"name": step.call.name, "arguments": step.call.arguments()},
                }],
            }),
            Source::Known | Source::Own => json!({"role": "assistant", "content": self.write(&step.call)}),
        };
        let result = match self.source {
            Source::Template | Source::Known => {
                json!({"role": "tool", "tool_call_id": id, "name": step.call.name, "content": step.result})
            }
            Source::Own => json!({
                "role": "user",
                "content": format!("The result of {}:\n{}\n\nAnswer the question with it.", step.call.name, step.result),
            }),
        };
        [call, result]
    }

    /// The tools as a system message explains them.
    fn explained(&self, tools: &ToolUse) -> String {
        let listed = tools.listed();
        let listed: Vec<String> = listed.as_array().into_iter().flatten().map(json_on_one_line).collect();
        let example = format!(r#"{}{{"name": "...", "arguments": {{...}}}}{}"#, self.open, self.close);
        format!(
            "You can use these functions, each given with the JSON schema of its arguments:\n{}\n\nTo use one, answer only with its name and arguments:\n{example}\nThen you are \
             told its result.",
            listed.join("\n")
        )
    }
}

/// The named arguments of a call in Python, whose values are written as in JSON.
fn named_arguments(mut rest: &str) -> Option<Map<String, Value>> {
    let mut arguments = Map::new();
    while !rest.is_empty() {
        let (key, behind) = rest.split_once('=')?;
        let mut values = serde_json::Deserializer::from_str(behind).into_iter::<Value>();
        let value = values.next()?.ok()?;
        arguments.insert(key.trim().to_owned(), value);
        rest = behind[values.byte_offset()..].trim_start();
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(arguments)
}

impl ChatTemplate {
    /// How the model writes calls.
    #[must_use]
    pub fn calls(&self) -> &CallFormat {
        &self.calls
    }

    /// Tries it.
    pub(super) fn find_calls(&self) -> CallFormat {
        if self.try_out().is_err() || !self.shows_tools() {
            return CallFormat::default();
        }
        let found = self.written_call().and_then(|call| format_of(&call));
        found.or_else(|| CallFormat::known(&self.source)).unwrap_or_default()
    }

    fn shows_tools(&self) -> bool {
        let question = json!({"role": "user", "content": QUESTION_PROBE});
        let tools = json!([{
            "type": "function",
            "function": {"name": NAME_PROBE, "description": "", "parameters": {"type": "object", "properties": {}}},
        }]);
        let options = RenderOptions {
            tools: Some(&tools.to_string()),
            ..PROBE_OPTIONS
        };
        let text = self.fill(&[question], &options);
        text.is_ok_and(|text| text.contains(NAME_PROBE) && text.contains(QUESTION_PROBE))
    }

    /// A call as the template writes it behind the prompt for an answer.
    fn written_call(&self) -> Option<String> {
        let question = json!({"role": "user", "content": QUESTION_PROBE});
        let function = json!({"name": NAME_PROBE, "arguments": {KEY_PROBE: VALUE_PROBE}});
        let tool_calls = json!([{"type": "function", "id": "call00001", "function": function}]);
        let call = json!({"role": "assistant", "content": "", "tool_calls": tool_calls});
        let answer = json!({"role": "assistant", "content": ANSWER_PROBE});
        let options = RenderOptions {
            add_generation_prompt: false,
            ..PROBE_OPTIONS
        };
        let [called, answered] = [call, answer].map(|last| self.fill(&[question.clone(), last], &options).ok());
        let (called, answered) = (called?, answered?);
        let (before, behind) = answered.split_once(ANSWER_PROBE)?;
        let prompt = self.fill(&[question], &PROBE_OPTIONS).ok()?;
        // Some templates put an empty block of thoughts in front of an answer, or behind a question.
        let begun = [before, prompt.as_str()]
            .into_iter()
            .find_map(|prefix| called.strip_prefix(prefix));
        let mut written = begun?.strip_suffix(behind)?;
        if let Some((_, answer)) = self
            .thinking
            .as_ref()
            .and_then(|marks| written.split_once(&marks.close))
        {
            written = answer;
        }
        Some(written.trim_start().to_owned())
    }
}

/// What a written call says about how calls are written.
fn format_of(written: &str) -> Option<CallFormat> {
    let found = |open: &str, close: &str, body| {
        let fits = open.len() <= MARK_BYTES_MAX && close.len() <= MARK_BYTES_MAX;
        let is_mark = !open.contains(NAME_PROBE) && !close.contains(VALUE_PROBE);
        (fits && is_mark).then(|| CallFormat {
            open: open.to_owned(),
            close: close.trim_end().to_owned(),
            body,
            source: Source::Template,
        })
    };
    for (at, _) in written.match_indices('{') {
        let mut values = serde_json::Deserializer::from_str(&written[at..]).into_iter::<Map<String, Value>>();
        if let Some(Ok(object)) = values.next()
            && let Some(body) = keys_of(&object)
        {
            return found(&written[..at], &written[at + values.byte_offset()..], body);
        }
    }
    let (open, call) = written.split_once(NAME_PROBE)?;
    let close = [r#"(KEY="VALUE")"#, "(KEY='VALUE')"].iter().find_map(|form| {
        let arguments = form.replace("KEY", KEY_PROBE).replace("VALUE", VALUE_PROBE);
        call.strip_prefix(arguments.as_str())
    })?;
    found(open, close, CallBody::Python)
}

/// The keys of the name and the arguments in the probe's call, if there is nothing else but an id.
fn keys_of(object: &Map<String, Value>) -> Option<CallBody> {
    let name = object.iter().find(|(_, value)| *value == NAME_PROBE)?.0;
    let is_arguments = |value: &Value| value.get(KEY_PROBE).is_some_and(|value| value == VALUE_PROBE);
    let arguments = object.iter().find(|(_, value)| is_arguments(value))?.0;
    (object.len() == 2 && object.keys().next() == Some(name)).then(|| CallBody::json(name, arguments))
}

/// The tools and their results with every text passed through `protect`, so that no part of them is taken for structure.
pub(super) fn protected(tools: &ToolUse, protect: impl Fn(&str) -> String) -> ToolUse {
    let in_json = |json: &str| {
        let value: Value = serde_json::from_str(json).unwrap_or_default();
        json_on_one_line(&protected_value(value, &protect))
    };
    let mut tools = tools.clone();
    for tool in &mut tools.tools {
        tool.description = protect(&tool.description);
        tool.parameters = in_json(&tool.parameters);
    }
    for step in &mut tools.steps {
        step.call.arguments = in_json(&step.call.arguments);
        step.result = protect(&step.result);
    }
    tools
}

fn protected_value(value: Value, protect: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => protect(&text).into(),
        Value::Array(values) => values
            .into_iter()
            .map(|value| protected_value(value, protect))
            .collect(),
        Value::Object(keys) => {
            let keys = keys.into_iter();
            keys.map(|(key, value)| (protect(&key), protected_value(value, protect)))
                .collect()
        }
        value => value,
    }
}
