//! A policy document: parsing any text ends in a policy or an error with a place, and every policy decides and is explained, alone and with another one.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use whimbrel_policy::{
    CandidateFacts, Command, DeviceState, Exchange, Format, Learned, LocalModelFacts, Policy, PolicyRole, PolicySet,
    Preset, Price, RequestFacts, RouteInput, UsedToday, explain, route,
};
use whimbrel_privacy::{Draft, Examined, Scanner, ScannerOptions};

const NOW_MS: u64 = 1_800_000_000_000;
const ENDPOINT: &str = "[[endpoints]]\nid = \"house\"\nbase_url = \"https://llm.example.org/v1\"\nmodel = \"m\"\n\
                        trust = \"organisation\"\ncost_per_1k_tokens = 1\n";

/// Nothing in it: the first thing that a policy may not be surprised by.
fn examined() -> &'static Examined {
    static EXAMINED: OnceLock<Examined> = OnceLock::new();
    EXAMINED.get_or_init(|| {
        let scanner = Scanner::new(ScannerOptions::default()).expect("the usual options are valid");
        scanner
            .examine(Draft::default())
            .expect("an empty draft is short enough")
    })
}

fn decide(policies: &PolicySet) {
    let request = RequestFacts {
        id: "fuzz".to_owned(),
        task: "chat".to_owned(),
        answer_tokens_max: u32::MAX,
        ..RequestFacts::default()
    };
    let model = LocalModelFacts {
        ready: true,
        ..LocalModelFacts::default()
    };
    let candidates = CandidateFacts {
        local_models: vec![model],
        ..CandidateFacts::default()
    };
    let used_today = UsedToday {
        cost_micros: u64::MAX,
        metered_bytes: 1,
    };
    let input = RouteInput {
        request: &request,
        content: examined().facts(),
        device: &DeviceState::default(),
        now_ms: NOW_MS,
        policies,
        candidates: &candidates,
        used_today,
        learned: &Learned::default(),
        history: &[],
        excluded: &[],
    };
    let plan = route(&input);
    let explanation = explain(&input);
    assert_eq!(explanation.plan, plan);
    assert!(!explanation.to_string().is_empty());
    for candidate in &plan.candidates {
        let permit = candidate.permit(examined().facts());
        assert_eq!(permit.map(|permit| permit.release()), candidate.release());
    }
    let is_empty = plan.candidates.is_empty();
    let prices = plan.candidates.iter().map(|_| Price::default()).collect();
    let (_, commands) = Exchange::start(plan, prices, true, NOW_MS);
    let has_ended = commands.iter().any(|command| matches!(command, Command::End));
    assert_eq!(has_ended, is_empty);
}

fuzz_target!(|text: &str| {
    for format in [Format::Toml, Format::Json] {
        let policy = match Policy::parse(text, format) {
            Ok(policy) => policy,
            Err(error) => {
                assert!(error.line > 0 && error.column > 0);
                continue;
            }
        };
        let policies = match policy.role() {
            PolicyRole::App => PolicySet::new(policy, None),
            PolicyRole::User => {
                let app = Preset::Balanced.policy(ENDPOINT).expect("the preset is valid");
                PolicySet::new(app, Some(policy))
            }
        };
        if let Ok(policies) = policies {
            decide(&policies);
        }
    }
});
