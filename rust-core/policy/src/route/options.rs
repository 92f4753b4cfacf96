//! The places in the lists: the user's list removes places from the app's list and orders them.

use whimbrel_privacy::Release;

use super::input::RouteInput;
use super::verdict::Verdict;
use super::what::What;
use crate::document::policy::Step;
use crate::limits::LOCAL_MODELS_MAX;
use crate::plan::Reason;
use crate::refusal::{Refusal, Refused};

/// Something that is left of the lists, with the reasons for it.
pub(super) struct Candidature<'a> {
    /// As the app's list has it.
    pub(super) original: What<'a>,
    /// As the user's list allows it.
    pub(super) what: What<'a>,
    pub(super) reasons: Vec<Reason>,
}

/// What the app's list names, in its order, or what is left of it and in the user's order where the user's document has a list.
pub(super) fn options<'a>(
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
        refused.push(Refused {
            name,
            reason,
            after_candidates: 0,
        });
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
            let name = option.what.name();
            let reason = Refusal::NotInUsersList { rule: user.rule() };
            refused.push(Refused {
                name,
                reason,
                after_candidates: 0,
            });
            continue;
        };
        let before = option.what.release();
        option.what = what;
        option.reasons.push(user.reason.clone());
        if option.what.release() != before {
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
