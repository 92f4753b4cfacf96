//! The usage of a day, and the reservations for attempts in progress. An attempt's maximum is reserved before any of it leaves the device,
//! and replaced with the actual usage afterwards. A process that dies in between has therefore used the maximum. The caller stores a
//! [`Spending`] on the disk.
//!
//! Days are UTC days. Setting the clock neither renews a day's budget nor blocks it for long: usage of a day that is still in the future
//! counts today, and a clock that was set back is accepted once it has run for a day.

use serde::{Deserialize, Serialize};

use crate::plan::Budget;
use crate::request::UsedToday;

const DAY_MS: u64 = 24 * 3_600_000;
/// Days that are remembered. More than clocks that are set to and fro make.
const DAYS_MAX: usize = 16;

/// See the module.
///
/// ```
/// use whimbrel_policy::{Budget, Spending, UsedToday};
///
/// let now_ms = 1_795_420_800_000;
/// let of_day = Budget { cost_micros: Some(300), network_bytes: None };
/// let most = UsedToday { cost_micros: 200, metered_bytes: 0 };
/// let mut spending = Spending::default();
/// let set_aside = spending.set_aside(most, &of_day, now_ms).expect("300 are left");
/// assert_eq!(spending.set_aside(most, &of_day, now_ms), None);
/// spending.settle(&[set_aside], UsedToday { cost_micros: 50, metered_bytes: 0 });
/// assert_eq!(spending.today(now_ms).cost_micros, 50);
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(from = "Written")]
pub struct Spending {
    days: Vec<Day>,
    /// Since when the clock has been behind the last day here.
    behind_since_ms: Option<u64>,
}

/// What was used on one day.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
struct Day {
    /// Days since 1970.
    day: u64,
    /// The day that the clock showed then. Another one while the clock was behind.
    shown: u64,
    used: UsedToday,
}

/// A reservation for an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SetAside {
    day: u64,
    shown: u64,
    most: UsedToday,
}

impl Spending {
    /// Today's usage, including reservations.
    #[must_use]
    pub fn today(&self, now_ms: u64) -> UsedToday {
        let today = now_ms / DAY_MS;
        let days = self.days.iter().filter(|day| day.day >= today);
        days.fold(UsedToday::default(), |sum, day| sum.plus(day.used))
    }

    /// Checks the clock. Returns whether anything changed that must be stored.
    pub fn look(&mut self, now_ms: u64) -> bool {
        let today = now_ms / DAY_MS;
        let is_behind = self.days.iter().any(|day| day.day > today);
        let since_ms = match self.behind_since_ms {
            // A clock that went back again has to run for a day from there.
            Some(since_ms) if is_behind && since_ms <= now_ms => since_ms,
            _ if is_behind => now_ms,
            before => {
                self.behind_since_ms = None;
                return before.is_some();
            }
        };
        if now_ms - since_ms < DAY_MS {
            return self.behind_since_ms.replace(since_ms) != Some(since_ms);
        }
        // This clock has run for a day: the days ahead were a wrong clock's.
        self.days.retain(|day| day.day <= today || day.shown <= today);
        for day in &mut self.days {
            day.day = day.day.min(day.shown);
        }
        self.behind_since_ms = None;
        true
    }

    /// Reserves the most that an attempt may use; `None` if that is more than the day has left. `of_day` limits the whole day. An attempt
    /// that uses nothing always fits.
    #[must_use]
    pub fn set_aside(&mut self, most: UsedToday, of_day: &Budget, now_ms: u64) -> Option<SetAside> {
        self.look(now_ms);
        let with = self.today(now_ms).plus(most);
        let fits = |most: u64, with: u64, limit: Option<u64>| most == 0 || limit.is_none_or(|limit| with <= limit);
        if !fits(most.cost_micros, with.cost_micros, of_day.cost_micros)
            || !fits(most.metered_bytes, with.metered_bytes, of_day.network_bytes)
        {
            return None;
        }
        let shown = now_ms / DAY_MS;
        // A clock that is behind does not begin an earlier day.
        let last = self.days.iter().map(|day| day.day).max().unwrap_or(0);
        let set_aside = SetAside {
            day: shown.max(last),
            shown,
            most,
        };
        let used = self.used_on(&set_aside);
        *used = used.plus(most);
        Some(set_aside)
    }

    /// Replaces the reservations of a request's attempts with the actual usage.
    pub fn settle(&mut self, set_aside: &[SetAside], used: UsedToday) {
        let Some(last) = set_aside.last() else { return };
        for one in set_aside {
            let day = self.used_on(one);
            day.cost_micros = day.cost_micros.saturating_sub(one.most.cost_micros);
            day.metered_bytes = day.metered_bytes.saturating_sub(one.most.metered_bytes);
        }
        let day = self.used_on(last);
        *day = day.plus(used);
    }

    fn used_on(&mut self, when: &SetAside) -> &mut UsedToday {
        let is_this = |day: &Day| day.shown == when.shown && day.day == when.day;
        let at = self.days.iter().position(is_this).unwrap_or_else(|| {
            self.days.sort_by_key(|day| day.day);
            if self.days.len() == DAYS_MAX {
                self.days.remove(0);
            }
            self.days.push(Day {
                day: when.day,
                shown: when.shown,
                used: UsedToday::default(),
            });
            self.days.len() - 1
        });
        &mut self.days[at].used
    }
}

impl UsedToday {
    fn plus(self, other: UsedToday) -> UsedToday {
        UsedToday {
            cost_micros: self.cost_micros.saturating_add(other.cost_micros),
            metered_bytes: self.metered_bytes.saturating_add(other.metered_bytes),
        }
    }
}

/// Both forms in which this was ever written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Days {
        days: Vec<Day>,
        behind_since_ms: Option<u64>,
    },
    /// One day only, before attempts set anything aside.
    One { day: u64, today: UsedToday },
}

impl From<Written> for Spending {
    fn from(written: Written) -> Spending {
        match written {
            Written::Days { days, behind_since_ms } => Spending { days, behind_since_ms },
            Written::One { day, today } => Spending {
                days: vec![Day {
                    day,
                    shown: day,
                    used: today,
                }],
                behind_since_ms: None,
            },
        }
    }
}
