//! A conversation over one session: messages in, answers out, the context's limit handled by a policy.

use std::sync::Arc;

use crate::{CancelFlag, EngineError, GenerationOptions, Message, Model, Step};

/// What happens when the conversation no longer fits the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContextPolicy {
    /// The question is refused with [`EngineError::ContextFull`].
    Refuse,
    /// The oldest exchanges are left out, never the system message; the result says how many messages.
    #[default]
    DropOldest,
}

/// How a conversation is kept.
#[derive(Clone, Debug)]
pub struct ChatOptions {
    /// Tokens of context; at most the model's own.
    pub context_length: u32,
    /// The system message, if any.
    pub system: Option<String>,
    /// See [`ContextPolicy`].
    pub context_policy: ContextPolicy,
}

impl Default for ChatOptions {
    fn default() -> Self {
        ChatOptions { context_length: 2048, system: None, context_policy: ContextPolicy::default() }
    }
}

/// A conversation.
pub struct Chat {}

impl Chat {
    /// Starts a conversation.
    ///
    /// # Errors
    /// As [`crate::Session::new`]; [`EngineError::Template`] when the model has no chat template.
    pub fn new(model: &Arc<Model>, options: ChatOptions) -> Result<Chat, EngineError> {
        let _ = (model, options);
        unimplemented!()
    }

    /// The messages so far, the system message first.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        unimplemented!()
    }

    /// Replaces the messages (an earlier conversation continued); the cache is kept as far as it agrees.
    pub fn set_messages(&mut self, messages: Vec<Message>) {
        let _ = messages;
        unimplemented!()
    }

    /// Forgets everything but the system message.
    pub fn reset(&mut self) {
        unimplemented!()
    }

    /// Begins an answer to a question; [`Chat::step`] makes it.
    ///
    /// # Errors
    /// [`EngineError::ContextFull`] and leaves the conversation as it was.
    pub fn ask(&mut self, text: &str, options: GenerationOptions, cancel: CancelFlag) -> Result<(), EngineError> {
        let _ = (text, options, cancel);
        unimplemented!()
    }

    /// Runs one step of the answer. When it is finished (also when cancelled) question and answer are part of the
    /// conversation; after an error neither is.
    ///
    /// # Errors
    /// [`EngineError::Run`].
    pub fn step(&mut self) -> Result<Step, EngineError> {
        unimplemented!()
    }
}
