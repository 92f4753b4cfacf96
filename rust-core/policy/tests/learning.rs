//! What is learned from feedback: that it finds the best of what is allowed, fades, is bounded and kept, and can be frozen, switched off and forgotten.
#![allow(clippy::unwrap_used)]

mod support;

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use support::{ENDPOINTS, NOW_MS, Scene, local, names};
use whimbrel_policy::limits::{LEARNED_ENTRIES_MAX, LEARNED_NAME_BYTES_MAX};
use whimbrel_policy::{EVIDENCE_MAX, HALF_LIFE_MS, Learned, LearnedError, LearnedSnapshot, LearningMode};
use whimbrel_record::Signal;

const SEEDS: u64 = 100;
const FEEDBACKS_A_TASK: u64 = 300;

/// How good each candidate is at each task: the chance that its answer is liked. The cloud is best at everything, and denied.
const QUALITIES: [(&str, [(&str, f64); 4]); 4] = [
    ("chat", qualities(0.85, 0.55, 0.70)),
    ("summarise", qualities(0.40, 0.50, 0.80)),
    ("translate", qualities(0.20, 0.75, 0.60)),
    ("write", qualities(0.60, 0.65, 0.62)),
];

const fn qualities(small: f64, large: f64, house: f64) -> [(&'static str, f64); 4] {
    [
        ("on_device:small/q4_1", small),
        ("on_device:large/q4_1", large),
        ("remote:house", house),
        ("remote:cloud", 0.99),
    ]
}

fn scene() -> Scene {
    let app = format!(
        "version = 1\nname = \"app\"\norder = \"quality\"\notherwise = [\"remote:*\", \"on_device\"]\n\
         [[rules]]\nid = \"not-the-cloud\"\ndeny = [\"trust:public_cloud\"]\n{ENDPOINTS}"
    );
    let mut scene = Scene::new(&app, None);
    scene.candidates.local_models = vec![local("small"), local("large")];
    scene
}

/// Plays all feedback of one person; returns for each task the mean reward of the last 100 feedbacks, as it came and as it was to be expected of
/// what was chosen, in relation to what is expected of the best fixed choice.
fn simulate(seed: u64) -> [(f64, f64); 4] {
    let mut scene = scene();
    let mut generator = Pcg64::new(u128::from(seed), 99);
    let mut rewards = [(0.0, 0.0); 4];
    for round in 0..FEEDBACKS_A_TASK {
        for (index, (task, qualities)) in QUALITIES.iter().enumerate() {
            scene.request.id = format!("request-{seed}-{round}");
            scene.request.task = (*task).to_owned();
            let plan = scene.route();
            assert_eq!(plan.candidates.len(), 3, "{plan}");
            assert!(!names(&plan).contains(&"remote:cloud".to_owned()), "{plan}");
            let chosen = plan.candidates[0].name();
            let (_, quality) = qualities.iter().find(|(name, _)| *name == chosen).unwrap();
            let is_liked = (generator.next_u32() as f64 / f64::from(u32::MAX)) < *quality;
            let signal = if is_liked { Signal::ThumbsUp } else { Signal::ThumbsDown };
            scene.learned.record(task, &chosen, signal, NOW_MS);
            if round >= 200 {
                rewards[index].0 += f64::from(u8::from(is_liked)) / 100.0;
                rewards[index].1 += quality / 100.0;
            }
        }
    }
    let best = |qualities: &[(&str, f64)]| qualities[..3].iter().map(|(_, quality)| *quality).fold(0.0, f64::max);
    std::array::from_fn(|index| {
        let best = best(&QUALITIES[index].1);
        (rewards[index].0 / best, rewards[index].1 / best)
    })
}

#[test]
fn the_best_of_what_is_allowed_is_found() {
    let runs: Vec<_> = (0..SEEDS).map(simulate).collect();
    for (index, (task, _)) in QUALITIES.iter().enumerate() {
        let median = |mut ratios: Vec<f64>| {
            ratios.sort_by(f64::total_cmp);
            (ratios[49] + ratios[50]) / 2.0
        };
        let came = median(runs.iter().map(|run| run[index].0).collect());
        let expected = median(runs.iter().map(|run| run[index].1).collect());
        println!("{task}: {came:.3} as it came, {expected:.3} as expected");
        assert!(came >= 0.9 && expected >= 0.9, "{task}: {came}, {expected}");
    }
}

#[test]
fn feedback_moves_the_mean_by_its_weight() {
    #[track_caller]
    fn check(signal: Signal, expected: f64) {
        let mut learned = Learned::new(LearningMode::On);
        learned.record("chat", "a", signal, NOW_MS);
        let quality = learned.quality("r", "chat", "a", NOW_MS).unwrap();
        assert!((quality.mean - expected).abs() < 1e-9, "{signal:?}: {}", quality.mean);
    }
    check(Signal::ThumbsUp, 2.0 / 3.0);
    check(Signal::ThumbsDown, 1.0 / 3.0);
    check(Signal::SchemaFailed, 1.0 / 3.0);
    check(Signal::Regenerated, 1.0 / 2.7);
    check(Signal::EscalationAccepted, 1.0 / 2.7);
    check(Signal::Aborted, 1.0 / 2.3);
    check(Signal::Kept { edited_permille: 250 }, 1.6 / 2.8);
    check(Signal::Kept { edited_permille: 0 }, 1.8 / 2.8);
    check(Signal::Kept { edited_permille: 7000 }, 1.0 / 2.8);
}

#[test]
fn what_was_learned_fades() {
    let mut learned = Learned::new(LearningMode::On);
    for _ in 0..8 {
        learned.record("chat", "a", Signal::ThumbsUp, NOW_MS);
    }
    let evidence = |age| learned.quality("r", "chat", "a", NOW_MS + age).unwrap().evidence;
    assert_eq!(evidence(0), 8.0);
    assert_eq!(evidence(HALF_LIFE_MS), 4.0);
    assert_eq!(evidence(3 * HALF_LIFE_MS), 1.0);
    // A clock that was set back makes nothing stronger.
    let before = learned.quality("r", "chat", "a", NOW_MS - HALF_LIFE_MS).unwrap();
    assert_eq!(before.evidence, 8.0);
    let mut learned = Learned::new(LearningMode::On);
    for _ in 0..1000 {
        learned.record("chat", "a", Signal::ThumbsUp, NOW_MS);
    }
    assert!(learned.quality("r", "chat", "a", NOW_MS).unwrap().evidence <= EVIDENCE_MAX);
}

#[test]
fn it_can_be_frozen_switched_off_and_forgotten() {
    let mut scene = scene();
    for _ in 0..50 {
        scene
            .learned
            .record("chat", "on_device:large/q4_1", Signal::ThumbsUp, NOW_MS);
        scene.learned.record("chat", "remote:house", Signal::ThumbsDown, NOW_MS);
    }
    let best_first = ["on_device:large/q4_1", "on_device:small/q4_1", "remote:house"];
    let as_written = ["remote:house", "on_device:small/q4_1", "on_device:large/q4_1"];
    scene.learned.set_mode(LearningMode::Frozen);
    assert_eq!(names(&scene.route()), best_first);
    let frozen = scene.learned.clone();
    scene.learned.record("chat", "remote:house", Signal::ThumbsUp, NOW_MS);
    assert_eq!(scene.learned, frozen);
    scene.learned.set_mode(LearningMode::Off);
    assert_eq!(names(&scene.route()), as_written);
    scene.learned.set_mode(LearningMode::Frozen);
    scene.learned.reset();
    assert_eq!(names(&scene.route()), as_written);
}

#[test]
fn a_draw_follows_from_the_request() {
    let mut scene = scene();
    let first = scene.route();
    assert_eq!(first, scene.route());
    let firsts = (0..50).map(|index| {
        scene.request.id = format!("another-{index}");
        names(&scene.route())[0].clone()
    });
    assert_eq!(firsts.collect::<std::collections::BTreeSet<_>>().len(), 3);
}

#[test]
fn it_is_kept_as_it_is() {
    let mut learned = Learned::new(LearningMode::On);
    learned.record("chat", "remote:house", Signal::ThumbsUp, NOW_MS);
    learned.record("chat", "remote:house", Signal::Regenerated, NOW_MS);
    let snapshot = learned.snapshot();
    let json = serde_json::to_string(&snapshot).unwrap();
    assert_eq!(
        json,
        "{\"version\":1,\"mode\":\"on\",\"entries\":[{\"task\":\"chat\",\"candidate\":\"remote:house\",\"successes\":1.0,\
         \"failures\":0.7,\"at_ms\":1800000000000}]}"
    );
    let read: LearnedSnapshot = serde_json::from_str(&json).unwrap();
    assert_eq!(Learned::restore(&read).unwrap(), learned);

    let with = |change: &dyn Fn(&mut LearnedSnapshot)| {
        let mut changed = snapshot.clone();
        change(&mut changed);
        Learned::restore(&changed)
    };
    let invalid = |index| Err(LearnedError::InvalidEntry { index });
    assert_eq!(with(&|it| it.version = 2), Err(LearnedError::Version { found: 2 }));
    assert_eq!(with(&|it| it.entries.push(it.entries[0].clone())), invalid(1));
    assert_eq!(with(&|it| it.entries[0].successes = -0.1), invalid(0));
    assert_eq!(with(&|it| it.entries[0].failures = f64::NAN), invalid(0));
    assert_eq!(with(&|it| it.entries[0].failures = EVIDENCE_MAX * 2.0), invalid(0));
    let long = |extra| "n".repeat(LEARNED_NAME_BYTES_MAX as usize + extra);
    assert!(with(&|it| it.entries[0].task = long(0)).is_ok());
    assert_eq!(with(&|it| it.entries[0].task = long(1)), invalid(0));
    let many = |it: &mut LearnedSnapshot, count: u64| {
        let entry = it.entries[0].clone();
        it.entries = (0..count)
            .map(|index| {
                let mut entry = entry.clone();
                entry.task = format!("task-{index}");
                entry
            })
            .collect();
    };
    assert!(with(&|it| many(it, LEARNED_ENTRIES_MAX)).is_ok());
    let found = LEARNED_ENTRIES_MAX + 1;
    assert_eq!(with(&|it| many(it, found)), Err(LearnedError::TooManyEntries { found }));
}

#[test]
fn the_oldest_entry_makes_room() {
    let mut learned = Learned::new(LearningMode::On);
    for index in 0..=LEARNED_ENTRIES_MAX {
        learned.record(&format!("task-{index}"), "a", Signal::ThumbsUp, NOW_MS + index);
    }
    assert_eq!(learned.snapshot().entries.len() as u64, LEARNED_ENTRIES_MAX);
    let evidence = |task| learned.quality("r", task, "a", NOW_MS).unwrap().evidence;
    assert_eq!((evidence("task-0"), evidence("task-1")), (0.0, 1.0));
    let before = learned.snapshot();
    learned.record(
        &"n".repeat(LEARNED_NAME_BYTES_MAX as usize + 1),
        "a",
        Signal::ThumbsUp,
        NOW_MS,
    );
    assert_eq!(learned.snapshot(), before);
}
