//! A user's document must never send out a text that would have stayed on the device. The app's policy alone determines what is tried on
//! this device before each place off it. If the user's document removes one of those, nothing is sent out in its place; if it reorders
//! them, they still come first.

use whimbrel_record::Place;

use super::verdict::Verdict;
use super::{Judged, is_same};
use crate::document::policy::Order;
use crate::plan::{Candidate, Reason};
use crate::refusal::{Refusal, Refused};

/// Whether the user's document can have changed what is asked on this device before something leaves: only where something can leave, and
/// something on the device is refused or the order may be another one.
pub(super) fn may_differ(app: &Verdict<'_>, user: &Verdict<'_>, judged: &Judged) -> bool {
    let is_remote = |refused: &Refused| refused.name.contains("remote:");
    judged.allowed.iter().any(|candidate| candidate.place.is_remote())
        && (!judged.refused.iter().all(is_remote) || !is_in_order(app, user, &judged.allowed))
}

/// Whether the candidates are in the order of the app's policy for sure: the user's document has no list, or draws decide, which are the same
/// under both and no two of them equal.
fn is_in_order(app: &Verdict<'_>, user: &Verdict<'_>, allowed: &[Candidate]) -> bool {
    let by_quality = app.order() == Order::Quality;
    if user.list.is_none() {
        return true;
    }
    let drawn = |candidate: &Candidate| candidate.quality.map(|quality| quality.drawn);
    let is_drawn = allowed.windows(2).all(|two| drawn(&two[0]) > drawn(&two[1]));
    let is_same_form = |candidate: &Candidate| !candidate.reasons.contains(&Reason::RedactedForUser);
    by_quality && user.order() == Order::Quality && is_drawn && allowed.iter().all(is_same_form)
}

/// Keeps the law. `alone` is what the app's policy would try without the user's.
pub(super) fn hold(alone: &[Place], allowed: &mut Vec<Candidate>, refused: &mut Vec<Refused>) {
    let mut held: Vec<Candidate> = Vec::with_capacity(allowed.len());
    let mut rest = std::mem::take(allowed);
    while !rest.is_empty() {
        let next = rest.remove(0);
        if next.place.is_remote() {
            let first = asked_before(&next, alone);
            let is_there = |place: &Place| held.iter().chain(&rest).any(|other| is_same(place, &other.place));
            if let Some(missing) = first.clone().find(|place| !is_there(place)) {
                let instead_of = missing.candidate_name(None);
                refused.push(Refused {
                    name: next.name(),
                    reason: Refusal::WouldStay { instead_of },
                    after_candidates: held.len() as u32,
                });
                continue;
            }
            held.extend(rest.extract_if(.., |other| first.clone().any(|place| is_same(place, &other.place))));
        }
        held.push(next);
    }
    *allowed = held;
}

/// What the app's policy alone asks on this device before it lets the text go to this place.
fn asked_before<'a>(remote: &Candidate, alone: &'a [Place]) -> impl Iterator<Item = &'a Place> + Clone {
    let at = alone.iter().position(|place| *place == remote.place);
    let before = alone[..at.unwrap_or(alone.len())].iter();
    before.filter(|place| !place.is_remote())
}
