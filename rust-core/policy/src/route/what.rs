//! An entry of a list: a model on this device, the system's model, or an endpoint with the form in which the text would be sent.

use std::borrow::Cow;

use whimbrel_privacy::Release;
use whimbrel_record::{Label, Place};

use crate::document::policy::{Denied, Endpoint};
use crate::id::Id;
use crate::request::{LocalModelFacts, SystemModelFacts};

/// Something that a list names, before it is known whether it may and can be done.
#[derive(Clone, Copy, Debug)]
pub(super) enum What<'a> {
    Local(&'a LocalModelFacts),
    System(&'a SystemModelFacts),
    Remote(&'a Endpoint, Release),
}

impl<'a> What<'a> {
    /// Where it would run.
    pub(super) fn place(self) -> Cow<'a, Place> {
        match self {
            What::Local(local) => Cow::Owned(Place::OnDevice {
                model: Label::squeezed(&local.model),
                variant: Label::squeezed(&local.variant),
                hash: Label::squeezed(&local.hash),
            }),
            What::System(system) => Cow::Owned(Place::SystemModel {
                adapter: Label::squeezed(&system.model),
            }),
            What::Remote(endpoint, _) => Cow::Borrowed(endpoint.place()),
        }
    }

    pub(super) fn endpoint_id(self) -> Option<Id> {
        match self {
            What::Remote(endpoint, _) => Some(endpoint.id.clone()),
            _ => None,
        }
    }

    /// In which form the text would leave.
    pub(super) fn release(self) -> Option<Release> {
        match self {
            What::Remote(_, release) => Some(release),
            _ => None,
        }
    }

    pub(super) fn name(self) -> String {
        self.place().candidate_name(self.release())
    }

    /// How it is written down as a recipient, and then every other recipient that includes it: whoever may read a text as it is may read it
    /// redacted. Empty for the engine on this device, which reads everything.
    pub(super) fn recipients(self) -> Vec<String> {
        let name = |endpoint: &Endpoint, form: &str| {
            format!("{form}:{} {} {}", endpoint.id, endpoint.trust.name(), endpoint.base_url)
        };
        match self {
            What::Local(_) => Vec::new(),
            What::System(_) => vec!["system_model".to_owned()],
            What::Remote(endpoint, Release::AsIs) => vec![name(endpoint, "remote")],
            What::Remote(endpoint, Release::Redacted) => {
                vec![name(endpoint, "redact_then_remote"), name(endpoint, "remote")]
            }
        }
    }

    /// Whether a denial holds for it.
    pub(super) fn is_denied(self, denied: &Denied) -> bool {
        match (denied, self) {
            (Denied::Everything, _) => true,
            (Denied::OnDevice, what) => matches!(what, What::Local(_)),
            (Denied::SystemModel, what) => matches!(what, What::System(_)),
            (Denied::OffDevice, what) => matches!(what, What::Remote(..)),
            (Denied::Unredacted, what) => matches!(what, What::Remote(_, Release::AsIs)),
            (Denied::Trust(trust), What::Remote(endpoint, _)) => endpoint.trust == *trust,
            (Denied::Endpoint(id), What::Remote(endpoint, _)) => endpoint.id == *id,
            (Denied::Remote { endpoint, release }, What::Remote(this, form)) => {
                endpoint.includes(&this.id) && form == *release
            }
            _ => false,
        }
    }
}
