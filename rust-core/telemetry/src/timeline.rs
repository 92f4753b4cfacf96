//! The days of an overview as the columns of charts: in their order, with room for the days between them that had no requests.

use whimbrel_record::Thermal;

use crate::words::{self, Date};
use crate::{DayView, Outcomes, Overview};

/// Columns at most that days without requests may take part in. Days that are further apart stand next to each other.
const COLUMNS_MAX: i64 = 92;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timeline {
    /// `None` for a day without requests.
    pub(crate) columns: Vec<Option<Column>>,
    /// Whether the columns follow each other day by day.
    pub(crate) is_gapless: bool,
}

/// The figures of one day.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// Days since 1970.
    pub(crate) number: i64,
    pub(crate) here: u64,
    pub(crate) elsewhere: u64,
    pub(crate) unanswered: u64,
    pub(crate) bytes_out: u64,
    pub(crate) output_tokens: u64,
    pub(crate) millijoules: u64,
    pub(crate) first_text_us: Option<f64>,
    pub(crate) tokens_per_second: Option<f64>,
    pub(crate) battery_percent_per_hour: Option<f64>,
    pub(crate) thermal_max: Option<Thermal>,
}

impl Timeline {
    pub(crate) fn of(overview: &Overview, utc_offset_s: i32) -> Timeline {
        let mut days: Vec<Column> = Vec::new();
        for day in &overview.days {
            let column = Column::of(day, words::day_number(day.begins_ms, utc_offset_s));
            // Somebody who travels can have a day that begins twice.
            match days.iter_mut().find(|day| day.number == column.number) {
                Some(day) => day.add(&column),
                None => days.push(column),
            }
        }
        days.sort_by_key(|day| day.number);
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return Timeline {
                columns: Vec::new(),
                is_gapless: true,
            };
        };
        let (first, last) = (first.number, last.number);
        let is_gapless = last - first < COLUMNS_MAX;
        if !is_gapless {
            let columns = days.into_iter().map(Some).collect();
            return Timeline { columns, is_gapless };
        }
        let mut days = days.into_iter().peekable();
        let columns = (first..=last).map(|number| days.next_if(|day| day.number == number));
        Timeline {
            columns: columns.collect(),
            is_gapless,
        }
    }

    /// The date of a column.
    pub(crate) fn date(&self, at: usize) -> Date {
        let first = self.columns.first().and_then(Option::as_ref);
        let number = match self.columns.get(at).and_then(Option::as_ref) {
            Some(column) => column.number,
            None => first.map_or(0, |first| first.number + at as i64),
        };
        Date::of_day(number)
    }

    /// One figure of every day.
    pub(crate) fn values(&self, figure: impl Fn(&Column) -> Option<f64>) -> Vec<Option<f64>> {
        let columns = self.columns.iter();
        columns
            .map(|column| column.as_ref().and_then(&figure).filter(|value| value.is_finite()))
            .collect()
    }
}

impl Column {
    fn of(day: &DayView, number: i64) -> Column {
        Column {
            number,
            here: day.answered_here.saturating_add(day.outcomes.given_again),
            elsewhere: day.answered_elsewhere,
            unanswered: unanswered(&day.outcomes),
            bytes_out: day.bytes_out,
            output_tokens: day.output_tokens,
            millijoules: day.millijoules,
            first_text_us: day.first_token_ms.map(|ms| ms * 1e3),
            tokens_per_second: day.decode_tokens_per_second,
            battery_percent_per_hour: day.battery_percent_per_hour,
            thermal_max: day.thermal_max,
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.here.saturating_add(self.elsewhere).saturating_add(self.unanswered)
    }

    /// Medians cannot be added: those of the half with more requests are kept.
    fn add(&mut self, other: &Column) {
        let (more, fewer) = match other.requests() > self.requests() {
            true => (other, &*self),
            false => (&*self, other),
        };
        *self = Column {
            number: self.number,
            here: self.here.saturating_add(other.here),
            elsewhere: self.elsewhere.saturating_add(other.elsewhere),
            unanswered: self.unanswered.saturating_add(other.unanswered),
            bytes_out: self.bytes_out.saturating_add(other.bytes_out),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            millijoules: self.millijoules.saturating_add(other.millijoules),
            first_text_us: more.first_text_us.or(fewer.first_text_us),
            tokens_per_second: more.tokens_per_second.or(fewer.tokens_per_second),
            battery_percent_per_hour: more.battery_percent_per_hour.or(fewer.battery_percent_per_hour),
            thermal_max: self.thermal_max.max(other.thermal_max),
        };
    }
}

/// How many requests had no answer.
pub(crate) fn unanswered(outcomes: &Outcomes) -> u64 {
    let named = [
        outcomes.cancelled,
        outcomes.failed,
        outcomes.denied,
        outcomes.deferred,
        outcomes.interrupted,
    ];
    named.into_iter().fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Meter;

    const DAY_MS: u64 = 24 * 3_600_000;

    fn overview(begins_ms: &[u64]) -> Overview {
        let day = |begins_ms: &u64| DayView {
            begins_ms: *begins_ms,
            outcomes: Outcomes::default(),
            answered_here: 1,
            answered_elsewhere: 0,
            bytes_out: u64::MAX,
            output_tokens: 0,
            millijoules: 0,
            first_token_ms: None,
            decode_tokens_per_second: None,
            battery_percent_per_hour: None,
            thermal_max: None,
        };
        let mut overview = Meter::new(0, 0).overview();
        overview.days = begins_ms.iter().map(day).collect();
        overview
    }

    #[test]
    fn days_without_requests_have_room() {
        let check = |begins_ms: &[u64], here: &[u64], is_gapless: bool| {
            let timeline = Timeline::of(&overview(begins_ms), 0);
            let columns = timeline.columns.iter();
            let found: Vec<_> = columns
                .map(|column| column.as_ref().map_or(0, |day| day.here))
                .collect();
            assert_eq!(
                (found.as_slice(), timeline.is_gapless),
                (here, is_gapless),
                "{begins_ms:?}"
            );
        };
        check(&[], &[], true);
        check(&[0], &[1], true);
        check(&[0, 2 * DAY_MS], &[1, 0, 1], true);
        // The same day again, an hour further west.
        check(&[2 * DAY_MS, 2 * DAY_MS + DAY_MS / 24], &[2], true);
        check(&[0, 1_000 * DAY_MS], &[1, 1], false);
        check(&[0, u64::MAX], &[1, 1], false);
    }
}
