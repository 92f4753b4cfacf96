//! What a user's document may not do: send a text out that would have stayed. The app's policy alone says what is asked on this device before
//! each place off it; where the user's document takes one of those away, nothing leaves in its place, and where it puts them in another
//! order, they still come first.

use crate::plan::Candidate;
use crate::refusal::{Refusal, Refused};

/// Keeps the law. `alone` is what the app's policy would try without the user's.
pub(super) fn hold(alone: &[Candidate], allowed: &mut Vec<Candidate>, refused: &mut Vec<Refused>) {
    let mut held: Vec<Candidate> = Vec::with_capacity(allowed.len());
    let mut rest = std::mem::take(allowed);
    while !rest.is_empty() {
        let next = rest.remove(0);
        if next.place.is_remote() {
            let first = asked_before(&next, alone);
            let is_there = |place: &&Candidate| held.iter().chain(&rest).any(|other| is_same(place, other));
            if let Some(missing) = first.iter().find(|place| !is_there(place)) {
                let instead_of = missing.name();
                refused.push(Refused {
                    name: next.name(),
                    reason: Refusal::WouldStay { instead_of },
                });
                continue;
            }
            held.extend(rest.extract_if(.., |other| first.iter().any(|place| is_same(place, other))));
        }
        held.push(next);
    }
    *allowed = held;
}

/// What the app's policy alone asks on this device before it lets the text go to this place.
fn asked_before<'a>(remote: &Candidate, alone: &'a [Candidate]) -> Vec<&'a Candidate> {
    let at = alone.iter().position(|candidate| candidate.place == remote.place);
    let before = alone[..at.unwrap_or(alone.len())].iter();
    before.filter(|candidate| !candidate.place.is_remote()).collect()
}

fn is_same(one: &Candidate, other: &Candidate) -> bool {
    super::is_same(&one.place, &other.place)
}
