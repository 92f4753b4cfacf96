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

/// The numbers of a list such as `302 to 304, 307`.
fn numbers(list: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once(" to ").unwrap_or((part, part));
        first.trim().parse::<u16>().unwrap()..=last.trim().parse().unwrap()
    };
    list.split(',').flat_map(range).collect()
}

#[test]
fn the_page_has_the_same_table() {
    let page = include_str!("../../../docs/outbox.md");
    let (mut statuses, mut codes) = (Vec::new(), Vec::new());
    for remedy in [Remedy::Network, Remedy::Time, Remedy::Settings, Remedy::User] {
        let start = format!("| {} | ", word(remedy));
        let row = page.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
        let cells: Vec<_> = row.split(" | ").collect();
        statuses.extend(numbers(cells[0]).into_iter().map(|status| (status, remedy)));
        let of_row = cells[1].split(", ").map(|code| code.trim_matches('`'));
        codes.extend(of_row.map(|code| (Code::from_name(code).unwrap(), remedy)));
    }
    statuses.sort_unstable();
    codes.sort_unstable();
    let all_statuses: Vec<_> = (100..=599).map(|status| (status, remedy_of_status(status))).collect();
    let mut all_codes: Vec<_> = Code::ALL.iter().map(|code| (*code, remedy_of_code(*code))).collect();
    all_codes.sort_unstable();
    assert_eq!(statuses, all_statuses);
    assert_eq!(codes, all_codes);
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
