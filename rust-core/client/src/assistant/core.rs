//! What every request of an assistant shares: the rules, the device, what may answer, what was learned and used, the ledger and the door out.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::runtime::{Handle, Runtime};
use whimbrel_network as network;
use whimbrel_network::{
    ChatClient, Endpoint, EndpointSettings, KeyHeader, PinSettings, Secret, Timeouts, TokenLimitField,
};
use whimbrel_policy::{
    CandidateFacts, Circuit, DeviceState, EndpointFacts, Learned, LearnedSnapshot, LocalModelFacts, Network, Plan,
    PolicySet, RequestFacts, RouteInput, SystemModelFacts, UsedToday, route,
};
use whimbrel_privacy::{ContentFacts, Scanner};
use whimbrel_store::{KeyVault, Label, SecretBytes, Store};

use super::{AskOptions, AssistantError, SystemCapabilities, SystemModel};
use crate::{ContextPolicy, ConversationOptions, ModelHandle, Statistics};

/// Names of pieces of state in the store.
const LEARNED: &str = "learned";
const USED_TODAY: &str = "used_today";
const DAY_MS: u64 = 24 * 3_600_000;
/// Bytes of text a token, on average, where nothing better is known.
const BYTES_A_TOKEN: u64 = 4;
/// A system model says within this time what it can do.
const CAPABILITIES_TIME: Duration = Duration::from_millis(500);
/// Tokens that a template puts around a message.
const TOKENS_A_MESSAGE: u64 = 8;

/// What an app says about an endpoint besides what stands in the policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointExtras {
    /// Certificate authorities to trust as well, in PEM.
    pub authorities_pem: String,
    /// Keys of which one must be in the server's chain of certificates.
    pub pins: Option<PinSettings>,
    /// Time limits; `None` takes the usual ones.
    pub timeouts: Option<Timeouts>,
    /// How the key is said to the server.
    pub key_header: KeyHeader,
    /// Where the limit of tokens goes.
    pub token_limit_field: TokenLimitField,
}

/// See the module.
pub(crate) struct Core {
    /// Taken out when the core goes.
    runtime: Option<Runtime>,
    handle: Handle,
    begun: Instant,
    pub(super) remote: ChatClient,
    // Before the vault, whose end says that the ledger may be opened again.
    pub(super) store: Store,
    pub(super) vault: Arc<dyn KeyVault>,
    pub(super) scanner: Mutex<Scanner>,
    pub(super) policies: Mutex<Arc<PolicySet>>,
    pub(super) device: Mutex<DeviceState>,
    /// The last network that was known.
    pub(super) network: Mutex<Option<Network>>,
    pub(super) model: Mutex<Option<ModelHandle>>,
    pub(super) system: Mutex<Option<Arc<dyn SystemModel>>>,
    pub(super) extras: Mutex<BTreeMap<String, EndpointExtras>>,
    pub(super) learned: Mutex<Learned>,
    used: Mutex<Used>,
    /// Whether the system model was asked what it can do and has not said.
    is_asked: Arc<AtomicBool>,
    speeds: Mutex<HashMap<String, Speed>>,
}

/// What was used, and on which day.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Used {
    day: u64,
    today: UsedToday,
}

/// How fast a model of this device was lately.
#[derive(Clone, Copy)]
struct Speed {
    prefill_tokens_per_s: f64,
    decode_tokens_per_s: f64,
}

/// A decision with what it was made from.
pub(super) struct Decided {
    pub(super) plan: Plan,
    pub(super) request: RequestFacts,
    pub(super) candidates: CandidateFacts,
    pub(super) policies: Arc<PolicySet>,
    pub(super) device: DeviceState,
    pub(super) now_ms: u64,
    /// What the decision was about, and what alone may answer by it.
    pub(super) offered: Offered,
}

/// What of this device could answer when a decision was made.
#[derive(Clone, Default)]
pub(super) struct Offered {
    pub(super) model: Option<ModelHandle>,
    pub(super) system: Option<Arc<dyn SystemModel>>,
    capabilities: Option<SystemCapabilities>,
}

/// A panic elsewhere does not spoil what is behind these locks.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Core {
    pub(super) fn new(
        runtime: Runtime,
        store: Store,
        vault: Arc<dyn KeyVault>,
        scanner: Scanner,
        policies: PolicySet,
    ) -> Result<Core, AssistantError> {
        let learned = match store.state_get(LEARNED)? {
            Some(bytes) => restored(&bytes).unwrap_or_else(|| {
                log::warn!("what was learned cannot be read and begins anew");
                Learned::default()
            }),
            None => Learned::default(),
        };
        let used = store.state_get(USED_TODAY)?;
        let used = used.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let handle = runtime.handle().clone();
        Ok(Core {
            remote: ChatClient::new(handle.clone()),
            runtime: Some(runtime),
            handle,
            begun: Instant::now(),
            store,
            vault,
            scanner: Mutex::new(scanner),
            policies: Mutex::new(Arc::new(policies)),
            device: Mutex::default(),
            network: Mutex::default(),
            model: Mutex::default(),
            system: Mutex::default(),
            extras: Mutex::default(),
            learned: Mutex::new(learned),
            used: Mutex::new(used.unwrap_or_default()),
            is_asked: Arc::default(),
            speeds: Mutex::default(),
        })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Milliseconds since the assistant was opened: the clock of fallbacks, which nobody can set.
    pub(super) fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Runs something that may wait for the disk or compute for long.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Core>,
        work: impl FnOnce(&Core) -> T + Send + 'static,
    ) -> Result<T, AssistantError> {
        let core = self.clone();
        let work = self.handle.spawn_blocking(move || work(&core));
        work.await.map_err(|_| AssistantError::Closed)
    }

    /// Decides where a request may run.
    pub(super) fn decide(
        &self,
        request: RequestFacts,
        content: &ContentFacts,
        offered: Offered,
        context: &ConversationOptions,
    ) -> Decided {
        let policies = lock(&self.policies).clone();
        let candidates = self.candidates(&policies, &request, &offered, context);
        let now_ms = now_ms();
        let device = lock(&self.device).clone();
        let plan = route(&RouteInput {
            request: &request,
            content,
            device: &device,
            now_ms,
            policies: &policies,
            candidates: &candidates,
            used_today: self.used_today(now_ms),
            learned: &lock(&self.learned),
        });
        Decided {
            plan,
            request,
            candidates,
            policies,
            device,
            now_ms,
            offered,
        }
    }

    /// What of this device could answer now. A system model that does not say at once what it can do cannot be asked.
    pub(super) async fn offered(&self) -> Offered {
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
            let asked = self.handle.spawn(tokio::time::timeout(CAPABILITIES_TIME, asked));
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

    /// What a request asks for, as the rules see it.
    pub(super) fn request_facts(
        id: String,
        options: &AskOptions,
        content: &ContentFacts,
        messages: u64,
    ) -> RequestFacts {
        let tokens = content.text_bytes / BYTES_A_TOKEN + messages * TOKENS_A_MESSAGE;
        RequestFacts {
            id,
            // As receipts and learning know it.
            task: Label::squeezed(&options.task).to_string(),
            prompt_tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
            answer_tokens_max: options.generation.max_tokens,
            deadline_ms: options.deadline_ms,
            needs: options.needs.clone(),
        }
    }

    fn candidates(
        &self,
        policies: &PolicySet,
        request: &RequestFacts,
        offered: &Offered,
        context: &ConversationOptions,
    ) -> CandidateFacts {
        let models = offered.model.iter();
        let local_models = models.map(|model| self.local(model, request, context)).collect();
        let system_model = offered
            .system
            .as_ref()
            .map(|_| offered.capabilities.clone().unwrap_or_default());
        let system_model = system_model.map(system_facts);
        let endpoints = policies.app().endpoints().iter().filter_map(|endpoint| {
            let health = self.remote.health(&endpoint.id)?;
            Some(EndpointFacts {
                id: endpoint.id.to_string(),
                circuit: match health.circuit {
                    network::Circuit::Closed => Circuit::Closed,
                    network::Circuit::HalfOpen => Circuit::HalfOpen,
                    network::Circuit::Open => Circuit::Open,
                },
                first_token_ms: health.first_byte_ms.and_then(|ms| u32::try_from(ms).ok()),
                tokens_per_s: None,
            })
        });
        CandidateFacts {
            local_models,
            system_model,
            endpoints: endpoints.collect(),
        }
    }

    fn local(&self, model: &ModelHandle, request: &RequestFacts, context: &ConversationOptions) -> LocalModelFacts {
        let (name, variant) = model_labels(model);
        let speed = lock(&self.speeds).get(name.as_str()).copied();
        let first_token_s = speed.map(|speed| f64::from(request.prompt_tokens) / speed.prefill_tokens_per_s);
        LocalModelFacts {
            model: name.to_string(),
            variant: variant.to_string(),
            ready: true,
            supports: Vec::new(),
            // The engine leaves out the oldest exchanges where it is told to; then the length refuses nothing.
            context_tokens: match context.context_policy {
                ContextPolicy::Refuse => Some(context.context_length.min(model.info().manifest.context_length)),
                ContextPolicy::DropOldest => None,
            },
            first_token_ms: first_token_s.map(|seconds| (seconds * 1e3) as u32),
            tokens_per_s: speed.map(|speed| speed.decode_tokens_per_s as f32),
            // It is open: its weights are mapped, and what remains is the context.
            peak_memory_bytes: Some(model.info().kv_bytes_per_token * u64::from(request.prompt_tokens)),
        }
    }

    /// Remembers how fast a model of this device was. A quarter of the figure is the newest.
    pub(super) fn measured(&self, model: &str, statistics: &Statistics) {
        let (prefill, decode) = (
            statistics.prefill_tokens_per_second,
            statistics.decode_tokens_per_second,
        );
        if prefill <= 0.0 || decode <= 0.0 {
            return;
        }
        let mut speeds = lock(&self.speeds);
        let speed = speeds.entry(model.to_owned()).or_insert(Speed {
            prefill_tokens_per_s: prefill,
            decode_tokens_per_s: decode,
        });
        speed.prefill_tokens_per_s += (prefill - speed.prefill_tokens_per_s) / 4.0;
        speed.decode_tokens_per_s += (decode - speed.decode_tokens_per_s) / 4.0;
    }

    pub(super) fn used_today(&self, now_ms: u64) -> UsedToday {
        let used = *lock(&self.used);
        match used.day == now_ms / DAY_MS {
            true => used.today,
            false => UsedToday::default(),
        }
    }

    /// Adds to what was used today, and keeps it. Blocks.
    pub(super) fn use_up(&self, cost_micros: u64, metered_bytes: u64, now_ms: u64) {
        if cost_micros == 0 && metered_bytes == 0 {
            return;
        }
        let mut used = lock(&self.used);
        let day = now_ms / DAY_MS;
        if used.day != day {
            *used = Used { day, ..Used::default() };
        }
        used.today.cost_micros = used.today.cost_micros.saturating_add(cost_micros);
        used.today.metered_bytes = used.today.metered_bytes.saturating_add(metered_bytes);
        // Under the lock, so that an older sum never takes the place of a newer one.
        let bytes = serde_json::to_vec(&*used).expect("three numbers are JSON");
        if let Err(error) = self.store.state_put(USED_TODAY, &bytes) {
            log::warn!("what was used today cannot be kept: {error}");
        }
    }

    /// Keeps what was learned. Blocks.
    pub(super) fn keep_learned(&self) -> Result<(), AssistantError> {
        let snapshot = lock(&self.learned).snapshot();
        let bytes = serde_json::to_vec(&snapshot).expect("names and numbers are JSON");
        Ok(self.store.state_put(LEARNED, &bytes)?)
    }

    /// The endpoint of the policy as the network needs it.
    pub(super) fn endpoint(&self, endpoint: &whimbrel_policy::Endpoint) -> Result<Endpoint, AssistantError> {
        let extras = lock(&self.extras).get(&*endpoint.id).cloned().unwrap_or_default();
        endpoint_with(endpoint, extras)
    }

    /// The key of an endpoint, if one was stored. Blocks.
    pub(super) fn key(&self, endpoint_id: &str) -> Result<Option<Secret>, AssistantError> {
        let Some(bytes) = self.vault.get(&key_name(endpoint_id))? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes.expose().to_vec()).map_err(|_| network::SecretError::Character)?;
        Ok(Some(Secret::new(text)?))
    }

    /// Stores or forgets the key of an endpoint. Blocks.
    pub(super) fn set_key(&self, endpoint_id: &str, key: Option<String>) -> Result<(), AssistantError> {
        let name = key_name(endpoint_id);
        match key {
            Some(key) => {
                Secret::new(key.clone())?;
                self.vault.put(&name, &SecretBytes::new(key.into_bytes()))?;
            }
            None => self.vault.delete(&name)?,
        }
        Ok(())
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // The last handle may go away on one of the runtime's own threads, which cannot wait for themselves.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The endpoint of a policy with what the app says about it besides.
pub(super) fn endpoint_with(
    endpoint: &whimbrel_policy::Endpoint,
    extras: EndpointExtras,
) -> Result<Endpoint, AssistantError> {
    let mut settings = EndpointSettings::new(&endpoint.id, &endpoint.base_url, &endpoint.model);
    settings.authorities_pem = extras.authorities_pem;
    settings.pins = extras.pins;
    settings.timeouts = extras.timeouts.unwrap_or_default();
    settings.key_header = extras.key_header;
    settings.token_limit_field = extras.token_limit_field;
    Endpoint::new(settings).map_err(|source| AssistantError::Endpoint {
        id: endpoint.id.to_string(),
        source,
    })
}

/// Name and variant of an open model, as rules, receipts and learning know it.
pub(super) fn model_labels(model: &ModelHandle) -> (Label, Label) {
    let info = model.info();
    (Label::squeezed(&info.manifest.name), Label::squeezed(&info.variant))
}

/// The name in the vault under which the key of an endpoint is kept: `key.` and its id. An id that the vault does not take as a name,
/// because it is long or has capital letters, is named by its hash, so that no two endpoints share a key. What can be no endpoint's id
/// gives a name that the vault refuses.
#[must_use]
pub fn key_name(endpoint_id: &str) -> String {
    let name = format!("key.{endpoint_id}");
    let is_id = endpoint_id.len() <= network::ID_BYTES_MAX as usize
        && endpoint_id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    match whimbrel_store::check_name(&name) {
        Err(_) if is_id => format!("key-{}", &blake3::hash(endpoint_id.as_bytes()).to_hex()[..32]),
        _ => name,
    }
}

fn restored(bytes: &[u8]) -> Option<Learned> {
    let snapshot: LearnedSnapshot = serde_json::from_slice(bytes).ok()?;
    Learned::restore(&snapshot).ok()
}

fn system_facts(capabilities: SystemCapabilities) -> SystemModelFacts {
    SystemModelFacts {
        model: Label::squeezed(&capabilities.model).to_string(),
        availability: capabilities.availability,
        supports: capabilities.supports,
        context_tokens: capabilities.context_tokens,
        first_token_ms: capabilities.first_token_ms,
        tokens_per_s: capabilities.tokens_per_s,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_has_a_key_of_its_own() {
        let (long, longer) = ("e".repeat(63), "e".repeat(64));
        let ids = ["house", "House", "h_ouse", "HOUSE", "a-b", "aB", "a_b", &long, &longer];
        let names: std::collections::BTreeSet<_> = ids.iter().map(|id| key_name(id)).collect();
        assert_eq!(names.len(), ids.len());
        assert!(names.iter().all(|name| whimbrel_store::check_name(name).is_ok()));
        for no_id in ["../house", "", "two words", &"e".repeat(65)] {
            assert!(
                no_id.is_empty() || whimbrel_store::check_name(&key_name(no_id)).is_err(),
                "{no_id}"
            );
        }
    }
}
