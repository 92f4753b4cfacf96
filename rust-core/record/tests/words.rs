//! The words that are written down: their names, their table in the documentation, and the formats of receipts.
#![allow(clippy::unwrap_used)]

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use whimbrel_privacy::{FindingKind, PrivacyClass};
use whimbrel_record::{
    Attempt, AttemptEnd, CALLED_TOOLS_MAX, Closing, Code, FinishReason, Intent, Label, Outcome, Place, PlaceKind,
    ReceiptId, RecordError, Signal, decode_closing, decode_intent,
};

/// Every name in its order. A name is never changed and never taken away: receipts hold it.
const CODES: &str = "busy out_of_memory context_full closed engine quota_exceeded declined unavailable adapter key_vault key_missing key_unreadable stop unreachable not_loopback handshake certificate unauthorised not_found payment rate_limited server refused request_too_large unsupported_option no_thinking redirected circuit_open over_budget not_recorded protocol content_type malformed too_large request lost truncated reported ended timed_out no_first_token content_filter empty_answer cut_off not_in_form form tool_calls bad_call refusal history panicked did_not_stop not_begun no_endpoint endpoint_settings no_permit not_cleared asked_before internal deadline too_long";

#[test]
fn codes_keep_their_names() {
    let names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.join(" "), CODES);
    for code in Code::ALL {
        assert_eq!(Code::from_name(code.name()), Some(*code));
        assert_eq!(Label::from(*code), Label::new(code.name()).unwrap());
        let word = serde_json::to_value(code).unwrap();
        assert_eq!(word, json!(code.name()));
        assert_eq!(serde_json::from_value::<Code>(word).unwrap(), *code);
    }
    assert_eq!(Code::from_name("luck"), None);
    assert!(serde_json::from_value::<Code>(json!("luck")).is_err());
}

#[test]
fn the_documentation_lists_the_codes() {
    let page = include_str!("../../../docs/ledger.md");
    let table = page
        .split("\n## ")
        .find(|section| section.starts_with("Codes\n"))
        .unwrap();
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let row = |code: &Code| format!("| `{code}` | {} |", code.meaning());
    assert_eq!(rows, Code::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn words_are_their_names() {
    fn check<T: Copy + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
        all: &[T],
        name: fn(T) -> &'static str,
    ) {
        for word in all {
            let json = serde_json::to_value(word).unwrap();
            assert_eq!(json, Value::from(name(*word)));
            assert_eq!(serde_json::from_value::<T>(json).unwrap(), *word);
        }
    }
    check(&Outcome::ALL, Outcome::name);
    check(&AttemptEnd::ALL, AttemptEnd::name);
    check(&FinishReason::ALL, FinishReason::name);
    check(&PlaceKind::ALL, PlaceKind::name);
}

#[test]
fn signals_have_a_kind() {
    let check = |signal: Signal, expected: Value| {
        assert_eq!(serde_json::to_value(signal).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Signal>(expected).unwrap(), signal);
    };
    check(Signal::ThumbsUp, json!({"kind": "thumbs_up"}));
    check(Signal::ThumbsDown, json!({"kind": "thumbs_down"}));
    check(Signal::Regenerated, json!({"kind": "regenerated"}));
    check(Signal::Aborted, json!({"kind": "aborted"}));
    let kept = Signal::Kept { edited_permille: 120 };
    check(kept, json!({"kind": "kept", "edited_permille": 120}));
    check(Signal::SchemaFailed, json!({"kind": "schema_failed"}));
    check(Signal::EscalationAccepted, json!({"kind": "escalation_accepted"}));
}

fn label(name: &str) -> Label {
    Label::new(name).unwrap()
}

#[test]
fn new_fields_have_a_format_of_their_own() {
    let mut intent = Intent::new(label("r"), label("chat"), PrivacyClass::Public);
    let check = |intent: &Intent, format, expected: &str| {
        assert_eq!(intent.format(), format);
        assert_eq!(intent.encode().unwrap(), expected);
        assert_eq!(decode_intent(expected.as_bytes()).as_ref(), Some(intent));
    };
    check(&intent, 1, r#"{"request":"r","task":"chat","class":"public"}"#);
    intent.history = vec![label("cloud")];
    check(
        &intent,
        2,
        r#"{"request":"r","task":"chat","class":"public","history":["cloud"]}"#,
    );
    intent.history = vec![label("cloud"); 33];
    assert!(matches!(intent.encode(), Err(RecordError::TooMuch { found: 33, .. })));

    let mut closing = Closing::new(Outcome::Answered);
    let check = |closing: &Closing, format, more: &str| {
        let expected = format!(
            r#"{{"outcome":"answered","tokens":{{"input":0,"output":0}},"latency":{{"queue_ms":0,"total_ms":0}}{more}}}"#
        );
        assert_eq!(closing.format(), format);
        assert_eq!(closing.encode().unwrap(), expected);
        assert_eq!(decode_closing(expected.as_bytes()).as_ref(), Some(closing));
    };
    check(&closing, 1, "");
    closing.finish = Some(FinishReason::ContentFilter);
    check(&closing, 2, r#","finish":"content_filter""#);
    closing.repeated.insert(FindingKind::Email, 1);
    check(&closing, 3, r#","finish":"content_filter","repeated":{"email":1}"#);

    let mut closing = Closing::new(Outcome::Answered);
    closing.answered_before = Some(ReceiptId(7));
    check(&closing, 4, r#","answered_before":7"#);

    let mut closing = Closing::new(Outcome::Answered);
    closing.finish = Some(FinishReason::ToolCalls);
    check(&closing, 2, r#","finish":"tool_calls""#);
    closing.calls = [(label("weather"), 2), (label("mail.send"), 1)].into();
    check(
        &closing,
        5,
        r#","finish":"tool_calls","calls":{"mail.send":1,"weather":2}"#,
    );
    closing.repeated.insert(FindingKind::Email, 1);
    check(
        &closing,
        5,
        r#","finish":"tool_calls","repeated":{"email":1},"calls":{"mail.send":1,"weather":2}"#,
    );
    let names = |count: u32| (0..count).map(|number| (label(&format!("tool-{number}")), 1)).collect();
    closing.calls = names(CALLED_TOOLS_MAX);
    assert!(closing.encode().is_ok());
    closing.calls = names(CALLED_TOOLS_MAX + 1);
    assert!(matches!(closing.encode(), Err(RecordError::TooMuch { found: 65, .. })));
}

#[test]
fn a_tool_in_a_receipt_has_a_name_and_nothing_else() {
    let check = |calls: &str, is_accepted: bool| {
        let body = format!(
            r#"{{"outcome":"answered","tokens":{{"input":0,"output":0}},"latency":{{"queue_ms":0,"total_ms":0}},"calls":{calls}}}"#
        );
        assert_eq!(decode_closing(body.as_bytes()).is_some(), is_accepted, "{calls}");
    };
    check(r#"{"weather":1}"#, true);
    check(r#"{"mail to anna":1}"#, false);
    check(r#"{"weather":{"city":"Bonn"}}"#, false);
    check(r#"{"weather":1,"weather":1}"#, false);
    check(r#"{"weather":1,"mail":1}"#, false);
    check("{}", false);
}

#[test]
fn errors_are_read_back_as_codes() {
    let mut closing = Closing::new(Outcome::Failed);
    assert_eq!(closing.code(), None);
    closing.error = Some(Code::Deadline.into());
    assert_eq!(closing.code(), Some(Code::Deadline));
    let mut attempt = Attempt {
        place: Place::SystemModel { adapter: label("nano") },
        sent: None,
        ended: AttemptEnd::Failed,
        error: Some(Code::Busy.into()),
        rules: Vec::new(),
        milliseconds: 5,
        bytes_out: 0,
        bytes_in: 0,
    };
    assert_eq!(attempt.code(), Some(Code::Busy));
    // What a newer program may have written.
    attempt.error = Some(label("moon_phase"));
    assert_eq!(attempt.code(), None);
}
