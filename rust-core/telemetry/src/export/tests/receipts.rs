//! Random receipts with planted words in every label, and a small one.

use std::collections::BTreeMap;

use whimbrel_privacy::{FindingKind, PrivacyClass, Release};
use whimbrel_record::{
    Attempt, AttemptEnd, Closing, Code, DeviceClass, Energy, FinishReason, Intent, Label, Measured, Outcome, Place,
    Planned, ReceiptId, Thermal, TrustClass,
};
use whimbrel_testing::Random;

use super::label;

/// Makes words that nothing else contains, and remembers them.
pub(super) struct Planted {
    pub(super) random: Random,
    pub(super) words: Vec<String>,
}

impl Planted {
    fn label(&mut self) -> Label {
        let word = format!("zq{}", self.random.letters(9));
        self.words.push(word.clone());
        label(&word)
    }

    /// A name of the vocabulary in one of three cases.
    fn known_or(&mut self, names: &[&str]) -> Label {
        match self.random.below(3) {
            0 => label(self.random.pick::<&str>(names)),
            _ => self.label(),
        }
    }

    fn place(&mut self) -> Place {
        match self.random.below(3) {
            0 => Place::OnDevice {
                model: self.known_or(&["smollm2"]),
                variant: self.known_or(&["q4_1"]),
                hash: self.label(),
            },
            1 => Place::SystemModel {
                adapter: self.known_or(&["gemini-nano"]),
            },
            _ => Place::Remote {
                endpoint: self.label(),
                trust: *self.random.pick(&TrustClass::ALL),
                model: self.known_or(&["smollm2"]),
            },
        }
    }

    fn error(&mut self) -> Label {
        match self.random.chance(50) {
            true => Label::from(*self.random.pick(Code::ALL)),
            false => self.label(),
        }
    }

    pub(super) fn attempt(&mut self) -> Attempt {
        let place = self.place();
        Attempt {
            sent: place.is_remote().then_some(Release::Redacted),
            place,
            ended: *self.random.pick(&AttemptEnd::ALL),
            error: self.random.chance(40).then(|| self.error()),
            rules: vec![self.label()],
            milliseconds: self.random.below(5_000),
            bytes_out: self.random.below(9_000),
            bytes_in: self.random.below(9_000),
        }
    }

    fn measured(&mut self) -> Measured {
        let random = &mut self.random;
        Measured {
            examine_us: random.below(3_000),
            decide_us: random.below(3_000),
            load_us: random.below(3_000_000),
            prefill_us: random.below(3_000_000),
            decode_us: random.below(9_000_000),
            network_us: random.below(3_000_000),
            prefill_tokens: random.below(500),
            decode_tokens: random.below(500),
            cpu_us: random.below(90_000_000),
            memory_bytes: random.below(1 << 33),
            battery_percent: random.chance(50).then_some(77),
            thermal: random.chance(50).then(|| *random.pick(&Thermal::ALL)),
            device: random.chance(50).then(|| *random.pick(&DeviceClass::ALL)),
        }
    }

    pub(super) fn receipt(&mut self) -> (Intent, Closing) {
        let task = self.known_or(&["chat", "classify"]);
        let mut intent = Intent::new(self.label(), task, PrivacyClass::Personal);
        intent.rules = vec![self.label()];
        intent.history = vec![self.label()];
        intent.findings = BTreeMap::from([(FindingKind::ALL[0], 2)]);
        let place = self.place();
        let rules = vec![self.label()];
        intent.planned = vec![Planned {
            place,
            sent: None,
            bytes_out_max: 5,
            rules,
        }];
        let mut closing = Closing::new(*self.random.pick(&Outcome::ALL));
        closing.error = (closing.outcome == Outcome::Failed).then(|| self.error());
        let attempts = self.random.below(4);
        closing.attempts = (0..attempts).map(|_| self.attempt()).collect();
        closing.calls = BTreeMap::from([(self.label(), 1)]);
        closing.tokens.input = self.random.below(4_000);
        closing.tokens.output = self.random.below(4_000);
        closing.latency.total_ms = self.random.below(20_000);
        closing.latency.first_token_ms = self.random.chance(60).then(|| self.random.below(2_000));
        closing.finish = self.random.chance(60).then(|| *self.random.pick(&FinishReason::ALL));
        closing.answered_before = self.random.chance(5).then_some(ReceiptId(1));
        closing.measured = self.measured();
        let method = self.known_or(&["assumed-2-watts-a-thread"]);
        let millijoules = self.random.below(90_000);
        closing.energy = self.random.chance(50).then_some(Energy { millijoules, method });
        (intent, closing)
    }
}

pub(super) fn planted(seed: u64, count: usize) -> (Vec<(Intent, Closing)>, Vec<String>) {
    let mut planted = Planted {
        random: Random::new(seed),
        words: Vec::new(),
    };
    let receipts = (0..count).map(|_| planted.receipt()).collect();
    (receipts, planted.words)
}

/// One answer on this device after a failed attempt elsewhere: figures that are easy to check by hand.
pub(super) fn tiny() -> (Intent, Closing) {
    let mut closing = Closing::new(Outcome::Answered);
    let attempt = |place: Place, ended, milliseconds| Attempt {
        place,
        sent: None,
        ended,
        error: None,
        rules: Vec::new(),
        milliseconds,
        bytes_out: 0,
        bytes_in: 0,
    };
    let cloud = Place::Remote {
        endpoint: label("cloud"),
        trust: TrustClass::PublicCloud,
        model: label("private"),
    };
    let here = Place::OnDevice {
        model: label("smollm2"),
        variant: label("q4_1"),
        hash: label("ab"),
    };
    let mut failed = attempt(cloud, AttemptEnd::Failed, 500);
    failed.error = Some(Label::from(Code::Unreachable));
    closing.attempts = vec![failed, attempt(here, AttemptEnd::Answered, 1_000)];
    closing.latency.total_ms = 1_500;
    closing.tokens.output = 3;
    closing.measured.decode_us = 800_000;
    closing.measured.decode_tokens = 2;
    closing.finish = Some(FinishReason::Stop);
    let intent = Intent::new(label("request-1"), label("chat"), PrivacyClass::Public);
    (intent, closing)
}
