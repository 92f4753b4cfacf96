//! The data for decisions: the policies, the scanner, the device, what was learned and what was used today. One lock protects all of it; a
//! decision works on one snapshot.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use whimbrel_network::{Endpoint, EndpointSettings, KeyHeader, PinSettings, Timeouts, TokenLimitField};
use whimbrel_policy::{
    Budget, DeviceState, DeviceUpdate, Learned, LearnedSnapshot, LearningMode, Network, Policy, PolicySet, SetAside,
    Spending, UsedToday,
};
use whimbrel_privacy::{Scanner, ScannerOptions};
use whimbrel_record::Signal;

use crate::ClientError;
use crate::error::lock;
use crate::ports::Records;

/// Names of pieces of state in the store.
const LEARNED: &str = "learned";
const USED_TODAY: &str = "used_today";

/// Connection settings of an endpoint that are not part of the policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointExtras {
    /// Additional certificate authorities to trust, in PEM.
    pub authorities_pem: String,
    /// Keys, at least one of which must be in the server's certificate chain.
    pub pins: Option<PinSettings>,
    /// Timeouts; `None` uses the defaults.
    pub timeouts: Option<Timeouts>,
    /// How the key is sent to the server.
    pub key_header: KeyHeader,
    /// The field for the token limit.
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
    spending: Spending,
}

/// One look at the rules.
#[derive(Clone)]
pub(crate) struct RulesSnapshot {
    pub(crate) policies: Arc<PolicySet>,
    /// Changes with the policies.
    pub(crate) policies_digest: Arc<str>,
    pub(crate) scanner: Scanner,
    pub(crate) device: DeviceState,
    pub(crate) learned: Arc<Learned>,
    pub(crate) used_today: UsedToday,
    extras: Arc<BTreeMap<String, EndpointExtras>>,
}

impl RulesSnapshot {
    /// An endpoint of the policy as the network needs it; `None` when the policy does not have it.
    pub(crate) fn endpoint(&self, id: &str) -> Option<Result<Endpoint, ClientError>> {
        let endpoint = self.policies.app().endpoint(id)?;
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
                log::warn!("the learned data cannot be read; learning starts from the beginning");
                Learned::default()
            })
        });
        let spending = records.state(USED_TODAY)?.map_or_else(Spending::default, |bytes| {
            serde_json::from_slice(&bytes).unwrap_or_else(|_| {
                log::warn!("today's usage cannot be read; it is counted from now on");
                Spending::default()
            })
        });
        Ok(Rules {
            current: Mutex::new(Current {
                snapshot: RulesSnapshot {
                    policies_digest: digest(&policies),
                    policies: Arc::new(policies),
                    scanner: scanner(user_words)?,
                    device: DeviceState::default(),
                    learned: Arc::new(learned),
                    used_today: UsedToday::default(),
                    extras: Arc::default(),
                },
                network: None,
                spending,
            }),
        })
    }

    /// The rules as they are at this time.
    pub(crate) fn snapshot(&self, now_ms: u64) -> RulesSnapshot {
        let current = lock(&self.current);
        RulesSnapshot {
            used_today: current.spending.today(now_ms),
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
        snapshot.policies_digest = digest(&snapshot.policies);
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
        let endpoint = snapshot.policies.app().endpoint(id);
        let endpoint = endpoint.ok_or_else(|| ClientError::UnknownEndpoint { id: id.to_owned() })?;
        endpoint_with(endpoint, extras.clone())?;
        Arc::make_mut(&mut snapshot.extras).insert(id.to_owned(), extras);
        Ok(())
    }

    /// Sets the most that an attempt may use aside. It is on the disk when this returns; `None` when the day has no more. Blocks.
    ///
    /// # Errors
    /// [`ClientError::Store`]; nothing may be sent then.
    pub(crate) fn set_aside(
        &self,
        most: UsedToday,
        of_day: &Budget,
        now_ms: u64,
        records: &dyn Records,
    ) -> Result<Option<SetAside>, ClientError> {
        // Under the lock, so that an older sum never takes the place of a newer one.
        let current = &mut *lock(&self.current);
        let before = current.spending.clone();
        let set_aside = current.spending.set_aside(most, of_day, now_ms);
        if let Err(error) = keep_spending(&current.spending, records) {
            current.spending = before;
            return Err(error);
        }
        Ok(set_aside)
    }

    /// What a request really used takes the place of what was set aside. Where that cannot be kept, the most stays counted. Blocks.
    pub(crate) fn settle(&self, set_aside: &[SetAside], used: UsedToday, records: &dyn Records) {
        if set_aside.is_empty() {
            return;
        }
        let current = &mut *lock(&self.current);
        current.spending.settle(set_aside, used);
        if let Err(error) = keep_spending(&current.spending, records) {
            log::warn!("today's usage cannot be saved: {error}");
        }
    }

    /// Looks at the clock before a decision, since a clock that somebody sets must neither renew nor lock a day's budget. Blocks when that is news.
    pub(crate) fn look_at_clock(&self, now_ms: u64, records: &dyn Records) {
        let current = &mut *lock(&self.current);
        if current.spending.look(now_ms)
            && let Err(error) = keep_spending(&current.spending, records)
        {
            log::warn!("today's usage cannot be saved: {error}");
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

fn keep_spending(spending: &Spending, records: &dyn Records) -> Result<(), ClientError> {
    let bytes = serde_json::to_vec(spending).expect("numbers are JSON");
    Ok(records.keep_state(USED_TODAY, &bytes)?)
}

/// Of everything that the documents say, in the form in which they are printed for developers.
fn digest(policies: &PolicySet) -> Arc<str> {
    blake3::hash(format!("{policies:?}").as_bytes())
        .to_hex()
        .as_str()
        .into()
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
