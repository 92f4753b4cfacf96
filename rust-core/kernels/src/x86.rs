//! Kernels for x86: AVX2, and AVX-512 with VNNI.

pub(crate) mod avx2;
pub(crate) mod avx512;
pub(crate) mod floats;
pub(crate) mod quantize;

/// How far ahead of its use a block of weights is fetched, in bytes: the processor's own prefetching stops at the end of a page.
const PREFETCH_BYTES: usize = 4096;
