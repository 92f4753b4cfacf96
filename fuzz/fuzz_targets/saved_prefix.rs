//! Saved prefixes: the input as it is, and the input laid over a good one whose checksum is made to fit again.

#![no_main]

use std::path::Path;
use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use whimbrel_engine::{CancelFlag, Model, OpenOptions, SavedPrefix, Session};

const HASH_BYTES: usize = 32;
const CONTEXT_LENGTH: u32 = 128;

fn good() -> &'static (Arc<Model>, Vec<u8>) {
    static GOOD: OnceLock<(Arc<Model>, Vec<u8>)> = OnceLock::new();
    GOOD.get_or_init(|| {
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared-models/tiny");
        let options = OpenOptions {
            threads: 1,
            ..OpenOptions::default()
        };
        let model = Model::open(&tiny, &options).expect("the tiny bundle is whole");
        let mut session = Session::new(&model, CONTEXT_LENGTH).expect("the context is short");
        session
            .prefill(&[5, 6, 7], &CancelFlag::default())
            .expect("the tokens exist");
        let saved = session.save_prefix(3, b"note").expect("the note is short");
        (model, saved)
    })
}

fn check(bytes: &[u8], model: &Arc<Model>) {
    let Ok(saved) = SavedPrefix::parse(bytes, model) else {
        return;
    };
    let mut session = Session::new(model, CONTEXT_LENGTH).expect("the context is short");
    if session.restore_prefix(&saved).is_ok() {
        assert_eq!(session.tokens(), saved.tokens());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (model, good) = good();
    check(bytes, model);
    let mut mixed = good.clone();
    let end = mixed.len() - HASH_BYTES;
    for (byte, change) in mixed[..end].iter_mut().zip(bytes) {
        *byte ^= change;
    }
    let hash = blake3::hash(&mixed[..end]);
    mixed[end..].copy_from_slice(hash.as_bytes());
    check(&mixed, model);
});
