//! The object that opens models.

use std::sync::Arc;

use whimbrel_client as client;

use crate::{CoreError, Model, OpenOptions, logging};

/// Opens models. All computing happens on one background thread that this object owns; methods only pass work to it.
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

    /// Opens the model in the folder `path`. Answers in progress pause until it is open.
    #[uniffi::method(default(options))]
    pub async fn open_model(&self, path: String, options: OpenOptions) -> Result<Arc<Model>, CoreError> {
        Ok(Arc::new(self.0.open_model(path, options.into()).await?.into()))
    }

    /// The number of answers in progress in all conversations. A cancelled answer counts until it has ended.
    #[must_use]
    pub fn active_answers(&self) -> u32 {
        self.0.active_answers()
    }

    /// Cancels all answers and closes all models. Returns at once, and may be called again.
    pub fn release(&self) {
        self.0.close();
    }

    /// Like `release`, but waits until all memory is released. May be called again.
    pub async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

impl Client {
    /// The client's own, for conversations.
    pub(crate) fn inner(&self) -> &client::Client {
        &self.0
    }
}
