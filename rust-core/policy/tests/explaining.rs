//! What an explanation looks like, in words and as JSON: both are read by people and tools, so a change of them shows here.
#![allow(clippy::unwrap_used)]

mod support;

use support::{ENDPOINTS, Scene, content};
use whimbrel_policy::explain;
use whimbrel_privacy::{FindingKind, PrivacyClass};
use whimbrel_record::Signal;

const APP: &str = r#"
version = 1
name = "app"
currency = "EUR"
order = "quality"
otherwise = ["on_device", "redact_then_remote:*", "queue"]
[[rules]]
id = "hot"
when = { thermal = { min = "serious" } }
unknown = "matches"
deny = ["on_device"]
[[rules]]
id = "cold"
when = { thermal = { max = "fair" }, class = { max = "public" } }
try = ["remote:*"]
[[rules]]
id = "names"
when = { findings = ["person_name"] }
try = ["on_device", "remote:*", "redact_then_remote:*", "queue"]
[[rules]]
id = "never"
try = ["system_model"]
"#;

const USER: &str = r#"
version = 1
name = "mine"
role = "user"
[[rules]]
id = "no-cloud"
deny = ["trust:public_cloud"]
"#;

fn scene() -> Scene {
    let mut scene = Scene::new(&format!("{APP}{ENDPOINTS}"), Some(USER));
    scene.content = content(PrivacyClass::Public, &[(FindingKind::PersonName, 2)]);
    scene.report(|update| update.thermal = None.into());
    scene
        .learned
        .record("chat", "remote:house", Signal::ThumbsUp, support::NOW_MS);
    scene.learned.set_mode(whimbrel_policy::LearningMode::Frozen);
    scene
}

#[track_caller]
fn check(found: &str, expected: &str) {
    assert_eq!(found, expected, "\n{found}");
}

#[test]
fn in_words() {
    check(&explain(&scene().input()).to_string(), include_str!("explanation.txt"));
}

#[test]
fn as_json() {
    let json = serde_json::to_string_pretty(&explain(&scene().input())).unwrap() + "\n";
    check(&json, include_str!("explanation.json"));
}
