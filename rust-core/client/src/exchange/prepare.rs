//! The stages before anything is sent: the text is examined, the policy decides, and the text for each candidate of the plan is cleared.

use std::sync::Arc;

use whimbrel_network::ATTEMPTS_MAX;
use whimbrel_policy::{
    ATTEMPTS_MAX as CANDIDATES_MAX, Candidate, CandidateFacts, DeviceView, Explanation, Need, Plan, Price, Recipients,
    RequestFacts, RouteInput, explain as explained, route,
};
use whimbrel_privacy::{
    ContentFacts, Examined, ExaminedMessage, Placeholders, PrivacyClass, Reidentifier, Release, Speaker,
};
use whimbrel_record::{Code, Intent, Measured, Place};

use super::Job;
use super::remembered::{Remembered, Remembering};
use crate::ClientError;
use crate::contexts::ContextFiles;
use crate::performance::Laps;
use crate::places::remote_form::{further_tokens, is_schema, schema_text};
use crate::places::remote_tools::{Told, told};
use crate::places::{Ask, Asking, Backend, Offered, OnDevice, Payload, place_of};
use crate::request::Request;
use crate::rules::RulesSnapshot;
use crate::services::Services;

/// Bytes of text per token, on average, where nothing better is known.
const BYTES_PER_TOKEN: u64 = 4;
/// Tokens that a template puts around a message.
const TOKENS_PER_MESSAGE: u64 = 8;
/// Header fields and the frame of a request's JSON are shorter than this.
const REQUEST_FRAME_BYTES: u64 = 4096;
/// The deadline of requests that no rules limit: a day.
const DEADLINE_MS_ALONE: u64 = 24 * 3_600_000;

/// A decided request, with everything that its attempts need.
pub(super) struct Prepared {
    pub(super) plan: Plan,
    /// What each candidate charges.
    pub(super) prices: Vec<Price>,
    pub(super) is_metered: bool,
    /// What each candidate is asked, or why it cannot be.
    pub(super) backends: Vec<Result<ToAsk, Code>>,
    /// The receipt's first entry; none where no rules decide.
    pub(super) intent: Option<Intent>,
    pub(super) examined: Vec<ExaminedMessage>,
    /// How private the text is.
    pub(super) class: PrivacyClass,
    pub(super) device: DeviceView,
    /// Set if the answer may be remembered.
    pub(super) remembering: Option<Remembering>,
    /// The answer that was given to exactly this request before.
    pub(super) remembered: Option<Remembered>,
    /// What examining and deciding took.
    pub(super) measured: Measured,
}

/// A place and what it is asked.
pub(super) struct ToAsk {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) ask: Ask,
    pub(super) reidentifier: Option<Reidentifier>,
}

/// Everything that a decision is made from, besides the rules.
struct Facts {
    request: RequestFacts,
    candidates: CandidateFacts,
    history: Vec<Arc<Recipients>>,
    now_ms: u64,
}

/// Examines the request's text, decides, and clears the text for every endpoint of the plan: what cannot be cleared is not sent.
pub(super) async fn prepare(services: &Arc<Services>, job: &mut Job) -> Result<Prepared, ClientError> {
    if services.rules.is_none() {
        return alone(services, job);
    }
    let offered = services.places.offered().await;
    let (request, id) = (job.request.clone(), job.id.take());
    let context = job.context.clone();
    let files = context_files(services, job);
    let mut placeholders = std::mem::take(&mut job.placeholders);
    let records = job.under_way.records()?;
    let prepared = services.blocking(move |services| {
        let rules = services.rules()?;
        let now_ms = services.clock.now_ms();
        rules.look_at_clock(now_ms, &**records);
        let snapshot = rules.snapshot(now_ms);
        let mut lap = Laps::begin(&*services.clock);
        let examined = examine(&snapshot, &request)?;
        let examine_us = lap.next();
        let id = id.map_or_else(|| services.request_id(), Ok)?;
        let facts = facts(services, &snapshot, &request, &examined, &offered, id);
        let mut plan = route(&input(&snapshot, &facts, &request, examined.facts()));
        // No more are ever tried.
        plan.candidates.truncate(CANDIDATES_MAX as usize);
        let decide_us = lap.next();
        let day = offered.day_at(services.now_s());
        let remembering = Remembering::of(&snapshot, &request, &plan, examined.facts().class, day);
        let mut remembered = None;
        if let (Some(remembering), Some(first), Ok(store)) = (&remembering, plan.candidates.first(), records.store())
            && !request.options.fresh
        {
            remembered = remembering.find(store, first, now_ms);
        }
        let asking = Asking {
            offered: &offered,
            context: &context,
            files: files.as_ref(),
            options: request.session_options(services.now_s()),
            confidence: true,
        };
        let backends: Vec<_> = (0..)
            .zip(&plan.candidates)
            .map(|(index, candidate)| {
                let backend = services.places.backend(candidate, &snapshot, &asking)?;
                // One id a candidate: the same key must not come with two texts.
                let id = format!("{}-{index}", facts.request.id);
                to_ask(backend, candidate, &request, &examined, &mut placeholders, id)
            })
            .collect();
        let measured = Measured {
            examine_us: examine_us + lap.next(),
            decide_us,
            ..Measured::default()
        };
        let prepared = Prepared {
            measured,
            remembering,
            remembered,
            ..decided(&snapshot, &facts, plan, backends, &examined)
        };
        Ok::<_, ClientError>((prepared, placeholders))
    });
    let (prepared, placeholders) = prepared.await??;
    job.placeholders = placeholders;
    Ok(prepared)
}

/// What would be decided about a request now.
pub(crate) async fn explain(services: &Arc<Services>, mut request: Request) -> Result<Explanation, ClientError> {
    request.options.generation.tools = request.options.tools.told();
    let offered = services.places.offered().await;
    let explanation = services.blocking(move |services| {
        let snapshot = services.rules()?.snapshot(services.clock.now_ms());
        let examined = examine(&snapshot, &request)?;
        let facts = facts(services, &snapshot, &request, &examined, &offered, "explain".to_owned());
        Ok(explained(&input(&snapshot, &facts, &request, examined.facts())))
    });
    explanation.await?
}

/// Where no rules decide: the one model is asked.
fn alone(services: &Arc<Services>, job: &mut Job) -> Result<Prepared, ClientError> {
    let files = context_files(services, job);
    let model = job.model.clone().ok_or(ClientError::Closed { what: "model" })?;
    let request = &job.request;
    let deadline_ms = request.options.deadline_ms.unwrap_or(DEADLINE_MS_ALONE);
    let plan = Plan::on_device(place_of(&model), deadline_ms);
    let asking = Asking {
        offered: &Offered::default(),
        context: &job.context,
        files: files.as_ref(),
        options: request.session_options(services.now_s()),
        confidence: false,
    };
    let payload = match job.raw.take() {
        Some(text) => Payload::Raw {
            text,
            context_length: request.context_length,
        },
        None => Payload::Messages(request.for_engine()),
    };
    let ask = Ask {
        payload,
        options: request.options.generation.clone(),
        id: services.request_id()?,
        wait_ms_max: None,
    };
    Ok(Prepared {
        prices: vec![Price::default()],
        is_metered: false,
        backends: vec![Ok(ToAsk {
            backend: Arc::new(OnDevice::new(model, &asking)),
            ask,
            reidentifier: None,
        })],
        intent: None,
        examined: Vec::new(),
        class: request.options.class,
        device: DeviceView::default(),
        plan,
        remembering: None,
        remembered: None,
        measured: Measured::default(),
    })
}

/// Where contexts are saved: beside the ledger, or where the conversation is kept.
fn context_files(services: &Arc<Services>, job: &Job) -> Option<ContextFiles> {
    let (records, id) = match &job.kept {
        Some((shelf, id)) => (shelf.open(services).ok()?, Some(*id)),
        None => (job.under_way.records().ok()?, None),
    };
    Some(ContextFiles::new(services, records, id))
}

/// Examines what is new in the request. Messages that were examined before bring their findings along. The form of the answer is the last message: it
/// may hold what nobody else should read, just as they may. So are the tools, behind what was called before.
fn examine(rules: &RulesSnapshot, request: &Request) -> Result<Examined, ClientError> {
    let scanner = &rules.scanner;
    let examined = request.messages.iter().map(|message| match &message.examined {
        Some(examined) if scanner.made(examined) => Ok(examined.clone()),
        _ => scanner.examine_message(message.speaker(), message.content.as_str()),
    });
    let mut examined: Vec<ExaminedMessage> = examined.collect::<Result<_, _>>()?;
    if let Some(schema) = request.options.generation.form.as_ref().and_then(schema_text) {
        examined.push(scanner.examine_message(Speaker::Form, schema)?);
    }
    for (speaker, text) in told_of_tools(request).into_iter().flat_map(|told| told.texts) {
        examined.push(scanner.examine_message(speaker, text)?);
    }
    let classes = request.messages.iter().filter_map(|message| message.class);
    let class = classes.fold(request.options.class, PrivacyClass::max);
    Ok(Examined::of(examined, class, scanner)?)
}

fn facts(
    services: &Services,
    rules: &RulesSnapshot,
    request: &Request,
    examined: &Examined,
    offered: &Offered,
    id: String,
) -> Facts {
    let (text_bytes, messages) = (examined.facts().text_bytes, request.messages.len() as u64);
    let tokens = text_bytes / BYTES_PER_TOKEN + messages * TOKENS_PER_MESSAGE;
    let generation = &request.options.generation;
    let mut needs = request.options.needs.clone();
    // Our own engine holds every form; elsewhere only what goes as a schema can be held.
    let schema = schema_of(examined.messages());
    let need = if schema.is_some() { Need::Json } else { Need::AnyForm };
    if generation.form.is_some() && !needs.contains(&need) {
        needs.push(need);
    }
    match told_of_tools(request) {
        Some(Told { can_leave: true, .. }) => needs.push(Need::Tools),
        // Only our own engine is told of them without a detour over JSON.
        Some(Told { can_leave: false, .. }) => needs.push(Need::AnyForm),
        None => {}
    }
    // What an endpoint may write more has its price too.
    let further_tokens = generation.form.as_ref().map_or(0, further_tokens);
    let facts = RequestFacts {
        id,
        task: request.options.task.trim().to_owned(),
        prompt_tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
        answer_tokens_max: generation.max_tokens.saturating_add(further_tokens),
        deadline_ms: request.options.deadline_ms,
        needs,
    };
    let context = request.session_options(services.now_s());
    let known = request.messages.iter().filter_map(|message| message.recipients.clone());
    let mut candidates = services
        .places
        .facts(&rules.policies, &facts, offered, &context, services.clock.now_ms());
    if generation.tools.is_some() {
        for model in &mut candidates.local_models {
            model.supports.extend([Need::Tools, Need::AnyForm]);
        }
        // The system's model is not told of tools.
        if let Some(model) = &mut candidates.system_model {
            model.supports.retain(|supported| *supported != Need::Tools);
        }
    }
    if generation.form.is_some() {
        let schema_tokens = schema.map_or(0, |schema| schema.text().len() as u64 / BYTES_PER_TOKEN) as u32;
        // The schema and what stands around a choice are no part of a prompt and an answer here. Without a form our engine cannot be asked for JSON.
        let not_here = schema_tokens.saturating_add(further_tokens);
        for model in &mut candidates.local_models {
            model.supports.push(need);
            model.context_tokens = model.context_tokens.map(|tokens| tokens.saturating_add(not_here));
        }
        // The system's model is not told of forms.
        if let Some(model) = &mut candidates.system_model {
            model.supports.retain(|supported| *supported != need);
        }
    }
    Facts {
        candidates,
        request: facts,
        history: known.map(Arc::new).collect(),
        now_ms: services.clock.now_ms(),
    }
}

fn input<'a>(
    rules: &'a RulesSnapshot,
    facts: &'a Facts,
    request: &'a Request,
    content: &'a ContentFacts,
) -> RouteInput<'a> {
    RouteInput {
        request: &facts.request,
        content,
        device: &rules.device,
        now_ms: facts.now_ms,
        policies: &rules.policies,
        candidates: &facts.candidates,
        used_today: rules.used_today,
        learned: &rules.learned,
        history: &facts.history,
        excluded: &request.excluded,
    }
}

/// What a candidate is asked: on this device the text, elsewhere what the candidate's permit clears.
fn to_ask(
    backend: Arc<dyn Backend>,
    candidate: &Candidate,
    request: &Request,
    examined: &Examined,
    placeholders: &mut Placeholders,
    id: String,
) -> Result<ToAsk, Code> {
    let form = &request.options.generation.form;
    let holds_form = match candidate.place() {
        Place::OnDevice { .. } => true,
        Place::SystemModel { .. } => form.is_none() && request.options.generation.tools.is_none(),
        Place::Remote { .. } => {
            let is_told = told_of_tools(request).is_none_or(|told| told.can_leave);
            is_told && (form.is_none() || schema_of(examined.messages()).is_some())
        }
    };
    // A form that a place does not hold must not be lost on the way, nor tools.
    if !holds_form {
        return Err(Code::UnsupportedOption);
    }
    let mut reidentifier = None;
    let payload = if candidate.place().is_remote() {
        let permit = candidate.permit(examined.facts()).ok_or(Code::NoPermit)?;
        let cleared = examined.clear(&permit, placeholders).map_err(|_| Code::NotCleared)?;
        if cleared.release() == Release::Redacted {
            reidentifier = Some(placeholders.reidentifier());
            if cleared
                .messages()
                .last()
                .is_some_and(|last| last.speaker == Speaker::Form && !is_schema(&last.text))
            {
                return Err(Code::NotCleared);
            }
        }
        Payload::Cleared(cleared)
    } else {
        Payload::Messages(request.for_engine())
    };
    let mut options = request.options.generation.clone();
    if let (Place::Remote { .. }, Some(form)) = (candidate.place(), form) {
        options.max_tokens = options.max_tokens.saturating_add(further_tokens(form));
    }
    Ok(ToAsk {
        backend,
        ask: Ask {
            payload,
            options,
            id,
            wait_ms_max: None,
        },
        reidentifier,
    })
}

/// What the request's tools say, if it has some.
fn told_of_tools(request: &Request) -> Option<Told> {
    request.options.generation.tools.as_ref().map(told)
}

/// The form of the answer among the examined messages, if it is one that has a schema.
fn schema_of(messages: &[ExaminedMessage]) -> Option<&ExaminedMessage> {
    messages.last().filter(|last| last.speaker() == Speaker::Form)
}

fn decided(
    rules: &RulesSnapshot,
    facts: &Facts,
    plan: Plan,
    backends: Vec<Result<ToAsk, Code>>,
    examined: &Examined,
) -> Prepared {
    let said = |message: &&ExaminedMessage| {
        !matches!(
            message.speaker(),
            Speaker::Form | Speaker::Call | Speaker::Tool | Speaker::Tools
        )
    };
    let bytes_out_max: Vec<u64> = backends.iter().map(bytes_out_max).collect();
    let device = rules.device.view(facts.now_ms);
    let content = examined.facts();
    Prepared {
        prices: plan
            .candidates
            .iter()
            .map(|candidate| Price::of(candidate, &rules.policies))
            .collect(),
        is_metered: device.is_metered(),
        intent: Some(plan.intent(&facts.request, content, &bytes_out_max)),
        examined: examined.messages().iter().filter(said).cloned().collect(),
        class: content.class,
        device,
        backends,
        plan,
        remembering: None,
        remembered: None,
        measured: Measured::default(),
    }
}

/// Bytes that asking may send at most, every repetition counted.
fn bytes_out_max(to_ask: &Result<ToAsk, Code>) -> u64 {
    let Ok(ToAsk {
        ask: Ask {
            payload: Payload::Cleared(cleared),
            ..
        },
        ..
    }) = to_ask
    else {
        return 0;
    };
    let texts = cleared.messages().iter().map(|message| {
        let escaped = serde_json::to_string(&message.text).expect("text is JSON");
        escaped.len() as u64 + 64
    });
    (texts.sum::<u64>() + REQUEST_FRAME_BYTES) * u64::from(ATTEMPTS_MAX)
}
