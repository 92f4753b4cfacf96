//! The date for templates that print it: the part of `strftime` that they use, in English.

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const SECONDS_A_DAY: i64 = 86_400;
/// The first second of the year 0 and the last of the year 9999. Other times are moved to the nearer one.
const RANGE: (i64, i64) = (-62_167_219_200, 253_402_300_799);

/// The date and time of `seconds` (since 1970 began, on the clock that is to be shown) in this format.
///
/// Known are `%a %A %b %B %d %e %H %I %j %m %M %p %S %y %Y %%`, and `-` after the percent sign for a number without leading
/// zeros. Anything else stays as it is.
pub(super) fn strftime(seconds: i64, format: &str) -> String {
    let time = Time::new(seconds.clamp(RANGE.0, RANGE.1));
    let mut out = String::with_capacity(format.len() + 8);
    let mut rest = format;
    while let Some(percent) = rest.find('%') {
        out.push_str(&rest[..percent]);
        rest = &rest[percent..];
        let bare = rest.starts_with("%-");
        let letter = rest.chars().nth(if bare { 2 } else { 1 });
        match letter.and_then(|letter| time.field(letter, bare)) {
            Some(field) => {
                out.push_str(&field);
                rest = &rest[if bare { 3 } else { 2 }..];
            }
            None => {
                out.push('%');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

struct Time {
    year: i64,
    /// From 1.
    month: i64,
    /// From 1.
    day: i64,
    /// From 1.
    day_of_year: i64,
    /// From 0, Sunday.
    weekday: i64,
    second_of_day: i64,
}

impl Time {
    /// The civil date, by Howard Hinnant's `civil_from_days` (<https://howardhinnant.github.io/date_algorithms.html>).
    fn new(seconds: i64) -> Self {
        let days = seconds.div_euclid(SECONDS_A_DAY);
        // Years are counted from March, so that a leap day comes last; eras are 400 years.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_from_march + 2) / 153;
        let day = day_from_march - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        let january_and_february = 59 + leap;
        let day_of_year = if month > 2 {
            day_from_march + january_and_february + 1
        } else {
            day_from_march - 305
        };
        let weekday = (days + 4).rem_euclid(7);
        Self {
            year,
            month,
            day,
            day_of_year,
            weekday,
            second_of_day: seconds.rem_euclid(SECONDS_A_DAY),
        }
    }

    fn field(&self, letter: char, bare: bool) -> Option<String> {
        let hour = self.second_of_day / 3600;
        let (number, width) = match letter {
            'a' => return Some(DAYS[self.weekday as usize][..3].into()),
            'A' => return Some(DAYS[self.weekday as usize].into()),
            'b' => return Some(MONTHS[self.month as usize - 1][..3].into()),
            'B' => return Some(MONTHS[self.month as usize - 1].into()),
            'p' => return Some(if hour < 12 { "AM" } else { "PM" }.into()),
            '%' => return Some("%".into()),
            'e' if !bare => return Some(format!("{:2}", self.day)),
            'd' | 'e' => (self.day, 2),
            'H' => (hour, 2),
            'I' => ((hour + 11) % 12 + 1, 2),
            'j' => (self.day_of_year, 3),
            'm' => (self.month, 2),
            'M' => (self.second_of_day / 60 % 60, 2),
            'S' => (self.second_of_day % 60, 2),
            'y' => (self.year % 100, 2),
            'Y' => (self.year, 4),
            _ => return None,
        };
        Some(if bare {
            number.to_string()
        } else {
            format!("{number:0width$}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: i64, format: &str, expected: &str) {
        assert_eq!(strftime(seconds, format), expected, "{seconds} {format}");
    }

    /// The expected texts are Python's `datetime.fromtimestamp(seconds, utc).strftime(format)`.
    #[test]
    fn dates_are_those_of_strftime() {
        let all = "%a %A %b %B %d %e %H:%M:%S %I %p %j %m %y %Y";
        check(0, all, "Thu Thursday Jan January 01  1 00:00:00 12 AM 001 01 70 1970");
        check(
            1_709_211_599,
            all,
            "Thu Thursday Feb February 29 29 12:59:59 12 PM 060 02 24 2024",
        );
        check(
            1_735_689_599,
            all,
            "Tue Tuesday Dec December 31 31 23:59:59 11 PM 366 12 24 2024",
        );
        check(
            -1,
            all,
            "Wed Wednesday Dec December 31 31 23:59:59 11 PM 365 12 69 1969",
        );
        check(951_868_800, "%d %b %Y %j", "01 Mar 2000 061");
        check(4_107_542_400, "%Y-%m-%d %j", "2100-03-01 060");
        check(1_709_211_599, "%-d/%-m %-I", "29/2 12");
    }

    #[test]
    fn what_is_unknown_stays() {
        check(0, "", "");
        check(0, "100%", "100%");
        check(0, "%% %Q %-Q é%é", "% %Q %-Q é%é");
        check(i64::MAX, "%Y", "9999");
        check(i64::MIN, "%Y", "0000");
    }
}
