//! The committed test bundle: it is what its recipe makes, and its graph really is what runs.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::PathBuf;

use support::files;
use whimbrel_engine::{Model, OpenOptions, Session, seal, verify};
use whimbrel_forge::synthetic::import_tiny;

fn committed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny")
}

#[test]
fn making_it_again_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("tiny");
    import_tiny(&made, false).unwrap();
    let contents = |folder: &PathBuf| -> Vec<(PathBuf, Vec<u8>)> {
        let relative = |(path, content): (PathBuf, Vec<u8>)| (path.strip_prefix(folder).unwrap().to_owned(), content);
        files(folder).into_iter().map(relative).collect()
    };
    for ((path, made), (expected_path, expected)) in contents(&made).into_iter().zip(contents(&committed())) {
        assert_eq!(path, expected_path);
        assert!(made == expected, "{} differs: run the example `tiny`", path.display());
    }
    assert_eq!(files(&made).len(), files(&committed()).len());
}

#[test]
fn it_is_small_and_whole() {
    let bytes: usize = files(&committed()).iter().map(|(_, content)| content.len()).sum();
    assert!(bytes <= 2 << 20, "{bytes} bytes");
    verify(&committed()).unwrap();
}

#[test]
fn a_layer_deleted_from_the_graph_is_a_layer_less() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("tiny");
    import_tiny(&bundle, false).unwrap();
    let open = || {
        Model::open(
            &bundle,
            &OpenOptions {
                threads: 1,
                ..OpenOptions::default()
            },
        )
    };
    let logits = |model| {
        let mut session = Session::new(model, 16).unwrap();
        session
            .logits(&[300, 301, 302], &whimbrel_engine::CancelFlag::default())
            .unwrap()
            .to_vec()
    };
    let model = open().unwrap();
    assert_eq!(model.layers(), 3);
    let whole = logits(&model);

    let graph = bundle.join("q4_1/graph.nnef");
    let text = std::fs::read_to_string(&graph).unwrap();
    let (first, rest) = text.split_once("  # layer 1\n").unwrap();
    let (_, last) = rest.split_once("  # layer 2\n").unwrap();
    std::fs::write(&graph, format!("{first}  # layer 2\n{last}")).unwrap();
    assert!(open().is_err(), "an edited bundle is refused until it is sealed");
    seal(&bundle).unwrap();
    let model = open().unwrap();
    assert_eq!(model.layers(), 2);
    assert!(logits(&model) != whole);
}
