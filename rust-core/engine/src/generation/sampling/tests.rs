//! Choices against a plain computation, their reproducibility, and odd scores.
#![allow(clippy::unwrap_used)]
use super::*;

/// Scores between -8 and 8, some of them equal.
fn scores(seed: u64, count: usize) -> Vec<f32> {
    let mut generator = Pcg64::new(seed.into(), 1);
    (0..count)
        .map(|_| (generator.next_u64() % 4096) as f32 / 256.0 - 8.0)
        .collect()
}

/// The probabilities that the options leave, computed in the plainest way; in the order of drawing.
fn reference(options: &Sampling, logits: &[f32], recent: &[u32]) -> Vec<(u32, f64)> {
    let mut logits = logits.to_vec();
    let window = &recent[recent.len().saturating_sub(options.repetition_window as usize)..];
    for (id, logit) in logits.iter_mut().enumerate() {
        if window.contains(&(id as u32)) {
            *logit = if *logit > 0.0 {
                *logit / options.repetition_penalty
            } else {
                *logit * options.repetition_penalty
            };
        }
    }
    let mut left: Vec<(u32, f64)> = (0..).zip(logits.iter().map(|&logit| f64::from(logit))).collect();
    if options.top_k > 0 || options.top_p < 1.0 {
        left.sort_by(|first, second| second.1.total_cmp(&first.1));
    }
    if options.top_k > 0 {
        left.truncate(options.top_k as usize);
    }
    let softmax = |left: &[(u32, f64)], temperature: f64| -> Vec<f64> {
        let weights: Vec<f64> = left.iter().map(|(_, logit)| (logit / temperature).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / total).collect()
    };
    if options.top_p < 1.0 {
        let probabilities = softmax(&left, 1.0);
        let mut mass = 0.0;
        let enough = probabilities.iter().position(|probability| {
            mass += probability;
            mass >= f64::from(options.top_p)
        });
        left.truncate(enough.map_or(left.len(), |last| last + 1));
    }
    if options.min_p > 0.0 {
        let probabilities = softmax(&left, 1.0);
        let highest = probabilities.iter().copied().fold(0.0, f64::max);
        let mut probability = probabilities.iter();
        left.retain(|_| probability.next().unwrap() / highest >= f64::from(options.min_p));
    }
    let probabilities = softmax(&left, options.temperature.into());
    left.iter().map(|(id, _)| *id).zip(probabilities).collect()
}

fn check(options: &Sampling) {
    options.validate().unwrap();
    for seed in 0..200 {
        let options = Sampling {
            seed,
            ..options.clone()
        };
        let logits = scores(seed, 700);
        let (prompt, answer): (Vec<u32>, Vec<u32>) = ((0..40).collect(), (300..340).collect());
        let recent = [prompt.clone(), answer.clone()].concat();
        let left = reference(&options, &logits, &recent);
        let uniform = (Sampler::new(&options).generator.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut mass = 0.0;
        let expected = left.iter().find(|(_, probability)| {
            mass += probability;
            uniform < mass
        });
        let found = Sampler::new(&options).sample(&mut logits.clone(), &prompt, &answer);
        assert_eq!(found, expected.unwrap().0, "{options:?}");
    }
}

#[test]
fn choices_are_those_of_the_plain_computation() {
    let warm = Sampling {
        temperature: 0.8,
        ..Sampling::default()
    };
    check(&warm);
    check(&Sampling {
        temperature: 5.0,
        ..warm.clone()
    });
    check(&Sampling {
        top_k: 1,
        ..warm.clone()
    });
    check(&Sampling {
        top_k: 40,
        ..warm.clone()
    });
    check(&Sampling {
        top_k: 5000,
        ..warm.clone()
    });
    check(&Sampling {
        top_p: 0.9,
        ..warm.clone()
    });
    check(&Sampling {
        top_p: 0.9999,
        temperature: 3.0,
        ..warm.clone()
    });
    check(&Sampling {
        top_p: 0.0,
        ..warm.clone()
    });
    check(&Sampling {
        min_p: 0.05,
        ..warm.clone()
    });
    check(&Sampling {
        min_p: 1.0,
        ..warm.clone()
    });
    check(&Sampling {
        repetition_penalty: 1.3,
        ..warm.clone()
    });
    check(&Sampling {
        repetition_penalty: 0.5,
        repetition_window: 50,
        ..warm.clone()
    });
    check(&Sampling {
        top_k: 100,
        top_p: 0.95,
        min_p: 0.01,
        repetition_penalty: 1.1,
        repetition_window: 20,
        temperature: 1.2,
        ..warm
    });
}

fn check_greedy(logits: &[f32], recent: &[u32], penalty: f32, expected: u32) {
    let options = Sampling {
        repetition_penalty: penalty,
        ..Sampling::default()
    };
    let mut sampler = Sampler::new(&options);
    for _ in 0..3 {
        assert_eq!(
            sampler.sample(&mut logits.to_vec(), recent, &[]),
            expected,
            "{logits:?} {recent:?}"
        );
    }
}

#[test]
fn greedy_takes_the_highest_score() {
    let [nan, infinity] = [f32::NAN, f32::INFINITY];
    check_greedy(&[], &[], 1.0, 0);
    check_greedy(&[1.0, 3.0, 2.0], &[], 1.0, 1);
    check_greedy(&[1.0, 3.0, 3.0], &[], 1.0, 1);
    check_greedy(&[nan, -1.0, nan, -2.0], &[], 1.0, 1);
    check_greedy(&[nan, nan], &[], 1.0, 0);
    check_greedy(&[-infinity, -5.0, -infinity], &[], 1.0, 1);
    check_greedy(&[1.0, infinity], &[], 1.0, 1);
    check_greedy(&[1.0, 3.0, 2.0], &[1, 1, 7], 2.0, 2);
    check_greedy(&[-1.0, -1.5, -4.0], &[0], 2.0, 1);
}

#[test]
fn odd_scores_are_drawn_without_harm() {
    let options = Sampling {
        temperature: 1.0,
        top_p: 0.9,
        min_p: 0.1,
        ..Sampling::default()
    };
    for (logits, expected) in [
        (vec![], 0),
        (vec![f32::NAN, 2.0, f32::NAN], 1),
        (vec![f32::NEG_INFINITY, f32::NEG_INFINITY, 0.0], 2),
        (vec![0.0, f32::INFINITY], 1),
    ] {
        assert_eq!(
            Sampler::new(&options).sample(&mut logits.clone(), &[], &[]),
            expected,
            "{logits:?}"
        );
    }
}

/// Scores count as finite numbers, whichever option looks at them first.
#[test]
fn scores_that_are_no_numbers_count_as_the_lowest_everywhere() {
    let choose = |logits: &[f32], change: fn(&mut Sampling)| {
        let mut options = Sampling {
            temperature: 1.0,
            seed: 5,
            ..Sampling::default()
        };
        change(&mut options);
        Sampler::new(&options).sample(&mut logits.to_vec(), &[], &[])
    };
    for nothing in [f32::NAN, f32::NEG_INFINITY] {
        let logits = [nothing; 100];
        assert_eq!(choose(&logits, |options| options.min_p = 0.05), choose(&logits, |_| ()));
    }
    let mut logits = [0.0; 100];
    (logits[3], logits[40], logits[90]) = (f32::MAX, f32::INFINITY, f32::NAN);
    assert_eq!(choose(&logits, |options| options.top_k = 1), 3);
    let mut logits = [f32::NAN; 100];
    logits[70] = 1.0;
    assert_eq!(choose(&logits, |options| options.min_p = 0.05), 70);
    assert_eq!(choose(&logits, |options| options.top_k = 1), 70);
}

#[test]
fn equal_seeds_give_equal_choices() {
    let choose = |seed: u64| -> Vec<u32> {
        let options = Sampling {
            temperature: 1.0,
            top_p: 0.95,
            seed,
            ..Sampling::default()
        };
        let mut sampler = Sampler::new(&options);
        (0..12)
            .map(|step| sampler.sample(&mut scores(step, 500), &[], &[]))
            .collect()
    };
    assert_eq!(choose(7), choose(7));
    assert_ne!(choose(7), choose(8));
    // The same numbers on every platform.
    assert_eq!(choose(42), CHOICES_OF_SEED_42);
}

const CHOICES_OF_SEED_42: [u32; 12] = [51, 84, 154, 400, 43, 210, 118, 109, 268, 438, 27, 410];

#[test]
fn working_space_is_kept() {
    let options = Sampling {
        temperature: 1.0,
        top_k: 50,
        top_p: 0.9,
        repetition_penalty: 1.1,
        ..Sampling::default()
    };
    let mut sampler = Sampler::new(&options);
    sampler.sample(&mut scores(0, 1000), &[1], &[2]);
    let before = (sampler.candidates.as_ptr(), sampler.penalised.as_ptr());
    for seed in 1..20 {
        sampler.sample(&mut scores(seed, 1000), &[1], &[2]);
    }
    assert_eq!((sampler.candidates.as_ptr(), sampler.penalised.as_ptr()), before);
}

#[test]
fn options_out_of_range_are_named() {
    let refused = |options: Sampling| match options.validate() {
        Err(EngineError::Option { option, .. }) => option,
        other => panic!("{other:?}"),
    };
    let valid = Sampling::default();
    valid.validate().unwrap();
    Sampling {
        temperature: 100.0,
        top_p: 0.0,
        min_p: 1.0,
        ..valid.clone()
    }
    .validate()
    .unwrap();
    assert_eq!(
        refused(Sampling {
            temperature: -0.1,
            ..valid.clone()
        }),
        "temperature"
    );
    assert_eq!(
        refused(Sampling {
            temperature: 100.1,
            ..valid.clone()
        }),
        "temperature"
    );
    assert_eq!(
        refused(Sampling {
            temperature: f32::NAN,
            ..valid.clone()
        }),
        "temperature"
    );
    assert_eq!(
        refused(Sampling {
            top_p: 1.1,
            ..valid.clone()
        }),
        "top_p"
    );
    assert_eq!(
        refused(Sampling {
            min_p: -1.0,
            ..valid.clone()
        }),
        "min_p"
    );
    assert_eq!(
        refused(Sampling {
            repetition_penalty: 0.0,
            ..valid.clone()
        }),
        "repetition_penalty"
    );
    assert_eq!(
        refused(Sampling {
            repetition_penalty: f32::INFINITY,
            ..valid
        }),
        "repetition_penalty"
    );
}
