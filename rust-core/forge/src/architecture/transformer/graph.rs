//! The graph of a network.

use super::Family;
use super::keys::{Keys, Layer};
use super::tensors::CONVOLUTION_PARTS;
use crate::ForgeError;
use crate::graph::{Attention, Graph, Qkv};

/// The names are assigned again and again on purpose: without the lines of one layer the text still is a graph.
pub(super) fn graph(family: &Family, keys: &Keys, name: &str, head: &str) -> Result<Graph, ForgeError> {
    let &Keys { epsilon, scales, .. } = keys;
    let mut graph = Graph::new(name);
    graph.embedding("x", "ids", "token_embd", scales.embedding);
    for (number, layer) in keys.layers.iter().enumerate() {
        let weights = |name: &str| format!("blk.{number}.{name}");
        graph.section(&format!("layer {number}"));
        graph.rms_norm("h", "x", &weights("attn_norm"), epsilon);
        let output = if layer.kv_heads > 0 {
            attention(&mut graph, family, keys, number as u32, layer);
            "attn_output"
        } else {
            convolution(&mut graph, number as u32);
            "shortconv.out_proj"
        };
        add_onto(
            &mut graph,
            family,
            keys,
            "a",
            &weights(output),
            &weights("post_attention_norm"),
        );
        graph.rms_norm("h", "x", &weights("ffn_norm"), epsilon);
        let (gate, up) = (weights("ffn_gate"), weights("ffn_up"));
        graph.gate_up("m", "h", &gate, &up, family.activation);
        add_onto(
            &mut graph,
            family,
            keys,
            "m",
            &weights("ffn_down"),
            &weights("post_ffw_norm"),
        );
    }
    graph.section("head");
    graph.rms_norm("h", "x", family.output_norm, epsilon);
    graph.head("h", head, scales.logits, scales.cap)
}

/// Adds a product of `input` to the residual stream, behind a norm where the family has one there.
fn add_onto(graph: &mut Graph, family: &Family, keys: &Keys, input: &str, weights: &str, norm: &str) {
    if family.norms_after {
        graph.linear("p", input, weights);
        graph.rms_norm_onto("x", "p", norm, keys.epsilon, "x");
    } else {
        graph.linear_onto("x", input, weights, "x", keys.scales.residual);
    }
}

/// From `h` to `a`, before the product that follows attention.
fn attention(graph: &mut Graph, family: &Family, keys: &Keys, number: u32, layer: &Layer) {
    let &Keys {
        heads,
        head_dim,
        epsilon,
        ..
    } = keys;
    let weights = |name: &str| format!("blk.{number}.{name}");
    let names = ["attn_q", "attn_k", "attn_v"];
    let qkv = Qkv {
        weights: names.map(weights),
        biases: family
            .biases
            .then(|| names.map(|name| weights(&format!("{name}.bias")))),
    };
    graph.qkv(["q", "k", "v"], "h", &qkv);
    if family.head_norms {
        graph.head_norm("q", "q", &weights("attn_q_norm"), epsilon, heads);
        graph.head_norm("k", "k", &weights("attn_k_norm"), epsilon, layer.kv_heads);
    }
    let attention = Attention {
        layer: number,
        heads,
        kv_heads: layer.kv_heads,
        head_dim,
        scale: keys.attention_scale,
        frequencies: layer.frequencies,
        window: layer.window,
    };
    graph.attention("a", ["q", "k", "v"], &attention);
}

/// From `h` to `a`, before the product that follows the convolution.
fn convolution(graph: &mut Graph, number: u32) {
    let qkv = Qkv {
        weights: CONVOLUTION_PARTS.map(|part| format!("blk.{number}.shortconv.in_proj.{part}")),
        biases: None,
    };
    graph.qkv(["b", "c", "u"], "h", &qkv);
    graph.short_convolution("a", ["b", "c", "u"], &format!("blk.{number}.shortconv.conv"), number);
}
