//! What a policy allows to be sent about requests, and what the user has agreed to.

use serde::{Deserialize, Serialize};
use whimbrel_record::TrustClass;

use crate::document::as_trust_word;

/// The kinds of data that can be sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signals {
    /// Sums over many requests.
    pub metrics: bool,
    /// A trace of each request, made of spans.
    pub traces: bool,
}

impl Signals {
    /// Neither of them.
    pub const NONE: Signals = Signals {
        metrics: false,
        traces: false,
    };

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Signals) -> Signals {
        Signals {
            metrics: self.metrics && other.metrics,
            traces: self.traces && other.traces,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Signals::NONE
    }
}

/// What holds under the app's and the user's policy; see [`PolicySet::telemetry`](crate::PolicySet::telemetry).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct TelemetryRules {
    /// The base URL of the receiver, without a trailing slash: `https://metrics.example.com`.
    pub url: String,
    /// The name of the app at the receiver.
    pub service: String,
    /// Who operates the receiver.
    #[serde(serialize_with = "as_trust_word")]
    pub trust: TrustClass,
    /// Whether the app may ask for consent to send sums.
    pub metrics: bool,
    /// Whether the app may ask for consent to send a trace of each request.
    pub traces: bool,
    /// Maximum bytes that are sent in a day, headers included.
    pub bytes_a_day: u64,
    /// Maximum connections in a day.
    pub connections_a_day: u32,
    /// Whether it may be sent over metered, roaming and unknown networks.
    pub metered: bool,
}

impl TelemetryRules {
    /// The signals that the app may ask for.
    #[must_use]
    pub fn signals(&self) -> Signals {
        Signals {
            metrics: self.metrics,
            traces: self.traces,
        }
    }
}

/// What the user has agreed to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The URL that it was given for, as it is in the policy.
    pub to: String,
    /// The service that it was given for.
    pub service: String,
    /// Whether the user agreed to sums.
    pub metrics: bool,
    /// Whether the user agreed to traces.
    pub traces: bool,
    /// When, in milliseconds since 1970.
    pub given_ms: u64,
}

impl Consent {
    /// What may be sent: the signals that both the consent and the rules have. A consent for another URL or service covers nothing.
    ///
    /// ```
    /// use whimbrel_policy::telemetry::{Consent, Signals};
    /// use whimbrel_policy::{PolicySet, Preset};
    ///
    /// let section = "[telemetry]\nurl = \"https://a.example\"\nservice = \"my-app\"\ntrust = \"organisation\"\ntraces = false";
    /// let rules = PolicySet::new(Preset::Private.policy(section)?, None)?.telemetry().expect("it has the section");
    /// let service = "my-app".to_owned();
    /// let consent = Consent { to: "https://a.example".to_owned(), service, metrics: true, traces: true, given_ms: 0 };
    /// assert_eq!(consent.covers(&rules), Signals { metrics: true, traces: false });
    /// let elsewhere = Consent { to: "https://b.example".to_owned(), ..consent };
    /// assert_eq!(elsewhere.covers(&rules), Signals::NONE);
    /// # Ok::<(), whimbrel_policy::PolicyError>(())
    /// ```
    #[must_use]
    pub fn covers(&self, rules: &TelemetryRules) -> Signals {
        if self.to != rules.url || self.service != rules.service {
            return Signals::NONE;
        }
        let agreed = Signals {
            metrics: self.metrics,
            traces: self.traces,
        };
        agreed.and(rules.signals())
    }

    /// Whether both say the same, whenever they were given.
    #[must_use]
    pub fn is_same(&self, other: &Consent) -> bool {
        let at = |consent: &Consent| Consent {
            given_ms: 0,
            ..consent.clone()
        };
        at(self) == at(other)
    }
}
