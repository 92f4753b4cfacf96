//! The clock on the wall, and its times for people: those of this machine's time zone, with the zone's distance from universal time.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

/// A day in milliseconds.
pub(crate) const DAY_MS: u64 = 24 * 3_600_000;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The date of a time here: `2026-11-23`.
pub(crate) fn date(time_ms: u64) -> String {
    format("%Y-%m-%d", time_ms, TimeZone::system())
}

/// Date, time of day and zone: `2026-11-23 05:05:06 +01:00`.
pub(crate) fn date_and_time(time_ms: u64) -> String {
    format("%Y-%m-%d %H:%M:%S %:z", time_ms, TimeZone::system())
}

/// How far this machine's clock is ahead of universal time at a time, in minutes.
pub(crate) fn offset_minutes(time_ms: u64) -> i32 {
    zoned(time_ms, TimeZone::system()).map_or(0, |zoned| zoned.offset().seconds() / 60)
}

/// When the day of a time began, by a clock that is so far ahead of universal time.
pub(crate) fn day_began_ms(time_ms: u64, offset_minutes: i32) -> u64 {
    let offset_ms = i64::from(offset_minutes) * 60_000;
    let here_ms = time_ms.saturating_add_signed(offset_ms);
    (here_ms / DAY_MS * DAY_MS).saturating_add_signed(-offset_ms)
}

fn zoned(time_ms: u64, zone: TimeZone) -> Option<ZonedDateTime> {
    let time = Timestamp::from_millisecond(i64::try_from(time_ms).ok()?).ok()?;
    Some(time.to_zoned_datetime(zone))
}

/// A time that no calendar has, because it is too far away, is shown as its number.
fn format(words: &str, time_ms: u64, zone: TimeZone) -> String {
    zoned(time_ms, zone).map_or_else(|| format!("{time_ms} ms"), |zoned| zoned.strftime(words).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_here() {
        let hour_ms = DAY_MS / 24;
        for (time_ms, offset_minutes, expected) in [
            (10 * DAY_MS + 1, 0, 10 * DAY_MS),
            (10 * DAY_MS + 1, 60, 10 * DAY_MS - hour_ms),
            (10 * DAY_MS - hour_ms, 60, 10 * DAY_MS - hour_ms),
            (10 * DAY_MS + 1, -60, 9 * DAY_MS + hour_ms),
        ] {
            assert_eq!(
                day_began_ms(time_ms, offset_minutes),
                expected,
                "{time_ms} {offset_minutes}"
            );
        }
    }

    #[test]
    fn times_for_people() {
        let words = "%Y-%m-%d %H:%M:%S %:z";
        for (time_ms, zone, expected) in [
            (0, TimeZone::UTC, "1970-01-01 00:00:00 +00:00"),
            (951_782_400_000, TimeZone::UTC, "2000-02-29 00:00:00 +00:00"),
            (
                1_795_406_706_000,
                TimeZone::fixed(jiff::tz::offset(1)),
                "2026-11-23 05:05:06 +01:00",
            ),
            (
                1_795_406_706_000,
                TimeZone::fixed(jiff::tz::offset(-5)),
                "2026-11-22 23:05:06 -05:00",
            ),
            (u64::MAX, TimeZone::UTC, "18446744073709551615 ms"),
        ] {
            assert_eq!(format(words, time_ms, zone), expected);
        }
    }
}
