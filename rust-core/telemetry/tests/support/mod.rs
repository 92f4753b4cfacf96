//! Receipts for the tests, and random numbers from a seed.
#![allow(dead_code, reason = "each test uses a part")]

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;
use whimbrel_privacy::PrivacyClass;
use whimbrel_record::{Attempt, AttemptEnd, Closing, Code, FinishReason, Intent, Label, Outcome, Place};

pub(crate) const DAY_MS: u64 = 24 * 3_600_000;

/// The runs of each simulated case.
#[allow(clippy::disallowed_methods, reason = "a setting of the test")]
pub(crate) fn runs() -> u64 {
    std::env::var("WHIMBREL_RUNS").map_or(100, |runs| runs.parse().unwrap())
}

/// From 0 to 1, both left out.
pub(crate) fn uniform(random: &mut Pcg64) -> f64 {
    ((random.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

pub(crate) fn chance(random: &mut Pcg64, share: f64) -> bool {
    uniform(random) < share
}

pub(crate) fn below(random: &mut Pcg64, end: u64) -> u64 {
    random.next_u64() % end
}

/// Normally distributed, with mean 0 and standard deviation 1 (G. E. P. Box and M. E. Muller, 1958).
pub(crate) fn normal(random: &mut Pcg64) -> f64 {
    let radius = (-2.0 * uniform(random).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(random)).cos()
}

/// A finished request.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) intent: Intent,
    pub(crate) closing: Closing,
}

pub(crate) fn label(name: &str) -> Label {
    Label::new(name).unwrap()
}

pub(crate) fn on_device(model: &str, variant: &str, hash: &str) -> Place {
    Place::OnDevice {
        model: label(model),
        variant: label(variant),
        hash: label(hash),
    }
}

pub(crate) fn attempt(place: Place, ended: AttemptEnd) -> Attempt {
    Attempt {
        place,
        sent: None,
        ended,
        error: None,
        rules: Vec::new(),
        milliseconds: 900,
        bytes_out: 0,
        bytes_in: 0,
    }
}

/// A request that a model on this device answered with 32 tokens.
pub(crate) fn answered() -> Closed {
    let mut closing = Closing::new(Outcome::Answered);
    let place = on_device("smollm2", "q4_1", "0123456789abcdef");
    closing.attempts.push(attempt(place, AttemptEnd::Answered));
    closing.finish = Some(FinishReason::Stop);
    closing.measured.prefill_us = 200_000;
    closing.measured.prefill_tokens = 100;
    let mut closed = Closed {
        intent: Intent::new(label("request"), label("chat"), PrivacyClass::Personal),
        closing,
    };
    closed.set_token_us(40_000.0);
    closed
}

impl Closed {
    /// Sets the time that each token of the answer took.
    pub(crate) fn set_token_us(&mut self, token_us: f64) {
        self.closing.measured.decode_tokens = 32;
        self.closing.measured.decode_us = (token_us * 32.0) as u64;
    }

    /// Sets whether the answer failed.
    pub(crate) fn set_bad(&mut self, is_bad: bool) {
        let attempt = &mut self.closing.attempts[0];
        if is_bad {
            self.closing.outcome = Outcome::Failed;
            attempt.ended = AttemptEnd::Failed;
            attempt.error = Some(Code::NotInForm.into());
        } else {
            self.closing.outcome = Outcome::Answered;
            attempt.ended = AttemptEnd::Answered;
            attempt.error = None;
        }
        self.closing.error.clone_from(&attempt.error);
    }
}
