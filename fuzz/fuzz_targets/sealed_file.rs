//! Sealed files: one that was changed or cut anywhere gives what was written or an error, never anything else.

#![no_main]

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use whimbrel_store::{MemoryVault, SealedFiles, Store, StoreError};

const NAME: &str = "a";
const FILE_BYTES_MAX: u32 = 1 << 20;
/// Two chunks and a part of a third.
const CONTENT: &[u8] = &[7; 140_000];

struct Good {
    files: SealedFiles,
    path: PathBuf,
    bytes: Vec<u8>,
    _folder: TempDir,
}

fn good() -> &'static Good {
    static GOOD: OnceLock<Good> = OnceLock::new();
    GOOD.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("ledger.sqlite");
        let store = Store::open(&database, Arc::new(MemoryVault::default()), 0).expect("a store");
        let files = store.files("fuzz").expect("a purpose");
        files.put(NAME, CONTENT).expect("room for a file");
        let path = folder.path().join("ledger.sqlite.sealed").join(format!("fuzz.{NAME}"));
        let bytes = std::fs::read(&path).expect("it was written");
        Good {
            files,
            path,
            bytes,
            _folder: folder,
        }
    })
}

/// Reads these bytes in place of the file.
fn read(good: &Good, bytes: &[u8]) {
    std::fs::write(&good.path, bytes).expect("room for a file");
    match good.files.get(NAME, FILE_BYTES_MAX) {
        Ok(found) => assert_eq!((found.as_deref(), bytes), (Some(CONTENT), &good.bytes[..])),
        Err(StoreError::Sealed(_) | StoreError::Record(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

// The first bytes say where the changes begin and how much is cut off.
fuzz_target!(|bytes: &[u8]| {
    let good = good();
    read(good, bytes);
    let Some((places, changes)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let [start, cut] = [&places[..4], &places[4..]].map(|place| {
        let place = u32::from_le_bytes(place.try_into().expect("four bytes"));
        place as usize % good.bytes.len()
    });
    let mut mixed = good.bytes.clone();
    for (byte, change) in mixed[start..].iter_mut().zip(changes) {
        *byte ^= change;
    }
    mixed.truncate(good.bytes.len() - cut);
    read(good, &mixed);
});
