//! `graph.nnef`: the caps on its text, and the way from text to plans that sessions run.
//!
//! tract's NNEF parser takes time exponential in nesting and recurses over long expressions, so the text is capped before it
//! is parsed, and only plain calls of our operators are accepted.

mod arguments;
pub(crate) mod context;
pub(crate) mod operator;
pub(crate) mod operators;
pub(crate) mod plan;
pub(crate) mod reference;

use std::collections::HashMap;
use std::sync::Arc;

use tract_nnef::ast::{Document, LValue, ProtoModel, RValue};
use tract_nnef::internal::*;
use whimbrel_kernels::KvPrecision;

use self::arguments::WEIGHTS;
use self::operators::attention::Attention;
use self::operators::linear::Linear;
use self::operators::{operator, registry};
use self::plan::ExecutionPlan;
use self::reference::{LIMITS, Limits, Reference};
use crate::EngineError;
use crate::bundle::weights::Weights;
use crate::cache::{AttentionLayer, KvCache};

/// The longest graph text that is parsed, in bytes.
pub const GRAPH_BYTES_MAX: usize = 1 << 20;
/// The deepest nesting of brackets that is parsed: the parser's time doubles with each level.
pub const GRAPH_NESTING_MAX: usize = 3;
/// The longest statement, in bytes: the parser recurses over its parts.
pub const GRAPH_STATEMENT_BYTES_MAX: usize = 1 << 10;
/// The most statements in a graph.
pub const GRAPH_STATEMENTS_MAX: usize = 16_384;

/// Extensions that a graph may declare, word for word.
const EXTENSIONS: [(&str, &str); 4] = [
    ("tract_registry", "tract_core"),
    ("tract_registry", "whimbrel"),
    ("tract_symbol", "T"),
    ("tract_assert", "T>=1"),
];
/// How a graph declares its input; every other call is of an operator of ours.
const INPUT: &str = "tract_core_external";
const OPERATOR_PREFIX: &str = "whimbrel_";

/// A planned graph: `body` leads to the hidden states that `head` makes logits of.
pub(crate) struct Graph {
    pub(crate) body: ExecutionPlan,
    pub(crate) head: Linear,
    pub(crate) attention: Vec<AttentionLayer>,
    /// The same on tract's own operators, if asked for; sessions then run that.
    pub(crate) reference: Option<Reference>,
}

fn bad(reason: impl Into<String>) -> EngineError {
    EngineError::Graph { reason: reason.into() }
}

/// Checks a graph text as far as that is possible without weights: its caps, its syntax, and that it holds nothing but
/// calls of our operators.
///
/// # Errors
/// [`EngineError::Graph`] says what is wrong, with the line where it can.
pub fn check_graph_text(text: &str) -> Result<(), EngineError> {
    parse(text).map(|_| ())
}

impl Graph {
    /// Parses, checks and plans a graph over its weights, on tract's own operators too when `limits` are given.
    pub(crate) fn load(text: &str, weights: Weights, limits: Option<Limits>) -> Result<Graph, EngineError> {
        let weights = Arc::new(weights);
        let document = parse(text)?;
        let mut graph = Graph::plan(&typed_model(document.clone(), &weights, None)?)?;
        if let Some(limits) = limits {
            let model = typed_model(document, &weights, Some(limits))?;
            let reference = || {
                let head = *model.output_outlets()?.first().context("the graph has no output")?;
                let hidden = *model.node(head.node).inputs.first().context("the head has no input")?;
                Reference::new(&model, hidden)
            };
            graph.reference = Some(reference().map_err(|error| bad(innermost(&error)))?);
        }
        Ok(graph)
    }

    fn plan(model: &TypedModel) -> Result<Graph, EngineError> {
        let tract = |error: TractError| bad(innermost(&error));
        let mut attention = Vec::new();
        for node in &model.nodes {
            if let Some(layer) = node.op_as::<Attention>().map(Attention::layer) {
                check_attention(&layer, &attention)?;
                attention.push(layer);
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

/// tract wraps its reasons in layers of context; the last one says what happened, the first ones where.
fn innermost(error: &TractError) -> String {
    format!("{error:#}")
}

pub(crate) fn parse(text: &str) -> Result<Document, EngineError> {
    check_caps(text)?;
    let doc = tract_nnef::ast::parse::parse_document(text).map_err(|error| bad(innermost(&error)))?;
    check_document(&doc)?;
    Ok(doc)
}

/// Length, nesting, length of statements and the characters of plain calls, comments and quoted texts aside: whatever the
/// parser would recurse over is refused before it is parsed.
fn check_caps(text: &str) -> Result<(), EngineError> {
    if text.len() > GRAPH_BYTES_MAX {
        return Err(bad(format!("{} bytes, the limit is {GRAPH_BYTES_MAX}", text.len())));
    }
    let (mut nesting, mut statement, mut statements) = (0usize, 0usize, 0usize);
    for (number, line) in text.lines().enumerate() {
        let at = |reason: String| bad(format!("line {}: {reason}", number + 1));
        let mut quote = None;
        let mut bytes = line.bytes().peekable();
        while let Some(byte) = bytes.next() {
            statement += 1;
            if statement > GRAPH_STATEMENT_BYTES_MAX {
                return Err(at(format!(
                    "a statement is longer than {GRAPH_STATEMENT_BYTES_MAX} bytes"
                )));
            }
            match (byte, quote) {
                (b'#', None) => {
                    statement -= 1;
                    break;
                }
                (b'"' | b'\'', None) => quote = Some(byte),
                (_, Some(open)) if byte == open => quote = None,
                (_, Some(_)) => (),
                (b'(' | b'[' | b'{', None) => nesting += 1,
                (b')' | b']' | b'}', None) => nesting = nesting.saturating_sub(1),
                (b';', None) => (statement, statements) = (0, statements + 1),
                // A sign belongs to a number, or is an arrow's.
                (b'-', None) if bytes.peek().is_some_and(|next| next.is_ascii_digit() || *next == b'>') => (),
                (b'=' | b'>' | b',' | b'.' | b'_', None) => (),
                _ if byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() => (),
                _ => {
                    return Err(at(format!(
                        "{:?} has no place in a graph of plain calls",
                        char::from(byte)
                    )));
                }
            }
            if nesting > GRAPH_NESTING_MAX {
                return Err(at(format!("brackets nest deeper than {GRAPH_NESTING_MAX}")));
            }
        }
    }
    if statements > GRAPH_STATEMENTS_MAX {
        return Err(bad(format!(
            "{statements} statements, the limit is {GRAPH_STATEMENTS_MAX}"
        )));
    }
    Ok(())
}

/// Only the extensions above, no fragments, and only calls whose arguments are names, literals or lists of those.
fn check_document(doc: &Document) -> Result<(), EngineError> {
    if let Some((name, value)) = doc
        .extension
        .iter()
        .find(|(name, value)| !EXTENSIONS.contains(&(name.0.as_str(), value.trim())))
    {
        return Err(bad(format!("extension {} {value:?} is not known", name.0)));
    }
    if !doc.fragments.is_empty() {
        return Err(bad("fragments are not supported"));
    }
    for assignment in &doc.graph_def.body {
        let RValue::Invocation(call) = &assignment.right else {
            return Err(bad(format!(
                "{} is not the result of a call",
                name_of(&assignment.left)
            )));
        };
        let name = call.id.0.as_str();
        if name != INPUT && !name.starts_with(OPERATOR_PREFIX) {
            return Err(bad(format!("operator {name} is not one of this engine's")));
        }
        if let Some(argument) = call.arguments.iter().find(|argument| !is_plain(&argument.rvalue)) {
            let argument = argument.id.as_ref().map_or("an argument", |id| id.0.as_str());
            return Err(bad(format!(
                "{name}: {argument} is neither a name nor a literal nor a list of those"
            )));
        }
    }
    Ok(())
}

fn is_plain(value: &RValue) -> bool {
    let atom = |value: &RValue| matches!(value, RValue::Identifier(_) | RValue::Literal(_));
    match value {
        RValue::Array(values) => values.iter().all(atom),
        other => atom(other),
    }
}

fn name_of(left: &LValue) -> String {
    match left {
        LValue::Identifier(name) => name.0.clone(),
        LValue::Array(names) | LValue::Tuple(names) => names.iter().map(name_of).collect::<Vec<_>>().join(", "),
    }
}
