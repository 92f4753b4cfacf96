//! Tools: functions of the app that a model may call before it answers. A question with tools is carried out in rounds, each a request of its own with
//! its own decision and receipt. What a tool gave is a message of the next round: it is examined like all others, and decides with them where
//! that round may run.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use whimbrel_engine::{EngineError, ToolCall, ToolChoice, ToolStep, ToolUse};
use whimbrel_policy::{Attempt, ToolPermission};
use whimbrel_privacy::{PrivacyClass, Release};
use whimbrel_record::{ReceiptId, Tokens};
use whimbrel_telemetry::Stage;

use crate::ClientError;
use crate::error::lock;
use crate::exchange::{Answered, Job, raised, round};
use crate::report::{Event, Report};
use crate::services::Services;

/// How many calls an answer may take, unless the app says otherwise.
pub const TOOL_CALLS_DEFAULT: u32 = 8;
/// The most calls that an answer may take.
pub const TOOL_CALLS_MAX: u32 = 64;
/// The longest result of a call, in bytes.
pub const TOOL_RESULT_BYTES_MAX: u32 = 64 * 1024;
/// How long a call is waited for, in milliseconds, unless the app says otherwise.
pub const TOOL_RESULT_MS_DEFAULT: u64 = 120_000;

/// What the model is told of a call without a result.
const REFUSED: &str = "error: the user did not allow this call";
const NOT_ALLOWED: &str = "error: this function must not be used for this question";
const LATE: &str = "error: the function did not end in time";
const TOO_MANY: &str = "error: no more functions can be used for this question";
const DROPPED: &str = "error: the function gave no result";

/// A function of the app that the model may call.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Tool {
    /// What the model calls it: at most 64 of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// A description for the model: what it does, and when to use it.
    pub description: String,
    /// The JSON Schema of its arguments, an object; see [`crate::Form::JsonSchema`] for what is supported.
    pub parameters: String,
    /// Whether a person is asked before it runs. A policy may be stricter, and the app's policy may also be less strict.
    #[serde(default)]
    pub permission: ToolPermission,
    /// How private what it gives is at least. Findings in a result can only raise it.
    #[serde(default)]
    pub result_class: PrivacyClass,
}

/// The tools for a question.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ToolOptions {
    /// What the model may call, with different names.
    pub tools: Vec<Tool>,
    /// Whether it has to. After the first call it is free to answer.
    #[serde(default)]
    pub choice: ToolChoice,
    /// How many calls the answer may take, at most [`TOOL_CALLS_MAX`]. Then the model answers with what it has.
    pub calls_max: u32,
    /// How long each call is waited for, in milliseconds, with the person's answer where one is asked.
    pub result_ms_max: u64,
}

impl Default for ToolOptions {
    fn default() -> ToolOptions {
        ToolOptions {
            tools: Vec::new(),
            choice: ToolChoice::Auto,
            calls_max: TOOL_CALLS_DEFAULT,
            result_ms_max: TOOL_RESULT_MS_DEFAULT,
        }
    }
}

/// A call that waits for its result: see [`crate::Answer::give_result`].
#[derive(Clone, Eq, PartialEq)]
pub struct PendingCall {
    /// Its number, which no other call of the process has.
    pub id: u32,
    /// The tool.
    pub name: String,
    /// A JSON object that has the form of the tool's parameters.
    pub arguments: String,
    /// Whether a person must be asked before the function runs.
    pub must_confirm: bool,
}

// Arguments are what a model made of what people said.
impl std::fmt::Debug for PendingCall {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut record = formatter.debug_struct("PendingCall");
        record
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What came of a call.
#[derive(Clone, Eq, PartialEq)]
pub enum ToolResult {
    /// What the function gave: a text, or JSON.
    Done(String),
    /// Why it failed, for the model.
    Failed(String),
    /// The person did not allow it.
    Refused,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallEnd {
    /// The function ran.
    Done,
    /// The function failed.
    Failed,
    /// The person did not allow it.
    Refused,
    /// The policy does not allow it.
    NotAllowed,
    /// It took too long.
    TimedOut,
    /// There were too many calls before it.
    TooMany,
    /// The app gave no result.
    Dropped,
}

/// A call as the report has it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CallReport {
    /// The tool.
    pub name: String,
    /// How it ended.
    pub end: CallEnd,
    /// The receipt of the round that called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptId>,
}

/// The number of the last call. A late result for one answer must not reach the next.
static LAST_CALL: AtomicU32 = AtomicU32::new(0);

/// Where results are handed in.
#[derive(Default)]
pub(crate) struct CallDesk {
    waiting: Mutex<HashMap<u32, oneshot::Sender<ToolResult>>>,
}

impl CallDesk {
    /// # Errors
    /// [`ClientError::UnknownCall`]; [`ClientError::Limit`], after which the call still waits.
    pub(crate) fn give(&self, id: u32, result: ToolResult) -> Result<(), ClientError> {
        if let ToolResult::Done(text) | ToolResult::Failed(text) = &result
            && text.len() > TOOL_RESULT_BYTES_MAX as usize
        {
            return Err(ClientError::Limit {
                what: "bytes of a tool's result",
                limit: TOOL_RESULT_BYTES_MAX.into(),
                found: text.len() as u64,
            });
        }
        let waiting = lock(&self.waiting).remove(&id);
        // Nobody may wait any more, for instance because the time is over.
        let given = waiting.and_then(|waiting| waiting.send(result).ok());
        given.ok_or(ClientError::UnknownCall { id })
    }

    /// The number of a call, and its result.
    fn expect(&self) -> (u32, oneshot::Receiver<ToolResult>) {
        let (sender, receiver) = oneshot::channel();
        let id = LAST_CALL.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        lock(&self.waiting).insert(id, sender);
        (id, receiver)
    }

    fn forget(&self, id: u32) {
        lock(&self.waiting).remove(&id);
    }
}

impl Tool {
    /// Checks that it can be offered.
    ///
    /// # Errors
    /// [`ClientError::Engine`] with [`EngineError::Tool`].
    pub fn validate(&self) -> Result<(), ClientError> {
        Ok(self.offered().validate()?)
    }

    /// The tool as models are told it.
    fn offered(&self) -> whimbrel_engine::Tool {
        whimbrel_engine::Tool {
            name: self.name.clone(),
            description: self.description.clone(),
            parameters: self.parameters.clone(),
        }
    }
}

impl ToolOptions {
    pub(crate) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    fn find(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// The tools as models are told them, if there are some.
    pub(crate) fn told(&self) -> Option<ToolUse> {
        (!self.is_empty()).then(|| self.offered())
    }

    fn offered(&self) -> ToolUse {
        ToolUse {
            tools: self.tools.iter().map(Tool::offered).collect(),
            choice: self.choice,
            steps: Vec::new(),
        }
    }

    /// # Errors
    /// [`ClientError::Engine`] for tools that cannot be offered, [`ClientError::Limit`].
    pub(crate) fn validate(&self) -> Result<(), ClientError> {
        if self.calls_max > TOOL_CALLS_MAX {
            return Err(ClientError::Limit {
                what: "calls of tools",
                limit: TOOL_CALLS_MAX.into(),
                found: self.calls_max.into(),
            });
        }
        Ok(self.offered().validate()?)
    }
}

/// Answers a request, with the rounds that its tools take.
///
/// # Errors
/// As [`round`]; [`ClientError::Engine`] for tools that cannot be offered.
pub(crate) async fn answer(services: &Arc<Services>, mut job: Job) -> Result<Answered, ClientError> {
    if job.request.options.tools.is_empty() {
        job.request.options.generation.tools = None;
        return round(services, job).await;
    }
    let options = job.request.options.tools.clone();
    if job.request.options.generation.form.is_some() || job.raw.is_some() {
        return Err(ClientError::Engine(EngineError::Option {
            option: "tools",
            expected: "given for a question whose answer has no form".into(),
            found: "a form".into(),
        }));
    }
    let offering = options.clone();
    services.blocking(move |_| offering.validate()).await??;
    let began_ms = services.clock.elapsed_ms();
    let mut offered = options.offered();
    let mut calls: Vec<CallReport> = Vec::new();
    let mut before = Before::default();
    loop {
        job.request.options.generation.tools = Some(offered.clone());
        let mut answered = round(services, job.clone()).await?;
        if answered.calls.is_empty() {
            answered.report.total_ms = services.clock.elapsed_ms().saturating_sub(began_ms);
            answered.report.calls = calls;
            before.complete(&mut answered.report);
            return Ok(answered);
        }
        before.add(&answered.report);
        go_on(services, &mut job, &answered).await;
        for call in std::mem::take(&mut answered.calls) {
            let (end, result) = match calls.len() < options.calls_max as usize {
                true => carry_out(services, &job, &answered, &call).await,
                false => (CallEnd::TooMany, TOO_MANY.to_owned()),
            };
            if let Some(tool) = options.find(&call.name) {
                let class = &mut job.request.options.class;
                *class = (*class).max(tool.result_class);
            }
            calls.push(CallReport {
                name: call.name.clone(),
                end,
                receipt: answered.report.receipt,
            });
            offered.steps.push(ToolStep { call, result });
        }
        offered.choice = match calls.len() < options.calls_max as usize {
            true => ToolChoice::Auto,
            false => ToolChoice::None,
        };
    }
}

/// What the rounds before the last one used, and what left with them.
#[derive(Default)]
struct Before {
    attempts: Vec<Attempt>,
    release: Option<Release>,
    bytes: (u64, u64),
    tokens: Tokens,
    redacted: u32,
}

impl Before {
    fn add(&mut self, report: &Report) {
        self.attempts.extend(report.attempts.iter().cloned());
        self.release = wider(self.release, report.release);
        self.bytes.0 += report.bytes_out;
        self.bytes.1 += report.bytes_in;
        self.tokens.input += report.tokens.input;
        self.tokens.output += report.tokens.output;
        self.redacted += report.redacted;
    }

    /// Makes the last round's report that of the whole answer.
    fn complete(mut self, report: &mut Report) {
        self.add(report);
        report.attempts = self.attempts;
        report.release = self.release;
        (report.bytes_out, report.bytes_in) = self.bytes;
        report.tokens = self.tokens;
        report.redacted = self.redacted;
    }
}

/// The form in which more of the text leaves.
fn wider(one: Option<Release>, other: Option<Release>) -> Option<Release> {
    match (one, other) {
        (Some(Release::AsIs), _) | (_, Some(Release::AsIs)) => Some(Release::AsIs),
        (one, other) => one.or(other),
    }
}

/// Prepares the next round. Whoever was not allowed to read the question in this one, or what the tools gave before, must not read it in the next.
async fn go_on(services: &Arc<Services>, job: &mut Job, answered: &Answered) {
    if services.rules.is_some()
        && let Some(question) = job.request.messages.last_mut()
    {
        question.recipients = Some(answered.recipients.clone());
    }
    for (message, examined) in job.request.messages.iter_mut().zip(&answered.examined) {
        message.examined = Some(examined.clone());
    }
    job.placeholders = answered.placeholders.clone();
    // The id was for one text, and the question is on the disk by now. What comes of tools is written with those who may read it, at the end.
    (job.id, job.draft) = (None, None);
    if !answered.text.is_empty() {
        // It belonged to the call.
        let mut cancelled = job.cancelled.clone();
        tokio::select! {
            biased;
            () = raised(&mut cancelled) => {}
            _ = job.events.send(Ok(Event::Restarted)) => {}
        }
    }
}

/// Has the app run a function, if it may run. Returns how that ended and what the model is told.
async fn carry_out(services: &Arc<Services>, job: &Job, answered: &Answered, call: &ToolCall) -> (CallEnd, String) {
    let options = &job.request.options.tools;
    let of_app = options
        .find(&call.name)
        .map_or(ToolPermission::Never, |tool| tool.permission);
    let class = answered.class.max(job.request.options.class);
    let permission = match services.permission(&call.name, class, of_app) {
        ToolPermission::Never => return (CallEnd::NotAllowed, NOT_ALLOWED.to_owned()),
        permission => permission,
    };
    let (id, result) = job.desk.expect();
    job.under_way.note(Stage::Tool);
    let event = Event::Call(PendingCall {
        id,
        name: call.name.clone(),
        arguments: call.arguments.clone(),
        must_confirm: permission == ToolPermission::Confirm,
    });
    let mut cancelled = job.cancelled.clone();
    let given = async {
        // A reader who has gone gives no result.
        job.events.send(Ok(event)).await.ok()?;
        result.await.ok()
    };
    let ended = tokio::select! {
        biased;
        // The next round hears of it too, and ends at once.
        () = raised(&mut cancelled) => (CallEnd::Dropped, DROPPED.to_owned()),
        () = job.events.closed() => (CallEnd::Dropped, DROPPED.to_owned()),
        () = tokio::time::sleep(Duration::from_millis(options.result_ms_max)) => (CallEnd::TimedOut, LATE.to_owned()),
        given = given => match given {
            Some(ToolResult::Done(text)) => (CallEnd::Done, text),
            Some(ToolResult::Failed(reason)) => (CallEnd::Failed, format!("error: {reason}")),
            Some(ToolResult::Refused) => (CallEnd::Refused, REFUSED.to_owned()),
            None => (CallEnd::Dropped, DROPPED.to_owned()),
        },
    };
    job.desk.forget(id);
    ended
}
