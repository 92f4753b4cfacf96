//! One request from its text to its receipt, in stages: examined and decided ([`prepare`]), recorded, carried out ([`run`]), recorded again
//! and reported ([`conclude`]). Nothing is decided here; `whimbrel-policy` says what to do and what the result is.

mod conclude;
mod prepare;
mod remembered;
mod run;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use whimbrel_engine::ToolCall;
use whimbrel_policy::{Candidate, Kept, Plan, Recipients};
use whimbrel_privacy::{ExaminedMessage, Placeholders, PrivacyClass, ScanError};
use whimbrel_record::{Closing, Code, Intent, Label, Outcome, ReceiptId};
use whimbrel_store::ConversationId;

pub(crate) use self::prepare::explain;
use self::prepare::prepare;
use self::remembered::Remembering;
pub(crate) use self::run::raised;
use crate::contexts::Context;
use crate::conversation::{Draft, Shelf};
use crate::performance::Measuring;
use crate::report::{Event, Report};
use crate::request::{AskOptions, Request, task_label};
use crate::services::{Services, UnderWay};
use crate::tools::CallDesk;
use crate::{ClientError, Model};

/// Events for a reader.
pub(crate) type Events = mpsc::Sender<Result<Event, ClientError>>;

/// A request with what it finds around it. The request itself is plain data.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) request: Request,
    /// A text to go on from without a template, in place of messages.
    pub(crate) raw: Option<String>,
    /// The model that answers where no rules decide.
    pub(crate) model: Option<Model>,
    /// Its id, where it was queued with one.
    pub(crate) id: Option<String>,
    /// Where its answer is written while it comes.
    pub(crate) draft: Option<Arc<Draft>>,
    /// The conversation that it belongs to, if that is kept, and where.
    pub(crate) kept: Option<(Shelf, ConversationId)>,
    /// The context of the conversation on this device.
    pub(crate) context: Arc<Context>,
    /// What stands for what in the conversation's redacted text.
    pub(crate) placeholders: Placeholders,
    pub(crate) events: Events,
    pub(crate) cancelled: watch::Receiver<bool>,
    /// Where the results of tools come in.
    pub(crate) desk: Arc<CallDesk>,
    pub(crate) under_way: Arc<UnderWay>,
}

/// What a request leaves behind for its conversation.
pub(crate) struct Answered {
    pub(crate) report: Report,
    pub(crate) text: String,
    /// What becomes part of the conversation.
    pub(crate) kept: Kept,
    pub(crate) recipients: Recipients,
    /// Set if the answer may be remembered.
    remembering: Option<Remembering>,
    /// What was found in each message of the request.
    pub(crate) examined: Vec<ExaminedMessage>,
    pub(crate) placeholders: Placeholders,
    /// The tools that the model called in place of an answer.
    pub(crate) calls: Vec<ToolCall>,
    /// How private the text was.
    pub(crate) class: PrivacyClass,
}

/// Answers a request, or calls tools in place of that.
///
/// # Errors
/// When it cannot be carried through at all: its text cannot be examined, or no receipt can be written. Where no rules decide there is nobody else
/// to ask, so the model's own error is the request's.
pub(crate) async fn round(services: &Arc<Services>, mut job: Job) -> Result<Answered, ClientError> {
    let began_ms = services.clock.elapsed_ms();
    let measuring = Measuring::begin(services);
    let mut prepared = match prepare(services, &mut job).await {
        Err(ClientError::Scan(error)) => return Err(refuse(services, &job, error).await),
        other => other?,
    };
    if let Some(remembered) = prepared.remembered.take() {
        return remembered::give_again(services, job, prepared, remembered, began_ms).await;
    }
    let remembering = prepared.remembering.take();
    let receipt = begin(services, &job, prepared.intent).await?;
    if !prepared.plan.candidates.is_empty() {
        begin_draft(services, &job, &prepared.plan, receipt).await;
    }
    let (prices, backends) = (prepared.prices, prepared.backends);
    let run = run::Run::new(services, &job, prepared.plan, prices, prepared.is_metered, backends);
    let known = conclude::Known {
        examined: prepared.examined,
        class: prepared.class,
        device: prepared.device,
        measuring,
        measured: prepared.measured,
    };
    let answered = conclude::conclude(services, job, known, receipt, run.finish().await).await?;
    Ok(Answered {
        remembering,
        ..answered
    })
}

/// Writes the receipt's first entry. When this returns it has reached the disk, and only then may anything leave.
async fn begin(services: &Arc<Services>, job: &Job, intent: Option<Intent>) -> Result<Option<ReceiptId>, ClientError> {
    let Some(intent) = intent else {
        return Ok(None);
    };
    let records = job.under_way.records()?;
    let begun = services.blocking(move |services| {
        let now_ms = services.clock.now_ms();
        Ok::<_, ClientError>(records.begin(&intent, now_ms)?)
    });
    begun.await?.map(Some)
}

/// Writes the question of a conversation that is kept, and from now on the answer as it comes. A disk that is full does not keep anybody from an
/// answer.
async fn begin_draft(services: &Arc<Services>, job: &Job, plan: &Plan, receipt: Option<ReceiptId>) {
    let Some(draft) = job.draft.clone() else {
        return;
    };
    let (begins, recipients) = (draft.clone(), plan.recipients.clone());
    let begun = services.blocking(move |services| begins.begin(&recipients, receipt, services.clock.now_ms()));
    match begun.await.and_then(|begun| begun) {
        Ok(()) => drop(services.handle().spawn(draft.write_as_it_comes(services.clone()))),
        Err(error) => log::error!("a question cannot be kept before its answer: {error}"),
    }
}

/// A text that cannot be examined goes nowhere, and leaves a receipt that says so.
async fn refuse(services: &Arc<Services>, job: &Job, error: ScanError) -> ClientError {
    let AskOptions { class, ref task, .. } = job.request.options;
    let (task, records) = match (task_label(task), job.under_way.records()) {
        (Ok(task), Ok(records)) => (task, records),
        (Err(error), _) | (_, Err(error)) => return error,
    };
    let recorded = services.blocking(move |services| {
        let intent = Intent::new(Label::squeezed(&services.request_id()?), task, class);
        let closing = Closing {
            error: Some(Code::TooLong.into()),
            ..Closing::new(Outcome::Failed)
        };
        let now_ms = services.clock.now_ms();
        Ok::<_, ClientError>(records.record(&intent, &closing, now_ms)?)
    });
    match recorded.await {
        Ok(Ok(_)) => error.into(),
        Ok(Err(error)) | Err(error) => error,
    }
}

/// The candidate at a place of the plan.
fn candidate(plan: &Plan, index: u32) -> &Candidate {
    &plan.candidates[index as usize]
}
