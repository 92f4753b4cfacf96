//! Laws of the decision over random policies, requests and devices. The judge here reads the same policies from sketches of their own and
//! decides by brute force, for each thing that could be done, whether it may; it shares no code with the crate.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use support::{ENDPOINTS, NOW_MS, Scene, content};
use whimbrel_policy::fallback::{AttemptEvent, Command, Event as Happened, Fallback};
use whimbrel_policy::{
    Decision, DeviceState, DeviceUpdate, Format, LearningMode, Network, Plan, Policy, PolicySet, Refusal, Refused,
    Thermal, UsedToday, explain,
};
use whimbrel_privacy::{FindingKind, PrivacyClass};
use whimbrel_record::Code;

const CASES: u32 = 100_000;
const DOCUMENTS: u32 = 3000;

/// Everything that could be done in the scene.
const OPTIONS: [&str; 6] = [
    "on_device",
    "system_model",
    "remote:house",
    "remote:cloud",
    "redact_then_remote:house",
    "redact_then_remote:cloud",
];
const STEPS: [&str; 8] = [
    "on_device",
    "system_model",
    "remote:house",
    "remote:cloud",
    "redact_then_remote:house",
    "redact_then_remote:cloud",
    "remote:*",
    "redact_then_remote:*",
];
const DENIALS: [&str; 13] = [
    "everything",
    "off_device",
    "unredacted",
    "on_device",
    "system_model",
    "queue",
    "trust:organisation",
    "trust:public_cloud",
    "endpoint:house",
    "endpoint:cloud",
    "remote:cloud",
    "redact_then_remote:house",
    "remote:*",
];
const TASKS: [&str; 3] = ["chat", "summarise", "write"];
const CLASSES: [&str; 4] = ["public", "personal", "sensitive", "secret"];
const NETWORKS: [&str; 4] = ["none", "metered", "unmetered", "roaming"];
const THERMALS: [&str; 4] = ["nominal", "fair", "serious", "critical"];

/// What the judge knows about a case, in plain words and numbers.
struct Facts {
    task: &'static str,
    class: usize,
    emails: u32,
    prompt_tokens: u32,
    battery: Option<u8>,
    network: Option<&'static str>,
    thermal: Option<usize>,
    foreground: Option<bool>,
}

#[derive(Clone, Debug)]
enum Condition {
    Task(&'static str),
    ClassMin(usize),
    ClassMax(usize),
    Email,
    PromptTokensMin(u32),
    BatteryMin(u8),
    BatteryMax(u8),
    Network(&'static str, &'static str),
    ThermalMin(usize),
    Foreground(bool),
}

impl Condition {
    fn random(generator: &mut Pcg64) -> Condition {
        match below(generator, 10) {
            0 => Condition::Task(pick(generator, &TASKS)),
            1 => Condition::ClassMin(below(generator, 4)),
            2 => Condition::ClassMax(below(generator, 4)),
            3 => Condition::Email,
            4 => Condition::PromptTokensMin(below(generator, 1000) as u32),
            5 => Condition::BatteryMin(below(generator, 100) as u8),
            6 => Condition::BatteryMax(below(generator, 100) as u8),
            7 => Condition::Network(pick(generator, &NETWORKS[..2]), pick(generator, &NETWORKS[2..])),
            8 => Condition::ThermalMin(below(generator, 4)),
            _ => Condition::Foreground(below(generator, 2) == 0),
        }
    }

    fn toml(&self) -> String {
        match self {
            Condition::Task(task) => format!("task = [\"{task}\"]"),
            Condition::ClassMin(class) => format!("class = {{ min = \"{}\" }}", CLASSES[*class]),
            Condition::ClassMax(class) => format!("class = {{ max = \"{}\" }}", CLASSES[*class]),
            Condition::Email => "findings = [\"email\"]".to_owned(),
            Condition::PromptTokensMin(tokens) => format!("prompt_tokens = {{ min = {tokens} }}"),
            Condition::BatteryMin(percent) => format!("battery_percent = {{ min = {percent} }}"),
            Condition::BatteryMax(percent) => format!("battery_percent = {{ max = {percent} }}"),
            Condition::Network(one, other) => format!("network = [\"{one}\", \"{other}\"]"),
            Condition::ThermalMin(thermal) => format!("thermal = {{ min = \"{}\" }}", THERMALS[*thermal]),
            Condition::Foreground(foreground) => format!("foreground = {foreground}"),
        }
    }

    fn field(&self) -> String {
        self.toml().split(' ').next().unwrap().to_owned()
    }

    /// `None` when the device does not tell.
    fn holds(&self, facts: &Facts) -> Option<bool> {
        Some(match self {
            Condition::Task(task) => facts.task == *task,
            Condition::ClassMin(class) => facts.class >= *class,
            Condition::ClassMax(class) => facts.class <= *class,
            Condition::Email => facts.emails > 0,
            Condition::PromptTokensMin(tokens) => facts.prompt_tokens >= *tokens,
            Condition::BatteryMin(percent) => facts.battery? >= *percent,
            Condition::BatteryMax(percent) => facts.battery? <= *percent,
            Condition::Network(one, other) => [*one, *other].contains(&facts.network?),
            Condition::ThermalMin(thermal) => facts.thermal? >= *thermal,
            Condition::Foreground(foreground) => facts.foreground? == *foreground,
        })
    }
}

#[derive(Clone, Debug)]
struct Rule {
    conditions: Vec<Condition>,
    unknown_matches: Option<bool>,
    denies: bool,
    words: Vec<&'static str>,
}

impl Rule {
    fn random(generator: &mut Pcg64) -> Rule {
        let mut conditions: Vec<Condition> = Vec::new();
        for _ in 0..below(generator, 3) {
            let condition = Condition::random(generator);
            if conditions.iter().all(|other| other.field() != condition.field()) {
                conditions.push(condition);
            }
        }
        let denies = below(generator, 2) == 0;
        Rule {
            conditions,
            unknown_matches: pick(generator, &[None, None, Some(true), Some(false)]),
            denies,
            words: match denies {
                true => some_of(generator, &DENIALS, 2),
                false => some_of(generator, &STEPS, 4),
            },
        }
    }

    fn matches(&self, facts: &Facts) -> bool {
        let stays = ["on_device", "system_model", "queue"];
        let keeps_text = self.denies && self.words.iter().any(|word| !stays.contains(word));
        let if_unknown = self.unknown_matches.unwrap_or(keeps_text);
        self.conditions
            .iter()
            .all(|condition| condition.holds(facts).unwrap_or(if_unknown))
    }
}

/// A document as the judge sees it.
#[derive(Clone, Debug)]
struct Sketch {
    is_user: bool,
    otherwise: Option<Vec<&'static str>>,
    rules: Vec<Rule>,
    limits: Option<[u64; 4]>,
    by_quality: bool,
}

impl Sketch {
    fn random(generator: &mut Pcg64, is_user: bool) -> Sketch {
        let has_list = !is_user || below(generator, 2) == 0;
        let rules = below(generator, 6);
        Sketch {
            is_user,
            otherwise: has_list.then(|| some_of(generator, &STEPS, 5)),
            rules: (0..rules).map(|_| Rule::random(generator)).collect(),
            limits: (below(generator, 2) == 0).then(|| std::array::from_fn(|_| u64::from(generator.next_u32()))),
            by_quality: below(generator, 2) == 0,
        }
    }

    fn toml(&self) -> String {
        let list = |words: &[&str]| format!("[\"{}\"]", words.join("\", \""));
        let (role, order) = match (self.is_user, self.by_quality) {
            (true, true) => ("user", "quality"),
            (true, false) => ("user", "as_written"),
            (false, true) => ("app", "quality"),
            (false, false) => ("app", "as_written"),
        };
        let mut text = format!("version = 1\nname = \"{role}\"\nrole = \"{role}\"\norder = \"{order}\"\n");
        if let Some(words) = &self.otherwise {
            writeln!(text, "otherwise = {}", list(words)).unwrap();
        }
        if let Some([cost, bytes, battery, thermal]) = self.limits {
            writeln!(
                text,
                "[limits]\nfirst_token_ms = {}\ncandidate_ms = {}\ncost_a_day = {}\nmetered_bytes_a_day = {}\n\
                 battery_percent_min = {}\nthermal_max = \"{}\"\nremembered_class_max = \"{}\"\nremembered_days = {}",
                1 + cost % 20_000,
                1 + bytes % 40_000,
                cost % 3,
                bytes % 100_000,
                battery % 101,
                THERMALS[thermal as usize % 4],
                ["public", "personal", "sensitive", "secret"][thermal as usize % 4],
                bytes % 60
            )
            .unwrap();
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let conditions: Vec<_> = rule.conditions.iter().map(Condition::toml).collect();
            writeln!(text, "[[rules]]\nid = \"{}-{index}\"", role).unwrap();
            if !conditions.is_empty() {
                writeln!(text, "when = {{ {} }}", conditions.join(", ")).unwrap();
            }
            if let Some(matches) = rule.unknown_matches {
                let word = if matches { "matches" } else { "does_not_match" };
                writeln!(text, "unknown = \"{word}\"").unwrap();
            }
            let verb = if rule.denies { "deny" } else { "try" };
            writeln!(text, "{verb} = {}", list(&rule.words)).unwrap();
        }
        if !self.is_user {
            text += ENDPOINTS;
        }
        text
    }

    fn list(&self, facts: &Facts) -> Option<&[&'static str]> {
        let decides = |rule: &&Rule| !rule.denies && rule.matches(facts);
        let rule = self.rules.iter().find(decides).map(|rule| &rule.words);
        rule.or(self.otherwise.as_ref()).map(Vec::as_slice)
    }

    fn denies(&self, option: &str, facts: &Facts) -> bool {
        let rules = self.rules.iter().filter(|rule| rule.denies && rule.matches(facts));
        rules
            .flat_map(|rule| &rule.words)
            .any(|word| denial_covers(word, option))
    }
}

fn denial_covers(word: &str, option: &str) -> bool {
    match word {
        "everything" => true,
        "off_device" => option.contains("remote"),
        "unredacted" => option.starts_with("remote"),
        "endpoint:house" | "trust:organisation" => option.ends_with("house"),
        "endpoint:cloud" | "trust:public_cloud" => option.ends_with("cloud"),
        word => step_covers(word, option),
    }
}

fn step_covers(word: &str, option: &str) -> bool {
    match word.strip_suffix('*') {
        Some(beginning) => option.starts_with(beginning),
        None => word == option,
    }
}

/// What the endpoints of the scene may get: house `personal`, redacted `sensitive`; cloud `public`, redacted `personal`.
fn may_get(option: &str, facts: &Facts) -> bool {
    let class_max = match option {
        "remote:house" | "redact_then_remote:cloud" => 1,
        "redact_then_remote:house" => 2,
        "remote:cloud" => 0,
        _ => 3,
    };
    facts.class <= class_max && (facts.network != Some("none") || !option.contains("remote"))
}

/// What may be done, thing by thing.
fn judge(app: &Sketch, user: Option<&Sketch>, facts: &Facts) -> BTreeSet<&'static str> {
    let app_list = app.list(facts).unwrap();
    let app_allows = |option: &str| {
        app_list.iter().any(|word| step_covers(word, option)) && !app.denies(option, facts) && may_get(option, facts)
    };
    let redacted = |option: &'static str| match option {
        "remote:house" => "redact_then_remote:house",
        "remote:cloud" => "redact_then_remote:cloud",
        other => other,
    };
    let mut allowed = BTreeSet::new();
    for option in OPTIONS.into_iter().filter(|option| app_allows(option)) {
        let wanted = match user.and_then(|user| user.list(facts)) {
            None => Some(option),
            Some(list) => {
                let lists = |option: &str| list.iter().any(|word| step_covers(word, option));
                let as_is = option.strip_prefix("redact_then_").unwrap_or(option);
                match (lists(option), lists(redacted(option)) || lists(as_is)) {
                    (true, _) => Some(option),
                    (false, true) => Some(redacted(option)),
                    (false, false) => None,
                }
            }
        };
        let is_denied = |option| app.denies(option, facts) || user.is_some_and(|user| user.denies(option, facts));
        allowed.extend(wanted.filter(|option| !is_denied(option) && may_get(option, facts)));
    }
    allowed
}

fn below(generator: &mut Pcg64, end: u32) -> usize {
    (generator.next_u32() % end) as usize
}

fn pick<T: Copy>(generator: &mut Pcg64, from: &[T]) -> T {
    from[below(generator, from.len() as u32)]
}

/// One to `count` different words in random order.
fn some_of(generator: &mut Pcg64, from: &[&'static str], count: u32) -> Vec<&'static str> {
    let mut words: Vec<&str> = Vec::new();
    for _ in 0..=below(generator, count) {
        let word = pick(generator, from);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

fn random_facts(generator: &mut Pcg64) -> Facts {
    let mut known = |chance: u32| below(generator, chance) != 0;
    let (battery, network, thermal, foreground) = (known(4), known(4), known(4), known(4));
    Facts {
        task: pick(generator, &TASKS),
        class: below(generator, 4),
        emails: below(generator, 2) as u32,
        prompt_tokens: below(generator, 1000) as u32,
        battery: battery.then(|| below(generator, 101) as u8),
        network: network.then(|| pick(generator, &NETWORKS)),
        thermal: thermal.then(|| below(generator, 4)),
        foreground: foreground.then(|| below(generator, 2) == 0),
    }
}

/// Puts the facts into the scene.
fn set(scene: &mut Scene, facts: &mut Facts, generator: &mut Pcg64) {
    let classes = [
        PrivacyClass::Public,
        PrivacyClass::Personal,
        PrivacyClass::Sensitive,
        PrivacyClass::Secret,
    ];
    let findings: &[_] = if facts.emails > 0 {
        &[(FindingKind::Email, 1)]
    } else {
        &[]
    };
    scene.content = content(classes[facts.class], findings);
    facts.class = classes.iter().position(|class| *class == scene.content.class).unwrap();
    scene.request.id = format!("request-{}", generator.next_u32());
    scene.request.task = facts.task.to_owned();
    scene.request.prompt_tokens = facts.prompt_tokens;
    let position = |word: &str| NETWORKS.iter().position(|network| *network == word).unwrap();
    let update = DeviceUpdate {
        battery_percent: facts.battery.into(),
        network: facts.network.map(|word| Network::ALL[position(word)]).into(),
        thermal: facts.thermal.map(|index| Thermal::ALL[index]).into(),
        foreground: facts.foreground.into(),
        ..DeviceUpdate::default()
    };
    scene.device = DeviceState::reported(&update, NOW_MS);
    scene.used_today = UsedToday {
        cost_micros: u64::from(generator.next_u32() % 2_000_000),
        metered_bytes: u64::from(generator.next_u32() % 100_000),
    };
    let mode = pick(generator, &[LearningMode::On, LearningMode::Frozen, LearningMode::Off]);
    scene.learned.set_mode(mode);
}

/// What is tried, in order and in the judge's words.
fn names(plan: &Plan) -> Vec<String> {
    let name = |name: String| match name.split_once(':') {
        Some((word @ ("on_device" | "system_model"), _)) => word.to_owned(),
        _ => name,
    };
    plan.candidates.iter().map(|candidate| name(candidate.name())).collect()
}

/// The same, in no order.
fn allowed(plan: &Plan) -> BTreeSet<String> {
    let names: BTreeSet<_> = names(plan).into_iter().collect();
    assert_eq!(names.len(), plan.candidates.len(), "something is listed twice: {plan}");
    names
}

/// The document of a sketch, and the same without its limits.
type Document = (Sketch, Policy, Policy);

fn documents(generator: &mut Pcg64, is_user: bool) -> Vec<Document> {
    let parse = |sketch: &Sketch| {
        Policy::parse(&sketch.toml(), Format::Toml).unwrap_or_else(|error| panic!("{error}\n{}", sketch.toml()))
    };
    let document = |_| {
        let sketch = Sketch::random(generator, is_user);
        let without = Sketch {
            limits: None,
            ..sketch.clone()
        };
        (sketch.clone(), parse(&sketch), parse(&without))
    };
    (0..DOCUMENTS).map(document).collect()
}

/// Calls `test` with random cases: the judge's sketches and facts, and a scene with the policies, with limits or without.
fn with_cases(seed: u128, limits: bool, mut test: impl FnMut(&Sketch, &Sketch, &Facts, &mut Scene, &Policy, &Policy)) {
    let mut generator = Pcg64::new(seed, 7);
    let apps = documents(&mut generator, false);
    let users = documents(&mut generator, true);
    let mut scene = Scene::new(&apps[0].0.toml(), None);
    for _ in 0..CASES {
        let (app, app_limited, app_unlimited) = &apps[below(&mut generator, DOCUMENTS)];
        let (user, user_limited, user_unlimited) = &users[below(&mut generator, DOCUMENTS)];
        let mut facts = random_facts(&mut generator);
        set(&mut scene, &mut facts, &mut generator);
        let (app_policy, user_policy) = match limits {
            true => (app_limited, user_limited),
            false => (app_unlimited, user_unlimited),
        };
        test(app, user, &facts, &mut scene, app_policy, user_policy);
    }
}

fn route_with(scene: &mut Scene, app: &Policy, user: Option<&Policy>) -> Plan {
    scene.policies = PolicySet::new(app.clone(), user.cloned()).unwrap();
    scene.route()
}

#[test]
fn what_is_tried_is_what_an_independent_judge_allows() {
    let mut sizes = [0u32; 7];
    with_cases(1, false, |app, user, facts, scene, app_policy, user_policy| {
        let alone = names(&route_with(scene, app_policy, None));
        for (user, user_policy) in [(None, None), (Some(user), Some(user_policy))] {
            let plan = route_with(scene, app_policy, user_policy);
            let mut expected: BTreeSet<String> = judge(app, user, facts).into_iter().map(str::to_owned).collect();
            take_away_what_would_have_stayed(&alone, &mut expected);
            assert_eq!(
                allowed(&plan),
                expected,
                "{}\n{app:?}\n{user:?}",
                explain(&scene.input())
            );
            sizes[expected.len()] += 1;
        }
    });
    assert!(sizes[..6].iter().all(|count| *count > 500), "{sizes:?}");
}

/// What leaves only because the user's document took away what the app's policy alone asks on this device before.
fn take_away_what_would_have_stayed(alone: &[String], allowed: &mut BTreeSet<String>) {
    let together = allowed.clone();
    allowed.retain(|name| {
        let endpoint = |name: &str| name.split_once("remote:").map(|(_, endpoint)| endpoint.to_owned());
        let Some(this) = endpoint(name) else { return true };
        let before = alone.iter().take_while(|other| endpoint(other).as_ref() != Some(&this));
        before
            .filter(|other| endpoint(other).is_none())
            .all(|other| together.contains(other))
    });
}

/// How the places behave in a case: whether each answers, and after how many milliseconds.
struct Behaviour {
    answers: [bool; 6],
    first_token_ms: [u64; 6],
}

impl Behaviour {
    fn random(generator: &mut Pcg64) -> Behaviour {
        Behaviour {
            answers: std::array::from_fn(|_| below(generator, 2) == 0),
            first_token_ms: std::array::from_fn(|_| below(generator, 40_000) as u64),
        }
    }
}

/// Whether the text leaves, and in which forms, when the plan is carried out and its places behave so.
fn leaves(plan: &Plan, behaviour: &Behaviour) -> BTreeSet<String> {
    let mut left = BTreeSet::new();
    let (mut fallback, mut commands) = Fallback::start(plan, 0);
    let names = names(plan);
    let (mut now_ms, mut wake_at_ms) = (0, u64::MAX);
    // The attempt that runs, and when it says something.
    let mut running: Option<(u32, usize, u64)> = None;
    loop {
        for command in std::mem::take(&mut commands) {
            match command {
                Command::Start { attempt, candidate } => {
                    let name = &names[candidate as usize];
                    if name.contains("remote:") {
                        left.insert(name.clone());
                    }
                    let place = OPTIONS.iter().position(|option| option == name).unwrap();
                    running = Some((attempt, place, now_ms + behaviour.first_token_ms[place]));
                }
                Command::Cancel { .. } => running = None,
                Command::WakeAt { at_ms } => wake_at_ms = at_ms,
                Command::Restarted { .. } => {}
                Command::End(_) => return left,
            }
        }
        let said = running.filter(|(_, _, at_ms)| *at_ms < wake_at_ms);
        let event = match said {
            Some((attempt, place, at_ms)) => {
                now_ms = at_ms;
                running = None;
                let event = match behaviour.answers[place] {
                    true => AttemptEvent::Finished,
                    false => AttemptEvent::Failed(Code::Lost),
                };
                Happened::Attempt { attempt, event }
            }
            None => {
                now_ms = wake_at_ms;
                Happened::Timer
            }
        };
        commands = fallback.step(now_ms, event);
    }
}

#[test]
fn no_text_leaves_under_both_that_would_stay_under_the_apps_alone() {
    let mut generator = Pcg64::new(5, 7);
    let (mut left, mut kept) = (0, 0);
    with_cases(5, true, |_, _, _, scene, app_policy, user_policy| {
        let behaviour = Behaviour::random(&mut generator);
        let alone = leaves(&route_with(scene, app_policy, None), &behaviour);
        let plan = route_with(scene, app_policy, Some(user_policy));
        let together = leaves(&plan, &behaviour);
        assert!(
            !alone.is_empty() || together.is_empty(),
            "{together:?} leaves only under both\n{}",
            explain(&scene.input())
        );
        left += u32::from(!together.is_empty());
        let stays = |refused: &Refused| matches!(refused.reason, Refusal::WouldStay { .. });
        kept += u32::from(plan.refused.iter().any(stays));
    });
    assert!(left > CASES / 50 && kept > CASES / 200, "{left}, {kept}");
}

#[test]
fn a_user_can_only_tighten() {
    let (mut tightened, mut forgotten) = (0, 0);
    with_cases(2, true, |app, user, facts, scene, app_policy, user_policy| {
        let alone = allowed(&route_with(scene, app_policy, None));
        let plan = route_with(scene, app_policy, Some(user_policy));
        let together = allowed(&plan);
        // Redacted is less than as it is: who may get the text may get it redacted.
        let is_within = |name: &String| {
            let as_is = name.strip_prefix("redact_then_").unwrap_or(name);
            alone.contains(name) || alone.contains(as_is)
        };
        assert!(together.iter().all(is_within), "{together:?} is not within {alone:?}");
        // Limits only take away from what the rules allow.
        let by_rules = judge(app, Some(user), facts);
        assert!(together.iter().all(|name| by_rules.contains(name.as_str())));
        tightened += u32::from(together.len() < alone.len());
        let remembered_ms = route_with(scene, app_policy, None).remembered_ms;
        assert!(
            plan.remembered_ms <= remembered_ms,
            "an answer is remembered longer than the app allows"
        );
        forgotten += u32::from(plan.remembered_ms < remembered_ms);
    });
    assert!(tightened > CASES / 10, "{tightened}");
    assert!(forgotten > CASES / 10, "{forgotten}");
}

#[test]
fn the_explanation_is_the_decision() {
    let mut case = 0;
    with_cases(3, true, |_, _, _, scene, app_policy, user_policy| {
        case += 1;
        if case % 10 != 0 {
            return;
        }
        let plan = route_with(scene, app_policy, Some(user_policy));
        let explanation = explain(&scene.input());
        assert_eq!(explanation.plan, plan);
        let text = explanation.to_string();
        let numbered = |line: &str| {
            let (number, rest) = line.strip_prefix("  ")?.split_once(". ")?;
            number.parse::<u32>().ok()?;
            Some(rest.split(' ').next()?.to_owned())
        };
        let names: Vec<_> = plan.candidates.iter().map(|candidate| candidate.name()).collect();
        assert_eq!(text.lines().filter_map(numbered).collect::<Vec<_>>(), names, "{text}");
        assert_eq!(text.contains("decision: denied"), plan.decision == Decision::Denied);
        for rule in app_policy.rule_ids().chain(user_policy.rule_ids()) {
            assert!(text.contains(&format!("{rule}: ")), "{rule} is missing: {text}");
        }
        let json = serde_json::to_value(&explanation).unwrap();
        let listed = json["plan"]["candidates"].as_array().unwrap().iter();
        assert_eq!(
            listed
                .map(|candidate| candidate["name"].as_str().unwrap())
                .collect::<Vec<_>>(),
            names
        );
    });
}

#[test]
fn a_permit_is_given_for_what_leaves_and_in_its_form() {
    with_cases(4, true, |_, _, _, scene, app_policy, user_policy| {
        let plan = route_with(scene, app_policy, Some(user_policy));
        for candidate in &plan.candidates {
            let permit = candidate.permit(&scene.content);
            assert_eq!(permit.is_some(), candidate.name().contains("remote:"));
            if let Some(permit) = permit {
                assert_eq!(Some(permit.release()), candidate.release());
                assert!(candidate.name().ends_with(&format!(":{}", permit.endpoint())));
            }
        }
    });
}
