//! The search for scale and minimum of a block whose values are `scale × code + minimum`.

use super::quantize;
use super::scale::inverse;

/// The straight line from codes to values.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) scale: f32,
    pub(super) minimum: f32,
}

impl Line {
    /// The code of a value, from 0 to `top`.
    pub(super) fn code(self, value: f32, top: f32) -> f32 {
        quantize((value - self.minimum) * inverse(self.scale), 0.0, top)
    }

    fn squared_error(self, values: &[f32], top: f32) -> f32 {
        values.iter().fold(0.0, |sum, value| {
            let difference = value - (self.scale * self.code(*value, top) + self.minimum);
            sum + difference * difference
        })
    }
}

/// The line with the least squared error among those through the block's smallest and largest value, stretched or shrunk a little, each
/// moved to the least-squares optimum of the codes from 0 to `top` that it leads to. `stored` rounds a line to what the type can store.
pub(super) fn best_line(values: &[f32], top: f32, stored: impl Fn(Line) -> Line) -> Line {
    let minimum = values.iter().copied().fold(f32::INFINITY, f32::min);
    let maximum = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let plain = stored(Line {
        scale: (maximum - minimum) / top,
        minimum,
    });
    if maximum == minimum || !plain.scale.is_finite() || !plain.minimum.is_finite() {
        return plain;
    }
    let mut best = (plain.squared_error(values, top), plain);
    for step in -14..=8 {
        let inverse = (top + 0.2 * step as f32) / (maximum - minimum);
        let line = stored(least_squares(values, top, minimum, inverse));
        let error = line.squared_error(values, top);
        if error < best.0 {
            best = (error, line);
        }
    }
    best.1
}

fn least_squares(values: &[f32], top: f32, minimum: f32, inverse: f32) -> Line {
    let (mut sum, mut products, mut codes, mut squares) = (0.0f32, 0.0f32, 0.0f32, 0.0f32);
    for value in values {
        let code = quantize((value - minimum) * inverse, 0.0, top);
        sum += value;
        products += value * code;
        codes += code;
        squares += code * code;
    }
    let count = values.len() as f32;
    let determinant = count * squares - codes * codes;
    if determinant <= 0.0 {
        return Line {
            scale: 0.0,
            minimum: sum / count,
        };
    }
    Line {
        scale: (count * products - sum * codes) / determinant,
        minimum: (squares * sum - codes * products) / determinant,
    }
}
