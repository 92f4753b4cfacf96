//! Random schedules: faults, processes that die, clocks that jump, users who edit, cancel and confirm. Whatever happens, nothing is lost,
//! answered twice or out of its order, and a stuck conversation holds up no other.
#![allow(clippy::unwrap_used)]

mod outbox_world;

use std::collections::BTreeMap;

use outbox_world::{CONVERSATIONS, End, STUCK, World};

const SCHEDULES: u64 = 10_000;
const EVENTS: u32 = 80;

/// How often what happened, so that no law holds for want of cases.
#[derive(Debug, Default)]
struct Seen(BTreeMap<&'static str, u64>);

impl Seen {
    fn count(&mut self, what: &'static str, how_often: usize) {
        *self.0.entry(what).or_default() += how_often as u64;
    }
}

fn run(seed: u64, seen: &mut Seen) {
    let mut world = World::new(seed);
    for _ in 0..EVENTS {
        world.happens();
    }
    assert_eq!(world.drain(), 0, "the other conversations are drained");
    world.check_stuck();
    for conversation in CONVERSATIONS {
        let answers = world.answers.get(&conversation).cloned().unwrap_or_default();
        let asked = world.order.iter().filter(|id| {
            let question = &world.questions[id];
            question.conversation == conversation && question.end == Some(End::Answered)
        });
        assert_eq!(
            answers,
            asked.copied().collect::<Vec<_>>(),
            "in the order in which they were queued"
        );
        if conversation != STUCK {
            seen.count("answered", answers.len());
        }
    }
    let ended = |end| {
        world
            .questions
            .values()
            .filter(|question| question.end == Some(end))
            .count()
    };
    seen.count("expired", ended(End::Expired));
    seen.count("cancelled", ended(End::Cancelled));
    seen.count("stuck", world.outbox.entries().count());
    seen.count("schedules with known ages", usize::from(world.are_ages_known));
}

#[test]
fn ten_thousand_schedules() {
    let mut seen = Seen::default();
    for seed in 0..SCHEDULES {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed, &mut seen)));
        if let Err(reason) = result {
            eprintln!("the schedule of seed {seed} breaks a law");
            std::panic::resume_unwind(reason);
        }
    }
    for what in ["answered", "expired", "cancelled", "stuck", "schedules with known ages"] {
        assert!(seen.0[what] > SCHEDULES / 5, "{what} is too rare: {seen:?}");
    }
}
