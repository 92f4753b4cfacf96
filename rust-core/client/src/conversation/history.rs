//! The messages of a conversation, in their only store: each with its privacy class, its recipients and its findings.

use serde::{Deserialize, Serialize};
use whimbrel_policy::{Kept, Recipients};
use whimbrel_privacy::{ExaminedMessage, Placeholders, PrivacyClass};
use whimbrel_record::{Place, ReceiptId};

use crate::error::within;
use crate::request::{AskOptions, Message};
use crate::tools::ToolOptions;
use crate::{ClientError, ConversationOptions, HISTORY_BYTES_MAX, MESSAGES_MAX, Role};

/// Whether a question is new, or a retry that replaces the last one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    Next,
    /// The last question, and the answer to it, are left out, and replaced when there is an answer.
    Again,
}

/// How private a text is, and who may read it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Handling {
    class: PrivacyClass,
    recipients: Recipients,
}

/// The last question.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Last {
    pub(crate) receipt: Option<ReceiptId>,
    pub(crate) question: String,
    pub(crate) options: AskOptions,
    /// Who answered, if it was answered.
    pub(crate) answered: Option<Place>,
    /// How many of the last messages are of it: question and answer, the question that nobody answered, or nothing.
    pub(crate) messages: usize,
}

impl Last {
    /// A question that nobody has answered yet.
    pub(crate) fn unanswered(question: &str, options: &AskOptions) -> Last {
        Last {
            receipt: None,
            question: question.to_owned(),
            options: options.clone(),
            answered: None,
            messages: 0,
        }
    }
}

/// What holds for the messages of a history, so that another process keeps the same promises about them.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Held {
    system: Option<String>,
    floor: Handling,
    strictest: Handling,
    last: Option<Last>,
    /// The position of the first message that requests still contain.
    pub(crate) first: u32,
}

impl Held {
    /// As [`History::raise_class`].
    pub(crate) fn raise_class(&mut self, class: PrivacyClass) {
        self.floor.class = self.floor.class.max(class);
        self.strictest.class = self.strictest.class.max(class);
    }
}

/// What has changed in a history since it was last written.
pub(crate) struct Changes {
    /// The messages from this position on are replaced.
    pub(crate) position: u32,
    pub(crate) messages: Vec<Message>,
    pub(crate) held: Held,
    revision: u64,
    end: usize,
}

/// See the module. The system message stands beside them.
#[derive(Clone)]
pub(crate) struct History {
    /// As [`crate::ConversationOptions::system`].
    system: Option<String>,
    messages: Vec<Message>,
    /// What holds for every message: what the app declared for all of them, and what held for messages that were left out.
    floor: Handling,
    /// The strictest that ever held for a message here. It holds for messages that come without a word about them.
    strictest: Handling,
    /// What stands for what in redacted text.
    pub(crate) placeholders: Placeholders,
    last: Option<Last>,
    revision: u64,
    /// The position of the first message among all that the conversation ever had.
    first: u32,
    /// So many of the messages are written as they are.
    written: usize,
}

impl Handling {
    fn of(message: &Message) -> Handling {
        Handling {
            class: message.class.unwrap_or_default(),
            recipients: message.recipients.clone().unwrap_or_default(),
        }
    }

    /// Makes it as strict as both.
    fn tighten(&mut self, other: &Handling) {
        self.class = self.class.max(other.class);
        self.recipients = std::mem::take(&mut self.recipients).both(&other.recipients);
    }
}

impl History {
    pub(crate) fn new(system: Option<String>) -> History {
        History {
            system,
            messages: Vec::new(),
            floor: Handling::default(),
            strictest: Handling::default(),
            placeholders: Placeholders::default(),
            last: None,
            revision: 0,
            first: 0,
            written: 0,
        }
    }

    /// A history that begins as the options say.
    pub(crate) fn begin(options: &mut ConversationOptions) -> History {
        let mut history = History::new(options.system.clone());
        let messages = std::mem::take(&mut options.initial_messages);
        if !messages.is_empty() {
            history.strictest.recipients = Recipients::nobody();
            history.take_over(messages);
            history.forget_oldest(0);
            // What was left out was never written.
            history.first = 0;
        }
        history
    }

    /// A history that was written, with the messages from [`Held::first`] on.
    pub(crate) fn resume(mut held: Held, mut messages: Vec<Message>) -> History {
        // The process ended before the first word of an answer: its question was not answered.
        if let Some(answer) = messages.pop_if(|last| last.interrupted && last.content.is_empty())
            && let Some(last) = held.last.as_mut().filter(|_| answer.role == Role::Assistant)
        {
            last.messages = last.messages.saturating_sub(1);
        }
        // The functions behind its tools are those of the process that asked.
        if let Some(last) = &mut held.last {
            last.options.tools = ToolOptions::default();
        }
        History {
            system: held.system,
            floor: held.floor,
            strictest: held.strictest,
            written: messages.len(),
            messages,
            placeholders: Placeholders::default(),
            last: held.last,
            revision: 0,
            first: held.first,
        }
    }

    /// What is to be written: at least the messages from the position `from` on.
    pub(crate) fn changes(&self, from: Option<u32>) -> Changes {
        let unchanged = from.map_or(self.written, |from| {
            self.written.min(from.saturating_sub(self.first) as usize)
        });
        Changes {
            position: self.first + unchanged as u32,
            messages: self.messages[unchanged..].to_vec(),
            held: Held {
                system: self.system.clone(),
                floor: self.floor.clone(),
                strictest: self.strictest.clone(),
                last: self.last.clone(),
                first: self.first,
            },
            revision: self.revision,
            end: self.messages.len(),
        }
    }

    /// The changes have reached the disk.
    pub(crate) fn wrote(&mut self, changes: &Changes) {
        if self.revision == changes.revision {
            self.written = changes.end;
        }
    }

    /// The system message that the app set; an empty one keeps a model from using its own.
    pub(crate) fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    pub(crate) fn set_system(&mut self, system: Option<String>) {
        self.system = system;
        self.revision += 1;
    }

    /// The messages so far.
    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Grows with every change of the messages.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    /// What was said before a question, and how private all of it is at least.
    pub(crate) fn before(&self, turn: Turn) -> (Vec<Message>, PrivacyClass) {
        let mut messages = self.messages[..self.kept(turn)].to_vec();
        // Answers follow from what was left out: the first message that is still there carries what held for it.
        if let Some(first) = messages.first_mut() {
            let own = first.recipients.take().unwrap_or_default();
            first.recipients = Some(own.both(&self.floor.recipients));
        }
        (messages, self.floor.class)
    }

    /// How many messages a question leaves as they are.
    fn kept(&self, turn: Turn) -> usize {
        let replaced = match turn {
            Turn::Next => 0,
            Turn::Again => self.last.as_ref().map_or(0, |last| last.messages),
        };
        self.messages.len().saturating_sub(replaced)
    }

    /// Says how private the messages are, where the app knows more than can be found in them.
    pub(crate) fn raise_class(&mut self, class: PrivacyClass) {
        self.floor.class = self.floor.class.max(class);
        self.strictest.class = self.strictest.class.max(class);
    }

    /// Replaces the messages. One that comes without a word about it, since the app kept only its text, is held as strictly as any message here
    /// ever was.
    ///
    /// # Errors
    /// [`ClientError::Limit`]; nothing has changed then.
    pub(crate) fn replace(&mut self, messages: Vec<Message>) -> Result<(), ClientError> {
        within("messages", messages.len() as u64, MESSAGES_MAX)?;
        within("bytes of messages", bytes(&messages), HISTORY_BYTES_MAX)?;
        self.take_over(messages);
        Ok(())
    }

    fn take_over(&mut self, mut messages: Vec<Message>) {
        for message in &mut messages {
            message.class.get_or_insert(self.strictest.class);
            message
                .recipients
                .get_or_insert_with(|| self.strictest.recipients.clone());
            // Texts may have been changed while they were away.
            message.examined = None;
            self.strictest.tighten(&Handling::of(message));
        }
        self.messages = messages;
        self.placeholders = Placeholders::default();
        self.last = None;
        self.revision += 1;
        (self.first, self.written) = (0, 0);
    }

    /// Replaces the messages by ones of which nothing is known at all, and that may have been kept here.
    pub(crate) fn restore(&mut self, messages: Vec<Message>) -> Result<(), ClientError> {
        self.strictest.recipients = Recipients::nobody();
        self.replace(messages)
    }

    /// Forgets the messages. What was declared for all of them no longer holds, but still for messages that come back.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        (self.first, self.written) = (0, 0);
        self.floor = Handling::default();
        self.placeholders = Placeholders::default();
        self.last = None;
        self.revision += 1;
    }

    /// Keeps what was found in the messages, so that the next question need not examine them anew. `found` is in their order.
    pub(crate) fn examined(&mut self, found: &[ExaminedMessage]) {
        for (message, found) in self.messages.iter_mut().zip(found) {
            if **found.text() == *message.content {
                message.examined = Some(found.clone());
            }
        }
    }

    /// A question waits elsewhere: it is not the last one here, but what holds for it holds for a message that comes with its text.
    pub(crate) fn note_queued(&mut self, class: PrivacyClass, recipients: Recipients) {
        self.strictest.tighten(&Handling { class, recipients });
    }

    /// A question is over. What is kept of it becomes part of the conversation, in place of what stood there when it was asked again.
    /// `recipients` are those of its decision.
    pub(crate) fn keep(
        &mut self,
        last: Last,
        (class, recipients): (PrivacyClass, Recipients),
        kept: Kept,
        answer: Message,
        turn: Turn,
    ) {
        let handling = Handling { class, recipients };
        // Also of a question that is not kept: the app may bring its text back as a message.
        self.strictest.tighten(&handling);
        let before = self.kept(turn);
        let was_answered = turn == Turn::Again && self.last.as_ref().is_some_and(|last| last.answered.is_some());
        let mut said = Vec::new();
        if kept == Kept::Exchange || kept == Kept::Question && !was_answered {
            said.push(Message {
                receipt: last.receipt,
                ..Message::new(Role::User, last.question.clone())
            });
        }
        if kept == Kept::Exchange {
            said.push(answer);
        }
        if said.is_empty() && before < self.messages.len() {
            // What stood there stays, and can be asked for again. What the new decision kept it from stays so.
            self.written = self.written.min(before);
            for message in &mut self.messages[before..] {
                let recipients = message.recipients.take().unwrap_or_default();
                message.recipients = Some(recipients.both(&handling.recipients));
                message.class = Some(message.class.unwrap_or_default().max(handling.class));
            }
            return;
        }
        self.messages.truncate(before);
        self.written = self.written.min(before);
        let last = Last {
            messages: said.len(),
            ..last
        };
        for mut message in said {
            message.class = Some(handling.class);
            message.recipients = Some(handling.recipients.clone());
            self.messages.push(message);
        }
        if last.messages > 0 {
            self.forget_oldest(last.messages);
            self.revision += 1;
        }
        self.last = Some(last);
    }

    /// Leaves out the oldest exchanges beyond the limits, but for the last messages. What held for them still holds.
    fn forget_oldest(&mut self, last: usize) {
        while self.messages.len() > last
            && (self.messages.len() as u64 > MESSAGES_MAX || bytes(&self.messages) > HISTORY_BYTES_MAX)
        {
            let later = self
                .messages
                .iter()
                .skip(1)
                .position(|message| message.role == Role::User);
            let count = later.map_or(1, |later| later + 1);
            let oldest = self.messages.drain(..count);
            oldest.for_each(|message| self.floor.tighten(&Handling::of(&message)));
            self.first += count as u32;
            self.written = self.written.saturating_sub(count);
        }
    }
}

pub(super) fn bytes(messages: &[Message]) -> u64 {
    messages.iter().map(|message| message.content.len() as u64).sum()
}
