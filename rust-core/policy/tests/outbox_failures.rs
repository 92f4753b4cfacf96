//! The table of failures: what can help after every HTTP status and every code. `UPDATE_SNAPSHOTS=1` writes it again.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::Path;

use whimbrel_policy::outbox::{Remedy, remedy_of_code, remedy_of_status};
use whimbrel_record::Code;

fn word(remedy: Remedy) -> String {
    serde_json::to_value(remedy).unwrap().as_str().unwrap().to_owned()
}

fn table() -> String {
    let mut table =
        String::from("# What can help after a failure: network, time, settings, user. See docs/outbox.md.\n");
    for status in 100..=599 {
        writeln!(table, "{status} {}", word(remedy_of_status(status))).unwrap();
    }
    for code in Code::ALL {
        writeln!(table, "{code} {}", word(remedy_of_code(*code))).unwrap();
    }
    table
}

#[test]
fn every_status_and_every_code_is_as_in_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outbox_failures.txt");
    let found = table();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), found);
}

#[test]
fn what_must_never_be_permanent() {
    for status in [408, 421, 425, 429].into_iter().chain(500..=599) {
        assert!(remedy_of_status(status).is_automatic(), "{status}");
    }
    for status in [401, 402, 403, 404, 407] {
        assert_eq!(remedy_of_status(status), Remedy::Settings, "{status}");
    }
    for status in [0, 99, 600, 999, u16::MAX] {
        assert!(remedy_of_status(status).is_automatic(), "{status} is not a status");
    }
}
