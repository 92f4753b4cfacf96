//! What the operating system says of this machine and of this process. Where it says nothing, the answer is `None`.

use std::fs;

/// Resident memory of this process, in bytes, from `/proc/self/status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessMemory {
    /// The most that was ever resident, mapped files included.
    pub(crate) peak_rss: Option<u64>,
    /// What is resident now and not backed by a file.
    pub(crate) anonymous_rss: Option<u64>,
}

/// Memory of this machine, in bytes, from `/proc/meminfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MachineMemory {
    pub(crate) total: Option<u64>,
    pub(crate) available: Option<u64>,
}

/// Reads the memory of this process now.
pub(crate) fn process_memory() -> ProcessMemory {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ProcessMemory {
        peak_rss: kilobytes(&status, "VmHWM:"),
        anonymous_rss: kilobytes(&status, "RssAnon:"),
    }
}

/// Reads the memory of this machine now.
pub(crate) fn machine_memory() -> MachineMemory {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    MachineMemory {
        total: kilobytes(&text, "MemTotal:"),
        available: kilobytes(&text, "MemAvailable:"),
    }
}

/// The processor's name, from `/proc/cpuinfo`; the architecture where there is none.
pub(crate) fn cpu_name() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == "model name");
    named.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// Processors this process may use.
pub(crate) fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

/// The value of a line `key   123 kB`, in bytes.
pub(crate) fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::kilobytes;

    #[test]
    fn lines_of_proc() {
        let text = "Name:\tx\nVmHWM:\t    2048 kB\nRssAnon:\t x kB\n";
        for (key, expected) in [("VmHWM:", Some(2048 * 1024)), ("RssAnon:", None), ("VmSwap:", None)] {
            assert_eq!(kilobytes(text, key), expected, "{key}");
        }
    }
}
