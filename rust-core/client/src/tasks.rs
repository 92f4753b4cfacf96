//! Ready tasks: documents that say how even a small model does one kind of work well, with examples, the form of the answer and how tokens are
//! chosen. Those that come with the product are in `shared-models/tasks`; an app may have its own.

mod document;

use std::sync::LazyLock;

use whimbrel_engine::{ContextPolicy, EngineError, Form, GenerationOptions};
use whimbrel_privacy::PrivacyClass;

use self::document::Document;
use crate::error::within;
use crate::{AskOptions, ClientError, Message, Request, Role, schema_fields};

/// The longest document of a task, in bytes.
pub const TASK_BYTES_MAX: u64 = 64 * 1024;
/// Tokens of context for a task.
const CONTEXT_LENGTH: u32 = 2048;
/// What a prompt has in place of the text, and of the form that is given with it.
const TEXT: &str = "{text}";
const FORM: &str = "{form}";

/// The documents in `shared-models/tasks`, in the order in which they are listed.
const BUILT_IN: [&str; 8] = [
    include_str!("../../../shared-models/tasks/title.json"),
    include_str!("../../../shared-models/tasks/points.json"),
    include_str!("../../../shared-models/tasks/replies.json"),
    include_str!("../../../shared-models/tasks/tone.json"),
    include_str!("../../../shared-models/tasks/category.json"),
    include_str!("../../../shared-models/tasks/tidy.json"),
    include_str!("../../../shared-models/tasks/fill.json"),
    include_str!("../../../shared-models/tasks/shorten.json"),
];

/// One kind of work.
///
/// ```
/// use whimbrel_client::{Form, TextTask};
///
/// let task = TextTask::built_in("category").expect("it comes with the product");
/// let task = task.with_form(Form::Choice(vec!["invoice".into(), "complaint".into()]))?;
/// let request = task.request("The lamp arrived broken.")?;
/// assert_eq!(request.options.task, "category");
/// # Ok::<(), whimbrel_client::ClientError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TextTask {
    document: Document,
    /// The form of the answer; `None` where it is free or has yet to be given.
    form: Option<Form>,
}

/// What has to be given with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskNeeds {
    /// Nothing.
    Nothing,
    /// The choices: a [`Form::Choice`].
    Choices,
    /// The fields: a [`Form::JsonSchema`] of an object.
    Schema,
}

impl TaskNeeds {
    /// Whether a form that is given, or that none is, is what is needed.
    #[must_use]
    pub fn are_met_by(self, form: Option<&Form>) -> bool {
        match self {
            TaskNeeds::Nothing => form.is_none(),
            TaskNeeds::Choices => matches!(form, Some(Form::Choice(_))),
            TaskNeeds::Schema => matches!(form, Some(Form::JsonSchema(_))),
        }
    }

    /// What errors expect.
    fn expected(self) -> Option<&'static str> {
        match self {
            TaskNeeds::Nothing => None,
            TaskNeeds::Choices => Some("choices"),
            TaskNeeds::Schema => Some("a JSON schema"),
        }
    }
}

impl TextTask {
    /// Reads a document.
    ///
    /// # Errors
    /// [`ClientError::TaskDocument`] with the place and what is wrong there; [`ClientError::Limit`] beyond [`TASK_BYTES_MAX`].
    pub fn read(json: &str) -> Result<TextTask, ClientError> {
        within("bytes of a task", json.len() as u64, TASK_BYTES_MAX)?;
        let document = Document::read(json)?;
        let form = document.form.fixed();
        Ok(TextTask { document, form })
    }

    /// The tasks that come with the product.
    pub fn all() -> impl Iterator<Item = &'static TextTask> {
        static TASKS: LazyLock<Vec<TextTask>> = LazyLock::new(|| {
            let read = |json: &&str| TextTask::read(json).expect("the product's own documents are valid");
            BUILT_IN.iter().map(read).collect()
        });
        TASKS.iter()
    }

    /// The task of this name that comes with the product.
    #[must_use]
    pub fn built_in(name: &str) -> Option<TextTask> {
        TextTask::all().find(|task| task.name() == name).cloned()
    }

    /// Its name, by which policies and learning know it too.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.document.name
    }

    /// What it does, in a sentence for people.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.document.description
    }

    /// The languages of its examples, as codes like `en`.
    #[must_use]
    pub fn languages(&self) -> &[String] {
        &self.document.languages
    }

    /// The longest text that it takes, in bytes.
    #[must_use]
    pub fn text_bytes_max(&self) -> u32 {
        self.document.text_bytes_max
    }

    /// What has to be given with a text.
    #[must_use]
    pub fn needs(&self) -> TaskNeeds {
        match self.form {
            Some(_) => TaskNeeds::Nothing,
            None => self.document.form.needs(),
        }
    }

    /// The form of its answers. `None` where an answer is free, or the form has yet to be given.
    #[must_use]
    pub fn form(&self) -> Option<&Form> {
        self.form.as_ref()
    }

    /// The answers of its examples, each with the form that it has.
    pub fn examples(&self) -> impl Iterator<Item = (&str, Option<&Form>)> {
        let examples = self.document.examples.iter();
        examples.map(|example| (example.answer.as_str(), example.form.as_ref().or(self.form.as_ref())))
    }

    /// The task with the choices or the fields that it asks for.
    ///
    /// # Errors
    /// [`ClientError::Engine`] with the option `form` if the task has a form of its own or takes another kind, or if the form cannot be used.
    pub fn with_form(mut self, form: Form) -> Result<TextTask, ClientError> {
        let needs = self.document.form.needs();
        if !needs.are_met_by(Some(&form)) {
            let expected = needs.expected().unwrap_or("absent: the task has its own");
            return Err(form_option(expected, "another form"));
        }
        form.validate()?;
        self.form = Some(form);
        Ok(self)
    }

    /// The request that does the work with a text.
    ///
    /// # Errors
    /// [`ClientError::Limit`] beyond [`TextTask::text_bytes_max`]; [`ClientError::Engine`] with the option `form` if the task needs one.
    pub fn request(&self, text: &str) -> Result<Request, ClientError> {
        let document = &self.document;
        if let Some(expected) = self.needs().expected() {
            return Err(form_option(expected, "absent"));
        }
        within("bytes of text", text.len() as u64, document.text_bytes_max.into())?;
        let mut messages = vec![fixed(Role::System, &document.system)];
        for example in &document.examples {
            let form = example.form.as_ref().or(self.form.as_ref());
            messages.push(fixed(Role::User, &document.prompt(&example.text, form)));
            messages.push(fixed(Role::Assistant, &example.answer));
        }
        let shared_messages = messages.len() as u32;
        messages.push(Message::new(
            Role::User,
            document.prompt(text.trim(), self.form.as_ref()),
        ));
        let generation = GenerationOptions {
            max_tokens: document.max_tokens,
            sampling: document.sampling.clone(),
            // Thoughts would come before the form, and cost more than the answer.
            thinking: Some(false),
            form: self.form.clone(),
            calibration: document.calibrated.then(|| document.prompt("", self.form.as_ref())),
            ..GenerationOptions::default()
        };
        let options = AskOptions {
            task: document.name.clone(),
            generation,
            ..AskOptions::default()
        };
        Ok(Request {
            context_length: CONTEXT_LENGTH,
            context_policy: ContextPolicy::Refuse,
            shared_messages,
            ..Request::new(messages, options)
        })
    }
}

/// A message of the document, which tells nothing of anybody.
fn fixed(role: Role, content: &str) -> Message {
    Message {
        class: Some(PrivacyClass::Public),
        ..Message::new(role, content)
    }
}

/// The error for a form that an option must have or must not have.
pub(crate) fn form_option(expected: &str, found: &str) -> ClientError {
    EngineError::Option {
        option: "form",
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
    .into()
}

/// How a prompt names a form: the choices, or the fields with what the schema says about them.
fn named(form: &Form) -> String {
    match form {
        Form::Choice(choices) => choices.join(", "),
        Form::JsonSchema(schema) => schema_fields(schema),
        Form::Regex(text) | Form::Grammar(text) => text.clone(),
    }
}
