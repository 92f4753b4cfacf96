//! The eviction planner: which caches are dropped so that all of them together stay within one budget of bytes on the disk and in memory. It
//! is a pure function, the same for every cache; whoever carries a plan out owns the files and the memory.
//!
//! Nothing in use is ever evicted. Everything else is dropped in the order of its idle time times its bytes, divided by the cost of making
//! it again: among equals the least recently used first, and sooner if it is large and cheap to make again. This is a static form of
//! GreedyDual-Size (Cao and Irani, "Cost-Aware WWW Proxy Caching Algorithms", USITS 1997).

use std::cmp::Ordering;

/// Upper limits of the factors in a comparison, so that their product fits into 128 bits: 34 years, a pebibyte, 49 days.
const IDLE_MS_MAX: u64 = 1 << 40;
const BYTES_MAX: u64 = 1 << 50;
const COST_MS_MAX: u64 = 1 << 32;

/// How much the system wants memory back: `onTrimMemory` on Android, the memory warnings of Apple's systems.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum MemoryPressure {
    /// The budget applies.
    #[default]
    None,
    /// Caches may keep half of the budget.
    Moderate,
    /// Caches keep nothing in memory that is not in use.
    Critical,
}

/// Something that can be made or fetched again: cached answers, a prefix file, a bundle that no conversation uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CacheItem {
    /// The caller's number for it, different from all others.
    pub id: u64,
    /// Its bytes on the disk; 0 if it is only in memory.
    pub disk_bytes: u64,
    /// Its bytes in memory; 0 if it is only on the disk.
    pub memory_bytes: u64,
    /// When it was used last, in milliseconds on any clock. A time after now counts as now.
    pub last_used_ms: u64,
    /// Whether it is in use: open, being read or written.
    pub is_in_use: bool,
    /// What it costs to make or fetch it again from nothing, in milliseconds of work.
    pub remake_ms: u64,
    /// What it costs to read it into memory again, in milliseconds of work. It counts only if it is on the disk.
    pub reload_ms: u64,
}

/// The bytes that all caches may have together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CacheBudget {
    /// On the disk.
    pub disk_bytes: u64,
    /// In memory.
    pub memory_bytes: u64,
}

/// What is dropped of an item.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Dropped {
    /// Its bytes in memory. It can be read from the disk again.
    Memory,
    /// All of it.
    Everything,
}

/// One eviction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Eviction {
    /// The item.
    pub id: u64,
    /// What is dropped of it.
    pub dropped: Dropped,
}

/// What is to be evicted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EvictionPlan {
    /// The evictions, in this order.
    pub evictions: Vec<Eviction>,
    /// Bytes on the disk by which the items in use exceed the budget.
    pub disk_bytes_over: u64,
    /// Bytes in memory by which the items in use exceed the budget.
    pub memory_bytes_over: u64,
}

impl MemoryPressure {
    fn allowed(self, bytes: u64) -> u64 {
        match self {
            MemoryPressure::None => bytes,
            MemoryPressure::Moderate => bytes / 2,
            MemoryPressure::Critical => 0,
        }
    }
}

/// Plans the evictions after which the items fit the budget, as far as those in use allow it. No eviction of the plan could be left out. The
/// plan does not depend on the order of the items.
///
/// ```
/// use whimbrel_policy::budget::{CacheBudget, CacheItem, Dropped, Eviction, MemoryPressure, plan_evictions};
///
/// let item = |id, last_used_ms| CacheItem {
///     id,
///     disk_bytes: 100,
///     memory_bytes: 100,
///     last_used_ms,
///     is_in_use: id == 1,
///     remake_ms: 500,
///     reload_ms: 5,
/// };
/// let items = [item(1, 10), item(2, 20), item(3, 30)];
/// let budget = CacheBudget { disk_bytes: 200, memory_bytes: 300 };
/// let plan = plan_evictions(&items, budget, MemoryPressure::None, 1_000);
/// assert_eq!(plan.evictions, [Eviction { id: 2, dropped: Dropped::Everything }]);
/// let plan = plan_evictions(&items, budget, MemoryPressure::Moderate, 1_000);
/// assert_eq!(plan.evictions[1], Eviction { id: 3, dropped: Dropped::Memory });
/// ```
#[must_use]
pub fn plan_evictions(items: &[CacheItem], budget: CacheBudget, pressure: MemoryPressure, now_ms: u64) -> EvictionPlan {
    let memory_bytes_max = pressure.allowed(budget.memory_bytes);
    let mut over = Over::of(items, budget.disk_bytes, memory_bytes_max);
    let mut free: Vec<_> = items.iter().filter(|item| !item.is_in_use).collect();
    free.sort_by(|one, other| order(of_everything(one, now_ms), of_everything(other, now_ms)));
    let mut planned: Vec<(&CacheItem, Dropped)> = Vec::new();
    free.retain(|item| {
        let is_dropped = over.disk > 0 && item.disk_bytes > 0;
        if is_dropped {
            over.drop(item, Dropped::Everything);
            planned.push((item, Dropped::Everything));
        }
        !is_dropped
    });
    free.sort_by(|one, other| order(of_memory(one, now_ms), of_memory(other, now_ms)));
    for item in free.into_iter().filter(|item| item.memory_bytes > 0) {
        if over.memory > 0 {
            let dropped = memory_form(item);
            over.drop(item, dropped);
            planned.push((item, dropped));
        }
    }
    over.spare(&mut planned);
    let eviction = |(item, dropped): (&CacheItem, Dropped)| Eviction { id: item.id, dropped };
    EvictionPlan {
        evictions: planned.into_iter().map(eviction).collect(),
        disk_bytes_over: bytes(over.disk),
        memory_bytes_over: bytes(over.memory),
    }
}

/// By how many bytes the items exceed the budget; negative while there is room.
#[derive(Clone, Copy, Debug)]
struct Over {
    disk: i128,
    memory: i128,
}

impl Over {
    fn of(items: &[CacheItem], disk_bytes_max: u64, memory_bytes_max: u64) -> Over {
        let sum = |part: fn(&CacheItem) -> u64| items.iter().map(|item| i128::from(part(item))).sum::<i128>();
        Over {
            disk: sum(|item| item.disk_bytes) - i128::from(disk_bytes_max),
            memory: sum(|item| item.memory_bytes) - i128::from(memory_bytes_max),
        }
    }

    fn drop(&mut self, item: &CacheItem, dropped: Dropped) {
        self.memory -= i128::from(item.memory_bytes);
        self.disk -= i128::from(disk_part(item, dropped));
    }

    fn keep(&mut self, item: &CacheItem, dropped: Dropped) {
        self.memory += i128::from(item.memory_bytes);
        self.disk += i128::from(disk_part(item, dropped));
    }

    /// A large item that was dropped last may have made smaller ones before it unnecessary: they are kept, on the disk at least.
    fn spare(&mut self, planned: &mut Vec<(&CacheItem, Dropped)>) {
        for index in (0..planned.len()).rev() {
            let (item, dropped) = planned[index];
            if self.can_keep(item, dropped) {
                self.keep(item, dropped);
                planned.remove(index);
            } else if memory_form(item) == Dropped::Memory
                && item.memory_bytes > 0
                && fits(self.disk, disk_part(item, dropped))
            {
                self.disk += i128::from(disk_part(item, dropped));
                planned[index].1 = Dropped::Memory;
            }
        }
    }

    /// Whether keeping it brings neither sum above its limit, nor further above it.
    fn can_keep(&self, item: &CacheItem, dropped: Dropped) -> bool {
        fits(self.memory, item.memory_bytes) && fits(self.disk, disk_part(item, dropped))
    }
}

fn fits(over: i128, bytes: u64) -> bool {
    bytes == 0 || over + i128::from(bytes) <= 0
}

fn bytes(over: i128) -> u64 {
    u64::try_from(over.max(0)).unwrap_or(u64::MAX)
}

fn disk_part(item: &CacheItem, dropped: Dropped) -> u64 {
    match dropped {
        Dropped::Everything => item.disk_bytes,
        Dropped::Memory => 0,
    }
}

/// What is dropped of an item when its memory is wanted.
fn memory_form(item: &CacheItem) -> Dropped {
    match item.disk_bytes {
        0 => Dropped::Everything,
        _ => Dropped::Memory,
    }
}

/// What decides how early an item is dropped.
#[derive(Clone, Copy)]
struct Rank {
    /// Idle time times bytes.
    weight: u128,
    cost_ms: u64,
    last_used_ms: u64,
    id: u64,
}

fn rank(item: &CacheItem, bytes: u64, cost_ms: u64, now_ms: u64) -> Rank {
    let idle_ms = now_ms.saturating_sub(item.last_used_ms).clamp(1, IDLE_MS_MAX);
    Rank {
        weight: u128::from(idle_ms) * u128::from(bytes.clamp(1, BYTES_MAX)),
        cost_ms: cost_ms.clamp(1, COST_MS_MAX),
        last_used_ms: item.last_used_ms,
        id: item.id,
    }
}

fn of_everything(item: &CacheItem, now_ms: u64) -> Rank {
    rank(item, item.disk_bytes, item.remake_ms, now_ms)
}

fn of_memory(item: &CacheItem, now_ms: u64) -> Rank {
    let cost_ms = match memory_form(item) {
        Dropped::Everything => item.remake_ms,
        Dropped::Memory => item.reload_ms,
    };
    rank(item, item.memory_bytes, cost_ms, now_ms)
}

/// Less is dropped first.
fn order(one: Rank, other: Rank) -> Ordering {
    let (left, right) = (
        one.weight * u128::from(other.cost_ms),
        other.weight * u128::from(one.cost_ms),
    );
    right
        .cmp(&left)
        .then(one.last_used_ms.cmp(&other.last_used_ms))
        .then(one.id.cmp(&other.id))
}
