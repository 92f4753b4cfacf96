//! How much work the look-ahead of a form may do, so that it does not use up the lexer's fuel.

use crate::constraint::vocabulary::STEP_FUEL_MAX;

/// Units for a form's first mask, when the fuel per unit is unknown.
const FIRST_UNITS: u32 = 20;
/// The fuel that the look-ahead of one mask should use, roughly, and the limits of the units that this gives.
const AIM_FUEL: u64 = 6_000;
const UNITS_MIN: u64 = 4;
const UNITS_MAX: u64 = 256;
/// If one mask uses more fuel, the form gets no more searches.
const MASK_FUEL_MAX: u64 = STEP_FUEL_MAX / 2;
/// How often one mask may ask whether a state allows all plain text.
const CONTAINMENTS_MAX: u32 = 64;

/// How much the look-ahead has done and may do. A unit is a state with some 26 characters to try.
///
/// New transitions use the lexer's fuel. llguidance does not tell how much is left during a mask, only how much was used in total by the end of the last
/// one. So the first mask gets few units, and each later one as many as fit its share by the fuel that units used before; forms whose masks use much
/// fuel in any case get none. A search can still use more than its share. If the lexer fails because of it, the constraint starts over without a
/// look-ahead.
#[derive(Default)]
pub(super) struct Work {
    is_off: bool,
    spent: u32,
    limit: u32,
    /// How often the mask may still ask whether a state allows all plain text.
    containments: u32,
    /// The fuel that the lexer had used, and the units, at the start of the last mask.
    fuel_before: u64,
    spent_before: u32,
    /// Fuel per unit, the walk's included.
    unit_fuel: Option<u64>,
}

impl Work {
    /// None at all.
    pub(super) fn off() -> Work {
        Work {
            is_off: true,
            ..Work::default()
        }
    }

    /// Whether there are no more searches.
    pub(super) fn is_off(&self) -> bool {
        self.is_off
    }

    /// `fuel` is what the lexer had used in total after the parser's last mask.
    pub(super) fn begin_mask(&mut self, fuel: u64) {
        let (units, taken) = (self.spent - self.spent_before, fuel.saturating_sub(self.fuel_before));
        // A clone of the parser does not know about the fuel that others used since its last mask.
        if units > 0 && taken > 0 {
            self.is_off |= taken > MASK_FUEL_MAX;
            self.unit_fuel = Some(taken.div_ceil(u64::from(units)));
        }
        self.fuel_before = self.fuel_before.max(fuel);
        self.spent_before = self.spent;
        let units = self.unit_fuel.map_or(FIRST_UNITS, |unit_fuel| {
            (AIM_FUEL / unit_fuel).clamp(UNITS_MIN, UNITS_MAX) as u32
        });
        self.limit = self.spent + units;
        self.containments = CONTAINMENTS_MAX;
    }

    /// Units so far.
    pub(super) fn spent(&self) -> u32 {
        self.spent
    }

    pub(super) fn spend(&mut self, units: u32) {
        self.spent += units;
    }

    /// Whether the mask may ask once more whether a state allows all plain text.
    pub(super) fn may_ask(&mut self) -> bool {
        let may_ask = self.containments > 0;
        self.containments -= u32::from(may_ask);
        may_ask
    }

    /// Units that the mask may still spend.
    pub(super) fn left(&self) -> u32 {
        self.limit.saturating_sub(self.spent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_follow_what_they_cost() {
        let mut work = Work::default();
        work.begin_mask(1_000);
        assert_eq!(work.left(), FIRST_UNITS);
        for (units, fuel, left) in [
            (10, 2_000, 60),
            // No mask since.
            (0, 9_000, 60),
            (1, 9_100, 60),
            (10, 14_100, 12),
            (2, 64_100, 4),
        ] {
            work.spent += units;
            work.begin_mask(fuel);
            assert_eq!(work.left(), left, "{fuel}");
            assert!(!work.is_off);
        }
        work.spent += 1;
        work.begin_mask(64_100 + MASK_FUEL_MAX + 1);
        assert!(work.is_off);
    }
}
