//! Carrying plans out: stories with a known end, and laws over random sequences of events.
#![allow(clippy::unwrap_used)]

mod support;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use support::{ENDPOINTS, NOW_MS, Scene, local};
use whimbrel_policy::fallback::{ATTEMPTS_MAX, AttemptEvent, Command, Ending, Event, Fallback};
use whimbrel_policy::{Network, Plan};
use whimbrel_record::{AttemptEnd, Code, Outcome};

const FAILED: AttemptEvent = AttemptEvent::Failed(Code::Lost);
const BUSY: AttemptEvent = AttemptEvent::TurnedAway(Code::Busy);
const OUT_OF_MEMORY: AttemptEvent = AttemptEvent::TurnedAway(Code::OutOfMemory);

/// How an attempt ended, and why.
type Why = (AttemptEnd, Option<Code>);

const ANSWERED: Why = (AttemptEnd::Answered, None);
const DIED: Why = (AttemptEnd::Failed, Some(Code::Lost));
const WAS_BUSY: Why = (AttemptEnd::Failed, Some(Code::Busy));
const NO_FIRST_TOKEN: Why = (AttemptEnd::TimedOut, Some(Code::NoFirstToken));
const TOO_LONG: Why = (AttemptEnd::TimedOut, Some(Code::TimedOut));
const DEADLINE: Why = (AttemptEnd::TimedOut, Some(Code::Deadline));

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
fn check(plan: &Plan, events: &[(u64, Event)], expected: &[Command], story: &[Why]) {
    let (mut fallback, mut commands) = Fallback::start(plan, NOW_MS);
    for (at_ms, event) in events {
        commands.extend(fallback.step(NOW_MS + at_ms, *event));
    }
    commands.retain(|command| !matches!(command, Command::WakeAt { .. }));
    assert_eq!(commands, expected);
    let attempts = fallback.attempts().iter();
    let ends: Vec<_> = attempts.map(|attempt| (attempt.end.unwrap(), attempt.code)).collect();
    assert_eq!(ends, story);
    let Some(Command::End(ending)) = commands.last() else {
        panic!("the story has no end");
    };
    assert_eq!(fallback.ending(), Some(*ending));
}

fn on(attempt: u32, event: AttemptEvent) -> Event {
    Event::Attempt { attempt, event }
}

/// The end with nothing to show.
fn end(outcome: Outcome, code: Option<Code>) -> Command {
    Command::End(Ending {
        outcome,
        code,
        is_partial: false,
        candidate: None,
    })
}

fn answered(candidate: u32) -> Command {
    Command::End(Ending {
        outcome: Outcome::Answered,
        code: None,
        is_partial: false,
        candidate: Some(candidate),
    })
}

/// The end with a part of the candidate's answer.
fn partial(outcome: Outcome, code: Option<Code>, candidate: u32) -> Command {
    Command::End(Ending {
        outcome,
        code,
        is_partial: true,
        candidate: Some(candidate),
    })
}

fn restarted(attempt: u32, (end, code): Why) -> Command {
    Command::Restarted { attempt, end, code }
}

fn start(attempt: u32) -> Command {
    let candidate = attempt;
    Command::Start { attempt, candidate }
}

#[test]
fn stories_end_as_they_should() {
    use AttemptEvent::{Finished, Text};
    let plan = plan("");
    check(
        &plan,
        &[(100, on(0, Text)), (200, on(0, Text)), (300, on(0, Finished))],
        &[start(0), answered(0)],
        &[ANSWERED],
    );
    // It dies midway, and the next one begins anew.
    check(
        &plan,
        &[
            (100, on(0, Text)),
            (200, on(0, FAILED)),
            (900, on(1, Text)),
            (950, on(1, Finished)),
        ],
        &[start(0), restarted(0, DIED), start(1), answered(1)],
        &[DIED, ANSWERED],
    );
    check(
        &plan,
        &[(5, on(0, BUSY)), (9, on(1, OUT_OF_MEMORY)), (20, on(2, Finished))],
        &[start(0), start(1), start(2), answered(2)],
        &[WAS_BUSY, (AttemptEnd::Failed, Some(Code::OutOfMemory)), ANSWERED],
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
            end(Outcome::Failed, Some(Code::TimedOut)),
        ],
        &[NO_FIRST_TOKEN, NO_FIRST_TOKEN, TOO_LONG],
    );
    check(
        &plan,
        &[
            (1, on(0, Text)),
            (10_000, Event::Timer),
            (10_500, on(1, Text)),
            (15_000, Event::Timer),
        ],
        &[
            start(0),
            Command::Cancel { attempt: 0 },
            restarted(0, TOO_LONG),
            start(1),
            Command::Cancel { attempt: 1 },
            partial(Outcome::Failed, Some(Code::Deadline), 1),
        ],
        &[TOO_LONG, DEADLINE],
    );
    check(
        &plan,
        &[
            (1, on(0, FAILED)),
            (2, on(1, FAILED)),
            (3, on(2, Text)),
            (4, on(2, FAILED)),
        ],
        &[
            start(0),
            start(1),
            start(2),
            partial(Outcome::Failed, Some(Code::Lost), 2),
        ],
        &[DIED, DIED, DIED],
    );
    check(
        &plan,
        &[
            (1, on(0, Text)),
            (2, Event::Cancelled),
            (3, Event::Cancelled),
            (4, on(0, Finished)),
        ],
        &[
            start(0),
            Command::Cancel { attempt: 0 },
            partial(Outcome::Cancelled, None, 0),
        ],
        &[(AttemptEnd::Cancelled, None)],
    );
}

#[test]
fn what_was_tried_counts_against_the_budget() {
    use AttemptEvent::Finished;
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
            &[start(0), skipped.clone(), answered(2)],
            &[DIED, ANSWERED],
        );
        // One that was turned away cost nothing.
        check(
            &plan,
            &[(1, on(0, BUSY)), (2, on(1, FAILED)), (3, on(2, Finished))],
            &[start(0), start(1), start(2), answered(2)],
            &[WAS_BUSY, DIED, ANSWERED],
        );
    }
    check(
        &budget("cost_a_day = 0.6"),
        &[(1, on(0, FAILED)), (2, on(1, Finished))],
        &[start(0), start(1), answered(1)],
        &[DIED, ANSWERED],
    );
}

#[test]
fn a_request_waits_where_it_may() {
    let plan = plan(", \"queue\"");
    check(
        &plan,
        &[(1, on(0, FAILED)), (2, on(1, FAILED)), (3, on(2, FAILED))],
        &[start(0), start(1), start(2), end(Outcome::Deferred, None)],
        &[DIED; 3],
    );
    check(
        &plan,
        &[(1, on(0, FAILED)), (2, on(1, FAILED)), (15_000, Event::Timer)],
        &[
            start(0),
            start(1),
            start(2),
            Command::Cancel { attempt: 2 },
            end(Outcome::Deferred, None),
        ],
        &[DIED, DIED, DEADLINE],
    );
}

#[test]
fn what_cannot_run_ends_at_once() {
    #[track_caller]
    fn check_end(list: &str, outcome: Outcome, code: Option<Code>) {
        let rules = "[[rules]]\nid = \"no\"\nwhen = { task = [\"chat\"] }\ndeny = [\"on_device\"]";
        let app = format!("version = 1\nname = \"app\"\notherwise = [{list}]\n{rules}\n{ENDPOINTS}");
        let mut scene = Scene::new(&app, None);
        scene.report(|update| update.network = Network::None.into());
        let (mut fallback, commands) = Fallback::start(&scene.route(), NOW_MS);
        assert_eq!(commands, [end(outcome, code)]);
        assert_eq!(fallback.step(NOW_MS, Event::Timer), []);
        assert_eq!(fallback.attempts(), []);
    }
    check_end("\"on_device\"", Outcome::Denied, None);
    check_end("\"remote:house\"", Outcome::Failed, Some(Code::Unavailable));
    check_end("\"remote:house\", \"queue\"", Outcome::Deferred, None);
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
        assert_eq!(
            fallback.ending().map(Command::End),
            Some(end(Outcome::Failed, Some(Code::Lost)))
        );
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
            AttemptEvent::Text => self.has_shown_text = true,
            _ => self.running = None,
        }
    }
}

fn random_event(generator: &mut Pcg64) -> Event {
    let attempt = generator.next_u32() % 4;
    let event = match generator.next_u32() % 16 {
        0 => return Event::Cancelled,
        1 => return Event::Timer,
        2..=8 => AttemptEvent::Text,
        9 => AttemptEvent::Finished,
        10 => BUSY,
        11 => OUT_OF_MEMORY,
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
        *ends.entry(format!("{:?}", fallback.ending().unwrap())).or_insert(0u32) += 1;
        assert_eq!(fallback.step(now_ms + 1, Event::Timer), []);
    }
    // Every end is reached often enough to mean something.
    assert!(ends.len() >= 8 && ends.values().all(|count| *count > 20), "{ends:?}");
}

#[test]
fn a_deadline_that_nothing_keeps_is_what_the_request_fails_with() {
    let check = |list: &str, deadline_ms: u64, network: Network, expected: Code| {
        let app = format!("version = 1\nname = \"app\"\notherwise = [{list}]\n{ENDPOINTS}");
        let mut scene = Scene::new(&app, None);
        scene.candidates.system_model = None;
        scene.request.deadline_ms = Some(deadline_ms);
        scene.report(|update| update.network = network.into());
        let (fallback, _) = Fallback::start(&scene.route(), NOW_MS);
        assert_eq!(fallback.ending().unwrap().code, Some(expected), "{list}");
    };
    check("\"on_device\"", 1, Network::Unmetered, Code::Deadline);
    check("\"on_device\", \"system_model\"", 1, Network::Unmetered, Code::Deadline);
    // Time alone would not help.
    check("\"on_device\", \"remote:house\"", 1, Network::None, Code::Unavailable);
    check("\"system_model\"", 1, Network::Unmetered, Code::Unavailable);
}

#[test]
fn what_is_refused_has_its_place_among_the_candidates() {
    let app = format!(
        "version = 1\nname = \"app\"\notherwise = [\"remote:house\", \"on_device\", \"remote:cloud\"]\n\
         [[rules]]\nid = \"no-house\"\ndeny = [\"remote:house\"]\n[[rules]]\nid = \"no-cloud\"\ndeny = [\"remote:cloud\"]\n{ENDPOINTS}"
    );
    let plan = Scene::new(&app, None).route();
    let places: Vec<_> = plan
        .refused
        .iter()
        .map(|refused| (&*refused.name, refused.after_candidates))
        .collect();
    assert_eq!(places, [("remote:house", 0), ("remote:cloud", 1)]);
}
