//! Exports: lines that an outsider can check, and every change of one is found. Also the snapshots of what a receipt looks like.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use support::{NOW_MS, answered_here, answered_in_the_cloud, intent, open, vault};
use whimbrel_record::{
    Closing, ENTRY_DOMAIN, ExportReport, FinishReason, Outcome, Problem, Signal, decode_closing, decode_intent,
    verify_export,
};
use whimbrel_store::{Filter, KeyVault, MemoryVault, Prune, Store, seal_keys};

/// Entries 3 to 9 behind a checkpoint.
fn exported() -> (String, Arc<MemoryVault>) {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault();
    let store: Store = open(&folder.path().join("store.db"), &vault);
    let ledger = store.ledger();
    ledger.record(&intent(1), &answered_here(), NOW_MS).unwrap();
    let all = Prune {
        receipts_max: Some(0),
        ..Prune::default()
    };
    ledger.prune(&all, NOW_MS).unwrap();
    ledger.record(&intent(2), &answered_in_the_cloud(), NOW_MS + 2).unwrap();
    ledger
        .record(&intent(3), &Closing::new(Outcome::Denied), NOW_MS + 3)
        .unwrap();
    ledger.record(&intent(4), &answered_here(), NOW_MS + 4).unwrap();
    let mut text = Vec::new();
    ledger.export(&mut text, NOW_MS + 5).unwrap();
    (String::from_utf8(text).unwrap(), vault)
}

fn check(text: &str, vault: Option<&dyn KeyVault>) -> ExportReport {
    let keys = vault.and_then(|vault| seal_keys(vault).unwrap());
    verify_export(&mut text.as_bytes(), keys.as_ref()).unwrap()
}

#[test]
fn an_export_holds_with_and_without_the_key() {
    let (text, vault) = exported();
    let report = check(&text, Some(&*vault));
    assert!(report.is_intact() && report.seals_checked, "{report:?}");
    assert_eq!((report.exported_ms, report.report.receipts), (NOW_MS + 5, 3));
    assert_eq!(report.report.checkpoint.unwrap().receipts, 1);
    let report = check(&text, None);
    assert!(report.is_intact() && !report.seals_checked, "{report:?}");
    let stranger = MemoryVault::new();
    let report = check(&text, Some(&stranger));
    assert!(report.is_intact() && !report.seals_checked, "{report:?}");
}

/// The check as `docs/ledger.md` describes it, with a JSON reader and BLAKE3 and nothing of the store.
#[test]
fn an_outsider_can_check_an_export() {
    let (text, _) = exported();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (first, rest) = lines.split_first().unwrap();
    let (last, entries) = rest.split_last().unwrap();
    let mut previous = first["checkpoint"]["hash"].as_str().unwrap().to_owned();
    for entry in entries {
        let string = |name: &str| entry[name].as_str().unwrap();
        let hashed = format!(
            "{ENTRY_DOMAIN}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{previous}\n{}",
            entry["sequence"],
            string("kind"),
            entry["receipt"],
            entry["time_ms"],
            string("outcome"),
            string("place"),
            entry["format"],
            string("body"),
        );
        previous = blake3::hash(hashed.as_bytes()).to_hex().to_string();
        assert_eq!(string("hash"), previous);
    }
    assert_eq!(last["hash"], previous.as_str());
    assert_eq!(last["last_sequence"], 9);
}

#[test]
fn every_changed_byte_of_an_export_is_found() {
    let (text, vault) = exported();
    let bytes = text.as_bytes();
    // When it was exported is not sealed: a copy may be made at any time.
    let time = text.find(&(NOW_MS + 5).to_string()).unwrap();
    let keys = seal_keys(&*vault).unwrap();
    for at in 0..bytes.len() {
        for mask in [1u8, 32] {
            let mut changed = bytes.to_vec();
            changed[at] ^= mask;
            let report = verify_export(&mut &changed[..], keys.as_ref()).unwrap();
            let expected = (time..time + 13).contains(&at) && report.bad_line.is_none();
            assert_eq!(
                report.is_intact() && report.seals_checked,
                expected,
                "byte {at} ^ {mask}: {report:?}"
            );
        }
    }
}

#[test]
fn lines_that_are_gone_moved_or_added_are_found() {
    let (text, vault) = exported();
    let lines: Vec<&str> = text.lines().collect();
    let check = |what: &str, order: &[usize], expected: Option<&[Problem]>, bad_line: Option<u64>| {
        let text: String = order.iter().map(|line| format!("{}\n", lines[*line])).collect();
        let report = check(&text, Some(&*vault));
        assert_eq!(report.bad_line, bad_line, "{what}: {report:?}");
        if let Some(expected) = expected {
            assert_eq!(report.report.problems, expected, "{what}");
        }
        assert!(!report.is_intact(), "{what}");
    };
    assert_eq!(lines.len(), 9);
    let missing = Problem::Missing { first: 5, last: 5 };
    check("one is gone", &[0, 1, 2, 4, 5, 6, 7, 8], Some(&[missing]), None);
    let cut = Problem::TailCut { found: 8, sealed: 9 };
    check("the last entry is gone", &[0, 1, 2, 3, 4, 5, 6, 8], Some(&[cut]), None);
    check("the end is gone", &[0, 1, 2, 3, 4, 5, 6, 7], None, Some(9));
    check("the beginning is gone", &[1, 2, 3, 4, 5, 6, 7, 8], None, Some(1));
    check("two are swapped", &[0, 1, 3, 2, 4, 5, 6, 7, 8], None, None);
    check("one is twice", &[0, 1, 2, 2, 3, 4, 5, 6, 7, 8], None, None);
    check("more behind the end", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 7], None, Some(10));
    check("nothing", &[], None, Some(1));
}

/// What a receipt looks like to whoever reads the JSON: a change of a name shows here.
#[test]
fn a_receipt_in_json_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder.path().join("store.db"), &vault()).ledger();
    let id = ledger.record(&intent(1), &answered_in_the_cloud(), NOW_MS).unwrap();
    ledger
        .feedback(id, Signal::Kept { edited_permille: 30 }, NOW_MS + 1)
        .unwrap();
    let on_device = json!({
        "kind": "on_device", "model": "SmolLM2-135M-Instruct", "variant": "q4_1", "hash": "ab".repeat(32),
    });
    let cloud = json!({
        "kind": "remote", "endpoint": "cloud-eu", "trust": "public_cloud", "model": "large-1",
    });
    let expected = json!({
        "id": 1,
        "opened_ms": NOW_MS,
        "closed_ms": NOW_MS,
        "outcome": "answered",
        "place": cloud,
        "bytes_out": 498,
        "bytes_out_uncertain": 0,
        "bytes_in": 2210,
        "intent": {
            "request": "request-1",
            "task": "chat",
            "class": "personal",
            "rules": ["app:personal-stays-or-is-redacted"],
            "findings": { "email": 1 },
            "planned": [
                { "place": on_device, "rules": ["app:phone-first"] },
                {
                    "place": cloud,
                    "sent": "redacted",
                    "bytes_out_max": 512,
                    "rules": ["app:cloud-when-redacted", "user:cloud"],
                },
            ],
        },
        "closing": {
            "outcome": "answered",
            "attempts": [
                {
                    "place": on_device,
                    "ended": "failed",
                    "error": "out_of_memory",
                    "rules": ["app:phone-first"],
                    "milliseconds": 900,
                },
                {
                    "place": cloud,
                    "sent": "redacted",
                    "ended": "answered",
                    "rules": ["app:cloud-when-redacted", "user:cloud"],
                    "milliseconds": 640,
                    "bytes_out": 498,
                    "bytes_in": 2210,
                },
            ],
            "redacted": { "email": 1 },
            "tokens": { "input": 41, "output": 120 },
            "latency": { "queue_ms": 2, "first_token_ms": 110, "total_ms": 912 },
            "energy": { "millijoules": 5300, "method": "cpu-seconds-1" },
        },
        "feedback": [{ "time_ms": NOW_MS + 1, "signal": { "kind": "kept", "edited_permille": 30 } }],
        "sequences": [1, 2],
        "hashes": [
            "fe45a01a5cd2845e21e5dacbfa31c75c065f362aa4b54a7e951075a54ef11092",
            "d9dd147008012a703ff4693074bab88e034915ce491823d22641a033fc1c222a",
        ],
    });
    assert_eq!(serde_json::to_value(ledger.show(id).unwrap()).unwrap(), expected);
}

/// Only the canonical bytes are read back: another order, blanks, unknown fields, or a field that could have been left out are refused.
#[test]
fn only_canonical_bytes_are_read() {
    let check = |body: &str, good: bool| {
        assert_eq!(decode_intent(body.as_bytes()).is_some(), good, "{body}");
    };
    check(r#"{"request":"r","task":"chat","class":"public"}"#, true);
    check(
        r#"{"request":"r","task":"chat","class":"public","findings":{"email":2}}"#,
        true,
    );
    check(r#"{"task":"chat","request":"r","class":"public"}"#, false);
    check(r#"{"request":"r","task":"chat", "class":"public"}"#, false);
    check(r#"{"request":"r","task":"chat","class":"public","rules":[]}"#, false);
    check(
        r#"{"request":"r","task":"chat","class":"public","text":"hello"}"#,
        false,
    );
    check(r#"{"request":"r","task":"what is it?","class":"public"}"#, false);
    check(
        r#"{"request":"r","task":"chat","class":"public","findings":{"email":2,"email":2}}"#,
        false,
    );
    check("", false);
    let closing = r#"{"outcome":"denied","tokens":{"input":0,"output":0},"latency":{"queue_ms":0,"total_ms":0}}"#;
    assert!(decode_closing(closing.as_bytes()).is_some());
    assert!(decode_closing(closing.replace("denied", "answerd").as_bytes()).is_none());
}

#[test]
fn only_entries_with_new_fields_have_the_new_format() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault();
    let store = open(&folder.path().join("store.db"), &vault);
    let ledger = store.ledger();
    ledger.record(&intent(1), &answered_here(), NOW_MS).unwrap();
    let mut refused = intent(2);
    refused.history = vec![support::label("cloud-eu")];
    let mut cut_off = answered_here();
    cut_off.finish = Some(FinishReason::Length);
    ledger.record(&refused, &answered_here(), NOW_MS + 1).unwrap();
    ledger.record(&intent(3), &cut_off, NOW_MS + 2).unwrap();
    let mut called = answered_here();
    called.finish = Some(FinishReason::ToolCalls);
    called.calls.insert(support::label("weather"), 2);
    ledger.record(&intent(4), &called, NOW_MS + 3).unwrap();
    assert!(ledger.verify().unwrap().is_intact());
    let newest = ledger.list(&Filter::default(), 3).unwrap();
    assert_eq!(newest[0].closing.as_ref(), Some(&called));
    assert_eq!(newest[1].closing.as_ref(), Some(&cut_off));
    assert_eq!(newest[2].intent, refused);

    let mut text = Vec::new();
    ledger.export(&mut text, NOW_MS + 4).unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let formats: Vec<_> = lines.filter_map(|line| line.get("format")?.as_u64()).collect();
    assert_eq!(formats, [1, 1, 2, 1, 1, 2, 1, 5]);
    assert!(check(&text, Some(&*vault)).is_intact());

    // Calls are counted, also once their receipts are pruned.
    let calls = [(support::label("weather"), 2)].into();
    assert_eq!(ledger.stats(None, None).unwrap().calls, calls);
    let everything = Prune {
        receipts_max: Some(0),
        ..Prune::default()
    };
    let checkpoint = ledger.prune(&everything, NOW_MS + 5).unwrap().unwrap();
    assert_eq!(checkpoint.totals.calls, calls);
    assert!(ledger.verify().unwrap().is_intact());
}
