//! The figures as lines of text for a terminal: aligned columns, no colours, nothing wider than the terminal.

use whimbrel_record::{PlaceKind, size};

use crate::summary::requests;
use crate::timeline::{Column, Timeline};
use crate::words::{self, NONE, amount, count, duration};
use crate::{Measure, Overview, PageOptions, SeriesView, bar, sparkline};

/// Narrower terminals get lines of this width.
const WIDTH_LEAST: usize = 24;
/// Longer lines of prose are hard to read, however wide the terminal is.
const PROSE_WIDTH_MAX: usize = 100;
/// The room for the names of figures by day.
const NAME_WIDTH: usize = 14;
/// The room that a table leaves its first column; other columns give way.
const HEADING_WIDTH_LEAST: usize = 20;
/// From this width on, failures have bars.
const BARS_WIDTH_LEAST: usize = 60;
const BAR_WIDTH: u16 = 10;

impl Overview {
    /// A report of lines that are at most `width` characters, but never less than 24.
    ///
    /// ```
    /// use whimbrel_record::Host;
    /// use whimbrel_telemetry::{Meter, PageOptions};
    ///
    /// let options = PageOptions { host: Host::Computer, now_ms: 1_796_083_200_000, utc_offset_s: 0 };
    /// let lines = Meter::new(1_791_000_000_000, 0).overview().lines(40, &options);
    /// assert_eq!(lines, ["No requests have been counted since 3", "October."]);
    /// ```
    #[must_use]
    pub fn lines(&self, width: u16, options: &PageOptions) -> Vec<String> {
        let width = usize::from(width).max(WIDTH_LEAST);
        let mut lines = wrapped(&self.summary(options), width.min(PROSE_WIDTH_MAX));
        if self.requests() == 0 {
            return lines;
        }
        let timeline = Timeline::of(self, options.utc_offset_s);
        for (title, section) in [
            ("By model and task".to_owned(), self.series_lines(width)),
            days_lines(&timeline, width, options),
            ("What has changed".to_owned(), self.change_lines(width, options)),
            ("What went wrong".to_owned(), self.failures_lines(width)),
            ("Energy".to_owned(), self.energy_lines(width)),
        ] {
            if !section.is_empty() {
                lines.push(String::new());
                lines.extend(wrapped(&title, width));
                lines.extend(section);
            }
        }
        lines
    }

    fn series_lines(&self, width: usize) -> Vec<String> {
        let header = ["", "requests", "first text", "95 %", "tokens/s", "sent"].map(str::to_owned);
        let rows = self.series.iter().map(|series| {
            let first_text = series.measure(Measure::FirstToken);
            let speed = series.measure(Measure::DecodeToken);
            let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
            [
                heading(series),
                count(requests(&series.outcomes)),
                or_none(first_text.map(|view| duration(view.median))),
                or_none(first_text.map(|view| duration(view.p95))),
                or_none(speed.map(|view| amount(1e6 / view.median))),
                match series.bytes_out {
                    0 => NONE.to_owned(),
                    bytes => size(bytes),
                },
            ]
        });
        let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
        table(&rows, width)
    }

    fn change_lines(&self, width: usize, options: &PageOptions) -> Vec<String> {
        let changes = self.changes(options);
        changes.iter().flat_map(|words| hanging("  ", words, width)).collect()
    }

    fn failures_lines(&self, width: usize) -> Vec<String> {
        let most = self.codes.iter().map(|(_, times)| *times).max().unwrap_or(0).max(1);
        let digits = count(most).chars().count();
        let mut lines = Vec::new();
        for (code, times) in &self.codes {
            let words = format!("{} ({})", code.meaning(), code.name());
            let mut first = format!("  {:>digits$}  ", count(*times));
            if width >= BARS_WIDTH_LEAST {
                first.push_str(&bar(*times as f64 / most as f64, BAR_WIDTH));
                first.push_str("  ");
            }
            lines.extend(hanging(&first, &words, width));
        }
        lines
    }

    fn energy_lines(&self, width: usize) -> Vec<String> {
        let figures = self
            .energy
            .iter()
            .map(|energy| words::energy_of_battery(energy.millijoules));
        let figures: Vec<_> = figures.collect();
        let widest = figures.iter().map(|figure| figure.chars().count()).max().unwrap_or(0);
        let mut lines = Vec::new();
        for (energy, figure) in self.energy.iter().zip(&figures) {
            let words = words::method(&energy.method);
            let first = format!("  {figure:>widest$}  ");
            lines.extend(hanging(&first, &words, width));
        }
        lines
    }
}

/// The first column of the table: what the model is, what it did, and where.
fn heading(series: &SeriesView) -> String {
    let place = match series.place {
        None => return format!("{}, {}", series.model_words(), series.task),
        Some(PlaceKind::OnDevice) => "here",
        Some(PlaceKind::SystemModel) => "system",
        Some(PlaceKind::OwnDevice) => "your devices",
        Some(PlaceKind::Organisation) => "organisation",
        Some(PlaceKind::PublicCloud) => "cloud",
    };
    format!("{}, {}, {place}", series.model_words(), series.task)
}

/// The name of a figure, its values by day, and how they read.
type Figure<'a> = (&'a str, Values, Words);
type Values = Vec<Option<f64>>;
type Words = fn(f64) -> String;

fn days_lines(timeline: &Timeline, width: usize, options: &PageOptions) -> (String, Vec<String>) {
    let columns = timeline.columns.len();
    let begin = columns.saturating_sub(width - NAME_WIDTH - 2);
    let whole = |words: fn(f64) -> String, figure: fn(&Column) -> u64| {
        let values = timeline.values(|day| Some(figure(day) as f64));
        let has_any = values.iter().flatten().any(|value| *value > 0.0);
        (if has_any { values } else { Vec::new() }, words)
    };
    let figures: [Figure<'_>; 6] = [
        named("requests", whole(|value| count(value as u64), Column::requests)),
        named("first text", (timeline.values(|day| day.first_text_us), duration)),
        named("tokens/s", (timeline.values(|day| day.tokens_per_second), amount)),
        named("tokens", whole(|value| count(value as u64), |day| day.output_tokens)),
        named("sent", whole(|value| size(value as u64), |day| day.bytes_out)),
        named("energy", whole(words::energy, |day| day.millijoules)),
    ];
    let mut lines = Vec::new();
    for (name, values, words) in figures {
        let values = values.get(begin..).unwrap_or_default();
        let known = || values.iter().flatten().copied();
        let (Some(first), Some(last)) = (known().next(), known().next_back()) else {
            continue;
        };
        let line = format!("  {name:<NAME_WIDTH$}{}", sparkline(values));
        lines.push(line.trim_end().to_owned());
        let (low, high) = (known().fold(first, f64::min), known().fold(first, f64::max));
        let range = format!(
            "first {}, last {}, least {}, most {}",
            words(first),
            words(last),
            words(low),
            words(high)
        );
        let indent = " ".repeat(2 + NAME_WIDTH);
        lines.extend(hanging(&indent, &range, width));
    }
    let date = |at: usize| timeline.date(at).words(options.this_year());
    let title = match columns - begin {
        0 => String::new(),
        1 => format!("By day, {}", date(begin)),
        _ => format!("By day, {} to {}", date(begin), date(columns - 1)),
    };
    (title, lines)
}

fn named(name: &str, (values, words): (Values, Words)) -> Figure<'_> {
    (name, values, words)
}

/// Rows with a first column of words and further ones of figures, which stand at the right. The last columns that there is no room for are left
/// out.
fn table<const N: usize>(rows: &[[String; N]], width: usize) -> Vec<String> {
    let widths: Vec<_> = (0..N)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let room = |columns: usize| widths[1..columns].iter().map(|width| width + 2).sum::<usize>() + 2;
    let columns = (2..=N)
        .rev()
        .find(|columns| room(*columns) + HEADING_WIDTH_LEAST <= width);
    let columns = columns.unwrap_or(1);
    let heading_width = widths[0].min(width - room(columns));
    let mut lines = Vec::new();
    for row in rows {
        let mut heading = wrapped(&row[0], heading_width).into_iter();
        let mut line = format!("  {:<heading_width$}", heading.next().unwrap_or_default());
        for (cell, width) in row[1..columns].iter().zip(&widths[1..]) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        lines.push(line.trim_end().to_owned());
        lines.extend(heading.map(|rest| format!("    {rest}")).map(|line| cut(&line, width)));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// A text behind something that stands on its first line only.
fn hanging(first: &str, text: &str, width: usize) -> Vec<String> {
    let indent = first.chars().count();
    if indent + WIDTH_LEAST / 2 > width {
        // Too little room beside it: the text gets lines of its own.
        let mut lines = vec![cut(first.trim_end(), width)];
        lines.extend(wrapped(text, width - 4).iter().map(|line| format!("    {line}")));
        lines.retain(|line| !line.is_empty());
        return lines;
    }
    let lines = wrapped(text, (width - indent).min(PROSE_WIDTH_MAX));
    let lines = lines.iter().enumerate().map(|(at, line)| match at {
        0 => format!("{first}{line}"),
        _ => format!("{:indent$}{line}", ""),
    });
    lines.collect()
}

/// The lines of a text. A word that is longer than a line is cut.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut room = 0;
    // The blank between a number and its unit is not one to break a line at, so that only plain blanks are.
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let word = cut(word, width);
        let letters = word.chars().count();
        match lines.last_mut() {
            Some(line) if letters < room => {
                line.push(' ');
                line.push_str(&word);
                room -= letters + 1;
            }
            _ => {
                lines.push(word);
                room = width - letters.min(width);
            }
        }
    }
    lines
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        let check = |text: &str, width: usize, expected: &[&str]| assert_eq!(wrapped(text, width), expected, "{text}");
        check("", 10, &[]);
        check("one two three", 7, &["one two", "three"]);
        check("one two three", 8, &["one two", "three"]);
        check("one two three", 13, &["one two three"]);
        check("ein überlangeswort da", 6, &["ein", "überl…", "da"]);
    }

    #[test]
    fn columns_give_way_to_the_first() {
        let rows =
            [["", "requests", "sent"], ["qwen3-0.6b q4_1, chat", "12", "3.1 kB"]].map(|row| row.map(str::to_owned));
        let check = |width: usize, expected: &[&str]| assert_eq!(table(&rows, width), expected, "{width}");
        check(
            50,
            &[
                "                         requests    sent",
                "  qwen3-0.6b q4_1, chat        12  3.1 kB",
            ],
        );
        check(
            32,
            &[
                "                        requests",
                "  qwen3-0.6b q4_1,            12",
                "    chat",
            ],
        );
        check(24, &["  qwen3-0.6b q4_1, chat"]);
    }
}
