//! The operators of a bundle's graph over `whimbrel-kernels`. About seven make a layer, none spans two. Inputs and outputs are
//! f32 of shape `[T, width]`, `T` the tokens of one run.
//!
//! Each is a tract `TypedOp`, so tract reads them from text, checks their shapes and orders them. Sessions walk that order
//! themselves ([`crate::graph::plan`]) through [`Operator::run`]; tract's own way to run them, `eval`, does the same with fresh tensors.

use tract_core::ops::TypedOp;
use tract_nnef::internal::*;
use whimbrel_kernels::{Activation, Input, Product, append_kv, attend, multiply, multiply_gated, rms_norm};

use crate::bundle::weights::WeightRef;
use crate::cache::AttentionLayer;
use crate::graph::context::RunContext;

/// The most inputs, and the most outputs, of an operator.
pub(crate) const ARITY_MAX: usize = 3;

/// What one operator reads in one run.
pub(crate) struct Inputs<'a> {
    /// Tokens of the run.
    pub(crate) rows: usize,
    /// Their ids, for the operator that starts from them.
    pub(crate) ids: &'a [u32],
    /// Rows of floats, an entry an input; the others are empty.
    pub(crate) floats: [&'a [f32]; ARITY_MAX],
    /// How many inputs there are.
    pub(crate) count: usize,
}

/// What sessions need of an operator.
pub(crate) trait Operator: std::fmt::Debug + Send + Sync {
    /// Values in a row of each output.
    fn widths(&self) -> TVec<usize>;

    /// Computes the outputs, slices of `rows × width` whose values are whatever they were.
    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()>;
}

/// The operator in a node of tract's graph, if it is one of ours.
pub(crate) fn operator(node: &TypedNode) -> Option<Box<dyn Operator>> {
    fn of<O: Operator + TypedOp + Clone>(node: &TypedNode) -> Option<Box<dyn Operator>> {
        Some(Box::new(node.op_as::<O>()?.clone()))
    }
    of::<RmsNorm>(node)
        .or_else(|| of::<Linear>(node))
        .or_else(|| of::<Qkv>(node))
        .or_else(|| of::<GateUp>(node))
        .or_else(|| of::<Attention>(node))
        .or_else(|| of::<Embedding>(node))
}

/// Operators that do nothing to their one input but multiply weights with it.
trait Multiplies: std::fmt::Debug + Send + Sync {
    /// The weights.
    fn weights(&self) -> TVec<&WeightRef>;

    /// As [`Operator::run`], the input prepared.
    fn multiply(&self, run: &RunContext, input: Input<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()>;
}

/// A norm and the operator that alone reads it, as one step: the norm goes to 8 bits without being stored.
#[derive(Debug)]
struct Normed {
    norm: RmsNorm,
    reader: Box<dyn Multiplies>,
    widths: TVec<usize>,
}

/// What two nodes do as one, if they can be: `reader` is the only one that reads `norm`, and all its weights are quantised.
pub(crate) fn fused(norm: &TypedNode, reader: &TypedNode) -> Option<Box<dyn Operator>> {
    let is_only = matches!(norm.outputs[0].successors.as_slice(), [only] if only.node == reader.id);
    let norm = norm.op_as::<RmsNorm>().filter(|_| is_only)?.clone();
    let (widths, reader): (_, Box<dyn Multiplies>) = match (reader.op_as::<Qkv>(), reader.op_as::<GateUp>()) {
        (Some(qkv), _) => (qkv.widths(), Box::new(qkv.clone())),
        (_, Some(gate_up)) => (gate_up.widths(), Box::new(gate_up.clone())),
        _ => return None,
    };
    let are_quantized = reader.weights().iter().all(|weights| is_quantized(weights));
    are_quantized.then(|| Box::new(Normed { norm, reader, widths }) as Box<dyn Operator>)
}

impl Operator for Normed {
    fn widths(&self) -> TVec<usize> {
        self.widths.clone()
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let weights = self.norm.weights.floats().context("norm weights are f32")?;
        let epsilon = f32::from_bits(self.norm.epsilon_bits);
        let mut activations = run.activations.borrow_mut();
        activations.quantize_normed(&run.pool, inputs.floats[0], weights, epsilon);
        let input = Input {
            x: &[],
            quantized: &activations,
        };
        self.reader.multiply(run, input, outputs)
    }
}

fn rows_of(rows: &TDim, width: usize) -> TypedFact {
    f32::fact([rows.clone(), width.to_dim()])
}

/// Fails unless the fact is f32 of shape `[T, width]`.
fn expect_width(what: &str, fact: &TypedFact, width: usize) -> TractResult<()> {
    let fits = fact.rank() == 2 && fact.datum_type == f32::datum_type() && fact.shape[1] == width.to_dim();
    ensure!(fits, "{what} takes f32 [T, {width}], not {fact:?}");
    Ok(())
}

/// What tract asks of every operator, the same for all of ours: never folded into a constant, evaluated only in a session.
macro_rules! operator {
    ($type:ty, $name:literal) => {
        impl Op for $type {
            fn name(&self) -> StaticName {
                $name.into()
            }
            fn info(&self) -> TractResult<Vec<String>> {
                Ok(vec![format!("{self:?}")])
            }
            op_as_typed_op!();
        }
        impl EvalOp for $type {
            not_out_of_plan!();
            fn eval(&self, context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
                evaluate(self, context, &inputs)
            }
        }
        impl TypedOp for $type {
            as_op!();
            fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
                self.facts(inputs)
            }
        }
    };
}

/// Runs an operator the way tract does: tensors in, fresh tensors out.
fn evaluate(operator: &dyn Operator, context: &EvalContext, values: &[TValue]) -> TractResult<TVec<TValue>> {
    let run = RunContext::of(context)?;
    run.check_cancelled()?;
    let mut inputs = Inputs {
        rows: values.first().map_or(0, |value| value.shape()[0]),
        ids: &[],
        floats: [&[]; ARITY_MAX],
        count: values.len(),
    };
    let mut ids = Vec::new();
    for (value, floats) in values.iter().zip(&mut inputs.floats) {
        let plain = value.try_as_plain_ram()?;
        if value.datum_type() == i64::datum_type() {
            for id in plain.as_slice::<i64>()? {
                ids.push(u32::try_from(*id)?);
            }
        } else {
            *floats = plain.as_slice::<f32>()?;
        }
    }
    inputs.ids = &ids;
    let mut tensors: TVec<Tensor> = tvec!();
    for width in operator.widths() {
        tensors.push(Tensor::zero::<f32>(&[inputs.rows, width])?);
    }
    {
        let mut plains = tvec!();
        for tensor in &mut tensors {
            plains.push(tensor.try_as_plain_ram_mut()?);
        }
        let mut outputs = tvec!();
        for plain in &mut plains {
            outputs.push(plain.as_slice_mut::<f32>()?);
        }
        operator.run(run, &inputs, &mut outputs)?;
    }
    Ok(tensors.into_iter().map(Tensor::into_tvalue).collect())
}

/// Rows of the embedding table, one for each token id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Embedding {
    pub(crate) weights: WeightRef,
}
operator!(Embedding, "WhimbrelEmbedding");

impl Embedding {
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let ids = inputs[0];
        ensure!(
            ids.rank() == 1 && ids.datum_type == i64::datum_type(),
            "token ids are i64 [T], not {ids:?}"
        );
        Ok(tvec!(rows_of(&ids.shape[0], self.weights.columns)))
    }
}

impl Operator for Embedding {
    fn widths(&self) -> TVec<usize> {
        tvec!(self.weights.columns)
    }

    fn run(&self, _: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let matrix = self.weights.matrix();
        for (id, y) in inputs.ids.iter().zip(outputs[0].chunks_exact_mut(self.weights.columns)) {
            let row = Some(*id as usize).filter(|row| *row < matrix.rows());
            matrix.unpack_row(
                row.with_context(|| format!("token id {id} is not in the vocabulary"))?,
                y,
            );
        }
        Ok(())
    }
}

/// Root-mean-square norm of every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RmsNorm {
    pub(crate) weights: WeightRef,
    /// Bits of an f32, so that operators can be compared.
    pub(crate) epsilon_bits: u32,
}
operator!(RmsNorm, "WhimbrelRmsNorm");

impl RmsNorm {
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(
            self.weights.rows == 1 && self.weights.floats().is_some(),
            "{} is not an f32 vector",
            self.weights.name
        );
        expect_width(&self.weights.name, inputs[0], self.weights.columns)?;
        Ok(tvec!(inputs[0].without_value()))
    }
}

impl Operator for RmsNorm {
    fn widths(&self) -> TVec<usize> {
        tvec!(self.weights.columns)
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let weights = self.weights.floats().context("norm weights are f32")?;
        let epsilon = f32::from_bits(self.epsilon_bits);
        rms_norm(&run.pool, inputs.floats[0], weights, epsilon, outputs[0]);
        Ok(())
    }
}

fn is_quantized(weights: &WeightRef) -> bool {
    weights.matrix().tensor_type().is_quantized()
}

/// Quantises the input once if any of the weights needs it.
fn quantize(run: &RunContext, x: &[f32], weights: &[&WeightRef]) {
    if weights.iter().any(|weights| is_quantized(weights)) {
        run.activations.borrow_mut().quantize(&run.pool, x, weights[0].columns);
    }
}

/// Runs an operator that multiplies, its input as floats and, where a weight needs it, quantised.
fn multiply_floats(
    operator: &dyn Multiplies,
    run: &RunContext,
    x: &[f32],
    outputs: &mut [&mut [f32]],
) -> TractResult<()> {
    quantize(run, x, &operator.weights());
    let quantized = &run.activations.borrow();
    operator.multiply(run, Input { x, quantized }, outputs)
}

/// A matrix product, plus a residual as second input. `last`: the head, which is only wanted for the rows whose next token
/// is to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linear {
    pub(crate) weights: WeightRef,
    pub(crate) last: bool,
}
operator!(Linear, "WhimbrelLinear");

impl Linear {
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        expect_width(&self.weights.name, inputs[0], self.weights.columns)?;
        if let Some(residual) = inputs.get(1) {
            ensure!(!self.last, "{}: only whole runs have a residual", self.weights.name);
            expect_width("the residual", residual, self.weights.rows)?;
        }
        Ok(tvec!(rows_of(&inputs[0].shape[0], self.weights.rows)))
    }

    /// The product of some rows; with `maxima`, the largest of each group of results too.
    pub(crate) fn multiply(
        &self,
        run: &RunContext,
        x: &[f32],
        residual: Option<&[f32]>,
        y: &mut [f32],
        maxima: Option<&mut [f32]>,
    ) {
        quantize(run, x, &[&self.weights]);
        let input = Input {
            x,
            quantized: &run.activations.borrow(),
        };
        let product = Product {
            weights: self.weights.matrix(),
            residual,
            y,
            maxima,
        };
        multiply(&run.pool, input, &mut [product]);
    }
}

impl Operator for Linear {
    fn widths(&self) -> TVec<usize> {
        tvec!(self.weights.rows)
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let residual = (inputs.count > 1).then_some(inputs.floats[1]);
        self.multiply(run, inputs.floats[0], residual, outputs[0], None);
        Ok(())
    }
}

/// Queries, keys and values of one input: three products in one parallel section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Qkv {
    pub(crate) weights: [WeightRef; 3],
}
operator!(Qkv, "WhimbrelQkv");

impl Qkv {
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        for weights in &self.weights {
            expect_width(&weights.name, inputs[0], weights.columns)?;
        }
        Ok(self
            .weights
            .iter()
            .map(|weights| rows_of(&inputs[0].shape[0], weights.rows))
            .collect())
    }
}

impl Operator for Qkv {
    fn widths(&self) -> TVec<usize> {
        self.weights.iter().map(|weights| weights.rows).collect()
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        multiply_floats(self, run, inputs.floats[0], outputs)
    }
}

impl Multiplies for Qkv {
    fn weights(&self) -> TVec<&WeightRef> {
        self.weights.iter().collect()
    }

    fn multiply(&self, run: &RunContext, input: Input<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let [yq, yk, yv] = outputs else {
            bail!("three outputs instead of {}", outputs.len());
        };
        let [q, k, v] = &self.weights;
        let mut products = [(q, yq), (k, yk), (v, yv)].map(|(weights, y)| Product::new(weights.matrix(), y));
        multiply(&run.pool, input, &mut products);
        Ok(())
    }
}

/// The gated feed-forward input: `activation(x Gᵀ) × (x Uᵀ)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GateUp {
    pub(crate) activation: Activation,
    pub(crate) gate: WeightRef,
    pub(crate) up: WeightRef,
}
operator!(GateUp, "WhimbrelGateUp");

impl GateUp {
    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(
            self.gate.rows == self.up.rows,
            "{} and {} differ in rows",
            self.gate.name,
            self.up.name
        );
        expect_width(&self.gate.name, inputs[0], self.gate.columns)?;
        expect_width(&self.up.name, inputs[0], self.up.columns)?;
        Ok(tvec!(rows_of(&inputs[0].shape[0], self.gate.rows)))
    }
}

impl Operator for GateUp {
    fn widths(&self) -> TVec<usize> {
        tvec!(self.gate.rows)
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        multiply_floats(self, run, inputs.floats[0], outputs)
    }
}

impl Multiplies for GateUp {
    fn weights(&self) -> TVec<&WeightRef> {
        tvec!(&self.gate, &self.up)
    }

    fn multiply(&self, run: &RunContext, input: Input<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let (gate, up) = (self.gate.matrix(), self.up.matrix());
        multiply_gated(&run.pool, input, self.activation, gate, up, outputs[0]);
        Ok(())
    }
}

/// Causal attention with rotary positions over the session's KV cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attention {
    pub(crate) layer: u32,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    /// Bits of an f32, so that operators can be compared.
    pub(crate) scale_bits: u32,
    pub(crate) frequencies: WeightRef,
}
operator!(Attention, "WhimbrelAttention");

impl Attention {
    pub(crate) fn layer(&self) -> AttentionLayer {
        let Attention {
            layer,
            heads,
            kv_heads,
            head_dim,
            ..
        } = *self;
        AttentionLayer {
            layer,
            heads,
            kv_heads,
            head_dim,
        }
    }

    fn facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let frequencies = &self.frequencies;
        ensure!(
            frequencies.rows == 1 && frequencies.floats().is_some() && 2 * frequencies.columns <= self.head_dim,
            "{} is not an f32 vector of at most half a head",
            frequencies.name
        );
        for (what, fact, heads) in [
            ("q", inputs[0], self.heads),
            ("k", inputs[1], self.kv_heads),
            ("v", inputs[2], self.kv_heads),
        ] {
            expect_width(
                what,
                fact,
                heads
                    .checked_mul(self.head_dim)
                    .context("heads × head_dim is too large")?,
            )?;
        }
        Ok(tvec!(inputs[0].without_value()))
    }
}

impl Operator for Attention {
    fn widths(&self) -> TVec<usize> {
        tvec!(self.heads * self.head_dim)
    }

    fn run(&self, run: &RunContext, inputs: &Inputs<'_>, outputs: &mut [&mut [f32]]) -> TractResult<()> {
        let ([q, k, v], rows) = (inputs.floats, inputs.rows);
        let mut cache = run.cache.borrow_mut();
        let (shape, keys, values) = cache
            .layer(self.layer)
            .context("the session has no cache for this layer")?;
        let position = run.position.get();
        ensure!(position + rows <= shape.capacity, "the context is full");
        let mut scratch = run.scratch.borrow_mut();
        scratch.clear();
        scratch.extend_from_slice(k);
        scratch.extend_from_slice(q);
        let (k, q) = scratch.split_at_mut(k.len());
        run.with_rotation(&self.frequencies, rows, |rotation| {
            append_kv(shape, position, rotation, k, v, keys, values);
            let scale = f32::from_bits(self.scale_bits);
            let apart = &mut run.attention_scratch.borrow_mut();
            attend(
                &run.pool, shape, position, scale, rotation, q, keys, values, outputs[0], apart,
            );
        })
    }
}
