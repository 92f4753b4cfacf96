//! Key vaults: one suite for every kind, and what the one in files refuses.
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use whimbrel_store::{FileVault, KeyVault, MemoryVault, SECRET_BYTES_MAX, SecretBytes, VaultError, VaultLevel};

fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

fn read(vault: &dyn KeyVault, name: &str) -> Option<Vec<u8>> {
    let found = vault.get(name).unwrap();
    found.map(|secret| secret.expose().to_vec())
}

/// What every vault does.
fn suite(vault: &dyn KeyVault) {
    assert_eq!(read(vault, "endpoint.cloud"), None);
    vault.put("endpoint.cloud", &secret("sk-one")).unwrap();
    vault.put("endpoint.other", &secret("sk-other")).unwrap();
    assert_eq!(read(vault, "endpoint.cloud").unwrap(), b"sk-one");
    vault.put("endpoint.cloud", &secret("2")).unwrap();
    assert_eq!(read(vault, "endpoint.cloud").unwrap(), b"2");
    assert_eq!(read(vault, "endpoint.other").unwrap(), b"sk-other");
    vault.delete("endpoint.cloud").unwrap();
    vault.delete("endpoint.cloud").unwrap();
    assert_eq!(read(vault, "endpoint.cloud"), None);

    let largest = SecretBytes::new(vec![9; SECRET_BYTES_MAX as usize]);
    vault.put("large", &largest).unwrap();
    assert_eq!(read(vault, "large").unwrap(), largest.expose());
    for bytes in [0, SECRET_BYTES_MAX as usize + 1] {
        let refused = vault.put("large", &SecretBytes::new(vec![9; bytes]));
        assert!(matches!(refused, Err(VaultError::Size { .. })), "{bytes}");
    }
    assert_eq!(read(vault, "large").unwrap(), largest.expose());
    vault.put(&"n".repeat(64), &secret("x")).unwrap();
    let long = "n".repeat(65);
    for name in ["", "..", ".hidden", "a/b", "../a", "Upper", "two words", "ü", &long] {
        assert!(matches!(vault.get(name), Err(VaultError::Name)), "{name}");
        assert!(matches!(vault.put(name, &secret("x")), Err(VaultError::Name)), "{name}");
        assert!(matches!(vault.delete(name), Err(VaultError::Name)), "{name}");
    }
}

#[test]
fn every_vault_keeps_secrets_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/vault");
    let files = FileVault::open(&path).unwrap();
    suite(&files);
    suite(&MemoryVault::new());
    assert_eq!(
        (files.level(), MemoryVault::new().level()),
        (VaultLevel::File, VaultLevel::Memory)
    );
    assert!(VaultLevel::Memory < VaultLevel::File && VaultLevel::Software < VaultLevel::Hardware);
    let again = FileVault::open(&path).unwrap();
    assert_eq!(read(&again, "endpoint.other").unwrap(), b"sk-other");
    assert_eq!(again.names().unwrap(), ["endpoint.other", "large", &"n".repeat(64)]);
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("endpoint.other.secret")), 0o600);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn no_debug_output_shows_a_secret() {
    let vault = MemoryVault::new();
    vault.put("name", &secret("sk-hidden")).unwrap();
    let shown = format!("{:?} {:?}", vault, vault.get("name"));
    assert!(!shown.contains("hidden") && !shown.contains("115"), "{shown}");
}

/// Files and folders that are not as the vault made them are refused, with their path and never with what is in them.
#[test]
fn what_others_can_reach_is_refused() {
    let check = |what: &str, spoil: &dyn Fn(&Path), expected: &dyn Fn(&VaultError) -> bool| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let vault = FileVault::open(&path).unwrap();
        vault.put("key", &secret("sk-hidden")).unwrap();
        spoil(&path);
        let error = vault.get("key").unwrap_err();
        assert!(expected(&error), "{what}: {error:?}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("vault") && !shown.contains("hidden"), "{what}: {shown}");
    };
    let chmod = |name: &'static str, mode: u32| {
        move |path: &Path| fs::set_permissions(path.join(name), Permissions::from_mode(mode)).unwrap()
    };
    let exposed = |mode: u32| move |error: &VaultError| matches!(error, VaultError::Exposed { mode: found, .. } if *found == mode);
    check("group reads", &chmod("key.secret", 0o640), &exposed(0o640));
    check("everybody reads", &chmod("key.secret", 0o604), &exposed(0o604));
    check("group writes", &chmod("key.secret", 0o620), &exposed(0o620));
    check("folder", &chmod("", 0o750), &exposed(0o750));
    let not_plain = |error: &VaultError| matches!(error, VaultError::NotPlain { .. });
    let link = |path: &Path| {
        fs::rename(path.join("key.secret"), path.join("elsewhere")).unwrap();
        symlink(path.join("elsewhere"), path.join("key.secret")).unwrap();
    };
    check("link", &link, &not_plain);
    let directory = |path: &Path| {
        fs::remove_file(path.join("key.secret")).unwrap();
        fs::create_dir(path.join("key.secret")).unwrap();
        fs::set_permissions(path.join("key.secret"), Permissions::from_mode(0o700)).unwrap();
    };
    check("folder for a file", &directory, &not_plain);
    let folder_link = |path: &Path| {
        fs::rename(path, path.with_extension("moved")).unwrap();
        symlink(path.with_extension("moved"), path).unwrap();
    };
    check("link for the folder", &folder_link, &not_plain);
}

/// A file that was emptied or grew is an error and not "no secret".
#[test]
fn a_file_of_a_wrong_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault");
    let vault = FileVault::open(&path).unwrap();
    for bytes in [0, SECRET_BYTES_MAX as usize + 1] {
        vault.put("key", &secret("sk")).unwrap();
        fs::write(path.join("key.secret"), vec![1; bytes]).unwrap();
        assert!(matches!(vault.get("key"), Err(VaultError::Size { .. })), "{bytes}");
    }
}

/// A process that died while it wrote leaves an unfinished file, which no later call trips over or reads.
#[test]
fn an_unfinished_file_is_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault");
    let vault = FileVault::open(&path).unwrap();
    let unfinished = path.join(".key.secret.whimbrel-0");
    fs::write(&unfinished, b"half").unwrap();
    assert_eq!(vault.names().unwrap(), [""; 0]);
    vault.put("key", &secret("whole")).unwrap();
    assert_eq!(read(&vault, "key").unwrap(), b"whole");
    assert!(!unfinished.exists());
    assert_eq!(mode(&path.join("key.secret")), 0o600);
    // Deleting a secret leaves no half of it either.
    fs::write(&unfinished, b"half").unwrap();
    vault.delete("key").unwrap();
    assert!(!unfinished.exists() && !path.join("key.secret").exists());
}

#[test]
fn threads_replace_secrets_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let vault = FileVault::open(&folder.path().join("vault")).unwrap();
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let vault = &vault;
            scope.spawn(move || {
                for number in 0..20 {
                    let text = format!("{name}{number}");
                    vault.put(name, &secret(&text)).unwrap();
                    assert_eq!(read(vault, name).unwrap(), text.as_bytes());
                }
            });
        }
    });
}
