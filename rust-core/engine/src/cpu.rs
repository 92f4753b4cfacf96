//! The processor's features, the kernels that will run on it, and the number of its performance cores.

use std::path::Path;

use whimbrel_kernels::{Level, THREADS_MAX, cpu_features};

/// See [`cpu_report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuReport {
    /// The kernels that will be used, such as `avx2` or `portable`.
    pub kernels: &'static str,
    /// Every level of kernels that this processor can run, best last.
    pub kernels_available: Vec<&'static str>,
    /// Instruction-set extensions that matter to inference, by their usual names.
    pub features: Vec<&'static str>,
}

/// Detects the processor.
#[must_use]
pub fn cpu_report() -> CpuReport {
    CpuReport {
        kernels: Level::best().name(),
        kernels_available: Level::available().into_iter().map(Level::name).collect(),
        features: cpu_features(),
    }
}

/// The number of performance cores where cores differ (big.LITTLE, performance and efficiency cores), otherwise of all cores; `None` if the
/// system does not report it. `root` is the folder that contains `sys`, which is `/` except in tests. Apple's systems report it in another
/// way.
#[must_use]
pub fn performance_cores(root: &Path) -> Option<u32> {
    if root == Path::new("/")
        && let Some(cores) = whimbrel_kernels::apple_performance_cores()
    {
        return Some(cores);
    }
    if let Some(cores) = text(root, "sys/devices/cpu_core/cpus").and_then(|list| listed(&list)) {
        return Some(cores);
    }
    let online = text(root, "sys/devices/system/cpu/online")?;
    let cores = numbers(&online)?;
    // Arm's scale, where the largest core has 1024 and a small one less than half of it, or the highest clocks, which differ less.
    for (file, share) in [("cpu_capacity", 2), ("cpufreq/cpuinfo_max_freq", 3)] {
        let speeds = cores.iter().filter_map(|core| {
            let speed = text(root, &format!("sys/devices/system/cpu/cpu{core}/{file}"))?;
            speed.parse::<u64>().ok()
        });
        let speeds: Vec<u64> = speeds.collect();
        if let Some(most) = speeds.iter().max() {
            let fast = speeds
                .iter()
                .filter(|speed| speed.saturating_mul(4) >= most.saturating_mul(share));
            return u32::try_from(fast.count()).ok();
        }
    }
    u32::try_from(cores.len()).ok()
}

/// The default number of threads: the number of performance cores, but not more than this process may use.
#[must_use]
pub fn default_threads() -> u32 {
    let available = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let available = u32::try_from(available.min(THREADS_MAX)).unwrap_or(1);
    let fast = performance_cores(Path::new("/")).unwrap_or(available);
    available.min(fast).max(1)
}

/// The longest list of cores, and the most of them, that are believed.
const CORES_MAX: u32 = 4096;

fn text(root: &Path, path: &str) -> Option<String> {
    #[allow(
        clippy::disallowed_methods,
        reason = "what the system says of its processor is in files"
    )]
    let text = std::fs::read_to_string(root.join(path)).ok()?;
    Some(text.trim().to_owned())
}

/// The numbers of a list like `0-3,8`.
fn numbers(list: &str) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if last < first || last >= CORES_MAX {
            return None;
        }
        all.extend(first..=last);
    }
    Some(all)
}

fn listed(list: &str) -> Option<u32> {
    u32::try_from(numbers(list)?.len()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]
    use super::*;

    #[test]
    fn the_cores_that_are_made_for_speed() {
        let check = |files: &[(&str, &str)], expected: Option<u32>| {
            let root = tempfile::tempdir().unwrap();
            for (path, content) in files {
                let path = root.path().join("sys/devices").join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, format!("{content}\n")).unwrap();
            }
            assert_eq!(performance_cores(root.path()), expected, "{files:?}");
        };
        let online = ("system/cpu/online", "0-3,8");
        check(&[], None);
        check(&[online], Some(5));
        for list in ["many", "3-1", "0-99999999", "-", ""] {
            check(&[("system/cpu/online", list)], None);
        }
        check(&[online, ("cpu_core/cpus", "0-1")], Some(2));
        check(
            &[
                online,
                ("system/cpu/cpu0/cpu_capacity", "400"),
                ("system/cpu/cpu1/cpu_capacity", "760"),
                ("system/cpu/cpu2/cpu_capacity", "1024"),
            ],
            Some(2),
        );
        check(
            &[
                online,
                ("system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "1804800"),
                ("system/cpu/cpu1/cpufreq/cpuinfo_max_freq", "2419200"),
                ("system/cpu/cpu2/cpufreq/cpuinfo_max_freq", "2841600"),
                ("system/cpu/cpu8/cpufreq/cpuinfo_max_freq", "nothing"),
            ],
            Some(2),
        );
    }
}
