//! How a conversation asks: its state, how a question becomes a request, and which part of the answer is kept.

use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use whimbrel_inference::Session;
use whimbrel_policy::{Kept, Recipients};
use whimbrel_privacy::{Placeholders, PrivacyClass};
use whimbrel_record::{Outcome, Place, Signal};

use super::ConversationOptions;
use super::answer::Answer;
use super::history::{History, Last, Turn};
use super::keeping::{Draft, Keeping};
use crate::contexts::{Context, ContextFiles};
use crate::error::lock;
use crate::exchange::{Answered, Events, Job};
use crate::outbox::{self, QueuedQuestion};
use crate::report::{Event, Report};
use crate::request::{AskOptions, Message, Request};
use crate::services::{Services, UnderWay};
use crate::tools::CallDesk;
use crate::{ClientError, EVENTS_WAITING_MAX, GenerationOptions, Model, Role, caches, tools};

/// What clones of a conversation share.
pub(crate) struct Inner {
    pub(crate) services: Arc<Services>,
    /// The model that answers where no policy decides.
    pub(crate) model: Option<Model>,
    pub(crate) options: ConversationOptions,
    pub(crate) history: Arc<Mutex<History>>,
    /// Where it is kept, if it is.
    pub(crate) keeping: Option<Arc<Keeping>>,
    /// The last answer that was begun.
    pub(crate) running: Mutex<Running>,
    pub(crate) context: Arc<Context>,
    /// Of the answer that comes.
    draft: Mutex<Weak<Draft>>,
}

/// The answer that goes on, and whether there may be another one.
#[derive(Default)]
pub(crate) struct Running {
    pub(crate) answer: Option<Begun>,
    pub(crate) is_closed: bool,
}

/// An answer that was begun.
pub(crate) struct Begun {
    pub(crate) cancel: watch::Sender<bool>,
    /// Ends when the answer is over.
    pub(crate) over: watch::Receiver<()>,
    /// It answers a queued question: another question waits for its end.
    pub(crate) is_queued: bool,
}

impl Begun {
    pub(crate) fn is_over(&self) -> bool {
        self.over.has_changed().is_err()
    }

    /// Whether something else may begin or change: it has ended, or is cancelled and about to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_over() || *self.cancel.borrow()
    }
}

/// What is asked.
pub(crate) enum Asked {
    Question(String, AskOptions),
    /// The last question again; with which options, and whether elsewhere, where those differ.
    Again {
        generation: Option<GenerationOptions>,
        is_elsewhere: bool,
    },
}

/// A question that is about to be asked.
pub(crate) struct Question {
    pub(crate) text: String,
    pub(crate) options: AskOptions,
    pub(crate) turn: Turn,
    pub(crate) excluded: Vec<Place>,
    /// Who may read it, if that was decided about it before.
    pub(crate) recipients: Option<Recipients>,
}

impl Inner {
    pub(super) fn new(
        services: Arc<Services>,
        model: Option<Model>,
        options: ConversationOptions,
        history: History,
        keeping: Option<Keeping>,
    ) -> Arc<Inner> {
        let inner = Arc::new(Inner {
            services: services.clone(),
            model,
            options,
            history: Arc::new(Mutex::new(history)),
            keeping: keeping.map(Arc::new),
            running: Mutex::default(),
            context: Arc::default(),
            draft: Mutex::default(),
        });
        services.contexts.enter(&inner);
        inner
    }

    /// Where its context is saved, if it is kept and the store is still open.
    fn context_files(&self) -> Option<ContextFiles> {
        let keeping = self.keeping.as_ref()?;
        let shelf = keeping.shelf.open(&self.services).ok()?;
        Some(ContextFiles::new(&self.services, shelf, Some(keeping.id)))
    }

    /// Saves its context, if it is kept.
    pub(crate) async fn put_away(&self, session: &Session) {
        if let Some(files) = self.context_files()
            && let Err(error) = files.put_away(&self.context, session).await
        {
            log::debug!("a context is not saved: {error}");
        }
    }

    /// Releases the memory of its context, once it is saved if the conversation is kept. Returns what ends then.
    pub(crate) fn close_context(&self) -> Option<JoinHandle<()>> {
        let session = self.context.slot.opened()?;
        let context = self.context.clone();
        let Some(files) = self.context_files() else {
            // The store of a kept conversation was closed. Its context may just be read to be saved, and goes with the last who needs it.
            if self.keeping.is_some() {
                return None;
            }
            let Err(_) = context.saving.try_lock() else {
                context.slot.close();
                return None;
            };
            // The beginning that it shares with others is being saved.
            return Some(self.services.handle().spawn(async move {
                drop(context.saving.lock().await);
                context.slot.close();
            }));
        };
        Some(self.services.handle().spawn(async move {
            if let Err(error) = files.put_away(&context, &session).await {
                log::debug!("a context is not saved: {error}");
            }
            context.slot.close();
        }))
    }

    /// A new question. The same text as the last question, which nobody answered, is that question again, unless it comes as another task or class:
    /// then what held for the earlier one holds beside it.
    pub(crate) fn next(&self, text: &str, options: AskOptions) -> Question {
        let history = lock(&self.history);
        let is_again = |last: &Last| {
            let is_same =
                last.question == text && (last.options.class, &last.options.task) == (options.class, &options.task);
            last.answered.is_none() && is_same
        };
        let turn = match history.last().is_some_and(is_again) {
            true => Turn::Again,
            false => Turn::Next,
        };
        Question {
            text: text.to_owned(),
            options,
            turn,
            excluded: Vec::new(),
            recipients: None,
        }
    }

    /// The question that is asked, once the answer before has ended.
    pub(crate) fn question(&self, asked: Asked) -> Result<Question, ClientError> {
        let (generation, is_elsewhere) = match asked {
            Asked::Question(text, options) => return Ok(self.next(&text, options)),
            Asked::Again {
                generation,
                is_elsewhere,
            } => (generation, is_elsewhere),
        };
        let last = lock(&self.history)
            .last()
            .cloned()
            .ok_or(ClientError::NothingToRepeat)?;
        let signal = match is_elsewhere {
            true => Signal::EscalationAccepted,
            false => Signal::Regenerated,
        };
        self.learn(&last, signal);
        Ok(Question {
            turn: Turn::Again,
            excluded: last.answered.into_iter().filter(|_| is_elsewhere).collect(),
            recipients: None,
            text: last.question,
            options: AskOptions {
                generation: generation.unwrap_or(last.options.generation),
                fresh: true,
                ..last.options
            },
        })
    }

    /// Keeps a sign that the app need not give. The answer does not wait for it.
    fn learn(&self, last: &Last, signal: Signal) {
        let (Some(receipt), Some(_)) = (last.receipt, &last.answered) else {
            return;
        };
        let services = self.services.clone();
        drop(self.services.handle().spawn_blocking(move || {
            let learned = services
                .records()
                .and_then(|records| services.learn(receipt, signal, &**records));
            if let Err(error) = learned {
                log::warn!("feedback about receipt {receipt} was lost: {error}");
            }
        }));
    }

    /// The request that a question makes of the history.
    pub(crate) fn request(&self, question: &Question) -> Request {
        let (system, (history, floor)) = {
            let history = lock(&self.history);
            let system = history.system().map(|system| Message::new(Role::System, system));
            (system, history.before(question.turn))
        };
        let asked = Message {
            recipients: question.recipients.clone(),
            ..Message::new(Role::User, question.text.clone())
        };
        let messages = system.into_iter().chain(history).chain([asked]).collect();
        let mut options = question.options.clone();
        options.class = options.class.max(floor);
        Request {
            messages,
            options,
            excluded: question.excluded.clone(),
            context_length: self.options.context_length,
            context_policy: self.options.context_policy,
            shared_messages: 0,
        }
    }

    pub(crate) async fn answer(&self, question: Question, begun: Beginning) -> Result<Report, ClientError> {
        let mut queued = QueuedQuestion::new(&question.text, &question.options);
        let has_tools = !question.options.tools.is_empty();
        if let Some(keeping) = self
            .keeping
            .as_ref()
            .filter(|_| has_tools && question.turn == Turn::Next)
            && outbox::has_queued(&self.services, keeping.id).await?
        {
            return Err(ClientError::ToolsCannotWait);
        }
        if let Some(keeping) = self
            .keeping
            .as_ref()
            .filter(|_| !has_tools && question.turn == Turn::Next)
            && let Some(report) = outbox::enqueue_behind(&self.services, keeping.id, &queued).await?
        {
            return Ok(report);
        }
        if question.turn == Turn::Again {
            self.context.note_changed();
        }
        let revision = lock(&self.history).revision();
        // The ledger, and what is kept beside it, stays open until the end of the answer is written.
        let records = begun.under_way.records().ok();
        let draft = self.draft(&question)?;
        let asked = self.ask(&question, begun, None, draft.clone()).await;
        let from = draft.and_then(|draft| draft.end());
        let mut answered = match asked {
            Ok(answered) => answered,
            Err(error) => {
                // The question was written before a later round failed.
                if from.is_some() && lock(&self.history).revision() == revision {
                    self.write(from).await;
                }
                return Err(error);
            }
        };
        let is_deferred = answered.report.outcome == Outcome::Deferred;
        let enqueued = match self.keeping.as_ref().filter(|_| is_deferred && !has_tools) {
            Some(keeping) => {
                // What this decision keeps it from stays so, whatever another policy allows by then.
                queued.recipients = Some(answered.recipients.clone());
                let id = outbox::enqueue(&self.services, keeping.id, &queued, &answered.report);
                id.await.map(Some)
            }
            None => Ok(None),
        };
        let is_ours = {
            let mut history = lock(&self.history);
            // Otherwise the messages were replaced meanwhile: the answer belongs to others.
            let is_ours = history.revision() == revision;
            match &enqueued {
                _ if !is_ours => {}
                Ok(Some(_)) => history.note_queued(question.options.class, answered.recipients.clone()),
                _ => take(&mut history, &question, &answered),
            }
            is_ours
        };
        if is_ours {
            answered.report.is_kept = self.write(from).await;
        }
        // Only now, so that nothing of a draft stays behind a question that could not be queued.
        answered.report.queued = enqueued?;
        let (conversation, shelf) = match &self.keeping {
            Some(keeping) => (Some(keeping.id), keeping.shelf.open(&self.services).ok()),
            None => (None, records.clone()),
        };
        let report = answered
            .remember_aside(&self.services, records.filter(|_| is_ours), conversation)
            .await;
        caches::keep_within_budget_aside(&self.services, shelf);
        report
    }

    /// What comes of a question, while it comes; none of one that is asked again.
    fn draft(&self, question: &Question) -> Result<Option<Arc<Draft>>, ClientError> {
        let Some(keeping) = self.keeping.as_ref().filter(|_| question.turn == Turn::Next) else {
            return Ok(None);
        };
        let records = keeping.shelf.open(&self.services)?;
        let last = Last::unanswered(&question.text, &question.options);
        let history = lock(&self.history).clone();
        let draft = Arc::new(Draft::new(keeping.clone(), records, history, last));
        *lock(&self.draft) = Arc::downgrade(&draft);
        Ok(Some(draft))
    }

    /// Asks, and leaves the history as it is. `id` is the request's id where it has one already.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        begun: Beginning,
        id: Option<String>,
        draft: Option<Arc<Draft>>,
    ) -> Result<Answered, ClientError> {
        let request = self.request(question);
        let has_system = request
            .messages
            .first()
            .is_some_and(|message| message.role == Role::System);
        let job = Job {
            model: self.model.clone(),
            placeholders: lock(&self.history).placeholders.clone(),
            id,
            draft,
            kept: self.keeping.as_ref().map(|keeping| (keeping.shelf.clone(), keeping.id)),
            ..begun.job(request, self.context.clone())
        };
        let mut answered = tools::answer(&self.services, job).await?;
        if has_system && !answered.examined.is_empty() {
            answered.examined.remove(0);
        }
        Ok(answered)
    }

    /// Writes what has changed, if the conversation is kept. Returns whether it is on the disk; an answer that came is not lost because the
    /// disk is full.
    pub(crate) async fn write(&self, from: Option<u32>) -> Option<bool> {
        let written = self.try_write(from).await?;
        if let Err(error) = &written {
            log::error!("a conversation cannot be kept: {error}");
        }
        Some(written.is_ok())
    }

    /// Writes what has changed, if the conversation is kept.
    pub(crate) fn try_write(
        &self,
        from: Option<u32>,
    ) -> impl Future<Output = Option<Result<(), ClientError>>> + Send + 'static {
        let (history, context, services) = (self.history.clone(), self.context.clone(), self.services.clone());
        // At once: the store stays open for it, whatever is closed meanwhile.
        let kept = self.keeping.clone();
        let kept = kept.map(|keeping| (keeping.shelf.open(&services), keeping));
        async move {
            let (records, keeping) = kept?;
            let written = services.blocking(move |services| {
                let records = records?;
                let store = records.store()?;
                let is_stale = context.forget_stale(services, store, keeping.id)?;
                keeping.write(store, &history, from, services.clock.now_ms())?;
                if is_stale {
                    // Nothing of what was replaced stays in a file.
                    store.empty_log()?;
                }
                Ok(())
            });
            let written = written.await.and_then(|written| written);
            services.note_change();
            Some(written)
        }
    }

    /// Says how private the messages are, and writes it without waiting for the disk. An answer that comes stays where it is.
    pub(crate) fn raise_class(self: &Arc<Inner>, class: PrivacyClass) {
        lock(&self.history).raise_class(class);
        let Some(draft) = lock(&self.draft).upgrade() else {
            return self.write_aside();
        };
        let inner = self.clone();
        drop(self.services.handle().spawn_blocking(
            move || match draft.raise_class(class, inner.services.clock.now_ms()) {
                Ok(true) => {}
                Ok(false) => inner.write_aside(),
                Err(error) => log::error!("a conversation cannot be kept: {error}"),
            },
        ));
    }

    /// Writes what the app has changed, without waiting for the disk.
    pub(crate) fn write_aside(&self) {
        let written = self.try_write(None);
        drop(self.services.handle().spawn(async move {
            if let Some(Err(error)) = written.await {
                log::error!("a conversation cannot be kept: {error}");
            }
        }));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.close_context());
    }
}

/// Makes question and answer part of a history.
pub(crate) fn take(history: &mut History, question: &Question, answered: &Answered) {
    history.placeholders = answered.placeholders.clone();
    history.examined(&answered.examined);
    let report = &answered.report;
    // What tools gave is not kept, but the answer comes of it.
    let class = match report.calls.is_empty() {
        true => question.options.class,
        false => question.options.class.max(answered.class),
    };
    let last = Last {
        receipt: report.receipt,
        answered: report.place.clone().filter(|_| answered.kept == Kept::Exchange),
        ..Last::unanswered(&question.text, &question.options)
    };
    let answer = Message {
        receipt: report.receipt,
        interrupted: report.outcome != Outcome::Answered,
        ..Message::new(Role::Assistant, answered.text.clone())
    };
    let recipients = answered.recipients.clone();
    history.keep(last, (class, recipients), answered.kept, answer, question.turn);
}

/// What an answer begins with.
pub(crate) struct Beginning {
    events: Events,
    cancelled: watch::Receiver<bool>,
    desk: Arc<CallDesk>,
    under_way: Arc<UnderWay>,
}

impl Beginning {
    pub(crate) fn job(self, request: Request, context: Arc<Context>) -> Job {
        Job {
            request,
            raw: None,
            model: None,
            id: None,
            draft: None,
            kept: None,
            context,
            placeholders: Placeholders::default(),
            events: self.events,
            cancelled: self.cancelled,
            desk: self.desk,
            under_way: self.under_way,
        }
    }
}

/// Begins an answer in a conversation, once the one before has ended.
pub(crate) fn follow<F>(
    services: &Arc<Services>,
    mut running: MutexGuard<'_, Running>,
    is_queued: bool,
    answer: impl FnOnce(Beginning) -> F,
) -> Result<Answer, ClientError>
where
    F: Future<Output = Result<Report, ClientError>> + Send + 'static,
{
    let before = running.answer.take().map(|begun| begun.over);
    let (over, is_over) = watch::channel(());
    let (answer, cancel) = begin(services, |begun| {
        let answer = answer(begun);
        async move {
            if let Some(mut before) = before {
                // Nothing is ever sent: it ends with the answer before.
                let _ = before.changed().await;
            }
            let answered = answer.await;
            // First of all: a reader that sees the end may ask again at once.
            drop(over);
            answered
        }
    })?;
    running.answer = Some(Begun {
        cancel,
        over: is_over,
        is_queued,
    });
    Ok(answer)
}

/// Begins an answer on the thread for requests. The second value cancels it.
pub(crate) fn begin<F>(
    services: &Arc<Services>,
    answer: impl FnOnce(Beginning) -> F,
) -> Result<(Answer, watch::Sender<bool>), ClientError>
where
    F: Future<Output = Result<Report, ClientError>> + Send + 'static,
{
    let (sender, events) = mpsc::channel(EVENTS_WAITING_MAX);
    let (cancel, cancelled) = watch::channel(false);
    let desk = Arc::<CallDesk>::default();
    let answering = answer(Beginning {
        events: sender.clone(),
        cancelled,
        desk: desk.clone(),
        under_way: Arc::new(services.enter(&cancel)?),
    });
    services.handle().spawn(async move {
        let event = answering.await.map(|report| Event::Finished(Box::new(report)));
        // A reader who has gone does not want to hear it.
        let _ = sender.send(event).await;
    });
    Ok((Answer::new(events, cancel.clone(), desk), cancel))
}
