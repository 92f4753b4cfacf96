//! The inputs of a matrix product: rows of floats and, for quantised weights, the same rows in 8 bits.

#[cfg(target_arch = "aarch64")]
use crate::arm::{PairBlock, fill_pairs};
use crate::cpu::Level;
use crate::elementwise::rms_scale;
use crate::pool::ThreadPool;
use crate::shared::SharedMut;
use crate::tensor_type::BLOCK_COLUMNS;

/// Rows of activations quantised to 8 bits in blocks of 32, each block with its own scale. The buffer is kept and reused.
#[derive(Debug, Default)]
pub struct Activations {
    columns: usize,
    rows: usize,
    blocks: Vec<ActivationBlock>,
    /// The same rows two by two, for matrix products; empty where nothing reads them.
    #[cfg(target_arch = "aarch64")]
    pairs: Vec<PairBlock>,
}

/// The bits of 1.5 × 2^23: adding a number to these bits adds it to the float.
pub(crate) const SUM_START: i32 = 0x4b40_0000;

/// One block of 32 values of one row, with what the kernels would otherwise work out again for every panel of weights.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(16))]
pub(crate) struct ActivationBlock {
    pub(crate) scale: f32,
    /// `−8 × sum` of the quantised values: takes Q4_0's offset of 8 off a sum of products.
    pub(crate) offset: i32,
    /// The sums of the first and of the last 16 quantised values, for types with a scale for each 16 columns.
    pub(crate) half_sums: [i16; 2],
    /// The sum of the values: `scale × sum`.
    pub(crate) weighted_sum: f32,
    pub(crate) values: [i8; BLOCK_COLUMNS],
    /// What sums of Q4_0's codes start from, a register full of it: [`SUM_START`] plus `offset`.
    #[cfg(target_arch = "aarch64")]
    pub(crate) start: [i32; 4],
}

impl Activations {
    /// Quantises `x`, rows of `columns` floats each; `columns` is a multiple of 32.
    ///
    /// # Panics
    /// If the shape does not match; callers must check it.
    pub fn quantize(&mut self, pool: &ThreadPool, x: &[f32], columns: usize) {
        self.fill(pool, x, columns, &|x, blocks| {
            crate::dispatch::quantize(Level::best(), x, blocks);
        });
    }

    /// Quantises the result of [`crate::rms_norm`] for `x`, rows of `weights.len()` floats each, without storing it as floats. The result
    /// is the same, bit for bit.
    ///
    /// # Panics
    /// As [`Activations::quantize`].
    pub fn quantize_normed(&mut self, pool: &ThreadPool, x: &[f32], weights: &[f32], epsilon: f32) {
        let columns = weights.len();
        self.fill(pool, x, columns, &|x, blocks| {
            let blocks = blocks.chunks_exact_mut(columns / BLOCK_COLUMNS);
            for (x, blocks) in x.chunks_exact(columns).zip(blocks) {
                crate::dispatch::quantize_normed(Level::best(), x, weights, epsilon, blocks);
            }
        });
    }

    fn fill(
        &mut self,
        pool: &ThreadPool,
        x: &[f32],
        columns: usize,
        quantize: &(dyn Fn(&[f32], &mut [ActivationBlock]) + Sync),
    ) {
        assert!(columns > 0 && columns.is_multiple_of(BLOCK_COLUMNS) && x.len().is_multiple_of(columns));
        self.columns = columns;
        self.rows = x.len() / columns;
        self.blocks.resize(x.len() / BLOCK_COLUMNS, ActivationBlock::default());
        // Even: some levels take rows two by two.
        let rows_per_task = self
            .rows
            .div_ceil(pool.threads())
            .max(ROWS_PER_TASK_MIN)
            .next_multiple_of(2);
        #[cfg(target_arch = "aarch64")]
        let (has_pairs, pairs) = {
            let has_pairs = Level::best() == Level::I8mm && self.rows > 1;
            let pairs = if has_pairs { self.rows.div_ceil(2) } else { 0 };
            self.pairs
                .resize(pairs * (columns / BLOCK_COLUMNS), PairBlock::default());
            (has_pairs, SharedMut::new(&mut self.pairs))
        };
        let blocks = SharedMut::new(&mut self.blocks);
        pool.run(self.rows.div_ceil(rows_per_task), &|task| {
            let first = task * rows_per_task * columns;
            let last = x.len().min(first + rows_per_task * columns);
            // SAFETY: tasks cover disjoint rows, and `run` returns before the borrow ends.
            let blocks = unsafe { blocks.slice(first / BLOCK_COLUMNS, last / BLOCK_COLUMNS) };
            quantize(&x[first..last], blocks);
            #[cfg(target_arch = "aarch64")]
            if has_pairs {
                let pairs_of = |values: usize| values.div_ceil(2 * columns) * (columns / BLOCK_COLUMNS);
                // SAFETY: as above; only the last task can end with half a pair.
                let pairs = unsafe { pairs.slice(pairs_of(first), pairs_of(last)) };
                fill_pairs(blocks, columns, pairs);
            }
        });
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The blocks of one row.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &[ActivationBlock] {
        let blocks = self.columns / BLOCK_COLUMNS;
        &self.blocks[row * blocks..][..blocks]
    }
}

#[cfg(target_arch = "aarch64")]
impl Activations {
    /// The blocks of two rows.
    #[inline(always)]
    pub(crate) fn pair(&self, pair: usize) -> &[PairBlock] {
        let blocks = self.columns / BLOCK_COLUMNS;
        &self.pairs[pair * blocks..][..blocks]
    }
}

/// Rows that are worth a task of their own.
const ROWS_PER_TASK_MIN: usize = 4;

/// Below this the inverse of a block's scale would not be finite; such blocks count as zeros.
pub(crate) const LARGEST_MIN: f32 = 1e-36;

impl ActivationBlock {
    /// Notes what follows from the scale and from the sums of the first and of the last 16 values.
    #[inline(always)]
    pub(crate) fn set(&mut self, scale: f32, half_sums: [i32; 2]) {
        let sum = half_sums[0] + half_sums[1];
        self.scale = scale;
        self.offset = -8 * sum;
        #[cfg(target_arch = "aarch64")]
        {
            self.start = [SUM_START + self.offset; 4];
        }
        self.half_sums = half_sums.map(|sum| sum as i16);
        self.weighted_sum = scale * sum as f32;
    }
}

/// Quantises blocks of 32 floats: the largest magnitude becomes 127, ties round to even, what is no number becomes 127.
#[inline(always)]
pub(crate) fn quantize_body(x: &[f32], blocks: &mut [ActivationBlock]) {
    for (x, block) in x.as_chunks::<BLOCK_COLUMNS>().0.iter().zip(blocks) {
        let mut lanes = [0f32; 8];
        for eight in x.as_chunks::<8>().0 {
            for (lane, value) in lanes.iter_mut().zip(eight) {
                *lane = if value.abs() > *lane { value.abs() } else { *lane };
            }
        }
        let largest = lanes.iter().fold(0f32, |a, b| if *b > a { *b } else { a });
        let inverse = if largest >= LARGEST_MIN { 127.0 / largest } else { 0.0 };
        let mut half_sums = [0i32; 2];
        let halves = block
            .values
            .as_chunks_mut::<16>()
            .0
            .iter_mut()
            .zip(x.as_chunks::<16>().0);
        for (sum, (values, x)) in half_sums.iter_mut().zip(halves) {
            for (value, x) in values.iter_mut().zip(x) {
                // Adding 1.5 × 2^23 leaves the rounded integer in the low bits of the sum.
                let scaled = x * inverse;
                let scaled = if scaled < 127.0 { scaled } else { 127.0 };
                let scaled = if scaled > -127.0 { scaled } else { -127.0 };
                let rounded = ((scaled + 12_582_912.0).to_bits() as i32).wrapping_sub(SUM_START);
                *value = rounded as i8;
                *sum += rounded;
            }
        }
        block.set(largest / 127.0, half_sums);
    }
}

/// Columns that are normed before they are quantised: few enough to stay in registers or at least in the nearest cache.
const NORMED_COLUMNS: usize = 4 * BLOCK_COLUMNS;

/// Quantises the norm of one row.
#[inline(always)]
pub(crate) fn quantize_normed_body<const FMA: bool>(
    x: &[f32],
    weights: &[f32],
    epsilon: f32,
    blocks: &mut [ActivationBlock],
    quantize: impl Fn(&[f32], &mut [ActivationBlock]),
) {
    let scale = rms_scale::<FMA>(x, epsilon);
    let parts = x.chunks(NORMED_COLUMNS).zip(weights.chunks(NORMED_COLUMNS));
    for ((x, weights), blocks) in parts.zip(blocks.chunks_mut(NORMED_COLUMNS / BLOCK_COLUMNS)) {
        let mut normed = [0f32; NORMED_COLUMNS];
        let normed = &mut normed[..x.len()];
        for ((normed, x), weight) in normed.iter_mut().zip(x).zip(weights) {
            *normed = x * scale * weight;
        }
        quantize(normed, blocks);
    }
}
