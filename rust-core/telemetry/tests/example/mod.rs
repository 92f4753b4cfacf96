//! A person's two months with an assistant, made from a seed: what a page or a report is looked at with.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use whimbrel_privacy::{PrivacyClass, Release};
use whimbrel_record::{
    Attempt, AttemptEnd, Closing, Code, DeviceClass, Energy, Host, Intent, Label, Measured, Outcome, Place, ReceiptId,
    Thermal, TrustClass,
};
use whimbrel_telemetry::{Meter, PageOptions};

pub(crate) const DAY_MS: u64 = 24 * 3_600_000;
pub(crate) const HOUR_MS: u64 = 3_600_000;
/// 3 October 2026, at midnight in Berlin.
pub(crate) const BEGINS_MS: u64 = 1_790_978_400_000;

/// 1 December 2026, 14:05 in Berlin.
pub(crate) const OPTIONS: PageOptions = PageOptions {
    host: Host::Phone,
    now_ms: BEGINS_MS + 59 * DAY_MS + 15 * HOUR_MS + 5 * 60_000,
    utc_offset_s: 3600,
};

pub(crate) fn label(name: &str) -> Label {
    Label::squeezed(name)
}

pub(crate) fn intent(task: &str) -> Intent {
    Intent::new(label("request"), label(task), PrivacyClass::Personal)
}

pub(crate) fn on_device(model: &str, variant: &str) -> Place {
    Place::OnDevice {
        model: label(model),
        variant: label(variant),
        hash: label("0badcafe0badcafe"),
    }
}

/// What the example draws its figures from.
pub(crate) struct Chance(Pcg64Mcg);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(Pcg64Mcg::seed_from_u64(seed))
    }

    /// 0 to `below - 1`.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0.next_u64() % below
    }

    /// About this much: mostly a little less, at times twice as much or more.
    pub(crate) fn about(&mut self, typical: u64) -> u64 {
        let spread = (0..4).map(|_| self.below(1000)).sum::<u64>() as f64 / 2000.0 - 1.0;
        let tail = if self.below(12) == 0 { 2.5 } else { 1.0 };
        (typical as f64 * (spread * 0.9).exp() * tail) as u64
    }
}

/// An attempt that answered.
pub(crate) fn attempt(place: Place, milliseconds: u64) -> Attempt {
    Attempt {
        place,
        sent: None,
        ended: AttemptEnd::Answered,
        error: None,
        rules: Vec::new(),
        milliseconds,
        bytes_out: 0,
        bytes_in: 0,
    }
}

fn answered_here(chance: &mut Chance, model: &str, variant: &str, token_us: u64, tokens: u64) -> Closing {
    let mut closing = Closing::new(Outcome::Answered);
    let (input, output) = (chance.about(220), chance.about(tokens).max(1));
    let prefill_us = input * chance.about(token_us / 9);
    let decode_us = output * chance.about(token_us);
    // The model is loaded when it has not been used for a while.
    let load_ms = if chance.below(6) == 0 { 620 } else { 14 };
    let load_us = chance.about(load_ms * 1_000);
    let examine_us = chance.about(1_700);
    let first_us = examine_us + load_us + prefill_us;
    closing.latency.first_token_ms = Some(first_us / 1_000);
    closing.latency.total_ms = (first_us + decode_us) / 1_000;
    closing.tokens.input = input;
    closing.tokens.output = output;
    closing.measured = Measured {
        examine_us,
        decide_us: chance.about(45),
        load_us,
        prefill_us,
        decode_us,
        network_us: 0,
        prefill_tokens: input,
        decode_tokens: output,
        cpu_us: (prefill_us + decode_us) * 4,
        memory_bytes: 640_000_000 + chance.below(90_000_000),
        battery_percent: None,
        thermal: Some(if chance.below(20) == 0 {
            Thermal::Fair
        } else {
            Thermal::Nominal
        }),
        device: Some(DeviceClass::Large),
    };
    closing.energy = Some(Energy {
        millijoules: (prefill_us + decode_us) * 8 / 1_000,
        method: label("processor-time-2-watts"),
    });
    closing
        .attempts
        .push(attempt(on_device(model, variant), closing.latency.total_ms));
    closing
}

fn answered_elsewhere(chance: &mut Chance) -> Closing {
    let mut closing = Closing::new(Outcome::Answered);
    let network_us = chance.about(430_000);
    closing.latency.first_token_ms = Some(network_us / 1_000 + 3);
    closing.latency.total_ms = network_us / 1_000 + chance.about(2_600);
    closing.tokens.input = chance.about(900);
    closing.tokens.output = chance.about(260);
    closing.measured.network_us = network_us;
    closing.measured.examine_us = chance.about(3_100);
    closing.measured.decide_us = chance.about(60);
    closing.measured.device = Some(DeviceClass::Large);
    let place = Place::Remote {
        endpoint: label("eu-1"),
        trust: TrustClass::PublicCloud,
        model: label("mistral-large-2512"),
    };
    let mut attempt = attempt(place, closing.latency.total_ms);
    attempt.sent = Some(Release::Redacted);
    attempt.bytes_out = closing.tokens.input * 5;
    attempt.bytes_in = closing.tokens.output * 90;
    closing.attempts.push(attempt);
    closing
}

fn not_answered(chance: &mut Chance) -> Closing {
    let (outcome, code) = match chance.below(6) {
        0 => (Outcome::Failed, Some(Code::OutOfMemory)),
        1 | 2 => (Outcome::Failed, Some(Code::Unreachable)),
        3 => (Outcome::Denied, None),
        _ => (Outcome::Cancelled, None),
    };
    let mut closing = Closing::new(outcome);
    closing.error = code.map(Label::from);
    closing.measured.device = Some(DeviceClass::Large);
    if outcome != Outcome::Denied {
        let mut attempt = attempt(on_device("qwen3-0.6b", "q4_1"), 900);
        attempt.ended = match outcome {
            Outcome::Cancelled => AttemptEnd::Cancelled,
            _ => AttemptEnd::Failed,
        };
        closing.attempts.push(attempt);
    }
    closing
}

/// The meter of this many days, some of which have no requests.
pub(crate) fn meter(seed: u64, days: u64) -> Meter {
    let mut chance = Chance::new(seed);
    let mut meter = Meter::new(BEGINS_MS + 8 * HOUR_MS, 0);
    let mut sequence = 0;
    for day in 0..days {
        let requests = match day % 7 {
            3 if day > 0 => 0,
            _ => 2 + chance.below(11),
        };
        for request in 0..requests {
            let closed_ms = BEGINS_MS + day * DAY_MS + (8 + request) * HOUR_MS + chance.below(HOUR_MS);
            // The faster format came after a month.
            let (variant, token_us) = if day < 30 { ("q4_1", 41_000) } else { ("q4_1x8", 29_000) };
            let (task, mut closing) = match chance.below(20) {
                0..=9 => ("chat", answered_here(&mut chance, "qwen3-0.6b", variant, token_us, 140)),
                10..=14 => (
                    "summarise",
                    answered_here(&mut chance, "qwen3-0.6b", variant, token_us, 60),
                ),
                15..=17 => ("classify", answered_here(&mut chance, "smollm2-135m", "q8_0", 9_000, 4)),
                18 => ("chat", answered_elsewhere(&mut chance)),
                _ => ("chat", not_answered(&mut chance)),
            };
            if chance.below(40) == 0 && closing.outcome == Outcome::Answered {
                closing = Closing::new(Outcome::Answered);
                closing.answered_before = Some(ReceiptId(1));
                closing.measured.device = Some(DeviceClass::Large);
            }
            closing.measured.battery_percent = Some(90 - (request * 4) as u8);
            sequence += 1;
            meter.count(sequence, closed_ms, 2 * 3600, &intent(task), &closing);
        }
    }
    meter
}
