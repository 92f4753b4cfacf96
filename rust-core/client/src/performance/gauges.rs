//! Readings of the process and the processor.

use std::fs::{File, OpenOptions};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::unix::fs::FileExt;

use nix::libc::c_long;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// The processor's counter of energy on Linux, in microjoules. Most systems let only their administrator read it.
const PACKAGE_ENERGY: &str = "/sys/class/powercap/intel-rapl:0/energy_uj";

/// What was read at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reading {
    /// Processor time of the process since it began, on all cores, in microseconds.
    pub cpu_us: u64,
    /// The most memory that the process has had, in bytes.
    pub memory_bytes: u64,
    /// The processor's counter of energy, in microjoules, if it can be read.
    pub package_microjoules: Option<u64>,
}

/// Reads what the process and the processor have used.
pub trait Gauges: Send + Sync {
    /// A reading. It must not wait for anything.
    fn read(&self) -> Reading;
}

/// The system's own figures.
#[derive(Debug)]
pub struct SystemGauges {
    package_energy: Option<File>,
}

impl Default for SystemGauges {
    fn default() -> SystemGauges {
        SystemGauges {
            package_energy: OpenOptions::new().read(true).open(PACKAGE_ENERGY).ok(),
        }
    }
}

impl Gauges for SystemGauges {
    fn read(&self) -> Reading {
        let used = getrusage(UsageWho::RUSAGE_SELF).ok();
        let microseconds =
            |usage: &Usage| usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Reading {
            cpu_us: used.as_ref().map_or(0, microseconds).max(0).cast_unsigned(),
            memory_bytes: used.map_or(0, |usage| resident_bytes(usage.max_rss())),
            package_microjoules: self.package_energy.as_ref().and_then(number),
        }
    }
}

/// Linux counts in KiB, Apple's systems in bytes.
fn resident_bytes(max_rss: c_long) -> u64 {
    let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    u64::try_from(max_rss).unwrap_or(0).saturating_mul(unit)
}

/// The number in a file of the kernel's, which is made anew whenever it is read.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn number(file: &File) -> Option<u64> {
    let mut text = [0; 24];
    let bytes = file.read_at(&mut text, 0).ok()?;
    std::str::from_utf8(&text[..bytes]).ok()?.trim().parse().ok()
}

/// Other systems have no such file.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn number(_: &File) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_uses_time_and_memory() {
        let gauges = SystemGauges::default();
        let before = gauges.read();
        let mut sum = 0u64;
        while gauges.read().cpu_us < before.cpu_us + 1_000 {
            sum = sum.wrapping_add(1);
        }
        assert!(sum > 0 && before.memory_bytes > 100_000, "{before:?}");
    }
}
