//! Decisions, case by case: what is tried in which order, and what is refused for which reason.
#![allow(clippy::unwrap_used)]

mod support;

use support::{ENDPOINTS, NOW_MS, Scene, content, examine, local, names};
use whimbrel_policy::{Circuit, Decision, EndpointFacts, Network, Preset, Refusal, Thermal};
use whimbrel_privacy::{FindingKind, PrivacyClass, Release};

/// A policy of these lines with both endpoints.
fn app(lines: &str) -> String {
    format!("version = 1\nname = \"app\"\n{lines}\n{ENDPOINTS}")
}

fn user(lines: &str) -> String {
    format!("version = 1\nname = \"user\"\nrole = \"user\"\n{lines}\n")
}

#[track_caller]
fn check(scene: &Scene, expected: &[&str]) {
    let plan = scene.route();
    assert_eq!(names(&plan), expected, "{}", whimbrel_policy::explain(&scene.input()));
}

#[track_caller]
fn check_refused(scene: &Scene, name: &str, is_expected: impl Fn(&Refusal) -> bool) {
    let plan = scene.route();
    let refused = plan.refused.iter().find(|refused| refused.name == name);
    let reason = &refused
        .unwrap_or_else(|| panic!("{name} is not refused: {plan}"))
        .reason;
    assert!(is_expected(reason), "{reason:?}");
    assert!(!names(&plan).contains(&name.to_owned()));
}

const ALL: &str = r#"otherwise = ["on_device", "system_model", "remote:*", "redact_then_remote:*"]"#;
const ALL_NAMES: [&str; 6] = [
    "on_device:smollm2/q4_1",
    "system_model:nano",
    "remote:house",
    "remote:cloud",
    "redact_then_remote:house",
    "redact_then_remote:cloud",
];

#[test]
fn lists_are_tried_in_their_order() {
    check(&Scene::new(&app(""), None), &["on_device:smollm2/q4_1"]);
    check(&Scene::new(&app(ALL), None), &ALL_NAMES);
    let mut scene = Scene::new(&app(r#"otherwise = ["remote:cloud", "on_device", "remote:*"]"#), None);
    scene.candidates.local_models.push(local("other"));
    check(
        &scene,
        &[
            "remote:cloud",
            "on_device:smollm2/q4_1",
            "on_device:other/q4_1",
            "remote:house",
        ],
    );
}

#[test]
fn the_first_rule_with_a_list_that_matches_decides() {
    let rules = r#"
        [[rules]]
        id = "long"
        when = { prompt_tokens = { min = 1000 } }
        try = ["remote:house"]
        [[rules]]
        id = "chat"
        when = { task = ["chat"] }
        try = ["system_model"]
        [[rules]]
        id = "all"
        try = ["remote:cloud"]
    "#;
    let mut scene = Scene::new(&app(rules), None);
    check(&scene, &["system_model:nano"]);
    scene.request.prompt_tokens = 1000;
    check(&scene, &["remote:house"]);
    assert_eq!(scene.route().rule_ids(), ["long"]);
    scene.request.prompt_tokens = 999;
    scene.request.task = "other".to_owned();
    check(&scene, &["remote:cloud"]);
}

#[test]
fn tasks_have_their_own() {
    let lines = r#"
        otherwise = ["on_device"]
        [limits]
        deadline_ms = 50_000
        first_token_ms = 4_000
        [tasks.summarise]
        otherwise = ["remote:house", "on_device"]
        limits = { deadline_ms = 9_000 }
    "#;
    let mut scene = Scene::new(&app(lines), None);
    check(&scene, &["on_device:smollm2/q4_1"]);
    assert_eq!(scene.route().bounds.deadline_ms, 50_000);
    scene.request.task = "summarise".to_owned();
    check(&scene, &["remote:house", "on_device:smollm2/q4_1"]);
    let bounds = scene.route().bounds;
    assert_eq!((bounds.deadline_ms, bounds.first_token_ms), (9_000, 4_000));
    scene.request.deadline_ms = Some(3_000);
    assert_eq!(scene.route().bounds.first_token_ms, 3_000);
}

#[test]
fn denials_win_wherever_they_stand() {
    #[track_caller]
    fn check_denial(denied: &str, left: &[&str]) {
        for text in [
            format!("{ALL}\n[[rules]]\nid = \"no\"\ndeny = [\"{denied}\"]"),
            format!(
                "[[rules]]\nid = \"yes\"\n{}\n[[rules]]\nid = \"no\"\ndeny = [\"{denied}\"]",
                ALL.replace("otherwise", "try")
            ),
        ] {
            let scene = Scene::new(&app(&text), None);
            check(&scene, left);
            assert!(scene.route().rule_ids().contains(&"no".to_owned()));
        }
        let text = user(&format!("[[rules]]\nid = \"no\"\ndeny = [\"{denied}\"]"));
        // What the user takes away on the device sends nothing out in its place.
        let stays = ["on_device", "system_model"].contains(&denied);
        let left = left.iter().filter(|name| !stays || !name.contains("remote:"));
        check(&Scene::new(&app(ALL), Some(&text)), &left.copied().collect::<Vec<_>>());
    }
    let without = |gone: &[usize]| {
        let left = ALL_NAMES.iter().enumerate().filter(|(index, _)| !gone.contains(index));
        left.map(|(_, name)| *name).collect::<Vec<_>>()
    };
    check_denial("everything", &[]);
    check_denial("off_device", &without(&[2, 3, 4, 5]));
    check_denial("unredacted", &without(&[2, 3]));
    check_denial("on_device", &without(&[0]));
    check_denial("system_model", &without(&[1]));
    check_denial("queue", &ALL_NAMES);
    check_denial("trust:public_cloud", &without(&[3, 5]));
    check_denial("trust:own_device_nearby", &ALL_NAMES);
    check_denial("endpoint:house", &without(&[2, 4]));
    check_denial("remote:house", &without(&[2]));
    check_denial("remote:*", &without(&[2, 3]));
    check_denial("redact_then_remote:*", &without(&[4, 5]));
}

#[test]
fn what_is_unknown_opens_no_door() {
    let rules = |unknown: &str| {
        format!(
            "otherwise = [\"remote:house\", \"on_device\"]\n[[rules]]\nid = \"hot\"\nwhen = {{ thermal = {{ min = \"serious\" }} }}\n\
             deny = [\"off_device\"]\n{unknown}\n"
        )
    };
    let hot = |scene: &mut Scene, thermal: Option<Thermal>| scene.report(|update| update.thermal = thermal.into());
    let mut scene = Scene::new(&app(&rules("")), None);
    check(&scene, &["remote:house", "on_device:smollm2/q4_1"]);
    hot(&mut scene, None);
    check(&scene, &["on_device:smollm2/q4_1"]);
    let mut scene = Scene::new(&app(&rules("unknown = \"does_not_match\"")), None);
    hot(&mut scene, None);
    check(&scene, &["remote:house", "on_device:smollm2/q4_1"]);
    // A denial of this device keeps no text on it, so that what is unknown does not bring it about.
    let text = rules("").replace("off_device", "on_device");
    let mut scene = Scene::new(&app(&text), None);
    hot(&mut scene, Some(Thermal::Serious));
    check(&scene, &["remote:house"]);
    hot(&mut scene, None);
    check(&scene, &["remote:house", "on_device:smollm2/q4_1"]);

    let rules = |unknown: &str| {
        format!(
            "[[rules]]\nid = \"free\"\nwhen = {{ network = [\"unmetered\"] }}\ntry = [\"remote:house\"]\n{unknown}\n"
        )
    };
    let mut scene = Scene::new(&app(&rules("")), None);
    check(&scene, &["remote:house"]);
    scene.report(|update| update.network = None.into());
    check(&scene, &["on_device:smollm2/q4_1"]);
    let mut scene = Scene::new(&app(&rules("unknown = \"matches\"")), None);
    scene.report(|update| update.network = None.into());
    check(&scene, &["remote:house"]);
}

#[test]
fn a_stale_reading_is_unknown() {
    let rules = "[[rules]]\nid = \"free\"\nwhen = { network = [\"unmetered\"] }\ntry = [\"remote:house\"]";
    let mut scene = Scene::new(&app(rules), None);
    let age_max = whimbrel_policy::limits::READING_AGE_MS_MAX;
    for (age, expected) in [(age_max, "remote:house"), (age_max + 1, "on_device:smollm2/q4_1")] {
        let update = support::healthy();
        scene.device.apply(&update, NOW_MS - age);
        check(&scene, &[expected]);
        scene.device.apply(&update, NOW_MS + age);
        check(&scene, &[expected]);
    }
}

#[test]
fn an_endpoint_gets_no_more_than_its_class() {
    let mut scene = Scene::new(&app(ALL), None);
    scene.content = content(PrivacyClass::Public, &[(FindingKind::Email, 1)]);
    check(
        &scene,
        &[
            "on_device:smollm2/q4_1",
            "system_model:nano",
            "remote:house",
            "redact_then_remote:house",
            "redact_then_remote:cloud",
        ],
    );
    check_refused(&scene, "remote:cloud", |reason| {
        matches!(reason, Refusal::ClassAboveEndpoint { .. })
    });
    scene.content = content(PrivacyClass::Public, &[(FindingKind::Iban, 1)]);
    check(
        &scene,
        &[
            "on_device:smollm2/q4_1",
            "system_model:nano",
            "redact_then_remote:house",
        ],
    );
    scene.content = content(PrivacyClass::Secret, &[]);
    check(&scene, &["on_device:smollm2/q4_1", "system_model:nano"]);
}

#[test]
fn what_cannot_be_done_is_refused_with_its_reason() {
    let all = Scene::new(&app(ALL), None);
    let with = |change: &dyn Fn(&mut Scene)| {
        let mut scene = all.clone();
        change(&mut scene);
        scene
    };
    let local_name = "on_device:smollm2/q4_1";
    let scene = with(&|scene| scene.candidates.local_models[0].ready = false);
    check_refused(&scene, local_name, |reason| *reason == Refusal::NotReady);
    let scene = with(&|scene| scene.candidates.local_models.clear());
    check_refused(&scene, "on_device", |reason| *reason == Refusal::NoModel);
    let scene = with(&|scene| scene.candidates.system_model = None);
    check_refused(&scene, "system_model", |reason| *reason == Refusal::NoModel);
    let scene = with(&|scene| scene.request.needs = vec![whimbrel_policy::Need::Json]);
    check(&scene, &["remote:house", "redact_then_remote:house"]);
    let scene = with(&|scene| scene.request.prompt_tokens = 1849);
    check_refused(&scene, local_name, |reason| {
        matches!(reason, Refusal::ContextTooShort { tokens: 2049, .. })
    });
    let scene = with(&|scene| scene.report(|update| update.memory_process_bytes = 100_000_000.into()));
    check_refused(&scene, local_name, |reason| matches!(reason, Refusal::Memory { .. }));
    let scene = with(&|scene| scene.report(|update| update.network = Network::None.into()));
    check(&scene, &ALL_NAMES[..2]);
    check_refused(&scene, "remote:house", |reason| *reason == Refusal::Offline);
    let scene = with(&|scene| {
        scene.candidates.endpoints.push(EndpointFacts {
            id: "house".to_owned(),
            circuit: Circuit::Open,
            ..EndpointFacts::default()
        });
    });
    check_refused(&scene, "remote:house", |reason| *reason == Refusal::CircuitOpen);
    let scene = with(&|scene| scene.request.deadline_ms = Some(299));
    check_refused(&scene, local_name, |reason| matches!(reason, Refusal::TooSlow { .. }));
    let scene = Scene::new(&format!("version = 1\nname = \"app\"\n{ALL}"), None);
    check_refused(&scene, "remote:*", |reason| *reason == Refusal::NoEndpoint);
}

#[test]
fn limits_hold_and_the_stricter_one_counts() {
    let limits = r#"
        [limits]
        cost_a_day = 1.0
        cost_a_request = 0.6
        metered_bytes_a_day = 100_000
        battery_percent_min = 30
        thermal_max = "fair"
    "#;
    let all = Scene::new(&app(&format!("{ALL}\n{limits}")), None);
    check(&all, &ALL_NAMES);
    let free = [ALL_NAMES[0], ALL_NAMES[1], ALL_NAMES[2], ALL_NAMES[4]];

    // The request costs 0.45: 100 tokens at 0.5 and 200 at 2 for a thousand.
    let mut scene = all.clone();
    scene.used_today.cost_micros = 550_000;
    check(&scene, &ALL_NAMES);
    scene.used_today.cost_micros = 550_001;
    check(&scene, &free);
    let mut scene = all.clone();
    scene.request.prompt_tokens = 400;
    check(&scene, &ALL_NAMES);
    scene.request.prompt_tokens = 401;
    check_refused(&scene, "remote:cloud", |reason| {
        matches!(reason, Refusal::CostOfRequest { .. })
    });

    let mut scene = all.clone();
    scene.used_today.metered_bytes = 31_601;
    check(&scene, &ALL_NAMES);
    scene.report(|update| update.network = None.into());
    check(&scene, &ALL_NAMES[..2]);
    scene.report(|update| update.network = Network::Roaming.into());
    check_refused(&scene, "remote:house", |reason| {
        matches!(reason, Refusal::MeteredBytes { bytes: 100_001, .. })
    });
    scene.used_today.metered_bytes = 31_600;
    check(&scene, &ALL_NAMES);

    let mut scene = all.clone();
    scene.report(|update| update.battery_percent = 29.into());
    check(&scene, &ALL_NAMES[2..]);
    scene.report(|update| update.charging = true.into());
    check(&scene, &ALL_NAMES);
    scene.report(|update| update.thermal = Thermal::Serious.into());
    check(&scene, &ALL_NAMES[2..]);
    scene.report(|update| update.thermal = None.into());
    check(&scene, &ALL_NAMES);

    let stricter = user("[limits]\nbattery_percent_min = 90\ncost_a_day = 0.1\nthermal_max = \"critical\"");
    let scene = Scene::new(&app(&format!("{ALL}\n{limits}")), Some(&stricter));
    check(&scene, &[]);
    check_refused(&scene, "remote:house", |reason| {
        matches!(reason, Refusal::WouldStay { .. })
    });
    let stricter = user("[limits]\ncost_a_day = 0.1\nthermal_max = \"critical\"");
    let scene = Scene::new(&app(&format!("{ALL}\n{limits}")), Some(&stricter));
    check(&scene, &free);
}

#[test]
fn a_user_cannot_send_out_what_would_stay() {
    let app = app("otherwise = [\"on_device\", \"remote:house\", \"system_model\", \"remote:cloud\"]");
    let check_user = |lines: &str, left: &[&str]| check(&Scene::new(&app, Some(&user(lines))), left);
    let all = [ALL_NAMES[0], "remote:house", ALL_NAMES[1], "remote:cloud"];
    check_user("", &all);
    // The device still comes first, whatever order the user writes.
    check_user(
        "otherwise = [\"remote:cloud\", \"system_model\", \"remote:house\", \"on_device\"]",
        &[ALL_NAMES[1], ALL_NAMES[0], "remote:cloud", "remote:house"],
    );
    // What comes later in the app's list keeps only what stands behind it.
    check_user(
        "otherwise = [\"on_device\", \"remote:*\"]",
        &[ALL_NAMES[0], "remote:house"],
    );
    check_user("otherwise = [\"system_model\", \"remote:*\"]", &[ALL_NAMES[1]]);
    let scene = Scene::new(&app, Some(&user("otherwise = [\"remote:*\"]")));
    check(&scene, &[]);
    let instead_of = ALL_NAMES[0].to_owned();
    check_refused(&scene, "remote:house", |reason| {
        *reason
            == Refusal::WouldStay {
                instead_of: instead_of.clone(),
            }
    });
    assert_eq!(scene.route().decision, Decision::Denied);
    let bounds = Scene::new(&app, Some(&user("[limits]\nfirst_token_ms = 1"))).route();
    assert_eq!(
        (bounds.bounds.first_token_ms, bounds.bounds_staying.first_token_ms),
        (1, 20_000)
    );
}

#[test]
fn the_users_list_takes_away_and_puts_in_order() {
    let scene = |app_list: &str, user_list: &str| {
        let app = app(&format!("otherwise = [{app_list}]"));
        Scene::new(&app, Some(&user(&format!("otherwise = [{user_list}]"))))
    };
    check(
        &scene(
            r#""remote:*", "on_device""#,
            r#""on_device", "system_model", "remote:house""#,
        ),
        &["on_device:smollm2/q4_1", "remote:house"],
    );
    check_refused(&scene(r#""remote:*""#, r#""remote:house""#), "remote:cloud", |reason| {
        *reason == Refusal::NotInUsersList { rule: None }
    });
    // The user wants redaction where the app would send the text as it is.
    let narrowed = scene(r#""remote:house""#, r#""redact_then_remote:*""#);
    check(&narrowed, &["redact_then_remote:house"]);
    assert_eq!(narrowed.route().candidates[0].release(), Some(Release::Redacted));
    // The user does not mind, the app does.
    check(
        &scene(r#""redact_then_remote:house""#, r#""remote:*""#),
        &["redact_then_remote:house"],
    );
    check(&scene(r#""on_device""#, r#""remote:*""#), &[]);
}

#[test]
fn redaction_for_the_user_does_not_go_around_the_app() {
    let text = app("otherwise = [\"remote:house\"]\n[[rules]]\nid = \"no\"\ndeny = [\"unredacted\"]");
    let wants = user("otherwise = [\"redact_then_remote:house\"]");
    check(&Scene::new(&text, Some(&wants)), &[]);
    let mut scene = Scene::new(
        &app("otherwise = [\"remote:cloud\"]"),
        Some(&user("otherwise = [\"redact_then_remote:*\"]")),
    );
    check(&scene, &["redact_then_remote:cloud"]);
    scene.content = content(PrivacyClass::Personal, &[]);
    check(&scene, &[]);
}

#[test]
fn a_request_may_wait_where_queue_is_listed() {
    let mut scene = Scene::new(&app("otherwise = [\"remote:house\", \"queue\"]"), None);
    let plan = scene.route();
    assert_eq!((plan.decision, plan.deferred.is_some()), (Decision::Run, true));
    scene.report(|update| update.network = Network::None.into());
    assert_eq!(scene.route().decision, Decision::Defer);
    let no_queue = user("[[rules]]\nid = \"now\"\ndeny = [\"queue\"]");
    let mut scene = Scene::new(&app("otherwise = [\"remote:house\", \"queue\"]"), Some(&no_queue));
    scene.report(|update| update.network = Network::None.into());
    assert_eq!(scene.route().decision, Decision::Unavailable);
    let scene = Scene::new(
        &app("otherwise = [\"queue\"]"),
        Some(&user("otherwise = [\"on_device\"]")),
    );
    assert_eq!(scene.route().decision, Decision::Denied);
}

#[test]
fn presets_do_what_they_say() {
    #[track_caller]
    fn check_preset(preset: Preset, class: PrivacyClass, expected: &[&str]) {
        let mut scene = Scene::new(&format!("{}\n{ENDPOINTS}", preset.text()), None);
        scene.learned.set_mode(whimbrel_policy::LearningMode::Off);
        scene.content = content(class, &[]);
        check(&scene, expected);
    }
    use PrivacyClass::{Personal, Public, Secret, Sensitive};
    let local = &ALL_NAMES[..2];
    for class in [Public, Personal, Sensitive, Secret] {
        check_preset(Preset::Private, class, local);
    }
    let redacted = [ALL_NAMES[0], ALL_NAMES[1], ALL_NAMES[4], ALL_NAMES[5]];
    check_preset(Preset::OnDeviceFirst, Public, &redacted);
    check_preset(Preset::OnDeviceFirst, Personal, &redacted);
    check_preset(Preset::OnDeviceFirst, Sensitive, local);
    check_preset(Preset::Balanced, Public, &ALL_NAMES[..4]);
    check_preset(Preset::Balanced, Personal, &redacted);
    check_preset(Preset::Balanced, Sensitive, local);
    check_preset(
        Preset::QualityFirst,
        Public,
        &[ALL_NAMES[2], ALL_NAMES[3], ALL_NAMES[0], ALL_NAMES[1]],
    );
    check_preset(
        Preset::QualityFirst,
        Personal,
        &[ALL_NAMES[4], ALL_NAMES[5], ALL_NAMES[0], ALL_NAMES[1]],
    );
    check_preset(
        Preset::QualityFirst,
        Sensitive,
        &[ALL_NAMES[4], ALL_NAMES[0], ALL_NAMES[1]],
    );
    check_preset(Preset::QualityFirst, Secret, local);
}

#[test]
fn no_preset_sends_a_special_category_where_the_endpoints_take_personal_text() {
    for preset in [
        Preset::Private,
        Preset::OnDeviceFirst,
        Preset::Balanced,
        Preset::QualityFirst,
    ] {
        let endpoints = ENDPOINTS.replace("\"sensitive\"", "\"personal\"");
        let mut scene = Scene::new(&format!("{}\n{endpoints}", preset.text()), None);
        scene.learned.set_mode(whimbrel_policy::LearningMode::Off);
        scene.content = examine("my HIV test results, and tell priya").facts().clone();
        check(&scene, &ALL_NAMES[..2]);
    }
}

#[test]
fn a_permit_is_for_this_text_and_this_endpoint() {
    let examined = examine("What is the capital of France?");
    let mut scene = Scene::new(&app(ALL), None);
    scene.content = examined.facts().clone();
    let plan = scene.route();
    let [local, system, house, cloud, redacted, _] = &plan.candidates[..] else {
        panic!("{plan}");
    };
    assert!(local.permit(examined.facts()).is_none());
    assert!(system.permit(examined.facts()).is_none());
    let permit = house.permit(examined.facts()).unwrap();
    assert_eq!((permit.endpoint(), permit.release()), ("house", Release::AsIs));
    assert_eq!(cloud.permit(examined.facts()).unwrap().endpoint(), "cloud");
    assert_eq!(redacted.permit(examined.facts()).unwrap().release(), Release::Redacted);
    assert!(house.permit(examine("Another text").facts()).is_none());
    let mut raised = examined.facts().clone();
    raised.class = PrivacyClass::Secret;
    assert!(house.permit(&raised).is_none());
}
