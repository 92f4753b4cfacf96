//! What a request needs before it is sent, and what the device has.

use serde::{Deserialize, Serialize};

use crate::{DeviceView, Network, Refusal, Refused};

/// What has to be there before a request is sent. These are the constraints that the phones' systems can wait for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Constraints {
    /// A network.
    pub network: bool,
    /// A network where bytes cost nothing.
    pub unmetered: bool,
    /// The device is charging.
    pub charging: bool,
}

/// What the device has now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Conditions {
    /// There is a network.
    pub has_network: bool,
    /// There is a network where bytes cost nothing.
    pub is_unmetered: bool,
    /// The device is charging.
    pub is_charging: bool,
}

impl Constraints {
    /// Whether the device has all of it.
    #[must_use]
    pub fn are_met(self, conditions: Conditions) -> bool {
        let is_met = |needed: bool, has: bool| has || !needed;
        is_met(self.network, conditions.has_network || conditions.is_unmetered)
            && is_met(self.unmetered, conditions.is_unmetered)
            && is_met(self.charging, conditions.is_charging)
    }

    /// What a deferred request waits for, by the reasons for which the policy refused each place. If different conditions would help
    /// different places, any of them may be enough, so there is no constraint: the request is decided again after a wait, and whenever a
    /// condition is met that was not.
    ///
    /// ```
    /// use whimbrel_policy::outbox::Constraints;
    /// use whimbrel_policy::{Refusal, Refused};
    ///
    /// let offline = Refused { name: "remote:house".into(), reason: Refusal::Offline, after_candidates: 0 };
    /// assert!(Constraints::that_help(&[offline]).network);
    /// ```
    #[must_use]
    pub fn that_help(refused: &[Refused]) -> Constraints {
        let mut found = refused.iter().filter_map(|refused| of_refusal(&refused.reason));
        let first = found.next().unwrap_or_default();
        if found.all(|other| other == first) {
            first
        } else {
            Constraints::default()
        }
    }

    /// Whether time or conditions can help one of the places.
    pub(super) fn may_help(refused: &[Refused]) -> bool {
        refused.iter().any(|refused| of_refusal(&refused.reason).is_some())
    }
}

fn of_refusal(refusal: &Refusal) -> Option<Constraints> {
    let none = Constraints::default();
    match refusal {
        Refusal::Offline => Some(Constraints { network: true, ..none }),
        Refusal::MeteredBytes { .. } => Some(Constraints {
            network: true,
            unmetered: true,
            ..none
        }),
        Refusal::Battery { .. } => Some(Constraints { charging: true, ..none }),
        // Time, or the app, may change these.
        Refusal::NotReady
        | Refusal::Memory { .. }
        | Refusal::Thermal
        | Refusal::CircuitOpen
        | Refusal::CostOfDay { .. }
        | Refusal::TooSlow { .. } => Some(none),
        _ => None,
    }
}

impl Conditions {
    /// The conditions by the device's readings. An unknown network counts as one where bytes cost money, an unknown charger as none.
    #[must_use]
    pub fn of(device: &DeviceView) -> Conditions {
        Conditions {
            has_network: device.network != Some(Network::None),
            is_unmetered: device.network == Some(Network::Unmetered),
            is_charging: device.charging == Some(true),
        }
    }

    /// Whether this is another network than before, and not the lack of one.
    pub(super) fn has_new_network(self, before: Conditions) -> bool {
        let network = |conditions: Conditions| (conditions.has_network, conditions.is_unmetered);
        self.has_network && network(self) != network(before)
    }

    /// Whether there is something that was not there before.
    pub(super) fn has_more(self, before: Conditions) -> bool {
        (self.has_network && !before.has_network)
            || (self.is_unmetered && !before.is_unmetered)
            || (self.is_charging && !before.is_charging)
    }
}
