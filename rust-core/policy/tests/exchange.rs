//! The exchange machine: stories with a known end, and laws over random sequences of events.
#![allow(clippy::unwrap_used)]

mod support;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use support::{ENDPOINTS, Scene};
use whimbrel_policy::{
    Command, Confidence, Ended, Event, Exchange, Kept, NEXT_PLACE_MS, Plan, Price, STOP_MS_MAX, Usage,
};
use whimbrel_privacy::FindingKind;
use whimbrel_record::{AttemptEnd, CALLED_TOOLS_MAX, Code, FinishReason, Label, Outcome, Signal, Tokens};

/// A plan of the device, the house and the cloud, with short times.
fn plan() -> Plan {
    let policy = "version = 1\nname = \"app\"\ncurrency = \"EUR\"\notherwise = [\"on_device\", \"remote:house\", \"remote:cloud\"]\n\
                  [limits]\nfirst_token_ms = 100\ncandidate_ms = 1000\ndeadline_ms = 60000\n";
    let mut scene = Scene::new(&format!("{policy}{ENDPOINTS}"), None);
    for endpoint in &mut scene.candidates.local_models {
        endpoint.first_token_ms = None;
    }
    let plan = scene.route();
    assert_eq!(plan.candidates.len(), 3);
    plan
}

fn start(plan: Plan) -> (Exchange, Vec<Command>) {
    let prices = plan.candidates.iter().map(|_| Price::default()).collect();
    Exchange::start(plan, prices, true, 0)
}

fn finished(reason: FinishReason) -> Ended {
    Ended::finished(reason, Usage::default())
}

fn ended(attempt: u32, ended: Ended) -> Event {
    Event::Ended { attempt, ended }
}

/// Without the times at which to wake up.
fn done(commands: Vec<Command>) -> Vec<Command> {
    let is_done = |command: &Command| !matches!(command, Command::WakeAt { .. });
    commands.into_iter().filter(is_done).collect()
}

const fn starts(attempt: u32) -> Command {
    Command::Start {
        attempt,
        candidate: attempt,
    }
}

#[test]
fn an_answer_that_is_none_is_mended_by_the_next_candidate() {
    for (reason, has_text, code) in [
        (FinishReason::Stop, false, Code::EmptyAnswer),
        (FinishReason::Unstated, false, Code::EmptyAnswer),
        (FinishReason::ContentFilter, false, Code::ContentFilter),
        (FinishReason::ContentFilter, true, Code::ContentFilter),
        (FinishReason::ToolCalls, false, Code::ToolCalls),
        (FinishReason::ToolCalls, true, Code::ToolCalls),
    ] {
        let (mut exchange, commands) = start(plan());
        assert_eq!(done(commands), [starts(0)]);
        if has_text {
            assert!(done(exchange.step(1, Event::Text { attempt: 0 })).is_empty());
        }
        let next = done(exchange.step(2, ended(0, finished(reason))));
        match has_text {
            true => assert_eq!(next, [Command::Restart, starts(1)]),
            false => assert_eq!(next, [starts(1)]),
        }
        exchange.step(3, Event::Text { attempt: 1 });
        let over = done(exchange.step(4, ended(1, finished(FinishReason::Length))));
        assert_eq!(over, [Command::End]);
        let (_, conclusion) = exchange.conclude(None);
        assert_eq!(conclusion.ending.outcome, Outcome::Answered);
        assert_eq!(
            (conclusion.finish, conclusion.kept),
            (Some(FinishReason::Length), Kept::Exchange)
        );
        assert_eq!(conclusion.closing.finish, Some(FinishReason::Length));
        assert_eq!(conclusion.closing.attempts[0].code(), Some(code));
    }
}

/// Calls of so many tools.
fn calls(count: u32) -> Ended {
    let name = |number| Label::new(&format!("tool-{number}")).unwrap();
    Ended::called((0..count).map(|number| (name(number), 2)).collect(), Usage::default())
}

#[test]
fn calls_of_tools_are_an_answer_that_is_not_kept() {
    // An answer of that confidence would be offered elsewhere.
    let unsure = Confidence {
        tokens: 50,
        mean_log_probability: -9.0,
        repetition_ratio: 0.0,
    };
    for has_text in [false, true] {
        let (mut exchange, _) = start(plan());
        if has_text {
            exchange.step(1, Event::Text { attempt: 0 });
        }
        assert_eq!(done(exchange.step(2, ended(0, calls(1)))), [Command::End]);
        let (_, conclusion) = exchange.conclude(Some(unsure));
        let ending = conclusion.ending;
        assert_eq!(
            (ending.outcome, ending.code, ending.is_partial, ending.candidate),
            (Outcome::Answered, None, false, Some(0))
        );
        let closing = conclusion.closing;
        assert_eq!(conclusion.finish, Some(FinishReason::ToolCalls));
        assert_eq!((conclusion.kept, conclusion.signal), (Kept::Nothing, None));
        assert_eq!(conclusion.escalation, None);
        assert_eq!(
            (closing.outcome, closing.finish, closing.error.as_ref()),
            (Outcome::Answered, Some(FinishReason::ToolCalls), None)
        );
        assert_eq!(closing.calls, calls(1).calls);
        assert_eq!(
            (closing.attempts[0].ended, closing.attempts[0].code()),
            (AttemptEnd::Answered, None)
        );
        assert!(closing.encode().is_ok());
    }
}

#[test]
fn only_the_calls_of_the_answer_are_recorded() {
    // Called off, given up, and of too many tools.
    let (mut exchange, _) = start(plan());
    exchange.step(1, Event::Thinking { attempt: 0 });
    exchange.step(1001, Event::Timer);
    assert_eq!(done(exchange.step(1002, ended(0, calls(1)))), [starts(1)]);
    assert_eq!(
        done(exchange.step(1003, ended(1, calls(CALLED_TOOLS_MAX + 1)))),
        [starts(2)]
    );
    exchange.step(1004, Event::Text { attempt: 2 });
    let both = Ended {
        calls: calls(1).calls,
        ..finished(FinishReason::Stop)
    };
    assert_eq!(done(exchange.step(1005, ended(2, both))), [Command::End]);
    let (_, conclusion) = exchange.conclude(None);
    assert_eq!(conclusion.kept, Kept::Exchange);
    assert!(conclusion.closing.calls.is_empty());
    let codes: Vec<_> = conclusion
        .closing
        .attempts
        .iter()
        .map(|attempt| attempt.code())
        .collect();
    assert_eq!(codes, [Some(Code::TimedOut), Some(Code::TooLarge), None]);

    let (mut exchange, _) = start(plan());
    assert_eq!(
        done(exchange.step(1, ended(0, calls(CALLED_TOOLS_MAX)))),
        [Command::End]
    );
    let (_, conclusion) = exchange.conclude(None);
    assert_eq!(conclusion.closing.calls.len(), CALLED_TOOLS_MAX as usize);
}

#[test]
fn a_wrong_call_is_mended_by_the_next_candidate() {
    let (mut exchange, _) = start(plan());
    assert_eq!(
        done(exchange.step(1, ended(0, Ended::failed(Code::BadCall)))),
        [starts(1)]
    );
    assert_eq!(done(exchange.step(2, ended(1, calls(2)))), [Command::End]);
    let (_, conclusion) = exchange.conclude(None);
    assert_eq!(conclusion.closing.attempts[0].code(), Some(Code::BadCall));
    assert_eq!(conclusion.closing.calls.len(), 2);
    // Places were asked, and another model may call the tool rightly.
    let (mut exchange, _) = start(plan());
    for attempt in 0..3 {
        exchange.step(u64::from(attempt) + 1, ended(attempt, Ended::failed(Code::BadCall)));
    }
    assert_eq!(exchange.conclude(None).1.kept, Kept::Question);
}

#[test]
fn the_next_candidate_waits_for_the_one_that_is_stopped() {
    let (mut exchange, _) = start(plan());
    assert_eq!(done(exchange.step(100, Event::Timer)), [Command::Stop { attempt: 0 }]);
    assert!(!exchange.is_running(0));
    // Its late text is nobody's.
    assert!(done(exchange.step(110, Event::Text { attempt: 0 })).is_empty());
    let mut late = finished(FinishReason::Cancelled);
    late.usage.tokens = Tokens { input: 7, output: 3 };
    assert_eq!(done(exchange.step(120, ended(0, late))), [starts(1)]);
    exchange.step(130, Event::Text { attempt: 1 });
    assert_eq!(
        done(exchange.step(140, ended(1, finished(FinishReason::Stop)))),
        [Command::End]
    );
    let (_, conclusion) = exchange.conclude(None);
    let attempts = &conclusion.closing.attempts;
    assert_eq!(
        (attempts[0].ended, attempts[0].code()),
        (AttemptEnd::TimedOut, Some(Code::NoFirstToken))
    );
    assert_eq!(attempts[1].ended, AttemptEnd::Answered);
}

#[test]
fn one_that_thinks_is_alive() {
    let (mut exchange, _) = start(plan());
    assert!(done(exchange.step(90, Event::Thinking { attempt: 0 })).is_empty());
    // The time for a first token counts no longer; that for the whole answer does.
    assert!(done(exchange.step(999, Event::Timer)).is_empty());
    assert_eq!(done(exchange.step(1000, Event::Timer)), [Command::Stop { attempt: 0 }]);
    // Its late thoughts are nobody's, and the next one has to show something itself.
    assert!(done(exchange.step(1001, Event::Thinking { attempt: 0 })).is_empty());
    let stopped = ended(0, finished(FinishReason::Cancelled));
    assert_eq!(done(exchange.step(1010, stopped)), [starts(1)]);
    assert_eq!(done(exchange.step(1110, Event::Timer)), [Command::Stop { attempt: 1 }]);
    exchange.step(1120, ended(1, finished(FinishReason::Cancelled)));
    // Thoughts are no answer.
    exchange.step(1130, Event::Thinking { attempt: 2 });
    assert_eq!(
        done(exchange.step(1140, ended(2, finished(FinishReason::Stop)))),
        [Command::End]
    );
    let (_, conclusion) = exchange.conclude(None);
    let codes: Vec<_> = conclusion
        .closing
        .attempts
        .iter()
        .map(|attempt| attempt.code())
        .collect();
    let expected = [Code::TimedOut, Code::NoFirstToken, Code::EmptyAnswer].map(Some);
    assert_eq!(codes, expected);
    assert_eq!((conclusion.kept, conclusion.ending.is_partial), (Kept::Question, false));
    assert_eq!(conclusion.closing.latency.first_token_ms, None);
}

#[test]
fn a_busy_place_is_waited_for_as_long_as_the_next_would_take() {
    let mut plan = plan();
    plan.bounds.deadline_ms = 60_000;
    plan.bounds.candidate_ms = 50_000;
    let (mut exchange, _) = start(plan);
    // Nobody knows how long the house takes.
    assert_eq!(exchange.wait_ms_max(), NEXT_PLACE_MS);
    exchange.step(10, ended(0, Ended::failed(Code::Busy)));
    exchange.step(20, ended(1, Ended::failed(Code::RateLimited)));
    // The last one has its own time, and no more than is left of the whole.
    assert_eq!(exchange.wait_ms_max(), 50_000);
    exchange.step(30_000, Event::Timer);
    assert_eq!(exchange.wait_ms_max(), 30_000);
}

#[test]
fn one_that_does_not_stop_is_given_up() {
    let (mut exchange, _) = start(plan());
    exchange.step(100, Event::Timer);
    assert!(done(exchange.step(100 + STOP_MS_MAX - 1, Event::Timer)).is_empty());
    let commands = done(exchange.step(100 + STOP_MS_MAX, Event::Timer));
    assert_eq!(commands, [starts(1)]);
    // Its time counts from now.
    assert!(done(exchange.step(199 + STOP_MS_MAX, Event::Timer)).is_empty());
    assert_eq!(
        done(exchange.step(200 + STOP_MS_MAX, Event::Timer)),
        [Command::Stop { attempt: 1 }]
    );
}

#[test]
fn what_is_called_off_while_another_stops_is_never_begun() {
    let (mut exchange, _) = start(plan());
    exchange.step(100, Event::Timer);
    // The house was to be next, and the user stops everything.
    assert!(done(exchange.step(110, Event::Cancelled)).is_empty());
    assert_eq!(
        done(exchange.step(120, ended(0, Ended::failed(Code::Request)))),
        [Command::End]
    );
    let (_, conclusion) = exchange.conclude(None);
    assert_eq!(conclusion.ending.outcome, Outcome::Cancelled);
    let house = &conclusion.closing.attempts[1];
    assert_eq!(
        (house.ended, house.code(), house.bytes_out),
        (AttemptEnd::Skipped, Some(Code::NotBegun), 0)
    );
}

#[test]
fn what_was_used_is_added_up() {
    let plan = plan();
    let prices = vec![
        Price::default(),
        Price {
            prompt_per_1k_micros: 2000,
            answer_per_1k_micros: 4000,
        },
        Price::default(),
    ];
    for is_metered in [true, false] {
        let (mut exchange, _) = Exchange::start(plan.clone(), prices.clone(), is_metered, 0);
        exchange.step(1, ended(0, Ended::failed(Code::Busy)));
        exchange.step(2, Event::Text { attempt: 1 });
        let usage = Usage {
            bytes_out: 900,
            bytes_in: 100,
            tokens: Tokens {
                input: 500,
                output: 250,
            },
            ..Usage::default()
        };
        exchange.step(3, ended(1, Ended::finished(FinishReason::Stop, usage)));
        let (_, conclusion) = exchange.conclude(None);
        assert_eq!(conclusion.cost_micros, 1000 + 1000);
        assert_eq!(conclusion.metered_bytes, if is_metered { 1000 } else { 0 });
        assert_eq!((conclusion.bytes_out, conclusion.bytes_in), (900, 100));
        assert_eq!(
            conclusion.closing.tokens,
            Tokens {
                input: 500,
                output: 250
            }
        );
    }
}

#[test]
fn values_that_two_attempts_sent_are_counted_once() {
    let (mut exchange, _) = start(plan());
    let sent = |emails, repeated| Usage {
        bytes_out: 900,
        redacted: [(FindingKind::Email, emails)].into(),
        repeated: [(FindingKind::Email, repeated)].into(),
        ..Usage::default()
    };
    let failed = Ended {
        usage: sent(2, 1),
        ..Ended::failed(Code::Busy)
    };
    exchange.step(1, ended(0, failed));
    exchange.step(2, Event::Text { attempt: 1 });
    exchange.step(3, ended(1, Ended::finished(FinishReason::Stop, sent(2, 1))));
    let (_, conclusion) = exchange.conclude(None);
    assert_eq!(conclusion.closing.redacted, [(FindingKind::Email, 2)].into());
    assert_eq!(conclusion.closing.repeated, [(FindingKind::Email, 1)].into());
}

#[test]
fn a_part_that_the_user_stopped_is_kept_and_says_so() {
    let (mut exchange, _) = start(plan());
    exchange.step(1, Event::Text { attempt: 0 });
    assert_eq!(done(exchange.step(2, Event::Cancelled)), [Command::Stop { attempt: 0 }]);
    assert_eq!(
        done(exchange.step(3, ended(0, finished(FinishReason::Cancelled)))),
        [Command::End]
    );
    let (_, conclusion) = exchange.conclude(None);
    assert_eq!((conclusion.kept, conclusion.ending.is_partial), (Kept::Exchange, true));
    assert_eq!((conclusion.signal, conclusion.finish), (Some(Signal::Aborted), None));
    assert_eq!(conclusion.closing.attempts[0].code(), None);
}

/// Whatever happens: one attempt at a time, each candidate at most once and in order, nothing after the end, and an end in bounded time.
#[test]
fn laws_over_random_events() {
    let plan = plan();
    for seed in 0..20_000 {
        let mut random = Pcg64::new(seed, 1);
        let mut below = |end: u32| random.next_u32() % end;
        let (mut exchange, mut commands) = start(plan.clone());
        let (mut now_ms, mut running, mut begun, mut is_over) = (0, None, Vec::new(), false);
        for _ in 0..400 {
            for command in commands {
                assert!(!is_over, "nothing follows the end");
                match command {
                    Command::Start { attempt, candidate } => {
                        assert_eq!(running, None, "one at a time");
                        assert!(begun.last().is_none_or(|last| *last < candidate), "in order, each once");
                        running = Some(attempt);
                        begun.push(candidate);
                    }
                    Command::Stop { attempt } => assert_eq!(running, Some(attempt)),
                    Command::Restart | Command::WakeAt { .. } => {}
                    Command::End => is_over = true,
                }
            }
            if is_over {
                break;
            }
            now_ms += u64::from(below(400));
            let attempt = running.unwrap_or_else(|| below(4));
            let event = match below(10) {
                0 | 1 => Event::Text { attempt },
                9 => Event::Thinking { attempt },
                2 => ended(attempt, finished(FinishReason::Stop)),
                3 if below(4) == 0 => ended(attempt, calls(1)),
                3 => ended(attempt, Ended::failed(Code::Server)),
                4 if below(6) == 0 => Event::Cancelled,
                _ => Event::Timer,
            };
            let ends = matches!(event, Event::Ended { attempt, .. } if Some(attempt) == running);
            commands = exchange.step(now_ms, event);
            if ends || (running.is_some() && commands.iter().any(|command| matches!(command, Command::Start { .. }))) {
                // It ended, or it was given up.
                running = None;
            }
        }
        assert!(is_over, "seed {seed} did not end");
        let (plan, conclusion) = exchange.conclude(None);
        assert_eq!(conclusion.attempts.len(), conclusion.closing.attempts.len());
        assert!(conclusion.attempts.len() >= begun.len());
        for attempt in &conclusion.closing.attempts {
            assert!(
                plan.candidates
                    .iter()
                    .any(|candidate| *candidate.place() == attempt.place)
            );
        }
    }
}

/// A question that would fail everywhere, whoever is asked next, does not go along with the next one.
#[test]
fn a_question_that_fails_by_itself_is_not_kept() {
    let check = |code, expected| {
        let (mut exchange, _) = start(plan());
        let mut attempt = 0;
        loop {
            let commands = done(exchange.step(u64::from(attempt) + 1, ended(attempt, Ended::failed(code))));
            if commands == [Command::End] {
                break;
            }
            attempt += 1;
        }
        assert_eq!(exchange.conclude(None).1.kept, expected, "{code:?}");
    };
    check(Code::Server, Kept::Question);
    check(Code::TimedOut, Kept::Question);
    for code in [
        Code::NotCleared,
        Code::ContextFull,
        Code::Refusal,
        Code::RequestTooLarge,
    ] {
        check(code, Kept::Nothing);
    }
}
