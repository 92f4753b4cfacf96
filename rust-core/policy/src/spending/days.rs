//! The usage of each day, for budgets of any kind. Days are UTC days of a clock that somebody may set.

use serde::{Deserialize, Serialize};

pub(crate) const DAY_MS: u64 = 24 * 3_600_000;
/// Days that are remembered. More than clocks that are set to and fro make.
const DAYS_MAX: usize = 16;

/// What a budget counts. Sums are saturating.
pub(crate) trait Amount: Copy + Default {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
}

/// What was used on each day, reservations included.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Days<A> {
    days: Vec<Day<A>>,
    /// Since when the clock has been behind the last day here.
    behind_since_ms: Option<u64>,
}

/// What was used on one day.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
struct Day<A> {
    /// Days since 1970.
    day: u64,
    /// The day that the clock showed then. Another one while the clock was behind.
    shown: u64,
    used: A,
}

/// A reservation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reserved<A> {
    day: u64,
    shown: u64,
    most: A,
}

impl<A: Amount> Days<A> {
    /// What was used on a single day.
    pub(crate) fn of_day(day: u64, used: A) -> Days<A> {
        let shown = day;
        Days {
            days: vec![Day { day, shown, used }],
            behind_since_ms: None,
        }
    }

    /// Today's usage. Usage of a day that is still in the future counts today.
    pub(crate) fn today(&self, now_ms: u64) -> A {
        let today = now_ms / DAY_MS;
        let days = self.days.iter().filter(|day| day.day >= today);
        days.fold(A::default(), |sum, day| sum.plus(day.used))
    }

    /// Checks the clock. Returns whether anything changed that must be stored.
    pub(crate) fn look(&mut self, now_ms: u64) -> bool {
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

    /// Reserves the most that something may use, if today's usage with it `fits`.
    pub(crate) fn reserve(&mut self, most: A, fits: impl Fn(A) -> bool, now_ms: u64) -> Option<Reserved<A>> {
        self.look(now_ms);
        if !fits(self.today(now_ms).plus(most)) {
            return None;
        }
        let shown = now_ms / DAY_MS;
        // A clock that is behind does not begin an earlier day.
        let last = self.days.iter().map(|day| day.day).max().unwrap_or(0);
        let reserved = Reserved {
            day: shown.max(last),
            shown,
            most,
        };
        let used = self.used_on(&reserved);
        *used = used.plus(most);
        Some(reserved)
    }

    /// Replaces reservations with the actual usage, which counts on the day of the last one.
    pub(crate) fn settle(&mut self, reserved: impl IntoIterator<Item = Reserved<A>>, used: A) {
        let mut last = None;
        for one in reserved {
            let day = self.used_on(&one);
            *day = day.minus(one.most);
            last = Some(one);
        }
        if let Some(last) = last {
            let day = self.used_on(&last);
            *day = day.plus(used);
        }
    }

    fn used_on(&mut self, when: &Reserved<A>) -> &mut A {
        let is_this = |day: &Day<A>| day.shown == when.shown && day.day == when.day;
        let at = self.days.iter().position(is_this).unwrap_or_else(|| {
            self.days.sort_by_key(|day| day.day);
            if self.days.len() == DAYS_MAX {
                self.days.remove(0);
            }
            self.days.push(Day {
                day: when.day,
                shown: when.shown,
                used: A::default(),
            });
            self.days.len() - 1
        });
        &mut self.days[at].used
    }
}
