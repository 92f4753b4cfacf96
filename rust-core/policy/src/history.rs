//! Who may read the messages that a conversation already contains. A later question includes the history, so a text that its own decision
//! kept on the phone must stay there, whatever the next question's task, class and state.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Who, apart from the engine on this device, may read a message of the history: every place that its own decision allowed. A place that
/// was allowed but unavailable then (offline, too slow, too expensive) is included; a place that a rule, a list or a class denied is not.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipients {
    /// No decision was made about the text yet, so every place may read it.
    #[default]
    Any,
    /// Only these places. Each entry names a place, the form of the text, and for an endpoint its address and trust class, so that another
    /// server with the same id is another recipient.
    Only(BTreeSet<String>),
}

impl Recipients {
    /// Only the engine on this device.
    #[must_use]
    pub fn nobody() -> Recipients {
        Recipients::Only(BTreeSet::new())
    }

    /// The recipients that are in both.
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

    /// Adds a place by the first of its names.
    pub(crate) fn add(&mut self, names: &[String]) {
        if let (Recipients::Only(recipients), Some(name)) = (self, names.first()) {
            recipients.insert(name.clone());
        }
    }

    /// Whether a place with these names may read the text. One without a name is the engine on this device.
    pub(crate) fn include(&self, names: &[String]) -> bool {
        match self {
            Recipients::Any => true,
            Recipients::Only(recipients) => names.is_empty() || names.iter().any(|name| recipients.contains(name)),
        }
    }
}
