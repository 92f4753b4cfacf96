//! Numbers on the command line: a value outside its range is refused with the flag's name and the range, also when it begins with a
//! hyphen. Flags with such a parser need `allow_negative_numbers`.

use std::ops::RangeInclusive;

/// Takes whole numbers of a range.
pub(crate) fn whole<T>(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: TryFrom<u64> + 'static,
{
    move |text: &str| {
        let number = text.parse::<u64>().ok().filter(|number| range.contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Takes numbers, and names the range for text that is not one. The engine refuses a number outside the range.
pub(crate) fn decimal(
    range: RangeInclusive<f32>,
) -> impl Fn(&str) -> Result<f32, String> + Clone + Send + Sync + 'static {
    move |text: &str| {
        let number = text.parse::<f32>().ok();
        number.ok_or_else(|| format!("must be a number from {} to {}", range.start(), range.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_in_place_of_a_number_is_refused_with_the_range() {
        assert_eq!(decimal(0.0..=1.0)("0.5"), Ok(0.5));
        let refused = Err("must be a number from 0.01 to 100".to_owned());
        assert_eq!(decimal(0.01..=100.0)("warm"), refused);
    }

    #[test]
    fn a_range_is_named_when_a_number_is_outside() {
        assert_eq!(whole::<u32>(0..=9)("9"), Ok(9));
        for wrong in ["-1", "10", "1.5", "x", ""] {
            assert_eq!(
                whole::<u32>(0..=9)(wrong),
                Err("must be a whole number from 0 to 9".to_owned()),
                "{wrong}"
            );
        }
        assert_eq!(whole::<u64>(0..=u64::MAX)("18446744073709551615"), Ok(u64::MAX));
    }
}
