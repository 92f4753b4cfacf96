//! The search for the scale of a block whose values are `scale × code`.

/// The codes of a type, as numbers that a scale is multiplied with.
pub(super) trait Codes: Copy {
    /// The code that is furthest from zero.
    fn furthest(self) -> f32;

    /// Where the search puts the block's largest value, in codes: near either end of their range.
    fn places(self) -> impl Iterator<Item = f32>;

    /// The code that is nearest to a number.
    fn nearest(self, value: f32) -> f32;
}

/// Whole numbers from `low`, which is below zero, to `high`.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    pub(super) low: f32,
    pub(super) high: f32,
}

impl Codes for Whole {
    fn furthest(self) -> f32 {
        self.low
    }

    fn places(self) -> impl Iterator<Item = f32> {
        let low_end = (-6..=8).map(move |step| self.low - 0.15 * step as f32);
        let high_end = (-4..=8).map(move |step| self.high + 0.15 * step as f32);
        low_end.chain(high_end)
    }

    fn nearest(self, value: f32) -> f32 {
        super::quantize(value, self.low, self.high)
    }
}

/// The scale with the least squared error among those that put the largest value at one of the codes' places, each moved to the
/// least-squares optimum of the codes it leads to. `stored` rounds a scale to what the type can store.
pub(super) fn best_scale(values: &[f32], codes: impl Codes, stored: impl Fn(f32) -> f32) -> f32 {
    let largest = values.iter().fold(
        0.0f32,
        |largest, value| if value.abs() > largest.abs() { *value } else { largest },
    );
    let mut best = (f32::INFINITY, stored(largest / codes.furthest()));
    if largest == 0.0 || !best.1.is_finite() {
        return best.1;
    }
    for place in codes.places() {
        for scale in [
            stored(largest / place),
            stored(least_squares(values, codes, place / largest)),
        ] {
            let error = squared_error(values, codes, scale);
            if error < best.0 {
                best = (error, scale);
            }
        }
    }
    best.1
}

fn least_squares(values: &[f32], codes: impl Codes, inverse: f32) -> f32 {
    let (mut products, mut squares) = (0.0f32, 0.0f32);
    for value in values {
        let code = codes.nearest(value * inverse);
        products += value * code;
        squares += code * code;
    }
    if squares > 0.0 { products / squares } else { 0.0 }
}

fn squared_error(values: &[f32], codes: impl Codes, scale: f32) -> f32 {
    let inverse = inverse(scale);
    values.iter().fold(0.0, |sum, value| {
        let difference = value - scale * codes.nearest(value * inverse);
        sum + difference * difference
    })
}

/// One over a scale; zero for a scale of zero, whose codes are all zero.
pub(super) fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}
