//! `/model`: which model answers, and going on with another one.

use whimbrel_client::{ConversationOptions, block_on};

use super::{Chat, conversation};
use crate::error::CliError;
use crate::models::completion::installed_here;
use crate::terminal::style;

impl Chat<'_> {
    /// Which model answers, and which could.
    pub(super) fn print_models(&self) {
        let installed = match installed_here() {
            names if names.is_empty() => "none".to_owned(),
            names => names.join(", "),
        };
        let model = self.source.model_name().unwrap_or("none");
        style::note(&format!("[model {model}; installed: {installed}]"));
    }

    /// The conversation goes on with another model. It stays as it is when that one cannot be opened.
    pub(super) fn change_model(&mut self, name: String) -> Result<(), CliError> {
        if self.arguments.state.is_some() {
            return Err(CliError::usage(
                "the file of --state works only with the model that wrote it",
                "leave this chat, and start another with the other model and another file",
            ));
        }
        let is_kept = self.arguments.kept.conversation.is_some();
        if is_kept && self.source.assistant().is_none() {
            return Err(CliError::usage(
                "a kept conversation stays with the model that it was opened with",
                "leave this chat, and start it again with --model",
            ));
        }
        let model = self.arguments.model.of(name);
        let source = self
            .source
            .with_model(&model, self.arguments.threads, self.arguments.memory)?;
        let options = ConversationOptions {
            context_length: self.arguments.generation.context_length(source.model_info()),
            ..self.options.clone()
        };
        block_on(self.conversation.settled())?;
        if !is_kept {
            let conversation = conversation(&source, &options, self.arguments)?;
            conversation.set_messages(self.conversation.messages())?;
            self.conversation.close();
            (self.options, self.conversation) = (options, conversation);
        }
        source.take_over();
        self.source = source;
        style::note(&format!(
            "[continuing with {}]",
            self.source.model_name().unwrap_or_default()
        ));
        Ok(())
    }
}
