//! Conversations, answers and their events. A conversation works the same way whether a policy decides where each answer is
//! made (see `Assistant`) or one model on this device answers alone (see `Model`).

use std::sync::Arc;

use whimbrel_client as client;
use whimbrel_client::policy::Recipients;
use whimbrel_client::record::ReceiptId;

use crate::{
    AskOptions, CoreError, Explanation, GenerationOptions, PendingCall, Place, PrivacyClass, Release, Report,
    ToolResult,
};

/// What `Message.recipients` says of a text that anybody may read, as far as it was decided.
const ANY: &str = "any";

/// The author of a message.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Role {
    /// The app, with instructions for the model.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation. To resume an earlier conversation, pass back the messages that `messages()` returned.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Message {
    /// The author.
    pub role: Role,
    /// The text.
    pub content: String,
    /// How private the message is. A message without this value is treated like the most private message that its
    /// conversation has ever held.
    #[uniffi(default = None)]
    pub privacy_class: Option<PrivacyClass>,
    /// Who may read the message, apart from the model on this device. Store this value and pass it back unchanged; its
    /// content may change between versions. A message without it may be read only by those who may read every message that
    /// its conversation has ever held.
    #[uniffi(default = None)]
    pub recipients: Option<Vec<String>>,
    /// The number of the receipt of the request that it is the question or the answer of.
    #[uniffi(default = None)]
    pub receipt: Option<u64>,
    /// Whether it is an answer that ended early: it was cancelled, or its process ended.
    #[uniffi(default = false)]
    pub interrupted: bool,
}

/// What an answer brings, in this order. All but the last may come again.
// The report comes once an answer, and a box cannot cross the boundary.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Event {
    /// A place was asked.
    Started {
        /// The place.
        place: Place,
        /// In which form the text leaves the device. Absent if the text stays.
        release: Option<Release>,
    },
    /// Part of the prompt was read. A short prompt is read in one step, without this event.
    Reading {
        /// Prompt tokens read so far.
        done: u32,
        /// Prompt tokens in total.
        total: u32,
    },
    /// The next piece of what the model thinks before it answers, never empty. It is not part of the answer or of the conversation. Discard
    /// what was thought so far when another place starts.
    Thinking {
        /// The piece.
        text: String,
    },
    /// The next piece of text, never empty and never half a character.
    Text {
        /// The piece.
        text: String,
    },
    /// Discard the text so far: another place answers from the beginning.
    Restarted,
    /// The model calls a tool of the app, and the answer waits for its result: see `give_result`.
    Call {
        /// The call.
        call: PendingCall,
    },
    /// The answer has ended. This is the last event.
    Finished {
        /// How the request went.
        report: Report,
    },
}

/// A conversation. It answers one question at a time.
#[derive(uniffi::Object)]
pub struct Conversation(client::Conversation);

#[uniffi::export]
impl Conversation {
    /// Asks a question. The last event says where it was answered, and whether at all. A question that every place failed to answer stays in the
    /// conversation; the same text asked again takes its place. After an answer that was cancelled the question waits for its end. While an answer goes on that nobody cancelled, this is refused with the error `Busy`.
    #[uniffi::method(default(options))]
    pub fn ask(&self, question: String, options: AskOptions) -> Result<Arc<Answer>, CoreError> {
        Ok(Arc::new(self.0.ask(&question, options.into())?.into()))
    }

    /// Asks the last question again. If it had been answered, this counts as a sign that the user did not like the answer.
    /// The new answer replaces the old one; if there is no new answer, the old one stays.
    #[uniffi::method(default(generation))]
    pub fn regenerate(&self, generation: GenerationOptions) -> Result<Arc<Answer>, CoreError> {
        Ok(Arc::new(self.0.regenerate(generation.into())?.into()))
    }

    /// Asks the last question again at another place, if the policy allows one now. The new answer replaces the old one; if
    /// there is no new answer, the old one stays.
    pub fn escalate(&self) -> Result<Arc<Answer>, CoreError> {
        Ok(Arc::new(self.0.escalate()?.into()))
    }

    /// Cancels the answer in progress, if there is one. Its last event still arrives.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// What would be decided about a question now. Nothing is asked, and no receipt is written. Only available under a
    /// policy.
    #[uniffi::method(default(options))]
    pub async fn explain(&self, question: String, options: AskOptions) -> Result<Explanation, CoreError> {
        Ok((&self.0.explain(&question, &options.into()).await?).into())
    }

    /// Its id among the conversations that are kept. Absent if it is not kept.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        self.0.id().map(|id| id.to_string())
    }

    /// The messages so far, without the system message.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.0.messages().into_iter().map(Into::into).collect()
    }

    /// Waits until a cancelled answer has ended. `messages()` then contains the part of it that was kept.
    pub async fn settled(&self) -> Result<(), CoreError> {
        Ok(self.0.settled().await?)
    }

    /// A number that grows each time the messages change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.0.revision()
    }

    /// Replaces the messages, to resume an earlier conversation. Messages from `messages()` keep their privacy class and
    /// recipients.
    pub fn set_messages(&self, messages: Vec<Message>) -> Result<(), CoreError> {
        Ok(self.0.set_messages(messages.into_iter().map(Into::into).collect())?)
    }

    /// Deletes the messages, but not the system message.
    pub fn reset(&self) -> Result<(), CoreError> {
        Ok(self.0.reset()?)
    }

    /// The system message, if there is one.
    pub fn system(&self) -> Option<String> {
        self.0.system()
    }

    /// Replaces the system message from the next question on. Pass nothing for the default one, or an empty text to let the
    /// model's template decide. The messages stay, with their privacy class and recipients.
    pub fn set_system(&self, system: Option<String>) -> Result<(), CoreError> {
        Ok(self.0.set_system(system)?)
    }

    /// Raises the privacy class of the messages so far, if the app knows more than can be found in them. It applies to every
    /// further question until `reset()`.
    pub fn raise_class(&self, privacy_class: PrivacyClass) {
        self.0.raise_class(privacy_class.into());
    }

    /// Saves the conversation and its KV cache to a file, so that `restore` can resume it without prefilling its text again.
    /// The file contains what was said, and only its owner can read it.
    pub async fn save(&self, path: String) -> Result<(), CoreError> {
        Ok(self.0.save(path).await?)
    }

    /// Resumes a conversation that was saved with the same model, and discards the current one. The file does not say who
    /// may read it, so under a policy none of it leaves the device.
    pub async fn restore(&self, path: String) -> Result<(), CoreError> {
        Ok(self.0.restore(path).await?)
    }

    /// Saves the KV cache of the first `tokens` tokens of the conversation to a file, without the messages. Another
    /// conversation that starts with the same text can load it with `restore_prefix`.
    pub async fn save_prefix(&self, path: String, tokens: u32) -> Result<(), CoreError> {
        Ok(self.0.save_prefix(path, tokens).await?)
    }

    /// Loads a file that `save_prefix` wrote with the same model. The messages do not change.
    pub async fn restore_prefix(&self, path: String) -> Result<(), CoreError> {
        Ok(self.0.restore_prefix(path).await?)
    }

    /// Cancels the answer in progress and releases the memory of the context. Returns at once, and may be called again.
    pub fn release(&self) {
        self.0.close();
    }
}

/// An answer in progress. It pauses while its reader is far behind, and is cancelled when nothing refers to it any more.
#[derive(uniffi::Object)]
pub struct Answer(client::Answer);

#[uniffi::export]
impl Answer {
    /// Waits for at least one event, and returns all waiting events, at most `max`. An empty list means the end.
    pub async fn next(&self, max: u32) -> Result<Vec<Event>, CoreError> {
        let events = self.0.next(max).await?;
        Ok(events.into_iter().map(Into::into).collect())
    }

    /// Gives what came of a call, and the answer goes on. A function that a person must confirm must not run before that. Fails with `UnknownCall` if no call
    /// with this number waits any more, and with `Limit` for a result that is too long; the call still waits then.
    pub fn give_result(&self, call: u32, result: ToolResult) -> Result<(), CoreError> {
        Ok(self.0.give_result(call, result.into())?)
    }

    /// Stops the answer. The last event, with the report, still arrives. May be called again, and after the end.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// The text of the events so far, without text that was discarded.
    #[must_use]
    pub fn text_so_far(&self) -> String {
        self.0.text_so_far()
    }
}

impl From<client::Conversation> for Conversation {
    fn from(from: client::Conversation) -> Self {
        Conversation(from)
    }
}

impl From<client::Answer> for Answer {
    fn from(from: client::Answer) -> Self {
        Answer(from)
    }
}

impl From<client::Event> for Event {
    fn from(from: client::Event) -> Self {
        match from {
            client::Event::Started { place, release } => Event::Started {
                place: (&place).into(),
                release: release.map(Into::into),
            },
            client::Event::Reading { done, total } => Event::Reading { done, total },
            client::Event::Thinking(text) => Event::Thinking { text },
            client::Event::Text(text) => Event::Text { text },
            client::Event::Restarted => Event::Restarted,
            client::Event::Call(call) => Event::Call { call: call.into() },
            client::Event::Finished(report) => Event::Finished {
                report: (&*report).into(),
            },
        }
    }
}

impl Message {
    /// A message of which nothing else is known.
    pub(crate) fn plain(role: Role, content: String) -> Message {
        Message {
            role,
            content,
            privacy_class: None,
            recipients: None,
            receipt: None,
            interrupted: false,
        }
    }
}

impl From<Message> for client::Message {
    fn from(from: Message) -> Self {
        let mut message = client::Message::new(from.role.into(), from.content);
        message.class = from.privacy_class.map(Into::into);
        message.recipients = from.recipients.map(recipients_in);
        message.receipt = from.receipt.map(ReceiptId);
        message.interrupted = from.interrupted;
        message
    }
}

impl From<client::Message> for Message {
    fn from(from: client::Message) -> Self {
        Message {
            role: from.role.into(),
            content: from.content,
            privacy_class: from.class.map(Into::into),
            recipients: from.recipients.map(recipients_out),
            receipt: from.receipt.map(|receipt| receipt.0),
            interrupted: from.interrupted,
        }
    }
}

fn recipients_in(from: Vec<String>) -> Recipients {
    match from.as_slice() {
        [only] if only == ANY => Recipients::Any,
        _ => Recipients::Only(from.into_iter().collect()),
    }
}

fn recipients_out(from: Recipients) -> Vec<String> {
    match from {
        Recipients::Any => vec![ANY.into()],
        Recipients::Only(names) => names.into_iter().collect(),
    }
}

impl From<Role> for client::Role {
    fn from(from: Role) -> Self {
        match from {
            Role::System => client::Role::System,
            Role::User => client::Role::User,
            Role::Assistant => client::Role::Assistant,
        }
    }
}

impl From<client::Role> for Role {
    fn from(from: client::Role) -> Self {
        match from {
            client::Role::System => Role::System,
            client::Role::User => Role::User,
            client::Role::Assistant => Role::Assistant,
        }
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_client::privacy;

    use super::*;

    /// What is handed back is what was given.
    #[test]
    fn messages_come_back_as_they_were() {
        let check =
            |class: Option<privacy::PrivacyClass>, recipients: Option<Recipients>, expected: Option<&[&str]>| {
                let mut given = client::Message::new(client::Role::User, "text");
                (given.class, given.recipients) = (class, recipients);
                (given.receipt, given.interrupted) = (class.map(|_| ReceiptId(7)), class.is_some());
                let shown = Message::from(given.clone());
                let names = shown.recipients.clone();
                assert_eq!(
                    names,
                    expected.map(|names| names.iter().map(ToString::to_string).collect())
                );
                assert!(client::Message::from(shown) == given);
            };
        let only = |names: &[&str]| Recipients::Only(names.iter().map(ToString::to_string).collect());
        check(None, None, None);
        check(
            Some(privacy::PrivacyClass::Secret),
            Some(Recipients::nobody()),
            Some(&[]),
        );
        check(
            Some(privacy::PrivacyClass::Public),
            Some(Recipients::Any),
            Some(&["any"]),
        );
        let names: &[&str] = &["remote:house own_device https://house.example", "system_model"];
        check(Some(privacy::PrivacyClass::Personal), Some(only(names)), Some(names));
        // A name among others opens nothing.
        assert_eq!(recipients_in(vec!["any".into(), "b".into()]), only(&["any", "b"]));
    }
}
