//! Estimates the energy that a request used on this device, by the best of what the platform tells, and says by which method.

use whimbrel_record::{Energy, Label};

/// What is known of the time in which a request ran.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Spent {
    /// How long it ran on this device, in microseconds.
    pub total_us: u64,
    /// Processor time of the whole process meanwhile, on all cores, in microseconds.
    pub cpu_us: u64,
    /// What the processor's own counter of energy counted meanwhile, in microjoules, for the whole package.
    pub package_microjoules: Option<u64>,
    /// What the battery gave, in milliwatts, for the whole device.
    pub battery_milliwatts: Option<u32>,
}

/// The methods, the best first.
pub const ENERGY_METHODS: [&str; 3] = ["rapl-package", "battery-power", "processor-time-2-watts"];

/// Watts that a busy core is assumed to draw. A round figure for a phone's performance core: the method's name says so.
const WATTS_A_CORE: u64 = 2;

impl Spent {
    /// The estimate. The processor's own counter comes first, then what the battery gave, and last the processor time at an assumed power.
    ///
    /// ```
    /// use whimbrel_telemetry::Spent;
    ///
    /// let spent = Spent { total_us: 500_000, cpu_us: 800_000, ..Spent::default() };
    /// let energy = spent.energy();
    /// assert_eq!((energy.millijoules, energy.method.as_str()), (1_600, "processor-time-2-watts"));
    /// ```
    #[must_use]
    pub fn energy(&self) -> Energy {
        let [package, battery, processor] = ENERGY_METHODS;
        let (millijoules, method) = match (self.package_microjoules, self.battery_milliwatts) {
            (Some(microjoules), _) => (microjoules / 1_000, package),
            (None, Some(milliwatts)) => (self.total_us.saturating_mul(u64::from(milliwatts)) / 1_000_000, battery),
            (None, None) => (self.cpu_us.saturating_mul(WATTS_A_CORE) / 1_000, processor),
        };
        Energy {
            millijoules,
            method: Label::squeezed(method),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_method_is_used() {
        let check = |spent: Spent, millijoules: u64, method: &str| {
            let energy = spent.energy();
            assert_eq!((energy.millijoules, energy.method.as_str()), (millijoules, method));
        };
        let mut spent = Spent {
            total_us: 2_000_000,
            cpu_us: 3_000_000,
            ..Spent::default()
        };
        check(spent, 6_000, "processor-time-2-watts");
        spent.battery_milliwatts = Some(2_500);
        check(spent, 5_000, "battery-power");
        spent.package_microjoules = Some(4_321_000);
        check(spent, 4_321, "rapl-package");
        let most = Spent {
            total_us: u64::MAX,
            cpu_us: u64::MAX,
            ..Spent::default()
        };
        assert!(most.energy().millijoules > 0);
    }
}
