//! The operators of a bundle's graph, each a tract `TypedOp` over `whimbrel-kernels`. About seven make a layer, none spans
//! two. Inputs and outputs are f32 of shape `[T, width]`, `T` the tokens of one run.

use tract_core::ops::TypedOp;
use tract_nnef::internal::*;
use whimbrel_kernels::{Input, Product, append_kv, attend, multiply, rms_norm, swiglu};

use crate::context::{AttentionLayer, RunContext};
use crate::weights::WeightRef;

fn floats(value: &TValue) -> TractResult<&[f32]> {
    value.try_as_plain_ram()?.as_slice::<f32>()
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
                let run = RunContext::of(context)?;
                run.check_cancelled()?;
                self.run(run, &inputs)
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

    fn run(&self, run: &RunContext, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let ids = inputs[0].try_as_plain_ram()?.as_slice::<i64>()?;
        let (matrix, width) = (self.weights.matrix(), self.weights.columns);
        ensure!(!ids.is_empty(), "a run needs at least one token");
        let output = run.output(&[ids.len(), width], |y| {
            for (id, y) in ids.iter().zip(y.chunks_exact_mut(width)) {
                let row = usize::try_from(*id).ok().filter(|row| *row < matrix.rows());
                matrix.unpack_row(
                    row.with_context(|| format!("token id {id} is not in the vocabulary"))?,
                    y,
                );
            }
            Ok(())
        })?;
        Ok(tvec!(output))
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

    fn run(&self, run: &RunContext, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let weights = self.weights.floats().context("norm weights are f32")?;
        let output = run.output(inputs[0].shape(), |y| {
            rms_norm(
                &run.pool,
                floats(&inputs[0])?,
                weights,
                f32::from_bits(self.epsilon_bits),
                y,
            );
            Ok(())
        })?;
        Ok(tvec!(output))
    }
}

/// Quantises the input once if any of the weights needs it.
fn quantize(run: &RunContext, x: &[f32], weights: &[&WeightRef]) {
    if weights
        .iter()
        .any(|weight| weight.matrix().tensor_type().is_quantized())
    {
        run.activations.borrow_mut().quantize(&run.pool, x, weights[0].columns);
    }
}

/// A matrix product, plus a residual as second input. `last`: of the last row only (the head).
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
        let rows = if self.last {
            1.to_dim()
        } else {
            inputs[0].shape[0].clone()
        };
        Ok(tvec!(rows_of(&rows, self.weights.rows)))
    }

    fn run(&self, run: &RunContext, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let x = floats(&inputs[0])?;
        let x = if self.last {
            &x[x.len() - self.weights.columns..]
        } else {
            x
        };
        let residual = inputs.get(1).map(floats).transpose()?;
        let shape = [x.len() / self.weights.columns, self.weights.rows];
        let output = run.output(&shape, |y| {
            self.multiply(run, x, residual, y);
            Ok(())
        })?;
        Ok(tvec!(output))
    }

    /// The product outside of a graph, for rows of hidden states that are wanted one by one.
    pub(crate) fn multiply(&self, run: &RunContext, x: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
        quantize(run, x, &[&self.weights]);
        let input = Input {
            x,
            quantized: &run.activations.borrow(),
        };
        multiply(
            &run.pool,
            input,
            &mut [Product {
                weights: self.weights.matrix(),
                residual,
                y,
            }],
        );
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

    fn run(&self, run: &RunContext, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let x = floats(&inputs[0])?;
        let rows = inputs[0].shape()[0];
        let [q, k, v] = &self.weights;
        quantize(run, x, &[q, k, v]);
        let input = Input {
            x,
            quantized: &run.activations.borrow(),
        };
        // The three outputs are held at once, so each is taken from the pool before the section starts.
        let mut outputs: TVec<Arc<Tensor>> = tvec!();
        for weights in &self.weights {
            outputs.push(run.take_output(&[rows, weights.rows])?);
        }
        {
            let mut slices = tvec!();
            for output in &mut outputs {
                let tensor = Arc::get_mut(output).context("a taken tensor is held by nobody else")?;
                slices.push(tensor.try_as_plain_ram_mut()?);
            }
            let mut products = Vec::with_capacity(3);
            for (weights, slice) in self.weights.iter().zip(&mut slices) {
                products.push(Product {
                    weights: weights.matrix(),
                    residual: None,
                    y: slice.as_slice_mut::<f32>()?,
                });
            }
            multiply(&run.pool, input, &mut products);
        }
        Ok(outputs.into_iter().map(|output| run.return_output(output)).collect())
    }
}

/// The gated feed-forward input: `silu(x Gᵀ) × (x Uᵀ)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GateUp {
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

    fn run(&self, run: &RunContext, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let x = floats(&inputs[0])?;
        let (rows, width) = (inputs[0].shape()[0], self.gate.rows);
        quantize(run, x, &[&self.gate, &self.up]);
        let output = run.output(&[rows, width], |y| {
            let mut gate = run.scratch.borrow_mut();
            gate.resize(rows * width, 0.0);
            let input = Input {
                x,
                quantized: &run.activations.borrow(),
            };
            let products = &mut [
                Product {
                    weights: self.gate.matrix(),
                    residual: None,
                    y: &mut gate,
                },
                Product {
                    weights: self.up.matrix(),
                    residual: None,
                    y,
                },
            ];
            multiply(&run.pool, input, products);
            swiglu(&run.pool, width, &gate, y);
            Ok(())
        })?;
        Ok(tvec!(output))
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

    fn run(&self, run: &RunContext, inputs: &[TValue]) -> TractResult<TVec<TValue>> {
        let (q, k, v) = (floats(&inputs[0])?, floats(&inputs[1])?, floats(&inputs[2])?);
        let rows = inputs[0].shape()[0];
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
        let output = run.output(inputs[0].shape(), |y| {
            run.with_rotation(&self.frequencies, rows, |rotation| {
                append_kv(shape, position, rotation, k, v, keys, values);
                let scale = f32::from_bits(self.scale_bits);
                attend(&run.pool, shape, position, scale, rotation, q, keys, values, y);
            })
        })?;
        Ok(tvec!(output))
    }
}
