//! Telemetry that leaves the device, with the user's consent.

use std::sync::Arc;

use whimbrel_client as client;
use whimbrel_client::policy::telemetry::{Consent, Signals};

use crate::{Assistant, CoreError, EndpointExtras, TrustClass, json};

/// What a user can agree to.
#[derive(Clone, Copy, Debug, uniffi::Record)]
pub struct TelemetrySignals {
    /// Sums and histograms of what requests took.
    pub metrics: bool,
    /// How single requests went: times and places, never text.
    pub traces: bool,
}

/// Where the app's policy lets telemetry go. Show it to the user before asking for consent.
#[derive(Clone, Debug, uniffi::Record)]
pub struct TelemetryTarget {
    /// The address of the collector.
    pub url: String,
    /// The name under which the app reports.
    pub service: String,
    /// Who operates the collector.
    pub trust: TrustClass,
    /// What the policies let the app ask for.
    pub signals: TelemetrySignals,
    /// How many bytes may leave in a day at most.
    pub bytes_a_day: u64,
    /// How many connections may be made in a day at most.
    pub connections_a_day: u32,
    /// Whether a metered network may be used.
    pub metered: bool,
}

/// What the user has agreed to.
#[derive(Clone, Debug, uniffi::Record)]
pub struct TelemetryConsent {
    /// The address for which the consent was given. For another one it does not count.
    pub url: String,
    /// The name of the app's service for which it was given.
    pub service: String,
    /// What may be sent.
    pub signals: TelemetrySignals,
    /// When it was given, in milliseconds since 1970.
    pub given_ms: u64,
}

/// How telemetry stands.
#[derive(Clone, Debug, uniffi::Record)]
pub struct TelemetryStatus {
    /// Where telemetry may go. Absent if the app's policy has no section for it.
    pub target: Option<TelemetryTarget>,
    /// What the user has agreed to. Absent if to nothing.
    pub consent: Option<TelemetryConsent>,
    /// What may be sent now: what the policies and the consent have in common.
    pub signals: TelemetrySignals,
    /// Bytes that left today.
    pub bytes_today: u64,
    /// Connections that were made today.
    pub connections_today: u32,
    /// Requests about which something waits to be sent.
    pub waiting: u64,
    /// Requests about which nothing will be sent, because they are too old or too many.
    pub dropped: u64,
    /// Items that the collector has left out.
    pub rejected: u64,
    /// All of it in JSON.
    pub json: String,
}

/// What a run has sent.
#[derive(Clone, Debug, uniffi::Record)]
pub struct TelemetryRun {
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Whether the collector took sums.
    pub metrics: bool,
    /// About how many requests the collector took something.
    pub requests: u64,
    /// Items that the collector has left out.
    pub rejected: u64,
    /// Why nothing was sent, as a code: `not_configured`, `no_consent`, `nothing_new`, `refused`, `no_network`, `metered`, `backoff`,
    /// `budget_connections`, `budget_bytes`, `interval`, `deadline`. Absent if something was sent or tried.
    pub because: Option<String>,
    /// When it is time for the next run, in milliseconds since 1970.
    pub next_ms: Option<u64>,
}

/// The telemetry of an assistant. Nothing is sent before the user has agreed, and nothing afterwards if the user changes their mind.
#[derive(uniffi::Object)]
pub struct Telemetry(client::Telemetry);

#[uniffi::export]
impl Assistant {
    /// The telemetry. It does something where the app's policy has a section `telemetry`.
    pub fn telemetry(&self) -> Arc<Telemetry> {
        Arc::new(Telemetry(self.0.telemetry()))
    }
}

#[uniffi::export]
impl Telemetry {
    /// How it stands.
    pub async fn status(&self) -> Result<TelemetryStatus, CoreError> {
        Ok((&self.0.status().await?).into())
    }

    /// The user agrees that this is sent to where the policy says. Only what happens from now on is sent.
    pub async fn allow(&self, signals: TelemetrySignals) -> Result<(), CoreError> {
        Ok(self.0.allow(signals.into()).await?)
    }

    /// The user withdraws the consent. Afterwards nothing is sent any more, and what waited is forgotten.
    pub async fn withdraw(&self) -> Result<(), CoreError> {
        Ok(self.0.withdraw().await?)
    }

    /// Connection settings of the collector that are not part of the policy.
    pub fn set_collector(&self, extras: EndpointExtras) -> Result<(), CoreError> {
        Ok(self.0.set_collector(extras.into())?)
    }

    /// Keeps the collector's key in the vault; without a value it is forgotten.
    pub async fn set_key(&self, key: Option<String>) -> Result<(), CoreError> {
        Ok(self.0.set_key(key).await?)
    }

    /// Names of models and tasks that may be sent as they are. All others are sent as `other`.
    pub fn set_names(&self, models: Vec<String>, tasks: Vec<String>) {
        self.0.set_names(client::TelemetryNames {
            models: models.into_iter().collect(),
            tasks: tasks.into_iter().collect(),
        });
    }

    /// Sends what is due. While the assistant lives this happens by itself. Call it when the system gives the app time in the background, and with
    /// `within_ms` when the app goes to the background: for so many milliseconds it may still run.
    #[uniffi::method(default(within_ms = None))]
    pub async fn run(&self, within_ms: Option<u64>) -> Result<TelemetryRun, CoreError> {
        let run = self.0.run(within_ms).await?;
        Ok(TelemetryRun {
            bytes_out: run.bytes_out,
            metrics: run.metrics,
            requests: run.spans,
            rejected: run.rejected,
            because: run.because.map(|because| because.name().into()),
            next_ms: run.next_ms,
        })
    }
}

impl From<TelemetrySignals> for Signals {
    fn from(from: TelemetrySignals) -> Self {
        Signals {
            metrics: from.metrics,
            traces: from.traces,
        }
    }
}

impl From<Signals> for TelemetrySignals {
    fn from(from: Signals) -> Self {
        TelemetrySignals {
            metrics: from.metrics,
            traces: from.traces,
        }
    }
}

impl From<&Consent> for TelemetryConsent {
    fn from(from: &Consent) -> Self {
        TelemetryConsent {
            url: from.to.clone(),
            service: from.service.clone(),
            signals: TelemetrySignals {
                metrics: from.metrics,
                traces: from.traces,
            },
            given_ms: from.given_ms,
        }
    }
}

impl From<&client::TelemetryStatus> for TelemetryStatus {
    fn from(from: &client::TelemetryStatus) -> Self {
        TelemetryStatus {
            target: from.rules.as_ref().map(|rules| TelemetryTarget {
                url: rules.url.clone(),
                service: rules.service.clone(),
                trust: rules.trust.into(),
                signals: rules.signals().into(),
                bytes_a_day: rules.bytes_a_day,
                connections_a_day: rules.connections_a_day,
                metered: rules.metered,
            }),
            consent: from.consent.as_ref().map(Into::into),
            signals: from.signals.into(),
            bytes_today: from.today.bytes,
            connections_today: from.today.connections,
            waiting: from.waiting,
            dropped: from.dropped,
            rejected: from.rejected,
            json: json(from),
        }
    }
}
