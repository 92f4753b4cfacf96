//! The tiny bundle, opened or copied.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use whimbrel_engine::{Chat, EngineError, Model, OpenOptions, RECORD_FILE, Statistics, Step};

pub(crate) fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny")
}

/// SmolLM2, which `make test-data` prepares.
pub(crate) fn smollm2() -> PathBuf {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let folder = path("WHIMBREL_TEST_DATA").unwrap_or_else(|| {
        let cache = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")));
        cache.unwrap().join("whimbrel/test-data")
    });
    let folder = folder.join("smollm2");
    assert!(folder.is_dir(), "{} is missing: run `make test-data`", folder.display());
    folder
}

pub(crate) fn open_with(folder: &Path, threads: u32) -> Result<Arc<Model>, EngineError> {
    Model::open(
        folder,
        &OpenOptions {
            threads,
            ..OpenOptions::default()
        },
    )
}

pub(crate) fn open() -> Arc<Model> {
    open_with(&tiny(), 1).unwrap()
}

/// A copy of the tiny bundle that a test may damage.
pub(crate) fn copy() -> tempfile::TempDir {
    let target = tempfile::tempdir().unwrap();
    copy_folder(&tiny(), target.path());
    target
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if is_record(&entry.path()) {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Whether a file is what another test remembers of the bundle, and may vanish at any time.
fn is_record(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(RECORD_FILE))
}

/// Every file of a bundle, relative.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else if !is_record(&path) {
                found.push(path.strip_prefix(folder).unwrap().to_owned())
            }
        }
    }
    found.sort();
    found
}

/// Runs an answer to its end.
pub(crate) fn finish(chat: &mut Chat) -> (String, Statistics) {
    let mut text = String::new();
    loop {
        match chat.step().unwrap() {
            Step::Prefilled { .. } => (),
            Step::Text(piece) => text += &piece,
            Step::Finished { text: rest, statistics } => return (text + &rest, statistics),
        }
    }
}
