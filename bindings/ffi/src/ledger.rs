//! The ledger: receipts, what they come to, checking, exporting and pruning it, and starting over when its vault is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_client as client;
use whimbrel_client::privacy::FindingKind;
use whimbrel_client::{record, store};

use crate::vault::ForeignVault;
use crate::{Assistant, CoreError, KeyVault, Outcome, Place, PlaceKind, PrivacyClass, json};

/// Which receipts are listed; what is not given does not choose.
#[derive(Clone, Debug, Default, uniffi::Record)]
pub struct ReceiptFilter {
    /// Receipts with lower numbers than this one: the next page begins before the last one's number.
    #[uniffi(default = None)]
    pub before: Option<u64>,
    /// Receipts that were opened at this time or later, in milliseconds since 1970.
    #[uniffi(default = None)]
    pub from_ms: Option<u64>,
    /// Receipts that were opened before this time.
    #[uniffi(default = None)]
    pub until_ms: Option<u64>,
    /// Receipts that ended so.
    #[uniffi(default = None)]
    pub outcome: Option<Outcome>,
    /// Receipts whose answer came from there, or which were tried there last.
    #[uniffi(default = None)]
    pub place: Option<PlaceKind>,
}

/// What is written down of one request.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Receipt {
    /// Its number in the ledger.
    pub id: u64,
    /// When it was opened, in milliseconds since 1970.
    pub opened_ms: u64,
    /// When it was closed.
    pub closed_ms: Option<u64>,
    /// How the request ended; nothing while it runs.
    pub outcome: Option<Outcome>,
    /// Where the answer came from, or what was tried last.
    pub place: Option<Place>,
    /// The app's name for what it was doing.
    pub task: String,
    /// How private the text was.
    pub privacy_class: PrivacyClass,
    /// The ids of the rules that decided about the request as a whole.
    pub rules: Vec<String>,
    /// How many different values of each kind were found in the text, the conversation's history included.
    pub findings: Vec<FindingCount>,
    /// How many different values of each kind were replaced in text that left, the conversation's history included.
    pub redacted: Vec<FindingCount>,
    /// How many of these had left, replaced, with an earlier question of the conversation.
    pub repeated: Vec<FindingCount>,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that may have left besides, because no end was written in time.
    pub bytes_out_uncertain: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// All of it in JSON: what was planned, each attempt, tokens, times, feedback, and its hashes in the ledger.
    pub json: String,
}

/// What a verification of the ledger saw.
#[derive(Clone, Debug, uniffi::Record)]
pub struct LedgerReport {
    /// Whether the ledger is as it was written.
    pub intact: bool,
    /// Entries that were read.
    pub entries: u64,
    /// Receipts that these entries open.
    pub receipts: u64,
    /// What is wrong, in words; at most 256.
    pub problems: Vec<String>,
    /// All of it in JSON.
    pub json: String,
}

/// What the device is called in a sentence.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Host {
    /// "this phone"
    Phone,
    /// "this tablet"
    Tablet,
    /// "this computer"
    Computer,
}

/// What a number of receipts come to.
#[derive(Clone, Debug, uniffi::Record)]
pub struct LedgerStats {
    /// How many receipts these are.
    pub receipts: u64,
    /// Answers from Whimbrel's own engine.
    pub answers_on_device: u64,
    /// Answers from the system's model.
    pub answers_system_model: u64,
    /// Answers from another device of the same person.
    pub answers_own_device: u64,
    /// Answers from a machine of the organisation.
    pub answers_organisation: u64,
    /// Answers from a public cloud.
    pub answers_public_cloud: u64,
    /// Requests that the user or the app stopped.
    pub cancelled: u64,
    /// Requests without an answer.
    pub failed: u64,
    /// Requests that the policy forbade.
    pub denied: u64,
    /// Requests that were put off.
    pub deferred: u64,
    /// Requests whose process ended first.
    pub interrupted: u64,
    /// Requests without an end yet.
    pub unfinished: u64,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that may have left besides.
    pub bytes_out_uncertain: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// How many requests sent text that was not public as it is, or with words of a special category, which are not replaced.
    pub personal_as_is: u64,
    /// How many values of each kind were replaced in text that left. A value that every question of a conversation takes along counts once.
    pub redacted: Vec<FindingCount>,
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    /// The energy estimates, in thousandths of a joule.
    pub millijoules: u64,
    /// All of it in one English sentence.
    pub summary: String,
}

/// How many findings of a kind there are.
#[derive(Clone, Debug, uniffi::Record)]
pub struct FindingCount {
    /// The kind, as in `Finding`.
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// Which receipts are removed: those that either of the two names.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Prune {
    /// Receipts that were opened before this time, in milliseconds since 1970.
    #[uniffi(default = None)]
    pub opened_before_ms: Option<u64>,
    /// All but so many of the newest.
    #[uniffi(default = None)]
    pub receipts_max: Option<u64>,
}

/// Where a ledger begins whose oldest receipts were removed.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Checkpoint {
    /// The number of the last entry that was removed.
    pub sequence: u64,
    /// The number of the last receipt that was removed.
    pub receipts: u64,
    /// The hash of that entry, in hexadecimal digits: the next entry continues from it.
    pub hash: String,
    /// When they were removed, in milliseconds since 1970.
    pub time_ms: u64,
}

/// Begins a new, empty ledger at `path` where the old one cannot be opened any more because its vault is gone (the error `Ledger` with the problem
/// `foreign`). The old file is kept under another name, which is returned when there was one. No assistant may have the ledger open.
#[uniffi::export]
pub async fn restart_ledger(path: String, vault: Arc<dyn KeyVault>) -> Result<Option<String>, CoreError> {
    let vault = Arc::new(ForeignVault(vault));
    let old = client::Assistant::restart_ledger_aside(path.into(), vault).await?;
    Ok(old.map(|old| old.to_string_lossy().into_owned()))
}

#[uniffi::export]
impl Assistant {
    /// A page of receipts, the newest first; at most 1,000.
    pub async fn receipts(&self, filter: ReceiptFilter, receipts_max: u32) -> Result<Vec<Receipt>, CoreError> {
        let receipts = self.0.receipts(filter.into(), receipts_max).await?;
        Ok(receipts.iter().map(Into::into).collect())
    }

    /// One receipt.
    pub async fn receipt(&self, id: u64) -> Result<Receipt, CoreError> {
        Ok((&self.0.receipt(record::ReceiptId(id)).await?).into())
    }

    /// Looks whether the ledger is as it was written. What is wrong with it is in the report.
    pub async fn verify_ledger(&self) -> Result<LedgerReport, CoreError> {
        Ok((&self.0.verify_ledger().await?).into())
    }

    /// Writes the ledger to a new file, which only its owner can read, as lines of JSON that `whimbrel ledger verify` checks.
    pub async fn export_ledger(&self, path: String) -> Result<(), CoreError> {
        Ok(self.0.export_ledger(path.into()).await?)
    }

    /// What the receipts between two times come to, in milliseconds since 1970; all of them without limits.
    #[uniffi::method(default(from_ms = None, until_ms = None))]
    pub async fn stats(
        &self,
        from_ms: Option<u64>,
        until_ms: Option<u64>,
        host: Host,
    ) -> Result<LedgerStats, CoreError> {
        let stats = self.0.stats(from_ms, until_ms).await?;
        Ok(LedgerStats::new(&stats, host))
    }

    /// Removes old receipts. What is left can still be verified, from the checkpoint on that is returned; nothing is returned when nothing was
    /// removed.
    pub async fn prune_ledger(&self, prune: Prune) -> Result<Option<Checkpoint>, CoreError> {
        let prune = store::Prune {
            opened_before_ms: prune.opened_before_ms,
            receipts_max: prune.receipts_max,
        };
        let checkpoint = self.0.prune_ledger(prune).await?;
        Ok(checkpoint.map(|checkpoint| Checkpoint {
            sequence: checkpoint.sequence,
            receipts: checkpoint.receipts,
            hash: checkpoint.hash,
            time_ms: checkpoint.time_ms,
        }))
    }

    /// Whether the vault did not take the end of the ledger with the last entries: until it does, the newest of them can be taken away unnoticed.
    pub async fn is_ledger_floor_behind(&self) -> Result<bool, CoreError> {
        Ok(self.0.is_ledger_floor_behind().await?)
    }
}

impl From<ReceiptFilter> for store::Filter {
    fn from(from: ReceiptFilter) -> Self {
        store::Filter {
            before: from.before.map(record::ReceiptId),
            from_ms: from.from_ms,
            until_ms: from.until_ms,
            outcome: from.outcome.map(Into::into),
            place: from.place.map(Into::into),
        }
    }
}

impl From<&record::Receipt> for Receipt {
    fn from(from: &record::Receipt) -> Self {
        Receipt {
            id: from.id.0,
            opened_ms: from.opened_ms,
            closed_ms: from.closed_ms,
            outcome: from.outcome.map(Into::into),
            place: from.place.as_ref().map(Into::into),
            task: from.intent.task.to_string(),
            privacy_class: from.intent.class.into(),
            rules: from.intent.rules.iter().map(ToString::to_string).collect(),
            findings: counts(&from.intent.findings),
            redacted: from
                .closing
                .as_ref()
                .map_or_else(Vec::new, |closing| counts(&closing.redacted)),
            repeated: from
                .closing
                .as_ref()
                .map_or_else(Vec::new, |closing| counts(&closing.repeated)),
            bytes_out: from.bytes_out,
            bytes_out_uncertain: from.bytes_out_uncertain,
            bytes_in: from.bytes_in,
            json: json(from),
        }
    }
}

impl From<&record::LedgerReport> for LedgerReport {
    fn from(from: &record::LedgerReport) -> Self {
        LedgerReport {
            intact: from.is_intact(),
            entries: from.entries,
            receipts: from.receipts,
            problems: from.problems.iter().map(ToString::to_string).collect(),
            json: json(from),
        }
    }
}

impl From<Host> for record::Host {
    fn from(from: Host) -> Self {
        match from {
            Host::Phone => record::Host::Phone,
            Host::Tablet => record::Host::Tablet,
            Host::Computer => record::Host::Computer,
        }
    }
}

impl LedgerStats {
    pub(crate) fn new(from: &record::Stats, host: Host) -> LedgerStats {
        LedgerStats {
            receipts: from.receipts,
            answers_on_device: from.answers.on_device,
            answers_system_model: from.answers.system_model,
            answers_own_device: from.answers.own_device,
            answers_organisation: from.answers.organisation,
            answers_public_cloud: from.answers.public_cloud,
            cancelled: from.cancelled,
            failed: from.failed,
            denied: from.denied,
            deferred: from.deferred,
            interrupted: from.interrupted,
            unfinished: from.unfinished,
            bytes_out: from.bytes_out,
            bytes_out_uncertain: from.bytes_out_uncertain,
            bytes_in: from.bytes_in,
            personal_as_is: from.personal_as_is,
            redacted: counts(&from.redacted),
            tokens_in: from.tokens_in,
            tokens_out: from.tokens_out,
            millijoules: from.millijoules,
            summary: from.summary(host.into()),
        }
    }
}

/// How many there are of each kind, the kinds in a fixed order.
fn counts<N: Copy + Into<u64>>(from: &BTreeMap<FindingKind, N>) -> Vec<FindingCount> {
    from.iter()
        .map(|(kind, count)| FindingCount {
            kind: kind.name().into(),
            count: (*count).into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use client::block_on;

    use super::*;
    use crate::{AssistantOptions, KeyVaultError, PolicyDocument, Preset, VaultLevel};

    /// A vault of the app's, in memory.
    #[derive(Default)]
    struct AppVault(Mutex<BTreeMap<String, Vec<u8>>>);

    impl KeyVault for AppVault {
        fn get(&self, name: String) -> Result<Option<Vec<u8>>, KeyVaultError> {
            Ok(self.0.lock().unwrap().get(&name).cloned())
        }

        fn put(&self, name: String, secret: Vec<u8>) -> Result<(), KeyVaultError> {
            self.0.lock().unwrap().insert(name, secret);
            Ok(())
        }

        fn delete(&self, name: String) -> Result<(), KeyVaultError> {
            self.0.lock().unwrap().remove(&name);
            Ok(())
        }

        fn level(&self) -> Result<VaultLevel, KeyVaultError> {
            Ok(VaultLevel::Memory)
        }
    }

    fn open(store: &str, vault: &Arc<AppVault>) -> Result<Arc<Assistant>, CoreError> {
        block_on(Assistant::open(AssistantOptions {
            store: store.into(),
            vault: vault.clone(),
            app_policy: PolicyDocument::Preset {
                preset: Preset::Private,
                endpoints: String::new(),
            },
            user_policy: None,
            user_words: Vec::new(),
        }))
    }

    /// A ledger whose vault is gone is foreign to every other vault, and can be begun again.
    #[test]
    fn a_ledger_without_its_vault_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("ledger.db").to_string_lossy().into_owned();
        let lost = open(&store, &Arc::default()).unwrap();
        block_on(lost.shutdown());

        let vault = Arc::default();
        let Err(CoreError::Ledger { problem, .. }) = open(&store, &vault) else {
            panic!("a ledger was opened without its vault");
        };
        assert_eq!(problem, "foreign");

        let old = block_on(restart_ledger(store.clone(), vault.clone())).unwrap().unwrap();
        assert!(std::path::Path::new(&old).exists());
        let assistant = open(&store, &vault).unwrap();
        assert!(block_on(assistant.verify_ledger()).unwrap().intact);
        assert!(!block_on(assistant.is_ledger_floor_behind()).unwrap());
        let prune = Prune {
            opened_before_ms: None,
            receipts_max: Some(0),
        };
        assert!(block_on(assistant.prune_ledger(prune)).is_ok());
        assistant.release();
        assert!(matches!(
            block_on(assistant.verify_ledger()),
            Err(CoreError::Closed { .. })
        ));
        block_on(assistant.shutdown());
    }
}
