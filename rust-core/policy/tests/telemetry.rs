//! What is sent about requests, and when: consent, withdrawal, budget, failures, the oldest that is dropped, and what is stored.
#![allow(clippy::unwrap_used)]

use whimbrel_policy::telemetry::{
    BACKOFF_MS_MAX, Batch, ClosedReceipt, Command, Consent, Event, FLUSH_INTERVAL_MS, Failure, REFUSED_MS, Reply,
    SPAN_AGE_MS_MAX, SPANS_WAITING_MAX, Sender, SenderRecord, SenderRecordError, Signals, TelemetryRules, Why,
};
use whimbrel_policy::{Format, Network, Policy, PolicySet};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Six in the morning.
const NOW_MS: u64 = 20_000 * DAY_MS + 6 * HOUR_MS;

fn parse(text: &str) -> Policy {
    Policy::parse(&format!("version = 1\nname = \"test\"\n{text}"), Format::Toml).unwrap()
}

fn rules(more: &str, user: &str) -> Option<TelemetryRules> {
    let section = "[telemetry]\nurl = \"https://a.example\"\nservice = \"my-app\"\ntrust = \"organisation\"";
    let user = (!user.is_empty()).then(|| parse(&format!("role = \"user\"\n[telemetry]\n{user}")));
    PolicySet::new(parse(&format!("{section}\n{more}")), user)
        .unwrap()
        .telemetry()
}

fn consent() -> Consent {
    Consent {
        to: "https://a.example".to_owned(),
        service: "my-app".to_owned(),
        metrics: true,
        traces: true,
        given_ms: NOW_MS,
    }
}

/// A sender with its clock.
struct Desk {
    sender: Sender,
    now_ms: u64,
}

impl Desk {
    /// With consent behind the entry 100, and on a network that costs nothing.
    fn new() -> Desk {
        let (sender, _) = Sender::open(SenderRecord::default(), rules("", ""), 100, 3, NOW_MS);
        let mut desk = Desk { sender, now_ms: NOW_MS };
        desk.network(Some(Network::Unmetered));
        desk.step(Event::Consented {
            consent: consent(),
            begin_after: 100,
        });
        desk
    }

    fn step(&mut self, event: Event) -> Vec<Command> {
        self.sender.step(self.now_ms, event)
    }

    fn network(&mut self, network: Option<Network>) -> Vec<Command> {
        self.step(Event::Conditions { network })
    }

    fn ask(&mut self, newest: u64) -> Vec<Command> {
        let within_ms = None;
        self.step(Event::Asked { newest, within_ms })
    }

    fn flush(&mut self, newest: u64) -> Vec<Command> {
        let within_ms = Some(5_000);
        self.step(Event::Asked { newest, within_ms })
    }

    fn batch(&mut self, newest: u64) -> Batch {
        match self.ask(newest)[..] {
            [Command::Send(batch)] => batch,
            ref other => panic!("{other:?}"),
        }
    }

    /// Sends up to `newest` with this result for both signals.
    fn send(&mut self, newest: u64, reply: Reply) -> Vec<Command> {
        let Batch { attempt, signals, .. } = self.batch(newest);
        assert_eq!(
            self.step(Event::Sending { attempt, bytes: 1_000 }),
            [Command::Go { attempt }]
        );
        self.step(Event::Ended {
            attempt,
            bytes: 900,
            metrics: signals.metrics.then_some(reply),
            traces: signals.traces.then_some(reply),
        })
    }

    fn why(&mut self, newest: u64) -> Why {
        why(&self.ask(newest))
    }
}

#[track_caller]
fn why(commands: &[Command]) -> Why {
    match commands[..] {
        [Command::Nothing { because }] | [Command::Nothing { because }, Command::WakeAt { .. }] => because,
        _ => panic!("{commands:?}"),
    }
}

fn accepted(through: u64) -> Reply {
    Reply::Accepted { rejected: 0, through }
}

fn retryable(after_ms: Option<u64>) -> Reply {
    Reply::Failed(Failure::Retryable { after_ms })
}

fn permanent(code: u16) -> Reply {
    Reply::Failed(Failure::Permanent { code })
}

#[test]
fn the_users_document_only_switches_off() {
    let check = |user: &str, metrics, traces| {
        let rules = rules("metrics = true\nbytes_a_day = 20_000\nconnections_a_day = 2", user).unwrap();
        assert_eq!((rules.metrics, rules.traces), (metrics, traces), "{user}");
        assert_eq!(
            (rules.bytes_a_day, rules.connections_a_day, rules.metered),
            (20_000, 2, false)
        );
    };
    check("", true, true);
    check("metrics = true", true, true);
    check("metrics = false", false, true);
    check("traces = false", true, false);
    check("metrics = false\ntraces = false", false, false);
    let none = PolicySet::new(parse(""), Some(parse("role = \"user\"\n[telemetry]\ntraces = false")));
    assert_eq!(none.unwrap().telemetry(), None);
    // What the app does not offer the user cannot have.
    assert!(!rules("traces = false", "traces = true").unwrap().traces);
}

#[test]
fn a_consent_covers_only_what_it_was_given_for() {
    let rules = rules("", "traces = false").unwrap();
    let check = |change: fn(&mut Consent), metrics| {
        let mut consent = consent();
        change(&mut consent);
        let traces = false;
        assert_eq!(consent.covers(&rules), Signals { metrics, traces });
    };
    check(|_| {}, true);
    check(|consent| consent.metrics = false, false);
    check(|consent| consent.to.push_str("/v2"), false);
    check(|consent| consent.service = "other".to_owned(), false);
}

#[test]
fn nothing_is_sent_without_rules_consent_or_news() {
    let (mut sender, commands) = Sender::open(SenderRecord::default(), None, 0, 3, NOW_MS);
    assert_eq!(why(&commands), Why::NotConfigured);
    let asked = Event::Asked {
        newest: 9,
        within_ms: None,
    };
    assert_eq!(why(&sender.step(NOW_MS, asked)), Why::NotConfigured);
    let mut desk = Desk::new();
    assert_eq!(desk.why(100), Why::NothingNew);
    let batch = desk.batch(101);
    assert_eq!((batch.spans_after, batch.sums_after), (100, 100));
    desk.step(Event::Withdrawn);
    assert_eq!(desk.why(101), Why::NoConsent);
    let attempt = batch.attempt;
    let commands = desk.step(Event::Sending { attempt, bytes: 10 });
    assert_eq!(
        why(&commands),
        Why::NoConsent,
        "it was made ready before the withdrawal"
    );
    // A later consent begins behind it.
    desk.step(Event::Consented {
        consent: consent(),
        begin_after: 101,
    });
    assert_eq!(desk.why(101), Why::NothingNew);
    assert_eq!(desk.batch(102).spans_after, 101);
}

#[test]
fn a_withdrawal_stops_what_is_being_sent_and_keeps_the_budget() {
    let mut desk = Desk::new();
    let attempt = desk.batch(300).attempt;
    desk.step(Event::Sending { attempt, bytes: 9_000 });
    assert_eq!(desk.why(300), Why::InProgress);
    let stopped = [
        Command::Stop { attempt },
        Command::Nothing {
            because: Why::NoConsent,
        },
    ];
    assert_eq!(desk.step(Event::Withdrawn), stopped);
    let consented = Event::Consented {
        consent: consent(),
        begin_after: 300,
    };
    assert_eq!(why(&desk.step(consented)), Why::InProgress);
    let ended = Event::Ended {
        attempt,
        bytes: 4_000,
        metrics: Some(accepted(300)),
        traces: Some(permanent(403)),
    };
    desk.step(ended.clone());
    assert_eq!(desk.sender.refused(NOW_MS).traces, None, "it was another consent's");
    assert_eq!(desk.sender.today(NOW_MS).bytes, 4_000);
    assert_eq!(desk.sender.spans_after(), Some(300));
    assert_eq!(desk.why(301), Why::Interval);
    desk.step(ended);
    assert_eq!(desk.sender.today(NOW_MS).bytes, 4_000, "reported twice");
}

#[test]
fn the_same_consent_once_more_changes_nothing() {
    let mut desk = Desk::new();
    let mut again = consent();
    again.given_ms += DAY_MS;
    let begin_after = 150;
    desk.step(Event::Consented {
        consent: again.clone(),
        begin_after,
    });
    assert_eq!(desk.sender.consent(), Some(&consent()));
    assert_eq!(desk.sender.spans_after(), Some(100));
    again.metrics = false;
    desk.step(Event::Consented {
        consent: again,
        begin_after,
    });
    assert_eq!(desk.sender.spans_after(), Some(150));
    assert_eq!(
        desk.batch(151).signals,
        Signals {
            metrics: false,
            traces: true
        }
    );
}

#[test]
fn what_happened_while_a_policy_switched_a_signal_off_is_never_sent() {
    let mut desk = Desk::new();
    let change = |desk: &mut Desk, user: &str, newest| {
        let rules = rules("", user);
        desk.step(Event::RulesChanged { rules, newest })
    };
    let attempt = desk.batch(110).attempt;
    desk.step(Event::Sending { attempt, bytes: 100 });
    assert_eq!(change(&mut desk, "traces = false", 120)[0], Command::Stop { attempt });
    desk.step(Event::Ended {
        attempt,
        bytes: 100,
        metrics: None,
        traces: None,
    });
    desk.now_ms += DAY_MS;
    desk.send(130, accepted(130));
    desk.now_ms += DAY_MS;
    change(&mut desk, "", 140);
    let batch = desk.batch(150);
    assert_eq!((batch.spans_after, batch.sums_after), (140, 100));
    change(&mut desk, "metrics = false", 150);
    // The rules change while the process is not running.
    let stored = SenderRecord::decode(&desk.sender.record().encode()).unwrap();
    let (mut sender, _) = Sender::open(stored, rules("", ""), 160, 5, desk.now_ms);
    sender.step(
        desk.now_ms,
        Event::Conditions {
            network: Some(Network::Unmetered),
        },
    );
    let asked = Event::Asked {
        newest: 170,
        within_ms: None,
    };
    let Command::Send(batch) = sender.step(desk.now_ms, asked)[0] else {
        panic!("it is sent")
    };
    assert_eq!((batch.spans_after, batch.sums_after), (140, 160));
    assert_eq!(batch.sums_since_ms, desk.now_ms);
}

#[test]
fn networks() {
    for (network, more, expected) in [
        (Some(Network::None), "metered = true", Some(Why::NoNetwork)),
        (Some(Network::Metered), "", Some(Why::Metered)),
        (Some(Network::Roaming), "", Some(Why::Metered)),
        (None, "", Some(Why::Metered)),
        (Some(Network::Unmetered), "", None),
        (Some(Network::Metered), "metered = true", None),
        (None, "metered = true", None),
    ] {
        let mut desk = Desk::new();
        let newest = 100;
        desk.step(Event::RulesChanged {
            rules: rules(more, ""),
            newest,
        });
        let commands = desk.network(network);
        match expected {
            Some(because) => {
                assert_eq!(commands, [Command::Nothing { because }]);
                assert_eq!(desk.ask(101), [Command::Nothing { because }]);
            }
            None => {
                assert_eq!(commands, [Command::WakeAt { at_ms: NOW_MS }]);
                desk.batch(101);
            }
        }
    }
    // The network is lost while the data is made ready.
    let mut desk = Desk::new();
    let attempt = desk.batch(101).attempt;
    desk.network(Some(Network::Metered));
    assert_eq!(why(&desk.step(Event::Sending { attempt, bytes: 10 })), Why::Metered);
}

#[test]
fn regular_runs_are_spread_over_the_day_and_a_flush_does_not_wait() {
    let mut desk = Desk::new();
    assert_eq!(
        desk.send(110, accepted(110)),
        [Command::WakeAt {
            at_ms: NOW_MS + 6 * HOUR_MS
        }]
    );
    desk.now_ms += 6 * HOUR_MS - 1;
    assert_eq!(
        desk.ask(120),
        [
            Command::Nothing { because: Why::Interval },
            Command::WakeAt {
                at_ms: NOW_MS + 6 * HOUR_MS
            }
        ]
    );
    desk.now_ms += 1;
    desk.send(120, accepted(120));
    // In the background often: at most every 15 minutes, and no more than four times a day.
    for newest in [130, 140] {
        assert_eq!(why(&desk.flush(newest)), Why::Interval);
        desk.now_ms += FLUSH_INTERVAL_MS;
        let within_ms = Some(1_999);
        assert_eq!(why(&desk.step(Event::Asked { newest, within_ms })), Why::Deadline);
        let Command::Send(batch) = desk.flush(newest)[0] else {
            panic!("it is sent")
        };
        assert_eq!(batch.within_ms, 5_000);
        desk.send_batch(batch, newest);
    }
    desk.now_ms += FLUSH_INTERVAL_MS;
    let commands = desk.flush(150);
    assert_eq!(why(&commands), Why::BudgetConnections);
    let Command::WakeAt { at_ms } = commands[1] else {
        panic!("{commands:?}")
    };
    assert!((20_001 * DAY_MS..20_001 * DAY_MS + HOUR_MS).contains(&at_ms));
    desk.now_ms = at_ms;
    desk.batch(150);
}

impl Desk {
    fn send_batch(&mut self, batch: Batch, through: u64) {
        let attempt = batch.attempt;
        self.step(Event::Sending { attempt, bytes: 1_000 });
        self.step(Event::Ended {
            attempt,
            bytes: 900,
            metrics: Some(accepted(through)),
            traces: Some(accepted(through)),
        });
    }
}

#[test]
fn bytes_are_set_aside_before_they_are_sent() {
    let mut desk = Desk::new();
    let attempt = desk.batch(200).attempt;
    assert_eq!(
        why(&desk.step(Event::Sending { attempt, bytes: 50_001 })),
        Why::BudgetBytes
    );
    let attempt = desk.batch(200).attempt;
    desk.step(Event::Sending { attempt, bytes: 49_000 });
    assert_eq!(desk.sender.today(NOW_MS).bytes, 49_000);
    // The process is killed: it may all have been sent, and it is sent again when there are bytes again.
    let stored = SenderRecord::decode(&desk.sender.record().encode()).unwrap();
    let (sender, _) = Sender::open(stored, rules("", ""), 200, 5, NOW_MS);
    desk.sender = sender;
    desk.network(Some(Network::Unmetered));
    assert_eq!(desk.sender.today(NOW_MS).bytes, 49_000);
    assert_eq!(desk.why(200), Why::Backoff);
    desk.now_ms += 6 * HOUR_MS;
    assert_eq!(desk.why(200), Why::BudgetBytes);
    desk.now_ms += DAY_MS;
    assert_eq!(desk.batch(200).spans_after, 100);
}

#[test]
fn failures_wait_longer_and_longer() {
    let mut desk = Desk::new();
    let mut waits = Vec::new();
    for _ in 0..12 {
        desk.send(110, retryable(None));
        let begin_ms = desk.now_ms;
        while matches!(desk.ask(110)[0], Command::Nothing { .. }) {
            desk.now_ms += HOUR_MS / 4;
        }
        waits.push(desk.now_ms - begin_ms);
    }
    assert!(waits.is_sorted(), "{waits:?}");
    assert!(waits[0] >= 6 * HOUR_MS && waits[11] <= BACKOFF_MS_MAX + HOUR_MS);
    assert!(waits[11] >= DAY_MS);
    desk.send(110, accepted(110));
    desk.now_ms += 6 * HOUR_MS;
    desk.send(120, retryable(Some(20 * HOUR_MS)));
    desk.now_ms += 20 * HOUR_MS - 1;
    assert_eq!(why(&desk.flush(120)), Why::Backoff);
    desk.now_ms += 1;
    desk.send(120, retryable(Some(400 * DAY_MS)));
    desk.now_ms += BACKOFF_MS_MAX;
    assert_eq!(desk.batch(120).spans_after, 110);
}

#[test]
fn a_signal_that_is_refused_pauses_alone_and_says_why() {
    let mut desk = Desk::new();
    let attempt = desk.batch(110).attempt;
    desk.step(Event::Sending { attempt, bytes: 100 });
    desk.step(Event::Ended {
        attempt,
        bytes: 100,
        metrics: Some(accepted(110)),
        traces: Some(permanent(404)),
    });
    assert_eq!(desk.sender.refused(NOW_MS).traces, Some(404));
    assert_eq!(desk.sender.refused(NOW_MS).metrics, None);
    desk.now_ms += 6 * HOUR_MS;
    assert_eq!(desk.why(110), Why::Refused, "only spans wait");
    let none = Signals::NONE;
    assert_eq!(desk.batch(120).signals, Signals { metrics: true, ..none });
    desk.send(120, permanent(401));
    assert_eq!(
        desk.ask(130),
        [
            Command::Nothing { because: Why::Refused },
            Command::WakeAt {
                at_ms: NOW_MS + REFUSED_MS
            }
        ]
    );
    desk.now_ms = NOW_MS + REFUSED_MS;
    assert_eq!(desk.sender.refused(desk.now_ms).traces, None);
    assert_eq!(desk.batch(130).signals, Signals { traces: true, ..none });
    desk.send(130, accepted(130));
    assert_eq!(desk.sender.spans_after(), Some(130));
}

#[test]
fn a_batch_that_is_too_large_is_halved_and_grows_again() {
    let mut desk = Desk::new();
    let mut sizes = Vec::new();
    for _ in 0..9 {
        desk.now_ms += DAY_MS;
        let batch = desk.batch(500);
        sizes.push(batch.spans_max);
        let attempt = batch.attempt;
        desk.step(Event::Sending { attempt, bytes: 100 });
        desk.step(Event::Ended {
            attempt,
            bytes: 100,
            metrics: None,
            traces: Some(permanent(413)),
        });
    }
    assert_eq!(sizes, [200, 100, 50, 25, 12, 6, 3, 1, 1]);
    assert_eq!(desk.sender.refused(desk.now_ms).traces, Some(413));
    for expected in [1, 21, 41] {
        desk.now_ms += DAY_MS;
        let batch = desk.batch(500);
        assert_eq!(batch.spans_max, expected);
        desk.send_batch(batch, batch.spans_after + 1);
    }
}

#[test]
fn what_the_receiver_leaves_out_is_counted_and_not_sent_again() {
    let mut desk = Desk::new();
    let through = 110;
    desk.send(110, Reply::Accepted { rejected: 4, through });
    assert_eq!((desk.sender.rejected(), desk.sender.spans_after()), (8, Some(110)));
    // More than there was cannot have been sent.
    desk.now_ms += DAY_MS;
    desk.send(120, accepted(999));
    assert_eq!(desk.sender.spans_after(), Some(120));
    desk.now_ms += DAY_MS;
    desk.send(130, accepted(5));
    assert_eq!(desk.sender.spans_after(), Some(120));
}

#[test]
fn what_cannot_be_sent_is_skipped() {
    let mut desk = Desk::new();
    let attempt = desk.batch(110).attempt;
    let through = 105;
    desk.step(Event::Skipped { attempt, through });
    assert_eq!(desk.sender.spans_after(), Some(105));
    assert_eq!(desk.sender.today(NOW_MS).connections, 0);
    assert_eq!(desk.why(110), Why::Interval);
}

#[test]
fn the_oldest_are_dropped() {
    let check = |count: u64, every_ms: u64, dropped: u64| {
        let mut desk = Desk::new();
        let newest_first = (0..count).map(|back| ClosedReceipt {
            sequence: 100 + 2 * (count - back),
            closed_ms: NOW_MS - back * every_ms,
        });
        // Those before the consent are not looked at.
        let before = ClosedReceipt {
            sequence: 100,
            closed_ms: 0,
        };
        assert_eq!(desk.sender.drop_oldest(NOW_MS, newest_first.chain([before])), dropped);
        let expected = (dropped, Some(100 + 2 * dropped));
        assert_eq!((desk.sender.dropped(), desk.sender.spans_after()), expected);
    };
    check(0, 1, 0);
    check(SPANS_WAITING_MAX, 1, 0);
    check(SPANS_WAITING_MAX + 3, 1, 3);
    check(31, DAY_MS, 0);
    check(33, DAY_MS, 2);
    assert_eq!(SPAN_AGE_MS_MAX, 30 * DAY_MS);
    // Not from under what is being sent.
    let mut desk = Desk::new();
    let attempt = desk.batch(110).attempt;
    desk.step(Event::Sending { attempt, bytes: 100 });
    let old = ClosedReceipt {
        sequence: 105,
        closed_ms: 0,
    };
    assert_eq!(desk.sender.drop_oldest(NOW_MS, [old]), 0);
}

#[test]
fn a_clock_that_is_set_neither_renews_nor_locks() {
    let mut desk = Desk::new();
    for newest in [110, 120, 130, 140] {
        let Command::Send(batch) = desk.flush(newest)[0] else {
            panic!("it is sent")
        };
        desk.send_batch(batch, newest);
        desk.now_ms += FLUSH_INTERVAL_MS;
    }
    assert_eq!(desk.why(150), Why::BudgetConnections);
    // Ahead by a week: that day has a budget, which counts when the clock is right again.
    desk.now_ms += 7 * DAY_MS;
    desk.send(150, accepted(150));
    desk.now_ms -= 7 * DAY_MS;
    assert_eq!(why(&desk.flush(160)), Why::BudgetConnections);
    // Back by a year: no earlier day has a budget of its own.
    desk.now_ms -= 365 * DAY_MS;
    assert_eq!(desk.why(160), Why::BudgetConnections);
    desk.now_ms += DAY_MS;
    assert_eq!(desk.batch(160).spans_after, 150);
}

/// What is stored after a refusal and a failure.
const RECORD: &str = r#"{
  "version": 1, "attempts": 1, "is_sending": false,
  "since_connection": { "ms": 0, "seen_ms": 1728021600000 },
  "days": {
    "days": [{ "day": 20000, "shown": 20000, "used": { "bytes": 900, "connections": 1 } }],
    "behind_since_ms": null
  },
  "given": {
    "consent": {
      "to": "https://a.example", "service": "my-app", "metrics": true, "traces": true, "given_ms": 1728021600000
    },
    "covered": { "metrics": true, "traces": true },
    "spans_begin": 100, "spans_after": 100, "spans_max": 200, "dropped": 0, "rejected": 0,
    "sums_after": 100, "sums_since_ms": 1728021600000, "sums_through": 100,
    "failures": 1, "backoff": { "left_ms": 72000000, "seen_ms": 1728021600000 },
    "metrics_refused": { "code": 403, "wait": { "left_ms": 86400000, "seen_ms": 1728021600000 } },
    "traces_refused": null
  }
}"#;

#[test]
fn the_stored_form() {
    let fresh = SenderRecord::default().encode();
    let expected = r#"{"version":1,"attempts":0,"is_sending":false,"since_connection":null,"days":{"days":[],"behind_since_ms":null},"given":null}"#;
    assert_eq!(fresh, expected);
    let mut desk = Desk::new();
    let attempt = desk.batch(110).attempt;
    desk.step(Event::Sending { attempt, bytes: 1_000 });
    desk.step(Event::Ended {
        attempt,
        bytes: 900,
        metrics: Some(permanent(403)),
        traces: Some(retryable(Some(20 * HOUR_MS))),
    });
    let stored = desk.sender.record().encode();
    assert_eq!(stored, RECORD.split_whitespace().collect::<String>());
    assert_eq!(SenderRecord::decode(&stored).unwrap(), *desk.sender.record());
    let version = stored.replacen("\"version\":1", "\"version\":2", 1);
    assert_eq!(
        SenderRecord::decode(&version),
        Err(SenderRecordError::Version { found: 2 })
    );
    for damaged in [
        "",
        "{}",
        "[]",
        &stored[..50],
        &stored.replacen("\"dropped\"", "\"lost\"", 1),
    ] {
        let error = SenderRecord::decode(damaged);
        assert!(matches!(error, Err(SenderRecordError::Malformed { .. })), "{damaged}");
    }
}

#[test]
fn reasons_have_one_name() {
    for why in Why::ALL {
        assert_eq!(serde_json::to_string(&why).unwrap(), format!("\"{}\"", why.name()));
    }
}
