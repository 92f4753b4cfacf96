//! Tests that look inside a session.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use tract_nnef::internal::*;

use crate::graph::reference::{floats, ids_tensor};
use crate::graph::text::parse;
use crate::graph::typed_model;
use crate::{CancelFlag, Model, OpenOptions, Session};

/// Running the plan gives what tract's own executor gives, to the last bit.
#[test]
fn tracts_executor_gives_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny");
    let options = OpenOptions {
        threads: 1,
        ..OpenOptions::default()
    };
    let model = Model::open(&folder, &options).unwrap();
    let (text, weights) = Model::graph_and_weights(&folder, model.variant(), &options).unwrap();
    let typed = typed_model(parse(&text).unwrap(), &Arc::new(weights), None).unwrap();
    let plan = typed.into_optimized().unwrap().into_runnable().unwrap();
    let mut state = plan.spawn().unwrap();
    state.turn_state.shared.insert(model.run_context(64).unwrap());
    let ids: Vec<u32> = (0..40).map(|index| 20 + index * 37 % 700).collect();
    let logits = state.run(tvec!(ids_tensor(&ids).into_tvalue())).unwrap();
    let mut session = Session::new(&model, 64).unwrap();
    let expected = session
        .logits_after(&ids, ids.len() as u32, &CancelFlag::default())
        .unwrap();
    assert!(floats(&logits[0]).unwrap() == expected);
}
