//! The assistant. It decides under a policy where each question is answered, and writes a receipt for every request. Its
//! ledger is in `ledger.rs`.

use std::sync::Arc;

use whimbrel_client as client;
use whimbrel_client::policy::PolicySet;
use whimbrel_client::privacy;
use whimbrel_client::record::ReceiptId;

use crate::system_model::ForeignSystemModel;
use crate::vault::ForeignVault;
use crate::{
    Answer, AskOptions, Conversation, ConversationOptions, CoreError, DeviceUpdate, EndpointExtras, KeyVault,
    LearningMode, Message, Model, PolicyDocument, Signal, SystemModel, logging,
};

/// Options for opening an assistant.
#[derive(uniffi::Record)]
pub struct AssistantOptions {
    /// The path of the ledger file. The file is created if it does not exist; its folder must exist.
    pub store: String,
    /// The vault that stores keys. Each ledger needs its own vault.
    pub vault: Arc<dyn KeyVault>,
    /// The app's policy.
    pub app_policy: PolicyDocument,
    /// The user's policy, which can only make the app's stricter.
    #[uniffi(default = None)]
    pub user_policy: Option<PolicyDocument>,
    /// Words to redact in addition to what is recognised.
    #[uniffi(default = [])]
    pub user_words: Vec<String>,
}

/// Something that was recognised as personal or secret in a text.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Finding {
    /// Its kind: `email`, `phone`, `person_name` and so on. The special categories `health`, `religion`, `sexuality`, `politics`,
    /// `trade_union`, `ethnicity` and `crime` are not replaced.
    pub kind: String,
    /// The index of its first character (Unicode scalar value).
    pub start: u32,
    /// The index of the character after its last one.
    pub end: u32,
    /// The confidence, from 0 to 1.
    pub confidence: f32,
    /// The placeholder that replaces it in the redacted text; findings next to each other may share one. Absent for a special category.
    pub placeholder: Option<String>,
}

/// Something that may be personal but is too unsure to be replaced. It raises the privacy class of the text.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Guess {
    /// What it may be, in the words of `Finding.kind`.
    pub kind: String,
    /// The index of its first character (Unicode scalar value).
    pub start: u32,
    /// The index of the character after its last one.
    pub end: u32,
}

/// A text in which the findings have been replaced.
#[derive(Clone, Debug, uniffi::Record)]
pub struct RedactedText {
    /// The text with placeholders.
    pub text: String,
    /// The findings in the original text, in order.
    pub findings: Vec<Finding>,
    /// The guesses in the original text, in order.
    pub guesses: Vec<Guess>,
}

/// Takes questions, decides under a policy where each one is answered, redacts text that may only leave redacted, and writes
/// a receipt for every request.
#[derive(uniffi::Object)]
pub struct Assistant(pub(crate) client::Assistant);

#[uniffi::export]
impl Assistant {
    /// Opens the ledger and reads the policies. Receipts that an earlier process left unfinished are closed as interrupted.
    #[uniffi::constructor]
    pub async fn open(options: AssistantOptions) -> Result<Arc<Assistant>, CoreError> {
        logging::install();
        let options = client::AssistantOptions {
            store: options.store.into(),
            vault: Arc::new(ForeignVault(options.vault)),
            policies: policies(options.app_policy, options.user_policy)?,
            user_words: options.user_words,
        };
        Ok(Arc::new(Assistant(client::Assistant::open_aside(options).await?)))
    }

    /// Starts a conversation. After `release`, its questions are refused.
    #[uniffi::method(default(options))]
    pub fn conversation(&self, options: ConversationOptions) -> Result<Arc<Conversation>, CoreError> {
        let options = client::ConversationOptions::from(options);
        options.check()?;
        Ok(Arc::new(self.0.conversation(options).into()))
    }

    /// Answers a question outside any conversation. The last message is the question.
    #[uniffi::method(default(options))]
    pub fn answer(&self, messages: Vec<Message>, options: AskOptions) -> Result<Arc<Answer>, CoreError> {
        let messages = messages.into_iter().map(Into::into).collect();
        let request = client::Request::new(messages, options.into());
        Ok(Arc::new(self.0.answer(request)?.into()))
    }

    /// Sets the model on this device that answers from the next question on. Pass nothing to remove the model.
    pub fn set_model(&self, model: Option<Arc<Model>>) {
        self.0.set_model(model.map(|model| model.inner()));
    }

    /// Sets the system's model that the app provides. Pass nothing to remove it.
    pub fn set_system_model(&self, model: Option<Arc<dyn SystemModel>>) {
        let model = model.map(|model| Arc::new(ForeignSystemModel(model)) as Arc<dyn client::SystemModel>);
        self.0.set_system_model(model);
    }

    /// Tells the system's model, if one is set, to prepare for a question.
    pub fn prewarm_system_model(&self) {
        self.0.prewarm_system_model();
    }

    /// Reports the current state of the device.
    pub fn update_device(&self, update: DeviceUpdate) {
        self.0.update_device(&update.into());
    }

    /// Replaces both policies from the next question on. After an error the previous policies stay in force.
    #[uniffi::method(default(user = None))]
    pub fn set_policies(&self, app: PolicyDocument, user: Option<PolicyDocument>) -> Result<(), CoreError> {
        let user = user.map(PolicyDocument::read).transpose()?;
        Ok(self.0.set_policies(app.read()?, user)?)
    }

    /// Replaces the user's policy, which can only make the app's stricter. After an error the previous policies stay in
    /// force.
    pub fn set_user_policy(&self, user: Option<PolicyDocument>) -> Result<(), CoreError> {
        let user = user.map(PolicyDocument::read).transpose()?;
        Ok(self.0.set_user_policy(user)?)
    }

    /// Sets words to redact in addition to what is recognised, from the next question on.
    pub fn set_user_words(&self, words: Vec<String>) -> Result<(), CoreError> {
        Ok(self.0.set_user_words(words)?)
    }

    /// Sets connection settings of an endpoint that are not part of the policy.
    pub fn set_endpoint(&self, endpoint_id: String, extras: EndpointExtras) -> Result<(), CoreError> {
        Ok(self.0.set_endpoint(&endpoint_id, extras.into())?)
    }

    /// Stores an endpoint's key in the vault, or deletes it.
    pub async fn set_key(&self, endpoint_id: String, key: Option<String>) -> Result<(), CoreError> {
        Ok(self.0.set_key(&endpoint_id, key).await?)
    }

    /// Records the user's feedback on an answer. It is stored beside the receipt, and the choice of places learns from it.
    pub async fn feedback(&self, receipt: u64, signal: Signal) -> Result<(), CoreError> {
        Ok(self.0.feedback(ReceiptId(receipt), signal.into()).await?)
    }

    /// Whether the assistant learns from feedback and uses what it learned.
    #[must_use]
    pub fn learning(&self) -> LearningMode {
        self.0.learning().into()
    }

    /// Switches learning on or off, or freezes it.
    pub async fn set_learning(&self, mode: LearningMode) -> Result<(), CoreError> {
        Ok(self.0.set_learning(mode.into()).await?)
    }

    /// Deletes everything that was learned.
    pub async fn reset_learning(&self) -> Result<(), CoreError> {
        Ok(self.0.reset_learning().await?)
    }

    /// Redacts a text as it would be redacted for an endpoint, and returns it with the findings.
    pub async fn redact(&self, text: String) -> Result<RedactedText, CoreError> {
        Ok(self.0.redact(&text).await?.into())
    }

    /// Cancels all answers and closes the ledger once they have ended. Conversations refuse further questions. Returns at
    /// once, and may be called again.
    pub fn release(&self) {
        self.0.close();
    }

    /// Like `release`, but waits until the ledger is closed and can be opened again. May be called again.
    pub async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

fn policies(app: PolicyDocument, user: Option<PolicyDocument>) -> Result<PolicySet, CoreError> {
    let user = user.map(PolicyDocument::read).transpose()?;
    Ok(PolicySet::new(app.read()?, user).map_err(client::ClientError::from)?)
}

impl From<privacy::Redacted> for RedactedText {
    fn from(from: privacy::Redacted) -> Self {
        let finding = |from: privacy::RedactedFinding| Finding {
            kind: from.kind.name().into(),
            start: from.start,
            end: from.end,
            confidence: from.confidence,
            placeholder: from.placeholder,
        };
        let guess = |from: privacy::Guess| Guess {
            kind: from.kind.name().into(),
            start: from.start,
            end: from.end,
        };
        RedactedText {
            text: from.text,
            findings: from.findings.into_iter().map(finding).collect(),
            guesses: from.guesses.into_iter().map(guess).collect(),
        }
    }
}
