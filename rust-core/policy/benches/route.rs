//! How long a decision takes: `cargo bench -p whimbrel-policy`. A policy of 100 rules of which all but the last are looked at in full,
//! a user's policy of 10 rules, 4 endpoints and 2 local models; times of single decisions, after a warm-up.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use whimbrel_policy::{
    CandidateFacts, DeviceState, DeviceUpdate, Format, Learned, LearningMode, LocalModelFacts, Network, Policy,
    PolicySet, RequestFacts, RouteInput, Thermal, UsedToday, route,
};
use whimbrel_privacy::{Draft, DraftMessage, Examined, Scanner, ScannerOptions, Speaker};
use whimbrel_record::Signal;

const WARM_UP: u32 = 20_000;
const DECISIONS: u32 = 200_000;
const NOW_MS: u64 = 1_800_000_000_000;
const P99_MAX: Duration = Duration::from_micros(50);

/// 60 denials and 40 lists in turn, with conditions that mostly hold, so that nearly every rule is read to its end.
fn app_policy() -> String {
    let mut text =
        "version = 1\nname = \"bench\"\norder = \"quality\"\n[limits]\ncost_a_day = 1\nbattery_percent_min = 10\n"
            .to_owned();
    for index in 0..4 {
        let lines = "model = \"m\"\ntrust = \"organisation\"\ncost_per_1k_tokens = 0.001\nclass_max = \"sensitive\"";
        writeln!(
            text,
            "[[endpoints]]\nid = \"endpoint-{index}\"\nbase_url = \"https://{index}.example.org/v1\"\n{lines}"
        )
        .unwrap();
    }
    for index in 0..100 {
        let holding =
            "class = { max = \"secret\" }, network = [\"metered\", \"unmetered\"], battery_percent = { min = 5 }";
        let then = match index {
            99 => "try = [\"on_device\", \"remote:*\", \"redact_then_remote:*\", \"queue\"]",
            _ if index % 5 < 3 => "deny = [\"trust:public_cloud\", \"system_model\"]",
            _ => "try = [\"on_device\"]",
        };
        let failing = match index {
            99 => "",
            _ if index % 5 < 2 => "",
            _ => ", round_trip_ms = { min = 10000 }",
        };
        writeln!(
            text,
            "[[rules]]\nid = \"rule-{index}\"\nwhen = {{ {holding}{failing} }}\n{then}"
        )
        .unwrap();
    }
    text
}

fn user_policy() -> String {
    let mut text = "version = 1\nname = \"user\"\nrole = \"user\"\norder = \"quality\"\notherwise = [\"on_device\", \"remote:*\"]\n".to_owned();
    for index in 0..10 {
        writeln!(
            text,
            "[[rules]]\nid = \"user-{index}\"\nwhen = {{ class = {{ min = \"secret\" }} }}\ndeny = [\"off_device\"]"
        )
        .unwrap();
    }
    text
}

fn main() {
    let parse = |text: &str| Policy::parse(text, Format::Toml).unwrap();
    let policies = PolicySet::new(parse(&app_policy()), Some(parse(&user_policy()))).unwrap();
    let examined = examined();
    let update = DeviceUpdate {
        battery_percent: 60.into(),
        thermal: Thermal::Fair.into(),
        network: Network::Metered.into(),
        round_trip_ms: 80.into(),
        ..DeviceUpdate::default()
    };
    let device = DeviceState::reported(&update, NOW_MS);
    let local = |model: &str| LocalModelFacts {
        model: model.to_owned(),
        variant: "q4_1".to_owned(),
        ready: true,
        ..LocalModelFacts::default()
    };
    let candidates = CandidateFacts {
        local_models: vec![local("small"), local("large")],
        ..CandidateFacts::default()
    };
    let learned = learned();
    let request = |index: u32| RequestFacts {
        id: format!("request-{index}"),
        task: "chat".to_owned(),
        prompt_tokens: 100,
        answer_tokens_max: 200,
        ..RequestFacts::default()
    };
    let mut times = Vec::with_capacity(DECISIONS as usize);
    for index in 0..WARM_UP + DECISIONS {
        let request = request(index);
        let input = RouteInput {
            request: &request,
            content: examined.facts(),
            device: &device,
            now_ms: NOW_MS,
            policies: &policies,
            candidates: &candidates,
            used_today: UsedToday::default(),
            learned: &learned,
            history: &[],
            excluded: &[],
        };
        let started = Instant::now();
        let plan = route(black_box(&input));
        let time = started.elapsed();
        assert_eq!((plan.considered.len(), plan.candidates.len()), (110, 6 + 4));
        if index >= WARM_UP {
            times.push(time);
        }
    }
    report(times);
}

fn report(mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{DECISIONS} decisions, 100 rules of the app and 10 of the user, 10 candidates by quality");
    println!(
        "p50 {:?}, p99 {:?}, max {:?}; bar: p99 below {P99_MAX:?}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    println!(
        "machine: {}, {} threads",
        processor(),
        std::thread::available_parallelism().map_or(0, |count| count.get())
    );
    std::process::exit(i32::from(at(0.99) >= P99_MAX));
}

fn examined() -> Examined {
    let draft = Draft {
        messages: vec![DraftMessage {
            speaker: Speaker::User,
            text: "Write to ann@example.org about the meeting on Monday.".to_owned(),
        }],
        ..Draft::default()
    };
    Scanner::new(ScannerOptions::default()).unwrap().examine(draft).unwrap()
}

fn learned() -> Learned {
    let mut learned = Learned::new(LearningMode::On);
    for index in 0..200 {
        learned.record(
            &format!("task-{}", index % 50),
            "on_device:small/q4_1",
            Signal::ThumbsUp,
            NOW_MS,
        );
        learned.record(
            "chat",
            &format!("remote:endpoint-{}", index % 4),
            Signal::ThumbsUp,
            NOW_MS,
        );
    }
    learned
}

/// The processor's name, where the system has it in a file.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1).map(str::to_owned));
    name.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}
