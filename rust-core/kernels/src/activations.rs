//! The inputs of a matrix product: rows of floats and, for quantised weights, the same rows in 8 bits.

use crate::pool::ThreadPool;
use crate::shared::SharedMut;
use crate::tensor_type::BLOCK_COLUMNS;

/// Rows of activations quantised to 8 bits in blocks of 32, each block with a scale of its own. Buffers are kept and reused.
#[derive(Debug, Default)]
pub struct Activations {
    columns: usize,
    rows: usize,
    values: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<i32>,
}

/// One block of 32 values of one row.
#[derive(Clone, Copy)]
pub(crate) struct ActivationBlock<'a> {
    pub(crate) values: &'a [i8],
    pub(crate) scale: f32,
    pub(crate) sum: i32,
}

impl Activations {
    /// Quantises `x`, rows of `columns` floats each; `columns` is a multiple of 32.
    ///
    /// # Panics
    /// When the shape does not fit: the caller has checked it.
    pub fn quantize(&mut self, pool: &ThreadPool, x: &[f32], columns: usize) {
        assert!(columns > 0 && columns.is_multiple_of(BLOCK_COLUMNS) && x.len().is_multiple_of(columns));
        self.columns = columns;
        self.rows = x.len() / columns;
        let blocks = x.len() / BLOCK_COLUMNS;
        self.values.resize(x.len(), 0);
        self.scales.resize(blocks, 0.0);
        self.sums.resize(blocks, 0);
        let rows_per_task = self.rows.div_ceil(pool.threads()).max(1);
        let values = SharedMut::new(&mut self.values);
        let scales = SharedMut::new(&mut self.scales);
        let sums = SharedMut::new(&mut self.sums);
        pool.run(self.rows.div_ceil(rows_per_task), &|task| {
            let first = task * rows_per_task * columns;
            let last = x.len().min(first + rows_per_task * columns);
            let (block, block_end) = (first / BLOCK_COLUMNS, last / BLOCK_COLUMNS);
            // SAFETY: tasks cover disjoint rows, and `run` returns before the borrows end.
            let (values, scales, sums) = unsafe {
                (
                    values.slice(first, last),
                    scales.slice(block, block_end),
                    sums.slice(block, block_end),
                )
            };
            crate::dispatch::quantize(&x[first..last], values, scales, sums);
        });
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    #[inline(always)]
    pub(crate) fn block(&self, row: usize, block: usize) -> ActivationBlock<'_> {
        let index = row * (self.columns / BLOCK_COLUMNS) + block;
        ActivationBlock {
            values: &self.values[index * BLOCK_COLUMNS..][..BLOCK_COLUMNS],
            scale: self.scales[index],
            sum: self.sums[index],
        }
    }

    /// Values, scales and sums of one row, for kernels that take it whole.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn row(&self, row: usize) -> (&[i8], &[f32], &[i32]) {
        let blocks = self.columns / BLOCK_COLUMNS;
        (
            &self.values[row * self.columns..][..self.columns],
            &self.scales[row * blocks..][..blocks],
            &self.sums[row * blocks..][..blocks],
        )
    }
}

/// Quantises blocks of 32 floats: the largest magnitude becomes 127, ties round to even.
#[inline(always)]
pub(crate) fn quantize_body(x: &[f32], values: &mut [i8], scales: &mut [f32], sums: &mut [i32]) {
    let blocks = x
        .as_chunks::<BLOCK_COLUMNS>()
        .0
        .iter()
        .zip(values.as_chunks_mut::<BLOCK_COLUMNS>().0);
    for ((x, values), (scale, sum)) in blocks.zip(scales.iter_mut().zip(sums)) {
        let mut lanes = [0f32; 8];
        for eight in x.as_chunks::<8>().0 {
            for (lane, value) in lanes.iter_mut().zip(eight) {
                *lane = if value.abs() > *lane { value.abs() } else { *lane };
            }
        }
        let largest = lanes.iter().fold(0f32, |a, b| if *b > a { *b } else { a });
        *scale = largest / 127.0;
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let mut total = 0i32;
        for (value, x) in values.iter_mut().zip(x) {
            // Adding 1.5 × 2^23 leaves the rounded integer in the low bits of the sum.
            let rounded = ((x * inverse + 12_582_912.0).to_bits() as i32)
                .wrapping_sub(0x4b40_0000)
                .clamp(-127, 127);
            *value = rounded as i8;
            total += rounded;
        }
        *sum = total;
    }
}
