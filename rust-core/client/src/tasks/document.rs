//! The document of a task: its fields, and what must hold of them.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use whimbrel_engine::{Form, SamplingOptions};

use super::{FORM, TEXT, TaskNeeds, named};
use crate::ClientError;
use crate::request::task_label;

/// The version of the format.
const VERSION: u32 = 1;
/// The most examples; more cost more to read than they help.
const EXAMPLES_MAX: usize = 16;
/// The longest answer that a task may ask for, in tokens.
const TOKENS_MAX: u32 = 2048;
/// The longest text that a task may take, in bytes.
const TEXT_BYTES_MAX: u32 = 8192;

/// See `shared-models/schemas/task.schema.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(rename = "$schema", default)]
    _schema: Option<String>,
    version: u32,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) languages: Vec<String>,
    pub(super) system: String,
    prompt: String,
    pub(super) examples: Vec<Example>,
    #[serde(default)]
    pub(super) form: FormOf,
    /// Whether a model's preference for some of the choices is taken out of its answers.
    #[serde(default)]
    pub(super) calibrated: bool,
    pub(super) max_tokens: u32,
    #[serde(default = "SamplingOptions::greedy")]
    pub(super) sampling: SamplingOptions,
    pub(super) text_bytes_max: u32,
}

/// A text and what is to be answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    pub(super) text: String,
    pub(super) answer: String,
    /// The form that was given with it, where one is.
    #[serde(default, deserialize_with = "form")]
    pub(super) form: Option<Form>,
}

/// Where the form of the answer comes from.
#[derive(Clone, Debug, Default)]
pub(super) enum FormOf {
    /// The answer is free.
    #[default]
    Nobody,
    /// The document.
    Document(Form),
    /// Whoever asks: choices.
    GivenChoices,
    /// Whoever asks: the fields.
    GivenSchema,
}

/// A form as the document writes it: a schema is JSON there, not text.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    Choice(Vec<String>),
    JsonSchema(Value),
    Regex(String),
    Grammar(String),
    Given(Given),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Given {
    Choice,
    JsonSchema,
}

impl<'de> Deserialize<'de> for FormOf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FormOf, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Choice(choices) => FormOf::Document(Form::Choice(choices)),
            Written::JsonSchema(schema) => FormOf::Document(Form::JsonSchema(schema.to_string())),
            Written::Regex(expression) => FormOf::Document(Form::Regex(expression)),
            Written::Grammar(text) => FormOf::Document(Form::Grammar(text)),
            Written::Given(Given::Choice) => FormOf::GivenChoices,
            Written::Given(Given::JsonSchema) => FormOf::GivenSchema,
        })
    }
}

fn form<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Form>, D::Error> {
    Ok(FormOf::deserialize(deserializer)?.fixed())
}

impl FormOf {
    /// The form that the document has.
    pub(super) fn fixed(&self) -> Option<Form> {
        match self {
            FormOf::Document(form) => Some(form.clone()),
            FormOf::Nobody | FormOf::GivenChoices | FormOf::GivenSchema => None,
        }
    }

    /// What has to be given.
    pub(super) fn needs(&self) -> TaskNeeds {
        match self {
            FormOf::Nobody | FormOf::Document(_) => TaskNeeds::Nothing,
            FormOf::GivenChoices => TaskNeeds::Choices,
            FormOf::GivenSchema => TaskNeeds::Schema,
        }
    }
}

impl Document {
    pub(super) fn read(json: &str) -> Result<Document, ClientError> {
        let document: Document = serde_json::from_str(json).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            let reason = error.to_string();
            refused(place, reason.split(" at line ").next().unwrap_or_default())
        })?;
        document.check()?;
        Ok(document)
    }

    fn check(&self) -> Result<(), ClientError> {
        let Document { prompt, form, .. } = self;
        if self.version != VERSION {
            return Err(refused("version", &format!("it must be {VERSION}")));
        }
        if task_label(&self.name).is_err() || self.name.trim() != self.name {
            return Err(refused("name", "it must be of A-Z, a-z, 0-9 and ._:/@+-"));
        }
        for (field, text) in [("description", &self.description), ("system", &self.system)] {
            if text.trim().is_empty() {
                return Err(refused(field, "it must not be empty"));
            }
        }
        if prompt.matches(TEXT).count() != 1 {
            return Err(refused("prompt", "it must have {text} once"));
        }
        if prompt.matches(FORM).count() != usize::from(form.needs() != TaskNeeds::Nothing) {
            return Err(refused(
                "prompt",
                "it must have {form} once if the form is given, and not otherwise",
            ));
        }
        if self.examples.len() > EXAMPLES_MAX {
            return Err(refused("examples", &format!("there must be at most {EXAMPLES_MAX}")));
        }
        for (place, limit, value) in [
            ("max_tokens", TOKENS_MAX, self.max_tokens),
            ("text_bytes_max", TEXT_BYTES_MAX, self.text_bytes_max),
        ] {
            if !(1..=limit).contains(&value) {
                return Err(refused(place, &format!("it must be from 1 to {limit}")));
            }
        }
        self.sampling
            .validate()
            .map_err(|error| refused("sampling", &error.to_string()))?;
        self.check_forms()
    }

    fn check_forms(&self) -> Result<(), ClientError> {
        let has_choices = matches!(self.form, FormOf::GivenChoices | FormOf::Document(Form::Choice(_)));
        if self.calibrated && !has_choices {
            return Err(refused("calibrated", "it needs a form with choices"));
        }
        if let Some(form) = self.form.fixed() {
            form.validate().map_err(|error| refused("form", &error.to_string()))?;
        }
        for (index, example) in self.examples.iter().enumerate() {
            let place = |field: &str| format!("examples[{index}].{field}");
            if !self.form.needs().are_met_by(example.form.as_ref()) {
                return Err(refused(
                    place("form"),
                    "it must be there if the form is given, and not otherwise",
                ));
            }
            if example.text.trim().is_empty() || example.answer.trim().is_empty() {
                return Err(refused(place("text"), "neither it nor the answer may be empty"));
            }
            if let Some(form) = &example.form {
                form.validate()
                    .map_err(|error| refused(place("form"), &error.to_string()))?;
            }
        }
        Ok(())
    }

    /// What is asked about a text. What stands in the text is text, even if it looks like a place for something.
    pub(super) fn prompt(&self, text: &str, form: Option<&Form>) -> String {
        let form = form.map(named).unwrap_or_default();
        let filled = |part: &str| part.replace(FORM, &form);
        match self.prompt.split_once(TEXT) {
            Some((before, after)) => filled(before) + text + &filled(after),
            None => filled(&self.prompt),
        }
    }
}

fn refused(place: impl Into<String>, reason: &str) -> ClientError {
    ClientError::TaskDocument {
        place: place.into(),
        reason: reason.to_owned(),
    }
}
