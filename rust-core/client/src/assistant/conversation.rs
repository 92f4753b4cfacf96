//! A conversation that may be answered in several places: its messages, its placeholders, and the question that is being answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};
use whimbrel_engine::SYSTEM_DEFAULT;
use whimbrel_policy::{Explanation, Feedback, Recipients, RouteInput, Target, explain};
use whimbrel_privacy::{Draft, DraftMessage, Placeholders, PrivacyClass, Speaker};
use whimbrel_store::{ReceiptId, Signal};

use super::core::{Core, lock};
use super::dispatch::Job;
use super::{AskOptions, AssistantError, AssistantEvent};
use crate::error::within;
use crate::{
    Answer, Conversation, ConversationOptions, GenerationOptions, Message, ModelHandle, PROMPT_BYTES_MAX, Role,
};

/// Messages that a routed conversation keeps; older exchanges are left out.
pub(super) const CONVERSATION_MESSAGES_MAX: u64 = 4_000;
/// Bytes of messages that a routed conversation keeps; older exchanges are left out.
pub(super) const CONVERSATION_BYTES_MAX: u64 = 2 << 20;
/// Events of a routed answer that wait for their reader before the candidate does.
const EVENTS_WAITING_MAX: usize = 256;

/// A conversation with an [`super::Assistant`]. Clones are the same conversation.
#[derive(Clone)]
pub struct RoutedConversation {
    inner: Arc<ConversationInner>,
}

pub(super) struct ConversationInner {
    pub(super) core: Arc<Core>,
    pub(super) options: ConversationOptions,
    answering: AtomicBool,
    pub(super) state: Mutex<State>,
    /// The conversation of the model on this device, and whether it holds the messages of `state`.
    local: tokio::sync::Mutex<Option<Local>>,
}

#[derive(Default)]
pub(super) struct State {
    /// Without the system message.
    messages: Vec<Message>,
    /// How each exchange is to be treated: what was said stays as private as it was, and stays where it was kept.
    exchanges: Vec<Handling>,
    /// What holds for messages of which nothing else is known: those that the app set, and those that were left out.
    floor: Handling,
    pub(super) placeholders: Placeholders,
    last: Option<Last>,
    is_local_current: bool,
}

/// How private a text is, and who may read it.
#[derive(Clone, Debug, Default)]
pub(super) struct Handling {
    class: PrivacyClass,
    recipients: Recipients,
}

impl Handling {
    /// As strict as both.
    fn and(self, other: &Handling) -> Handling {
        Handling {
            class: self.class.max(other.class),
            recipients: self.recipients.both(&other.recipients),
        }
    }
}

/// Whether a question comes anew or takes the place of the last one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    Next,
    /// The last exchange is left out, and replaced when there is an answer.
    Again,
}

struct Local {
    model: ModelHandle,
    conversation: Conversation,
}

/// The last question.
#[derive(Clone)]
pub(super) struct Last {
    pub(super) receipt: ReceiptId,
    pub(super) question: String,
    /// Who answered, if it was answered: then question and answer are the last messages.
    pub(super) answered: Option<Target>,
    pub(super) options: AskOptions,
    /// Who may read the exchange, by its decision.
    pub(super) recipients: Recipients,
}

impl RoutedConversation {
    pub(super) fn new(core: Arc<Core>, options: ConversationOptions) -> RoutedConversation {
        RoutedConversation {
            inner: Arc::new(ConversationInner {
                core,
                options,
                answering: false.into(),
                state: Mutex::default(),
                local: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Asks a question. Where it is answered, and whether at all, the last event says; the answer goes on by itself until its reader's
    /// events are full.
    ///
    /// # Errors
    /// [`AssistantError::Busy`] while an earlier answer is in the making; [`AssistantError::Client`] for text beyond a limit or an option
    /// out of its range. Nothing was asked then.
    pub fn ask(&self, text: &str, options: AskOptions) -> Result<RoutedAnswer, AssistantError> {
        within("bytes of question", text.len() as u64, PROMPT_BYTES_MAX)?;
        self.begin(text.to_owned(), options, Turn::Next, None)
    }

    /// Asks the last question again. If it was answered, that counts as a sign that the answer was not liked; the new answer takes its
    /// place, and when there is none the old one stays.
    ///
    /// # Errors
    /// [`AssistantError::NothingToRepeat`], otherwise as [`RoutedConversation::ask`].
    pub fn regenerate(&self, generation: GenerationOptions) -> Result<RoutedAnswer, AssistantError> {
        let last = lock(&self.inner.state)
            .last
            .clone()
            .ok_or(AssistantError::NothingToRepeat)?;
        let options = AskOptions {
            generation,
            ..last.options.clone()
        };
        let answer = self.begin(last.question.clone(), options, last.turn(), None)?;
        self.learn(&last, Signal::Regenerated, Feedback::Regenerated);
        Ok(answer)
    }

    /// Takes up the offer of [`super::Report::escalation`]: asks the last question elsewhere, as far as the rules allow it now. The new
    /// answer takes the place of the old one; when there is none, the old one stays.
    ///
    /// # Errors
    /// As [`RoutedConversation::regenerate`].
    pub fn escalate(&self) -> Result<RoutedAnswer, AssistantError> {
        let last = lock(&self.inner.state)
            .last
            .clone()
            .ok_or(AssistantError::NothingToRepeat)?;
        let answer = self.begin(
            last.question.clone(),
            last.options.clone(),
            last.turn(),
            last.answered.clone(),
        )?;
        self.learn(&last, Signal::Regenerated, Feedback::EscalationAccepted);
        Ok(answer)
    }

    /// What would be decided about a question now. Nothing is asked, and no receipt is written.
    ///
    /// # Errors
    /// [`AssistantError::Scan`], [`AssistantError::Closed`].
    pub async fn explain(&self, text: &str, options: &AskOptions) -> Result<Explanation, AssistantError> {
        let (draft, history) = self.inner.draft(text, options.class, Turn::Next);
        let options = options.clone();
        let offered = self.inner.core.offered().await;
        let context = self.inner.options.clone();
        let explained = self.inner.core.blocking(move |core| {
            let messages = draft.messages.len() as u64;
            let scanner = lock(&core.scanner).clone();
            let examined = scanner.examine(draft)?;
            let request = Core::request_facts("explain".into(), &options, examined.facts(), messages);
            let decided = core.decide(request, examined.facts(), offered, &context, &history);
            let learned = lock(&core.learned);
            Ok(explain(&RouteInput {
                request: &decided.request,
                content: examined.facts(),
                device: &decided.device,
                now_ms: decided.now_ms,
                policies: &decided.policies,
                candidates: &decided.candidates,
                used_today: core.used_today(decided.now_ms),
                learned: &learned,
                history: &history,
            }))
        });
        explained.await?
    }

    /// The messages so far, without the system message.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.inner.state).messages.clone()
    }

    /// Replaces the messages: an earlier conversation goes on. What stood for what in its redacted text is forgotten. Where the new messages
    /// come from is not known, so all of them are treated as the strictest of those before: their highest class, and only the recipients
    /// whom every one of them was allowed.
    ///
    /// # Errors
    /// [`AssistantError::Busy`], [`AssistantError::Client`] past a limit.
    pub fn set_messages(&self, messages: Vec<Message>) -> Result<(), AssistantError> {
        within("messages", messages.len() as u64, CONVERSATION_MESSAGES_MAX)?;
        let bytes = messages.iter().map(|message| message.content.len() as u64).sum();
        within("bytes of messages", bytes, CONVERSATION_BYTES_MAX)?;
        if self.inner.answering.swap(true, Ordering::AcqRel) {
            return Err(AssistantError::Busy);
        }
        let mut state = lock(&self.inner.state);
        let floor = state.exchanges.iter().fold(state.floor.clone(), Handling::and);
        *state = State {
            messages,
            floor,
            ..State::default()
        };
        drop(state);
        self.inner.is_over();
        Ok(())
    }

    /// Says how private the messages so far are, where the app knows more than can be found in them. It holds for every further question
    /// of the conversation.
    pub fn raise_class(&self, class: PrivacyClass) {
        let floor = &mut lock(&self.inner.state).floor;
        floor.class = floor.class.max(class);
    }

    /// The system message that is sent along, if there is one.
    #[must_use]
    pub fn system(&self) -> Option<&str> {
        self.inner.system()
    }

    /// `not_asked` is left out of what may answer.
    fn begin(
        &self,
        question: String,
        options: AskOptions,
        turn: Turn,
        not_asked: Option<Target>,
    ) -> Result<RoutedAnswer, AssistantError> {
        options
            .generation
            .sampling
            .validate()
            .map_err(crate::ClientError::from)?;
        if self.inner.answering.swap(true, Ordering::AcqRel) {
            return Err(AssistantError::Busy);
        }
        let (sender, events) = mpsc::channel(EVENTS_WAITING_MAX);
        let (cancel, cancelled) = watch::channel(false);
        let job = Job::new(
            self.inner.clone(),
            question,
            options,
            turn,
            not_asked,
            sender,
            cancelled,
        );
        self.inner.core.handle().spawn(job.run());
        Ok(RoutedAnswer {
            reader: tokio::sync::Mutex::new(Reader { events, failure: None }),
            cancel,
        })
    }

    /// Keeps a sign that the app need not give.
    fn learn(&self, last: &Last, signal: Signal, feedback: Feedback) {
        if last.answered.is_none() {
            return;
        }
        let (core, last) = (self.inner.core.clone(), last.clone());
        let handle = core.handle().clone();
        drop(handle.spawn_blocking(move || {
            if let Err(error) = super::learn(&core, last.receipt, signal, feedback) {
                log::warn!("a sign about receipt {} is lost: {error}", last.receipt);
            }
        }));
    }
}

impl Last {
    /// How the question is asked again.
    fn turn(&self) -> Turn {
        match self.answered {
            Some(_) => Turn::Again,
            None => Turn::Next,
        }
    }
}

impl State {
    /// What was said before a question, and how its exchanges are to be treated.
    fn before(&self, turn: Turn) -> (&[Message], &[Handling]) {
        match turn {
            Turn::Next => (&self.messages, &self.exchanges),
            Turn::Again => (
                &self.messages[..self.messages.len().saturating_sub(2)],
                &self.exchanges[..self.exchanges.len().saturating_sub(1)],
            ),
        }
    }

    /// Leaves out the oldest exchanges beyond what can be examined. What held for them still holds.
    fn forget_oldest(&mut self) {
        let bytes = |messages: &[Message]| messages.iter().map(|message| message.content.len() as u64).sum::<u64>();
        while self.messages.len() > 2
            && (self.messages.len() as u64 > CONVERSATION_MESSAGES_MAX
                || bytes(&self.messages) > CONVERSATION_BYTES_MAX)
        {
            self.messages.drain(..2);
            if !self.exchanges.is_empty() {
                let oldest = self.exchanges.remove(0);
                self.floor = std::mem::take(&mut self.floor).and(&oldest);
            }
            self.is_local_current = false;
        }
    }
}

impl ConversationInner {
    fn system(&self) -> Option<&str> {
        match self.options.system.as_deref() {
            None => Some(SYSTEM_DEFAULT),
            Some("") => None,
            Some(system) => Some(system),
        }
    }

    /// Everything that the question would be sent with, and who may read each exchange of it.
    pub(super) fn draft(&self, question: &str, class: PrivacyClass, turn: Turn) -> (Draft, Vec<Recipients>) {
        let spoken = |speaker, text: &str| DraftMessage {
            speaker,
            text: text.to_owned(),
        };
        let mut messages: Vec<_> = self
            .system()
            .map(|text| spoken(Speaker::System, text))
            .into_iter()
            .collect();
        let state = lock(&self.state);
        let (said, exchanges) = state.before(turn);
        let kept = || [&state.floor].into_iter().chain(exchanges);
        let class = kept().map(|handling| handling.class).fold(class, PrivacyClass::max);
        let recipients = kept().map(|handling| handling.recipients.clone()).collect();
        for message in said {
            let speaker = match message.role {
                Role::System => Speaker::System,
                Role::User => Speaker::User,
                Role::Assistant => Speaker::Assistant,
            };
            messages.push(spoken(speaker, &message.content));
        }
        messages.push(spoken(Speaker::User, question));
        (Draft { messages, class }, recipients)
    }

    /// The system message and the messages so far.
    pub(super) fn history(&self, turn: Turn) -> Vec<Message> {
        let system = self.system().map(|content| Message {
            role: Role::System,
            content: content.to_owned(),
        });
        system
            .into_iter()
            .chain(lock(&self.state).before(turn).0.to_vec())
            .collect()
    }

    /// Asks the model of this device, which is first told what was said elsewhere.
    pub(super) async fn ask_local(
        &self,
        model: &ModelHandle,
        question: &str,
        options: GenerationOptions,
        turn: Turn,
    ) -> Result<Answer, AssistantError> {
        let mut local = self.local.lock().await;
        let is_same = |local: &Local| Arc::ptr_eq(&local.model.inner, &model.inner);
        if !local.as_ref().is_some_and(is_same) {
            let conversation = model.conversation(self.options.clone()).await?;
            lock(&self.state).is_local_current = false;
            *local = Some(Local {
                model: model.clone(),
                conversation,
            });
        }
        let conversation = &local.as_ref().expect("it was just put there").conversation;
        // It is current again only when this answer has become part of the messages.
        let is_current = std::mem::replace(&mut lock(&self.state).is_local_current, false);
        if !is_current || turn == Turn::Again {
            conversation.set_messages(self.history(turn)).await?;
        }
        Ok(conversation.ask(question, options).await?)
    }

    /// The question is over. If it was answered, both become part of the conversation, in place of the last ones when it was asked again.
    pub(super) fn keep(&self, last: Last, answer: String, is_local: bool, turn: Turn) {
        let mut state = lock(&self.state);
        if last.answered.is_some() && !answer.is_empty() {
            if turn == Turn::Again {
                let kept = state.messages.len().saturating_sub(2);
                state.messages.truncate(kept);
                state.exchanges.pop();
            }
            let said = |role, content| Message { role, content };
            state.messages.push(said(Role::User, last.question.clone()));
            state.messages.push(said(Role::Assistant, answer));
            state.exchanges.push(Handling {
                class: last.options.class,
                recipients: last.recipients.clone(),
            });
            state.is_local_current = is_local;
            state.forget_oldest();
        } else if turn == Turn::Again {
            // The old answer stays, and can be asked for again.
            return;
        }
        state.last = Some(last);
    }

    pub(super) fn is_over(&self) {
        self.answering.store(false, Ordering::Release);
    }
}

struct Reader {
    events: mpsc::Receiver<Result<AssistantEvent, AssistantError>>,
    /// An error that came behind events which had to be handed out first.
    failure: Option<AssistantError>,
}

/// An answer in the making. It is cancelled when it is dropped.
pub struct RoutedAnswer {
    reader: tokio::sync::Mutex<Reader>,
    cancel: watch::Sender<bool>,
}

impl RoutedAnswer {
    /// Waits until at least one event is there and returns all that are, at most `max`. Empty when the answer has ended.
    ///
    /// # Errors
    /// [`AssistantError`] when the request could not be carried through at all, for example because no receipt can be written; then it
    /// has ended.
    pub async fn next(&self, max: u32) -> Result<Vec<AssistantEvent>, AssistantError> {
        let Reader { events, failure } = &mut *self.reader.lock().await;
        if let Some(failure) = failure.take() {
            return Err(failure);
        }
        let mut given = Vec::new();
        let Some(first) = events.recv().await else {
            return Ok(given);
        };
        given.push(first?);
        while given.len() < max as usize
            && let Ok(next) = events.try_recv()
        {
            match next {
                Ok(event) => given.push(event),
                Err(error) => {
                    *failure = Some(error);
                    break;
                }
            }
        }
        Ok(given)
    }

    /// Stops the answer. Its reader still gets the last event. May be called again, and after the end.
    pub fn cancel(&self) {
        self.cancel.send_replace(true);
    }
}

impl Drop for RoutedAnswer {
    fn drop(&mut self) {
        self.cancel();
    }
}
