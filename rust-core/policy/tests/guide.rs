//! `docs/policy.md`: its examples are policies, its first one does what the text below it says, and it names every field of the schema.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{ENDPOINTS, Scene, content, names};
use whimbrel_policy::{Format, Network, Policy, PolicyRole, PolicySet, Preset};
use whimbrel_privacy::{FindingKind, PrivacyClass};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// The examples in this language, in the order of the guide.
fn examples(language: &str) -> Vec<String> {
    let guide = read("docs/policy.md");
    let blocks = guide.split("\n```").skip(1).step_by(2);
    blocks
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n').map(str::to_owned))
        .collect()
}

#[test]
fn its_examples_are_policies() {
    let toml = examples("toml");
    assert!(toml.len() >= 5);
    let whole = |text: &String| match text.starts_with("version") {
        true => text.clone(),
        false => format!("version = 1\nname = \"part\"\n{ENDPOINTS}\n{text}"),
    };
    let parse = |text: &String| Policy::parse(text, Format::Toml).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let policies: Vec<Policy> = toml.iter().map(whole).map(|text| parse(&text)).collect();
    let app = Preset::Balanced.policy(ENDPOINTS).unwrap();
    for policy in policies {
        match policy.role() {
            PolicyRole::App => PolicySet::new(policy, None).unwrap(),
            PolicyRole::User => PolicySet::new(app.clone(), Some(policy)).unwrap(),
        };
    }
    let json: Vec<_> = examples("json")
        .iter()
        .map(|text| Policy::parse(text, Format::Json).unwrap())
        .collect();
    let last_toml = parse(toml.last().unwrap());
    assert_eq!(json, [last_toml]);
}

#[test]
fn its_first_example_does_what_it_says() {
    let check = |tokens, class, findings: &[(FindingKind, u32)], expected: &[&str], waits| {
        let mut scene = Scene::new(&examples("toml")[0], None);
        scene.request.task = "summarise".to_owned();
        scene.request.prompt_tokens = tokens;
        scene.content = content(class, findings);
        let plan = scene.route();
        assert_eq!(
            (names(&plan), plan.deferred.is_some()),
            (expected.iter().map(|name| (*name).to_owned()).collect(), waits),
            "{plan}"
        );
    };
    let (here, house) = ("on_device:smollm2/q4_1", "remote:house");
    let redacted = "redact_then_remote:house";
    check(1500, PrivacyClass::Public, &[], &[house, here], false);
    check(
        1500,
        PrivacyClass::Public,
        &[(FindingKind::PersonName, 1)],
        &[here, redacted],
        true,
    );
    check(1500, PrivacyClass::Public, &[(FindingKind::ApiKey, 1)], &[here], true);
    check(1499, PrivacyClass::Public, &[], &[here], false);
}

#[test]
fn the_users_example_keeps_text_in_while_the_app_is_behind() {
    let app = format!("version = 1\nname = \"app\"\notherwise = [\"remote:*\", \"on_device\"]\n{ENDPOINTS}");
    let user = examples("toml").pop().unwrap();
    let mut scene = Scene::new(&app, Some(&user));
    let count = |scene: &Scene| scene.route().candidates.len();
    assert_eq!(count(&scene), 3);
    for foreground in [Some(false), None] {
        scene.report(|update| update.foreground = foreground.into());
        assert_eq!(count(&scene), 1);
    }
    scene.report(|update| update.network = Network::None.into());
    assert_eq!(count(&scene), 1);
}

#[test]
fn it_names_every_field_and_word_of_the_schema() {
    fn words(schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Object(table) => {
                if let Some(fields) = table.get("properties").and_then(Value::as_object) {
                    found.extend(fields.keys().cloned());
                }
                if let Some(Value::Array(names)) = table.get("enum") {
                    found.extend(names.iter().map(|name| name.as_str().unwrap().to_owned()));
                }
                table.values().for_each(|inner| words(inner, found));
            }
            Value::Array(list) => list.iter().for_each(|inner| words(inner, found)),
            _ => {}
        }
    }
    let schema: Value = serde_json::from_str(&read("shared-models/schemas/policy.schema.json")).unwrap();
    let mut found = Vec::new();
    words(&schema, &mut found);
    assert!(found.len() > 80);
    let guide = read("docs/policy.md");
    let is_missing = |word: &&String| !guide.contains(&format!("`{word}`")) && !guide.contains(&format!("{word} ="));
    let missing: Vec<_> = found.iter().filter(is_missing).collect();
    assert_eq!(missing, Vec::<&String>::new());
}
