//! Whether a tool of the app may run when a model calls it: what the documents' rules about tools say. Running tools is the client's part.

use serde::{Deserialize, Serialize};
use whimbrel_privacy::PrivacyClass;

use crate::condition::Range;
use crate::id::Id;
use crate::plan::Reason;

/// Whether a tool may run when a model calls it. A later one is stricter.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolPermission {
    /// It runs without asking.
    Always,
    /// A person is asked each time.
    #[default]
    Confirm,
    /// It does not run.
    Never,
}

impl ToolPermission {
    /// Every use, the least strict first.
    pub const ALL: [ToolPermission; 3] = [ToolPermission::Always, ToolPermission::Confirm, ToolPermission::Never];

    /// The name in documents and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ToolPermission::Always => "always",
            ToolPermission::Confirm => "confirm",
            ToolPermission::Never => "never",
        }
    }
}

/// What the documents say about a tool.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ToolRuling {
    /// Whether it may run.
    pub permission: ToolPermission,
    /// The rule that decided; `None` if what the app says about the tool decided.
    pub reason: Option<Reason>,
}

/// A rule about tools.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolRule {
    pub(crate) id: Id,
    /// The names of the tools; `None` for every tool.
    pub(crate) tools: Option<Vec<Id>>,
    /// The class of the request's text; `None` for every class.
    pub(crate) class: Option<Range<PrivacyClass>>,
    pub(crate) permission: ToolPermission,
}

impl ToolRule {
    pub(crate) fn holds(&self, name: &str, class: PrivacyClass) -> bool {
        let is_named = |tools: &Vec<Id>| tools.iter().any(|tool| **tool == *name);
        self.tools.as_ref().is_none_or(is_named) && self.class.as_ref().is_none_or(|range| range.holds(&class))
    }
}
