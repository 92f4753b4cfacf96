//! The limits of an outbox: leases, ages, deadlines, bounds, what users may do, and the rows.
#![allow(clippy::unwrap_used)]

mod outbox_desk;

use std::path::Path;

use outbox_desk::{DAY_MS, Desk, NETWORK, ONLINE, SENDING, new, send, sent, tell};
use whimbrel_policy::outbox::{
    AttemptResult, Command, Conditions, Decided, Entry, EntryError, Event, Failure, IdempotencyKey, LEASE_MS,
    LEASE_MS_BEYOND, NewEntry, Notice, Outbox, OutboxError, OutboxOptions, Priority, StartError,
};
use whimbrel_record::Code;

#[test]
fn a_jump_neither_frees_a_lease_nor_keeps_a_dead_one() {
    for jump_ms in [DAY_MS as i64, -(DAY_MS as i64)] {
        let mut desk = Desk::new();
        desk.queue(10, 1);
        desk.run();
        desk.now.wall_ms = desk.now.wall_ms.saturating_add_signed(jump_ms);
        assert_eq!(desk.step(Event::Tick), []);
        desk.pass(LEASE_MS - 1);
        assert_eq!(desk.step(Event::Tick), []);
        // The process dies: its lease is worth nothing, whatever the clocks say.
        desk.restart(2);
        assert_eq!(desk.run()[..1], [send(10, 2)], "the same key, another lease");
        assert_eq!(desk.outbox.entry(10).unwrap().interruptions(), 1);
        // A report of the dead attempt.
        assert_eq!(desk.end(10, 1, AttemptResult::Denied), []);
        // An attempt that hangs is given up, but its answer counts as long as there is no other attempt.
        desk.pass(LEASE_MS);
        assert_eq!(desk.step(Event::Tick)[0], Command::Stop { id: 10, lease: 2 });
        assert_eq!(
            desk.end(10, 2, AttemptResult::Answered)[0],
            Command::Complete { id: 10 }
        );
    }
}

#[test]
fn a_lease_lasts_as_long_as_its_attempt() {
    let mut desk = Desk::new();
    desk.queue(10, 1);
    desk.run();
    desk.step(Event::Began {
        id: 10,
        lease: 1,
        decided: Decided::OnDevice,
        deadline_ms: 3_600_000,
    });
    // The same session builds the machine again: the attempt goes on.
    desk.restart(1);
    desk.run();
    desk.pass(3_600_000 + LEASE_MS_BEYOND - 1);
    assert_eq!(desk.step(Event::Tick), []);
    desk.pass(1);
    assert_eq!(desk.step(Event::Tick)[0], Command::Stop { id: 10, lease: 1 });
}

#[test]
fn old_requests_are_confirmed_if_the_app_wants_it() {
    let mut desk = Desk::with(OutboxOptions {
        confirm_after_ms: Some(3_600_000),
        ..OutboxOptions::default()
    });
    desk.queue(10, 1);
    desk.queue(11, 1);
    assert_eq!(desk.outbox.confirm(desk.now, 10), Err(OutboxError::NotAsked { id: 10 }));
    desk.pass(3_600_000);
    let asked = [
        tell(10, Notice::NeedsConfirmation),
        tell(11, Notice::Blocked { by: 10 }),
        Command::Idle,
    ];
    assert_eq!(desk.run(), asked);
    desk.restart(2);
    assert_eq!(desk.run(), [Command::Idle]);
    assert_eq!(sent(&desk.user(|outbox, now| outbox.confirm(now, 10))), [10]);
    desk.end(10, 1, AttemptResult::Stopped);
    assert_eq!(desk.outbox.notice(10), Some(SENDING), "it is not asked about twice");
    // After a boot with a clock that is behind, nobody knows how old it is.
    let mut desk = Desk::with(desk.options);
    desk.queue(10, 1);
    desk.now.boot = 2;
    desk.now.wall_ms -= DAY_MS;
    desk.restart(2);
    assert_eq!(desk.run()[0], tell(10, Notice::NeedsConfirmation));
}

#[test]
fn an_answer_after_the_deadline_is_of_no_use() {
    let mut desk = Desk::new();
    desk.queue_with(10, 1, |new| new.deadline_ms = Some(60_000));
    desk.queue(11, 1);
    assert_eq!(desk.wakes.iter().map(|wake| wake.at_ms).min(), Some(0));
    desk.step(Event::Conditions(Conditions::default()));
    desk.pass(59_999);
    assert_eq!(desk.step(Event::Tick), []);
    desk.pass(1);
    let expired = [Command::Expire { id: 10 }, tell(10, Notice::Expired)];
    assert_eq!(desk.step(Event::Tick), expired);
    // One that is being sent may finish.
    let mut desk = Desk::new();
    desk.queue_with(10, 1, |new| new.deadline_ms = Some(60_000));
    desk.run();
    desk.pass(60_000);
    assert_eq!(desk.step(Event::Tick), []);
    assert_eq!(desk.end(10, 1, AttemptResult::Stopped)[..2], expired);
}

#[test]
fn a_deadline_of_an_unknown_age_does_not_wake_anyone() {
    let mut desk = Desk::new();
    desk.step(Event::Conditions(Conditions::default()));
    desk.queue_with(10, 1, |new| {
        new.deadline_ms = Some(60_000);
        new.needs = NETWORK;
    });
    desk.now.boot = 2;
    desk.now.wall_ms -= DAY_MS;
    desk.restart(2);
    assert!(desk.wakes.iter().all(|wake| wake.needs == NETWORK), "{:?}", desk.wakes);
    desk.pass(DAY_MS + 60_000);
    assert_eq!(desk.step(Event::Tick)[0], Command::Expire { id: 10 });
}

#[test]
fn what_users_may_do() {
    let mut desk = Desk::new();
    desk.queue(10, 1);
    desk.queue(11, 1);
    desk.run();
    let (now, key) = (desk.now, IdempotencyKey([99; 16]));
    assert_eq!(desk.outbox.edit(now, 10, 5, key), Err(OutboxError::Sending { id: 10 }));
    assert_eq!(desk.outbox.cancel(now, 10), Err(OutboxError::Sending { id: 10 }));
    assert_eq!(
        desk.outbox.reprioritise(now, 10, Priority::High),
        Err(OutboxError::Sending { id: 10 })
    );
    assert_eq!(desk.outbox.retry(now, 10), Err(OutboxError::Sending { id: 10 }));
    assert_eq!(desk.outbox.cancel(now, 12), Err(OutboxError::Unknown { id: 12 }));
    let same = IdempotencyKey([11; 16]);
    assert_eq!(
        desk.outbox.edit(now, 11, 5, same),
        Err(OutboxError::KeyInUse { id: 11 })
    );
    desk.pass(1_000);
    desk.user(|outbox, now| outbox.edit(now, 11, 5, IdempotencyKey([99; 16])));
    assert_eq!(desk.outbox.bytes(), 105);
    assert_eq!(desk.outbox.entry(11).unwrap().age_ms(desk.now), 0);
    let cancelled = [Command::Remove { id: 10 }, tell(10, Notice::Cancelled)];
    assert_eq!(desk.end(10, 1, AttemptResult::Cancelled)[..2], cancelled);
    let key_sent = desk.outbox.entry(11).unwrap().key();
    assert_eq!(key_sent, key);
    // The lease's number went up with the edit, so that no earlier answer is taken for this one's.
    assert_eq!(desk.end(11, 1, AttemptResult::Answered), []);
}

#[test]
fn bounds() {
    let mut desk = Desk::with(OutboxOptions {
        entries_max: 2,
        bytes_max: 250,
        ..OutboxOptions::default()
    });
    let now = desk.now;
    desk.queue(10, 1);
    let large = NewEntry {
        bytes: 151,
        ..new(11, 1)
    };
    let no_space = OutboxError::NoSpace {
        bytes: 151,
        bytes_free: 150,
        bytes_max: 250,
    };
    assert_eq!(desk.outbox.enqueue(now, large), Err(no_space));
    assert_eq!(
        desk.outbox.enqueue(now, new(10, 1)),
        Err(OutboxError::IdInUse { id: 10 })
    );
    let same = NewEntry {
        key: IdempotencyKey([10; 16]),
        ..new(11, 1)
    };
    assert_eq!(desk.outbox.enqueue(now, same), Err(OutboxError::KeyInUse { id: 10 }));
    desk.queue(11, 1);
    assert_eq!(
        desk.outbox.enqueue(now, new(12, 2)),
        Err(OutboxError::Full { entries_max: 2 })
    );
    assert_eq!(desk.outbox.edit(now, 11, 151, IdempotencyKey([9; 16])), Err(no_space));
    assert_eq!(desk.outbox.len(), 2);
    // A lower limit drops nothing.
    desk.options.entries_max = 1;
    desk.restart(2);
    assert_eq!(desk.outbox.len(), 2);
}

#[test]
fn who_is_sent_first() {
    let mut desk = Desk::with(OutboxOptions {
        leases_max: 1,
        ..OutboxOptions::default()
    });
    for (id, priority) in [
        (10, Priority::Low),
        (20, Priority::Normal),
        (30, Priority::Normal),
        (40, Priority::Low),
    ] {
        let mut entry = new(id, id / 10);
        entry.priority = priority;
        let commands = desk.outbox.enqueue(desk.now, entry).unwrap();
        desk.keep(commands);
        desk.pass(10);
    }
    // What is urgent has to wait for what is before it, which is therefore urgent too.
    desk.queue_with(41, 4, |new| new.priority = Priority::High);
    let mut order = sent(&desk.run());
    while let Some(id) = order.last().copied() {
        let commands = desk.end(id, 1, AttemptResult::Answered);
        match sent(&commands)[..] {
            [next] => order.push(next),
            _ => break,
        }
    }
    assert_eq!(order, [40, 41, 20, 30, 10]);
}

/// A row of each state.
fn every_row() -> Vec<String> {
    let failed = |code, status, is_free| {
        AttemptResult::Failed(Failure {
            status,
            retry_after_ms: Some(90_000),
            is_free,
            ..Failure::free(code)
        })
    };
    let mut rows = Vec::new();
    for result in [
        None,
        Some(failed(Code::Server, Some(520), true)),
        Some(failed(Code::Unreachable, None, true)),
        Some(failed(Code::ContextFull, None, true)),
        Some(failed(Code::TimedOut, None, false)),
        Some(AttemptResult::Denied),
    ] {
        let mut desk = Desk::with(OutboxOptions {
            paid_failures_max: 1,
            confirm_after_ms: Some(1_000),
            ..OutboxOptions::default()
        });
        desk.queue_with(10, 1, |new| {
            new.needs = NETWORK;
            new.deadline_ms = Some(DAY_MS);
        });
        if result.is_none() {
            rows.push(desk.rows[&10].clone());
        }
        desk.run();
        if let Some(result) = result {
            desk.end(10, 1, result);
        }
        rows.push(desk.rows[&10].clone());
    }
    let mut desk = Desk::with(OutboxOptions {
        confirm_after_ms: Some(0),
        ..OutboxOptions::default()
    });
    desk.queue(10, 1);
    desk.run();
    rows.push(desk.rows[&10].clone());
    rows
}

/// What programs of other versions will find; `UPDATE_SNAPSHOTS=1` writes it again.
#[test]
fn rows_are_as_they_were() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outbox_rows.jsonl");
    let found = every_row().join("\n") + "\n";
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, found);
    for row in kept.lines() {
        assert_eq!(Entry::decode(row).unwrap().encode(), row);
    }
}

#[test]
fn rows_that_cannot_be_read_or_contradict_each_other() {
    let mut desk = Desk::new();
    desk.queue(10, 1);
    let row = desk.rows[&10].clone();
    let newer = row.replace(r#""version":1"#, r#""version":2,"more":true"#);
    assert_eq!(Entry::decode(&newer), Err(EntryError::Version { found: 2 }));
    for damaged in [
        "",
        "{}",
        "[]",
        &row[1..],
        &row.replace("\"order\"", "\"other\""),
        &row.replace("0a0a", "0A0A"),
    ] {
        assert!(
            matches!(Entry::decode(damaged), Err(EntryError::Malformed { .. })),
            "{damaged}"
        );
    }
    let start = |change: fn(String) -> String| {
        let rows = [row.clone(), change(row.clone())].map(|row| Entry::decode(&row).unwrap());
        Outbox::start(desk.options, 2, ONLINE, rows.into(), desk.now).map(|_| ())
    };
    let id = |row: String| row.replace(r#""id":10"#, r#""id":11"#);
    assert_eq!(start(|row| row), Err(StartError::Id { id: 10 }));
    assert_eq!(start(id), Err(StartError::Key { id: 11 }));
    let order = |row: String| row.replace(r#""id":10"#, r#""id":11"#).replace("0a0a0a0a", "0b0b0b0b");
    assert_eq!(start(order), Err(StartError::Order { id: 11 }));
}
