//! The usage of a day, and the reservations for attempts in progress. An attempt's maximum is reserved before any of it leaves the device,
//! and replaced with the actual usage afterwards. A process that dies in between has therefore used the maximum. The caller stores a
//! [`Spending`] on the disk.
//!
//! Days are UTC days. Setting the clock neither renews a day's budget nor blocks it for long: usage of a day that is still in the future
//! counts today, and a clock that was set back is accepted once it has run for a day.

pub(crate) mod days;

use serde::{Deserialize, Serialize};

use self::days::{Amount, Days, Reserved};
use crate::plan::Budget;
use crate::request::UsedToday;

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
pub struct Spending(Days<UsedToday>);

/// A reservation for an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SetAside(Reserved<UsedToday>);

impl Spending {
    /// Today's usage, including reservations.
    #[must_use]
    pub fn today(&self, now_ms: u64) -> UsedToday {
        self.0.today(now_ms)
    }

    /// Checks the clock. Returns whether anything changed that must be stored.
    pub fn look(&mut self, now_ms: u64) -> bool {
        self.0.look(now_ms)
    }

    /// Reserves the most that an attempt may use; `None` if that is more than the day has left. `of_day` limits the whole day. An attempt
    /// that uses nothing always fits.
    #[must_use]
    pub fn set_aside(&mut self, most: UsedToday, of_day: &Budget, now_ms: u64) -> Option<SetAside> {
        let fits = |most: u64, with: u64, limit: Option<u64>| most == 0 || limit.is_none_or(|limit| with <= limit);
        let all_fits = |with: UsedToday| {
            fits(most.cost_micros, with.cost_micros, of_day.cost_micros)
                && fits(most.metered_bytes, with.metered_bytes, of_day.network_bytes)
        };
        self.0.reserve(most, all_fits, now_ms).map(SetAside)
    }

    /// Replaces the reservations of a request's attempts with the actual usage.
    pub fn settle(&mut self, set_aside: &[SetAside], used: UsedToday) {
        self.0.settle(set_aside.iter().map(|one| one.0), used);
    }
}

impl Amount for UsedToday {
    fn plus(self, other: UsedToday) -> UsedToday {
        UsedToday {
            cost_micros: self.cost_micros.saturating_add(other.cost_micros),
            metered_bytes: self.metered_bytes.saturating_add(other.metered_bytes),
        }
    }

    fn minus(self, other: UsedToday) -> UsedToday {
        UsedToday {
            cost_micros: self.cost_micros.saturating_sub(other.cost_micros),
            metered_bytes: self.metered_bytes.saturating_sub(other.metered_bytes),
        }
    }
}

/// Both forms in which this was ever written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Days(Days<UsedToday>),
    /// One day only, before attempts set anything aside.
    One {
        day: u64,
        today: UsedToday,
    },
}

impl From<Written> for Spending {
    fn from(written: Written) -> Spending {
        Spending(match written {
            Written::Days(days) => days,
            Written::One { day, today } => Days::of_day(day, today),
        })
    }
}
