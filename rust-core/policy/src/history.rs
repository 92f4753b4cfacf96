//! Who may read what a conversation already holds. A later question takes the history along, so a text that its own decision kept on the
//! phone must stay there under the next question's task, class and state too.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use whimbrel_privacy::Release;

use crate::document::policy::Endpoint;
use crate::route::What;

/// Who, besides the engine on this device, may read an exchange of the history: everyone whom the exchange's own decision allowed. A place that
/// was allowed but could not answer then (offline, too slow, too expensive) is among them; a place that a rule, a list or a class denied is not.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipients {
    /// No decision was made about the text yet, so nothing was denied.
    #[default]
    Any,
    /// These and no others. Each entry names a place, the form of the text, and for an endpoint its address and trust, so that another server
    /// under the same id is another recipient.
    Only(BTreeSet<String>),
}

impl Recipients {
    /// Nobody but the engine on this device.
    #[must_use]
    pub fn nobody() -> Recipients {
        Recipients::Only(BTreeSet::new())
    }

    /// Those who are in both.
    #[must_use]
    pub fn both(self, other: &Recipients) -> Recipients {
        match (self, other) {
            (Recipients::Any, other) => other.clone(),
            (this, Recipients::Any) => this,
            (Recipients::Only(mut these), Recipients::Only(others)) => {
                these.retain(|recipient| others.contains(recipient));
                Recipients::Only(these)
            }
        }
    }

    pub(crate) fn add(&mut self, what: What<'_>) {
        if let (Recipients::Only(recipients), Some(name)) = (self, name(what)) {
            recipients.insert(name);
        }
    }

    pub(crate) fn include(&self, what: What<'_>) -> bool {
        let Recipients::Only(recipients) = self else {
            return true;
        };
        match what {
            What::Local(_) => true,
            // Whoever may read a text as it is may read it redacted.
            What::Remote(endpoint, Release::Redacted) => {
                let forms = [Release::Redacted, Release::AsIs].map(|release| What::Remote(endpoint, release));
                forms
                    .into_iter()
                    .filter_map(name)
                    .any(|name| recipients.contains(&name))
            }
            what => name(what).is_none_or(|name| recipients.contains(&name)),
        }
    }
}

/// How a recipient is written down; `None` for the engine on this device, which reads everything.
fn name(what: What<'_>) -> Option<String> {
    match what {
        What::Local(_) => None,
        What::System(_) => Some("system_model".to_owned()),
        What::Remote(
            Endpoint {
                id, base_url, trust, ..
            },
            release,
        ) => {
            let form = match release {
                Release::AsIs => "remote",
                Release::Redacted => "redact_then_remote",
            };
            Some(format!("{form}:{id} {} {base_url}", trust.name()))
        }
    }
}
