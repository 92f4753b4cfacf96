//! The processor's instruction sets, detected once, and the resulting level of kernels.

use std::sync::OnceLock;

/// An instruction set for which kernels are written, from least to most capable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The target's baseline, compiled without special instructions.
    Portable,
    /// x86 with AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// x86 with AVX-512 (F, BW, VL) and byte dot products (VNNI).
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 64-bit ARM: NEON, as on every such processor.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// NEON with byte dot products (`sdot`).
    #[cfg(target_arch = "aarch64")]
    DotProd,
    /// NEON with byte dot products and matrix products (`smmla`).
    #[cfg(target_arch = "aarch64")]
    I8mm,
}

impl Level {
    /// Every level of this architecture.
    const ALL: &'static [Level] = &[
        Level::Portable,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512,
        #[cfg(target_arch = "aarch64")]
        Level::Neon,
        #[cfg(target_arch = "aarch64")]
        Level::DotProd,
        #[cfg(target_arch = "aarch64")]
        Level::I8mm,
    ];

    /// The display name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512-vnni",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            Level::DotProd => "neon-dotprod",
            #[cfg(target_arch = "aarch64")]
            Level::I8mm => "neon-i8mm",
        }
    }

    /// Whether this processor, and the system on it, can run the level.
    fn is_supported(self) -> bool {
        macro_rules! has {
            ($detect:ident: $($name:tt)*) => { true $(&& std::arch::$detect!($name))* };
        }
        match self {
            Level::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => has!(is_x86_feature_detected: "avx2" "fma" "f16c"),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => {
                has!(is_x86_feature_detected: "avx2" "fma" "f16c" "avx512f" "avx512bw" "avx512vl" "avx512vnni")
            }
            #[cfg(target_arch = "aarch64")]
            Level::Neon => true,
            #[cfg(target_arch = "aarch64")]
            Level::DotProd => has!(is_aarch64_feature_detected: "dotprod"),
            #[cfg(target_arch = "aarch64")]
            Level::I8mm => has!(is_aarch64_feature_detected: "dotprod" "i8mm"),
        }
    }

    /// Every level that this processor can run, best last.
    #[must_use]
    pub fn available() -> Vec<Level> {
        Level::ALL
            .iter()
            .copied()
            .filter(|level| level.is_supported())
            .collect()
    }

    /// The best level that this processor can run.
    #[must_use]
    pub fn best() -> Level {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| *Level::available().last().expect("the portable level is always there"))
    }

    /// Rows of activations that a tile of two panels takes; `None` when one panel after the other is quicker: for a few rows, which
    /// wait for the weights, and at levels without such tiles.
    pub(crate) fn pair_rows(self, rows: usize) -> Option<usize> {
        let has_pairs = match self {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => true,
            _ => false,
        };
        (has_pairs && rows > 4).then_some(6)
    }

    /// Rows of activations that one tile takes. Float matrices have AVX2's tiles at every level of x86.
    pub(crate) fn tile_rows(self, is_quantized: bool) -> usize {
        match (self, is_quantized) {
            #[cfg(target_arch = "x86_64")]
            (Level::Avx512, true) => crate::linear::TILE,
            #[cfg(target_arch = "aarch64")]
            (Level::DotProd | Level::I8mm, true) => crate::linear::TILE,
            _ => 4,
        }
    }
}

/// The instruction-set extensions of this processor that matter to inference, by their usual names.
#[must_use]
pub fn cpu_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    macro_rules! look {
        ($detect:ident: $($name:tt)*) => {
            $(if std::arch::$detect!($name) { found.push($name); })*
        };
    }
    #[cfg(target_arch = "x86_64")]
    look!(is_x86_feature_detected: "sse4.2" "avx" "avx2" "fma" "f16c" "avxvnni" "avx512f" "avx512bw" "avx512vnni" "avx512bf16");
    #[cfg(target_arch = "aarch64")]
    look!(is_aarch64_feature_detected: "neon" "fp16" "dotprod" "i8mm" "bf16" "sve" "sve2");
    found
}

/// The number of performance cores of an Apple processor; `None` on other systems.
#[must_use]
pub fn apple_performance_cores() -> Option<u32> {
    #[cfg(target_vendor = "apple")]
    {
        use std::ffi::{c_char, c_int, c_void};

        unsafe extern "C" {
            /// Of libSystem, which every program has; see sysctlbyname(3).
            fn sysctlbyname(
                name: *const c_char,
                old: *mut c_void,
                old_length: *mut usize,
                new: *mut c_void,
                new_length: usize,
            ) -> c_int;
        }
        let (mut cores, mut length) = (0u32, size_of::<u32>());
        // SAFETY: the name ends in a zero, `cores` has room for `length` bytes, and nothing is set.
        let status = unsafe {
            sysctlbyname(
                c"hw.perflevel0.logicalcpu".as_ptr(),
                (&raw mut cores).cast(),
                &mut length,
                std::ptr::null_mut(),
                0,
            )
        };
        if status == 0 && length == size_of::<u32>() && cores > 0 {
            return Some(cores);
        }
    }
    None
}
