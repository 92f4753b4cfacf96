//! A disk that is really full: a small one of its own, where the same workload as of `kept_killing.rs` runs until nothing more fits, and goes
//! on when there is room again. It needs Linux and leave to mount, which `unshare` gives; without it the test says that it was skipped.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use rusqlite::{Connection, ErrorCode};
use support::NOW_MS;
use support::kept::is_anywhere;
use support::workload::{DRAFTS, MAIN, MARKER, Said, check, step, titled};
use whimbrel_store::{FileVault, KeyVault, Store, StoreError, VaultError};

/// Tells this program that it is the child, and where its disk is.
const CHILD: &str = "WHIMBREL_FULL_DISK_CHILD";
const DISK_BYTES: u64 = 4 << 20;
const ROUNDS: u64 = 25;
const STEPS: u64 = 40;

fn try_open(folder: &Path) -> Result<Store, StoreError> {
    let vault: Arc<dyn KeyVault> = Arc::new(FileVault::open(&folder.join("vault"))?);
    Store::open(&folder.join("store.db"), vault, NOW_MS)
}

/// Whether an error says that the disk is full.
fn says_full(error: &StoreError) -> bool {
    match error {
        StoreError::Full { .. } => true,
        StoreError::LogLeft { source, .. } => source.sqlite_error_code() == Some(ErrorCode::DiskFull),
        StoreError::Io { source, .. } | StoreError::Vault(VaultError::Io { source, .. }) => {
            source.kind() == ErrorKind::StorageFull
        }
        _ => false,
    }
}

/// Fills the disk but for so many bytes.
fn fill(folder: &Path, left: u64) {
    let free = rustix::fs::statvfs(folder).unwrap();
    let bytes = (free.f_bavail * free.f_frsize).saturating_sub(left);
    std::fs::write(folder.join("ballast"), vec![0; bytes as usize]).unwrap();
}

struct Child {
    folder: PathBuf,
    random: Pcg64Mcg,
    said: Said,
    full: u64,
}

impl Child {
    /// Works on the store. Returns how many steps found the disk full.
    fn work(&mut self, store: &Store, round: u64, numbers: std::ops::Range<u64>) -> u64 {
        let mut full = 0;
        let places = || Ok((titled(store, MAIN)?, titled(store, DRAFTS)?));
        for number in numbers {
            let choice = self.random.next_u64() % 12;
            let mut tell = |line: &str| self.said.take(line);
            let done = places().and_then(|places| step(store, places, choice, (round, number), &mut tell));
            match done {
                Ok(()) => {}
                Err(error) => {
                    assert!(says_full(&error), "round {round}: {error:?}");
                    full += 1;
                }
            }
        }
        full
    }

    fn round(&mut self, round: u64) {
        let ballast = self.folder.join("ballast");
        fill(&self.folder, self.random.next_u64() % (200 << 10));
        match try_open(&self.folder) {
            Ok(store) => {
                self.full += self.work(&store, round, 0..STEPS);
                // What is there can be read, and with room everything goes on.
                store.conversations().find("so on", 5).unwrap();
                store.outbox().list(None, 1000).unwrap();
                std::fs::remove_file(&ballast).unwrap();
                assert_eq!(self.work(&store, round, STEPS..STEPS + 10), 0, "round {round}");
                fill(&self.folder, 0);
                self.full += self.work(&store, round, STEPS + 10..STEPS + 20);
            }
            Err(error) => assert!(says_full(&error), "round {round}: {error:?}"),
        }
        // The process has ended on the full disk. The next one begins there, or later.
        if let Err(error) = try_open(&self.folder) {
            assert!(says_full(&error), "round {round}: {error:?}");
        }
        std::fs::remove_file(&ballast).unwrap();
        let store = try_open(&self.folder).unwrap();
        let raw = Connection::open(store.path()).unwrap();
        let sound: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "round {round}");
        check(&store, &self.said, round);
        drop(raw);
        // Room for the next round.
        let cached: Vec<u64> = store
            .answers()
            .entries()
            .unwrap()
            .iter()
            .map(|entry| entry.id)
            .collect();
        store.answers().evict(&cached).unwrap();
        self.said.cached.clear();
        drop(store);
        assert!(
            !is_anywhere(&self.folder, MARKER.as_bytes()),
            "round {round}: a text is in a file"
        );
    }
}

#[test]
fn child() {
    let Ok(folder) = std::env::var(CHILD) else {
        return;
    };
    let mut child = Child {
        folder: PathBuf::from(folder),
        random: Pcg64Mcg::new(0x5eed),
        said: Said::default(),
        full: 0,
    };
    for round in 0..ROUNDS {
        child.round(round);
    }
    assert!(child.full > 50, "{}", child.full);
    println!("{} steps found the disk full", child.full);
}

/// A command with a small disk of its own in this folder.
fn with_small_disk(folder: &Path) -> Command {
    let mount = format!("mount -t tmpfs -o size={DISK_BYTES} none \"$0\" && exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", &mount]).arg(folder);
    command
}

#[test]
fn on_a_full_disk_nothing_is_lost_and_work_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let probe = with_small_disk(folder.path()).arg("true").output();
    if !probe.as_ref().is_ok_and(|probe| probe.status.success()) {
        eprintln!("skipped: a full disk needs a small one of its own, which cannot be mounted here: {probe:?}");
        return;
    }
    let output = with_small_disk(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
