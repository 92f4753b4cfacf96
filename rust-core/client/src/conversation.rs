//! A conversation: a history that makes requests, one question at a time. It works the same way whether a policy decides where each answer
//! is made or one model on this device answers alone.

mod answer;
mod asking;
mod history;
mod keeping;

use std::path::PathBuf;
use std::sync::{Arc, MutexGuard};

use whimbrel_inference::{Session, SessionOptions};
use whimbrel_policy::Explanation;
use whimbrel_privacy::PrivacyClass;
use whimbrel_store::ConversationId;

pub use self::answer::Answer;
use self::asking::{Asked, Running, begin};
pub(crate) use self::asking::{Inner, Question, follow, take};
pub(crate) use self::history::{History, Last, Turn};
pub(crate) use self::keeping::{Draft, Keeping, OwnStore, Shelf};
use crate::error::{lock, within};
use crate::exchange::{self, Job};
use crate::request::{AskOptions, Message, Request, task_label};
use crate::services::Services;
use crate::{
    ClientError, ContextPolicy, GenerationOptions, HISTORY_BYTES_MAX, MESSAGES_MAX, Model, PROMPT_BYTES_MAX, Role,
    caches, tools,
};

/// Options for a conversation.
#[derive(Clone, Debug)]
pub struct ConversationOptions {
    /// Size of the context on this device in tokens; at most the model's own.
    pub context_length: u32,
    /// The system message: `None` takes a model's own ([`crate::ModelCard::system`]), an empty text leaves it to the model's template.
    pub system: Option<String>,
    /// See [`ContextPolicy`].
    pub context_policy: ContextPolicy,
    /// What was said before it begins, without system messages. A message without recipients is treated like the text of a document that was
    /// imported: of those that a policy decides about, nobody may read it. Beyond [`MESSAGES_MAX`] or [`HISTORY_BYTES_MAX`] the oldest
    /// messages are left out, unless the call has an error for that. A kept conversation that is opened again has its own messages.
    pub initial_messages: Vec<Message>,
}

impl ConversationOptions {
    /// Whether the texts in it are within their limits.
    ///
    /// # Errors
    /// [`ClientError::Limit`] beyond [`PROMPT_BYTES_MAX`] for the system message, and [`MESSAGES_MAX`] and [`HISTORY_BYTES_MAX`] for the
    /// first messages.
    pub fn check(&self) -> Result<(), ClientError> {
        let system = self.system.as_deref().map_or(0, |text| text.len() as u64);
        within("bytes of system message", system, PROMPT_BYTES_MAX)?;
        within("messages", self.initial_messages.len() as u64, MESSAGES_MAX)?;
        within(
            "bytes of messages",
            history::bytes(&self.initial_messages),
            HISTORY_BYTES_MAX,
        )
    }
}

impl Default for ConversationOptions {
    fn default() -> ConversationOptions {
        let context = SessionOptions::default();
        ConversationOptions {
            context_length: context.context_length,
            system: None,
            context_policy: context.context_policy,
            initial_messages: Vec::new(),
        }
    }
}

/// See the module. Clones refer to the same conversation. Its context is released by [`Conversation::close`], or when all clones and their
/// answers are dropped.
#[derive(Clone)]
pub struct Conversation {
    inner: Arc<Inner>,
}

impl Conversation {
    pub(crate) fn new(services: Arc<Services>, model: Option<Model>, mut options: ConversationOptions) -> Conversation {
        let history = History::begin(&mut options);
        Conversation::of(Inner::new(services, model, options, history, None))
    }

    /// A conversation that is kept, with what was said in it so far. If it was opened meanwhile, that one.
    pub(crate) fn kept(
        services: &Arc<Services>,
        model: Option<Model>,
        mut options: ConversationOptions,
        keeping: Keeping,
        history: Option<History>,
    ) -> Conversation {
        services.open_or_note(keeping.id, || {
            let history = history.unwrap_or_else(|| History::begin(&mut options));
            Inner::new(services.clone(), model, options, history, Some(keeping))
        })
    }

    pub(crate) fn of(inner: Arc<Inner>) -> Conversation {
        Conversation { inner }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Its id among the conversations that are kept; `None` if it is not.
    #[must_use]
    pub fn id(&self) -> Option<ConversationId> {
        self.inner.keeping.as_ref().map(|keeping| keeping.id)
    }

    pub(crate) fn is_kept_in(&self, shelf: &Shelf) -> bool {
        self.inner
            .keeping
            .as_ref()
            .is_some_and(|keeping| keeping.shelf.is(shelf))
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.inner.running).is_closed
    }

    /// Waits until no answer is in progress.
    pub(crate) async fn ended(&self) {
        let over = lock(&self.inner.running)
            .answer
            .as_ref()
            .map(|begun| begun.over.clone());
        if let Some(mut over) = over {
            // Nothing is ever sent: it ends with the answer.
            let _ = over.changed().await;
        }
    }

    /// Asks a question. Where it is answered, and whether at all, the last event says. A question that every place failed to answer stays in the
    /// conversation; the same text asked again takes its place. The answer continues without its reader until its reader's events are full. After an answer that was cancelled, the question waits for its end.
    ///
    /// # Errors
    /// [`ClientError::Busy`] while an earlier answer is in progress; [`ClientError::Limit`] beyond [`PROMPT_BYTES_MAX`];
    /// [`ClientError::Engine`] for an option out of its range; [`ClientError::Task`]; [`ClientError::Closed`]. After an error, nothing was
    /// asked.
    pub fn ask(&self, text: &str, options: AskOptions) -> Result<Answer, ClientError> {
        within("bytes of question", text.len() as u64, PROMPT_BYTES_MAX)?;
        options.generation.sampling.validate()?;
        task_label(&options.task)?;
        self.begin(Asked::Question(text.to_owned(), options))
    }

    /// Asks a question whose answer is a value of a type: [`crate::form_of`] makes the form of it. A model does not read its form, so the question should
    /// say what is wanted; [`crate::schema_fields`] lists the fields.
    ///
    /// # Errors
    /// As [`Conversation::ask`] and [`crate::form_of`]; [`ClientError::Engine`] if the options have a form too.
    #[cfg(feature = "schemars")]
    pub fn respond<T>(&self, text: &str, mut options: AskOptions) -> Result<crate::TypedAnswer<T>, ClientError>
    where
        T: schemars::JsonSchema + serde::de::DeserializeOwned,
    {
        if options.generation.form.is_some() {
            return Err(crate::tasks::form_option(
                "absent: the type has its own",
                "another form",
            ));
        }
        options.generation.form = Some(crate::form_of::<T>()?);
        Ok(crate::TypedAnswer::new(self.ask(text, options)?))
    }

    /// Asks the last question again. If it had been answered, this counts as a sign that the user did not like the answer. The new answer
    /// replaces the old one; if there is no new answer, the old one stays.
    ///
    /// # Errors
    /// [`ClientError::NothingToRepeat`], otherwise as [`Conversation::ask`].
    pub fn regenerate(&self, generation: GenerationOptions) -> Result<Answer, ClientError> {
        generation.sampling.validate()?;
        self.begin(Asked::Again {
            generation: Some(generation),
            is_elsewhere: false,
        })
    }

    /// Accepts the offer in [`crate::Report::escalation`]: asks the last question at another place, if the policy allows one now. The new
    /// answer replaces the old one; if there is no new answer, the old one stays.
    ///
    /// # Errors
    /// As [`Conversation::regenerate`].
    pub fn escalate(&self) -> Result<Answer, ClientError> {
        self.begin(Asked::Again {
            generation: None,
            is_elsewhere: true,
        })
    }

    /// Cancels the answer in progress, if there is one. Its reader still gets the last event.
    pub fn stop(&self) {
        if let Some(begun) = &lock(&self.inner.running).answer {
            begun.cancel.send_replace(true);
        }
    }

    /// What would be decided about a question now. Nothing is asked, and no receipt is written.
    ///
    /// # Errors
    /// [`ClientError::Scan`]; [`ClientError::NoPolicy`] without a policy; [`ClientError::Task`]; [`ClientError::Closed`].
    pub async fn explain(&self, text: &str, options: &AskOptions) -> Result<Explanation, ClientError> {
        task_label(&options.task)?;
        let request = self.inner.request(&self.inner.next(text, options.clone()));
        exchange::explain(&self.inner.services, request).await
    }

    /// The messages so far, without the system message, each with its privacy class and recipients.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.inner.history).messages().to_vec()
    }

    /// A number that grows each time the messages change.
    #[must_use]
    pub fn revision(&self) -> u64 {
        lock(&self.inner.history).revision()
    }

    /// Replaces the messages, to resume an earlier conversation. A cancelled answer that has not ended yet is discarded. Messages from
    /// [`Conversation::messages`] keep their class and recipients. A message without them gets the highest class, and the smallest set of
    /// recipients, of any message that this conversation has ever held. The placeholders of redacted text are forgotten.
    ///
    /// # Errors
    /// [`ClientError::Busy`] while an answer is in progress; [`ClientError::Limit`] beyond [`crate::MESSAGES_MAX`] or
    /// [`crate::HISTORY_BYTES_MAX`]; [`ClientError::Closed`].
    pub fn set_messages(&self, messages: Vec<Message>) -> Result<(), ClientError> {
        self.change(|history| history.replace(messages))
    }

    /// Deletes the messages. Their class and recipients still apply to messages that are passed back without their own.
    ///
    /// # Errors
    /// [`ClientError::Busy`] while an answer is in progress, [`ClientError::Closed`].
    pub fn reset(&self) -> Result<(), ClientError> {
        self.change(|history| {
            history.clear();
            Ok(())
        })
    }

    /// Raises the privacy class of the messages so far, if the app knows more than can be found in them. It applies to every further
    /// question of the conversation until [`Conversation::reset`].
    pub fn raise_class(&self, class: PrivacyClass) {
        self.inner.raise_class(class);
    }

    /// The system message that the app set, if there is one.
    #[must_use]
    pub fn system(&self) -> Option<String> {
        lock(&self.inner.history)
            .system()
            .filter(|system| !system.is_empty())
            .map(str::to_owned)
    }

    /// Sends along another system message from the next question on: `None` takes a model's own, an empty text leaves it to the model's
    /// template. The messages stay, and how they are treated.
    ///
    /// # Errors
    /// [`ClientError::Busy`] while an answer is in progress; [`ClientError::Limit`] beyond [`PROMPT_BYTES_MAX`]; [`ClientError::Closed`].
    pub fn set_system(&self, system: Option<String>) -> Result<(), ClientError> {
        within(
            "bytes of system message",
            system.as_ref().map_or(0, |text| text.len() as u64),
            PROMPT_BYTES_MAX,
        )?;
        if lock(&self.inner.history).system() == system.as_deref() {
            return self.idle(false).map(drop);
        }
        self.change(|history| {
            history.set_system(system);
            Ok(())
        })
    }

    /// Saves the conversation to a file, from which [`Conversation::restore`] resumes it without prefilling its text again. The file
    /// contains what was said, is readable by its owner only, and is written completely or not at all.
    ///
    /// # Errors
    /// [`ClientError::Busy`] while an answer is in progress, [`ClientError::NoModel`], [`ClientError::Write`], [`ClientError::Closed`].
    pub async fn save(&self, path: impl Into<PathBuf>) -> Result<(), ClientError> {
        self.settled().await?;
        let mut request = self.inner.request(&self.inner.next("", AskOptions::default()));
        // The question that is not asked.
        request.messages.pop();
        self.session().await?.save(request.for_engine(), path.into()).await?;
        Ok(())
    }

    /// Resumes a conversation that [`Conversation::save`] wrote with the same model, and discards the current one. The file does not say
    /// who may read it, so under a policy none of it leaves the device.
    ///
    /// # Errors
    /// [`ClientError::Read`], or [`ClientError::Engine`] with what is wrong with the file; this conversation is then unchanged. Otherwise
    /// as [`Conversation::save`].
    pub async fn restore(&self, path: impl Into<PathBuf>) -> Result<(), ClientError> {
        self.settled().await?;
        let restored = self.session().await?.restore(path.into()).await?;
        let system = restored.iter().find(|message| message.role == Role::System);
        let system = system.map(|message| message.content.clone());
        let messages = restored.into_iter().filter(|message| message.role != Role::System);
        let messages = messages
            .map(|message| Message::new(message.role, message.content))
            .collect();
        self.change(|history| {
            match self.inner.services.rules {
                Some(_) => history.restore(messages),
                None => history.replace(messages),
            }?;
            history.set_system(system);
            Ok(())
        })
    }

    /// Saves the KV cache of the first `tokens` tokens of the conversation, without the messages. Another conversation that starts with the
    /// same text can load it with [`Conversation::restore_prefix`].
    ///
    /// # Errors
    /// As [`Conversation::save`].
    pub async fn save_prefix(&self, path: impl Into<PathBuf>, tokens: u32) -> Result<(), ClientError> {
        self.settled().await?;
        Ok(self.session().await?.save_prefix(path.into(), tokens).await?)
    }

    /// Loads what [`Conversation::save_prefix`] wrote. The messages do not change. Tokens at the start of their text that agree with the
    /// file need not be run.
    ///
    /// # Errors
    /// As [`Conversation::restore`].
    pub async fn restore_prefix(&self, path: impl Into<PathBuf>) -> Result<(), ClientError> {
        self.settled().await?;
        Ok(self.session().await?.restore_prefix(path.into()).await?)
    }

    /// Cancels the answer in progress and releases the memory of the context, which is saved first if the conversation is kept. Returns at once,
    /// and may be called again.
    pub fn close(&self) {
        self.end();
        drop(self.inner.close_context());
    }

    /// Like [`Conversation::close`], but waits until the answer has ended and the context is saved.
    pub async fn shutdown(&self) {
        self.end();
        self.ended().await;
        if let Some(saved) = self.inner.close_context() {
            // It only fails if the request thread has ended; there is nothing to wait for then.
            let _ = saved.await;
        }
    }

    /// Cancels the answer in progress, and begins no other.
    fn end(&self) {
        let mut running = lock(&self.inner.running);
        running.is_closed = true;
        if let Some(begun) = &running.answer {
            begun.cancel.send_replace(true);
        }
    }

    fn begin(&self, asked: Asked) -> Result<Answer, ClientError> {
        let running = self.idle(true)?;
        let is_pending = running.answer.as_ref().is_some_and(|begun| !begun.is_over());
        if matches!(asked, Asked::Again { .. }) && !is_pending && lock(&self.inner.history).last().is_none() {
            return Err(ClientError::NothingToRepeat);
        }
        let inner = self.inner.clone();
        follow(&self.inner.services, running, false, async move |begun| {
            match inner.question(asked) {
                Ok(question) => inner.answer(question, begun).await,
                Err(error) => Err(error),
            }
        })
    }

    /// Answers a request that belongs to no conversation. `model` answers where no policy decides.
    pub(crate) fn answer(
        services: &Arc<Services>,
        model: Option<Model>,
        request: Request,
    ) -> Result<Answer, ClientError> {
        request.options.generation.sampling.validate()?;
        within("messages", request.messages.len() as u64, MESSAGES_MAX)?;
        task_label(&request.options.task)?;
        let answering = services.clone();
        let (answer, _) = begin(services, async move |begun| {
            let job = Job {
                model,
                ..begun.job(request, Arc::default())
            };
            let records = job.under_way.records().ok();
            let answered = tools::answer(&answering, job).await?;
            let report = answered.remember_aside(&answering, records.clone(), None).await;
            caches::keep_within_budget_aside(&answering, records);
            report
        })?;
        Ok(answer)
    }

    /// Goes on from a raw text with a model alone.
    pub(crate) fn complete(
        services: &Arc<Services>,
        model: Model,
        prompt: String,
        context_length: u32,
        generation: GenerationOptions,
    ) -> Result<Answer, ClientError> {
        generation.sampling.validate()?;
        let answering = services.clone();
        let (answer, _) = begin(services, async move |begun| {
            let request = Request {
                context_length,
                ..Request::new(Vec::new(), generation.into())
            };
            let job = Job {
                raw: Some(prompt),
                model: Some(model),
                ..begun.job(request, Arc::default())
            };
            Ok(tools::answer(&answering, job).await?.report)
        })?;
        Ok(answer)
    }

    /// The place of the answer. A cancelled one does not count, though it may not have ended yet, nor does that of a queued question where it can
    /// be waited for.
    fn idle(&self, can_wait: bool) -> Result<MutexGuard<'_, Running>, ClientError> {
        let running = lock(&self.inner.running);
        if running.is_closed {
            return Err(ClientError::Closed { what: "conversation" });
        }
        match &running.answer {
            Some(begun) if begun.is_ending() || begun.is_queued && can_wait => Ok(running),
            Some(_) => Err(ClientError::Busy),
            None => Ok(running),
        }
    }

    /// Waits until a cancelled answer has ended. [`Conversation::messages`] then contains the part of it that was kept.
    ///
    /// # Errors
    /// [`ClientError::Busy`] while an answer is in progress that was not cancelled, [`ClientError::Closed`].
    pub async fn settled(&self) -> Result<(), ClientError> {
        drop(self.idle(true)?);
        self.ended().await;
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut History) -> Result<(), ClientError>) -> Result<(), ClientError> {
        let _idle = self.idle(false)?;
        change(&mut lock(&self.inner.history))?;
        self.note_changed();
        Ok(())
    }

    /// What was said, or its system message, is another.
    pub(crate) fn note_changed(&self) {
        self.inner.context.note_changed();
        self.inner.write_aside();
    }

    async fn session(&self) -> Result<Session, ClientError> {
        let inner = &self.inner;
        let model = match &inner.model {
            Some(model) => Some(model.clone()),
            None => inner.services.places.offered().await.model,
        };
        let options = SessionOptions {
            context_length: inner.options.context_length,
            context_policy: inner.options.context_policy,
            now: Some(inner.services.now_s()),
            shared_messages: 0,
        };
        let model = model.ok_or(ClientError::NoModel)?;
        Ok(inner.context.slot.of(&model.open, options).await?)
    }
}
