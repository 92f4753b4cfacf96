//! Matrix products `y = x Wᵀ (+ residual)` for every weight type: how the work is cut into tasks, and the portable tiles.

use crate::activations::Activations;
use crate::cpu::Level;
use crate::float::{bf16_to_f32, f16_to_f32};
use crate::pool::ThreadPool;
use crate::shared::SharedMut;
use crate::tensor_type::{BLOCK_COLUMNS, PANEL_ROWS, TensorType, header_bytes};

/// The most rows of activations that a tile computes at once.
pub(crate) const TILE: usize = 8;

/// The most products of one section.
pub const PRODUCTS_MAX: usize = 4;

/// A weight matrix in our order (see [`TensorType`]), borrowed from wherever it lies.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    tensor_type: TensorType,
    rows: usize,
    columns: usize,
    data: &'a [u8],
}

impl<'a> Matrix<'a> {
    /// A view of `rows × columns` weights; `None` when the data does not have exactly the size of that shape.
    #[must_use]
    pub fn new(tensor_type: TensorType, rows: usize, columns: usize, data: &'a [u8]) -> Option<Matrix<'a>> {
        (tensor_type.packed_bytes(rows, columns) == Some(data.len())).then_some(Matrix {
            tensor_type,
            rows,
            columns,
            data,
        })
    }

    /// Outputs.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How the values are stored.
    #[must_use]
    pub fn tensor_type(&self) -> TensorType {
        self.tensor_type
    }

    /// One row as floats.
    pub fn unpack_row(&self, row: usize, values: &mut [f32]) {
        assert!(row < self.rows && values.len() == self.columns, "row of the matrix");
        crate::tensor_type::unpack_row(self.tensor_type, self.data, row, values);
    }

    /// Panels of 16 outputs, the last one perhaps not full.
    fn panels(&self) -> usize {
        self.rows.div_ceil(PANEL_ROWS)
    }
}

/// What is multiplied: `rows` rows of floats, and their quantised form when one of the matrices needs it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The rows, one after the other.
    pub x: &'a [f32],
    /// The same rows in 8 bits.
    pub quantized: &'a Activations,
}

/// One product of a section: `y = x Wᵀ`, plus `residual` when there is one. `y` and `residual` hold one row of
/// `weights.rows()` values for each row of the input.
#[derive(Debug)]
pub struct Product<'a> {
    /// W.
    pub weights: Matrix<'a>,
    /// Added to the result.
    pub residual: Option<&'a [f32]>,
    /// The result.
    pub y: &'a mut [f32],
}

/// Computes at most [`PRODUCTS_MAX`] products of one input in one parallel section. A row's result depends on nothing but
/// the row: not on the rows beside it, nor on the number of threads.
///
/// # Panics
/// When a shape does not fit: the callers have checked them.
pub fn multiply(pool: &ThreadPool, input: Input<'_>, products: &mut [Product<'_>]) {
    multiply_at(Level::best(), pool, input, products);
}

pub(crate) fn multiply_at(level: Level, pool: &ThreadPool, input: Input<'_>, products: &mut [Product<'_>]) {
    let Some(first) = products.first() else { return };
    let columns = first.weights.columns;
    let rows = input.x.len() / columns;
    for product in products.iter() {
        assert_eq!(
            product.weights.columns, columns,
            "all products of a section share the input"
        );
        assert_eq!(product.y.len(), rows * product.weights.rows, "length of the result");
        assert!(
            product
                .residual
                .is_none_or(|residual| residual.len() == product.y.len()),
            "length of the residual"
        );
        if product.weights.tensor_type.is_quantized() {
            assert!(
                input.quantized.columns() == columns && input.quantized.rows() == rows,
                "quantised input"
            );
        }
    }
    let panels: usize = products.iter().map(|product| product.weights.panels()).sum();
    let panels_per_task = if pool.threads() == 1 {
        panels
    } else {
        panels.div_ceil(pool.threads() * 4).max(1)
    };
    assert!(products.len() <= PRODUCTS_MAX, "products of a section");
    // On the stack: this runs a hundred times a token.
    let mut jobs = [const { None }; PRODUCTS_MAX];
    for (job, product) in jobs.iter_mut().zip(products) {
        *job = Some(Job::new(product));
    }
    pool.run(panels.div_ceil(panels_per_task), &|task| {
        let (mut start, end) = (task * panels_per_task, panels.min((task + 1) * panels_per_task));
        let mut before = 0;
        for job in jobs.iter().flatten() {
            let own = job.weights.panels();
            while start < end && start < before + own {
                compute_panel(level, input, rows, job, start - before);
                start += 1;
            }
            before += own;
        }
    });
}

struct Job<'a> {
    weights: Matrix<'a>,
    residual: Option<&'a [f32]>,
    y: SharedMut<'a, f32>,
}

impl<'a> Job<'a> {
    fn new(product: &'a mut Product<'_>) -> Job<'a> {
        Job {
            weights: product.weights,
            residual: product.residual,
            y: SharedMut::new(product.y),
        }
    }

    /// Writes up to 16 outputs of one row, from the panel's first output on.
    #[inline(always)]
    fn store(&self, row: usize, panel: usize, outputs: &[f32; PANEL_ROWS]) {
        let first = panel * PANEL_ROWS;
        let count = PANEL_ROWS.min(self.weights.rows - first);
        let start = row * self.weights.rows + first;
        // SAFETY: a panel belongs to one task, and its outputs of one row to no other panel.
        let y = unsafe { self.y.slice(start, start + count) };
        match self.residual {
            Some(residual) => {
                for ((y, output), residual) in y.iter_mut().zip(outputs).zip(&residual[start..start + count]) {
                    *y = output + residual;
                }
            }
            None => y.copy_from_slice(&outputs[..count]),
        }
    }
}

fn compute_panel(level: Level, input: Input<'_>, rows: usize, job: &Job<'_>, panel: usize) {
    let is_quantized = job.weights.tensor_type.is_quantized();
    let mut outputs = [[0f32; PANEL_ROWS]; TILE];
    let mut row = 0;
    while row < rows {
        let count = level.tile_rows(is_quantized).min(rows - row);
        if is_quantized {
            let bytes = PANEL_ROWS * job.weights.columns / BLOCK_COLUMNS * job.weights.tensor_type.block_bytes();
            let data = &job.weights.data[panel * bytes..][..bytes];
            crate::dispatch::quantized_tile(
                level,
                job.weights.tensor_type,
                data,
                input.quantized,
                row,
                &mut outputs[..count],
            );
        } else {
            let tile = FloatTile {
                weights: job.weights,
                first: panel * PANEL_ROWS,
            };
            crate::dispatch::float_tile(
                level,
                tile,
                &input.x[row * job.weights.columns..],
                &mut outputs[..count],
            );
        }
        for (index, outputs) in outputs[..count].iter().enumerate() {
            job.store(row + index, panel, outputs);
        }
        row += count;
    }
}

/// The panel of a quantised matrix times some rows, for processors without a kernel of their own.
#[inline(always)]
pub(crate) fn quantized_tile_body(
    tensor_type: TensorType,
    panel: &[u8],
    activations: &Activations,
    first: usize,
    outputs: &mut [[f32; PANEL_ROWS]],
) {
    let block_bytes = PANEL_ROWS * tensor_type.block_bytes();
    outputs.fill([0.0; PANEL_ROWS]);
    for (index, block) in panel.chunks_exact(block_bytes).enumerate() {
        let groups = &block[header_bytes(tensor_type)..];
        let half = |at: usize| f16_to_f32(u16::from_le_bytes([block[2 * at], block[2 * at + 1]]));
        for (row, outputs) in outputs.iter_mut().enumerate() {
            let input = &activations.row(first + row)[index];
            let sums = block_sums(tensor_type, groups, &input.values);
            for (lane, output) in outputs.iter_mut().enumerate() {
                *output += match tensor_type {
                    TensorType::Q4_0 => half(lane) * input.scale * (sums[lane] + input.offset) as f32,
                    TensorType::Q4_1 => {
                        half(lane) * input.scale * sums[lane] as f32 + half(PANEL_ROWS + lane) * input.weighted_sum
                    }
                    _ => half(lane) * input.scale * sums[lane] as f32,
                };
            }
        }
    }
}

/// Integer sums of 16 rows over one block of 32 columns, the offset of 4-bit values not taken off yet.
#[inline(always)]
fn block_sums(tensor_type: TensorType, groups: &[u8], values: &[i8]) -> [i32; PANEL_ROWS] {
    let mut sums = [0i32; PANEL_ROWS];
    if tensor_type == TensorType::Q8_0 {
        for (group, values) in groups.as_chunks::<64>().0.iter().zip(values.as_chunks::<4>().0) {
            for (sum, weights) in sums.iter_mut().zip(group.as_chunks::<4>().0) {
                for byte in 0..4 {
                    *sum += i32::from(weights[byte] as i8) * i32::from(values[byte]);
                }
            }
        }
    } else {
        for (group, values) in groups.as_chunks::<64>().0.iter().zip(values.as_chunks::<8>().0) {
            for (sum, weights) in sums.iter_mut().zip(group.as_chunks::<4>().0) {
                for byte in 0..4 {
                    *sum += i32::from(weights[byte] & 15) * i32::from(values[byte])
                        + i32::from(weights[byte] >> 4) * i32::from(values[byte + 4]);
                }
            }
        }
    }
    sums
}

/// Sixteen rows of a float matrix.
#[derive(Clone, Copy)]
pub(crate) struct FloatTile<'a> {
    weights: Matrix<'a>,
    first: usize,
}

impl<'a> FloatTile<'a> {
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn tensor_type(&self) -> TensorType {
        self.weights.tensor_type
    }

    #[cfg(target_arch = "x86_64")]
    pub(crate) fn columns(&self) -> usize {
        self.weights.columns
    }

    /// The bytes of one of the sixteen rows, if the matrix has it.
    pub(crate) fn row(&self, lane: usize) -> Option<&'a [u8]> {
        let (row, bytes) = (
            self.first + lane,
            self.weights.columns * self.weights.tensor_type.block_bytes(),
        );
        (lane < PANEL_ROWS && row < self.weights.rows).then(|| &self.weights.data[row * bytes..][..bytes])
    }

    /// One value of a row.
    #[inline(always)]
    pub(crate) fn value(&self, row: &[u8], column: usize) -> f32 {
        let half = || u16::from_le_bytes([row[2 * column], row[2 * column + 1]]);
        match self.weights.tensor_type {
            TensorType::F32 => f32::from_le_bytes(*row[4 * column..].first_chunk().expect("a row holds all columns")),
            TensorType::F16 => f16_to_f32(half()),
            _ => bf16_to_f32(half()),
        }
    }
}

/// Sixteen rows of a float matrix times some rows of activations, for processors without a kernel of their own.
pub(crate) fn float_tile_body<const FMA: bool>(tile: FloatTile<'_>, x: &[f32], outputs: &mut [[f32; PANEL_ROWS]]) {
    let columns = tile.weights.columns;
    for lane in 0..PANEL_ROWS {
        let Some(weights) = tile.row(lane) else { break };
        for (x, outputs) in x.chunks_exact(columns).zip(outputs.iter_mut()) {
            let mut lanes = [0f32; 8];
            for (column, x) in x.iter().enumerate() {
                let sum = &mut lanes[column % 8];
                *sum = multiply_add::<FMA>(tile.value(weights, column), *x, *sum);
            }
            outputs[lane] = lanes.iter().sum();
        }
    }
}

/// `a × b + c`, fused where the processor can: without the instruction the fused form would be a slow library call.
#[inline(always)]
pub(crate) fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}
