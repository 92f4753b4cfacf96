//! Nothing leaves that a rule forbids: 100,000 random requests under random policies, devices and failures, with a transport that only
//! records. What was planted comes from `whimbrel-testing`, and what is allowed is judged by this file's own reading of the rules.
#![allow(clippy::unwrap_used)]

use whimbrel_policy::fallback::{AttemptEvent, Command, Event, Fallback};
use whimbrel_policy::{
    CandidateFacts, DeviceState, DeviceUpdate, EndpointFacts, Format, Learned, LocalModelFacts, Network, Plan, Policy,
    PolicySet, Reported, RequestFacts, RouteInput, UsedToday, route,
};
use whimbrel_privacy::{
    Cleared, Draft, DraftMessage, Examined, FindingKind, Placeholders, PrivacyClass, Release, Scanner, ScannerOptions,
    Speaker,
};
use whimbrel_record::Code;
use whimbrel_testing::{Random, planted};

const CASES: u32 = 100_000;
const POLICIES: u32 = 500;

const CLASSES: [(&str, PrivacyClass); 4] = [
    ("public", PrivacyClass::Public),
    ("personal", PrivacyClass::Personal),
    ("sensitive", PrivacyClass::Sensitive),
    ("secret", PrivacyClass::Secret),
];

/// A policy as this test understands it, beside its document.
struct Rules {
    set: PolicySet,
    /// From this class on, nothing leaves.
    stays_from: Option<PrivacyClass>,
    /// With this kind in it, nothing leaves.
    kind_stays: Option<FindingKind>,
    /// On these networks, nothing leaves; an unknown one counts.
    roaming_stays: bool,
    /// The highest class of each endpoint, as it is and redacted.
    endpoints: [(PrivacyClass, PrivacyClass); 2],
    /// The forms that the list has for each endpoint.
    listed: [Vec<Release>; 2],
}

fn rules(random: &mut Random) -> Rules {
    let mut endpoints = [(PrivacyClass::Public, PrivacyClass::Public); 2];
    let mut document = String::from("version = 1\nname = \"random\"\n");
    let mut listed = [Vec::new(), Vec::new()];
    let mut list = Vec::new();
    for _ in 0..1 + random.below(4) {
        let index = random.below(2) as usize;
        let (release, word) = *random.pick(&[(Release::AsIs, "remote"), (Release::Redacted, "redact_then_remote")]);
        if !listed[index].contains(&release) {
            listed[index].push(release);
            list.push(format!("\"{word}:e{index}\""));
        }
    }
    if random.chance(60) {
        list.insert(random.below(list.len() as u64 + 1) as usize, "\"on_device\"".into());
    }
    if random.chance(20) {
        list.push("\"queue\"".into());
    }
    document += &format!("otherwise = [{}]\n", list.join(", "));
    for (index, classes) in endpoints.iter_mut().enumerate() {
        let (as_is, redacted) = (*random.pick(&CLASSES), *random.pick(&CLASSES));
        *classes = (as_is.1, redacted.1.max(as_is.1));
        let redacted = CLASSES.iter().find(|(_, class)| *class == classes.1).unwrap().0;
        document += &format!(
            "[[endpoints]]\nid = \"e{index}\"\nbase_url = \"https://e{index}.example.org/v1\"\nmodel = \"m\"\ntrust = \"public_cloud\"\n\
             cost_per_1k_tokens = 0\nclass_max = \"{}\"\nclass_max_redacted = \"{redacted}\"\n",
            as_is.0
        );
    }
    let stays_from = random.chance(50).then(|| *random.pick(&CLASSES[1..]));
    if let Some((name, _)) = stays_from {
        document += &format!(
            "[[rules]]\nid = \"class\"\nwhen = {{ class = {{ min = \"{name}\" }} }}\ndeny = [\"off_device\"]\n"
        );
    }
    let kind_stays = random
        .chance(30)
        .then(|| *random.pick(&[FindingKind::Email, FindingKind::PaymentCard, FindingKind::UserWord]));
    if let Some(kind) = kind_stays {
        document += &format!(
            "[[rules]]\nid = \"kind\"\nwhen = {{ findings = [\"{}\"] }}\ndeny = [\"off_device\"]\n",
            kind.name()
        );
    }
    let roaming_stays = random.chance(40);
    if roaming_stays {
        document += "[[rules]]\nid = \"roaming\"\nwhen = { network = [\"roaming\"] }\ndeny = [\"off_device\"]\n";
    }
    let policy = Policy::parse(&document, Format::Toml).unwrap_or_else(|error| panic!("{error}\n{document}"));
    Rules {
        set: PolicySet::new(policy, None).unwrap(),
        stays_from: stays_from.map(|(_, class)| class),
        kind_stays,
        roaming_stays,
        endpoints,
        listed,
    }
}

/// A text in which something is planted, and what was planted with its kind.
fn text_with_secrets(random: &mut Random, word: &str) -> (String, Vec<(FindingKind, String)>) {
    let mut text = String::from("Please look at this for me.");
    let mut secrets = Vec::new();
    for _ in 0..random.below(4) {
        let (kind, secret) = match random.below(5) {
            0 => (FindingKind::Email, planted::email(random)),
            1 => (FindingKind::PaymentCard, planted::card(random)),
            2 => (FindingKind::Iban, planted::iban(random)),
            3 => (FindingKind::ApiKey, planted::github_token(random)),
            _ => (FindingKind::UserWord, word.to_owned()),
        };
        let secret = planted::in_another_form(random, &secret);
        text += *random.pick(&[" It says ", " The second is ", "\nAlso: ", " — "]);
        text += &secret;
        text += *random.pick(&[".", ", as before.", " ", "\n"]);
        secrets.push((kind, secret));
    }
    (text, secrets)
}

fn device(random: &mut Random) -> (DeviceState, Option<Network>) {
    let networks = [
        None,
        Some(Network::None),
        Some(Network::Metered),
        Some(Network::Unmetered),
        Some(Network::Roaming),
    ];
    let network = *random.pick(&networks);
    let update = DeviceUpdate {
        network: network.map_or(Reported::Unknown, Reported::Is),
        battery_percent: Reported::Is(random.below(101) as u8),
        ..DeviceUpdate::default()
    };
    (DeviceState::reported(&update, 1_000), network)
}

/// Carries a plan out with random failures; gives what was sent.
fn carry_out(
    random: &mut Random,
    plan: &Plan,
    examined: &Examined,
    placeholders: &mut Placeholders,
) -> Vec<(usize, Cleared)> {
    let mut sent = Vec::new();
    let (mut fallback, mut commands) = Fallback::start(plan, 0);
    let mut now_ms = 0;
    loop {
        let mut running = None;
        for command in std::mem::take(&mut commands) {
            match command {
                Command::Start { attempt, candidate } => {
                    running = Some(attempt);
                    let index = candidate as usize;
                    if let Some(permit) = plan.candidates[index].permit(examined.facts()) {
                        sent.push((index, examined.clear(&permit, placeholders).unwrap()));
                    }
                }
                Command::End(_) => return sent,
                _ => {}
            }
        }
        now_ms += random.below(40_000);
        let attempt = running.unwrap_or_else(|| fallback.attempts().len().saturating_sub(1) as u32);
        let event = match random.below(6) {
            0 => Event::Attempt {
                attempt,
                event: AttemptEvent::Finished,
            },
            1 => Event::Attempt {
                attempt,
                event: AttemptEvent::Failed(Code::Server),
            },
            2 => Event::Attempt {
                attempt,
                event: AttemptEvent::Failed(Code::Busy),
            },
            3 => Event::Attempt {
                attempt,
                event: AttemptEvent::Text,
            },
            4 => Event::Timer,
            _ => Event::Attempt {
                attempt,
                event: AttemptEvent::Failed(Code::OutOfMemory),
            },
        };
        commands = fallback.step(now_ms, event);
    }
}

#[test]
fn nothing_leaves_that_a_rule_forbids() {
    let mut random = Random::new(20_261_123);
    let all: Vec<Rules> = (0..POLICIES).map(|_| rules(&mut random)).collect();
    let (mut sent_as_is, mut sent_redacted, mut stayed) = (0, 0, 0);
    for case in 0..CASES {
        let rules = random.pick(&all);
        let word = format!("Project{}", random.letters(8));
        let scanner = Scanner::new(ScannerOptions {
            user_words: vec![word.clone()],
            ..ScannerOptions::default()
        })
        .unwrap();
        let (mut messages, mut secrets) = (Vec::new(), Vec::new());
        for speaker in [
            Speaker::System,
            Speaker::User,
            Speaker::Assistant,
            Speaker::Tool,
            Speaker::User,
        ] {
            if speaker == Speaker::User || random.chance(30) {
                let (text, found) = text_with_secrets(&mut random, &word);
                messages.push(DraftMessage { speaker, text });
                secrets.extend(found);
            }
        }
        let class = random.pick(&CLASSES).1;
        let examined = scanner.examine(Draft { messages, class }).unwrap();
        let (device, network) = device(&mut random);
        let request = RequestFacts {
            id: format!("{case}"),
            task: "chat".into(),
            prompt_tokens: 100,
            answer_tokens_max: 100,
            ..RequestFacts::default()
        };
        let candidates = CandidateFacts {
            local_models: vec![LocalModelFacts {
                model: "tiny".into(),
                variant: "q4_0".into(),
                ready: random.chance(80),
                ..LocalModelFacts::default()
            }],
            system_model: None,
            endpoints: vec![EndpointFacts {
                id: "e0".into(),
                ..EndpointFacts::default()
            }],
        };
        let plan = route(&RouteInput {
            request: &request,
            content: examined.facts(),
            device: &device,
            now_ms: 1_000,
            policies: &rules.set,
            candidates: &candidates,
            used_today: UsedToday::default(),
            learned: &Learned::default(),
            history: &[],
            excluded: &[],
        });
        let sent = carry_out(&mut random, &plan, &examined, &mut Placeholders::new());
        // What this test knows about the text, without asking the scanner.
        let own_class = secrets
            .iter()
            .map(|(kind, _)| kind.class())
            .max()
            .unwrap_or_default()
            .max(class);
        let stays = rules.stays_from.is_some_and(|from| own_class >= from)
            || rules
                .kind_stays
                .is_some_and(|kind| secrets.iter().any(|(found, _)| *found == kind))
            || (rules.roaming_stays && matches!(network, None | Some(Network::Roaming)));
        assert!(
            !stays || sent.is_empty(),
            "case {case}: something left that a rule keeps here"
        );
        if sent.is_empty() {
            stayed += 1;
        }
        for (index, cleared) in sent {
            let candidate = &plan.candidates[index];
            let id = candidate.endpoint_id().expect("only endpoints are sent to");
            assert_eq!(cleared.endpoint(), &**id);
            let endpoint = usize::from(&**id == "e1");
            let release = cleared.release();
            let (as_is_max, redacted_max) = rules.endpoints[endpoint];
            let class_max = if release == Release::AsIs {
                as_is_max
            } else {
                redacted_max
            };
            assert!(
                own_class <= class_max,
                "case {case}: {own_class:?} to an endpoint for {class_max:?}"
            );
            assert!(
                rules.listed[endpoint].contains(&release),
                "case {case}: a form that no list has"
            );
            match release {
                Release::AsIs => sent_as_is += 1,
                Release::Redacted => {
                    sent_redacted += 1;
                    for (_, secret) in &secrets {
                        let leaks = cleared
                            .messages()
                            .iter()
                            .any(|message| message.text.contains(secret.as_str()));
                        assert!(!leaks, "case {case}: a planted secret left");
                    }
                }
            }
        }
    }
    println!("{sent_as_is} sent as they are, {sent_redacted} redacted, {stayed} stayed");
    assert!(sent_as_is > 5_000 && sent_redacted > 5_000 && stayed > 5_000);
}
