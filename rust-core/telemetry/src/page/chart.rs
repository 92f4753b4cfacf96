//! Charts of days and of buckets, as inline SVG. Axes of values begin at 0.

use std::fmt::Write;

use super::markup::Markup;
use crate::HistogramView;
use crate::timeline::Timeline;
use crate::words;

/// The room of a chart of days, in units that are about a pixel on a phone.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 356.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 128.0;
/// Bars of few days would be blocks.
const BAR_WIDTH_MAX: f64 = 26.0;
/// From here on there is room for the date of the day in the middle.
const MIDDLE_DATE_COLUMNS: usize = 9;

/// The room of a histogram.
const SMALL_WIDTH: f64 = 180.0;
const SMALL_HEIGHT: f64 = 80.0;
const SMALL_TOP: f64 = 6.0;
const SMALL_BOTTOM: f64 = 54.0;
/// A histogram of fewer buckets would have blocks for bars.
const BUCKETS_LEAST: usize = 6;

/// What an axis counts in. It decides which numbers are round.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Axis {
    /// Things that have no halves.
    Whole,
    /// Bytes, joules, and what else has steps of 1000.
    Decimal,
    /// Microseconds, which become minutes and hours.
    Time,
}

/// What a chart is told about its figures.
pub(super) struct Figures<'a> {
    pub(super) title: &'a str,
    pub(super) description: &'a str,
    pub(super) timeline: &'a Timeline,
    pub(super) axis: Axis,
    pub(super) words: &'a dyn Fn(f64) -> String,
}

/// A part of the bars: how it is drawn, and how much it is on each day.
pub(super) struct Part {
    pub(super) class: &'static str,
    pub(super) values: Vec<Option<f64>>,
}

impl Figures<'_> {
    /// Bars, of one or more parts that stand on each other.
    pub(super) fn bars(&self, markup: &mut Markup, parts: &[Part]) {
        let columns = self.timeline.columns.len();
        let sum = |at: usize| parts.iter().filter_map(|part| part.values[at]).sum::<f64>();
        let top = round_top((0..columns).map(sum).fold(0.0, f64::max), self.axis);
        let across = Across::new(columns);
        let width = (across.step * 0.78).min(BAR_WIDTH_MAX);
        self.frame(markup, top, &across, |markup| {
            let mut bases = vec![0.0; columns];
            for part in parts {
                let mut path = String::new();
                for (at, base) in bases.iter_mut().enumerate() {
                    let value = part.values[at].unwrap_or(0.0);
                    if value <= 0.0 {
                        continue;
                    }
                    let (low, high) = (down(*base, top), down(*base + value, top));
                    // Something is not nothing.
                    let high = high.min(low - 0.8);
                    let left = across.middle(at) - width / 2.0;
                    let (left, low, width, high) = (number(left), number(low), number(width), number(high));
                    write!(path, "M{left} {low}V{high}h{width}V{low}z").expect("a string takes all");
                    *base += value;
                }
                markup.empty("path", &[("class", part.class), ("d", &path)]);
            }
        });
    }

    /// A line through the days, with a larger dot at its end. It has gaps where there are no values.
    pub(super) fn line(&self, markup: &mut Markup, values: &[Option<f64>]) {
        let top = round_top(values.iter().flatten().copied().fold(0.0, f64::max), self.axis);
        let across = Across::new(values.len());
        let known = |at: usize| values.get(at).copied().flatten();
        self.frame(markup, top, &across, |markup| {
            let (mut line, mut dots) = (String::new(), String::new());
            for (at, value) in values.iter().enumerate() {
                let Some(value) = value else { continue };
                let (x, y) = (number(across.middle(at)), number(down(*value, top)));
                let is_joined = at > 0 && known(at - 1).is_some();
                write!(line, "{}{x} {y}", if is_joined { 'L' } else { 'M' }).expect("a string takes all");
                write!(dots, "M{x} {y}h0").expect("a string takes all");
            }
            markup.empty("path", &[("class", "line"), ("d", &line)]);
            let class = if values.len() > 31 { "dots small" } else { "dots" };
            markup.empty("path", &[("class", class), ("d", &dots)]);
            let last = (0..values.len()).rev().find_map(|at| Some((at, known(at)?)));
            if let Some((at, value)) = last {
                let dot = format!("M{} {}h0", number(across.middle(at)), number(down(value, top)));
                markup.empty("path", &[("class", "dots last"), ("d", &dot)]);
            }
        });
    }

    fn frame(&self, markup: &mut Markup, top: f64, across: &Across, content: impl FnOnce(&mut Markup)) {
        let view = format!("0 0 {WIDTH} {HEIGHT}");
        picture(markup, &view, "days", self.title, self.description, |markup| {
            self.values_axis(markup, top);
            content(markup);
            self.days_axis(markup, across);
        });
    }

    fn values_axis(&self, markup: &mut Markup, top: f64) {
        for share in [1.0, 0.5, 0.0] {
            // Half a request is no request.
            if share == 0.5 && self.axis == Axis::Whole && top < 2.0 {
                continue;
            }
            let y = down(top * share, top);
            let line = format!("M{LEFT} {}H{}", number(y), number(RIGHT));
            let class = if share == 0.0 { "base" } else { "grid" };
            markup.empty("path", &[("class", class), ("d", &line)]);
            let text = match share {
                0.0 => "0".to_owned(),
                _ => words::round(&(self.words)(top * share)),
            };
            let place = [("class", "end"), ("x", &*number(LEFT - 6.0)), ("y", &*number(y + 3.5))];
            markup.leaf("text", &place, &text);
        }
    }

    fn days_axis(&self, markup: &mut Markup, across: &Across) {
        let columns = self.timeline.columns.len();
        let last = columns.saturating_sub(1);
        let mut dates = vec![(0, "start")];
        if columns >= MIDDLE_DATE_COLUMNS {
            dates.push((last / 2, "middle"));
        }
        if last > 0 {
            dates.push((last, "end"));
        }
        for (at, class) in dates {
            // The first and the last date are as wide as several bars of many days, and stay within the chart.
            let middle = across.middle(at);
            let (class, x) = match (columns <= 7, class) {
                (true, _) => ("middle", middle),
                (false, "start") => (class, middle - across.step / 2.0),
                (false, "end") => (class, middle + across.step / 2.0),
                (false, _) => (class, middle),
            };
            let place = [("class", class), ("x", &*number(x)), ("y", &*number(BOTTOM + 16.0))];
            markup.leaf("text", &place, &self.timeline.date(at).short());
            let tick = format!("M{} {BOTTOM}v4", number(middle));
            markup.empty("path", &[("class", "base"), ("d", &tick)]);
        }
    }
}

/// Where the columns of a chart are.
struct Across {
    step: f64,
}

impl Across {
    fn new(columns: usize) -> Across {
        Across {
            step: (RIGHT - LEFT) / columns.max(1) as f64,
        }
    }

    fn middle(&self, at: usize) -> f64 {
        LEFT + self.step * (at as f64 + 0.5)
    }
}

/// The values of a measure by bucket. The buckets have equal widths, though each has twice the range of the one before, or more.
pub(super) fn histogram(markup: &mut Markup, view: &HistogramView, title: &str, description: &str) {
    let used = |at: &usize| view.counts.get(*at).is_some_and(|count| *count > 0);
    let buckets = view.counts.len();
    let first = (0..buckets).find(used).unwrap_or(0);
    let last = (0..buckets).rev().find(used).unwrap_or(0);
    let missing = BUCKETS_LEAST.saturating_sub(last - first + 1);
    let first = first.saturating_sub(missing.div_ceil(2));
    let last = (first + BUCKETS_LEAST - 1).max(last).min(buckets.saturating_sub(1));
    let highest = view.counts.iter().copied().max().unwrap_or(0).max(1);
    let step = SMALL_WIDTH / (last.saturating_sub(first) + 1) as f64;
    let x = |at: usize| (at.saturating_sub(first)) as f64 * step;
    let size = format!("0 0 {SMALL_WIDTH} {SMALL_HEIGHT}");
    picture(markup, &size, "histogram", title, description, |markup| {
        let mut path = String::new();
        for at in (first..=last).filter(used) {
            let share = f64::from(view.counts[at]) / f64::from(highest);
            let high = (SMALL_BOTTOM - (SMALL_BOTTOM - SMALL_TOP) * share).min(SMALL_BOTTOM - 1.0);
            let (left, right) = (number(x(at) + 1.0), number(x(at) + step - 1.0));
            write!(path, "M{left} {SMALL_BOTTOM}V{}H{right}V{SMALL_BOTTOM}z", number(high))
                .expect("a string takes all");
        }
        markup.empty("path", &[("class", "here"), ("d", &path)]);
        let base = format!("M0 {SMALL_BOTTOM}H{SMALL_WIDTH}");
        markup.empty("path", &[("class", "base"), ("d", &base)]);
        median_mark(markup, view, first, step);
        let low = first.checked_sub(1).and_then(|at| view.bounds.get(at)).copied();
        let low = low.map_or_else(
            || "0".to_owned(),
            |low| words::round(&words::value(view.unit, low as f64)),
        );
        let high = match view.bounds.get(last) {
            Some(high) => words::round(&words::value(view.unit, *high as f64)),
            None => format!("max. {}", words::value(view.unit, view.max as f64)),
        };
        let y = number(SMALL_HEIGHT - 5.0);
        markup.leaf("text", &[("class", "start"), ("x", "0"), ("y", &*y)], &low);
        let right = number(SMALL_WIDTH);
        markup.leaf("text", &[("class", "end"), ("x", &*right), ("y", &*y)], &high);
    });
}

/// A small triangle below the median.
fn median_mark(markup: &mut Markup, view: &HistogramView, first: usize, step: f64) {
    if !view.median.is_finite() {
        return;
    }
    let at = view.bounds.partition_point(|bound| (*bound as f64) < view.median);
    let low = at.checked_sub(1).map_or(0.0, |at| view.bounds[at] as f64);
    let high = view.bounds.get(at).map_or(view.max as f64, |bound| *bound as f64);
    let within = if high > low {
        (view.median - low) / (high - low)
    } else {
        0.5
    };
    let x = (at.saturating_sub(first) as f64 + within.clamp(0.0, 1.0)) * step;
    let x = x.clamp(4.0, SMALL_WIDTH - 4.0);
    let mark = format!("M{} {}l4 6h-8z", number(x), SMALL_BOTTOM + 1.5);
    markup.empty("path", &[("class", "mark"), ("d", &mark)]);
}

/// A bar from 0 to the median, and a thin one on to the value below which 95 % are.
pub(super) fn meter(markup: &mut Markup, title: &str, median: f64, p95: f64, most: f64) {
    let share = |value: f64| {
        let share = if most > 0.0 { value / most } else { 0.0 };
        if share.is_finite() {
            share.clamp(0.0, 1.0) * 100.0
        } else {
            0.0
        }
    };
    let attributes = [
        ("class", "meter"),
        ("role", "img"),
        ("viewBox", "0 0 100 10"),
        ("preserveAspectRatio", "none"),
    ];
    markup.element("svg", &attributes, |markup| {
        markup.leaf("title", &[], title);
        let thin = format!("M0 4H{}V6H0z", number(share(p95)));
        markup.empty("path", &[("class", "rest"), ("d", &thin)]);
        let thick = format!("M0 1H{}V9H0z", number(share(median).max(0.4)));
        markup.empty("path", &[("class", "here"), ("d", &thick)]);
    });
}

fn picture(
    markup: &mut Markup,
    view: &str,
    class: &str,
    title: &str,
    description: &str,
    content: impl FnOnce(&mut Markup),
) {
    markup.element(
        "svg",
        &[("class", class), ("role", "img"), ("viewBox", view)],
        |markup| {
            markup.leaf("title", &[], title);
            markup.leaf("desc", &[], description);
            content(markup);
        },
    );
}

/// How far down a value is.
fn down(value: f64, top: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * (value / top)
}

/// A coordinate. It is a number whatever happened.
fn number(value: f64) -> String {
    let value = if value.is_finite() { value.clamp(-1e4, 1e4) } else { 0.0 };
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A round number that is not smaller, and has a round half.
fn round_top(most: f64, axis: Axis) -> f64 {
    if !(most > 0.0 && most.is_finite()) {
        return 1.0;
    }
    let unit = match axis {
        Axis::Time if most >= 7.2e9 => 3.6e9,
        Axis::Time if most >= 1.2e8 => 6e7,
        _ => 1.0,
    };
    let most = most / unit;
    let power = 10f64.powf(most.log10().floor());
    let steps: &[f64] = match axis == Axis::Whole && most <= 10.0 {
        true => &[1.0, 2.0, 4.0, 6.0, 8.0, 10.0],
        false => &[1.0, 1.6, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0],
    };
    // Rounding of the power may leave the number a little above ten times it.
    let step = steps.iter().copied().find(|step| step * power >= most * (1.0 - 1e-9));
    step.unwrap_or(20.0) * power * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tops_are_round() {
        let check = |most: f64, axis: Axis, expected: f64| {
            let top = round_top(most, axis);
            assert!((top - expected).abs() <= expected * 1e-9, "{most} {axis:?}: {top}");
        };
        check(0.0, Axis::Whole, 1.0);
        check(1.0, Axis::Whole, 1.0);
        check(3.0, Axis::Whole, 4.0);
        check(31.0, Axis::Whole, 40.0);
        check(10.0, Axis::Whole, 10.0);
        check(0.7, Axis::Decimal, 0.8);
        check(1_001.0, Axis::Decimal, 1_600.0);
        check(150e6, Axis::Time, 180e6);
        check(f64::NAN, Axis::Time, 1.0);
        check(f64::INFINITY, Axis::Time, 1.0);
        for power in 0..64 {
            let most = (u64::MAX >> power) as f64;
            assert!(
                (most * 0.999..most * 2.1).contains(&round_top(most, Axis::Decimal)),
                "{most}"
            );
        }
    }

    #[test]
    fn coordinates_are_numbers() {
        let check = |value: f64, expected: &str| assert_eq!(number(value), expected);
        check(12.0, "12");
        check(12.34, "12.3");
        check(f64::NAN, "0");
        check(f64::INFINITY, "0");
        check(f64::MAX, "10000");
    }
}
