//! The assistant: decides under rules where each question is answered, and writes a receipt for everything. Its ledger is in `ledger.rs`.

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

/// What an assistant is opened with.
#[derive(uniffi::Record)]
pub struct AssistantOptions {
    /// The file of the ledger, which is made when it is not there. Its folder must exist.
    pub store: String,
    /// Where keys are kept. One vault belongs to one ledger.
    pub vault: Arc<dyn KeyVault>,
    /// The app's rules.
    pub app_policy: PolicyDocument,
    /// The user's rules, which can only tighten the app's.
    #[uniffi(default = None)]
    pub user_policy: Option<PolicyDocument>,
    /// Words to redact besides what is recognised.
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
    /// The index behind its last character.
    pub end: u32,
    /// How sure this is, from 0 to 1.
    pub confidence: f32,
}

/// A text with its findings replaced.
#[derive(Clone, Debug, uniffi::Record)]
pub struct RedactedText {
    /// The text with placeholders.
    pub text: String,
    /// What was found in the original, in its order.
    pub findings: Vec<Finding>,
}

/// Takes questions, decides under rules where each is answered, redacts what may only leave redacted, and writes a receipt for
/// everything.
#[derive(uniffi::Object)]
pub struct Assistant(pub(crate) client::Assistant);

#[uniffi::export]
impl Assistant {
    /// Opens the ledger and reads the rules. Receipts that a process left open are closed as interrupted.
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

    /// Starts a conversation. After `release` its questions are refused.
    #[must_use]
    #[uniffi::method(default(options))]
    pub fn conversation(&self, options: ConversationOptions) -> Arc<Conversation> {
        Arc::new(self.0.conversation(options.into()).into())
    }

    /// Answers messages that belong to no conversation; the last one is the question.
    #[uniffi::method(default(options))]
    pub fn answer(&self, messages: Vec<Message>, options: AskOptions) -> Result<Arc<Answer>, CoreError> {
        let messages = messages.into_iter().map(Into::into).collect();
        let request = client::Request::new(messages, options.into());
        Ok(Arc::new(self.0.answer(request)?.into()))
    }

    /// The model of this device that answers from the next question on; nothing takes it away.
    pub fn set_model(&self, model: Option<Arc<Model>>) {
        self.0.set_model(model.map(|model| model.inner()));
    }

    /// The system's model, as the app reaches it; nothing takes it away.
    pub fn set_system_model(&self, model: Option<Arc<dyn SystemModel>>) {
        let model = model.map(|model| Arc::new(ForeignSystemModel(model)) as Arc<dyn client::SystemModel>);
        self.0.set_system_model(model);
    }

    /// Tells the system's model, if there is one, that a question may come soon.
    pub fn prewarm_system_model(&self) {
        self.0.prewarm_system_model();
    }

    /// Takes in what the app knows about the device now.
    pub fn update_device(&self, update: DeviceUpdate) {
        self.0.update_device(&update.into());
    }

    /// Puts other rules in force, from the next question on. After an error the rules are as they were.
    #[uniffi::method(default(user = None))]
    pub fn set_policies(&self, app: PolicyDocument, user: Option<PolicyDocument>) -> Result<(), CoreError> {
        let user = user.map(PolicyDocument::read).transpose()?;
        Ok(self.0.set_policies(app.read()?, user)?)
    }

    /// Puts other rules of the user's in force, which can only tighten the app's. After an error the rules are as they were.
    pub fn set_user_policy(&self, user: Option<PolicyDocument>) -> Result<(), CoreError> {
        let user = user.map(PolicyDocument::read).transpose()?;
        Ok(self.0.set_user_policy(user)?)
    }

    /// Words to redact besides what is recognised, from the next question on.
    pub fn set_user_words(&self, words: Vec<String>) -> Result<(), CoreError> {
        Ok(self.0.set_user_words(words)?)
    }

    /// What the app knows about an endpoint of the policy besides what stands there.
    pub fn set_endpoint(&self, endpoint_id: String, extras: EndpointExtras) -> Result<(), CoreError> {
        Ok(self.0.set_endpoint(&endpoint_id, extras.into())?)
    }

    /// Keeps the key of an endpoint in the vault, or forgets it.
    pub async fn set_key(&self, endpoint_id: String, key: Option<String>) -> Result<(), CoreError> {
        Ok(self.0.set_key(&endpoint_id, key).await?)
    }

    /// Takes in what the user thought of an answer: it is kept beside the receipt, and the choice of places learns from it.
    pub async fn feedback(&self, receipt: u64, signal: Signal) -> Result<(), CoreError> {
        Ok(self.0.feedback(ReceiptId(receipt), signal.into()).await?)
    }

    /// Whether feedback is learned from and used.
    #[must_use]
    pub fn learning(&self) -> LearningMode {
        self.0.learning().into()
    }

    /// Switches learning on, freezes it, or switches it off.
    pub async fn set_learning(&self, mode: LearningMode) -> Result<(), CoreError> {
        Ok(self.0.set_learning(mode.into()).await?)
    }

    /// Forgets everything that was learned.
    pub async fn reset_learning(&self) -> Result<(), CoreError> {
        Ok(self.0.reset_learning().await?)
    }

    /// A text with its findings replaced, and the findings: what an endpoint would get that may only get redacted text.
    pub async fn redact(&self, text: String) -> Result<RedactedText, CoreError> {
        Ok(self.0.redact(&text).await?.into())
    }

    /// Cancels its answers and lets go of the ledger once they have ended; its conversations take no more questions. Returns at once; safe to call
    /// again.
    pub fn release(&self) {
        self.0.close();
    }

    /// Like `release`, and waits until the ledger is closed and may be opened again. Safe to call again.
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
        };
        RedactedText {
            text: from.text,
            findings: from.findings.into_iter().map(finding).collect(),
        }
    }
}
