//! The places where a request can run.

use serde::{Deserialize, Serialize};
use whimbrel_privacy::Release;

use crate::Label;

/// Who operates an endpoint.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustClass {
    /// Another device of the user, nearby.
    OwnDevice,
    /// The user's organisation.
    Organisation,
    /// Anyone else.
    PublicCloud,
}

impl TrustClass {
    /// Every class, most trusted first.
    pub const ALL: [TrustClass; 3] = [TrustClass::OwnDevice, TrustClass::Organisation, TrustClass::PublicCloud];

    /// The word in the ledger and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TrustClass::OwnDevice => "own_device",
            TrustClass::Organisation => "organisation",
            TrustClass::PublicCloud => "public_cloud",
        }
    }
}

/// A place where a request ran, or could run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Place {
    /// Whimbrel's own engine.
    OnDevice {
        /// The model's name.
        model: Label,
        /// The quantisation.
        variant: Label,
        /// The hash in the bundle's manifest, in hexadecimal digits.
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
        /// Who operates the endpoint.
        trust: TrustClass,
        /// The requested model.
        model: Label,
    },
}

impl Place {
    /// Whether text leaves the device to reach it.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self, Place::Remote { .. })
    }

    /// Its name in plans and in learning: `on_device:smollm2/q4_1`, `system_model:gemini-nano`, `remote:house`, `redact_then_remote:house`.
    /// `release` is the form in which the text would leave; it only matters for remote places.
    ///
    /// ```
    /// use whimbrel_privacy::Release;
    /// use whimbrel_record::{Label, Place, TrustClass};
    ///
    /// let house = Place::Remote {
    ///     endpoint: Label::new("house")?,
    ///     trust: TrustClass::Organisation,
    ///     model: Label::new("large")?,
    /// };
    /// assert_eq!(house.candidate_name(Some(Release::AsIs)), "remote:house");
    /// assert_eq!(house.candidate_name(Some(Release::Redacted)), "redact_then_remote:house");
    /// # Ok::<(), whimbrel_record::LabelError>(())
    /// ```
    #[must_use]
    pub fn candidate_name(&self, release: Option<Release>) -> String {
        match (self, release) {
            (Place::OnDevice { model, variant, .. }, _) => format!("on_device:{model}/{variant}"),
            (Place::SystemModel { adapter }, _) => format!("system_model:{adapter}"),
            (Place::Remote { endpoint, .. }, Some(Release::Redacted)) => format!("redact_then_remote:{endpoint}"),
            (Place::Remote { endpoint, .. }, _) => format!("remote:{endpoint}"),
        }
    }
}

/// Kinds of places, for selecting receipts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// Whimbrel's own engine.
    OnDevice,
    /// The operating system's model.
    SystemModel,
    /// Another device of the user.
    OwnDevice,
    /// A machine of the organisation.
    Organisation,
    /// A public cloud.
    PublicCloud,
}

impl PlaceKind {
    /// Every kind.
    pub const ALL: [PlaceKind; 5] = [
        PlaceKind::OnDevice,
        PlaceKind::SystemModel,
        PlaceKind::OwnDevice,
        PlaceKind::Organisation,
        PlaceKind::PublicCloud,
    ];

    /// The kind of a place.
    #[must_use]
    pub fn of(place: &Place) -> PlaceKind {
        match place {
            Place::OnDevice { .. } => PlaceKind::OnDevice,
            Place::SystemModel { .. } => PlaceKind::SystemModel,
            Place::Remote { trust, .. } => match trust {
                TrustClass::OwnDevice => PlaceKind::OwnDevice,
                TrustClass::Organisation => PlaceKind::Organisation,
                TrustClass::PublicCloud => PlaceKind::PublicCloud,
            },
        }
    }

    /// The word in the ledger and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PlaceKind::OnDevice => "on_device",
            PlaceKind::SystemModel => "system_model",
            PlaceKind::OwnDevice => "own_device",
            PlaceKind::Organisation => "organisation",
            PlaceKind::PublicCloud => "public_cloud",
        }
    }
}

/// How a sentence refers to the device.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_have_one_name() {
        let label = Label::squeezed;
        let check = |place: &Place, as_is: &str, redacted: &str| {
            let names =
                [None, Some(Release::AsIs), Some(Release::Redacted)].map(|release| place.candidate_name(release));
            assert_eq!(names, [as_is, as_is, redacted]);
        };
        let local = Place::OnDevice {
            model: label("smollm2"),
            variant: label("q4_1"),
            hash: label("ab"),
        };
        check(&local, "on_device:smollm2/q4_1", "on_device:smollm2/q4_1");
        let adapter = label("gemini-nano");
        let system = Place::SystemModel { adapter };
        check(&system, "system_model:gemini-nano", "system_model:gemini-nano");
        let house = Place::Remote {
            endpoint: label("house"),
            trust: TrustClass::Organisation,
            model: label("large"),
        };
        check(&house, "remote:house", "redact_then_remote:house");
    }
}
