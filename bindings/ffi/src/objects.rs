//! The objects that apps hold. Every method is a line or two over the client.

use std::sync::Arc;

use whimbrel_client as client;

use crate::{
    AnswerEvent, ConversationOptions, CoreError, GenerationOptions, Message, ModelInfo, OpenOptions, logging, records,
};

/// Opens models. All computing happens on one background thread that this object owns; every method only hands over to it.
#[derive(uniffi::Object)]
pub struct Client(client::Client);

#[uniffi::export]
impl Client {
    /// Starts the background thread.
    #[uniffi::constructor]
    pub fn new() -> Result<Arc<Client>, CoreError> {
        logging::install();
        Ok(Arc::new(Client(client::Client::new()?)))
    }

    /// Opens the model in the folder `path`. Answers in the making pause meanwhile.
    pub async fn open_model(&self, path: String, options: OpenOptions) -> Result<Arc<Model>, CoreError> {
        Ok(Arc::new(Model(self.0.open_model(path, options.into()).await?)))
    }

    /// Answers in the making, in all conversations. A cancelled answer counts until it has really ended.
    #[must_use]
    pub fn active_answers(&self) -> u32 {
        self.0.active_answers()
    }

    /// Cancels all answers and closes all models. Returns at once; safe to call again.
    pub fn release(&self) {
        self.0.close();
    }

    /// Like `release`, and waits until all memory is given back. Safe to call again.
    pub async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

/// An open model.
#[derive(uniffi::Object)]
pub struct Model(client::ModelHandle);

#[uniffi::export]
impl Model {
    /// What is known of the model, also after it was released.
    #[must_use]
    pub fn info(&self) -> ModelInfo {
        self.0.info().into()
    }

    /// Starts a conversation and reserves the memory for its context.
    pub async fn conversation(&self, options: ConversationOptions) -> Result<Arc<Conversation>, CoreError> {
        Ok(Arc::new(Conversation(self.0.conversation(options.into()).await?)))
    }

    /// Goes on from a text without any conversation around it, in a context of its own of `context_length` tokens.
    pub async fn complete(
        &self,
        prompt: String,
        context_length: u32,
        options: GenerationOptions,
    ) -> Result<Arc<Answer>, CoreError> {
        Ok(Arc::new(Answer(
            self.0.complete(&prompt, context_length, options.into()).await?,
        )))
    }

    /// Cancels the model's answers and closes it with its conversations. Returns at once; safe to call again.
    pub fn release(&self) {
        self.0.close();
    }
}

impl Model {
    /// The client's handle, for an assistant.
    pub(crate) fn handle(&self) -> client::ModelHandle {
        self.0.clone()
    }
}

/// A conversation with a model. It answers one question at a time.
#[derive(uniffi::Object)]
pub struct Conversation(client::Conversation);

#[uniffi::export]
impl Conversation {
    /// Asks a question. When the answer has ended, also by cancelling, both are part of the conversation.
    pub async fn ask(&self, question: String, options: GenerationOptions) -> Result<Arc<Answer>, CoreError> {
        Ok(Arc::new(Answer(self.0.ask(&question, options.into()).await?)))
    }

    /// The messages so far, the system message first. Waits for a cancelled answer to end.
    pub async fn messages(&self) -> Result<Vec<Message>, CoreError> {
        Ok(records::messages_out(self.0.messages().await?))
    }

    /// Replaces all messages, the system message included: an earlier conversation goes on.
    pub async fn set_messages(&self, messages: Vec<Message>) -> Result<(), CoreError> {
        Ok(self.0.set_messages(records::messages_in(messages)).await?)
    }

    /// Forgets everything but the system message.
    pub async fn reset(&self) -> Result<(), CoreError> {
        Ok(self.0.reset().await?)
    }

    /// Writes the conversation to a file, with what the model made of it, so that `restore` goes on without reading its text
    /// again. The file holds what was said and is readable by its owner only.
    pub async fn save(&self, path: String) -> Result<(), CoreError> {
        Ok(self.0.save(path).await?)
    }

    /// Goes on with a conversation that was saved with the same model; this one is forgotten.
    pub async fn restore(&self, path: String) -> Result<(), CoreError> {
        Ok(self.0.restore(path).await?)
    }

    /// Cancels the answer in the making and gives the memory of the context back. Returns at once; safe to call again.
    pub fn release(&self) {
        self.0.close();
    }
}

/// An answer in the making. It pauses while its reader is far behind, and is cancelled when nobody holds it any more.
#[derive(uniffi::Object)]
pub struct Answer(client::Answer);

#[uniffi::export]
impl Answer {
    /// Waits until at least one event is there and returns all that are, at most `max`. An empty list is the end.
    pub async fn next(&self, max: u32) -> Result<Vec<AnswerEvent>, CoreError> {
        Ok(records::events_out(self.0.next(max).await?))
    }

    /// Stops the answer. The last event, with the figures, still comes. Safe to call again, and after the end.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}
