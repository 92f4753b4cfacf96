//! Writes seeds for the fuzz target `ledger`: what receipts are stored as, and a whole export. Run as `ledger-seeds FOLDER`.
#![allow(clippy::unwrap_used, reason = "a tool of the workshop may stop where it stands")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;

use support::{NOW_MS, answered_here, answered_in_the_cloud, intent};
use whimbrel_record::{Closing, Outcome};
use whimbrel_store::Prune;

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("a folder for the seeds")).join("ledger");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("intent", &serde_json::to_vec(&intent(1)).unwrap());
    write("closing", &serde_json::to_vec(&answered_in_the_cloud()).unwrap());

    let scratch = tempfile::tempdir().unwrap();
    let ledger = support::open(&scratch.path().join("store.db"), &support::vault()).ledger();
    let mut export = Vec::new();
    ledger.record(&intent(1), &answered_here(), NOW_MS).unwrap();
    ledger.export(&mut export, NOW_MS).unwrap();
    write("export", &export);
    let all = Prune {
        receipts_max: Some(0),
        ..Prune::default()
    };
    ledger.prune(&all, NOW_MS).unwrap();
    ledger
        .record(&intent(2), &Closing::new(Outcome::Denied), NOW_MS)
        .unwrap();
    export.clear();
    ledger.export(&mut export, NOW_MS).unwrap();
    write("export-behind-checkpoint", &export);
}
