//! The ledger: a stored receipt that is read is written as the same bytes, and an export is checked without a panic whatever it holds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_record::{decode_closing, decode_intent, verify_export};

fuzz_target!(|bytes: &[u8]| {
    if let Some(intent) = decode_intent(bytes) {
        assert_eq!(serde_json::to_vec(&intent).expect("records are JSON"), bytes);
    }
    if let Some(closing) = decode_closing(bytes) {
        assert_eq!(serde_json::to_vec(&closing).expect("records are JSON"), bytes);
    }
    let mut rest = bytes;
    let report = verify_export(&mut rest, None).expect("reading from memory does not fail");
    assert!(!report.seals_checked);
    assert_eq!(report.report.is_intact(), report.report.problems.is_empty());
});
