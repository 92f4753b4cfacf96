//! The conversations that are kept beside the ledger, as commands name and open them.

use std::sync::Arc;

use clap::builder::NonEmptyStringValueParser;
use whimbrel_client::store::{ConversationId, ConversationSummary};
use whimbrel_client::{Client, Conversations, block_on};

use super::ledger::LedgerArguments;
use crate::error::CliError;

/// Digits of an id that people see, and that are enough to name a conversation.
pub(crate) const ID_SHOWN: usize = 8;
/// Conversations that are read at a time.
const PAGE: u32 = 256;

/// The flag of `run` and `chat` for a conversation that is kept.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ConversationArguments {
    /// Keep the conversation under this title, encrypted, and continue it next time
    #[arg(long, value_name = "TITLE", group = "kept", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) conversation: Option<String>,
}

impl LedgerArguments {
    /// The conversations, without a model or a policy. A folder that was named must be there.
    ///
    /// # Errors
    /// As [`LedgerArguments::conversations_or_new`], and [`CliError::Store`] for a missing folder.
    pub(crate) fn conversations(&self) -> Result<Conversations, CliError> {
        self.require_named()?;
        self.conversations_or_new()
    }

    /// As [`LedgerArguments::conversations`], in a store that is made where it is missing.
    ///
    /// # Errors
    /// [`CliError::NoHome`], [`CliError::Write`], [`CliError::Client`], also while another program has the store open.
    pub(crate) fn conversations_or_new(&self) -> Result<Conversations, CliError> {
        let vault = Arc::new(self.vault()?);
        Ok(Client::new()?.conversations(&self.database()?, vault)?)
    }
}

/// All conversations, as the list shows them.
pub(crate) fn all(conversations: &Conversations) -> Result<Vec<ConversationSummary>, CliError> {
    let mut all: Vec<ConversationSummary> = Vec::new();
    loop {
        let page = block_on(conversations.list(all.last().cloned(), PAGE))?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The conversation with this title, or whose id begins so.
///
/// # Errors
/// [`CliError::UnknownConversation`], and [`CliError::Usage`] for several ones.
pub(crate) fn named(conversations: &Conversations, name: &str) -> Result<ConversationSummary, CliError> {
    let all = all(conversations)?;
    if let Some(titled) = all.iter().find(|found| found.title == name) {
        return Ok(titled.clone());
    }
    let is_id = name.len() >= ID_SHOWN && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name_of_id = name.to_ascii_lowercase();
    let mut found = all
        .into_iter()
        .filter(|found| is_id && found.id.to_string().starts_with(&name_of_id));
    match (found.next(), found.next()) {
        (Some(found), None) => Ok(found),
        (None, _) => Err(CliError::UnknownConversation { name: name.to_owned() }),
        (Some(_), Some(_)) => Err(CliError::usage(
            format!("several conversations have ids that begin with {name}"),
            "give more digits of the id",
        )),
    }
}

/// The first digits of an id.
pub(crate) fn short(id: ConversationId) -> String {
    id.to_string()[..ID_SHOWN].to_owned()
}
