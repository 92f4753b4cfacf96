//! The decision: a pure function from facts, policies and what was learned to a [`Plan`].
//!
//! Each document gives denials (from every matching `deny` rule) and one list (from the first matching `try` rule, or its `otherwise`). The
//! user's list can only remove places from the app's list, require redaction, and change the order. The denials of both documents apply.
//! Limits and facts remove places that are unavailable. The rest is tried, except that a text that would stay on the device under the app's
//! policy alone also stays there under both.

mod feasibility;
mod input;
mod options;
mod staying;
mod verdict;
mod what;

use std::sync::Arc;

use whimbrel_privacy::PrivacyClass;
use whimbrel_record::Place;

use self::feasibility::{Feasibility, refusal};
pub use self::input::RouteInput;
use self::options::{Candidature, options};
use self::verdict::Verdict;
use crate::condition::Facts;
use crate::device::DeviceView;
use crate::document::policy::{Denied, Limits, Order, Step};
use crate::history::Recipients;
use crate::plan::{Bounds, Budget, Candidate, Decision, Deferred, Plan};
use crate::refusal::{Refusal, Refused};
use crate::request::RequestFacts;

/// The deadline if neither the request nor a policy sets one: two minutes.
pub const DEADLINE_MS_DEFAULT: u64 = 120_000;
/// The timeout for a candidate's first token if no policy sets one, in milliseconds.
pub const FIRST_TOKEN_MS_DEFAULT: u64 = 20_000;
/// The highest class of requests whose answers are remembered if the app's policy does not say.
pub const REMEMBERED_CLASS_MAX_DEFAULT: PrivacyClass = PrivacyClass::Public;
/// How long answers are remembered if the app's policy does not say, in days.
pub const REMEMBERED_DAYS_DEFAULT: u32 = 30;
pub(crate) const DAY_MS: u64 = 24 * 3_600_000;

/// Decides where a request may run.
///
/// ```
/// use whimbrel_policy::{
///     CandidateFacts, Decision, DeviceState, Learned, LocalModelFacts, PolicySet, Preset, RequestFacts, RouteInput, UsedToday,
///     route,
/// };
/// use whimbrel_privacy::{Draft, Scanner, ScannerOptions};
///
/// let scanner = Scanner::new(ScannerOptions::default()).unwrap();
/// let examined = scanner.examine(Draft::default()).unwrap();
/// let model = LocalModelFacts {
///     model: "smollm2".to_owned(),
///     variant: "q4_1".to_owned(),
///     ready: true,
///     ..LocalModelFacts::default()
/// };
/// let plan = route(&RouteInput {
///     request: &RequestFacts::default(),
///     content: examined.facts(),
///     device: &DeviceState::default(),
///     now_ms: 1_795_420_800_000,
///     policies: &PolicySet::new(Preset::Private.policy("")?, None)?,
///     candidates: &CandidateFacts { local_models: vec![model], ..CandidateFacts::default() },
///     used_today: UsedToday::default(),
///     learned: &Learned::default(),
///     history: &[],
///     excluded: &[],
/// });
/// assert_eq!(plan.decision, Decision::Run);
/// assert_eq!(plan.candidates[0].name(), "on_device:smollm2/q4_1");
/// assert!(!plan.candidates[0].place().is_remote());
/// # Ok::<(), whimbrel_policy::PolicyError>(())
/// ```
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
    let limits_of_app = input.policies.app().limits(&input.request.task);
    let limits = effective_limits(input);
    let mut judged = judge(input, &view, (&app, user.as_ref()), &limits);
    if let Some(user) = &user
        && staying::may_differ(&app, user, &judged)
    {
        let alone = alone(input, &view, &app, &limits_of_app, &judged.allowed);
        staying::hold(&alone, &mut judged.allowed, &mut judged.refused);
    }
    let Judged {
        allowed,
        mut refused,
        recipients,
        budget,
    } = judged;
    let deferred = deferred(&app, user.as_ref(), &mut refused);
    Plan {
        decision: decision(&allowed, deferred.as_ref(), &refused),
        candidates: allowed,
        deferred,
        refused,
        considered,
        bounds: bounds(input.request, &limits),
        bounds_staying: bounds(input.request, &limits_of_app),
        budget,
        budget_of_day: Budget {
            cost_micros: limits.cost_a_day_micros,
            network_bytes: limits.metered_bytes_a_day,
        },
        remembered_ms: remembered_ms(input.content.class, &limits_of_app, &limits),
        recipients,
    }
}

/// What the documents and the facts come to.
struct Judged {
    /// What may and can be done, in order.
    allowed: Vec<Candidate>,
    refused: Vec<Refused>,
    recipients: Recipients,
    budget: Budget,
}

/// Goes through everything that the lists name.
fn judge<'a>(
    input: &RouteInput<'a>,
    view: &DeviceView,
    (app, user): (&Verdict<'a>, Option<&Verdict<'a>>),
    limits: &Limits,
) -> Judged {
    let feasibility = Feasibility {
        input,
        view,
        limits,
        bounds: &bounds(input.request, limits),
    };
    let mut judged = Judged {
        allowed: Vec::new(),
        refused: Vec::new(),
        recipients: Recipients::nobody(),
        budget: feasibility.budget(),
    };
    for option in options(app, user, input, &mut judged.refused) {
        let (place, release) = (option.what.place(), option.what.release());
        let is_known = |other: &Candidate| other.release == release && is_same(&other.place, &place);
        if judged.allowed.iter().any(is_known) {
            continue;
        }
        let names = option.what.recipients();
        let refusal = match denial(input, app, user, &option) {
            Some(denial) => Err(denial),
            None => refusal(&option.original, &feasibility)
                .and_then(|_| refusal(&option.what, &feasibility))
                // Last, so that what is left out only this once does not pass for a place that may read the text.
                .and_then(|expected| match input.excluded.contains(&place) {
                    true => Err(Refusal::Excluded),
                    false => Ok(expected),
                }),
        };
        if !refusal.as_ref().is_err_and(Refusal::is_denial) {
            judged.recipients.add(&names);
        }
        match refusal {
            Ok(expected) => judged.allowed.push(Candidate {
                place: place.into_owned(),
                endpoint: option.what.endpoint_id(),
                release,
                reasons: option.reasons,
                expected,
                quality: None,
                class: input.content.class,
                digest: Some(input.content.digest),
            }),
            Err(reason) => {
                let name = place.candidate_name(release);
                judged.refused.push(Refused {
                    name,
                    reason,
                    after_candidates: judged.allowed.len() as u32,
                });
            }
        }
    }
    if order(app, user) == Order::Quality {
        let request = input.request;
        input
            .learned
            .arrange(&mut judged.allowed, &request.id, &request.task, input.now_ms);
    }
    judged
}

/// The places that the app's policy alone would try, in order. What is known of `judged` is not found out again.
fn alone<'a>(
    input: &RouteInput<'a>,
    view: &DeviceView,
    app: &Verdict<'a>,
    limits: &Limits,
    judged: &[Candidate],
) -> Vec<Place> {
    let feasibility = Feasibility {
        input,
        view,
        limits,
        bounds: &bounds(input.request, limits),
    };
    let by_quality = app.order() == Order::Quality;
    let mut places: Vec<(Place, f64)> = Vec::new();
    for option in options(app, None, input, &mut Vec::new()) {
        let place = option.what.place();
        let release = option.what.release();
        let same = judged
            .iter()
            .find(|other| other.release == release && other.place == *place);
        // What may be tried under both documents may be under one.
        let may_run = same.is_some()
            || denial(input, app, None, &option).is_none()
                && !input.excluded.contains(&place)
                && refusal(&option.what, &feasibility).is_ok();
        if !may_run {
            continue;
        }
        let quality = match same.and_then(|same| same.quality) {
            Some(quality) => Some(quality.drawn),
            None if by_quality => {
                let (request, name) = (input.request, place.candidate_name(release));
                let quality = input.learned.quality(&request.id, &request.task, &name, input.now_ms);
                quality.map(|quality| quality.drawn)
            }
            None => None,
        };
        places.push((place.into_owned(), quality.unwrap_or(0.0)));
    }
    if by_quality {
        places.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    }
    places.into_iter().map(|(place, _)| place).collect()
}

/// What forbids something, whatever the device can do now: a rule of one of the documents, or what the history was kept from.
fn denial(
    input: &RouteInput<'_>,
    app: &Verdict<'_>,
    user: Option<&Verdict<'_>>,
    option: &Candidature<'_>,
) -> Option<Refusal> {
    // What the app's policy refuses in its own form stays refused in the form that the user wants.
    let in_other_form = || {
        let is_other = option.original.release() != option.what.release();
        is_other.then(|| app.denial(option.what)).flatten()
    };
    let of_history = || match input.history {
        [] => None,
        history => history_denial(history, &option.what.recipients()),
    };
    app.denial(option.original)
        .or_else(in_other_form)
        .or_else(|| user?.denial(option.what))
        .or_else(of_history)
}

/// Whether two places are one to a person: models of this device are told apart by their names.
fn is_same(one: &Place, other: &Place) -> bool {
    match (one, other) {
        (
            Place::OnDevice { model, variant, .. },
            Place::OnDevice {
                model: other_model,
                variant: other_variant,
                ..
            },
        ) => model == other_model && variant == other_variant,
        _ => one == other,
    }
}

fn decision(allowed: &[Candidate], deferred: Option<&Deferred>, refused: &[Refused]) -> Decision {
    let by_rule = |refused: &Refused| refused.reason.is_denial() || matches!(refused.reason, Refusal::WouldStay { .. });
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

/// What an earlier message was kept from keeps the whole text from it.
fn history_denial(history: &[Arc<Recipients>], names: &[String]) -> Option<Refusal> {
    let messages = history.iter().filter(|recipients| !recipients.include(names)).count();
    (messages > 0).then_some(Refusal::History {
        messages: messages as u32,
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

/// How long an answer to a text of this class is remembered. What the app does not say is the default, which a user's document can only lower.
fn remembered_ms(class: PrivacyClass, app: &Limits, both: &Limits) -> Option<u64> {
    let class_max = app.remembered_class_max.unwrap_or(REMEMBERED_CLASS_MAX_DEFAULT);
    let days = app.remembered_days.unwrap_or(REMEMBERED_DAYS_DEFAULT);
    let class_max = both.remembered_class_max.map_or(class_max, |both| both.min(class_max));
    let days = both.remembered_days.map_or(days, |both| both.min(days));
    (class <= class_max && days > 0).then_some(u64::from(days) * DAY_MS)
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
            // Waiting is always the last step.
            refused.push(Refused {
                name,
                reason,
                after_candidates: u32::MAX,
            });
            None
        }
    }
}

fn is_queue_denied(denied: &Denied) -> bool {
    matches!(denied, Denied::Everything | Denied::Queue)
}
