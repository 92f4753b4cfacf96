//! How a conversation asks: its state, how a question becomes a request, and which part of the answer is kept.

use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};
use whimbrel_inference::SessionSlot;
use whimbrel_policy::Kept;
use whimbrel_privacy::Placeholders;
use whimbrel_record::{Place, Signal};

use super::ConversationOptions;
use super::answer::Answer;
use super::history::{History, Last, Turn};
use crate::error::lock;
use crate::exchange::{self, Events, Job};
use crate::report::{Event, Report};
use crate::request::{AskOptions, Message, Request};
use crate::services::{Services, UnderWay};
use crate::{ClientError, EVENTS_WAITING_MAX, GenerationOptions, Model, Role};

/// What clones of a conversation share.
pub(super) struct Inner {
    pub(super) services: Arc<Services>,
    /// The model that answers where no policy decides.
    pub(super) model: Option<Model>,
    pub(super) options: ConversationOptions,
    pub(super) history: Mutex<History>,
    /// The last answer that was begun.
    pub(super) running: Mutex<Running>,
    pub(super) session: Arc<SessionSlot>,
}

/// The answer that goes on, and whether there may be another one.
#[derive(Default)]
pub(super) struct Running {
    pub(super) answer: Option<Begun>,
    pub(super) is_closed: bool,
}

/// An answer that was begun.
pub(super) struct Begun {
    pub(super) cancel: watch::Sender<bool>,
    /// Ends when the answer is over.
    pub(super) over: watch::Receiver<()>,
}

impl Begun {
    pub(super) fn is_over(&self) -> bool {
        self.over.has_changed().is_err()
    }
}

/// What is asked.
pub(super) enum Asked {
    Question(String, AskOptions),
    /// The last question again; with which options, and whether elsewhere, where those differ.
    Again {
        generation: Option<GenerationOptions>,
        is_elsewhere: bool,
    },
}

/// A question that is about to be asked.
pub(super) struct Question {
    pub(super) text: String,
    pub(super) options: AskOptions,
    pub(super) turn: Turn,
    pub(super) excluded: Vec<Place>,
}

impl Inner {
    /// A new question. The same text as the last question, which nobody answered, is that question again, unless it comes as another task or class:
    /// then what held for the earlier one holds beside it.
    pub(super) fn next(&self, text: &str, options: AskOptions) -> Question {
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
        }
    }

    /// The question that is asked, once the answer before has ended.
    pub(super) fn question(&self, asked: Asked) -> Result<Question, ClientError> {
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
            text: last.question,
            options: AskOptions {
                generation: generation.unwrap_or(last.options.generation),
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
    pub(super) fn request(&self, question: &Question) -> Request {
        let (system, (history, floor)) = {
            let history = lock(&self.history);
            let system = history.system().map(|system| Message::new(Role::System, system));
            (system, history.before(question.turn))
        };
        let asked = Message::new(Role::User, question.text.clone());
        let messages = system.into_iter().chain(history).chain([asked]).collect();
        let mut options = question.options.clone();
        options.class = options.class.max(floor);
        Request {
            messages,
            options,
            excluded: question.excluded.clone(),
            context_length: self.options.context_length,
            context_policy: self.options.context_policy,
        }
    }

    pub(super) async fn answer(&self, question: Question, begun: Beginning) -> Result<Report, ClientError> {
        let revision = lock(&self.history).revision();
        let request = self.request(&question);
        let has_system = request
            .messages
            .first()
            .is_some_and(|message| message.role == Role::System);
        let job = Job {
            model: self.model.clone(),
            placeholders: lock(&self.history).placeholders.clone(),
            ..begun.job(request, self.session.clone())
        };
        let answered = exchange::answer(&self.services, job).await?;
        let mut history = lock(&self.history);
        if history.revision() != revision {
            // The messages were replaced meanwhile: the answer belongs to others.
            return Ok(answered.report);
        }
        history.placeholders = answered.placeholders;
        let examined = answered.examined.get(usize::from(has_system)..);
        history.examined(examined.unwrap_or_default());
        let last = Last {
            receipt: answered.report.receipt,
            question: question.text,
            options: question.options,
            answered: answered
                .report
                .place
                .clone()
                .filter(|_| answered.kept == Kept::Exchange),
            messages: 0,
        };
        history.keep(last, answered.recipients, answered.kept, answered.text, question.turn);
        Ok(answered.report)
    }
}

/// What an answer begins with.
pub(super) struct Beginning {
    events: Events,
    cancelled: watch::Receiver<bool>,
    under_way: UnderWay,
}

impl Beginning {
    pub(super) fn job(self, request: Request, session: Arc<SessionSlot>) -> Job {
        Job {
            request,
            raw: None,
            model: None,
            session,
            placeholders: Placeholders::default(),
            events: self.events,
            cancelled: self.cancelled,
            under_way: self.under_way,
        }
    }
}

/// Begins an answer on the thread for requests. The second value cancels it.
pub(super) fn begin<F>(
    services: &Arc<Services>,
    answer: impl FnOnce(Beginning) -> F,
) -> Result<(Answer, watch::Sender<bool>), ClientError>
where
    F: Future<Output = Result<Report, ClientError>> + Send + 'static,
{
    let (sender, events) = mpsc::channel(EVENTS_WAITING_MAX);
    let (cancel, cancelled) = watch::channel(false);
    let answering = answer(Beginning {
        events: sender.clone(),
        cancelled,
        under_way: services.enter(&cancel)?,
    });
    services.handle().spawn(async move {
        let event = answering.await.map(|report| Event::Finished(Box::new(report)));
        // A reader who has gone does not want to hear it.
        let _ = sender.send(event).await;
    });
    Ok((Answer::new(events, cancel.clone()), cancel))
}
