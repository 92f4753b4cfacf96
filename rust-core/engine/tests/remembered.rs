//! What is remembered of verified files: nothing is hashed twice, and nothing that changed is taken for verified.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use support::copy;
use whimbrel_engine::{EngineError, RECORD_FILE, Verify, verify_and_remember};

/// A copy whose files are old enough to be remembered: another file got a later time.
fn settled() -> tempfile::TempDir {
    let bundle = copy();
    settle(bundle.path());
    bundle
}

/// Waits until the file system's clock has moved on from the bundle's last change.
fn settle(folder: &Path) {
    let last = || {
        std::fs::metadata(folder.join("clock"))
            .and_then(|file| file.modified())
            .unwrap()
    };
    std::fs::write(folder.join("clock"), "").unwrap();
    let first = last();
    while last() == first {
        std::fs::write(folder.join("clock"), "tick").unwrap();
    }
    std::fs::remove_file(folder.join("clock")).unwrap();
}

fn open(folder: &Path, verify: Verify, state: Option<&Path>) -> Result<(), EngineError> {
    verify_and_remember(folder, verify, state).map(drop)
}

/// Paths in a record.
fn remembered(record: &Path) -> Vec<String> {
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    let files = record["files"].as_array().unwrap();
    files
        .iter()
        .map(|file| file["path"].as_str().unwrap().to_owned())
        .collect()
}

/// Changes a byte and gives the file its old times back, as far as a program can.
fn flip(path: &Path) {
    let times = std::fs::metadata(path).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let times = std::fs::FileTimes::new().set_modified(times.modified().unwrap());
    std::fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_times(times)
        .unwrap();
}

#[test]
fn every_file_is_remembered_and_its_change_is_seen() {
    let bundle = settled();
    let record = bundle.path().join(RECORD_FILE);
    open(bundle.path(), Verify::Remembered, None).unwrap();
    let files = remembered(&record);
    assert_eq!(files.len(), 5, "{files:?}");
    let before = std::fs::metadata(&record).unwrap().modified().unwrap();
    open(bundle.path(), Verify::Remembered, None).unwrap();
    let after = std::fs::metadata(&record).unwrap().modified().unwrap();
    assert_eq!(before, after, "nothing was verified, so nothing was written");
    for file in files {
        let path = bundle.path().join(&file);
        flip(&path);
        for verify in [Verify::Remembered, Verify::Always] {
            let refused = open(bundle.path(), verify, None);
            assert!(
                matches!(&refused, Err(EngineError::Corrupt { file: found, .. }) if *found == file),
                "{file}: {refused:?}"
            );
        }
        flip(&path);
        open(bundle.path(), Verify::Remembered, None).unwrap();
    }
    assert_eq!(
        support::files(bundle.path()).len(),
        6,
        "nothing but the bundle and its record is left"
    );
}

#[test]
fn a_record_that_is_broken_foreign_or_missing_remembers_nothing() {
    let bundle = settled();
    let record = bundle.path().join(RECORD_FILE);
    open(bundle.path(), Verify::Remembered, None).unwrap();
    let good = std::fs::read_to_string(&record).unwrap();
    let other = settled();
    open(other.path(), Verify::Remembered, None).unwrap();
    let foreign = std::fs::read_to_string(other.path().join(RECORD_FILE)).unwrap();
    flip(&bundle.path().join("tokenizer.bin"));
    for (what, text) in [
        ("good", good.clone()),
        ("foreign", foreign),
        ("cut", good[..good.len() / 2].to_owned()),
        ("empty", String::new()),
        ("of another version", good.replace("\"version\": 1", "\"version\": 2")),
        (
            "with an unknown field",
            good.replace("\"version\"", "\"more\": 1, \"version\""),
        ),
        ("too long", format!("{good}{}", " ".repeat(1 << 20))),
    ] {
        std::fs::write(&record, text).unwrap();
        let refused = open(bundle.path(), Verify::Remembered, None);
        assert!(
            matches!(refused, Err(EngineError::Corrupt { .. })),
            "{what}: {refused:?}"
        );
    }
    std::fs::remove_file(&record).unwrap();
    assert!(open(bundle.path(), Verify::Remembered, None).is_err(), "missing");
}

#[test]
fn a_bundle_that_cannot_be_written_is_remembered_elsewhere() {
    let bundle = settled();
    // A folder in the record's place is in the way of everybody, also of one who may write everywhere.
    let _ = std::fs::remove_file(bundle.path().join(RECORD_FILE));
    std::fs::create_dir_all(bundle.path().join(RECORD_FILE)).unwrap();
    settle(bundle.path());
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("not made yet");
    open(bundle.path(), Verify::Remembered, Some(&folder)).unwrap();
    let mut records = std::fs::read_dir(&folder).unwrap();
    let record = records.next().unwrap().unwrap().path();
    assert!(records.next().is_none());
    assert_eq!(remembered(&record).len(), 5);
    flip(&bundle.path().join("tokenizer.bin"));
    assert!(open(bundle.path(), Verify::Remembered, Some(&folder)).is_err());
}
