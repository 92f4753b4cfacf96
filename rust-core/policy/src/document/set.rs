//! The two documents that decide together: the app's, and the user's, which can only make it stricter.

use std::sync::Arc;

use whimbrel_privacy::PrivacyClass;

use super::error::{PolicyError, PolicyErrorReason as Reason};
use super::policy::{Policy, PolicyRole};
use super::telemetry::Telemetry;
use crate::plan::Reason as Because;
use crate::telemetry::TelemetryRules;
use crate::tool::{ToolPermission, ToolRuling};

/// An app's policy and optionally a user's. Cheap to clone: a decision works on a clone, so replacing the policies never changes a decision
/// in progress.
///
/// ```
/// use whimbrel_policy::{Format, Policy, PolicySet, Preset};
///
/// let app = Preset::OnDeviceFirst.policy("")?;
/// let user = "version = 1\nname = \"mine\"\nrole = \"user\"\n[[rules]]\nid = \"stay\"\ndeny = [\"off_device\"]";
/// let policies = PolicySet::new(app, Some(Policy::parse(user, Format::Toml)?))?;
/// assert_eq!(policies.user().map(Policy::name), Some("mine"));
/// # Ok::<(), whimbrel_policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PolicySet {
    app: Arc<Policy>,
    user: Option<Arc<Policy>>,
}

impl PolicySet {
    /// Combines the documents.
    ///
    /// # Errors
    /// A document has the wrong role, or the user's document names an endpoint that the app's does not have.
    pub fn new(app: Policy, user: Option<Policy>) -> Result<Self, PolicyError> {
        check_role(&app, PolicyRole::App)?;
        if let Some(user) = &user {
            check_role(user, PolicyRole::User)?;
            check_endpoints(&app, user)?;
        }
        Ok(Self {
            app: Arc::new(app),
            user: user.map(Arc::new),
        })
    }

    /// Replaces both documents for all further decisions.
    ///
    /// # Errors
    /// As [`PolicySet::new`]; both documents are then unchanged.
    pub fn replace(&mut self, app: Policy, user: Option<Policy>) -> Result<(), PolicyError> {
        *self = Self::new(app, user)?;
        Ok(())
    }

    /// Replaces or removes the user's document.
    ///
    /// # Errors
    /// As [`PolicySet::new`]; both documents are then unchanged.
    pub fn replace_user(&mut self, user: Option<Policy>) -> Result<(), PolicyError> {
        self.replace((*self.app).clone(), user)
    }

    /// The app's policy.
    #[must_use]
    pub fn app(&self) -> &Policy {
        &self.app
    }

    /// The user's policy.
    #[must_use]
    pub fn user(&self) -> Option<&Policy> {
        self.user.as_deref()
    }

    /// Whether a tool may run when a model calls it. `class` is the class of everything that the request contains. `of_app` is what the app
    /// itself says about the tool; it holds if the app's document has no rule about it. In each document the first matching rule decides,
    /// and the stricter of both documents wins.
    ///
    /// ```
    /// use whimbrel_policy::{Format, Policy, PolicySet, Preset, ToolPermission};
    /// use whimbrel_privacy::PrivacyClass;
    ///
    /// let app = Preset::OnDeviceFirst.policy("[[tools]]\nid = \"harmless\"\nwhen = { tool = [\"weather\"] }\nuse = \"always\"")?;
    /// let user = "version = 1\nname = \"mine\"\nrole = \"user\"\n[[tools]]\nid = \"ask-me\"\nuse = \"confirm\"";
    /// let alone = PolicySet::new(app.clone(), None)?;
    /// let ruling = alone.tool_permission("weather", PrivacyClass::Public, ToolPermission::Confirm);
    /// assert_eq!(ruling.permission, ToolPermission::Always);
    /// let both = PolicySet::new(app, Some(Policy::parse(user, Format::Toml)?))?;
    /// let ruling = both.tool_permission("weather", PrivacyClass::Public, ToolPermission::Confirm);
    /// assert_eq!(ruling.permission, ToolPermission::Confirm);
    /// assert_eq!(ruling.reason.unwrap().to_string(), "the user's rule ask-me");
    /// # Ok::<(), whimbrel_policy::PolicyError>(())
    /// ```
    #[must_use]
    pub fn tool_permission(&self, name: &str, class: PrivacyClass, of_app: ToolPermission) -> ToolRuling {
        let app = self.app.tool_ruling(name, class).unwrap_or(ToolRuling {
            permission: of_app,
            reason: None,
        });
        let user = self.user.as_ref().and_then(|user| user.tool_ruling(name, class));
        user.filter(|user| user.permission > app.permission).unwrap_or(app)
    }

    /// What may be sent about the app's requests, where to and how much, under both documents. `None` if the app's document has no section
    /// about it. If the user's document switches off both signals, the rules have neither.
    ///
    /// ```
    /// use whimbrel_policy::{Format, Policy, PolicySet, Preset};
    ///
    /// let section = "[telemetry]\nurl = \"https://metrics.example.com\"\nservice = \"my-app\"\ntrust = \"organisation\"";
    /// let app = Preset::OnDeviceFirst.policy(section)?;
    /// let user = "version = 1\nname = \"mine\"\nrole = \"user\"\n[telemetry]\ntraces = false";
    /// let policies = PolicySet::new(app, Some(Policy::parse(user, Format::Toml)?))?;
    /// let rules = policies.telemetry().expect("the app's document has the section");
    /// assert_eq!((rules.metrics, rules.traces, rules.bytes_a_day), (true, false, 50_000));
    /// # Ok::<(), whimbrel_policy::PolicyError>(())
    /// ```
    #[must_use]
    pub fn telemetry(&self) -> Option<TelemetryRules> {
        let Some(Telemetry::Rules(rules)) = &self.app.telemetry else {
            return None;
        };
        let mut rules = (**rules).clone();
        if let Some(Telemetry::Only(signals)) = self.user.as_ref().and_then(|user| user.telemetry.as_ref()) {
            rules.metrics &= signals.metrics;
            rules.traces &= signals.traces;
        }
        Some(rules)
    }
}

impl Policy {
    /// What the first matching rule of this document says.
    fn tool_ruling(&self, name: &str, class: PrivacyClass) -> Option<ToolRuling> {
        let rule = self.tools.iter().find(|rule| rule.holds(name, class))?;
        let (document, id) = (self.role, rule.id.clone());
        Some(ToolRuling {
            permission: rule.permission,
            reason: Some(Because::Rule { document, rule: id }),
        })
    }
}

fn check_role(policy: &Policy, expected: PolicyRole) -> Result<(), PolicyError> {
    if policy.role == expected {
        return Ok(());
    }
    Err(PolicyError {
        line: 0,
        column: 0,
        path: "role".to_owned(),
        reason: Reason::WrongRole {
            expected: expected.name(),
            found: policy.role.name(),
        },
    })
}

fn check_endpoints(app: &Policy, user: &Policy) -> Result<(), PolicyError> {
    let is_unknown = |id: &str| !app.endpoints.iter().any(|endpoint| *endpoint.id == *id);
    match user.named_endpoints.iter().find(|named| is_unknown(&named.id)) {
        None => Ok(()),
        Some(named) => Err(PolicyError {
            line: named.line,
            column: named.column,
            path: named.path.clone(),
            reason: Reason::UnknownEndpoint {
                id: named.id.to_string(),
            },
        }),
    }
}
