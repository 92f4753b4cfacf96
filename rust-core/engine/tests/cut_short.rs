//! Weights that are cut short while they are mapped: a typed error where the program asked for it, the end of the process elsewhere.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]
#![cfg(unix)]

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use whimbrel_engine::{CancelFlag, EngineError, Model, OpenOptions, Session, catch_cut_weights, verify};

/// Makes this test program act as a process that did not ask for the handler.
const CHILD: &str = "WHIMBREL_TEST_CHILD";

/// A copy of the tiny bundle in a folder.
fn copy(folder: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny");
    let to = folder.join("tiny");
    let mut files = vec!["manifest.json".to_owned()];
    files.extend(verify(&from).unwrap().files().iter().map(|file| file.path.clone()));
    for file in files {
        fs::create_dir_all(to.join(&file).parent().unwrap()).unwrap();
        fs::copy(from.join(&file), to.join(&file)).unwrap();
    }
    to
}

/// Runs a token, cuts the weights short, and runs another one.
fn run_and_cut(bundle: &Path) -> Result<(), EngineError> {
    let model = Model::open(bundle, &OpenOptions::default()).unwrap();
    let mut session = Session::new(&model, 64).unwrap();
    session.logits(&[1], &CancelFlag::default()).unwrap();
    File::create(bundle.join(&model.variant().weights.path)).unwrap();
    session.logits(&[2], &CancelFlag::default()).map(drop)
}

#[test]
fn an_answer_fails_by_name_and_other_models_go_on() {
    let desk = tempfile::tempdir().unwrap();
    catch_cut_weights();
    catch_cut_weights();
    let other = Model::open(&copy(&desk.path().join("other")), &OpenOptions::default()).unwrap();
    for _ in 0..3 {
        match run_and_cut(&copy(desk.path())) {
            Err(EngineError::Corrupt { file, reason }) => {
                assert_eq!(
                    (file.as_str(), reason.as_str()),
                    ("q4_1/weights.bin", "it was truncated while in use")
                );
            }
            found => panic!("{found:?}"),
        }
    }
    let mut session = Session::new(&other, 64).unwrap();
    session.logits(&[1], &CancelFlag::default()).unwrap();
}

#[test]
fn without_the_handler_the_process_ends() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let _ = run_and_cut(&copy(Path::new(&folder)));
        return;
    }
    let desk = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "without_the_handler_the_process_ends"])
        .env(CHILD, desk.path())
        .status()
        .unwrap();
    const SIGBUS: [i32; 2] = [7, 10];
    assert!(
        status.signal().is_some_and(|signal| SIGBUS.contains(&signal)),
        "{status:?}"
    );
}
