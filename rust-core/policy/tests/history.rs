//! A text that was kept from a recipient stays kept from it when later questions take it along, whatever their task, class or state.
#![allow(clippy::unwrap_used)]

mod support;

use support::{ENDPOINTS, Scene, content};
use whimbrel_policy::{Decision, Network, Recipients, Refusal};
use whimbrel_privacy::{FindingKind, PrivacyClass};

const POLICY: &str = r#"
version = 1
name = "app"
currency = "EUR"
otherwise = ["on_device", "remote:house", "redact_then_remote:cloud", "system_model"]
[tasks.diary]
otherwise = ["on_device"]
[[rules]]
id = "roaming"
when = { network = ["roaming"] }
deny = ["off_device"]
[[rules]]
id = "keys"
when = { findings = ["api_key"] }
deny = ["endpoint:house"]
"#;

fn scene() -> Scene {
    Scene::new(&format!("{POLICY}{ENDPOINTS}"), None)
}

/// Decides about a first exchange in this scene, then about a public one in an ordinary scene that takes it along.
#[track_caller]
fn check(first: &Scene, then: &[&str]) {
    let mut next = scene();
    next.history = vec![Recipients::Any.into(), first.route().recipients.into()];
    let names: Vec<_> = next
        .route()
        .candidates
        .iter()
        .map(|candidate| candidate.name())
        .collect();
    assert_eq!(names, then);
}

const LOCAL: &str = "on_device:smollm2/q4_1";

#[test]
fn what_kept_the_first_exchange_keeps_it_later() {
    check(
        &scene(),
        &[LOCAL, "remote:house", "redact_then_remote:cloud", "system_model:nano"],
    );
    let mut task = scene();
    task.request.task = "diary".into();
    check(&task, &[LOCAL]);
    let mut state = scene();
    state.report(|update| update.network = Network::Roaming.into());
    check(&state, &[LOCAL, "system_model:nano"]);
    let mut finding = scene();
    finding.content = content(PrivacyClass::Public, &[(FindingKind::ApiKey, 1)]);
    check(&finding, &[LOCAL, "system_model:nano"]);
    let mut class = scene();
    class.content = content(PrivacyClass::Sensitive, &[]);
    check(&class, &[LOCAL, "system_model:nano"]);
}

#[test]
fn what_merely_could_not_answer_then_may_answer_later() {
    let mut offline = scene();
    offline.report(|update| update.network = Network::None.into());
    check(
        &offline,
        &[LOCAL, "remote:house", "redact_then_remote:cloud", "system_model:nano"],
    );
}

#[test]
fn what_is_left_out_once_gains_nothing_by_it() {
    // Asked for elsewhere: the house answered before, and the text is too private for it now.
    let plan = scene().route();
    let house = plan
        .candidates
        .iter()
        .find(|candidate| candidate.name() == "remote:house");
    let mut again = scene();
    again.excluded = vec![house.unwrap().place().clone()];
    check(
        &again,
        &[LOCAL, "remote:house", "redact_then_remote:cloud", "system_model:nano"],
    );
    again.content = content(PrivacyClass::Sensitive, &[]);
    check(&again, &[LOCAL, "system_model:nano"]);
}

#[test]
fn a_denial_is_inherited_through_the_exchanges_between() {
    let mut diary = scene();
    diary.request.task = "diary".into();
    let mut between = scene();
    between.history = vec![diary.route().recipients.into()];
    check(&between, &[LOCAL]);
}

#[test]
fn another_server_under_the_same_name_is_another_recipient() {
    let first = scene().route().recipients;
    let moved = format!("{POLICY}{ENDPOINTS}").replace("llm.example.org", "llm.example.net");
    let mut next = Scene::new(&moved, None);
    next.history = vec![first.into()];
    let plan = next.route();
    assert!(
        plan.candidates
            .iter()
            .all(|candidate| candidate.name() != "remote:house")
    );
    let refused = plan
        .refused
        .iter()
        .find(|refused| refused.name == "remote:house")
        .unwrap();
    assert_eq!(refused.reason, Refusal::History { messages: 1 });
    assert_eq!(
        refused.reason.to_string(),
        "it may not see an earlier message of the conversation"
    );
}

#[test]
fn as_it_is_includes_redacted_and_not_the_other_way_round() {
    let with = |list: &str| {
        Scene::new(
            &format!("{}{ENDPOINTS}", POLICY.replace("\"remote:house\"", list)),
            None,
        )
    };
    for (first, then, is_allowed) in [
        ("\"remote:house\"", "\"redact_then_remote:house\"", true),
        ("\"redact_then_remote:house\"", "\"remote:house\"", false),
    ] {
        let mut next = with(then);
        next.history = vec![with(first).route().recipients.into()];
        let name = then.trim_matches('"');
        assert_eq!(
            next.route().candidates.iter().any(|candidate| candidate.name() == name),
            is_allowed,
            "{then}"
        );
    }
}

#[test]
fn when_the_history_leaves_nobody_it_is_a_denial() {
    let mut next = Scene::new(&format!("{}{ENDPOINTS}", POLICY.replace("\"on_device\", ", "")), None);
    next.history = vec![Recipients::nobody().into()];
    assert_eq!(next.route().decision, Decision::Denied);
}

#[test]
fn recipients_come_back_from_json_as_they_were() {
    for recipients in [Recipients::Any, Recipients::nobody(), scene().route().recipients] {
        let json = serde_json::to_string(&recipients).unwrap();
        assert_eq!(serde_json::from_str::<Recipients>(&json).unwrap(), recipients, "{json}");
    }
}
