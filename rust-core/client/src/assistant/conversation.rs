//! A conversation that may be answered in several places: its messages, its placeholders, and the question that is being answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};
use whimbrel_engine::SYSTEM_DEFAULT;
use whimbrel_policy::{Explanation, Feedback, RouteInput, Target, explain};
use whimbrel_privacy::{Draft, DraftMessage, Placeholders, PrivacyClass, Speaker};
use whimbrel_store::{ReceiptId, Signal};

use super::core::{Core, lock};
use super::dispatch::Job;
use super::{AskOptions, AssistantError, AssistantEvent};
use crate::error::within;
use crate::{
    Answer, Conversation, ConversationOptions, GenerationOptions, HISTORY_BYTES_MAX, MESSAGES_MAX, Message,
    ModelHandle, PROMPT_BYTES_MAX, Role,
};

/// Events of a routed answer that wait for their reader before the candidate does.
const EVENTS_WAITING_MAX: usize = 256;

/// A conversation with an [`super::Assistant`]. Clones are the same conversation.
#[derive(Clone)]
pub struct RoutedConversation {
    inner: Arc<ConversationInner>,
}

pub(super) struct ConversationInner {
    pub(super) core: Arc<Core>,
    options: ConversationOptions,
    answering: AtomicBool,
    pub(super) state: Mutex<State>,
    /// The conversation of the model on this device, and whether it holds the messages of `state`.
    local: tokio::sync::Mutex<Option<Local>>,
}

#[derive(Default)]
pub(super) struct State {
    /// Without the system message.
    messages: Vec<Message>,
    pub(super) placeholders: Placeholders,
    last: Option<Last>,
    is_local_current: bool,
}

struct Local {
    model: ModelHandle,
    conversation: Conversation,
}

/// The last question that was answered.
#[derive(Clone)]
pub(super) struct Last {
    pub(super) receipt: ReceiptId,
    pub(super) question: String,
    pub(super) target: Target,
    pub(super) options: AskOptions,
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
        self.begin(text.to_owned(), options, None)
    }

    /// Takes the last answer back and asks its question again. That counts as a sign that the answer was not liked.
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
        let answer = self.begin(last.question.clone(), options, Some((&last, None)))?;
        self.learn(&last, Signal::Regenerated, Feedback::Regenerated);
        Ok(answer)
    }

    /// Takes up the offer of [`super::Report::escalation`]: takes the last answer back and asks its question elsewhere, as far as the
    /// rules allow it now.
    ///
    /// # Errors
    /// As [`RoutedConversation::regenerate`].
    pub fn escalate(&self) -> Result<RoutedAnswer, AssistantError> {
        let last = lock(&self.inner.state)
            .last
            .clone()
            .ok_or(AssistantError::NothingToRepeat)?;
        let elsewhere = Some(last.target.clone());
        let answer = self.begin(last.question.clone(), last.options.clone(), Some((&last, elsewhere)))?;
        self.learn(&last, Signal::Regenerated, Feedback::EscalationAccepted);
        Ok(answer)
    }

    /// What would be decided about a question now. Nothing is asked, and no receipt is written.
    ///
    /// # Errors
    /// [`AssistantError::Scan`], [`AssistantError::Closed`].
    pub async fn explain(&self, text: &str, options: &AskOptions) -> Result<Explanation, AssistantError> {
        let draft = self.inner.draft(text, options.class);
        let options = options.clone();
        let explained = self.inner.core.blocking(move |core| {
            let messages = draft.messages.len() as u64;
            let scanner = lock(&core.scanner).clone();
            let examined = scanner.examine(draft)?;
            let request = Core::request_facts("explain".into(), &options, examined.facts(), messages);
            let decided = core.decide(request, examined.facts());
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
            }))
        });
        explained.await?
    }

    /// The messages so far, without the system message.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.inner.state).messages.clone()
    }

    /// Replaces the messages: an earlier conversation goes on. What stood for what in its redacted text is forgotten.
    ///
    /// # Errors
    /// [`AssistantError::Busy`], [`AssistantError::Client`] past a limit.
    pub fn set_messages(&self, messages: Vec<Message>) -> Result<(), AssistantError> {
        within("messages", messages.len() as u64, MESSAGES_MAX)?;
        let bytes = messages.iter().map(|message| message.content.len() as u64).sum();
        within("bytes of messages", bytes, HISTORY_BYTES_MAX)?;
        if self.inner.answering.load(Ordering::Acquire) {
            return Err(AssistantError::Busy);
        }
        *lock(&self.inner.state) = State {
            messages,
            ..State::default()
        };
        Ok(())
    }

    /// The system message that is sent along, if there is one.
    #[must_use]
    pub fn system(&self) -> Option<&str> {
        self.inner.system()
    }

    /// `again` takes the last exchange back, and names what is not to be asked.
    fn begin(
        &self,
        question: String,
        options: AskOptions,
        again: Option<(&Last, Option<Target>)>,
    ) -> Result<RoutedAnswer, AssistantError> {
        options
            .generation
            .sampling
            .validate()
            .map_err(crate::ClientError::from)?;
        if self.inner.answering.swap(true, Ordering::AcqRel) {
            return Err(AssistantError::Busy);
        }
        let elsewhere = again.and_then(|(_, elsewhere)| {
            self.inner.take_back();
            elsewhere
        });
        let (sender, events) = mpsc::channel(EVENTS_WAITING_MAX);
        let (cancel, cancelled) = watch::channel(false);
        let job = Job::new(self.inner.clone(), question, options, elsewhere, sender, cancelled);
        self.inner.core.handle().spawn(job.run());
        Ok(RoutedAnswer {
            events: tokio::sync::Mutex::new(events),
            cancel,
        })
    }

    /// Keeps a sign that the app need not give.
    fn learn(&self, last: &Last, signal: Signal, feedback: Feedback) {
        let (core, last) = (self.inner.core.clone(), last.clone());
        let handle = core.handle().clone();
        drop(handle.spawn_blocking(move || super::learn(&core, last.receipt, signal, feedback)));
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

    /// Everything that the question would be sent with.
    pub(super) fn draft(&self, question: &str, class: PrivacyClass) -> Draft {
        let spoken = |speaker, text: &str| DraftMessage {
            speaker,
            text: text.to_owned(),
        };
        let mut messages: Vec<_> = self
            .system()
            .map(|text| spoken(Speaker::System, text))
            .into_iter()
            .collect();
        for message in &lock(&self.state).messages {
            let speaker = match message.role {
                Role::System => Speaker::System,
                Role::User => Speaker::User,
                Role::Assistant => Speaker::Assistant,
            };
            messages.push(spoken(speaker, &message.content));
        }
        messages.push(spoken(Speaker::User, question));
        Draft { messages, class }
    }

    /// The system message and the messages so far.
    pub(super) fn history(&self) -> Vec<Message> {
        let system = self.system().map(|content| Message {
            role: Role::System,
            content: content.to_owned(),
        });
        system.into_iter().chain(lock(&self.state).messages.clone()).collect()
    }

    /// Asks the model of this device, which is first told what was said elsewhere.
    pub(super) async fn ask_local(
        &self,
        question: &str,
        options: GenerationOptions,
    ) -> Result<(Answer, ModelHandle), AssistantError> {
        let model = lock(&self.core.model).clone();
        let model = model.ok_or(crate::ClientError::Closed { what: "model" })?;
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
        if !std::mem::replace(&mut lock(&self.state).is_local_current, false) {
            conversation.set_messages(self.history()).await?;
        }
        Ok((conversation.ask(question, options).await?, model))
    }

    /// The question was answered: both become part of the conversation.
    pub(super) fn keep(&self, last: Last, answer: String, is_local: bool) {
        let mut state = lock(&self.state);
        let said = |role, content| Message { role, content };
        state.messages.push(said(Role::User, last.question.clone()));
        state.messages.push(said(Role::Assistant, answer));
        state.is_local_current = is_local;
        state.last = Some(last);
    }

    fn take_back(&self) {
        let mut state = lock(&self.state);
        let kept = state.messages.len().saturating_sub(2);
        state.messages.truncate(kept);
        state.is_local_current = false;
        state.last = None;
    }

    pub(super) fn is_over(&self) {
        self.answering.store(false, Ordering::Release);
    }
}

/// An answer in the making. It is cancelled when it is dropped.
pub struct RoutedAnswer {
    events: tokio::sync::Mutex<mpsc::Receiver<Result<AssistantEvent, AssistantError>>>,
    cancel: watch::Sender<bool>,
}

impl RoutedAnswer {
    /// Waits until at least one event is there and returns all that are, at most `max`. Empty when the answer has ended.
    ///
    /// # Errors
    /// [`AssistantError`] when the request could not be carried through at all, for example because no receipt can be written; then it
    /// has ended.
    pub async fn next(&self, max: u32) -> Result<Vec<AssistantEvent>, AssistantError> {
        let mut events = self.events.lock().await;
        let mut given = Vec::new();
        let Some(first) = events.recv().await else {
            return Ok(given);
        };
        given.push(first?);
        while given.len() < max as usize
            && let Ok(next) = events.try_recv()
        {
            given.push(next?);
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
