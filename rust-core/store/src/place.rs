//! Where a request can run.

use serde::{Deserialize, Serialize};

use crate::Label;

/// Whose machine an endpoint is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustClass {
    /// Another device of the same person, nearby.
    OwnDevice,
    /// A machine of the person's organisation.
    Organisation,
    /// Anybody else's.
    PublicCloud,
}

/// Where a request ran, or was to run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Place {
    /// Whimbrel's own engine.
    OnDevice {
        /// The model's name.
        model: Label,
        /// Which quantisation of it.
        variant: Label,
        /// The hash that the bundle's manifest states, in hexadecimal digits.
        hash: Label,
    },
    /// The operating system's model, through an adapter of the app.
    SystemModel {
        /// The adapter's name.
        adapter: Label,
    },
    /// An endpoint of the policy.
    Remote {
        /// The endpoint's id.
        endpoint: Label,
        /// Whose machine it is.
        trust: TrustClass,
        /// The model that was asked for.
        model: Label,
    },
}

impl Place {
    /// Whether text leaves the device to get there.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self, Place::Remote { .. })
    }
}

/// What the device is called in a sentence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Host {
    /// "this phone"
    Phone,
    /// "this tablet"
    Tablet,
    /// "this computer"
    Computer,
}

impl Host {
    /// The words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Host::Phone => "this phone",
            Host::Tablet => "this tablet",
            Host::Computer => "this computer",
        }
    }
}
