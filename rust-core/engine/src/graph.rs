//! A graph with its weights: from text to an execution plan that sessions run. The head, which computes logits from hidden states, is
//! separate from the plan, because it is run only for the rows whose logits are needed.

mod arguments;
pub(crate) mod context;
pub(crate) mod operator;
pub(crate) mod operators;
pub(crate) mod plan;
pub(crate) mod reference;
pub(crate) mod text;

use std::collections::HashMap;
use std::sync::Arc;

use tract_nnef::ast::{Document, ProtoModel};
use tract_nnef::internal::*;
use whimbrel_kernels::KvPrecision;

use self::arguments::WEIGHTS;
use self::operators::attention::Attention;
use self::operators::linear::Linear;
use self::operators::short_convolution::ShortConvolution;
use self::operators::{operator, registry};
use self::plan::ExecutionPlan;
use self::reference::{LIMITS, Limits, Reference};
use self::text::{bad, innermost, parse};
use crate::EngineError;
use crate::bundle::weights::Weights;
use crate::cache::{AttentionLayer, ConvolutionLayer, KvCache};

/// A planned graph: `body` leads to the hidden states that `head` makes logits of.
pub(crate) struct Graph {
    pub(crate) body: ExecutionPlan,
    pub(crate) head: Linear,
    pub(crate) attention: Vec<AttentionLayer>,
    pub(crate) convolutions: Vec<ConvolutionLayer>,
    /// The same on tract's own operators, if asked for; sessions then run that.
    pub(crate) reference: Option<Reference>,
}

impl Graph {
    /// Parses, checks and plans a graph over its weights, on tract's own operators too when `limits` are given.
    pub(crate) fn load(text: &str, weights: Weights, limits: Option<Limits>) -> Result<Graph, EngineError> {
        let weights = Arc::new(weights);
        let document = parse(text)?;
        let mut graph = Graph::plan(&typed_model(document.clone(), &weights, None)?)?;
        if let Some(limits) = limits {
            let model = typed_model(document, &weights, Some(limits))?;
            graph.reference = Some(Reference::new(&model).map_err(|error| bad(innermost(&error)))?);
        }
        Ok(graph)
    }

    fn plan(model: &TypedModel) -> Result<Graph, EngineError> {
        let tract = |error: TractError| bad(innermost(&error));
        let (mut attention, mut convolutions) = (Vec::new(), Vec::new());
        for node in &model.nodes {
            if let Some(layer) = node.op_as::<Attention>().map(Attention::layer) {
                check_attention(&layer, &attention)?;
                attention.push(layer);
            } else if let Some(layer) = node.op_as::<ShortConvolution>().map(ShortConvolution::layer) {
                check_convolution(&layer, &convolutions)?;
                convolutions.push(layer);
            } else if !is_ours(node) {
                return Err(bad(format!(
                    "operator {} is not one of this engine's",
                    node.op().name()
                )));
            }
        }
        let (inputs, outputs) = (
            model.input_outlets().map_err(tract)?.len(),
            model.output_outlets().map_err(tract)?,
        );
        let [output] = outputs else {
            return Err(bad(format!("{} outputs instead of one", outputs.len())));
        };
        if inputs != 1 {
            return Err(bad(format!("{inputs} inputs instead of one")));
        }
        let head_node = model.node(output.node);
        let head = head_node.op_as::<Linear>().filter(|head| head.last).cloned();
        let head = head.ok_or_else(|| bad("the graph does not end in whimbrel_linear(…, last = true)"))?;
        Ok(Graph {
            body: ExecutionPlan::new(model, output.node).map_err(tract)?,
            head,
            attention,
            convolutions,
            reference: None,
        })
    }
}

/// The graph as tract sees it, of our operators or, with limits, of tract's own.
pub(crate) fn typed_model(
    doc: Document,
    weights: &Arc<Weights>,
    limits: Option<Limits>,
) -> Result<TypedModel, EngineError> {
    let of_reference = limits.is_some();
    let mut resources: HashMap<String, Arc<dyn Resource>> = HashMap::new();
    resources.insert(WEIGHTS.to_owned(), weights.clone());
    if let Some(limits) = limits {
        resources.insert(LIMITS.to_owned(), Arc::new(limits));
    }
    let proto = ProtoModel {
        doc,
        tensors: HashMap::new(),
        quantization: None,
        resources,
    };
    let framework = Nnef {
        stdlib: vec![],
        registries: vec![tract_nnef::ops::tract_core(), registry(of_reference)],
        resource_loaders: vec![],
        allow_extended_identifier_syntax: false,
        extern_all_constants: false,
    };
    framework
        .model_for_proto_model(&proto)
        .map_err(|error| bad(innermost(&error)))
}

fn is_ours(node: &TypedNode) -> bool {
    node.op_is::<tract_core::ops::source::TypedSource>() || operator(node).is_some()
}

fn check_attention(layer: &AttentionLayer, before: &[AttentionLayer]) -> Result<(), EngineError> {
    let AttentionLayer {
        heads,
        kv_heads,
        head_dim,
        ..
    } = *layer;
    if before.iter().any(|other| other.layer == layer.layer) {
        return Err(bad(format!("two attention operators have layer = {}", layer.layer)));
    }
    if !layer.shape(KvPrecision::default(), KvCache::BLOCK).is_supported() {
        let number = layer.layer;
        return Err(bad(format!(
            "layer {number}: attention of {heads} heads over {kv_heads} of width {head_dim} is not supported"
        )));
    }
    Ok(())
}

fn check_convolution(layer: &ConvolutionLayer, before: &[ConvolutionLayer]) -> Result<(), EngineError> {
    if before.iter().any(|other| other.layer == layer.layer) {
        return Err(bad(format!("two convolutions have layer = {}", layer.layer)));
    }
    Ok(())
}
