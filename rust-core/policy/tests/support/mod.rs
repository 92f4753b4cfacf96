//! What the tests share: a scene in which a decision is made, with everything at hand and nothing in the way.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod schema;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use whimbrel_policy::{
    Availability, CandidateFacts, DeviceState, DeviceUpdate, Format, Learned, LearningMode, LocalModelFacts, Network,
    Plan, Policy, PolicySet, Recipients, RequestFacts, RouteInput, SystemModelFacts, Thermal, UsedToday, route,
};
use whimbrel_privacy::{
    ContentFacts, Draft, DraftMessage, Examined, FindingKind, PrivacyClass, Scanner, ScannerOptions, Speaker,
};
use whimbrel_record::Place;

pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// Two endpoints, to be put behind a policy.
pub(crate) const ENDPOINTS: &str = r#"
[[endpoints]]
id = "house"
base_url = "https://llm.example.org/v1"
model = "medium"
trust = "organisation"
cost_per_1k_tokens = 0
class_max = "personal"
class_max_redacted = "sensitive"
supports = ["json"]

[[endpoints]]
id = "cloud"
base_url = "https://api.example.com/v1"
model = "large"
trust = "public_cloud"
cost_per_1k_tokens = { prompt = 0.5, answer = 2 }
"#;

/// Everything a decision depends on, to be changed at will.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) request: RequestFacts,
    pub(crate) content: ContentFacts,
    pub(crate) device: DeviceState,
    pub(crate) policies: PolicySet,
    pub(crate) candidates: CandidateFacts,
    pub(crate) used_today: UsedToday,
    pub(crate) learned: Learned,
    pub(crate) history: Vec<Arc<Recipients>>,
    pub(crate) excluded: Vec<Place>,
}

impl Scene {
    /// A public question on a healthy telephone, under the app's policy and perhaps a user's.
    pub(crate) fn new(app: &str, user: Option<&str>) -> Scene {
        let parse = |text: &str| Policy::parse(text, Format::Toml).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Scene {
            request: RequestFacts {
                id: "request-1".to_owned(),
                task: "chat".to_owned(),
                prompt_tokens: 100,
                answer_tokens_max: 200,
                ..RequestFacts::default()
            },
            content: content(PrivacyClass::Public, &[]),
            device: DeviceState::reported(&healthy(), NOW_MS),
            policies: PolicySet::new(parse(app), user.map(parse)).unwrap(),
            candidates: CandidateFacts {
                local_models: vec![local("smollm2")],
                system_model: Some(SystemModelFacts {
                    model: "nano".to_owned(),
                    availability: Availability::Available,
                    ..SystemModelFacts::default()
                }),
                endpoints: Vec::new(),
            },
            used_today: UsedToday::default(),
            learned: Learned::new(LearningMode::On),
            history: Vec::new(),
            excluded: Vec::new(),
        }
    }

    pub(crate) fn input(&self) -> RouteInput<'_> {
        RouteInput {
            request: &self.request,
            content: &self.content,
            device: &self.device,
            now_ms: NOW_MS,
            policies: &self.policies,
            candidates: &self.candidates,
            used_today: self.used_today,
            learned: &self.learned,
            history: &self.history,
            excluded: &self.excluded,
        }
    }

    pub(crate) fn route(&self) -> Plan {
        route(&self.input())
    }

    pub(crate) fn report(&mut self, change: impl FnOnce(&mut DeviceUpdate)) {
        let mut update = DeviceUpdate::default();
        change(&mut update);
        self.device.apply(&update, NOW_MS);
    }
}

pub(crate) fn local(model: &str) -> LocalModelFacts {
    LocalModelFacts {
        model: model.to_owned(),
        variant: "q4_1".to_owned(),
        ready: true,
        context_tokens: Some(2048),
        first_token_ms: Some(300),
        tokens_per_s: Some(20.0),
        peak_memory_bytes: Some(200_000_000),
        ..LocalModelFacts::default()
    }
}

pub(crate) fn healthy() -> DeviceUpdate {
    DeviceUpdate {
        battery_percent: 80.into(),
        charging: false.into(),
        power_save: false.into(),
        thermal: Thermal::Nominal.into(),
        memory_total_bytes: 8_000_000_000.into(),
        memory_available_bytes: 3_000_000_000.into(),
        network: Network::Unmetered.into(),
        foreground: true.into(),
        ..DeviceUpdate::default()
    }
}

/// Facts of a text of this class in which these were found. The digest is that of an empty draft.
pub(crate) fn content(class: PrivacyClass, findings: &[(FindingKind, u32)]) -> ContentFacts {
    static EMPTY: OnceLock<ContentFacts> = OnceLock::new();
    let mut facts = EMPTY.get_or_init(|| examine("").facts().clone()).clone();
    let found = findings.iter().map(|(kind, _)| kind.class()).max().unwrap_or_default();
    facts.class = class.max(found);
    facts.findings = findings.iter().copied().collect::<BTreeMap<_, _>>();
    facts.text_bytes = 400;
    facts
}

pub(crate) fn examine(text: &str) -> Examined {
    let draft = Draft {
        messages: vec![DraftMessage {
            speaker: Speaker::User,
            text: text.to_owned(),
        }],
        class: PrivacyClass::Public,
    };
    Scanner::new(ScannerOptions::default()).unwrap().examine(draft).unwrap()
}

pub(crate) fn names(plan: &Plan) -> Vec<String> {
    plan.candidates.iter().map(|candidate| candidate.name()).collect()
}
