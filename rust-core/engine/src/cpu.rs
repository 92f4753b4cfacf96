//! What this processor offers and which kernels will run on it, for people and tools.

use whimbrel_kernels::{Level, cpu_features};

/// See [`cpu_report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuReport {
    /// The kernels that will be used: `avx2`, `portable` …
    pub kernels: &'static str,
    /// Every level of kernels that this processor can run, the best last.
    pub kernels_available: Vec<&'static str>,
    /// Instruction-set extensions that matter to inference, by their usual names.
    pub features: Vec<&'static str>,
}

/// Looks at the processor.
#[must_use]
pub fn cpu_report() -> CpuReport {
    CpuReport {
        kernels: Level::best().name(),
        kernels_available: Level::available().into_iter().map(Level::name).collect(),
        features: cpu_features(),
    }
}
