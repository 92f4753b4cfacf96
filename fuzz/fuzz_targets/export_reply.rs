//! A collector's reply: whatever its bytes are, the status alone decides whether the message was taken.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_telemetry::export::{Reply, reply};

// The first two bytes are the status.
fuzz_target!(|data: &[u8]| {
    let Some((status, body)) = data.split_first_chunk() else {
        return;
    };
    let status = u16::from_be_bytes(*status);
    let expected = reply(status, &[]);
    match reply(status, body) {
        Reply::Accepted { rejected } => {
            assert!(matches!(expected, Reply::Accepted { rejected: 0 }));
            assert!(rejected <= i64::MAX as u64);
        }
        other => assert_eq!(other, expected),
    }
});
