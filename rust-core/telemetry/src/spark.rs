//! Little charts of characters, for terminals.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// One character for each value, from the lowest for the smallest value to the highest for the largest; equal values have
/// half the height. Where there is no value, or not a number, there is a blank.
///
/// ```
/// use whimbrel_telemetry::sparkline;
///
/// assert_eq!(sparkline(&[Some(1.0), None, Some(4.5), Some(8.0)]), "▁ ▅█");
/// assert_eq!(sparkline(&[Some(3.0), Some(3.0)]), "▄▄");
/// ```
#[must_use]
pub fn sparkline(values: &[Option<f64>]) -> String {
    let numbers = || values.iter().flatten().copied().filter(|value| value.is_finite());
    let low = numbers().fold(f64::INFINITY, f64::min);
    let high = numbers().fold(f64::NEG_INFINITY, f64::max);
    let level = |value: f64| match high > low {
        // Halves, so that the range of two very large numbers is a number.
        true => ((value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) * 7.0).round() as usize,
        false => LEVELS.len() / 2 - 1,
    };
    let character = |value: &Option<f64>| match value {
        Some(value) if value.is_finite() => LEVELS[level(*value).min(LEVELS.len() - 1)],
        _ => ' ',
    };
    values.iter().map(character).collect()
}

/// A bar that fills a share, 0 to 1, of this many characters, in steps of an eighth of one. A share that is not nothing is seen.
///
/// ```
/// use whimbrel_telemetry::bar;
///
/// assert_eq!(bar(0.5, 4), "██  ");
/// assert_eq!(bar(0.001, 4), "▏   ");
/// ```
#[must_use]
pub fn bar(share: f64, width: u16) -> String {
    let width = usize::from(width);
    let share = if share > 0.0 { share.min(1.0) } else { 0.0 };
    let eighths = (share * width as f64 * 8.0).round() as usize;
    let eighths = eighths.max(usize::from(share > 0.0 && width > 0));
    let mut text = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        text.push(EIGHTHS[eighths % 8 - 1]);
    }
    let blanks = width - eighths.div_ceil(8);
    text.extend(std::iter::repeat_n(' ', blanks));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let check = |values: &[Option<f64>], expected: &str| assert_eq!(sparkline(values), expected, "{values:?}");
        check(&[], "");
        check(&[None, None], "  ");
        check(&[Some(0.0)], "▄");
        check(&[Some(f64::NAN), Some(1.0), Some(f64::INFINITY)], " ▄ ");
        check(&[Some(f64::MIN), Some(f64::MAX)], "▁█");
        check(
            &(0..8).map(|value| Some(f64::from(value))).collect::<Vec<_>>(),
            "▁▂▃▄▅▆▇█",
        );
    }

    #[test]
    fn bars() {
        let check = |share: f64, width: u16, expected: &str| assert_eq!(bar(share, width), expected, "{share} {width}");
        check(0.0, 3, "   ");
        check(1.0, 3, "███");
        check(7.0, 3, "███");
        check(-1.0, 3, "   ");
        check(f64::NAN, 3, "   ");
        check(0.5, 3, "█▌ ");
        check(1.0, 0, "");
    }
}
