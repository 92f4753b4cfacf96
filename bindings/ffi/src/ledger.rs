//! The ledger: listing, counting, verifying, exporting and pruning receipts, and starting a new ledger if the vault is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use whimbrel_client as client;
use whimbrel_client::privacy::FindingKind;
use whimbrel_client::{record, store};

use crate::vault::ForeignVault;
use crate::{Assistant, CoreError, KeyVault, Outcome, Place, PlaceKind, PrivacyClass, json};

/// Selects the receipts to list. Values that are left out do not restrict the list.
#[derive(Clone, Debug, Default, uniffi::Record)]
pub struct ReceiptFilter {
    /// Only receipts with lower numbers than this one. For the next page, pass the number of the last receipt.
    #[uniffi(default = None)]
    pub before: Option<u64>,
    /// Only receipts that were opened at this time or later, in milliseconds since 1970.
    #[uniffi(default = None)]
    pub from_ms: Option<u64>,
    /// Only receipts that were opened before this time, in milliseconds since 1970.
    #[uniffi(default = None)]
    pub until_ms: Option<u64>,
    /// Only receipts with this outcome.
    #[uniffi(default = None)]
    pub outcome: Option<Outcome>,
    /// Only receipts whose answer came from this kind of place, or whose last attempt was there.
    #[uniffi(default = None)]
    pub place: Option<PlaceKind>,
}

/// The record of one request.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Receipt {
    /// Its number in the ledger.
    pub id: u64,
    /// When it was opened, in milliseconds since 1970.
    pub opened_ms: u64,
    /// When it was closed.
    pub closed_ms: Option<u64>,
    /// How the request ended. Absent while it is in progress.
    pub outcome: Option<Outcome>,
    /// Where the answer came from, or which place was tried last.
    pub place: Option<Place>,
    /// The app's name for the kind of work.
    pub task: String,
    /// How private the text was.
    pub privacy_class: PrivacyClass,
    /// The ids of the rules that decided about the whole request.
    pub rules: Vec<String>,
    /// How many different values of each kind were found in the text, the conversation's history included.
    pub findings: Vec<FindingCount>,
    /// How many different values of each kind were replaced in text that left, the conversation's history included.
    pub redacted: Vec<FindingCount>,
    /// How many of these had left, replaced, with an earlier question of the conversation.
    pub repeated: Vec<FindingCount>,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that may have left in addition, because the process ended before the receipt was complete.
    pub bytes_out_uncertain: u64,
    /// Bytes that were received.
    pub bytes_in: u64,
    /// The number of the receipt whose answer was given again. Absent if a place was asked.
    pub answered_before: Option<u64>,
    /// The complete receipt in JSON: the plan, each attempt, tokens, times, feedback, and its hashes in the ledger.
    pub json: String,
}

/// The result of verifying the ledger.
#[derive(Clone, Debug, uniffi::Record)]
pub struct LedgerReport {
    /// Whether the ledger is unchanged.
    pub intact: bool,
    /// Entries that were read.
    pub entries: u64,
    /// Receipts that these entries open.
    pub receipts: u64,
    /// The problems in words; at most 256.
    pub problems: Vec<String>,
    /// The complete report in JSON.
    pub json: String,
}

/// How a sentence refers to the device.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Host {
    /// "this phone"
    Phone,
    /// "this tablet"
    Tablet,
    /// "this computer"
    Computer,
}

/// The totals of a number of receipts.
#[derive(Clone, Debug, uniffi::Record)]
pub struct LedgerStats {
    /// The number of receipts.
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
    /// Answers that were remembered and given again: no place was asked.
    pub answers_given_again: u64,
    /// Requests that the user or the app stopped.
    pub cancelled: u64,
    /// Requests without an answer.
    pub failed: u64,
    /// Requests that the policy denied.
    pub denied: u64,
    /// Requests that were deferred.
    pub deferred: u64,
    /// Requests whose process ended before they did.
    pub interrupted: u64,
    /// Requests that have not ended yet.
    pub unfinished: u64,
    /// Bytes that left the device.
    pub bytes_out: u64,
    /// Bytes that may have left in addition.
    pub bytes_out_uncertain: u64,
    /// Bytes that were received.
    pub bytes_in: u64,
    /// How many requests sent text that was not public as it is, or with words of a special category, which are not replaced.
    pub personal_as_is: u64,
    /// How many values of each kind were replaced in text that left. A value that every question of a conversation takes along counts once.
    pub redacted: Vec<FindingCount>,
    /// Prompt tokens.
    pub tokens_in: u64,
    /// Answer tokens.
    pub tokens_out: u64,
    /// The sum of the energy estimates in millijoules.
    pub millijoules: u64,
    /// A one-sentence summary in English.
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

/// Selects the receipts to remove: those that match either value.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Prune {
    /// Receipts that were opened before this time, in milliseconds since 1970.
    #[uniffi(default = None)]
    pub opened_before_ms: Option<u64>,
    /// The number of newest receipts to keep; all older ones are removed.
    #[uniffi(default = None)]
    pub receipts_max: Option<u64>,
}

/// The start of a ledger whose oldest receipts were removed.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Checkpoint {
    /// The number of the last entry that was removed.
    pub sequence: u64,
    /// The number of the last receipt that was removed.
    pub receipts: u64,
    /// The hash of that entry, in hexadecimal digits. The next entry continues from it.
    pub hash: String,
    /// When they were removed, in milliseconds since 1970.
    pub time_ms: u64,
}

/// Starts a new, empty ledger at `path` if the old one can no longer be opened because its vault is gone (the error `Ledger`
/// with the problem `foreign`). The old file is kept under another name, which is returned if there was one. No assistant
/// may have the ledger open.
#[uniffi::export]
pub async fn restart_ledger(path: String, vault: Arc<dyn KeyVault>) -> Result<Option<String>, CoreError> {
    let vault = Arc::new(ForeignVault(vault));
    let old = client::Assistant::restart_ledger_aside(path.into(), vault).await?;
    Ok(old.map(|old| old.to_string_lossy().into_owned()))
}

#[uniffi::export]
impl Assistant {
    /// A page of receipts, newest first; at most 1,000.
    pub async fn receipts(&self, filter: ReceiptFilter, receipts_max: u32) -> Result<Vec<Receipt>, CoreError> {
        let receipts = self.0.receipts(filter.into(), receipts_max).await?;
        Ok(receipts.iter().map(Into::into).collect())
    }

    /// One receipt.
    pub async fn receipt(&self, id: u64) -> Result<Receipt, CoreError> {
        Ok((&self.0.receipt(record::ReceiptId(id)).await?).into())
    }

    /// Checks whether the ledger is unchanged. Problems are in the report, not thrown.
    pub async fn verify_ledger(&self) -> Result<LedgerReport, CoreError> {
        Ok((&self.0.verify_ledger().await?).into())
    }

    /// Exports the ledger to a new file as lines of JSON, which `whimbrel ledger verify` can check. Only the file's owner
    /// can read it.
    pub async fn export_ledger(&self, path: String) -> Result<(), CoreError> {
        Ok(self.0.export_ledger(path.into()).await?)
    }

    /// The totals of the receipts between two times, in milliseconds since 1970; without limits, of all receipts.
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

    /// Removes old receipts. The rest can still be verified, starting at the returned checkpoint. Returns nothing if nothing
    /// was removed.
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

    /// Whether the vault has not yet stored the end of the ledger. Until it has, the newest entries could be removed
    /// unnoticed.
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
            answered_before: from
                .closing
                .as_ref()
                .and_then(|closing| closing.answered_before)
                .map(|receipt| receipt.0),
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
            answers_given_again: from.answers.given_again,
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
