//! One request at a time: what becomes of it, what the app is told, and when the outbox wakes. The laws over many are in
//! `outbox_schedules.rs`.
#![allow(clippy::unwrap_used)]

mod outbox_desk;

use outbox_desk::{DAY_MS, Desk, NETWORK, ONLINE, SENDING, send, sent, tell};
use whimbrel_policy::outbox::{
    AttemptResult, BACKOFF_MS_BASE, BACKOFF_MS_MAX, Command, Conditions, Constraints, Decided, Event, Failure, Notice,
    RETRY_AFTER_MS_MAX, RunBudget, Stuck, WAIT_MS_LEAST, Wake, backoff_ms,
};
use whimbrel_policy::{Ending, Refusal, Refused};
use whimbrel_record::{Code, Outcome};

#[test]
fn a_request_from_its_queue_to_its_answer() {
    let mut desk = Desk::new();
    assert_eq!(desk.queue(10, 1), [tell(10, Notice::Queued)]);
    assert_eq!(desk.queue(11, 1), [tell(11, Notice::Queued)]);
    assert_eq!(desk.run(), [send(10, 1), tell(10, SENDING)]);
    let began = Event::Began {
        id: 10,
        lease: 1,
        decided: Decided::Redacted,
        deadline_ms: 120_000,
    };
    let decided = Notice::Sending {
        decided: Some(Decided::Redacted),
    };
    assert_eq!(desk.step(began), [tell(10, decided)]);
    let commands = desk.end(10, 1, AttemptResult::Answered);
    let next = [send(11, 1), tell(11, SENDING)];
    assert_eq!(
        commands[..2],
        [Command::Complete { id: 10 }, tell(10, Notice::Answered)]
    );
    assert_eq!(commands[2..], next);
    // A second report of the same attempt changes nothing.
    assert_eq!(desk.end(10, 1, AttemptResult::Answered), []);
    let commands = desk.end(11, 1, AttemptResult::Answered);
    assert_eq!(commands[2..], [Command::Idle]);
    assert!(desk.rows.is_empty() && desk.outbox.is_empty());
    assert_eq!(desk.wakes, []);
}

#[test]
fn a_stuck_request_blocks_its_conversation_and_says_so() {
    for (result, remedy_is_settings) in [
        (AttemptResult::Denied, true),
        (AttemptResult::Failed(Failure::free(Code::KeyMissing)), true),
        (AttemptResult::Failed(Failure::free(Code::ContextFull)), false),
    ] {
        let mut desk = Desk::new();
        for (id, conversation) in [(10, 1), (11, 1), (20, 2)] {
            desk.queue(id, conversation);
        }
        assert_eq!(sent(&desk.run()), [10, 20]);
        let commands = desk.end(10, 1, result);
        let why = match result {
            AttemptResult::Failed(failure) => Stuck::Failed { failure },
            _ => Stuck::Denied,
        };
        assert_eq!(
            commands,
            [tell(10, Notice::Stuck(why)), tell(11, Notice::Blocked { by: 10 })]
        );
        desk.end(20, 1, AttemptResult::Answered);
        assert_eq!(desk.step(Event::Tick), []);
        assert_eq!(desk.restart(2).len(), 2, "the app is told again");
        desk.run();
        let commands = desk.step(Event::SettingsChanged);
        assert_eq!(sent(&commands), if remedy_is_settings { vec![10] } else { vec![] });
        if !remedy_is_settings {
            assert_eq!(sent(&desk.user(|outbox, now| outbox.retry(now, 10))), [10]);
        }
    }
}

#[test]
fn waits_after_failures() {
    let limited = |retry_after_ms| Failure {
        retry_after_ms,
        ..Failure::free(Code::RateLimited)
    };
    for (failure, least, most) in [
        (limited(None), BACKOFF_MS_BASE / 2, BACKOFF_MS_BASE),
        (limited(Some(1)), BACKOFF_MS_BASE / 2, BACKOFF_MS_BASE),
        (limited(Some(90_000)), 90_000, 90_000),
        (limited(Some(u64::MAX)), RETRY_AFTER_MS_MAX, RETRY_AFTER_MS_MAX),
    ] {
        let mut desk = Desk::new();
        desk.queue(10, 1);
        desk.run();
        let notice = Notice::Retrying { failure, attempts: 1 };
        let commands = desk.end(10, 1, AttemptResult::Failed(failure));
        assert_eq!(commands, [tell(10, notice), Command::Idle]);
        let wait_ms = desk.wait_left_ms(10).unwrap();
        assert!((least..=most).contains(&wait_ms), "{failure:?}: {wait_ms}");
        assert_eq!(desk.wakes[0].at_ms, desk.now.elapsed_ms + wait_ms);
        desk.pass(wait_ms - 1);
        assert!(sent(&desk.step(Event::Tick)).is_empty());
        desk.pass(1);
        assert_eq!(sent(&desk.step(Event::Tick)), [10]);
    }
    for (failures, expected) in [
        (1, BACKOFF_MS_BASE),
        (2, 2 * BACKOFF_MS_BASE),
        (u32::MAX, BACKOFF_MS_MAX),
    ] {
        assert_eq!(backoff_ms(failures, u32::MAX), expected);
        assert_eq!(backoff_ms(failures, 0), expected / 2);
    }
}

#[test]
fn another_network_ends_a_wait_for_one() {
    let mut desk = Desk::new();
    desk.queue(10, 1);
    desk.run();
    desk.end(10, 1, AttemptResult::Failed(Failure::free(Code::Unreachable)));
    assert_eq!(desk.wakes[0].needs, NETWORK, "the system waits for a network");
    desk.step(Event::Conditions(Conditions::default()));
    desk.pass(WAIT_MS_LEAST);
    assert!(sent(&desk.step(Event::Tick)).is_empty());
    assert_eq!(sent(&desk.step(Event::Conditions(ONLINE))), [10]);
    // What the endpoint asked for is waited for on any network.
    desk.end(10, 2, AttemptResult::Failed(Failure::free(Code::RateLimited)));
    desk.step(Event::Conditions(Conditions::default()));
    desk.pass(WAIT_MS_LEAST);
    assert!(sent(&desk.step(Event::Conditions(ONLINE))).is_empty());
}

#[test]
fn what_may_cost_is_not_repeated_for_ever() {
    let mut desk = Desk::new();
    desk.queue(10, 1);
    desk.run();
    let failure = Failure {
        is_free: false,
        ..Failure::free(Code::TimedOut)
    };
    for lease in 1..=5 {
        desk.end(10, lease, AttemptResult::Failed(failure));
        desk.pass(BACKOFF_MS_MAX);
        desk.step(Event::Tick);
    }
    assert_eq!(desk.outbox.notice(10), Some(Notice::Stuck(Stuck::MayCost { failure })));
    // Failures that cost nothing are.
    let mut desk = Desk::new();
    desk.queue(10, 1);
    desk.run();
    for lease in 1..=100 {
        desk.end(10, lease, AttemptResult::Failed(Failure::free(Code::Server)));
        desk.pass(BACKOFF_MS_MAX);
        assert_eq!(sent(&desk.step(Event::Tick)), [10]);
    }
}

#[test]
fn a_deferred_request_waits_for_conditions() {
    let charging = Constraints {
        charging: true,
        ..Constraints::default()
    };
    let mut desk = Desk::new();
    desk.queue(10, 1);
    desk.run();
    let commands = desk.end(10, 1, AttemptResult::Deferred { needs: charging });
    assert_eq!(commands, [tell(10, Notice::Queued), Command::Idle]);
    assert_eq!(
        desk.wakes[0],
        Wake {
            at_ms: 0,
            needs: charging
        }
    );
    desk.pass(DAY_MS);
    assert!(sent(&desk.step(Event::Tick)).is_empty());
    let plugged = Conditions {
        is_charging: true,
        ..ONLINE
    };
    assert_eq!(sent(&desk.step(Event::Conditions(plugged))), [10]);
    // The policy has a reason that no constraint describes: it is decided again after a wait, or with any new condition.
    desk.end(10, 2, AttemptResult::Deferred { needs: charging });
    assert!(desk.wait_left_ms(10).is_some());
    desk.pass(WAIT_MS_LEAST);
    let free = Conditions {
        is_unmetered: true,
        ..plugged
    };
    assert_eq!(sent(&desk.step(Event::Conditions(free))), [10]);
    desk.end(10, 3, AttemptResult::Deferred { needs: charging });
    assert_eq!(sent(&desk.step(Event::SettingsChanged)), [10]);
}

fn refused(reasons: &[Refusal]) -> Vec<Refused> {
    let refused = |reason: &Refusal| Refused {
        name: "x".into(),
        reason: reason.clone(),
        after_candidates: 0,
    };
    reasons.iter().map(refused).collect()
}

#[test]
fn what_an_exchange_results_in() {
    let (server, key) = (Failure::free(Code::Server), Failure::free(Code::KeyMissing));
    let deferred = |needs| AttemptResult::Deferred { needs };
    for (outcome, failures, reasons, expected) in [
        (Outcome::Answered, vec![server], vec![], AttemptResult::Answered),
        (Outcome::Denied, vec![], vec![], AttemptResult::Denied),
        (Outcome::Cancelled, vec![], vec![], AttemptResult::Cancelled),
        (Outcome::Interrupted, vec![], vec![], AttemptResult::Stopped),
        (Outcome::Deferred, vec![], vec![Refusal::Offline], deferred(NETWORK)),
        (Outcome::Deferred, vec![], vec![], deferred(Constraints::default())),
        (
            Outcome::Deferred,
            vec![server, key],
            vec![Refusal::Offline],
            AttemptResult::Failed(server),
        ),
        (Outcome::Deferred, vec![key], vec![Refusal::Offline], deferred(NETWORK)),
        (
            Outcome::Deferred,
            vec![key],
            vec![Refusal::NoModel],
            AttemptResult::Failed(key),
        ),
        (
            Outcome::Failed,
            vec![key],
            vec![Refusal::Offline],
            AttemptResult::Failed(key),
        ),
        (
            Outcome::Failed,
            vec![],
            vec![],
            AttemptResult::Failed(Failure::free(Code::Deadline)),
        ),
    ] {
        let ending = Ending {
            outcome,
            code: (outcome == Outcome::Failed).then_some(Code::Deadline),
            is_partial: false,
            candidate: None,
        };
        let found = AttemptResult::of(&ending, failures.iter().copied(), &refused(&reasons));
        assert_eq!(found, expected, "{outcome:?} {failures:?} {reasons:?}");
    }
}

#[test]
fn what_a_deferred_request_waits_for() {
    let battery = Refusal::Battery {
        percent: 5,
        percent_min: 20,
    };
    let bytes = Refusal::MeteredBytes { bytes: 2, bytes_max: 1 };
    let find = |reasons: &[Refusal]| {
        let found = Constraints::that_help(&refused(reasons));
        (found.network, found.unmetered, found.charging)
    };
    assert_eq!(find(&[]), (false, false, false));
    assert_eq!(
        find(&[Refusal::Offline, Refusal::NoModel, Refusal::Offline]),
        (true, false, false)
    );
    assert_eq!(find(&[bytes]), (true, true, false));
    assert_eq!(find(std::slice::from_ref(&battery)), (false, false, true));
    assert_eq!(
        find(&[battery, Refusal::Offline]),
        (false, false, false),
        "either may be enough"
    );
}

#[test]
fn a_run_has_an_end() {
    let mut desk = Desk::new();
    for id in [10, 20, 30] {
        desk.queue(id, id / 10);
    }
    let run = |requests, time_ms| Event::Run(RunBudget { requests, time_ms });
    assert_eq!(sent(&desk.step(run(1, 20_000))), [10]);
    assert!(sent(&desk.end(10, 1, AttemptResult::Answered)).is_empty());
    assert_eq!(sent(&desk.step(run(9, 20_000))), [20, 30]);
    desk.pass(20_000);
    let stop = |id| Command::Stop { id, lease: 1 };
    assert_eq!(desk.step(Event::Tick), [stop(20), stop(30)]);
    assert_eq!(desk.step(Event::Tick), []);
    desk.end(20, 1, AttemptResult::Stopped);
    assert_eq!(
        desk.end(30, 1, AttemptResult::Stopped),
        [tell(30, Notice::Queued), Command::Idle]
    );
    assert_eq!(
        desk.wakes,
        [Wake {
            at_ms: 0,
            needs: Constraints::default()
        }]
    );
    assert_eq!(sent(&desk.run()), [20, 30]);
}
