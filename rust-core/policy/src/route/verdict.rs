//! What one document says about one request: its denials, and the one list that applies.

use super::what::What;
use crate::condition::{Facts, Found};
use crate::document::policy::{Denied, Order, Policy, Rule, Step, Steps, Then};
use crate::id::Id;
use crate::plan::{Reason, RuleOutcome, RuleTrace};
use crate::refusal::Refusal;
use crate::request::task_key;

/// What one document says about one request.
pub(super) struct Verdict<'a> {
    pub(super) policy: &'a Policy,
    denials: Vec<&'a Rule>,
    /// `None` in a user's document that leaves it to the app.
    pub(super) list: Option<&'a Steps>,
    pub(super) reason: Reason,
}

impl<'a> Verdict<'a> {
    pub(super) fn of(policy: &'a Policy, facts: &Facts<'_>, considered: &mut Vec<RuleTrace>) -> Self {
        let document = policy.role;
        let mut denials = Vec::new();
        let mut decided: Option<(&Steps, Reason)> = None;
        for rule in &policy.rules {
            let outcome = match &rule.then {
                Then::Try(_) if decided.is_some() => RuleOutcome::NotReached,
                then => match matches(rule, facts) {
                    Err((condition, found)) => RuleOutcome::DoesNotMatch { condition, found },
                    Ok(assumed) => match then {
                        Then::Deny(_) => {
                            denials.push(rule);
                            RuleOutcome::Denies { assumed }
                        }
                        Then::Try(steps) => {
                            let rule = rule.id.clone();
                            decided = Some((steps, Reason::Rule { document, rule }));
                            RuleOutcome::Decides { assumed }
                        }
                    },
                },
            };
            let rule = rule.id.clone();
            considered.push(RuleTrace {
                document,
                rule,
                outcome,
            });
        }
        let task = policy.tasks.get(&task_key(&facts.request.task));
        let of_task = || Some((task?.otherwise.as_ref()?, Reason::TaskOtherwise { document }));
        let general = || Some((policy.otherwise.as_ref()?, Reason::Otherwise { document }));
        let (list, reason) = match decided.or_else(of_task).or_else(general) {
            Some((steps, reason)) => (Some(steps), reason),
            None => (None, Reason::Otherwise { document }),
        };
        Self {
            policy,
            denials,
            list,
            reason,
        }
    }

    pub(super) fn denial(&self, what: What<'_>) -> Option<Refusal> {
        self.denied_by(|denied| what.is_denied(denied))
    }

    pub(super) fn denied_by(&self, is_denied: impl Fn(&Denied) -> bool) -> Option<Refusal> {
        let applies = |rule: &&&Rule| match &rule.then {
            Then::Deny(denied) => denied.iter().any(&is_denied),
            Then::Try(_) => false,
        };
        self.denials.iter().find(applies).map(|rule| Refusal::Denied {
            document: self.policy.role,
            rule: rule.id.clone(),
        })
    }

    pub(super) fn steps(&self) -> &'a [Step] {
        self.list.map_or(&[], |list| &list.steps)
    }

    pub(super) fn order(&self) -> Order {
        self.list.and_then(|list| list.order).unwrap_or(self.policy.order)
    }

    /// The rule with the list, if it is a rule's.
    pub(super) fn rule(&self) -> Option<Id> {
        match &self.reason {
            Reason::Rule { rule, .. } => Some(rule.clone()),
            _ => None,
        }
    }
}

/// Whether a rule matches, and if so which condition held only because its reading is unknown.
fn matches(rule: &Rule, facts: &Facts<'_>) -> Result<Option<&'static str>, (&'static str, Found)> {
    let mut assumed = None;
    for condition in &rule.when {
        match condition.obstacle(facts) {
            None => {}
            Some(Found::Unknown) if rule.unknown_matches => assumed = assumed.or(Some(condition.name())),
            Some(found) => return Err((condition.name(), found)),
        }
    }
    Ok(assumed)
}
