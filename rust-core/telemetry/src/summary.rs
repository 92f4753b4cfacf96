//! An overview in one or two sentences.

use whimbrel_record::{Host, PlaceKind, size};

use crate::timeline::unanswered;
use crate::words::{self, Date, count, counted};
use crate::{Outcomes, Overview};

/// What a page or a report must be told, because it has no clock and no settings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PageOptions {
    /// How to refer to the device.
    pub host: Host,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
    /// How far local time is ahead of universal time, in seconds.
    pub utc_offset_s: i32,
}

/// Where requests were answered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Answers {
    here: u64,
    elsewhere: u64,
}

impl PageOptions {
    pub(crate) fn this_year(&self) -> Option<i64> {
        Some(Date::at(self.now_ms, self.utc_offset_s).year)
    }

    /// The date of a time in words.
    pub(crate) fn date(&self, time_ms: u64) -> String {
        Date::at(time_ms, self.utc_offset_s).words(self.this_year())
    }
}

impl Overview {
    /// How many requests there were.
    pub(crate) fn requests(&self) -> u64 {
        requests(&self.outcomes)
    }

    /// Bytes that left the device.
    pub(crate) fn bytes_out(&self) -> u64 {
        let series = self.series.iter();
        series.fold(0, |sum, series| sum.saturating_add(series.bytes_out))
    }

    /// What happened, in plain words.
    ///
    /// ```
    /// use whimbrel_record::Host;
    /// use whimbrel_telemetry::{Meter, PageOptions};
    ///
    /// let options = PageOptions { host: Host::Phone, now_ms: 1_796_083_200_000, utc_offset_s: 3600 };
    /// let overview = Meter::new(1_791_000_000_000, 0).overview();
    /// assert_eq!(overview.summary(&options), "No requests have been counted since 3 October.");
    /// ```
    #[must_use]
    pub fn summary(&self, options: &PageOptions) -> String {
        let since = options.date(self.begins_ms);
        if self.requests() == 0 {
            return format!("No requests have been counted since {since}.");
        }
        let host = options.host.words();
        let answers = self.answers();
        let parts = [
            (answers.here, format!("answered on {host}")),
            (answers.elsewhere, "answered elsewhere".to_owned()),
            (unanswered(&self.outcomes), "not answered".to_owned()),
        ];
        let mut text = format!("{} since {since}: ", counted(self.requests(), "request"));
        let mut is_said = false;
        for (times, words) in parts.iter().filter(|(times, _)| *times > 0) {
            // "395 answered on this phone, 12 elsewhere"
            let words = match (is_said, words.strip_prefix("answered ")) {
                (true, Some(rest)) => rest,
                _ => words,
            };
            text.push_str(if is_said { ", " } else { "" });
            text.push_str(&format!("{} {words}", count(*times)));
            is_said = true;
        }
        text.push_str(". ");
        text.push_str(&self.left(host));
        text
    }

    /// What left the device. An interrupted request has no one to count what it sent.
    fn left(&self, host: &str) -> String {
        let interrupted = self.outcomes.interrupted;
        let mut text = match (self.bytes_out(), interrupted) {
            (0, 0) => format!("Nothing left {host}."),
            (0, _) => format!("Nothing is known to have left {host}."),
            (bytes, _) => format!("{} left {host}.", size(bytes)),
        };
        if interrupted > 0 {
            let requests = counted(interrupted, "interrupted request");
            text.push_str(&format!(" What {requests} may have sent is not counted."));
        }
        text
    }

    /// An answer that is given again needs no place.
    fn answers(&self) -> Answers {
        let mut answers = Answers::default();
        for series in &self.series {
            let counter = match series.place {
                None | Some(PlaceKind::OnDevice | PlaceKind::SystemModel) => &mut answers.here,
                Some(_) => &mut answers.elsewhere,
            };
            *counter = counter.saturating_add(series.outcomes.answered);
            answers.here = answers.here.saturating_add(series.outcomes.given_again);
        }
        answers
    }

    /// The days that the figures by day are of.
    pub(crate) fn days_words(&self, options: &PageOptions) -> String {
        let date = |begins_ms| {
            let number = words::day_number(begins_ms, options.utc_offset_s);
            Date::of_day(number).words(options.this_year())
        };
        match (self.days.first(), self.days.last()) {
            (Some(first), Some(last)) if first != last => {
                format!("{} to {}", date(first.begins_ms), date(last.begins_ms))
            }
            (Some(day), _) => date(day.begins_ms),
            _ => words::NONE.to_owned(),
        }
    }
}

/// How many requests there were, also if that is more than a number can hold.
pub(crate) fn requests(outcomes: &Outcomes) -> u64 {
    outcomes
        .named()
        .iter()
        .fold(0, |sum, (_, times)| sum.saturating_add(*times))
}
