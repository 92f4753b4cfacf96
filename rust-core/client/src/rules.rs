//! What decisions are made by: the policies, the scanner, the device, what was learned and what was used today. One lock; a decision works on
//! one look at all of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use whimbrel_network::{Endpoint, EndpointSettings, KeyHeader, PinSettings, Timeouts, TokenLimitField};
use whimbrel_policy::{
    DeviceState, DeviceUpdate, Learned, LearnedSnapshot, LearningMode, Network, Policy, PolicySet, UsedToday,
};
use whimbrel_privacy::{Scanner, ScannerOptions};
use whimbrel_record::Signal;

use crate::ClientError;
use crate::error::lock;
use crate::ports::Records;

/// Names of pieces of state in the store.
const LEARNED: &str = "learned";
const USED_TODAY: &str = "used_today";
const DAY_MS: u64 = 24 * 3_600_000;

/// Settings of an endpoint that the app gives and the policy does not have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointExtras {
    /// Certificate authorities to trust as well, in PEM.
    pub authorities_pem: String,
    /// Keys of which one must be in the server's chain of certificates.
    pub pins: Option<PinSettings>,
    /// Time limits; `None` takes the usual ones.
    pub timeouts: Option<Timeouts>,
    /// How the key is sent to the server.
    pub key_header: KeyHeader,
    /// Where the limit of tokens goes.
    pub token_limit_field: TokenLimitField,
}

/// See the module.
pub(crate) struct Rules {
    current: Mutex<Current>,
}

struct Current {
    snapshot: RulesSnapshot,
    /// The last network that was known.
    network: Option<Network>,
    used: Used,
}

/// One look at the rules.
#[derive(Clone)]
pub(crate) struct RulesSnapshot {
    pub(crate) policies: Arc<PolicySet>,
    pub(crate) scanner: Scanner,
    pub(crate) device: DeviceState,
    pub(crate) learned: Arc<Learned>,
    pub(crate) used_today: UsedToday,
    extras: Arc<BTreeMap<String, EndpointExtras>>,
}

/// What was used, and on which day.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Used {
    day: u64,
    today: UsedToday,
}

impl RulesSnapshot {
    /// An endpoint of the policy as the network needs it; `None` when the policy does not have it.
    pub(crate) fn endpoint(&self, id: &str) -> Option<Result<Endpoint, ClientError>> {
        let endpoint = self
            .policies
            .app()
            .endpoints()
            .iter()
            .find(|endpoint| *endpoint.id == *id)?;
        Some(endpoint_with(
            endpoint,
            self.extras.get(id).cloned().unwrap_or_default(),
        ))
    }
}

impl Rules {
    /// The rules, and what earlier processes learned and used.
    pub(crate) fn new(
        policies: PolicySet,
        user_words: Vec<String>,
        records: &dyn Records,
    ) -> Result<Rules, ClientError> {
        check_endpoints(policies.app(), &BTreeMap::new())?;
        let learned = records.state(LEARNED)?.map_or_else(Learned::default, |bytes| {
            restored(&bytes).unwrap_or_else(|| {
                log::warn!("what was learned cannot be read; learning starts again");
                Learned::default()
            })
        });
        let used = records.state(USED_TODAY)?;
        Ok(Rules {
            current: Mutex::new(Current {
                snapshot: RulesSnapshot {
                    policies: Arc::new(policies),
                    scanner: scanner(user_words)?,
                    device: DeviceState::default(),
                    learned: Arc::new(learned),
                    used_today: UsedToday::default(),
                    extras: Arc::default(),
                },
                network: None,
                used: used
                    .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                    .unwrap_or_default(),
            }),
        })
    }

    /// The rules as they are at this time.
    pub(crate) fn snapshot(&self, now_ms: u64) -> RulesSnapshot {
        let current = lock(&self.current);
        RulesSnapshot {
            used_today: current.used.on(now_ms),
            ..current.snapshot.clone()
        }
    }

    /// Takes in what the app knows about the device. Returns whether the network changed.
    pub(crate) fn update_device(&self, update: &DeviceUpdate, now_ms: u64) -> bool {
        let current = &mut *lock(&self.current);
        current.snapshot.device.apply(update, now_ms);
        // An app that does not know for a moment has not changed its network.
        let Some(network) = current.snapshot.device.network.value().copied() else {
            return false;
        };
        let before = current.network.replace(network);
        before.is_some_and(|before| before != network)
    }

    /// Puts other policies in force, for the next question on. Under one lock, so that nobody's rules are lost.
    pub(crate) fn replace_policies(
        &self,
        change: impl FnOnce(&PolicySet) -> (Policy, Option<Policy>),
    ) -> Result<(), ClientError> {
        let snapshot = &mut lock(&self.current).snapshot;
        let (app, user) = change(&snapshot.policies);
        check_endpoints(&app, &snapshot.extras)?;
        snapshot.policies = Arc::new(PolicySet::new(app, user)?);
        Ok(())
    }

    pub(crate) fn set_user_words(&self, words: Vec<String>) -> Result<(), ClientError> {
        let scanner = scanner(words)?;
        lock(&self.current).snapshot.scanner = scanner;
        Ok(())
    }

    /// Takes in an app's settings of an endpoint of the policy.
    pub(crate) fn set_endpoint(&self, id: &str, extras: EndpointExtras) -> Result<(), ClientError> {
        let snapshot = &mut lock(&self.current).snapshot;
        let known = snapshot
            .policies
            .app()
            .endpoints()
            .iter()
            .find(|endpoint| *endpoint.id == *id);
        let endpoint = known.ok_or_else(|| ClientError::UnknownEndpoint { id: id.to_owned() })?;
        endpoint_with(endpoint, extras.clone())?;
        Arc::make_mut(&mut snapshot.extras).insert(id.to_owned(), extras);
        Ok(())
    }

    /// Adds to what was used today, and keeps it. Blocks.
    pub(crate) fn use_up(&self, cost_micros: u64, metered_bytes: u64, now_ms: u64, records: &dyn Records) {
        if cost_micros == 0 && metered_bytes == 0 {
            return;
        }
        let current = &mut *lock(&self.current);
        let mut today = current.used.on(now_ms);
        today.cost_micros = today.cost_micros.saturating_add(cost_micros);
        today.metered_bytes = today.metered_bytes.saturating_add(metered_bytes);
        current.used = Used {
            day: now_ms / DAY_MS,
            today,
        };
        // Under the lock, so that an older sum never takes the place of a newer one.
        let bytes = serde_json::to_vec(&current.used).expect("three numbers are JSON");
        if let Err(error) = records.keep_state(USED_TODAY, &bytes) {
            log::warn!("what was used today cannot be kept: {error}");
        }
    }

    /// Learns from a sign about a candidate's answer, and keeps what was learned. Blocks.
    pub(crate) fn learn(
        &self,
        task: &str,
        candidate: &str,
        signal: Signal,
        now_ms: u64,
        records: &dyn Records,
    ) -> Result<(), ClientError> {
        self.change_learned(records, |learned| learned.record(task, candidate, signal, now_ms))
    }

    pub(crate) fn set_learning(&self, mode: LearningMode, records: &dyn Records) -> Result<(), ClientError> {
        self.change_learned(records, |learned| learned.set_mode(mode))
    }

    pub(crate) fn reset_learning(&self, records: &dyn Records) -> Result<(), ClientError> {
        self.change_learned(records, Learned::reset)
    }

    fn change_learned(&self, records: &dyn Records, change: impl FnOnce(&mut Learned)) -> Result<(), ClientError> {
        let current = &mut *lock(&self.current);
        change(Arc::make_mut(&mut current.snapshot.learned));
        let bytes = serde_json::to_vec(&current.snapshot.learned.snapshot()).expect("names and numbers are JSON");
        Ok(records.keep_state(LEARNED, &bytes)?)
    }
}

impl Used {
    fn on(&self, now_ms: u64) -> UsedToday {
        match self.day == now_ms / DAY_MS {
            true => self.today,
            false => UsedToday::default(),
        }
    }
}

fn scanner(user_words: Vec<String>) -> Result<Scanner, ClientError> {
    Ok(Scanner::new(ScannerOptions {
        user_words,
        ..ScannerOptions::default()
    })?)
}

/// Every endpoint of a policy must be one that the network takes, before a question depends on it.
fn check_endpoints(policy: &Policy, extras: &BTreeMap<String, EndpointExtras>) -> Result<(), ClientError> {
    policy.endpoints().iter().try_for_each(|endpoint| {
        let extras = extras.get(&*endpoint.id).cloned().unwrap_or_default();
        endpoint_with(endpoint, extras).map(drop)
    })
}

/// The endpoint of a policy with the app's settings.
fn endpoint_with(endpoint: &whimbrel_policy::Endpoint, extras: EndpointExtras) -> Result<Endpoint, ClientError> {
    let mut settings = EndpointSettings::new(&endpoint.id, &endpoint.base_url, &endpoint.model);
    settings.authorities_pem = extras.authorities_pem;
    settings.pins = extras.pins;
    settings.timeouts = extras.timeouts.unwrap_or_default();
    settings.key_header = extras.key_header;
    settings.token_limit_field = extras.token_limit_field;
    Endpoint::new(settings).map_err(|source| ClientError::Endpoint {
        id: endpoint.id.to_string(),
        source,
    })
}

fn restored(bytes: &[u8]) -> Option<Learned> {
    let snapshot: LearnedSnapshot = serde_json::from_slice(bytes).ok()?;
    Learned::restore(&snapshot).ok()
}
