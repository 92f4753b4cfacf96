//! The figures by day: their charts, and the same as a table.

use whimbrel_record::size;

use super::chart::{Axis, Figures, Part};
use super::markup::Markup;
use super::{row, table};
use crate::PageOptions;
use crate::timeline::{Column, Timeline};
use crate::words::{self, NONE, amount, count, duration};

/// A number that days have.
type Count = fn(&Column) -> u64;

pub(super) fn requests_chart(markup: &mut Markup, timeline: &Timeline, options: &PageOptions) {
    let parts: [(_, _, Count); 3] = [
        ("here", format!("on {}", options.host.words()), |day| day.here),
        ("elsewhere", "elsewhere".to_owned(), |day| day.elsewhere),
        ("unanswered", "not answered".to_owned(), |day| day.unanswered),
    ];
    let total = |figure: Count| {
        let days = timeline.columns.iter().flatten();
        days.fold(0, |sum: u64, day| sum.saturating_add(figure(day)))
    };
    let named: Vec<_> = parts
        .iter()
        .map(|(_, name, figure)| format!("{} {name}", count(total(*figure))))
        .collect();
    let title = "Requests a day";
    markup.element("figure", &[], |markup| {
        markup.element("figcaption", &[], |markup| {
            markup.leaf("h3", &[], title);
            markup.element("p", &[], |markup| {
                for ((class, _, _), words) in parts.iter().zip(&named) {
                    let class = format!("key {class}");
                    markup.element("span", &[("class", "part")], |markup| {
                        markup.leaf("span", &[("class", &class), ("aria-hidden", "true")], "");
                        markup.text(words);
                    });
                }
            });
        });
        let description = format!("Stacked bars, one a day: {}.", named.join(", "));
        let figures = Figures {
            title,
            description: &description,
            timeline,
            axis: Axis::Whole,
            words: &words::count_short,
        };
        let parts = parts.map(|(class, _, figure)| Part {
            class,
            values: timeline.values(|day| Some(figure(day) as f64)),
        });
        figures.bars(markup, &parts);
    });
}

pub(super) fn first_text_chart(markup: &mut Markup, timeline: &Timeline) {
    let values = timeline.values(|day| day.first_text_us);
    let note = "Median until an answer begins";
    line_chart(markup, timeline, ("First text", note), Axis::Time, &values, &duration);
}

pub(super) fn speed_chart(markup: &mut Markup, timeline: &Timeline, options: &PageOptions) {
    let values = timeline.values(|day| day.tokens_per_second);
    let note = format!("Median tokens per second on {}", options.host.words());
    line_chart(
        markup,
        timeline,
        ("Speed of answers", &note),
        Axis::Decimal,
        &values,
        &amount,
    );
}

pub(super) fn battery_chart(markup: &mut Markup, timeline: &Timeline) {
    let values = timeline.values(|day| day.battery_percent_per_hour);
    if values.iter().flatten().next().is_none() {
        return;
    }
    let note = "An hour, from all use";
    line_chart(
        markup,
        timeline,
        ("Fall of the battery", note),
        Axis::Decimal,
        &values,
        &|value| format!("{} %", amount(value)),
    );
}

fn line_chart(
    markup: &mut Markup,
    timeline: &Timeline,
    (title, note): (&str, &str),
    axis: Axis,
    values: &[Option<f64>],
    words: &dyn Fn(f64) -> String,
) {
    let known = || values.iter().flatten().copied();
    let at = values.iter().rposition(Option::is_some);
    let Some((at, last)) = at.and_then(|at| Some((at, values[at]?))) else {
        no_figure(markup, title, "Not measured on these days.");
        return;
    };
    let note = format!("{note}: {} on {}", words(last), timeline.date(at).short());
    let (low, high) = (known().fold(last, f64::min), known().fold(last, f64::max));
    let description = format!("{note}. It was {} at least and {} at most.", words(low), words(high));
    let figures = Figures {
        title,
        description: &description,
        timeline,
        axis,
        words,
    };
    day_figure(markup, title, &note, |markup| figures.line(markup, values));
}

pub(super) fn tokens_chart(markup: &mut Markup, timeline: &Timeline) {
    let title = "Tokens of answers";
    bar_chart(
        markup,
        timeline,
        (title, "No answer had any."),
        Axis::Whole,
        &|day| day.output_tokens,
        &words::count_short,
    );
}

pub(super) fn bytes_chart(markup: &mut Markup, timeline: &Timeline, options: &PageOptions) {
    let title = format!("What left {}", options.host.words());
    let none = "Nothing on these days.";
    let words = |value: f64| size(value as u64);
    bar_chart(
        markup,
        timeline,
        (&title, none),
        Axis::Decimal,
        &|day| day.bytes_out,
        &words,
    );
}

pub(super) fn energy_chart(markup: &mut Markup, timeline: &Timeline) {
    let figure = |day: &Column| day.millijoules;
    let none = "Not measured on these days.";
    bar_chart(
        markup,
        timeline,
        ("Energy", none),
        Axis::Decimal,
        &figure,
        &words::energy,
    );
}

fn bar_chart(
    markup: &mut Markup,
    timeline: &Timeline,
    (title, none): (&str, &str),
    axis: Axis,
    figure: &dyn Fn(&Column) -> u64,
    words: &dyn Fn(f64) -> String,
) {
    let days = timeline.columns.iter().flatten();
    let total = days.clone().fold(0, |sum: u64, day| sum.saturating_add(figure(day)));
    if total == 0 {
        no_figure(markup, title, none);
        return;
    }
    let most = days.map(figure).max().unwrap_or(0);
    let note = format!(
        "{} in total, {} on one day at most",
        words(total as f64),
        words(most as f64)
    );
    let description = format!("Bars, one a day: {note}.");
    let figures = Figures {
        title,
        description: &description,
        timeline,
        axis,
        words,
    };
    let values = timeline.values(|day| Some(figure(day) as f64));
    let parts = [Part { class: "here", values }];
    day_figure(markup, title, &note, |markup| figures.bars(markup, &parts));
}

pub(super) fn days_table(markup: &mut Markup, timeline: &Timeline, options: &PageOptions) {
    let columns = [
        "Day",
        "Requests",
        "Not answered",
        "First text",
        "Tokens/s",
        "Tokens",
        "Energy",
        "Sent",
        "Heat",
    ];
    let scroll = [
        ("class", "scroll"),
        ("tabindex", "0"),
        ("role", "region"),
        ("aria-label", "Figures by day"),
    ];
    markup.element("div", &scroll, |markup| {
        table(markup, "Figures by day", &columns, |markup| {
            for (at, day) in timeline.columns.iter().enumerate() {
                let Some(day) = day else { continue };
                let date = timeline.date(at).words(options.this_year());
                let cells = [
                    count(day.requests()),
                    count(day.unanswered),
                    day.first_text_us.map_or_else(|| NONE.to_owned(), duration),
                    day.tokens_per_second.map_or_else(|| NONE.to_owned(), amount),
                    count(day.output_tokens),
                    words::energy(day.millijoules as f64),
                    size(day.bytes_out),
                    day.thermal_max.map_or(NONE, words::thermal).to_owned(),
                ];
                row(markup, (&date, ""), &cells.map(|cell| (cell, String::new())));
            }
        });
    });
}

/// What stands for a chart that would be empty. It comes behind the charts.
fn no_figure(markup: &mut Markup, title: &str, note: &str) {
    markup.element("div", &[("class", "none")], |markup| {
        markup.leaf("h3", &[], title);
        markup.leaf("p", &[("class", "note")], note);
    });
}

fn day_figure(markup: &mut Markup, title: &str, note: &str, chart: impl FnOnce(&mut Markup)) {
    markup.element("figure", &[], |markup| {
        markup.element("figcaption", &[], |markup| {
            markup.leaf("h3", &[], title);
            markup.leaf("p", &[], note);
        });
        chart(markup);
    });
}
