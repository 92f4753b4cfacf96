//! The places where an answer can be made, behind one trait: the engine on this device, the system's model, an endpoint of the policy. A
//! place only answers and reports. Which place is tried, and what follows from its result, is decided elsewhere. [`output`] processes the
//! text of every place in the same way.

mod endpoint;
mod on_device;
mod output;
pub(crate) mod remote_form;
pub(crate) mod remote_tools;
pub(crate) mod system_model;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use whimbrel_engine::ToolCall;
use whimbrel_inference::SessionOptions;
use whimbrel_network::ChatClient;
use whimbrel_policy::{
    Candidate, CandidateFacts, Circuit, Ended, EndpointFacts, LocalModelFacts, PolicySet, RequestFacts,
    SystemModelFacts,
};
use whimbrel_privacy::Cleared;
use whimbrel_record::{Code, Label, Measured, Place};
use whimbrel_store::KeyVault;
use whimbrel_telemetry::ExpectedSpeed;

use self::endpoint::RemoteEndpoint;
pub(crate) use self::endpoint::code as endpoint_code;
pub(crate) use self::on_device::OnDevice;
pub(crate) use self::output::Output;
use self::system_model::{SystemBackend, SystemModel};
use crate::contexts::{Context, ContextFiles};
use crate::error::lock;
use crate::ports::Backends;
use crate::rules::RulesSnapshot;
use crate::{ClientError, ContextPolicy, GenerationOptions, Model, Statistics};

/// A system model says within this time what it can do.
const CAPABILITIES_TIME: Duration = Duration::from_millis(500);
const DAY_S: i64 = 24 * 3_600;

/// A future that is polled on the thread where it was created.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A request to a place.
#[derive(Clone)]
pub struct Ask {
    /// The text.
    pub payload: Payload,
    /// Options for generating the answer.
    pub options: GenerationOptions,
    /// The idempotency key of the request and the candidate: the same key is never used for two texts.
    pub id: String,
    /// How long to wait before the place may be retried, in milliseconds; `None` lets the place decide.
    pub wait_ms_max: Option<u64>,
}

/// The text of a request in the form that a place receives.
#[derive(Clone)]
pub enum Payload {
    /// For places on this device: the system message, the history, the question.
    Messages(Vec<whimbrel_engine::Message>),
    /// For an endpoint: the text that it may receive.
    Cleared(Cleared),
    /// For the engine on this device: a text to continue without a template, in a context of this many tokens.
    Raw {
        /// The text.
        text: String,
        /// Size of the context in tokens.
        context_length: u32,
    },
}

/// A part of an attempt's output.
pub enum Part {
    /// Part of the prompt was read.
    Reading {
        /// Tokens read so far.
        done: u32,
        /// Tokens in total.
        total: u32,
    },
    /// The next piece of what the model thinks before it answers.
    Thinking(String),
    /// The next piece of text.
    Text(String),
    /// The model calls a tool in place of the rest of its answer.
    Call(ToolCall),
    /// The attempt has ended. This is the last part.
    Ended(Box<Last>),
}

/// How an attempt ended.
pub struct Last {
    /// The result, for the exchange.
    pub ended: Ended,
    /// The engine's statistics, on this device.
    pub statistics: Option<Statistics>,
    /// The complete error, if there is more to it than a code.
    pub error: Option<ClientError>,
    /// What it took, in parts, as far as the place knows.
    pub measured: Measured,
}

impl From<Ended> for Last {
    fn from(ended: Ended) -> Last {
        Last {
            ended,
            statistics: None,
            error: None,
            measured: Measured::default(),
        }
    }
}

impl Part {
    /// The end of an attempt.
    pub(crate) fn end(last: impl Into<Last>) -> Part {
        Part::Ended(Box::new(last.into()))
    }
}

impl From<Code> for Last {
    fn from(code: Code) -> Last {
        Ended::failed(code).into()
    }
}

/// A place that can answer.
pub trait Backend: Send + Sync {
    /// Starts an answer. Nothing leaves the device before the first call of [`Attempt::next`].
    fn ask(&self, ask: Ask) -> Box<dyn Attempt>;

    /// The names of given options that this place does not support.
    fn unsupported(&self, options: &GenerationOptions) -> Vec<&'static str> {
        let _ = options;
        Vec::new()
    }
}

/// An answer in progress at a place.
pub trait Attempt: Send {
    /// The next part. Not called again after [`Part::Ended`]. The future may be dropped while it waits without losing a part.
    fn next(&mut self) -> BoxFuture<'_, Part>;

    /// Asks the attempt to end soon; [`Attempt::next`] then reports the end. May be called again.
    fn stop(&mut self);
}

/// What of this device could answer when a decision was made, and what alone may answer by it.
#[derive(Clone, Default)]
pub(crate) struct Offered {
    pub(crate) model: Option<Model>,
    system: Option<Arc<dyn SystemModel>>,
    capabilities: Option<SystemModelFacts>,
}

impl Offered {
    /// The day at a local time in seconds since 1970, if the model on this device is told it.
    pub(crate) fn day_at(&self, now_s: i64) -> Option<i64> {
        let info = self.model.as_ref()?.info();
        info.is_told_date.then(|| now_s.div_euclid(DAY_S))
    }
}

/// For how long it counts how fast a model was. Then it is tried again: it may have been slow for a passing reason, and where it is too slow for
/// what is asked, nobody would find out.
const SPEED_MS_MAX: u64 = 3_600_000;

/// How fast a model of this device was lately.
#[derive(Clone, Copy)]
struct Speed {
    /// When it was measured, in milliseconds since 1970.
    at_ms: u64,
    prefill_tokens_per_s: f64,
    decode_tokens_per_s: f64,
}

/// Everything that can answer.
pub(crate) struct Places {
    handle: Handle,
    pub(crate) chat: Arc<ChatClient>,
    vault: Option<Arc<dyn KeyVault>>,
    scripted: Option<Arc<dyn Backends>>,
    model: Mutex<Option<Model>>,
    system: Mutex<Option<Arc<dyn SystemModel>>>,
    /// Whether the system model was asked what it can do and has not said.
    is_asked: Arc<AtomicBool>,
    /// By the model's name and its variant.
    speeds: Mutex<HashMap<(Label, Label), Speed>>,
}

/// What a candidate needs of its conversation.
pub(crate) struct Asking<'a> {
    pub(crate) offered: &'a Offered,
    pub(crate) context: &'a Arc<Context>,
    /// Where contexts are saved, if somewhere.
    pub(crate) files: Option<&'a ContextFiles>,
    pub(crate) options: SessionOptions,
    /// Whether [`whimbrel_policy::Usage::mean_log_probability`] is wanted.
    pub(crate) confidence: bool,
}

impl Places {
    pub(crate) fn new(handle: Handle, vault: Option<Arc<dyn KeyVault>>, scripted: Option<Arc<dyn Backends>>) -> Places {
        Places {
            chat: Arc::new(ChatClient::new(handle.clone())),
            handle,
            vault,
            scripted,
            model: Mutex::default(),
            system: Mutex::default(),
            is_asked: Arc::default(),
            speeds: Mutex::default(),
        }
    }

    /// Where keys are, if somewhere.
    pub(crate) fn vault(&self) -> Option<Arc<dyn KeyVault>> {
        self.vault.clone()
    }

    pub(crate) fn set_model(&self, model: Option<Model>) {
        *lock(&self.model) = model;
    }

    pub(crate) fn set_system_model(&self, system: Option<Arc<dyn SystemModel>>) {
        *lock(&self.system) = system;
    }

    /// Tells the system's model, if there is one, that a question may come soon. Best effort: answers work whether or not it warms up.
    pub(crate) fn prewarm_system_model(&self) {
        if let Some(system) = lock(&self.system).clone() {
            self.handle.spawn_blocking(move || system.prewarm().is_ok());
        }
    }

    /// What of this device could answer now. A system model that does not say at once what it can do cannot be asked.
    pub(crate) async fn offered(&self) -> Offered {
        let model = lock(&self.model).clone();
        let system = lock(&self.system).clone();
        let mut capabilities = None;
        if let Some(system) = system.clone()
            && !self.is_asked.swap(true, Ordering::AcqRel)
        {
            let is_asked = self.is_asked.clone();
            let asked = self.handle.spawn_blocking(move || {
                let said = system.capabilities().ok();
                is_asked.store(false, Ordering::Release);
                said
            });
            // Within the runtime: whoever awaits this may have none of its own, and a time limit needs one.
            let asked = self
                .handle
                .spawn(async move { tokio::time::timeout(CAPABILITIES_TIME, asked).await });
            match asked.await {
                Ok(Ok(Ok(said))) => capabilities = said,
                _ => log::warn!("the system model does not say what it can do"),
            }
        }
        Offered {
            model,
            system,
            capabilities,
        }
    }

    /// What is known of everything that could answer.
    pub(crate) fn facts(
        &self,
        policies: &PolicySet,
        request: &RequestFacts,
        offered: &Offered,
        context: &SessionOptions,
        now_ms: u64,
    ) -> CandidateFacts {
        if let Some(scripted) = &self.scripted {
            return scripted.facts(request);
        }
        let models = offered.model.iter();
        let system = offered.system.as_ref();
        let endpoints = policies.app().endpoints().iter().filter_map(|endpoint| {
            let health = self.chat.health(&endpoint.id)?;
            Some(EndpointFacts {
                id: endpoint.id.to_string(),
                circuit: match health.circuit {
                    whimbrel_network::Circuit::Closed => Circuit::Closed,
                    whimbrel_network::Circuit::HalfOpen => Circuit::HalfOpen,
                    whimbrel_network::Circuit::Open => Circuit::Open,
                },
                first_token_ms: health.first_byte_ms.and_then(|ms| u32::try_from(ms).ok()),
                tokens_per_s: None,
            })
        });
        CandidateFacts {
            local_models: models
                .map(|model| self.local_facts(model, request, context, now_ms))
                .collect(),
            system_model: system.map(|_| {
                let said = offered.capabilities.clone().unwrap_or_default();
                let model = Label::squeezed(&said.model).to_string();
                SystemModelFacts { model, ..said }
            }),
            endpoints: endpoints.collect(),
        }
    }

    fn local_facts(
        &self,
        model: &Model,
        request: &RequestFacts,
        context: &SessionOptions,
        now_ms: u64,
    ) -> LocalModelFacts {
        let info = model.info();
        let (name, variant) = model_labels(model);
        let speed = lock(&self.speeds).get(&(name.clone(), variant.clone())).copied();
        let speed = speed.filter(|speed| now_ms.abs_diff(speed.at_ms) <= SPEED_MS_MAX);
        let first_token_s = speed.map(|speed| f64::from(request.prompt_tokens) / speed.prefill_tokens_per_s);
        LocalModelFacts {
            model: name.to_string(),
            variant: variant.to_string(),
            hash: info.manifest.blake3.clone(),
            ready: true,
            supports: Vec::new(),
            // The engine leaves out the oldest exchanges where it is told to; then the length refuses nothing.
            context_tokens: match context.context_policy {
                ContextPolicy::Refuse => Some(context.context_length.min(info.manifest.context_length)),
                ContextPolicy::DropOldest => None,
            },
            first_token_ms: first_token_s.map(|seconds| (seconds * 1e3) as u32),
            tokens_per_s: speed.map(|speed| speed.decode_tokens_per_s as f32),
            // It is open: its weights are mapped, and what remains is the context.
            peak_memory_bytes: Some(info.kv_bytes_per_token * u64::from(request.prompt_tokens)),
        }
    }

    /// What answers for a candidate, by the decision's own look at the rules.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub(crate) fn backend(
        &self,
        candidate: &Candidate,
        rules: &RulesSnapshot,
        asking: &Asking<'_>,
    ) -> Result<Arc<dyn Backend>, Code> {
        if let Some(scripted) = &self.scripted {
            return scripted.backend(candidate, &rules.policies);
        }
        match (candidate.place(), candidate.endpoint_id()) {
            (Place::OnDevice { .. }, _) => {
                let model = asking.offered.model.clone().ok_or(Code::Closed)?;
                Ok(Arc::new(OnDevice::new(model, asking)))
            }
            (Place::SystemModel { .. }, _) => {
                let system = asking.offered.system.clone().ok_or(Code::Unavailable)?;
                Ok(Arc::new(SystemBackend::new(system, self.handle.clone())))
            }
            (Place::Remote { .. }, Some(id)) => {
                let endpoint = rules.endpoint(id).ok_or(Code::NoEndpoint)?;
                Ok(Arc::new(RemoteEndpoint {
                    chat: self.chat.clone(),
                    endpoint: Arc::new(endpoint.map_err(|_| Code::EndpointSettings)?),
                    vault: self.vault.clone(),
                    handle: self.handle.clone(),
                }))
            }
            (Place::Remote { .. }, None) => Err(Code::NoEndpoint),
        }
    }

    /// Takes what is known of a model's speed from earlier processes, until it is measured in this one.
    pub(crate) fn expect_speed(&self, place: &Place, known: &ExpectedSpeed) {
        let (Place::OnDevice { model, variant, .. }, Some(prefill)) = (place, known.prefill_tokens_per_s) else {
            return;
        };
        let key = (model.clone(), variant.clone());
        lock(&self.speeds).entry(key).or_insert(Speed {
            at_ms: known.measured_ms,
            prefill_tokens_per_s: prefill,
            decode_tokens_per_s: known.decode_tokens_per_s,
        });
    }

    /// Remembers how fast a model of this device was. A quarter of the figure is the newest.
    pub(crate) fn measured(&self, place: &Place, statistics: &Statistics, now_ms: u64) {
        let Place::OnDevice { model, variant, .. } = place else {
            return;
        };
        let prefill = statistics.prefill_tokens_per_second;
        let decode = statistics.decode_tokens_per_second;
        if prefill <= 0.0 || decode <= 0.0 {
            return;
        }
        let mut speeds = lock(&self.speeds);
        let newest = Speed {
            at_ms: now_ms,
            prefill_tokens_per_s: prefill,
            decode_tokens_per_s: decode,
        };
        let speed = speeds.entry((model.clone(), variant.clone())).or_insert(newest);
        if now_ms.abs_diff(speed.at_ms) > SPEED_MS_MAX {
            *speed = newest;
        }
        speed.at_ms = now_ms;
        speed.prefill_tokens_per_s += (prefill - speed.prefill_tokens_per_s) / 4.0;
        speed.decode_tokens_per_s += (decode - speed.decode_tokens_per_s) / 4.0;
    }
}

/// Whether an option is set to a value that changes how tokens are chosen.
pub(crate) fn changes<T: PartialEq>(option: &Option<T>, neutral: T) -> bool {
    option.as_ref().is_some_and(|value| *value != neutral)
}

/// Where an open model answers, as receipts say it.
pub(crate) fn place_of(model: &Model) -> Place {
    let (name, variant) = model_labels(model);
    Place::OnDevice {
        model: name,
        variant,
        hash: Label::squeezed(&model.info().manifest.blake3),
    }
}

/// Name and variant of an open model, as rules, receipts and learning know it.
fn model_labels(model: &Model) -> (Label, Label) {
    let info = model.info();
    (Label::squeezed(&info.manifest.name), Label::squeezed(&info.variant))
}
