//! What a day's budget holds: through killed processes, requests at once and clocks that somebody sets.
#![allow(clippy::unwrap_used)]

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use whimbrel_policy::{Budget, SetAside, Spending, UsedToday};

const DAY_MS: u64 = 24 * 3_600_000;
/// Noon of a day.
const NOW_MS: u64 = 20_000 * DAY_MS + DAY_MS / 2;
const OF_DAY: Budget = Budget {
    cost_micros: Some(300),
    network_bytes: None,
};

fn cost(cost_micros: u64) -> UsedToday {
    UsedToday {
        cost_micros,
        metered_bytes: 0,
    }
}

/// What the next process reads of the one before.
fn reopened(spending: &Spending) -> Spending {
    serde_json::from_str(&serde_json::to_string(spending).unwrap()).unwrap()
}

fn spend(spending: &mut Spending, now_ms: u64) -> bool {
    let set_aside = spending.set_aside(cost(100), &OF_DAY, now_ms);
    let is_sent = set_aside.is_some();
    spending.settle(&Vec::from_iter(set_aside), cost(100));
    *spending = reopened(spending);
    is_sent
}

/// How many requests go out until the day has no more.
fn spend_all(spending: &mut Spending, now_ms: u64) -> u32 {
    (0..10).map(|_| u32::from(spend(spending, now_ms))).sum()
}

#[test]
fn a_day_has_its_budget_and_the_next_day_another() {
    let mut spending = Spending::default();
    assert_eq!(spend_all(&mut spending, NOW_MS), 3);
    assert_eq!(spend_all(&mut spending, NOW_MS + DAY_MS / 4), 0);
    assert_eq!(spend_all(&mut spending, NOW_MS + DAY_MS), 3);
}

#[test]
fn what_is_set_aside_counts_until_it_is_settled() {
    let mut spending = Spending::default();
    let at_once: Vec<Option<SetAside>> = (0..20)
        .map(|_| spending.set_aside(cost(100), &OF_DAY, NOW_MS))
        .collect();
    assert_eq!(at_once.iter().flatten().count(), 3);
    // One process dies, and its request counts in the next; the others cost less than they could.
    let mut spending = reopened(&spending);
    spending.settle(&[at_once[0].unwrap()], cost(10));
    spending.settle(&[at_once[1].unwrap()], cost(0));
    assert_eq!(spending.today(NOW_MS), cost(110));
    // Two attempts of one request are settled together.
    let two = [1, 2].map(|_| spending.set_aside(cost(90), &OF_DAY, NOW_MS).unwrap());
    spending.settle(&two, cost(120));
    assert_eq!(spending.today(NOW_MS), cost(230));
}

#[test]
fn what_uses_nothing_always_fits_and_bytes_have_a_limit_of_their_own() {
    let mut spending = Spending::default();
    let of_day = Budget {
        cost_micros: Some(0),
        network_bytes: Some(1000),
    };
    let bytes = |metered_bytes| UsedToday {
        cost_micros: 0,
        metered_bytes,
    };
    assert!(spending.set_aside(bytes(900), &of_day, NOW_MS).is_some());
    assert!(spending.set_aside(bytes(200), &of_day, NOW_MS).is_none());
    assert!(spending.set_aside(cost(1), &of_day, NOW_MS).is_none());
    assert!(spending.set_aside(cost(0), &of_day, NOW_MS).is_some());
}

#[test]
fn a_clock_that_was_wrong_for_a_while_renews_nothing() {
    for wrong_ms in [0, 3 * DAY_MS, NOW_MS - DAY_MS, NOW_MS - 400 * DAY_MS] {
        let mut spending = Spending::default();
        assert!(spend(&mut spending, NOW_MS) && spend(&mut spending, NOW_MS));
        assert_eq!(spend_all(&mut spending, wrong_ms), 1, "{wrong_ms}");
        assert_eq!(spend_all(&mut spending, NOW_MS + 1), 0, "{wrong_ms}");
        assert_eq!(spend_all(&mut spending, NOW_MS + DAY_MS), 3, "{wrong_ms}");
    }
    for ahead_ms in [DAY_MS, 5 * DAY_MS, 4 * 365 * DAY_MS] {
        let mut spending = Spending::default();
        assert!(spend(&mut spending, NOW_MS) && spend(&mut spending, NOW_MS));
        // The later day has a budget of its own, and what is used of it counts today as well.
        assert!(spend(&mut spending, NOW_MS + ahead_ms));
        assert_eq!(spend_all(&mut spending, NOW_MS + 1), 0, "{ahead_ms}");
    }
}

#[test]
fn a_clock_that_was_ahead_locks_no_budget_for_longer_than_a_day() {
    let mut spending = Spending::default();
    assert_eq!(spend_all(&mut spending, NOW_MS + 4 * 365 * DAY_MS), 3);
    for hours in [0, 1, 12, 23] {
        let now_ms = NOW_MS + hours * DAY_MS / 24;
        spending.look(now_ms);
        assert_eq!(spend_all(&mut spending, now_ms), 0, "{hours}");
    }
    assert_eq!(spend_all(&mut spending, NOW_MS + DAY_MS), 3);
    assert_eq!(spend_all(&mut spending, NOW_MS + DAY_MS + 1), 0);
    // What was used while the clock was behind counts on its own day.
    let mut spending = Spending::default();
    assert!(spend(&mut spending, NOW_MS + 400 * DAY_MS) && spend(&mut spending, NOW_MS));
    assert!(spend(&mut spending, NOW_MS + 3 * DAY_MS / 4));
    assert_eq!(spend_all(&mut spending, NOW_MS + DAY_MS), 2);
}

#[test]
fn what_an_earlier_version_wrote_is_read() {
    let written = r#"{"day":20000,"today":{"cost_micros":250,"metered_bytes":7}}"#;
    let spending: Spending = serde_json::from_str(written).unwrap();
    assert_eq!(spending.today(NOW_MS).metered_bytes, 7);
    assert_eq!(spending.today(NOW_MS).cost_micros, 250);
    assert_eq!(spending.today(NOW_MS + DAY_MS), UsedToday::default());
}

/// A server that counts, and an app that is killed at random moments: before it sends, while it waits, before it settles.
#[test]
fn spent_is_never_under_what_the_server_counted() {
    let mut generator = Pcg64::new(9, 7);
    for _ in 0..300 {
        let mut spending = Spending::default();
        let (mut counted, mut reserved_of_killed) = (0, 0);
        for _ in 0..30 {
            let most = 1 + u64::from(generator.next_u32() % 120);
            let Some(set_aside) = spending.set_aside(cost(most), &OF_DAY, NOW_MS) else {
                continue;
            };
            let is_sent = !generator.next_u32().is_multiple_of(4);
            let really = if is_sent {
                u64::from(generator.next_u32()) % (most + 1)
            } else {
                0
            };
            counted += really;
            if generator.next_u32().is_multiple_of(2) {
                spending = reopened(&spending);
                reserved_of_killed += most - really;
            } else {
                spending.settle(&[set_aside], cost(really));
            }
            let spent = spending.today(NOW_MS).cost_micros;
            // Over by what was set aside for the killed ones, and by nothing else.
            assert_eq!(spent, counted + reserved_of_killed);
        }
        assert!(counted <= 300);
    }
}
