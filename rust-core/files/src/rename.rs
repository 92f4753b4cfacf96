//! Renames that replace nothing, and the exchange of two names.
//!
//! Linux and Android have `renameat2` with `RENAME_NOREPLACE` and `RENAME_EXCHANGE`, Apple's systems `renamex_np` with
//! `RENAME_EXCL` and `RENAME_SWAP`. Some file systems know neither (NFS, some FUSE). There a file gets its new name by a
//! hard link and loses the old one, and a folder is renamed over an empty folder that was made for it: both fail when
//! something is at the place, and no moment exists in which they would replace it.

use std::fs;
use std::io;
use std::path::Path;

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Renames a file or a folder, unless something stands at the new name.
///
/// ```
/// use std::fs;
/// use std::io::ErrorKind;
/// use whimbrel_files::rename_new;
///
/// # fn main() -> std::io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let (draft, letter) = (folder.path().join("draft"), folder.path().join("letter"));
/// fs::write(&draft, "new")?;
/// fs::write(&letter, "old")?;
/// let refused = rename_new(&draft, &letter);
/// assert_eq!(refused.unwrap_err().kind(), ErrorKind::AlreadyExists);
/// assert_eq!(fs::read(&letter)?, b"old");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when something is there, be it a link to nothing or an empty folder; the system's
/// other reasons. Nothing was changed then.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename_exclusive(from, to) {
        Err(error) if is_unknown(&error) => claim_and_rename(from, to),
        renamed => renamed,
    }
}

/// Exchanges what stands at two names; false where the system or the file system cannot.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    match rename_exchanging(one, other) {
        Err(error) if is_unknown(&error) => Ok(false),
        exchanged => exchanged.map(|()| true),
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_exclusive(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_exchanging(one: &Path, other: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_exclusive(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_exchanging(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the system or the file system does not know the kind of rename.
fn is_unknown(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}

/// [`rename_new`] with what every file system has.
fn claim_and_rename(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(from)?.is_dir() {
        fs::create_dir(to)?;
        // A folder is renamed over an empty one only. If somebody put something into it, it stays and the rename fails.
        return fs::rename(from, to).inspect_err(|_| {
            let _ = fs::remove_dir(to);
        });
    }
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rename = fn(&Path, &Path) -> io::Result<()>;

    const RENAMES: [(&str, Rename); 2] = [("system", rename_new), ("fallback", claim_and_rename)];

    #[test]
    fn nothing_that_stands_at_a_place_is_replaced() {
        for (name, rename) in RENAMES {
            for what in ["file", "empty folder", "full folder", "link to nothing"] {
                for is_folder in [false, true] {
                    let desk = tempfile::tempdir().unwrap();
                    let (from, to) = (desk.path().join("from"), desk.path().join("to"));
                    if is_folder {
                        fs::create_dir(&from).unwrap();
                    } else {
                        fs::write(&from, "new").unwrap();
                    }
                    match what {
                        "file" => fs::write(&to, "mine").unwrap(),
                        "link to nothing" => std::os::unix::fs::symlink("nowhere", &to).unwrap(),
                        _ => fs::create_dir(&to).unwrap(),
                    }
                    if what == "full folder" {
                        fs::write(to.join("mine"), "mine").unwrap();
                    }
                    let before = fs::symlink_metadata(&to).unwrap().file_type();
                    let kind = rename(&from, &to).unwrap_err().kind();
                    assert_eq!(kind, io::ErrorKind::AlreadyExists, "{name}: {what}, folder {is_folder}");
                    assert_eq!(before, fs::symlink_metadata(&to).unwrap().file_type());
                    assert!(fs::symlink_metadata(&from).is_ok(), "{name}: {what}");
                }
            }
        }
    }

    #[test]
    fn a_free_place_is_taken() {
        for (name, rename) in RENAMES {
            let desk = tempfile::tempdir().unwrap();
            let path = |name: &str| desk.path().join(name);
            fs::write(path("file"), "new").unwrap();
            fs::create_dir(path("folder")).unwrap();
            fs::write(path("folder").join("part"), "new").unwrap();
            rename(&path("file"), &path("file2")).unwrap();
            rename(&path("folder"), &path("folder2")).unwrap();
            assert_eq!(fs::read(path("file2")).unwrap(), b"new", "{name}");
            assert_eq!(fs::read(path("folder2").join("part")).unwrap(), b"new", "{name}");
            assert!(!path("file").exists() && !path("folder").exists(), "{name}");
        }
    }

    #[test]
    fn of_many_threads_one_gets_the_place() {
        for (name, rename) in RENAMES {
            for _ in 0..50 {
                let desk = tempfile::tempdir().unwrap();
                let to = desk.path().join("to");
                let wins: usize = std::thread::scope(|scope| {
                    let threads: Vec<_> = (0..4)
                        .map(|number| {
                            let (from, to) = (desk.path().join(format!("from{number}")), &to);
                            scope.spawn(move || {
                                fs::create_dir(&from).unwrap();
                                fs::write(from.join("part"), "new").unwrap();
                                usize::from(rename(&from, to).is_ok())
                            })
                        })
                        .collect();
                    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
                });
                assert_eq!(wins, 1, "{name}");
                assert!(to.join("part").exists(), "{name}");
            }
        }
    }
}
