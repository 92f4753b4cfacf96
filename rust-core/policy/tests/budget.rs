//! The eviction planner: a table of cases, and its laws over random caches.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use whimbrel_policy::budget::{
    CacheBudget, CacheItem, Dropped, Eviction, EvictionPlan, MemoryPressure, plan_evictions,
};
use whimbrel_testing::Random;

const NOW_MS: u64 = 1_000_000;
const CASES: u64 = 20_000;

fn item(id: u64, disk_bytes: u64, memory_bytes: u64) -> CacheItem {
    CacheItem {
        id,
        disk_bytes,
        memory_bytes,
        last_used_ms: NOW_MS - 1_000,
        is_in_use: false,
        remake_ms: 100,
        reload_ms: 10,
    }
}

fn budget(disk_bytes: u64, memory_bytes: u64) -> CacheBudget {
    CacheBudget {
        disk_bytes,
        memory_bytes,
    }
}

#[track_caller]
fn check(items: &[CacheItem], budget: CacheBudget, pressure: MemoryPressure, expected: &[(u64, Dropped)]) {
    let plan = plan_evictions(items, budget, pressure, NOW_MS);
    let found: Vec<_> = plan
        .evictions
        .iter()
        .map(|eviction| (eviction.id, eviction.dropped))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_dropped_first() {
    use Dropped::{Everything, Memory};
    let none = MemoryPressure::None;
    let disk = |change: fn(&mut CacheItem)| {
        let mut second = item(2, 100, 0);
        change(&mut second);
        [item(1, 100, 0), second]
    };
    check(&disk(|_| {}), budget(200, 0), none, &[]);
    check(&disk(|_| {}), budget(100, 0), none, &[(1, Everything)]);
    check(
        &disk(|item| item.last_used_ms -= 1),
        budget(100, 0),
        none,
        &[(2, Everything)],
    );
    check(
        &disk(|item| item.last_used_ms = NOW_MS + 1),
        budget(100, 0),
        none,
        &[(1, Everything)],
    );
    check(
        &disk(|item| item.remake_ms = 99),
        budget(100, 0),
        none,
        &[(2, Everything)],
    );
    check(
        &disk(|item| item.remake_ms = 0),
        budget(0, 0),
        none,
        &[(2, Everything), (1, Everything)],
    );
    check(
        &disk(|item| item.disk_bytes = 101),
        budget(101, 0),
        none,
        &[(2, Everything)],
    );
    check(
        &disk(|item| item.is_in_use = true),
        budget(0, 0),
        none,
        &[(1, Everything)],
    );
    // Twice as old, but three times as much work for each byte.
    let old = CacheItem {
        last_used_ms: NOW_MS - 2_000,
        remake_ms: 300,
        ..item(2, 100, 0)
    };
    check(&[item(1, 100, 0), old], budget(100, 0), none, &[(1, Everything)]);
    // Of something that is on the disk too only the memory goes, and sooner.
    let both = [item(1, 0, 100), item(2, 100, 100)];
    check(&both, budget(100, 100), none, &[(2, Memory)]);
    check(&both, budget(100, 0), none, &[(2, Memory), (1, Everything)]);
    check(&both, budget(100, 200), MemoryPressure::Moderate, &[(2, Memory)]);
    check(
        &both,
        budget(100, 200),
        MemoryPressure::Critical,
        &[(2, Memory), (1, Everything)],
    );
    // The small one is kept, because the large one is enough.
    let small = CacheItem {
        remake_ms: 1,
        ..item(1, 10, 0)
    };
    check(&[small, item(2, 100, 0)], budget(50, 0), none, &[(2, Everything)]);
}

#[test]
fn items_in_use_may_exceed_the_budget() {
    let used = CacheItem {
        is_in_use: true,
        ..item(1, 300, 70)
    };
    let plan = plan_evictions(
        &[used, item(2, 50, 50)],
        budget(100, 60),
        MemoryPressure::Critical,
        NOW_MS,
    );
    let expected = EvictionPlan {
        evictions: vec![Eviction {
            id: 2,
            dropped: Dropped::Everything,
        }],
        disk_bytes_over: 200,
        memory_bytes_over: 70,
    };
    assert_eq!(plan, expected);
}

/// Numbers of any size, with many equal ones and the largest.
fn number(random: &mut Random) -> u64 {
    match random.below(8) {
        0 => 0,
        1 => u64::MAX,
        2 | 3 => random.below(4) * 100,
        4 => random.number(),
        _ => random.below(1_000),
    }
}

fn items(random: &mut Random) -> Vec<CacheItem> {
    let count = random.below(12);
    let mut made = |id| CacheItem {
        id,
        disk_bytes: number(random),
        memory_bytes: number(random),
        last_used_ms: number(random),
        is_in_use: random.chance(25),
        remake_ms: number(random),
        reload_ms: number(random),
    };
    (0..count).map(&mut made).collect()
}

/// Bytes on the disk and in memory after these evictions.
fn left(items: &[CacheItem], evictions: &[Eviction]) -> (u128, u128) {
    let dropped: BTreeMap<_, _> = evictions
        .iter()
        .map(|eviction| (eviction.id, eviction.dropped))
        .collect();
    assert_eq!(dropped.len(), evictions.len(), "each item once");
    items.iter().fold((0, 0), |(disk, memory), item| {
        let (of_disk, of_memory) = match dropped.get(&item.id) {
            Some(Dropped::Everything) => (0, 0),
            Some(Dropped::Memory) => (item.disk_bytes, 0),
            None => (item.disk_bytes, item.memory_bytes),
        };
        (disk + u128::from(of_disk), memory + u128::from(of_memory))
    })
}

#[test]
fn laws() {
    let mut random = Random::new(16);
    let mut evictions = 0;
    for case in 0..CASES {
        let items = items(&mut random);
        let (budget, now_ms) = (budget(number(&mut random), number(&mut random)), number(&mut random));
        let pressure = *random.pick(&[MemoryPressure::None, MemoryPressure::Moderate, MemoryPressure::Critical]);
        let plan = plan_evictions(&items, budget, pressure, now_ms);
        evictions += plan.evictions.len();
        let memory_max = match pressure {
            MemoryPressure::None => budget.memory_bytes,
            MemoryPressure::Moderate => budget.memory_bytes / 2,
            MemoryPressure::Critical => 0,
        };
        let over = |evictions: &[Eviction]| {
            let (disk, memory) = left(&items, evictions);
            let over = |bytes: u128, max: u64| bytes.saturating_sub(u128::from(max));
            (over(disk, budget.disk_bytes), over(memory, memory_max))
        };
        for eviction in &plan.evictions {
            let item = items.iter().find(|item| item.id == eviction.id).unwrap();
            assert!(!item.is_in_use, "case {case}: {item:?} is in use");
        }
        // As far below the budget as evicting everything would bring it, and not one eviction more.
        let everything = items.iter().filter(|item| !item.is_in_use).map(|item| Eviction {
            id: item.id,
            dropped: Dropped::Everything,
        });
        let reached = over(&plan.evictions);
        assert_eq!(
            reached,
            over(&everything.collect::<Vec<_>>()),
            "case {case}: {items:?} {plan:?}"
        );
        let most = |bytes: u128| u64::try_from(bytes).unwrap_or(u64::MAX);
        assert_eq!(
            (plan.disk_bytes_over, plan.memory_bytes_over),
            (most(reached.0), most(reached.1))
        );
        for index in 0..plan.evictions.len() {
            let mut fewer = plan.evictions.clone();
            fewer.remove(index);
            assert_ne!(
                over(&fewer),
                reached,
                "case {case}: eviction {index} of {plan:?} is not needed"
            );
        }
        let mut reversed = items.clone();
        reversed.reverse();
        assert_eq!(plan_evictions(&reversed, budget, pressure, now_ms), plan, "case {case}");
    }
    assert!(evictions > CASES as usize, "too few evictions");
}

#[test]
fn more_pressure_never_keeps_more_memory() {
    let mut random = Random::new(6);
    for case in 0..CASES {
        let items = items(&mut random);
        let budget = budget(number(&mut random), number(&mut random));
        let kept = |pressure| left(&items, &plan_evictions(&items, budget, pressure, NOW_MS).evictions).1;
        let limit = |pressure, max: u64| {
            let in_use = items
                .iter()
                .filter(|item| item.is_in_use)
                .map(|item| u128::from(item.memory_bytes));
            assert!(
                kept(pressure) <= u128::from(max).max(in_use.sum()),
                "case {case}, {pressure:?}"
            );
        };
        limit(MemoryPressure::None, budget.memory_bytes);
        limit(MemoryPressure::Moderate, budget.memory_bytes / 2);
        limit(MemoryPressure::Critical, 0);
    }
}
