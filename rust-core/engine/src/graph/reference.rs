//! The same graph on tract's own operators, which the fused operators are compared with and which `--reference` runs. It is slow and needs
//! much memory: every weight is unpacked to f32, and every run computes all tokens so far again.

use std::sync::Arc;

use tract_core::ops::array::{Gather, Pad, PadMode, Slice, TypedConcat};
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::change_axes::AxisOp;
use tract_core::ops::einsum::EinSum;
use tract_core::ops::logic::{Iff, comp_gte};
use tract_core::ops::math::{add, mul, sub, tanh};
use tract_core::ops::nn::gelu_approximate::gelu_approximate;
use tract_core::ops::nn::silu::silu;
use tract_core::ops::nn::{RmsNorm, Softmax, SoftmaxKind};
use tract_nnef::internal::*;
use whimbrel_kernels::Activation;

use crate::bundle::weights::WeightRef;
use crate::graph::arguments::{QKV_BIASES, activation, count, optional_weight, weight};

/// Under this name the builder finds the longest context.
pub(crate) const LIMITS: &str = "whimbrel_reference_limits";
/// What a score becomes that a token must not see.
const UNSEEN: f32 = -1e30;

/// How long the tables of positions are.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) context_length: usize,
}

impl Resource for Limits {}

/// Plans over tract's own operators: token ids to hidden states, and those to logits.
pub(crate) struct Reference {
    body: Arc<TypedRunnableModel>,
    head: Arc<TypedRunnableModel>,
}

impl Reference {
    /// Cuts a graph before its last product and plans both parts.
    pub(crate) fn new(model: &TypedModel) -> TractResult<Reference> {
        let mut node = model.output_outlets()?.first().context("the graph has no output")?.node;
        while !model.node(node).op_is::<EinSum>() {
            node = model
                .node(node)
                .inputs
                .first()
                .context("the graph has no product")?
                .node;
        }
        let hidden = *model.node(node).inputs.first().context("a product has inputs")?;
        let mut body = model.clone();
        body.select_output_outlets(&[hidden])?;
        body.compact()?;
        let mut head = model.clone();
        let fact = head.outlet_fact(hidden)?.clone();
        let source = head.add_source("hidden", fact)?;
        let successors = head.node(hidden.node).outputs[hidden.slot].successors.clone();
        for input in successors {
            head.add_edge(source, input)?;
        }
        head.set_input_outlets(&[source])?;
        head.compact()?;
        let plan = |model: TypedModel| model.into_optimized()?.into_runnable();
        Ok(Reference {
            body: plan(body)?,
            head: plan(head)?,
        })
    }

    /// The hidden states after each of the tokens.
    pub(crate) fn hidden(&self, ids: &[u32]) -> TractResult<Vec<f32>> {
        floats(&run(&self.body, ids_tensor(ids))?[0])
    }

    /// The logits of some rows of hidden states.
    pub(crate) fn logits(&self, hidden: &[f32], width: usize) -> TractResult<Vec<f32>> {
        let rows = Tensor::from_shape(&[hidden.len() / width, width], hidden)?;
        floats(&run(&self.head, rows)?[0])
    }
}

pub(crate) fn ids_tensor(ids: &[u32]) -> Tensor {
    tensor1(&ids.iter().map(|id| i64::from(*id)).collect::<Vec<_>>())
}

pub(crate) fn run(plan: &Arc<TypedRunnableModel>, input: Tensor) -> TractResult<TVec<TValue>> {
    plan.spawn()?.run(tvec!(input.into_tvalue()))
}

pub(crate) fn floats(value: &TValue) -> TractResult<Vec<f32>> {
    Ok(value.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
}

/// One wire behind another.
struct Wiring<'a, 'b> {
    builder: &'a mut ModelBuilder<'b>,
}

impl Wiring<'_, '_> {
    fn wire(&mut self, op: impl Into<Box<dyn TypedOp>>, inputs: &[OutletId]) -> TractResult<OutletId> {
        Ok(self.builder.wire_as_outlets(op, inputs)?[0])
    }

    fn axis(&mut self, op: AxisOp, input: OutletId) -> TractResult<OutletId> {
        self.wire(op, &[input])
    }

    fn einsum(&mut self, expression: &str, inputs: &[OutletId]) -> TractResult<OutletId> {
        self.wire(EinSum::new(expression.parse()?, f32::datum_type()), inputs)
    }

    /// A constant that is made once for each name.
    fn constant(&mut self, name: &str, make: impl FnOnce() -> TractResult<Tensor>) -> TractResult<OutletId> {
        let name = format!("whimbrel.{name}");
        if let Ok(node) = self.builder.model.node_by_name(&name) {
            return Ok(node.id.into());
        }
        self.builder.model.add_const(name, make()?)
    }

    /// All weights of a matrix as floats.
    fn dense(&mut self, weights: &WeightRef) -> TractResult<OutletId> {
        self.constant(&weights.name, || {
            let matrix = weights.matrix();
            let mut values = vec![0f32; weights.rows * weights.columns];
            for (row, values) in values.chunks_exact_mut(weights.columns).enumerate() {
                matrix.unpack_row(row, values);
            }
            Tensor::from_shape(&[weights.rows, weights.columns], &values)
        })
    }

    /// `[T, width]` times the factor that a call gives.
    fn scaled(&mut self, x: OutletId, call: &ResolvedInvocation) -> TractResult<OutletId> {
        let scale: f32 = call.named_arg_as(self.builder, "scale")?;
        if scale == 1.0 {
            return Ok(x);
        }
        let factor = self.constant(&format!("factor.{scale}"), || Tensor::from_shape(&[1, 1], &[scale]))?;
        self.wire(mul(), &[x, factor])
    }

    fn product(&mut self, x: OutletId, weights: &WeightRef) -> TractResult<OutletId> {
        let dense = self.dense(weights)?;
        self.einsum("tk,nk->tn", &[x, dense])
    }

    /// `[T, heads × head_dim]` as `[T, heads, head_dim]`.
    fn heads(&mut self, x: OutletId, heads: usize, head_dim: usize) -> TractResult<OutletId> {
        let split = AxisOp::Reshape(
            1,
            tvec!((heads * head_dim).to_dim()),
            tvec!(heads.to_dim(), head_dim.to_dim()),
        );
        self.axis(split, x)
    }

    /// `[T, heads, head_dim]` as `[T, heads × head_dim]`.
    fn joined(&mut self, x: OutletId, heads: usize, head_dim: usize) -> TractResult<OutletId> {
        let joined = AxisOp::Reshape(
            1,
            tvec!(heads.to_dim(), head_dim.to_dim()),
            tvec!((heads * head_dim).to_dim()),
        );
        self.axis(joined, x)
    }

    fn part(&mut self, x: OutletId, axis: usize, start: usize, end: impl ToDim) -> TractResult<OutletId> {
        self.wire(Slice::new(axis, start, end), &[x])
    }

    /// Cosines or sines of the angles at the first positions, as `[T, 1, pairs]`.
    fn angles(
        &mut self,
        frequencies: &WeightRef,
        rows: &TDim,
        which: &str,
        of: fn(f64) -> f64,
    ) -> TractResult<OutletId> {
        let length = self.context_length()?;
        let table = self.constant(&format!("{}.{which}", frequencies.name), || {
            let frequencies = frequencies.floats().context("frequencies are f32")?;
            let angles = (0..length).flat_map(|position| {
                let position = position as f64;
                frequencies
                    .iter()
                    .map(move |frequency| of(position * f64::from(*frequency)) as f32)
            });
            Tensor::from_shape(&[length, frequencies.len()], &angles.collect::<Vec<_>>())
        })?;
        let used = self.part(table, 0, 0, rows.clone())?;
        self.axis(AxisOp::Add(1), used)
    }

    /// Turns `[T, heads, head_dim]` by the angles of its positions, if there are frequencies.
    fn rotate(
        &mut self,
        x: OutletId,
        frequencies: Option<&WeightRef>,
        rows: &TDim,
        head_dim: usize,
    ) -> TractResult<OutletId> {
        let Some(frequencies) = frequencies else { return Ok(x) };
        let pairs = frequencies.columns;
        let cosines = self.angles(frequencies, rows, "cosines", f64::cos)?;
        let sines = self.angles(frequencies, rows, "sines", f64::sin)?;
        let low = self.part(x, 2, 0, pairs)?;
        let high = self.part(x, 2, pairs, 2 * pairs)?;
        let products = [
            self.wire(mul(), &[low, cosines])?,
            self.wire(mul(), &[high, sines])?,
            self.wire(mul(), &[low, sines])?,
            self.wire(mul(), &[high, cosines])?,
        ];
        let mut parts = tvec!(self.wire(sub(), &products[..2])?, self.wire(add(), &products[2..])?,);
        if 2 * pairs < head_dim {
            parts.push(self.part(x, 2, 2 * pairs, head_dim)?);
        }
        self.wire(TypedConcat { axis: 2 }, &parts)
    }

    /// Scores `[kv_heads, group, T, T]` without those of later positions, and of those before the window if there is one.
    fn mask(&mut self, scores: OutletId, rows: &TDim, window: usize) -> TractResult<OutletId> {
        let queries = self.positions(0, [0, 0, 3], rows)?;
        let keys = self.positions(0, [0, 0, 0], rows)?;
        let scores = self.seen(queries, keys, scores)?;
        if window == 0 {
            return Ok(scores);
        }
        let last_queries = self.positions(window - 1, [0, 0, 0], rows)?;
        self.seen(last_queries, queries, scores)
    }

    /// The first positions, each plus `offset`, with these axes added.
    fn positions(&mut self, offset: usize, axes: [usize; 3], rows: &TDim) -> TractResult<OutletId> {
        let length = self.context_length()?;
        let positions = self.constant(&format!("positions.{offset}"), || {
            let positions = (0..length).map(|position| (position + offset) as f32);
            Ok(tensor1(&positions.collect::<Vec<_>>()))
        })?;
        let mut wire = self.part(positions, 0, 0, rows.clone())?;
        for axis in axes {
            wire = self.axis(AxisOp::Add(axis), wire)?;
        }
        Ok(wire)
    }

    /// The scores where one position is not before the other.
    fn seen(&mut self, later: OutletId, earlier: OutletId, scores: OutletId) -> TractResult<OutletId> {
        let unseen = self.constant("unseen", || Tensor::from_shape(&[1, 1, 1, 1], &[UNSEEN]))?;
        let seen = self.wire(TypedBinOp(comp_gte(), None), &[later, earlier])?;
        self.wire(Iff, &[seen, scores, unseen])
    }

    fn context_length(&self) -> TractResult<usize> {
        let limits = self.builder.proto_model.resources.get(LIMITS);
        let limits: Arc<Limits> = limits
            .context("no limits are given")?
            .clone()
            .downcast_arc()
            .map_err(|_| format_err!("the limits are of another kind"))?;
        Ok(limits.context_length)
    }
}

pub(crate) fn embedding(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let ids: OutletId = call.named_arg_as(builder, "ids")?;
    let weights = weight(builder, call, "weights")?;
    let mut wiring = Wiring { builder };
    let table = wiring.dense(&weights)?;
    let rows = wiring.wire(Gather::new(0), &[table, ids])?;
    Ok(Value::Wire(wiring.scaled(rows, call)?))
}

pub(crate) fn rms_norm(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let x: OutletId = call.named_arg_as(builder, "x")?;
    let epsilon: f32 = call.named_arg_as(builder, "epsilon")?;
    let weights = weight(builder, call, "weights")?;
    let heads = count(builder, call, "heads")?;
    let residual = call.optional_named_arg_as::<OutletId>(builder, "residual")?;
    let mut wiring = Wiring { builder };
    let mut gain = wiring.dense(&weights)?;
    let eps = tensor0(epsilon).into_arc_tensor();
    let y = if heads == 1 {
        let normed = wiring.wire(RmsNorm { axis: 1, eps }, &[x])?;
        wiring.wire(mul(), &[normed, gain])?
    } else {
        gain = wiring.axis(AxisOp::Add(0), gain)?;
        let x = wiring.heads(x, heads, weights.columns)?;
        let normed = wiring.wire(RmsNorm { axis: 2, eps }, &[x])?;
        let y = wiring.wire(mul(), &[normed, gain])?;
        wiring.joined(y, heads, weights.columns)?
    };
    Ok(Value::Wire(match residual {
        Some(residual) => wiring.wire(add(), &[residual, y])?,
        None => y,
    }))
}

pub(crate) fn linear(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let x: OutletId = call.named_arg_as(builder, "x")?;
    let residual = call.optional_named_arg_as::<OutletId>(builder, "residual")?;
    let weights = weight(builder, call, "weights")?;
    let cap: f32 = call.named_arg_as(builder, "cap")?;
    let mut wiring = Wiring { builder };
    let x = wiring.scaled(x, call)?;
    let mut y = wiring.product(x, &weights)?;
    if cap != 0.0 {
        let inverse = wiring.constant(&format!("factor.{}", 1.0 / cap), || {
            Tensor::from_shape(&[1, 1], &[1.0 / cap])
        })?;
        let cap = wiring.constant(&format!("factor.{cap}"), || Tensor::from_shape(&[1, 1], &[cap]))?;
        y = wiring.wire(mul(), &[y, inverse])?;
        y = wiring.wire(tanh(), &[y])?;
        y = wiring.wire(mul(), &[y, cap])?;
    }
    Ok(match residual {
        Some(residual) => Value::Wire(wiring.wire(add(), &[residual, y])?),
        None => Value::Wire(y),
    })
}

pub(crate) fn qkv(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let x: OutletId = call.named_arg_as(builder, "x")?;
    let mut outputs = Vec::new();
    for (name, bias) in ["q", "k", "v"].into_iter().zip(QKV_BIASES) {
        let weights = weight(builder, call, name)?;
        let bias = optional_weight(builder, call, bias)?;
        let mut wiring = Wiring { builder };
        let mut y = wiring.product(x, &weights)?;
        if let Some(bias) = bias {
            let bias = wiring.dense(&bias)?;
            y = wiring.wire(add(), &[y, bias])?;
        }
        outputs.push(Value::Wire(y));
    }
    Ok(Value::Tuple(outputs))
}

pub(crate) fn gate_up(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let x: OutletId = call.named_arg_as(builder, "x")?;
    let (gate, up) = (weight(builder, call, "gate")?, weight(builder, call, "up")?);
    let activation = activation(builder, call)?;
    let mut wiring = Wiring { builder };
    let gate = wiring.product(x, &gate)?;
    let up = wiring.product(x, &up)?;
    let gate = match activation {
        Activation::Silu => wiring.wire(silu(), &[gate])?,
        Activation::Gelu => wiring.wire(gelu_approximate(false), &[gate])?,
    };
    Ok(Value::Wire(wiring.wire(mul(), &[gate, up])?))
}

pub(crate) fn attention(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let mut inputs = [OutletId::new(0, 0); 3];
    for (input, name) in inputs.iter_mut().zip(["q", "k", "v"]) {
        *input = call.named_arg_as(builder, name)?;
    }
    let (heads, kv_heads) = (count(builder, call, "heads")?, count(builder, call, "kv_heads")?);
    let head_dim = count(builder, call, "head_dim")?;
    ensure!(
        kv_heads > 0 && heads.is_multiple_of(kv_heads),
        "{heads} heads over {kv_heads}"
    );
    let scale: f32 = call.named_arg_as(builder, "scale")?;
    let frequencies = optional_weight(builder, call, "frequencies")?;
    let window = count(builder, call, "window")?;
    let mut wiring = Wiring { builder };
    let rows = wiring.builder.model.outlet_fact(inputs[0])?.shape[0].clone();
    let [q, k, v] = inputs;
    let q = wiring.heads(q, heads, head_dim)?;
    let q = wiring.rotate(q, frequencies.as_ref(), &rows, head_dim)?;
    let groups = AxisOp::Reshape(
        1,
        tvec!(heads.to_dim()),
        tvec!(kv_heads.to_dim(), (heads / kv_heads).to_dim()),
    );
    let q = wiring.axis(groups.clone(), q)?;
    let k = wiring.heads(k, kv_heads, head_dim)?;
    let k = wiring.rotate(k, frequencies.as_ref(), &rows, head_dim)?;
    let v = wiring.heads(v, kv_heads, head_dim)?;
    let scores = wiring.einsum("tkgd,skd->kgts", &[q, k])?;
    let scale = wiring.constant(&format!("scale.{scale}"), || {
        Tensor::from_shape(&[1, 1, 1, 1], &[scale])
    })?;
    let scores = wiring.wire(mul(), &[scores, scale])?;
    let scores = wiring.mask(scores, &rows, window)?;
    let weights = wiring.wire(Softmax::new(tvec!(3), None, SoftmaxKind::Softmax), &[scores])?;
    let y = wiring.einsum("kgts,skd->tkgd", &[weights, v])?;
    let y = wiring.axis(groups.recip(), y)?;
    Ok(Value::Wire(wiring.joined(y, heads, head_dim)?))
}

pub(crate) fn short_convolution(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let mut inputs = [OutletId::new(0, 0); 3];
    for (input, name) in inputs.iter_mut().zip(["b", "c", "x"]) {
        *input = call.named_arg_as(builder, name)?;
    }
    let weights = weight(builder, call, "weights")?;
    let [b, c, x] = inputs;
    let mut wiring = Wiring { builder };
    let rows = wiring.builder.model.outlet_fact(x)?.shape[0].clone();
    let columns = wiring.wire(mul(), &[b, x])?;
    let pad = Pad::new(
        vec![(weights.rows - 1, 0), (0, 0)],
        PadMode::Constant(tensor0(0f32).into_arc_tensor()),
    );
    let columns = wiring.wire(pad, &[columns])?;
    let taps = wiring.dense(&weights)?;
    let mut sum = None;
    for tap in 0..weights.rows {
        let seen = wiring.part(columns, 0, tap, rows.clone() + tap)?;
        let tap = wiring.part(taps, 0, tap, tap + 1)?;
        let product = wiring.wire(mul(), &[seen, tap])?;
        sum = Some(match sum {
            Some(sum) => wiring.wire(add(), &[sum, product])?,
            None => product,
        });
    }
    let sum = sum.context("a convolution has at least one tap")?;
    Ok(Value::Wire(wiring.wire(mul(), &[c, sum])?))
}
