//! Figures, dates and names as people read them. The page and the report for the terminal share them.

use whimbrel_record::{DeviceClass, Host, Label, PlaceKind, Thermal};

use crate::{Measure, OTHER, Outcomes, SeriesView, Unit};

/// The sign for a figure that does not exist.
pub const NONE: &str = "–";
/// Keeps the groups of a number together on one line.
const THIN_SPACE: char = '\u{202f}';

/// A whole number, in groups of three digits from 10,000 on.
///
/// ```
/// use whimbrel_telemetry::words::count;
///
/// assert_eq!(count(9_999), "9999");
/// assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
/// ```
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    if number < 10_000 {
        return digits;
    }
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(THIN_SPACE);
        }
        text.push(digit);
    }
    text
}

/// A number with its noun in the right form: "1 request", "2 requests".
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// A whole number in little room, for axes: "20k", "3M".
#[must_use]
pub(crate) fn count_short(number: f64) -> String {
    if number < 10_000.0 {
        return count(number.round() as u64);
    }
    let steps = ["k", "M", "G", "T", "P", "E"].map(|unit| (999.5, 1000.0, unit));
    in_unit(number, "", &steps).replace(".0 ", "").replace(' ', "")
}

/// A text like "1.0 s" without the digit that says nothing where the number is a round one.
#[must_use]
pub(crate) fn round(text: &str) -> String {
    format!("{text} ").replace(".0 ", " ").trim_end().to_owned()
}

/// A time in microseconds, in the unit that people read.
///
/// ```
/// use whimbrel_telemetry::words::duration;
///
/// assert_eq!(duration(840.0), "840 µs");
/// assert_eq!(duration(12_300.0), "12 ms");
/// assert_eq!(duration(1_440_000.0), "1.4 s");
/// assert_eq!(duration(150_000_000.0), "2.5 min");
/// ```
#[must_use]
pub fn duration(us: f64) -> String {
    let steps = [
        (999.5, 1000.0, "ms"),
        (999.5, 1000.0, "s"),
        (119.5, 60.0, "min"),
        (119.5, 60.0, "h"),
        (47.5, 24.0, "days"),
    ];
    in_unit(us, "µs", &steps)
}

/// Energy in millijoules, in the unit that people read.
///
/// ```
/// use whimbrel_telemetry::words::energy;
///
/// assert_eq!(energy(250.0), "250 mJ");
/// assert_eq!(energy(4_200.0), "4.2 J");
/// assert_eq!(energy(18_000_000.0), "18 kJ");
/// ```
#[must_use]
pub fn energy(millijoules: f64) -> String {
    let steps = [(999.5, 1000.0, "J"), (999.5, 1000.0, "kJ"), (3599.5, 3600.0, "kWh")];
    in_unit(millijoules, "mJ", &steps)
}

/// Energy in millijoules, with the watt-hours in which batteries are measured, where there are some.
///
/// ```
/// assert_eq!(whimbrel_telemetry::words::energy_of_battery(18_000_000), "18 kJ (5.0 Wh)");
/// ```
#[must_use]
pub fn energy_of_battery(millijoules: u64) -> String {
    let watt_hours = millijoules as f64 / 3.6e6;
    let text = energy(millijoules as f64);
    match watt_hours {
        0.05..1000.0 => format!("{text} ({} Wh)", amount(watt_hours)),
        _ => text,
    }
}

/// A number with one digit behind the point, if it is smaller than 10.
///
/// ```
/// use whimbrel_telemetry::words::amount;
///
/// assert_eq!(amount(3.14), "3.1");
/// assert_eq!(amount(31.4), "31");
/// assert_eq!(amount(0.01), "<0.1");
/// ```
#[must_use]
pub fn amount(number: f64) -> String {
    match number {
        _ if !number.is_finite() => NONE.to_owned(),
        _ if number <= 0.0 => "0".to_owned(),
        _ if number < 0.05 => "<0.1".to_owned(),
        // What would be rounded to 10.0 has no digit behind the point.
        _ if number < 9.95 => format!("{number:.1}"),
        _ => count(number.round() as u64),
    }
}

/// A value of a measure, in microseconds, tokens or millijoules.
#[must_use]
pub fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Microseconds => duration(value),
        Unit::Millijoules => energy(value),
        Unit::Tokens if value.is_finite() => count(value.round() as u64),
        Unit::Tokens => NONE.to_owned(),
    }
}

/// `steps` are the largest number in a unit, and how much more the next unit is, with its name.
fn in_unit(number: f64, first: &'static str, steps: &[(f64, f64, &'static str)]) -> String {
    if !number.is_finite() {
        return NONE.to_owned();
    }
    let (mut number, mut unit) = (number, first);
    for (most, factor, next) in steps {
        if number < *most {
            break;
        }
        (number, unit) = (number / factor, next);
    }
    // The smallest units are read as whole numbers.
    match unit == first {
        true => format!("{} {unit}", count(number.round() as u64)),
        false => format!("{} {unit}", amount(number)),
    }
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Date {
    /// The year.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

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
const DAY_S: i64 = 24 * 3600;

impl Date {
    /// The date of a day, by its number since 1970.
    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    ///
    /// ```
    /// use whimbrel_telemetry::words::Date;
    ///
    /// let date = Date::of_day(20_729);
    /// assert_eq!(date, Date { year: 2026, month: 10, day: 3 });
    /// assert_eq!(date.words(Some(2026)), "3 October");
    /// assert_eq!(date.words(None), "3 October 2026");
    /// ```
    #[must_use]
    pub fn of_day(number: i64) -> Date {
        let number = number + 719_468;
        let (era, of_era) = (number.div_euclid(146_097), number.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Years begin in March here, so that the day of the leap year is their last.
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Date {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: u8::try_from(month).unwrap_or(1),
            day: u8::try_from(day).unwrap_or(1),
        }
    }

    /// The date of a time in milliseconds since 1970, where local time is this far ahead of universal time.
    #[must_use]
    pub fn at(time_ms: u64, utc_offset_s: i32) -> Date {
        Date::of_day(local_s(time_ms, utc_offset_s).div_euclid(DAY_S))
    }

    /// "3 October", and the year unless it is this one.
    #[must_use]
    pub fn words(self, this_year: Option<i64>) -> String {
        let month = self.month_name();
        match this_year == Some(self.year) {
            true => format!("{} {month}", self.day),
            false => format!("{} {month} {}", self.day, self.year),
        }
    }

    /// "3 Oct"
    #[must_use]
    pub fn short(self) -> String {
        format!("{} {}", self.day, &self.month_name()[..3])
    }

    fn month_name(self) -> &'static str {
        MONTHS[usize::from(self.month.clamp(1, 12)) - 1]
    }
}

/// The time of day of a time in milliseconds since 1970: "14:05".
#[must_use]
pub fn time_of_day(time_ms: u64, utc_offset_s: i32) -> String {
    let minutes = local_s(time_ms, utc_offset_s).rem_euclid(DAY_S) / 60;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The number since 1970 of a day that began at this time. How far local time was ahead then is not known. But a day begins at midnight, so it
/// is known up to whole days; where -12 to +14 hours leave a choice, the one that is nearer to the offset now is taken.
#[must_use]
pub(crate) fn day_number(begins_ms: u64, utc_offset_s: i32) -> i64 {
    let begins_s = local_s(begins_ms, 0);
    let ahead_s = (-begins_s).rem_euclid(DAY_S);
    let is_behind = match ahead_s {
        0..43_200 => false,
        43_200..=50_400 => {
            let distance = |offset_s: i64| (offset_s - i64::from(utc_offset_s)).abs();
            distance(ahead_s - DAY_S) < distance(ahead_s)
        }
        _ => true,
    };
    begins_s.div_euclid(DAY_S) + i64::from(ahead_s > 0) - i64::from(is_behind)
}

fn local_s(time_ms: u64, utc_offset_s: i32) -> i64 {
    // A thousandth of the largest number fits.
    (time_ms / 1000).cast_signed() + i64::from(utc_offset_s)
}

/// The name of a model with its variant, or what there is instead.
#[must_use]
pub fn model(model: Option<&Label>, variant: Option<&Label>) -> String {
    match (model, variant) {
        (Some(model), _) if model.as_str() == OTHER => "further kinds".to_owned(),
        (Some(model), Some(variant)) => format!("{model} {variant}"),
        (Some(model), None) => model.to_string(),
        (None, _) => "no model asked".to_owned(),
    }
}

impl SeriesView {
    /// Whether it counts the requests that have no series of their own.
    #[must_use]
    pub fn is_rest(&self) -> bool {
        self.task.as_str() == OTHER
    }

    /// The model, or what there is instead of one.
    #[must_use]
    pub fn model_words(&self) -> String {
        model(self.model.as_ref(), self.variant.as_ref())
    }

    /// What the model did, and where.
    #[must_use]
    pub fn kind_words(&self, host: Host) -> String {
        match self.is_rest() {
            true => format!("everything that has no line of its own, {}", place(self.place, host)),
            false if self.place.is_none() => self.task.to_string(),
            false => format!("{}, {}", self.task, place(self.place, host)),
        }
    }
}

/// Where a request was answered.
#[must_use]
pub fn place(place: Option<PlaceKind>, host: Host) -> String {
    match place {
        None => "no model was asked".to_owned(),
        Some(PlaceKind::OnDevice) => format!("on {}", host.words()),
        Some(PlaceKind::SystemModel) => format!("the system's model on {}", host.words()),
        Some(PlaceKind::OwnDevice) => "on your other devices".to_owned(),
        Some(PlaceKind::Organisation) => "on your organisation's machines".to_owned(),
        Some(PlaceKind::PublicCloud) => "in the cloud".to_owned(),
    }
}

/// The class of a device.
#[must_use]
pub fn device(class: DeviceClass) -> &'static str {
    match class {
        DeviceClass::Small => "less than 4 GB of memory",
        DeviceClass::Medium => "4 to 8 GB of memory",
        DeviceClass::Large => "8 GB of memory or more",
    }
}

/// How hot the device was.
#[must_use]
pub fn thermal(level: Thermal) -> &'static str {
    match level {
        Thermal::Nominal => "normal",
        Thermal::Fair => "warm",
        Thermal::Serious => "hot",
        Thermal::Critical => "too hot",
    }
}

/// How requests ended, without those ends that none had: "395 answered, 3 failed".
#[must_use]
pub fn outcomes(outcomes: &Outcomes) -> String {
    let ends = outcomes.named().into_iter().filter(|(_, times)| *times > 0);
    let parts: Vec<_> = ends
        .map(|(name, times)| format!("{} {}", count(times), end(name)))
        .collect();
    match parts.is_empty() {
        true => "none".to_owned(),
        false => parts.join(", "),
    }
}

fn end(name: &str) -> &str {
    match name {
        "given_again" => "answered again from memory",
        "cancelled" => "stopped",
        "denied" => "refused by the policy",
        _ => name,
    }
}

/// How the energy was found, as the end of a sentence that begins with it. A method that this program does not know stands for itself.
///
/// ```
/// use whimbrel_record::Label;
/// use whimbrel_telemetry::words::method;
///
/// let words = method(&Label::new("processor-time-2-watts")?);
/// assert_eq!(words, "an estimate from processor time, at 2 watts a core");
/// # Ok::<(), whimbrel_record::LabelError>(())
/// ```
#[must_use]
pub fn method(method: &Label) -> String {
    match method.as_str() {
        "processor-time-2-watts" => "an estimate from processor time, at 2 watts a core".to_owned(),
        // Before Whimbrel measured processor time.
        "assumed-2-watts-a-thread" => "an estimate from the time, at 2 watts a thread".to_owned(),
        "rapl-package" => "measured by the processor, for all that it did meanwhile".to_owned(),
        "battery-power" => "measured at the battery, for the whole device with its screen".to_owned(),
        other => other.to_owned(),
    }
}

/// What a measure is, as the heading of a row.
#[must_use]
pub fn measure(measure: Measure) -> &'static str {
    match measure {
        Measure::Total => "Whole answer",
        Measure::FirstToken => "First text",
        Measure::Examine => "Looking for private data",
        Measure::Decide => "Deciding where to ask",
        Measure::Load => "Preparing the model",
        Measure::PrefillToken => "Reading, each token",
        Measure::DecodeToken => "Writing, each token",
        Measure::Network => "Waiting for the network",
        Measure::Processor => "Processor time",
        Measure::InputTokens => "Prompt, in tokens",
        Measure::OutputTokens => "Answer, in tokens",
        Measure::Energy => "Energy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_like_figures() {
        let check = |text: String, expected: &str| assert_eq!(text, expected);
        check(duration(0.0), "0 µs");
        check(duration(0.4), "0 µs");
        check(duration(999.4), "999 µs");
        check(duration(999.6), "1.0 ms");
        check(duration(9_960.0), "10 ms");
        check(duration(999_600.0), "1.0 s");
        check(duration(119_000_000.0), "119 s");
        check(duration(7_200_000_000.0), "2.0 h");
        check(duration(u64::MAX as f64), "213\u{202f}503\u{202f}982 days");
        check(duration(f64::NAN), "–");
        check(energy(1.0), "1 mJ");
        check(energy(999_600.0), "1.0 kJ");
        check(energy(7_200_000_000.0), "2.0 kWh");
        check(energy_of_battery(1_000), "1.0 J");
        check(energy_of_battery(180_000), "180 J (0.1 Wh)");
        check(amount(-1.0), "0");
        check(amount(9.96), "10");
        check(count_short(0.4), "0");
        check(count_short(4.0), "4");
        check(count_short(16_000.0), "16k");
        check(count_short(2_500_000.0), "2.5M");
        check(count_short(u64::MAX as f64), "18E");
        check(round("1.0 s"), "1 s");
        check(round("8.0"), "8");
        check(round("10 ms"), "10 ms");
        check(count(10_000), "10\u{202f}000");
        check(
            count(u64::MAX),
            "18\u{202f}446\u{202f}744\u{202f}073\u{202f}709\u{202f}551\u{202f}615",
        );
        check(counted(1, "request"), "1 request");
        check(counted(0, "request"), "0 requests");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let check = |number: i64, year, month, day| assert_eq!(Date::of_day(number), Date { year, month, day });
        check(0, 1970, 1, 1);
        check(-1, 1969, 12, 31);
        check(11_016, 2000, 2, 29);
        check(11_017, 2000, 3, 1);
        check(20_788, 2026, 12, 1);
        assert_eq!(Date::at(u64::MAX, 0).words(None), "3 April 584556019");
        assert_eq!(Date::at(u64::MAX, i32::MAX).month, 4);
        assert_eq!(time_of_day(1_795_406_706_000, 3600), "05:05");
    }

    #[test]
    fn days_have_the_number_that_they_had_where_they_began() {
        let check = |hours_ahead_then: i32, hours_ahead_now: i32| {
            let begins_ms = (20_000 * 24 - i64::from(hours_ahead_then)) * 3_600_000;
            let number = day_number(begins_ms.cast_unsigned(), hours_ahead_now * 3600);
            assert_eq!(number, 20_000, "{hours_ahead_then} {hours_ahead_now}");
        };
        for hours_ahead_then in -9..12 {
            for hours_ahead_now in [-12, -5, 0, 9, 14] {
                check(hours_ahead_then, hours_ahead_now);
            }
        }
        for hours_ahead in -12..=14 {
            check(hours_ahead, hours_ahead);
        }
        assert_eq!(day_number(0, -3600), 0);
        assert!(day_number(u64::MAX, i32::MIN) > 0);
    }

    #[test]
    fn names_that_are_not_known_stand_for_themselves() {
        let label = Label::squeezed;
        assert_eq!(method(&label("solar")), "solar");
        assert_eq!(model(None, None), "no model asked");
    }
}
