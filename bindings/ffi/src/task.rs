//! Ready tasks: work with a text that even a small model does well.

use std::sync::Arc;

use whimbrel_client as client;

use crate::{Answer, Assistant, CoreError, Form, Model, PrivacyClass};

/// What has to be given with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum TaskNeeds {
    /// Nothing.
    Nothing,
    /// The choices: a `Form` of choices.
    Choices,
    /// The fields: a `Form` with a JSON schema of an object.
    Schema,
}

/// What is known of a task.
#[derive(Clone, Debug, uniffi::Record)]
pub struct TaskInfo {
    /// Its name, by which policies and learning know it too.
    pub name: String,
    /// What it does, in a sentence for people.
    pub description: String,
    /// The languages of its examples, as codes like `en`.
    pub languages: Vec<String>,
    /// What has to be given with a text.
    pub needs: TaskNeeds,
    /// The longest text that it takes, in bytes of UTF-8.
    pub text_bytes_max: u32,
}

/// Options for a task.
#[derive(Clone, Debug, uniffi::Record)]
pub struct TaskOptions {
    /// The privacy class of the text as far as the app knows it. Findings in the text can only raise it.
    #[uniffi(default = None)]
    pub privacy_class: Option<PrivacyClass>,
    /// The deadline for the whole answer in milliseconds. The default is the policy's.
    #[uniffi(default = None)]
    pub deadline_ms: Option<u64>,
    /// Whether it is asked again even if the answer to exactly this text is remembered.
    #[uniffi(default = false)]
    pub fresh: bool,
}

/// One kind of work with a text.
#[derive(uniffi::Object)]
pub struct TextTask(client::TextTask);

#[uniffi::export]
impl TextTask {
    /// Reads a task of the app's own: a document like those in `shared-models/tasks`.
    #[uniffi::constructor]
    pub fn read(document: String) -> Result<Arc<TextTask>, CoreError> {
        Ok(Arc::new(TextTask(client::TextTask::read(&document)?)))
    }

    /// What is known of it.
    #[must_use]
    pub fn info(&self) -> TaskInfo {
        TaskInfo {
            name: self.0.name().to_owned(),
            description: self.0.description().to_owned(),
            languages: self.0.languages().to_vec(),
            needs: match self.0.needs() {
                client::TaskNeeds::Nothing => TaskNeeds::Nothing,
                client::TaskNeeds::Choices => TaskNeeds::Choices,
                client::TaskNeeds::Schema => TaskNeeds::Schema,
            },
            text_bytes_max: self.0.text_bytes_max(),
        }
    }

    /// The task with the choices or the fields that it asks for.
    pub fn with_form(&self, form: Form) -> Result<Arc<TextTask>, CoreError> {
        Ok(Arc::new(TextTask(self.0.clone().with_form(form.into())?)))
    }
}

/// The tasks that come with the product.
#[uniffi::export]
#[must_use]
pub fn built_in_tasks() -> Vec<Arc<TextTask>> {
    client::TextTask::all()
        .map(|task| Arc::new(TextTask(task.clone())))
        .collect()
}

#[uniffi::export]
impl Assistant {
    /// Does a task with a text.
    #[uniffi::method(default(options))]
    pub fn task(&self, task: Arc<TextTask>, text: String, options: TaskOptions) -> Result<Arc<Answer>, CoreError> {
        Ok(Arc::new(self.0.answer(task.request(&text, options)?)?.into()))
    }
}

#[uniffi::export]
impl Model {
    /// Does a task with a text, without a policy or receipts.
    #[uniffi::method(default(options))]
    pub fn task(&self, task: Arc<TextTask>, text: String, options: TaskOptions) -> Result<Arc<Answer>, CoreError> {
        Ok(Arc::new(self.inner().answer(task.request(&text, options)?)?.into()))
    }
}

impl TextTask {
    fn request(&self, text: &str, options: TaskOptions) -> Result<client::Request, CoreError> {
        let mut request = self.0.request(text)?;
        request.options.class = options.privacy_class.map(Into::into).unwrap_or_default();
        request.options.deadline_ms = options.deadline_ms;
        request.options.fresh = options.fresh;
        Ok(request)
    }
}
