//! Receipts to write in tests, and a vault whose key is always the same.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod kept;
pub(crate) mod workload;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use whimbrel_privacy::{FindingKind, PrivacyClass, Release};
use whimbrel_record::{
    Attempt, AttemptEnd, Closing, Energy, Intent, Label, Latency, Outcome, Place, Planned, Tokens, TrustClass,
};
use whimbrel_store::{KeyVault, MemoryVault, SecretBytes, Store, StoreError};

/// A morning in November 2026.
pub(crate) const NOW_MS: u64 = 1_795_420_800_000;

pub(crate) fn label(name: &str) -> Label {
    Label::new(name).unwrap()
}

pub(crate) fn vault() -> Arc<MemoryVault> {
    let vault = MemoryVault::new();
    vault
        .put("whimbrel.ledger-key", &SecretBytes::new(vec![7; 32]))
        .unwrap();
    Arc::new(vault)
}

pub(crate) fn open(path: &Path, vault: &Arc<MemoryVault>) -> Store {
    once_free(|| Store::open(path, Arc::clone(vault) as Arc<dyn KeyVault>, NOW_MS)).unwrap()
}

/// Opens a store that nobody uses. A process that another test has just begun may still hold its lock, until it becomes the other program.
pub(crate) fn once_free<T>(mut open: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let mut tries = 0;
    loop {
        match open() {
            Err(StoreError::InUse { .. }) if tries < 200 => tries += 1,
            opened => return opened,
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn on_device() -> Place {
    Place::OnDevice {
        model: label("SmolLM2-135M-Instruct"),
        variant: label("q4_1"),
        hash: label(&"ab".repeat(32)),
    }
}

pub(crate) fn cloud() -> Place {
    Place::Remote {
        endpoint: label("cloud-eu"),
        trust: TrustClass::PublicCloud,
        model: label("large-1"),
    }
}

/// A question with an e-mail address in it, for the phone first and for the cloud, redacted, if that fails.
pub(crate) fn intent(number: u64) -> Intent {
    let mut intent = Intent::new(
        label(&format!("request-{number}")),
        label("chat"),
        PrivacyClass::Personal,
    );
    intent.rules = vec![label("app:personal-stays-or-is-redacted")];
    intent.findings.insert(FindingKind::Email, 1);
    intent.planned = vec![
        Planned {
            place: on_device(),
            sent: None,
            bytes_out_max: 0,
            rules: vec![label("app:phone-first")],
        },
        Planned {
            place: cloud(),
            sent: Some(Release::Redacted),
            bytes_out_max: 512,
            rules: vec![label("app:cloud-when-redacted"), label("user:cloud")],
        },
    ];
    intent
}

/// The phone had no memory, the cloud answered.
pub(crate) fn answered_in_the_cloud() -> Closing {
    let mut closing = answered_here();
    closing.attempts[0].ended = AttemptEnd::Failed;
    closing.attempts[0].error = Some(label("out_of_memory"));
    closing.attempts.push(Attempt {
        place: cloud(),
        sent: Some(Release::Redacted),
        ended: AttemptEnd::Answered,
        error: None,
        rules: vec![label("app:cloud-when-redacted"), label("user:cloud")],
        milliseconds: 640,
        bytes_out: 498,
        bytes_in: 2210,
    });
    closing.redacted.insert(FindingKind::Email, 1);
    closing
}

pub(crate) fn answered_here() -> Closing {
    let mut closing = Closing::new(Outcome::Answered);
    closing.attempts = vec![Attempt {
        place: on_device(),
        sent: None,
        ended: AttemptEnd::Answered,
        error: None,
        rules: vec![label("app:phone-first")],
        milliseconds: 900,
        bytes_out: 0,
        bytes_in: 0,
    }];
    closing.tokens = Tokens { input: 41, output: 120 };
    closing.latency = Latency {
        queue_ms: 2,
        first_token_ms: Some(110),
        total_ms: 912,
    };
    closing.energy = Some(Energy {
        millijoules: 5300,
        method: label("cpu-seconds-1"),
    });
    closing
}
