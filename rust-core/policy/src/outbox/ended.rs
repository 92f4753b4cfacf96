//! How an attempt that begins or ends changes its request.

use super::clock::{Moment, Span};
use super::conditions::{Conditions, Constraints};
use super::entry::{EndsEarly, Entry, State, Stuck};
use super::failure::{Failure, Remedy};
use super::message::{AttemptResult, Command, Decided, Notice};
use super::{BACKOFF_MS_BASE, BACKOFF_MS_MAX, LEASE_MS_BEYOND, Outbox, RETRY_AFTER_MS_MAX, WAIT_MS_LEAST, persist};

/// The wait after failure `failure` in a row (1 is the first): exponential, with jitter. It is between half of the backoff and all of it,
/// chosen by `random`, so that devices that failed together do not retry together.
#[must_use]
pub fn backoff_ms(failure: u32, random: u32) -> u64 {
    let whole = (BACKOFF_MS_BASE << failure.saturating_sub(1).min(16)).min(BACKOFF_MS_MAX);
    whole / 2 + u64::from(random) * (whole - whole / 2) / u64::from(u32::MAX)
}

impl Outbox {
    pub(super) fn began(
        &mut self,
        now: Moment,
        (id, number): (u64, u64),
        decided: Decided,
        deadline_ms: u64,
        commands: &mut Vec<Command>,
    ) {
        let Some(entry) = self.entry_mut(id).filter(|entry| entry.lease == number) else {
            return;
        };
        if let State::Leased { lease, .. } = &mut entry.state {
            entry.decided = Some(decided);
            let lasts_ms = deadline_ms.saturating_add(LEASE_MS_BEYOND);
            if lasts_ms > lease.left_ms(now) {
                *lease = Span::new(lasts_ms, now);
                commands.push(persist(entry));
            }
        }
    }

    pub(super) fn ended(
        &mut self,
        now: Moment,
        (id, number): (u64, u64),
        result: AttemptResult,
        commands: &mut Vec<Command>,
    ) {
        let (session, conditions, paid_max) = (self.session, self.conditions, self.options.paid_failures_max);
        // A report with an older number is of an attempt that was given up, and whose request was sent again or edited since.
        let Some(entry) = self.entry_mut(id).filter(|entry| entry.lease == number) else {
            return;
        };
        match result {
            // Also from an attempt whose lease is over: there is an answer, and no other attempt.
            AttemptResult::Answered => return self.remove(id, Notice::Answered, commands),
            _ if !entry.is_leased() => return,
            AttemptResult::Cancelled => return self.remove(id, Notice::Cancelled, commands),
            AttemptResult::Stopped => entry.state = State::Waiting,
            AttemptResult::Denied => entry.state = State::Stuck { why: Stuck::Denied },
            AttemptResult::Deferred { needs } => defer(entry, needs, conditions, session, now),
            AttemptResult::Failed(failure) => fail(entry, failure, paid_max, session, now),
        }
        commands.push(persist(entry));
    }
}

/// It waits for conditions, or for a time if those are met and the policy has other reasons.
fn defer(entry: &mut Entry, needs: Constraints, conditions: Conditions, session: u64, now: Moment) {
    entry.needs = needs;
    entry.failures = entry.failures.saturating_add(1);
    entry.state = match needs.are_met(conditions) {
        false => State::Waiting,
        true => State::Later {
            wait: Span::new(backoff_ms(entry.failures, random(entry, session)), now),
            least_ms: WAIT_MS_LEAST,
            ends_early: EndsEarly::Conditions,
        },
    };
}

pub(super) fn fail(entry: &mut Entry, failure: Failure, paid_max: u32, session: u64, now: Moment) {
    entry.last_failure = Some(failure);
    entry.failures = entry.failures.saturating_add(1);
    entry.paid_failures = entry.paid_failures.saturating_add(u32::from(!failure.is_free));
    let remedy = failure.remedy();
    if !remedy.is_automatic() {
        entry.state = State::Stuck {
            why: Stuck::Failed { failure },
        };
        return;
    }
    if !failure.is_free && entry.paid_failures >= paid_max {
        entry.state = State::Stuck {
            why: Stuck::MayCost { failure },
        };
        return;
    }
    entry.needs.network |= remedy == Remedy::Network;
    let asked_ms = failure.retry_after_ms.unwrap_or(0).min(RETRY_AFTER_MS_MAX);
    let wait_ms = backoff_ms(entry.failures, random(entry, session)).max(asked_ms);
    entry.state = State::Later {
        wait: Span::new(wait_ms, now),
        least_ms: asked_ms.max(WAIT_MS_LEAST),
        ends_early: match remedy {
            Remedy::Network => EndsEarly::Network,
            _ => EndsEarly::Never,
        },
    };
}

/// A number that differs between sessions, requests and attempts: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
fn random(entry: &Entry, session: u64) -> u32 {
    let mut z = session ^ entry.id.rotate_left(32) ^ u64::from(entry.attempts);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as u32
}
