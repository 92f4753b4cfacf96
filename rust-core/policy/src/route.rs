//! The decision: a pure function from facts, policies and what was learned to a [`Plan`].
//!
//! Each document gives denials (every rule with `deny` that matches) and one list (the first rule with `try` that matches, or what the
//! document does otherwise). The app's list is the frame; the user's list only takes away from it, asks for redaction, and puts in
//! order; every denial of both holds; limits and facts take away what cannot be done. What is left is tried.

use whimbrel_privacy::{ContentFacts, Release};

use crate::condition::{Facts, Found};
use crate::device::DeviceState;
use crate::document::PolicySet;
use crate::document::policy::{Denied, Endpoint, Limits, Order, Policy, Rule, Step, Steps, Then};
use crate::feasibility::{Feasibility, refusal};
use crate::history::Recipients;
use crate::id::Id;
use crate::learned::Learned;
use crate::limits::LOCAL_MODELS_MAX;
use crate::plan::{
    Bounds, Candidate, Decision, Deferred, Plan, Reason, RuleOutcome, RuleTrace, Target, candidate_name,
};
use crate::refusal::{Refusal, Refused};
use crate::request::{CandidateFacts, LocalModelFacts, RequestFacts, SystemModelFacts, UsedToday};

/// Time for everything when neither the request nor a policy says: two minutes.
pub const DEADLINE_MS_DEFAULT: u64 = 120_000;
/// Time for a candidate's first token when no policy says, in milliseconds.
pub const FIRST_TOKEN_MS_DEFAULT: u64 = 20_000;

/// Everything that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct RouteInput<'a> {
    /// What is asked for.
    pub request: &'a RequestFacts,
    /// What the text gives away.
    pub content: &'a ContentFacts,
    /// The device.
    pub device: &'a DeviceState,
    /// Unix time in milliseconds: the clock of the device's readings, and of what was learned, which fades by it.
    pub now_ms: u64,
    /// The policies.
    pub policies: &'a PolicySet,
    /// What could answer.
    pub candidates: &'a CandidateFacts,
    /// What was used today.
    pub used_today: UsedToday,
    /// What was learned from feedback.
    pub learned: &'a Learned,
    /// Who may read each exchange of the history that the text contains.
    pub history: &'a [Recipients],
}

/// Decides where a request may run.
#[must_use]
pub fn route(input: &RouteInput<'_>) -> Plan {
    let view = input.device.view(input.now_ms);
    let facts = Facts {
        request: input.request,
        content: input.content,
        device: &view,
    };
    let (app, user) = (input.policies.app(), input.policies.user());
    let mut considered = Vec::with_capacity(app.rules.len() + user.map_or(0, |user| user.rules.len()));
    let app = Verdict::of(app, &facts, &mut considered);
    let user = user.map(|user| Verdict::of(user, &facts, &mut considered));
    let limits = effective_limits(input);
    let bounds = bounds(input.request, &limits);

    let feasibility = Feasibility {
        input,
        view: &view,
        limits: &limits,
        bounds: &bounds,
    };
    let mut refused = Vec::new();
    let mut allowed: Vec<Candidate> = Vec::new();
    let mut recipients = Recipients::nobody();
    for option in options(&app, user.as_ref(), input, &mut refused) {
        if allowed.iter().any(|other| option.is_candidate(other)) {
            continue;
        }
        let of_user = || user.as_ref().and_then(|user| user.denial(option.what));
        // What the app's policy refuses in its own form stays refused in the form that the user wants.
        let of_app = || app.denial(option.original).or_else(|| app.denial(option.what));
        let of_history = || history_denial(input.history, option.what);
        let judged = match of_app().or_else(of_user).or_else(of_history) {
            Some(reason) => Err(reason),
            None => refusal(&option.original, &feasibility).and_then(|_| refusal(&option.what, &feasibility)),
        };
        if !judged.as_ref().is_err_and(Refusal::is_denial) {
            recipients.add(option.what);
        }
        match judged {
            Ok(expected) => allowed.push(Candidate {
                target: option.target(),
                release: option.release(),
                reasons: option.reasons,
                expected,
                quality: None,
                class: input.content.class,
                digest: input.content.digest,
            }),
            Err(reason) => {
                let name = candidate_name(&option.target(), option.release());
                refused.push(Refused { name, reason });
            }
        }
    }
    if order(&app, user.as_ref()) == Order::Quality {
        input
            .learned
            .arrange(&mut allowed, &input.request.id, &input.request.task, input.now_ms);
    }
    let deferred = deferred(&app, user.as_ref(), &mut refused);
    Plan {
        decision: decision(&allowed, deferred.as_ref(), &refused),
        candidates: allowed,
        deferred,
        refused,
        considered,
        bounds,
        budget: feasibility.budget(),
        recipients,
    }
}

fn decision(allowed: &[Candidate], deferred: Option<&Deferred>, refused: &[Refused]) -> Decision {
    let by_rule = |refused: &Refused| refused.reason.is_denial();
    if !allowed.is_empty() {
        Decision::Run
    } else if deferred.is_some() {
        Decision::Defer
    } else if refused.iter().all(by_rule) {
        Decision::Denied
    } else {
        Decision::Unavailable
    }
}

/// What an earlier exchange was kept from keeps the whole text from it.
fn history_denial(history: &[Recipients], what: What<'_>) -> Option<Refusal> {
    let exchanges = history.iter().filter(|recipients| !recipients.include(what)).count();
    (exchanges > 0).then_some(Refusal::History {
        exchanges: exchanges as u32,
    })
}

/// The limits that hold: of both documents the stricter.
fn effective_limits(input: &RouteInput<'_>) -> Limits {
    let task = &input.request.task;
    let app = input.policies.app().limits(task);
    match input.policies.user() {
        Some(user) => app.stricter(&user.limits(task)),
        None => app,
    }
}

fn bounds(request: &RequestFacts, limits: &Limits) -> Bounds {
    let deadline_ms = match (limits.deadline_ms, request.deadline_ms) {
        (Some(policy), Some(request)) => policy.min(request),
        (policy, request) => policy.or(request).unwrap_or(DEADLINE_MS_DEFAULT),
    };
    Bounds {
        deadline_ms,
        first_token_ms: limits.first_token_ms.unwrap_or(FIRST_TOKEN_MS_DEFAULT).min(deadline_ms),
        candidate_ms: limits.candidate_ms.unwrap_or(deadline_ms).min(deadline_ms),
    }
}

/// What one document says about one request.
struct Verdict<'a> {
    policy: &'a Policy,
    denials: Vec<&'a Rule>,
    /// `None` in a user's document that leaves it to the app.
    list: Option<&'a Steps>,
    reason: Reason,
}

impl<'a> Verdict<'a> {
    fn of(policy: &'a Policy, facts: &Facts<'_>, considered: &mut Vec<RuleTrace>) -> Self {
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
        let task = policy.tasks.get(&facts.request.task);
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

    fn denial(&self, what: What<'_>) -> Option<Refusal> {
        self.denied_by(|denied| what.is_denied(denied))
    }

    fn denied_by(&self, is_denied: impl Fn(&Denied) -> bool) -> Option<Refusal> {
        let applies = |rule: &&&Rule| match &rule.then {
            Then::Deny(denied) => denied.iter().any(&is_denied),
            Then::Try(_) => false,
        };
        self.denials.iter().find(applies).map(|rule| Refusal::Denied {
            document: self.policy.role,
            rule: rule.id.clone(),
        })
    }

    fn steps(&self) -> &'a [Step] {
        self.list.map_or(&[], |list| &list.steps)
    }

    fn order(&self) -> Order {
        self.list.and_then(|list| list.order).unwrap_or(self.policy.order)
    }

    /// The rule with the list, if it is a rule's.
    fn rule(&self) -> Option<Id> {
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

/// Something that a list names, before it is known whether it may and can be done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What<'a> {
    Local(&'a LocalModelFacts),
    System(&'a SystemModelFacts),
    Remote(&'a Endpoint, Release),
}

impl What<'_> {
    fn is_denied(self, denied: &Denied) -> bool {
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

struct Candidature<'a> {
    /// As the app's list has it.
    original: What<'a>,
    /// As the user's list allows it.
    what: What<'a>,
    reasons: Vec<Reason>,
}

impl Candidature<'_> {
    fn target(&self) -> Target {
        match self.what {
            What::Local(local) => Target::OnDevice {
                model: local.model.as_str().into(),
                variant: local.variant.as_str().into(),
            },
            What::System(system) => Target::SystemModel {
                model: system.model.as_str().into(),
            },
            What::Remote(endpoint, _) => Target::Endpoint {
                id: endpoint.id.clone(),
            },
        }
    }

    fn release(&self) -> Option<Release> {
        match self.what {
            What::Remote(_, release) => Some(release),
            _ => None,
        }
    }

    fn is_candidate(&self, candidate: &Candidate) -> bool {
        match (self.what, candidate.target()) {
            (What::Local(local), Target::OnDevice { model, variant }) => {
                *local.model == **model && *local.variant == **variant
            }
            (What::System(_), Target::SystemModel { .. }) => true,
            (What::Remote(endpoint, form), Target::Endpoint { id }) => {
                endpoint.id == *id && candidate.release() == Some(form)
            }
            _ => false,
        }
    }
}

/// What the app's list names, in its order, or what is left of it and in the user's order where the user's document has a list.
fn options<'a>(
    app: &Verdict<'a>,
    user: Option<&Verdict<'a>>,
    input: &RouteInput<'a>,
    refused: &mut Vec<Refused>,
) -> Vec<Candidature<'a>> {
    let mut options: Vec<Candidature<'a>> = Vec::new();
    for step in app.steps() {
        for what in expand(step, app, input, refused) {
            options.push(Candidature {
                original: what,
                what,
                reasons: vec![app.reason.clone()],
            });
        }
    }
    match user.filter(|user| user.list.is_some()) {
        Some(user) => tighten(options, user, refused),
        None => options,
    }
}

/// What a step stands for; what it cannot stand for is refused.
fn expand<'a>(step: &Step, app: &Verdict<'a>, input: &RouteInput<'a>, refused: &mut Vec<Refused>) -> Vec<What<'a>> {
    let mut refuse = |name: &str, reason: Refusal| {
        let name = name.to_owned();
        refused.push(Refused { name, reason });
    };
    match step {
        Step::Queue => Vec::new(),
        Step::OnDevice => {
            let models = &input.candidates.local_models;
            let (taken, left) = models.split_at(models.len().min(LOCAL_MODELS_MAX as usize));
            if models.is_empty() {
                refuse("on_device", Refusal::NoModel);
            }
            if !left.is_empty() {
                refuse("on_device", Refusal::TooManyModels);
            }
            taken.iter().map(What::Local).collect()
        }
        Step::SystemModel => match &input.candidates.system_model {
            Some(system) => vec![What::System(system)],
            None => {
                refuse("system_model", Refusal::NoModel);
                Vec::new()
            }
        },
        Step::Remote { endpoint, release } => {
            let endpoints = &app.policy.endpoints;
            if endpoints.is_empty() {
                let step = match release {
                    Release::AsIs => "remote:*",
                    Release::Redacted => "redact_then_remote:*",
                };
                refuse(step, Refusal::NoEndpoint);
            }
            let chosen = endpoints.iter().filter(|this| endpoint.includes(&this.id));
            chosen.map(|this| What::Remote(this, *release)).collect()
        }
    }
}

/// Keeps what the user's list has too, in the user's order.
fn tighten<'a>(options: Vec<Candidature<'a>>, user: &Verdict<'a>, refused: &mut Vec<Refused>) -> Vec<Candidature<'a>> {
    let mut kept: Vec<(usize, Candidature<'a>)> = Vec::new();
    for mut option in options {
        let Some((place, what)) = narrow(option.what, user.steps()) else {
            let name = candidate_name(&option.target(), option.release());
            let reason = Refusal::NotInUsersList { rule: user.rule() };
            refused.push(Refused { name, reason });
            continue;
        };
        let before = option.release();
        option.what = what;
        option.reasons.push(user.reason.clone());
        if option.release() != before {
            option.reasons.push(Reason::RedactedForUser);
        }
        kept.push((place, option));
    }
    kept.sort_by_key(|(place, _)| *place);
    kept.into_iter().map(|(_, option)| option).collect()
}

/// The place of something in the user's list, and the form in which the list allows it. Who allows a text to go as it is allows it to go redacted;
/// where the user lists only the redacted form, what the app would send as it is goes redacted.
fn narrow<'a>(what: What<'a>, list: &[Step]) -> Option<(usize, What<'a>)> {
    let place = |wanted: &dyn Fn(&Step) -> bool| list.iter().position(wanted);
    match what {
        What::Local(_) => place(&|step| *step == Step::OnDevice).map(|place| (place, what)),
        What::System(_) => place(&|step| *step == Step::SystemModel).map(|place| (place, what)),
        What::Remote(this, form) => {
            let in_form = |wanted: Release| {
                place(&|step| match step {
                    Step::Remote { endpoint, release } => endpoint.includes(&this.id) && *release == wanted,
                    _ => false,
                })
            };
            let exact = in_form(form).map(|place| (place, what));
            let other = match form {
                Release::AsIs => Release::Redacted,
                Release::Redacted => Release::AsIs,
            };
            exact.or_else(|| in_form(other).map(|place| (place, What::Remote(this, Release::Redacted))))
        }
    }
}

fn order(app: &Verdict<'_>, user: Option<&Verdict<'_>>) -> Order {
    user.filter(|user| user.list.is_some()).unwrap_or(app).order()
}

fn deferred(app: &Verdict<'_>, user: Option<&Verdict<'_>>, refused: &mut Vec<Refused>) -> Option<Deferred> {
    if !app.steps().contains(&Step::Queue) {
        return None;
    }
    let mut reasons = vec![app.reason.clone()];
    let mut refusal = app.denied_by(is_queue_denied);
    if let Some(user) = user {
        refusal = refusal.or_else(|| user.denied_by(is_queue_denied));
        if user.list.is_some() {
            reasons.push(user.reason.clone());
            if !user.steps().contains(&Step::Queue) {
                refusal = refusal.or(Some(Refusal::NotInUsersList { rule: user.rule() }));
            }
        }
    }
    match refusal {
        None => Some(Deferred { reasons }),
        Some(reason) => {
            let name = "queue".to_owned();
            refused.push(Refused { name, reason });
            None
        }
    }
}

fn is_queue_denied(denied: &Denied) -> bool {
    matches!(denied, Denied::Everything | Denied::Queue)
}
