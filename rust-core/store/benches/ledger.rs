//! Speed of the ledger: appending with everything on the disk, verifying, opening, listing and counting 100,000 receipts. Run with
//! `cargo bench -p whimbrel-store`; the folder for the files is the system's temporary one, or the argument behind `--`.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[path = "../tests/support/mod.rs"]
mod support;
mod timing;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use support::{NOW_MS, answered_here, answered_in_the_cloud, intent};
use timing::{repeated, report, timed};
use whimbrel_record::ReceiptId;
use whimbrel_store::{FileVault, Filter, KeyVault, Prune, Store};

const RECEIPTS: u64 = 100_000;
const APPENDS: usize = 400;

/// One receipt after the other, each call returning when it is on the disk.
fn appends(name: &str, path: &Path, vault: Arc<dyn KeyVault>) {
    let ledger = Store::open(path, vault, NOW_MS).expect("a new store opens").ledger();
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    for number in 0..APPENDS as u64 {
        let (id, seconds) = timed(|| ledger.begin(&intent(number), NOW_MS).expect("a receipt opens"));
        begins.push(seconds);
        let ((), seconds) = timed(|| {
            ledger
                .finish(id, &answered_in_the_cloud(), NOW_MS)
                .expect("a receipt closes");
        });
        ends.push(seconds);
    }
    report(&format!("begin, durable, {name}"), begins);
    report(&format!("finish, durable, {name}"), ends);
}

fn main() {
    let chosen = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let parent = chosen.map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent).expect("a folder");
    let at = |name: &str| folder.path().join(name);
    appends("vault in memory", &at("memory.db"), support::vault());
    let file_vault = FileVault::open(&at("vault")).expect("a new vault opens");
    appends("vault in files", &at("files.db"), Arc::new(file_vault));

    let path = at("large.db");
    let vault = support::vault();
    let store = support::open(&path, &vault);
    let ledger = store.ledger();
    let (here, cloud) = (answered_here(), answered_in_the_cloud());
    let (records, seconds) = timed(|| {
        let records = (0..RECEIPTS).map(|number| {
            let closing = if number % 8 == 0 { &cloud } else { &here };
            (intent(number), closing.clone(), NOW_MS + number * 60_000)
        });
        ledger.record_all(records).expect("receipts are written")
    });
    println!(
        "{} receipts written in one transaction in {seconds:.2} s",
        records.len()
    );
    let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    println!("database after that: {:.1} MB, its log apart", bytes as f64 / 1e6);
    repeated("verify 100,000 receipts", 7, || {
        let report = ledger.verify().expect("a ledger is read");
        assert!(report.is_intact() && report.receipts == RECEIPTS);
    });
    repeated("list the newest 20", 50, || {
        assert_eq!(ledger.list(&Filter::default(), 20).expect("a list").len(), 20);
    });
    repeated("show one", 50, || {
        ledger.show(ReceiptId(RECEIPTS / 2)).expect("a receipt");
    });
    repeated("stats of one day out of 69", 20, || {
        let day = ledger.stats(Some(NOW_MS), Some(NOW_MS + 86_400_000)).expect("stats");
        assert_eq!(day.receipts, 1440);
    });
    repeated("stats of everything", 5, || {
        assert_eq!(ledger.stats(None, None).expect("stats").receipts, RECEIPTS);
    });
    let mut export = Vec::new();
    let ((), seconds) = timed(|| ledger.export(&mut export, NOW_MS).expect("an export"));
    println!("export: {seconds:.2} s, {:.1} MB", export.len() as f64 / 1e6);
    repeated("verify the export", 3, || {
        let keys = whimbrel_store::seal_keys(&*vault).expect("the vault is read");
        let report = whimbrel_record::verify_export(&mut &export[..], keys.as_ref()).expect("an export is read");
        assert!(report.is_intact() && report.seals_checked);
    });
    drop((ledger, store));
    repeated("open for writing", 7, || drop(support::open(&path, &vault)));
    let ledger = support::open(&path, &vault).ledger();
    let keep = Prune {
        receipts_max: Some(RECEIPTS / 2),
        ..Prune::default()
    };
    let (_, seconds) = timed(|| ledger.prune(&keep, NOW_MS).expect("pruning"));
    println!("prune 50,000 receipts: {seconds:.2} s");
}
