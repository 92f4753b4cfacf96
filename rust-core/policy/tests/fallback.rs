//! Carrying plans out: stories with a known end, and laws over random sequences of events.
#![allow(clippy::unwrap_used)]

mod support;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use support::{ENDPOINTS, NOW_MS, Scene, local};
use whimbrel_policy::{
    ATTEMPTS_MAX, AttemptEnd, AttemptEvent, Command, End, Event, FailureKind, Fallback, Network, Plan,
};

const FAILED: AttemptEvent = AttemptEvent::Failed(FailureKind::Interrupted);

/// Three candidates: house, this device, cloud; 2 s for a first token, 10 s for one, 15 s for all.
fn plan(more_steps: &str) -> Plan {
    let app = format!(
        "version = 1\nname = \"app\"\notherwise = [\"remote:house\", \"on_device\", \"remote:cloud\"{more_steps}]\n\
         [limits]\nfirst_token_ms = 2000\ncandidate_ms = 10_000\ndeadline_ms = 15_000\n{ENDPOINTS}"
    );
    Scene::new(&app, None).route()
}

/// Plays events, each at its time since the beginning, and compares all commands but `WakeAt`, the end, and the reasons in the story.
#[track_caller]
fn check(plan: &Plan, events: &[(u64, Event)], expected: &[Command], story: &[AttemptEnd]) {
    let (mut fallback, mut commands) = Fallback::start(plan, NOW_MS);
    for (at_ms, event) in events {
        commands.extend(fallback.step(NOW_MS + at_ms, *event));
    }
    commands.retain(|command| !matches!(command, Command::WakeAt { .. }));
    assert_eq!(commands, expected);
    let ends: Vec<_> = fallback.attempts().iter().filter_map(|attempt| attempt.end).collect();
    assert_eq!(ends, story);
    let Some(Command::End(end)) = commands.last() else {
        panic!("the story has no end");
    };
    assert_eq!(fallback.end(), Some(*end));
}

fn on(attempt: u32, event: AttemptEvent) -> Event {
    Event::Attempt { attempt, event }
}

fn start(attempt: u32) -> Command {
    let candidate = attempt;
    Command::Start { attempt, candidate }
}

#[test]
fn stories_end_as_they_should() {
    use AttemptEvent::{Busy, Finished, FirstToken, OutOfMemory, Token};
    let plan = plan("");
    let failed = AttemptEnd::Failed {
        failure: FailureKind::Interrupted,
    };
    let answered = |candidate| Command::End(End::Answered { candidate });
    check(
        &plan,
        &[(100, on(0, FirstToken)), (200, on(0, Token)), (300, on(0, Finished))],
        &[start(0), answered(0)],
        &[AttemptEnd::Answered],
    );
    // It dies midway, and the next one begins anew.
    check(
        &plan,
        &[
            (100, on(0, FirstToken)),
            (200, on(0, FAILED)),
            (900, on(1, Token)),
            (950, on(1, Finished)),
        ],
        &[
            start(0),
            Command::Restarted {
                attempt: 0,
                because: failed,
            },
            start(1),
            answered(1),
        ],
        &[failed, AttemptEnd::Answered],
    );
    check(
        &plan,
        &[(5, on(0, Busy)), (9, on(1, OutOfMemory)), (20, on(2, Finished))],
        &[start(0), start(1), start(2), answered(2)],
        &[AttemptEnd::Busy, AttemptEnd::OutOfMemory, AttemptEnd::Answered],
    );
    // A silent one is stopped while another is left, and what it reports then is ignored. The last one gets its whole time.
    check(
        &plan,
        &[
            (1999, Event::Timer),
            (2000, Event::Timer),
            (2001, on(0, Finished)),
            (4000, Event::Timer),
            (13_999, Event::Timer),
            (14_000, Event::Timer),
        ],
        &[
            start(0),
            Command::Cancel { attempt: 0 },
            start(1),
            Command::Cancel { attempt: 1 },
            start(2),
            Command::Cancel { attempt: 2 },
            Command::End(End::Failed { partial: false }),
        ],
        &[AttemptEnd::NoFirstToken, AttemptEnd::NoFirstToken, AttemptEnd::TooLong],
    );
    check(
        &plan,
        &[
            (1, on(0, FirstToken)),
            (10_000, Event::Timer),
            (10_500, on(1, Token)),
            (15_000, Event::Timer),
        ],
        &[
            start(0),
            Command::Cancel { attempt: 0 },
            Command::Restarted {
                attempt: 0,
                because: AttemptEnd::TooLong,
            },
            start(1),
            Command::Cancel { attempt: 1 },
            Command::End(End::DeadlinePassed { partial: true }),
        ],
        &[AttemptEnd::TooLong, AttemptEnd::Deadline],
    );
    check(
        &plan,
        &[
            (1, on(0, FAILED)),
            (2, on(1, FAILED)),
            (3, on(2, Token)),
            (4, on(2, FAILED)),
        ],
        &[
            start(0),
            start(1),
            start(2),
            Command::End(End::Failed { partial: true }),
        ],
        &[failed, failed, failed],
    );
    check(
        &plan,
        &[
            (1, on(0, FirstToken)),
            (2, Event::Cancelled),
            (3, Event::Cancelled),
            (4, on(0, Finished)),
        ],
        &[
            start(0),
            Command::Cancel { attempt: 0 },
            Command::End(End::Cancelled { partial: true }),
        ],
        &[AttemptEnd::Cancelled],
    );
}

#[test]
fn what_was_tried_counts_against_the_budget() {
    use AttemptEvent::{Busy, Finished};
    // Each endpoint may cost 0.3 and send 68,400 bytes, and there is room for one and a half of either.
    let budget = |limit: &str| {
        let endpoints = ENDPOINTS.replace("cost_per_1k_tokens = 0\n", "cost_per_1k_tokens = 1\n");
        let endpoints = endpoints.replace("{ prompt = 0.5, answer = 2 }", "1");
        let app = format!(
            "version = 1\nname = \"app\"\notherwise = [\"remote:*\", \"on_device\"]\n[limits]\n{limit}\n{endpoints}"
        );
        let mut scene = Scene::new(&app, None);
        scene.report(|update| update.network = Network::Metered.into());
        scene.route()
    };
    let died = AttemptEnd::Failed {
        failure: FailureKind::Interrupted,
    };
    let skipped = Command::Start {
        attempt: 1,
        candidate: 2,
    };
    for limit in [
        "cost_a_day = 0.45",
        "cost_a_request = 0.45",
        "metered_bytes_a_day = 100_000",
    ] {
        let plan = budget(limit);
        assert_eq!(plan.candidates.len(), 3);
        check(
            &plan,
            &[(1, on(0, FAILED)), (2, on(1, Finished))],
            &[start(0), skipped.clone(), Command::End(End::Answered { candidate: 2 })],
            &[died, AttemptEnd::Answered],
        );
        // One that was turned away cost nothing.
        check(
            &plan,
            &[(1, on(0, Busy)), (2, on(1, FAILED)), (3, on(2, Finished))],
            &[
                start(0),
                start(1),
                start(2),
                Command::End(End::Answered { candidate: 2 }),
            ],
            &[AttemptEnd::Busy, died, AttemptEnd::Answered],
        );
    }
    check(
        &budget("cost_a_day = 0.6"),
        &[(1, on(0, FAILED)), (2, on(1, Finished))],
        &[start(0), start(1), Command::End(End::Answered { candidate: 1 })],
        &[died, AttemptEnd::Answered],
    );
}

#[test]
fn a_request_waits_where_it_may() {
    let plan = plan(", \"queue\"");
    let failed = AttemptEnd::Failed {
        failure: FailureKind::Interrupted,
    };
    check(
        &plan,
        &[(1, on(0, FAILED)), (2, on(1, FAILED)), (3, on(2, FAILED))],
        &[start(0), start(1), start(2), Command::End(End::Deferred)],
        &[failed; 3],
    );
    check(
        &plan,
        &[(1, on(0, FAILED)), (2, on(1, FAILED)), (15_000, Event::Timer)],
        &[
            start(0),
            start(1),
            start(2),
            Command::Cancel { attempt: 2 },
            Command::End(End::Deferred),
        ],
        &[failed, failed, AttemptEnd::Deadline],
    );
}

#[test]
fn what_cannot_run_ends_at_once() {
    #[track_caller]
    fn check_end(list: &str, expected: End) {
        let rules = "[[rules]]\nid = \"no\"\nwhen = { task = [\"chat\"] }\ndeny = [\"on_device\"]";
        let app = format!("version = 1\nname = \"app\"\notherwise = [{list}]\n{rules}\n{ENDPOINTS}");
        let mut scene = Scene::new(&app, None);
        scene.report(|update| update.network = Network::None.into());
        let (mut fallback, commands) = Fallback::start(&scene.route(), NOW_MS);
        assert_eq!(commands, [Command::End(expected)]);
        assert_eq!(fallback.step(NOW_MS, Event::Timer), []);
        assert_eq!(fallback.attempts(), []);
    }
    check_end("\"on_device\"", End::Denied);
    check_end("\"remote:house\"", End::Unavailable);
    check_end("\"remote:house\", \"queue\"", End::Deferred);
}

#[test]
fn no_more_are_tried_than_the_limit() {
    for count in [ATTEMPTS_MAX, ATTEMPTS_MAX + 1] {
        let mut scene = Scene::new("version = 1\nname = \"app\"", None);
        scene.candidates.local_models = (0..count).map(|index| local(&format!("model-{index}"))).collect();
        let plan = scene.route();
        assert_eq!(plan.candidates.len() as u32, count);
        let (mut fallback, _) = Fallback::start(&plan, NOW_MS);
        for attempt in 0..count {
            fallback.step(NOW_MS, on(attempt, FAILED));
        }
        assert_eq!(fallback.attempts().len() as u32, ATTEMPTS_MAX);
        assert_eq!(fallback.end(), Some(End::Failed { partial: false }));
    }
}

/// What an outsider sees of the commands, and what must hold of it.
#[derive(Default)]
struct Watcher {
    running: Option<u32>,
    started: Vec<u32>,
    has_shown_text: bool,
    wake_at_ms: Option<u64>,
    ends: u32,
}

impl Watcher {
    fn see(&mut self, commands: &[Command], plan: &Plan) {
        for command in commands {
            assert_eq!(self.ends, 0, "{command:?} after the end");
            match command {
                Command::Start { attempt, candidate } => {
                    assert_eq!(self.running, None, "two at a time");
                    assert!((*candidate as usize) < plan.candidates.len(), "not of the plan");
                    assert!(!self.started.contains(candidate), "started twice");
                    assert!(!self.has_shown_text, "shown text without a notice");
                    self.started.push(*candidate);
                    self.running = Some(*attempt);
                }
                Command::Cancel { attempt } => assert_eq!(self.running.take(), Some(*attempt)),
                Command::Restarted { .. } => assert!(std::mem::take(&mut self.has_shown_text)),
                Command::WakeAt { at_ms } => self.wake_at_ms = Some(*at_ms),
                Command::End(_) => {
                    assert_eq!(self.running, None, "the loser runs on");
                    self.ends += 1;
                }
            }
        }
    }

    /// What the running attempt does to itself with an event, before the machine answers.
    fn before(&mut self, event: Event) {
        let Event::Attempt { attempt, event } = event else {
            return;
        };
        if self.running != Some(attempt) {
            return;
        }
        match event {
            AttemptEvent::FirstToken | AttemptEvent::Token => self.has_shown_text = true,
            _ => self.running = None,
        }
    }
}

fn random_event(generator: &mut Pcg64) -> Event {
    let attempt = generator.next_u32() % 4;
    let event = match generator.next_u32() % 16 {
        0 => return Event::Cancelled,
        1 => return Event::Timer,
        2..=4 => AttemptEvent::FirstToken,
        5..=8 => AttemptEvent::Token,
        9 => AttemptEvent::Finished,
        10 => AttemptEvent::Busy,
        11 => AttemptEvent::OutOfMemory,
        _ => FAILED,
    };
    on(attempt, event)
}

#[test]
fn whatever_happens_it_ends_once_in_time_and_within_the_plan() {
    let plans = [plan(""), plan(", \"queue\"")];
    let mut generator = Pcg64::new(20, 26);
    let mut ends = std::collections::BTreeMap::new();
    for round in 0..50_000 {
        let plan = &plans[round % 2];
        let mut now_ms = NOW_MS;
        let (mut fallback, commands) = Fallback::start(plan, now_ms);
        let mut watcher = Watcher::default();
        watcher.see(&commands, plan);
        // The pace differs from round to round, so that some are slow enough for every bound.
        let pace_ms = 1 << (generator.next_u32() % 13);
        while watcher.ends == 0 {
            let next_ms = now_ms + u64::from(generator.next_u32() % pace_ms) + 1;
            let wake_at_ms = watcher.wake_at_ms.unwrap();
            assert!(wake_at_ms > now_ms && wake_at_ms <= NOW_MS + plan.bounds.deadline_ms);
            let event = match next_ms >= wake_at_ms {
                true => Event::Timer,
                false => random_event(&mut generator),
            };
            now_ms = next_ms.min(wake_at_ms);
            watcher.before(event);
            let commands = fallback.step(now_ms, event);
            watcher.see(&commands, plan);
        }
        assert!(now_ms <= NOW_MS + plan.bounds.deadline_ms);
        assert_eq!(fallback.attempts().len(), watcher.started.len());
        assert!(
            fallback
                .attempts()
                .iter()
                .all(|attempt| attempt.end.is_some() && attempt.ended_ms.is_some())
        );
        *ends.entry(format!("{:?}", fallback.end().unwrap())).or_insert(0u32) += 1;
        assert_eq!(fallback.step(now_ms + 1, Event::Timer), []);
    }
    // Every end is reached often enough to mean something.
    assert!(ends.len() >= 8 && ends.values().all(|count| *count > 20), "{ends:?}");
}
