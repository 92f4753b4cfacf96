//! How long to wait before a retry. Pure: time and randomness are arguments. Whether a request may be retried at all is decided where it is
//! sent.

use std::time::{Duration, SystemTime};

/// Maximum number of attempts, including the first.
pub const ATTEMPTS_MAX: u32 = 3;
/// The backoff after the first failure, before jitter.
pub const BACKOFF_MS_BASE: u64 = 500;
/// The maximum backoff.
pub const BACKOFF_MS_MAX: u64 = 8_000;
/// The longest wait that a server may ask for, unless the caller sets another. A request that would have to wait longer fails at once.
pub const RETRY_AFTER_MS_MAX: u64 = 30_000;

/// The backoff after failed attempt `attempt` (1 is the first): exponential, with jitter. The wait is between half of the backoff and all
/// of it, chosen by `random`, so that devices that failed together do not retry together.
#[must_use]
pub fn backoff_ms(attempt: u32, random: u32) -> u64 {
    let doublings = attempt.saturating_sub(1).min(16);
    let whole = (BACKOFF_MS_BASE << doublings).min(BACKOFF_MS_MAX);
    let half = whole / 2;
    half + (u64::from(random) * (whole - half)) / u64::from(u32::MAX)
}

/// How long to wait after failed attempt `attempt` if the server asked for `retry_after_ms`. `bounds` are the milliseconds until the
/// request's deadline, and the longest wait. `None` means: do not retry.
///
/// ```
/// use whimbrel_network::{ATTEMPTS_MAX, RETRY_AFTER_MS_MAX, backoff_ms, wait_ms};
///
/// let (random, bounds) = (1 << 31, (60_000, RETRY_AFTER_MS_MAX));
/// assert_eq!(wait_ms(1, None, bounds, random), Some(backoff_ms(1, random)));
/// // The server asked for more.
/// assert_eq!(wait_ms(1, Some(4_000), bounds, random), Some(4_000));
/// // The request would be over before the wait is, or another place would have answered.
/// assert_eq!(wait_ms(1, Some(4_000), (3_000, RETRY_AFTER_MS_MAX), random), None);
/// assert_eq!(wait_ms(1, Some(4_000), (60_000, 2_000), random), None);
/// assert_eq!(wait_ms(ATTEMPTS_MAX, None, bounds, random), None);
/// ```
#[must_use]
pub fn wait_ms(attempt: u32, retry_after_ms: Option<u64>, bounds: (u64, u64), random: u32) -> Option<u64> {
    let (left_ms, wait_ms_max) = bounds;
    if attempt >= ATTEMPTS_MAX {
        return None;
    }
    let wait = backoff_ms(attempt, random).max(retry_after_ms.unwrap_or(0));
    (wait < left_ms && wait <= wait_ms_max).then_some(wait)
}

/// Parses the value of a `Retry-After` header, seconds or an HTTP date (RFC 9110, section 10.2.3), as milliseconds from `now`. A date in
/// the past is 0; anything else is `None`.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use whimbrel_network::retry_after_ms;
///
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_747);
/// assert_eq!(retry_after_ms("120", now), Some(120_000));
/// assert_eq!(retry_after_ms("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(30_000));
/// assert_eq!(retry_after_ms("soon", now), None);
/// ```
#[must_use]
pub fn retry_after_ms(value: &str, now: SystemTime) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than a u64 holds are as far away as any.
        return Some(value.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let wait = date.duration_since(now).unwrap_or(Duration::ZERO);
    Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_limit() {
        for (attempt, least, most) in [
            (1, 250, 500),
            (2, 500, 1_000),
            (3, 1_000, 2_000),
            (5, 4_000, 8_000),
            (6, 4_000, 8_000),
            (u32::MAX, 4_000, 8_000),
        ] {
            assert_eq!(backoff_ms(attempt, 0), least, "{attempt}");
            assert_eq!(backoff_ms(attempt, u32::MAX), most, "{attempt}");
            let middle = backoff_ms(attempt, u32::MAX / 2);
            assert!((least..=most).contains(&middle), "{attempt}: {middle}");
        }
    }

    #[test]
    fn waits_honour_the_server_and_the_deadline() {
        let check = |attempt, asked, left, expected| {
            assert_eq!(
                wait_ms(attempt, asked, (left, RETRY_AFTER_MS_MAX), u32::MAX),
                expected,
                "{attempt} {asked:?} {left}"
            );
        };
        check(1, None, 10_000, Some(500));
        check(1, Some(2_000), 10_000, Some(2_000));
        check(1, Some(1), 10_000, Some(500));
        check(1, Some(RETRY_AFTER_MS_MAX), 60_000, Some(RETRY_AFTER_MS_MAX));
        check(1, Some(RETRY_AFTER_MS_MAX + 1), 60_000, None);
        check(1, None, 501, Some(500));
        check(1, None, 500, None);
        check(ATTEMPTS_MAX - 1, None, 10_000, Some(1_000));
        check(ATTEMPTS_MAX, None, 10_000, None);
        // A caller who waits longer, and one who has somewhere else to go.
        let asked = Some(RETRY_AFTER_MS_MAX + 1);
        assert_eq!(wait_ms(1, asked, (60_000, 40_000), 0), asked);
        assert_eq!(wait_ms(1, Some(900), (60_000, 900), 0), Some(900));
        assert_eq!(wait_ms(1, Some(901), (60_000, 900), 0), None);
        assert_eq!(wait_ms(1, None, (60_000, 0), 0), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // RFC 9110's own example of a date.
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let check = |value, now, expected| assert_eq!(retry_after_ms(value, now), expected, "{value}");
        check("120", date, Some(120_000));
        check(" 0 ", date, Some(0));
        check("99999999999999999999999", date, Some(u64::MAX));
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            check(text, date - Duration::from_secs(90), Some(90_000));
            check(text, date + Duration::from_secs(90), Some(0));
        }
        for text in ["", "-1", "1.5", "soon", "+5"] {
            check(text, date, None);
        }
    }
}
