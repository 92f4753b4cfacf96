//! The clock on the wall, and its times for people: universal time, since the standard library knows no other.

use std::time::{SystemTime, UNIX_EPOCH};

/// A day in milliseconds.
pub(crate) const DAY_MS: u64 = 24 * 3_600_000;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The date of a time: `2026-11-23`.
pub(crate) fn date(time_ms: u64) -> String {
    let (year, month, day) = civil(time_ms / DAY_MS);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Date and time of day: `2026-11-23 04:05:06`.
pub(crate) fn date_and_time(time_ms: u64) -> String {
    let seconds = time_ms % DAY_MS / 1000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{} {hours:02}:{minutes:02}:{:02}", date(time_ms), seconds % 60)
}

/// Year, month and day of a day since 1970, in the Gregorian calendar. Years are counted from the first of March, so that the leap day
/// is a year's last; an era has 400 years and 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    // From 0000-03-01.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let of_era_year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + of_era_year + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_people() {
        for (time_ms, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400_000, "2000-02-29 00:00:00"),
            (951_868_799_999, "2000-02-29 23:59:59"),
            (1_795_406_706_000, "2026-11-23 04:05:06"),
            (4_107_542_400_000, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(date_and_time(time_ms), expected);
        }
    }
}
