//! Matrix products `y = x Wᵀ (+ residual)` for every weight type: dividing the work into tasks and tiles.

use crate::activations::Activations;
use crate::cpu::Level;
use crate::elementwise::Activation;
use crate::formats::{FloatFormat, Storage};
use crate::pool::ThreadPool;
use crate::shared::SharedMut;
use crate::tensor_type::{PANEL_ROWS, TensorType};

/// The most rows of activations that a tile computes at once.
pub(crate) const TILE: usize = 8;

/// Maximum number of products in one section.
pub const PRODUCTS_MAX: usize = 4;

/// A weight matrix in our layout (see [`TensorType`]), borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    tensor_type: TensorType,
    rows: usize,
    columns: usize,
    data: &'a [u8],
}

impl<'a> Matrix<'a> {
    /// A view of `rows × columns` weights; `None` if the data does not have exactly the size of that shape.
    #[must_use]
    pub fn new(tensor_type: TensorType, rows: usize, columns: usize, data: &'a [u8]) -> Option<Matrix<'a>> {
        (tensor_type.packed_bytes(rows, columns) == Some(data.len())).then_some(Matrix {
            tensor_type,
            rows,
            columns,
            data,
        })
    }

    /// The number of outputs.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of inputs.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The type of the values.
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

    fn panel(&self, panel: usize) -> Panel<'a> {
        Panel {
            weights: *self,
            first: panel * PANEL_ROWS,
        }
    }
}

/// The input of a product: rows of floats for float matrices, the same rows in 8 bits for quantised ones.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The rows, one after the other; may be empty if no matrix needs them.
    pub x: &'a [f32],
    /// The same rows in 8 bits; ignored if no matrix needs them.
    pub quantized: &'a Activations,
}

impl Input<'_> {
    /// How many rows there are.
    fn rows(&self, columns: usize) -> usize {
        match self.x.len() {
            0 => self.quantized.rows(),
            length => length / columns,
        }
    }

    /// Fails unless it has what a matrix needs.
    fn check(&self, weights: &Matrix<'_>) {
        let columns = weights.columns;
        if weights.tensor_type.is_quantized() {
            let fits = self.quantized.columns() == columns && self.quantized.rows() == self.rows(columns);
            assert!(fits, "quantised input");
        } else {
            assert!(
                !self.x.is_empty() && self.x.len().is_multiple_of(columns),
                "input of a float matrix"
            );
        }
    }
}

/// One product of a section: `y = x Wᵀ`, plus `residual` if there is one. `y` and `residual` contain one row of `weights.rows()` values for
/// each row of the input.
#[derive(Debug)]
pub struct Product<'a> {
    /// W.
    pub weights: Matrix<'a>,
    /// Added to the result.
    pub residual: Option<&'a [f32]>,
    /// The result.
    pub y: &'a mut [f32],
    /// The output for the largest of each group of [`PANEL_ROWS`] results. The groups of one row follow those of the previous one; the last
    /// group of a row may be smaller. NaN is never the largest; a group that contains only NaN has negative infinity. Cannot be combined
    /// with a residual.
    pub maxima: Option<&'a mut [f32]>,
}

impl<'a> Product<'a> {
    /// `y = x Wᵀ` without options.
    pub fn new(weights: Matrix<'a>, y: &'a mut [f32]) -> Product<'a> {
        Product {
            weights,
            residual: None,
            y,
            maxima: None,
        }
    }
}

/// The largest of each group of [`PANEL_ROWS`] values of one row, as [`Product::maxima`] has them.
///
/// ```
/// let values: Vec<f32> = (0..20).map(|index| index as f32).collect();
/// let mut maxima = [0.0; 2];
/// whimbrel_kernels::group_maxima(&values, &mut maxima);
/// assert_eq!(maxima, [15.0, 19.0]);
/// ```
///
/// # Panics
/// If the length of `maxima` is not the number of groups.
pub fn group_maxima(values: &[f32], maxima: &mut [f32]) {
    assert_eq!(maxima.len(), values.len().div_ceil(PANEL_ROWS), "groups");
    for (maximum, group) in maxima.iter_mut().zip(values.chunks(PANEL_ROWS)) {
        *maximum = largest(group);
    }
}

#[inline(always)]
fn largest(group: &[f32]) -> f32 {
    group.iter().fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a })
}

/// Computes at most [`PRODUCTS_MAX`] products of one input in one parallel section. A row's result depends only on the row, not on the
/// other rows or the number of threads.
///
/// ```
/// use whimbrel_kernels::{Activations, Input, Matrix, Product, TensorType, ThreadPool, multiply};
///
/// // Two outputs of three inputs. Float weights read the floats, so nothing has to be quantised.
/// let weights = [1f32, 2.0, 3.0, 0.0, 0.0, 1.0].map(f32::to_le_bytes);
/// let weights = Matrix::new(TensorType::F32, 2, 3, weights.as_flattened()).unwrap();
/// let input = Input {
///     x: &[1.0, 10.0, 100.0],
///     quantized: &Activations::default(),
/// };
/// let mut y = [0.0; 2];
/// multiply(&ThreadPool::new(1)?, input, &mut [Product::new(weights, &mut y)]);
/// assert_eq!(y, [321.0, 100.0]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// If a shape does not match; callers must check them.
pub fn multiply(pool: &ThreadPool, input: Input<'_>, products: &mut [Product<'_>]) {
    multiply_at(Level::best(), pool, input, products);
}

pub(crate) fn multiply_at(level: Level, pool: &ThreadPool, input: Input<'_>, products: &mut [Product<'_>]) {
    let Some(first) = products.first() else { return };
    let columns = first.weights.columns;
    let rows = input.rows(columns);
    for product in products.iter() {
        assert_eq!(
            product.weights.columns, columns,
            "all products of a section share the input"
        );
        assert_eq!(product.y.len(), rows * product.weights.rows, "length of the result");
        let residual = product.residual;
        assert!(
            residual.is_none_or(|residual| residual.len() == product.y.len()),
            "length of the residual"
        );
        let maxima = product.maxima.as_deref();
        assert!(
            residual.is_none() || maxima.is_none(),
            "maxima are those of a product without residual"
        );
        assert!(
            maxima.is_none_or(|maxima| maxima.len() == rows * product.weights.panels()),
            "length of the maxima"
        );
        input.check(&product.weights);
    }
    assert!(products.len() <= PRODUCTS_MAX, "products of a section");
    // On the stack: this runs a hundred times a token.
    let mut jobs = [const { None }; PRODUCTS_MAX];
    for (job, product) in jobs.iter_mut().zip(products) {
        *job = Some(Job::new(product));
    }
    let pairs = |job: &Job<'_>| job.weights.panels().div_ceil(2);
    by_ranges(pool, jobs.iter().flatten().map(pairs).sum(), rows, &|mut range| {
        let mut before = 0;
        for job in jobs.iter().flatten() {
            let own = pairs(job);
            while range.start < range.end && range.start < before + own {
                let first = 2 * (range.start - before);
                let panels = first..job.weights.panels().min(first + 2);
                if panels.len() == 2 && job.weights.tensor_type.is_quantized() && level.pair_rows(rows).is_some() {
                    job.compute(level, input, rows, panels);
                } else {
                    // One after the other, so that all rows find a panel in the nearest cache.
                    panels.for_each(|panel| job.compute(level, input, rows, panel..panel + 1));
                }
                range.start += 1;
            }
            before += own;
        }
    });
}

/// The gated input of a feed-forward block: `y = activation(x Gᵀ) × (x Uᵀ)`, in one parallel section and without storing either product.
/// `y` contains one row of `gate.rows()` values for each row of the input.
///
/// # Panics
/// If a shape does not match; callers must check them.
pub fn multiply_gated(
    pool: &ThreadPool,
    input: Input<'_>,
    activation: Activation,
    gate: Matrix<'_>,
    up: Matrix<'_>,
    y: &mut [f32],
) {
    multiply_gated_at(Level::best(), pool, input, activation, gate, up, y);
}

pub(crate) fn multiply_gated_at(
    level: Level,
    pool: &ThreadPool,
    input: Input<'_>,
    activation: Activation,
    gate: Matrix<'_>,
    up: Matrix<'_>,
    y: &mut [f32],
) {
    let rows = input.rows(gate.columns);
    assert!(
        gate.rows == up.rows && gate.columns == up.columns,
        "shapes of gate and up"
    );
    assert_eq!(y.len(), rows * gate.rows, "length of the result");
    input.check(&gate);
    input.check(&up);
    let mut product = Product::new(gate, y);
    let job = Job::new(&mut product);
    by_ranges(pool, gate.panels(), rows, &|range| {
        for panel in range {
            compute_pair(
                level,
                input,
                rows,
                gate.panel(panel),
                Some(up.panel(panel)),
                &mut |row, [gate, up]| {
                    crate::dispatch::gate(level, activation, gate.as_flattened(), up.as_flattened_mut());
                    for (row, outputs) in (row..).zip(up.iter()) {
                        job.store(row, panel, outputs);
                    }
                },
            );
        }
    });
}

/// Cuts the numbers below `count` into tasks of a section: one on one thread, several for each of more, which even out, and finer
/// ones where many rows make each number much work.
fn by_ranges(pool: &ThreadPool, count: usize, rows: usize, compute: &(dyn Fn(std::ops::Range<usize>) + Sync)) {
    let per_task = match pool.threads() {
        1 => count,
        threads => count.div_ceil(threads * if rows < 16 { 4 } else { 16 }),
    };
    let per_task = per_task.max(1);
    pool.run(count.div_ceil(per_task), &|task| {
        compute(task * per_task..count.min((task + 1) * per_task));
    });
}

struct Job<'a> {
    weights: Matrix<'a>,
    residual: Option<&'a [f32]>,
    y: SharedMut<'a, f32>,
    maxima: Option<SharedMut<'a, f32>>,
}

impl<'a> Job<'a> {
    fn new(product: &'a mut Product<'_>) -> Job<'a> {
        Job {
            weights: product.weights,
            residual: product.residual,
            y: SharedMut::new(product.y),
            maxima: product.maxima.as_deref_mut().map(SharedMut::new),
        }
    }

    /// One panel or two side by side times all rows.
    fn compute(&self, level: Level, input: Input<'_>, rows: usize, panels: std::ops::Range<usize>) {
        let second = (panels.len() == 2).then(|| self.weights.panel(panels.start + 1));
        let first = self.weights.panel(panels.start);
        compute_pair(level, input, rows, first, second, &mut |row, outputs| {
            for (panel, outputs) in panels.clone().zip(outputs) {
                for (row, outputs) in (row..).zip(outputs.iter()) {
                    self.store(row, panel, outputs);
                }
            }
        });
    }

    /// Writes up to 16 outputs of one row, from the panel's first output on.
    #[inline(always)]
    fn store(&self, row: usize, panel: usize, outputs: &[f32; PANEL_ROWS]) {
        let first = panel * PANEL_ROWS;
        let count = PANEL_ROWS.min(self.weights.rows - first);
        let start = row * self.weights.rows + first;
        // SAFETY: a panel belongs to one task, and its outputs of one row to no other panel.
        let y = unsafe { self.y.slice(start, start + count) };
        if let Some(maxima) = &self.maxima {
            let at = row * self.weights.panels() + panel;
            // SAFETY: there is one maximum for a panel and a row, and a panel belongs to one task.
            unsafe { maxima.slice(at, at + 1)[0] = largest(&outputs[..count]) };
        }
        let residual = self.residual.map(|residual| &residual[start..start + count]);
        // Whole panels, which most are, without asking how long they are.
        match (<&mut [f32; PANEL_ROWS]>::try_from(&mut *y), residual) {
            (Ok(y), None) => *y = *outputs,
            (Ok(y), Some(residual)) => {
                let residual: &[f32; PANEL_ROWS] = residual.try_into().expect("as long as y");
                *y = std::array::from_fn(|lane| outputs[lane] + residual[lane]);
            }
            (Err(_), None) => y.copy_from_slice(&outputs[..count]),
            (Err(_), Some(residual)) => {
                for ((y, output), residual) in y.iter_mut().zip(outputs).zip(residual) {
                    *y = output + residual;
                }
            }
        }
    }
}

/// Sixteen rows of a matrix, the last ones perhaps missing.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a> {
    weights: Matrix<'a>,
    first: usize,
}

impl<'a> Panel<'a> {
    fn storage(&self) -> Storage {
        self.weights.tensor_type.storage()
    }

    fn is_quantized(&self) -> bool {
        self.weights.tensor_type.is_quantized()
    }

    /// The bytes of a panel of a quantised matrix.
    fn data(&self) -> &'a [u8] {
        let bytes = self.weights.data.len() / self.weights.panels();
        &self.weights.data[self.first / PANEL_ROWS * bytes..][..bytes]
    }

    pub(crate) fn columns(&self) -> usize {
        self.weights.columns
    }

    /// The bytes of one of the sixteen rows of a float matrix, if the matrix has it.
    #[inline(always)]
    pub(crate) fn row<F: FloatFormat>(&self, lane: usize) -> Option<&'a [u8]> {
        let (row, bytes) = (self.first + lane, self.weights.columns * F::BLOCK_BYTES);
        (lane < PANEL_ROWS && row < self.weights.rows).then(|| &self.weights.data[row * bytes..][..bytes])
    }
}

/// Hands on what one panel or two give for some rows, from the given one on.
type Store<'a> = dyn FnMut(usize, [&mut [[f32; PANEL_ROWS]]; 2]) + 'a;

/// One panel, or two side by side, times all rows.
fn compute_pair(
    level: Level,
    input: Input<'_>,
    rows: usize,
    first: Panel<'_>,
    second: Option<Panel<'_>>,
    store: &mut Store<'_>,
) {
    let pair = second.and_then(|second| match (first.storage(), second.storage()) {
        (Storage::Blocks(own), Storage::Blocks(other)) if own == other => Some((second, own, level.pair_rows(rows)?)),
        _ => None,
    });
    let are_quantized = first.is_quantized() && second.is_none_or(|second| second.is_quantized());
    let tile_rows = pair.map_or(level.tile_rows(are_quantized), |(_, _, tile_rows)| tile_rows);
    let mut outputs = [[[0f32; PANEL_ROWS]; TILE]; 2];
    for row in (0..rows).step_by(tile_rows) {
        let count = tile_rows.min(rows - row);
        let [a, b] = outputs.each_mut().map(|outputs| &mut outputs[..count]);
        if let Some((second, block_type, _)) = pair {
            let panels = [first.data(), second.data()];
            let outputs = [&mut *a, &mut *b];
            crate::dispatch::quantized_pair(level, block_type, panels, input.quantized, row, outputs);
        } else {
            compute_tile(level, input, row, first, a);
            if let Some(second) = second {
                compute_tile(level, input, row, second, b);
            }
        }
        store(row, [a, b]);
    }
}

fn compute_tile(level: Level, input: Input<'_>, row: usize, panel: Panel<'_>, outputs: &mut [[f32; PANEL_ROWS]]) {
    match panel.storage() {
        Storage::Blocks(block_type) => {
            crate::dispatch::quantized_tile(level, block_type, panel.data(), input.quantized, row, outputs);
        }
        Storage::Floats(float_type) => {
            let x = &input.x[row * panel.columns()..];
            crate::dispatch::float_tile(level, float_type, panel, x, outputs);
        }
    }
}
