//! Offering a weak answer again elsewhere: when, and only where the plan allows.
#![allow(clippy::unwrap_used)]

mod support;

use support::{ENDPOINTS, Scene, content};
use whimbrel_policy::{Confidence, EscalationThresholds, Weakness, escalation, repetition_ratio};
use whimbrel_privacy::PrivacyClass;

const SURE: Confidence = Confidence {
    tokens: 40,
    mean_log_probability: -0.4,
    repetition_ratio: 0.1,
};

#[track_caller]
fn check(class: PrivacyClass, answered: u32, confidence: Confidence, expected: Option<(Weakness, &[u32])>) {
    let app = format!("version = 1\nname = \"app\"\notherwise = [\"on_device\", \"remote:*\"]\n{ENDPOINTS}");
    let mut scene = Scene::new(&app, None);
    scene.content = content(class, &[]);
    let offer = escalation(&scene.route(), answered, &confidence, &EscalationThresholds::default());
    let offer = offer.as_ref().map(|offer| (offer.because, offer.candidates.as_slice()));
    assert_eq!(offer, expected);
}

#[test]
fn weak_answers_of_this_device_are_offered_where_rules_allow() {
    use PrivacyClass::{Personal, Public, Sensitive};
    let unsure = |mean_log_probability| Confidence {
        mean_log_probability,
        ..SURE
    };
    let repetitive = |repetition_ratio| Confidence {
        repetition_ratio,
        ..SURE
    };
    check(Public, 0, SURE, None);
    check(Public, 0, unsure(-1.5), None);
    check(Public, 0, unsure(-1.6), Some((Weakness::Unsure, &[1, 2])));
    check(
        Public,
        0,
        Confidence {
            tokens: 7,
            ..unsure(-3.0)
        },
        None,
    );
    check(Public, 0, repetitive(0.5), None);
    check(Public, 0, repetitive(0.6), Some((Weakness::Repetitive, &[1, 2])));
    // Only one endpoint may get personal text, and none what is sensitive.
    check(Personal, 0, unsure(-2.0), Some((Weakness::Unsure, &[1])));
    check(Sensitive, 0, unsure(-2.0), None);
    // What an endpoint answered is not offered again, nor what nobody answered.
    check(Public, 1, unsure(-2.0), None);
    check(Public, 9, unsure(-2.0), None);
}

#[test]
fn repetition_is_the_share_of_tokens_in_repeated_pieces() {
    let ratio = |tokens: &[u32]| repetition_ratio(tokens);
    assert_eq!(ratio(&[]), 0.0);
    assert_eq!(ratio(&[1, 1, 1, 1]), 0.0);
    assert_eq!(ratio(&[1, 1, 1, 1, 1]), 0.8);
    assert_eq!(ratio(&[1, 2, 3, 4, 5, 6, 7, 8]), 0.0);
    assert_eq!(ratio(&[1, 2, 3, 4, 1, 2, 3, 4]), 0.5);
}
