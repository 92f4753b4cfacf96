//! Every fused operator beside its counterpart on tract's own operators.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use support::{copy, smollm2, tiny};
use whimbrel_engine::{CancelFlag, Model, OpenOptions, Session, compare_with_reference, seal};

/// How far the result of one operator may be from its reference: activations are rounded to 8 bits before every product, keys
/// and values to half precision.
const DIFFERENCE_MAX: f64 = 0.04;

fn options(reference: bool) -> OpenOptions {
    OpenOptions {
        threads: 1,
        reference,
        ..OpenOptions::default()
    }
}

fn check(folder: &Path, ids: &[u32], layers: usize) {
    let differences = compare_with_reference(folder, &options(false), ids).unwrap();
    // Of a layer: norm, q, k, v, attention, residual, norm, gate and up, residual; the embedding before, norm and head behind.
    assert_eq!(differences.len(), 9 * layers + 3);
    assert_eq!(differences.last().unwrap().name, format!("logits_{}", 7 * layers + 3));
    let worst = differences
        .iter()
        .max_by(|a, b| a.relative.total_cmp(&b.relative))
        .unwrap();
    assert!(worst.relative < DIFFERENCE_MAX, "{worst:?}");
    // The embedding is the same bytes unpacked, a product is computed in another way and never quite the same.
    assert!(differences[0].relative < 1e-6, "{:?}", differences[0]);
    assert!(differences.last().unwrap().relative > 0.0);
}

#[test]
fn the_tiny_model_layer_by_layer() {
    let ids: Vec<u32> = (0..70).map(|index| 20 + index * 37 % 700).collect();
    check(&tiny(), &ids, 3);
    check(&tiny(), &[5], 3);
}

#[test]
fn another_activation_layer_by_layer() {
    let bundle = copy();
    let path = bundle.path().join("q4_1/graph.nnef");
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = text.replace("ffn_up\");", "ffn_up\", activation = \"gelu\");");
    assert_eq!(edited.matches("gelu").count(), 3);
    std::fs::write(&path, edited).unwrap();
    seal(bundle.path()).unwrap();
    let ids: Vec<u32> = (0..70).map(|index| 20 + index * 37 % 700).collect();
    check(bundle.path(), &ids, 3);
    let of = |folder: &Path| {
        let model = Model::open(folder, &options(false)).unwrap();
        let mut session = Session::new(&model, 80).unwrap();
        session.logits(&ids, &CancelFlag::default()).unwrap().to_vec()
    };
    assert!(of(bundle.path()) != of(&tiny()), "the activation makes a difference");
}

/// The tiny model with other arguments in its graph.
fn edited(from: &str, to: &str, count: usize) -> tempfile::TempDir {
    let bundle = copy();
    let path = bundle.path().join("q4_1/graph.nnef");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(from).count(), count, "{from}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
    seal(bundle.path()).unwrap();
    bundle
}

#[test]
fn other_arguments_layer_by_layer() {
    let ids: Vec<u32> = (0..70).map(|index| 20 + index * 37 % 700).collect();
    let cases = [
        ("weights = \"token_embd\"", "weights = \"token_embd\", scale = 12.0", 1),
        ("residual = x", "residual = x, scale = 0.25", 6),
        ("last = true", "last = true, scale = 0.125", 1),
        (", frequencies = \"rope_frequencies\"", "", 3),
        // Vectors of as many values as there are queries.
        ("attn_v\");", "attn_v\", q_bias = \"blk.0.attn_norm\");", 3),
    ];
    for (from, to, count) in cases {
        let bundle = edited(from, to, count);
        check(bundle.path(), &ids, 3);
        check(bundle.path(), &[5], 3);
        let logits = |folder: &Path| {
            let model = Model::open(folder, &options(false)).unwrap();
            let mut session = Session::new(&model, 80).unwrap();
            session.logits(&ids, &CancelFlag::default()).unwrap().to_vec()
        };
        assert!(logits(bundle.path()) != logits(&tiny()), "{to} makes a difference");
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    for (from, to, count, expected) in [
        (
            "last = true",
            "last = true, scale = 0.0",
            1,
            "scale is 0, it must be greater than 0",
        ),
        (
            "attn_v\");",
            "attn_v\", k_bias = \"blk.0.attn_norm\");",
            3,
            "blk.0.attn_norm is not an f32 vector of 64 values",
        ),
        (
            "attn_v\");",
            "attn_v\", q_bias = \"blk.9.attn_q.bias\");",
            3,
            "no tensor is named \"blk.9.attn_q.bias\"",
        ),
    ] {
        let bundle = edited(from, to, count);
        let error = Model::open(bundle.path(), &options(false)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// A factor of the logits leaves their order as it was, and the most likely tokens with it.
#[test]
fn scaled_logits_choose_the_same_tokens() {
    let bundle = edited("last = true", "last = true, scale = 0.25", 1);
    let answer = |folder: &Path| {
        let mut conversation =
            support::Conversation::new(&support::open_with(folder, 1).unwrap(), "", Default::default());
        let options = whimbrel_engine::GenerationOptions {
            max_tokens: 24,
            sampling: whimbrel_engine::SamplingOptions {
                temperature: Some(0.0),
                ..Default::default()
            },
            ..Default::default()
        };
        conversation.ask("Light", options).0
    };
    assert_eq!(answer(bundle.path()), answer(&tiny()));
}

#[test]
fn smollm2_layer_by_layer() {
    check(&smollm2(), &[504, 3575, 282, 4649, 314], 30);
}

#[test]
fn a_session_runs_on_the_reference() {
    let never = CancelFlag::default();
    let ids = [20, 57, 94, 131, 20, 57];
    let model = Model::open(&tiny(), &options(true)).unwrap();
    let mut whole = Session::new(&model, 32).unwrap();
    let expected = whole.logits(&ids, &never).unwrap().to_vec();
    let mut parts = Session::new(&model, 32).unwrap();
    parts.prefill(&ids[..3], &never).unwrap();
    let rows = parts.logits_after(&ids[3..], 2, &never).unwrap();
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
    assert!(close(&rows[rows.len() / 2..], &expected));
    let own = Model::open(&tiny(), &options(false)).unwrap();
    let mut own = Session::new(&own, 32).unwrap();
    let logits = own.logits(&ids, &never).unwrap().to_vec();
    assert!(logits != expected && logits.len() == expected.len());
    assert!(
        whole.save_prefix(3, &[]).is_err(),
        "the reference keeps no keys and values"
    );
}
