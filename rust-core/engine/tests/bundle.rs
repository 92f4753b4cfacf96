//! Damaged and edited bundles: each damage is a typed error, and a sealed edit of the graph really changes what runs.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use support::{copy, files, open, open_with};
use whimbrel_engine::{
    CancelFlag, EngineError, GRAPH_BYTES_MAX, GRAPH_STATEMENT_BYTES_MAX, Manifest, Session, check_graph_text, seal,
    verify,
};

/// Opens a damaged bundle; the error must be one of a damaged bundle and name something.
fn check_refused(folder: &Path, what: &str) {
    match open_with(folder, 1) {
        Err(
            error @ (EngineError::BundleMissing { .. }
            | EngineError::Manifest { .. }
            | EngineError::LayoutVersion { .. }
            | EngineError::Corrupt { .. }
            | EngineError::Read { .. }),
        ) => assert!(!error.to_string().is_empty()),
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn a_missing_halved_or_flipped_file_is_refused() {
    let whole = copy();
    for file in files(whole.path()) {
        let path = whole.path().join(&file);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        check_refused(whole.path(), &format!("without {}", file.display()));
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        check_refused(whole.path(), &format!("half of {}", file.display()));
        for position in (0..bytes.len()).step_by((bytes.len() / 40).max(1)) {
            let mut flipped = bytes.clone();
            flipped[position] ^= 1 << (position % 8);
            std::fs::write(&path, flipped).unwrap();
            check_refused(whole.path(), &format!("{} flipped at {position}", file.display()));
        }
        std::fs::write(&path, &bytes).unwrap();
    }
    open_with(whole.path(), 1).unwrap();
}

#[test]
fn a_missing_manifest_field_is_named() {
    let bundle = copy();
    let path = bundle.path().join("manifest.json");
    let whole: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for field in whole
        .as_object()
        .unwrap()
        .keys()
        .filter(|field| *field != "chat_template")
    {
        let mut cut = whole.clone();
        cut.as_object_mut().unwrap().remove(field);
        std::fs::write(&path, serde_json::to_string_pretty(&cut).unwrap()).unwrap();
        let error = open_with(bundle.path(), 1).unwrap_err();
        assert!(
            matches!(&error, EngineError::Manifest { reason } if reason.contains(field)),
            "{field}: {error}"
        );
    }
}

#[test]
fn paths_that_leave_the_bundle_are_refused() {
    let text = std::fs::read(support::tiny().join("manifest.json")).unwrap();
    let whole = Manifest::parse(&text).unwrap();
    for path in ["../outside", "/etc/passwd", "a//b", "a\\b", "."] {
        let mut manifest = whole.clone();
        manifest.tokenizer.file.path = path.to_owned();
        let refused = Manifest::parse(manifest.sealed().to_text().as_bytes());
        assert!(
            matches!(refused, Err(EngineError::Manifest { reason }) if reason.contains("path")),
            "{path}"
        );
    }
    let newer = Manifest {
        layout_version: 99,
        ..whole
    };
    let refused = Manifest::parse(newer.sealed().to_text().as_bytes());
    assert!(matches!(refused, Err(EngineError::LayoutVersion { found: 99, .. })));
}

#[test]
fn deleting_a_layer_from_the_text_runs_a_shorter_model() {
    let bundle = copy();
    let path = bundle.path().join("q4_1/graph.nnef");
    let text = std::fs::read_to_string(&path).unwrap();
    let shorter: String = text
        .split("\n\n")
        .filter(|paragraph| !paragraph.contains("# layer 1"))
        .collect::<Vec<_>>()
        .join("\n\n");
    assert!(shorter.len() < text.len());
    std::fs::write(&path, shorter).unwrap();
    check_refused(bundle.path(), "edited but not sealed");
    let changed = seal(bundle.path()).unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].path, "q4_1/graph.nnef");
    verify(bundle.path()).unwrap();
    assert!(seal(bundle.path()).unwrap().is_empty(), "sealing twice changes nothing");

    let (whole, shorter) = (open(), open_with(bundle.path(), 1).unwrap());
    assert_eq!((whole.layers(), shorter.layers()), (3, 2));
    let logits = |model| {
        Session::new(&model, 32)
            .unwrap()
            .logits(&[5, 6, 7], &CancelFlag::default())
            .unwrap()
            .to_vec()
    };
    assert_ne!(logits(whole), logits(shorter));
}

/// Seals a bundle whose graph text was changed by `edit`; opening it must fail with a reason that contains `expected`.
fn check_graph(edit: impl Fn(&str) -> String, expected: &str) {
    let bundle = copy();
    let path = bundle.path().join("q4_1/graph.nnef");
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = edit(&text);
    assert_ne!(edited, text, "the edit for {expected:?} did something");
    std::fs::write(&path, edited).unwrap();
    seal(bundle.path()).unwrap();
    match open_with(bundle.path(), 1) {
        Err(EngineError::Graph { reason }) => assert!(reason.contains(expected), "{expected:?} is not in {reason:?}"),
        other => panic!("{expected}: {other:?}"),
    }
}

#[test]
fn a_graph_that_cannot_run_is_refused_with_its_reason() {
    check_graph(
        |text| text.replacen("blk.0.attn_q\"", "blk.9.attn_q\"", 1),
        "blk.9.attn_q",
    );
    check_graph(
        |text| text.replacen("weights = \"blk.0.ffn_down\"", "weights = \"blk.0.attn_q\"", 1),
        "blk.0.attn_q",
    );
    check_graph(
        |text| text.replacen("whimbrel_gate_up", "whimbrel_other", 1),
        "whimbrel_other",
    );
    check_graph(|text| text.replacen("whimbrel_gate_up", "conv", 1), "conv");
    check_graph(
        |text| text.replacen("ffn_up\");", "ffn_up\", activation = \"tanh\");", 1),
        "activation is \"tanh\"",
    );
    check_graph(|text| text.replacen("layer = 1,", "layer = 0,", 1), "layer = 0");
    check_graph(|text| text.replacen("heads = 4,", "heads = 3,", 1), "[T, 96]");
    check_graph(|text| text.replace(", last = true", ""), "last = true");
    check_graph(
        |text| text.replace("tract_registry whimbrel", "tract_registry other"),
        "other",
    );
    check_graph(
        |text| text.replacen("whimbrel_rms_norm(x,", "whimbrel_rms_norm((((x))),", 1),
        "nest",
    );
    check_graph(
        |text| text.replacen("whimbrel_rms_norm(x,", "whimbrel_rms_norm(x + x,", 1),
        "plain calls",
    );
    check_graph(
        |text| text.replacen("x = whimbrel_embedding", "x = h + whimbrel_embedding", 1),
        "call",
    );
    check_graph(|_| "hello".to_owned(), "");
}

#[test]
fn hostile_graph_texts_are_refused_before_they_are_parsed() {
    let graph = |body: &str| format!("version 1.0;\ngraph a(x) -> (y) {{ {body} }}");
    for (what, text) in [
        ("long", " ".repeat(GRAPH_BYTES_MAX + 1)),
        ("nested", graph(&format!("y = {}x{};", "(".repeat(40), ")".repeat(40)))),
        (
            "nested lists",
            graph(&format!("y = f({}x{});", "[".repeat(40), "]".repeat(40))),
        ),
        ("long sum", graph(&format!("y = {};", vec!["x"; 100_000].join("+")))),
        (
            "long chain",
            graph(&format!("y = {}x;", "-".repeat(GRAPH_STATEMENT_BYTES_MAX))),
        ),
        ("chain of signs", graph(&format!("y = {}1;", "-1".repeat(400)))),
        (
            "chain of conditions",
            graph(&format!("y = {}x;", "x if x else ".repeat(80))),
        ),
        ("chain of comparisons", graph(&format!("y = {}x;", "x>=".repeat(300)))),
        ("conditions", graph(&format!("y = {}x;", "x if x else ".repeat(1000)))),
        (
            "fragments",
            "version 1.0;\nfragment f(x: tensor<scalar>) -> (y: tensor<scalar>) { y = f(x); }\n".to_owned()
                + "graph a(x) -> (y) { y = f(x); }",
        ),
        ("empty", String::new()),
    ] {
        assert!(
            matches!(check_graph_text(&text), Err(EngineError::Graph { .. })),
            "{what}"
        );
    }
    let own = std::fs::read_to_string(support::tiny().join("q4_1/graph.nnef")).unwrap();
    check_graph_text(&own).unwrap();
}

#[test]
fn an_unreadable_or_absent_bundle_is_named() {
    let missing = open_with(Path::new("no/such/folder"), 1).unwrap_err();
    assert!(matches!(&missing, EngineError::BundleMissing { path, .. } if path.ends_with("no/such/folder")));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        open_with(empty.path(), 1),
        Err(EngineError::BundleMissing { .. })
    ));
    let file = empty.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(matches!(open_with(&file, 1), Err(EngineError::BundleMissing { .. })));
}
