//! Sealed files: what is written is read, and whatever was changed, cut, moved or replaced is noticed.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use support::kept::is_anywhere;
use support::{NOW_MS, open, vault};
use whimbrel_record::RecordError;
use whimbrel_store::{FileEntry, SealError, SealedFile, Store, StoreError, VaultError};

const CHUNK: usize = 64 * 1024;
const MAX: u32 = 4 << 20;

fn store(folder: &Path) -> Store {
    open(&folder.join("store.db"), &vault())
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join("store.db.sealed").join(name)
}

fn bytes(length: usize) -> Vec<u8> {
    let mut random = Pcg64Mcg::new(length as u128 + 1);
    let mut bytes = vec![0; length];
    random.fill_bytes(&mut bytes);
    bytes
}

#[test]
fn files_of_every_size_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let files = store.files("prefix").unwrap();
    assert_eq!(files.get("none", MAX).unwrap(), None);
    for length in [
        0,
        1,
        100,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        3 * CHUNK,
        3 * CHUNK + 77,
        48 * CHUNK,
        50 * CHUNK + 5,
    ] {
        let content = bytes(length);
        files.put("file", &content).unwrap();
        assert!(files.get("file", MAX).unwrap().unwrap() == content, "{length}");
        // In pieces, as a stream writes.
        let mut writer = files.create("file").unwrap();
        for piece in content.chunks(1000) {
            writer.write_all(piece).unwrap();
        }
        writer.finish().unwrap();
        assert!(files.get("file", MAX).unwrap().unwrap() == content, "{length}");
    }
    let past = files.get("file", 50 * CHUNK as u32);
    assert!(matches!(past, Err(StoreError::Record(RecordError::TooMuch { .. }))));
    let size = fs::metadata(path(folder.path(), "prefix.file")).unwrap();
    assert_eq!(size.permissions().mode() & 0o077, 0);
    let listed = files.list().unwrap();
    let expected = FileEntry {
        name: "file".into(),
        bytes: size.len(),
        used_ms: listed[0].used_ms,
    };
    assert_eq!(listed, [expected]);
    assert!(listed[0].used_ms > NOW_MS / 2, "it was written at some time");
    files.note_used("file", NOW_MS + 7).unwrap();
    files.note_used("none", NOW_MS).unwrap();
    assert_eq!(files.list().unwrap()[0].used_ms, NOW_MS + 7);
    assert!(store.files("other").unwrap().list().unwrap().is_empty());
    files.remove("file").unwrap();
    files.remove("file").unwrap();
    assert_eq!(files.get("file", MAX).unwrap(), None);
}

/// The bytes of a file at these places, read into parts of 1,000 bytes.
fn part(file: &SealedFile, place: Range<usize>) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![0; place.len()];
    let mut parts: Vec<&mut [u8]> = bytes.chunks_mut(1000).collect();
    file.read_at(place.start as u64, &mut parts).map(|()| bytes)
}

#[test]
fn parts_are_read_in_any_order_and_by_several_threads() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let files = store.files("prefix").unwrap();
    assert!(files.open("file", MAX).unwrap().is_none());
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 5 * CHUNK + 77] {
        let content = bytes(length);
        files.put("file", &content).unwrap();
        let file = files.open("file", MAX).unwrap().unwrap();
        assert_eq!(file.bytes(), length as u64);
        let starts = [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK - 7, 5 * CHUNK, length];
        let lengths = [0, 1, 999, CHUNK, CHUNK + 1, 3 * CHUNK, length];
        let places = starts
            .into_iter()
            .flat_map(|start| lengths.map(|length| start..start + length));
        let (within, past): (Vec<_>, Vec<_>) = places.partition(|place| place.end <= length);
        std::thread::scope(|scope| {
            for threads in 0..3 {
                let (file, content, within) = (
                    &file,
                    &content,
                    within.iter().cycle().skip(5 * threads).take(within.len()),
                );
                scope.spawn(move || {
                    for place in within {
                        assert!(
                            part(file, place.clone()).unwrap() == content[place.clone()],
                            "{place:?}"
                        );
                    }
                });
            }
        });
        for place in past {
            assert!(matches!(part(&file, place), Err(StoreError::Io { .. })));
        }
    }
    // Who has opened a file goes on reading it.
    let content = bytes(3 * CHUNK);
    files.put("file", &content).unwrap();
    let file = files.open("file", MAX).unwrap().unwrap();
    files.put("file", b"another").unwrap();
    assert!(part(&file, 0..content.len()).unwrap() == content);
    files.remove("file").unwrap();
    assert!(part(&file, CHUNK..2 * CHUNK + 1).unwrap() == content[CHUNK..=2 * CHUNK]);
}

/// A changed chunk is noticed by whoever reads it, a change of the end by whoever opens the file.
#[test]
fn a_changed_chunk_is_noticed_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let files = store.files("prefix").unwrap();
    let place = path(folder.path(), "prefix.file");
    let content = bytes(4 * CHUNK);
    files.put("file", &content).unwrap();
    let whole = fs::read(&place).unwrap();
    let header = b"whimbrel-file-1".len() + 1 + 4 + 32;
    for changed in 0..3 {
        let mut bytes = whole.clone();
        bytes[header + changed * (CHUNK + 16) + 1000] ^= 1;
        fs::write(&place, bytes).unwrap();
        let file = files.open("file", MAX).unwrap().unwrap();
        for chunk in 0..4 {
            // All of it, some of it, and some of it with a byte of the one before.
            let start = chunk * CHUNK;
            for range in [start..start + CHUNK, start + 5..start + 6, start.max(1) - 1..start + 1] {
                let is_good = !(range.start / CHUNK..=(range.end - 1) / CHUNK).contains(&changed);
                match part(&file, range.clone()) {
                    Ok(bytes) => assert!(is_good && bytes == content[range]),
                    Err(StoreError::Sealed(SealError::File { name })) => assert!(!is_good && name == "file"),
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    }
    let opened = |bytes: &[u8]| {
        fs::write(&place, bytes).unwrap();
        files.open("file", MAX).map(|file| file.is_some())
    };
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let cut = |chunks: usize| &whole[..header + chunks * (CHUNK + 16)];
    for bytes in [&flipped, cut(3), cut(1), cut(0), &[&whole[..], &[0; 16]].concat()] {
        let refused = opened(bytes);
        assert!(
            matches!(refused, Err(StoreError::Sealed(SealError::File { .. }))),
            "{refused:?}"
        );
    }
    // It is cut while it is open.
    assert!(opened(&whole).unwrap());
    let file = files.open("file", MAX).unwrap().unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&place)
        .unwrap()
        .set_len(cut(2).len() as u64)
        .unwrap();
    assert!(part(&file, 0..2 * CHUNK).unwrap() == content[..2 * CHUNK]);
    let refused = part(&file, 0..2 * CHUNK + 1);
    assert!(
        matches!(refused, Err(StoreError::Sealed(SealError::File { .. }))),
        "{refused:?}"
    );
}

#[test]
fn an_unfinished_file_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let files = store.files("prefix").unwrap();
    files.put("file", b"old").unwrap();
    let mut writer = files.create("file").unwrap();
    writer.write_all(&bytes(CHUNK * 2)).unwrap();
    drop(writer);
    assert_eq!(files.get("file", MAX).unwrap().unwrap(), b"old");
    for name in ["", "../file", "a/b", "Upper"] {
        let refused = files.put(name, b"x");
        assert!(matches!(refused, Err(StoreError::Vault(VaultError::Name))), "{name}");
    }
    assert!(store.files("two.parts").is_err());
}

#[test]
fn a_hidden_name_is_the_same_for_the_same_bytes_of_the_same_purpose() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let name = |purpose, bytes: &[u8]| store.files(purpose).unwrap().hidden_name(bytes).unwrap();
    assert_eq!(name("prefix", b"text"), name("prefix", b"text"));
    assert_ne!(name("prefix", b"text"), name("prefix", b"other"));
    assert_ne!(name("prefix", b"text"), name("other", b"text"));
    let other = tempfile::tempdir().unwrap();
    let other = open(
        &other.path().join("store.db"),
        &std::sync::Arc::new(whimbrel_store::MemoryVault::default()),
    );
    assert_ne!(
        other.files("prefix").unwrap().hidden_name(b"text").unwrap(),
        name("prefix", b"text")
    );
}

fn check_changed(store: &Store, name: &str, what: &str) {
    let read = store
        .files("prefix")
        .unwrap()
        .get(name, MAX)
        .map(|read| read.map(|read| read.len()));
    assert!(
        matches!(&read, Err(StoreError::Sealed(SealError::File { name: found })) if found == name),
        "{what}: {read:?}"
    );
}

#[test]
fn every_cut_and_every_flipped_byte_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let place = path(folder.path(), "prefix.file");
    store.files("prefix").unwrap().put("file", &bytes(300)).unwrap();
    let whole = fs::read(&place).unwrap();
    let version = b"whimbrel-file-1".len() + 1..b"whimbrel-file-1".len() + 5;
    for at in 0..whole.len() {
        fs::write(&place, &whole[..at]).unwrap();
        check_changed(&store, "file", &format!("cut to {at}"));
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&place, &changed).unwrap();
        if version.contains(&at) {
            // The file says that it has another key.
            let read = store.files("prefix").unwrap().get("file", MAX);
            assert!(
                matches!(read, Err(StoreError::Sealed(SealError::KeyLost { .. }))),
                "{read:?}"
            );
        } else {
            check_changed(&store, "file", &format!("byte {at}"));
        }
    }
    fs::write(&place, [&whole[..], b"x"].concat()).unwrap();
    check_changed(&store, "file", "longer");
}

#[test]
fn chunks_that_are_cut_swapped_or_repeated_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let place = path(folder.path(), "prefix.file");
    store.files("prefix").unwrap().put("file", &bytes(4 * CHUNK)).unwrap();
    let whole = fs::read(&place).unwrap();
    let header = b"whimbrel-file-1".len() + 1 + 4 + 32;
    let chunks: Vec<&[u8]> = whole[header..].chunks(CHUNK + 16).collect();
    assert_eq!(chunks.len(), 4);
    let orders: [&[usize]; 7] = [
        &[0, 1, 2],
        &[0],
        &[],
        &[1, 0, 2, 3],
        &[0, 1, 1, 3],
        &[0, 1, 2, 3, 3],
        &[3],
    ];
    for order in orders {
        let mut changed = whole[..header].to_vec();
        order.iter().for_each(|chunk| changed.extend_from_slice(chunks[*chunk]));
        fs::write(&place, &changed).unwrap();
        check_changed(&store, "file", &format!("{order:?}"));
    }
    // Behind the end of a chunk by less than a tag, a tag, and more, also where several threads read.
    store.files("prefix").unwrap().put("file", &bytes(40 * CHUNK)).unwrap();
    let whole = fs::read(&place).unwrap();
    for (kept, extra) in [1, 2, 39]
        .into_iter()
        .flat_map(|kept| [0, 1, 15, 16, 17].map(|extra| (kept, extra)))
    {
        fs::write(&place, &whole[..header + kept * (CHUNK + 16) + extra]).unwrap();
        check_changed(&store, "file", &format!("{kept} chunks and {extra} bytes"));
    }
}

#[test]
fn a_file_in_anothers_place_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let files = store.files("prefix").unwrap();
    files.put("one", b"first").unwrap();
    files.put("two", b"second").unwrap();
    store.files("other").unwrap().put("one", b"third").unwrap();
    let place = |name: &str| path(folder.path(), name);
    for from in ["prefix.two", "other.one"] {
        fs::copy(place(from), place("prefix.one")).unwrap();
        check_changed(&store, "one", from);
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = self::store(elsewhere.path());
    stranger.files("prefix").unwrap().put("one", b"foreign").unwrap();
    fs::copy(path(elsewhere.path(), "prefix.one"), place("prefix.one")).unwrap();
    check_changed(&store, "one", "another store's");
    assert!(!is_anywhere(folder.path(), b"second"));
}

/// After a rotation, files under the old key are as good as none.
#[test]
fn a_rotation_makes_old_files_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let files = store.files("prefix").unwrap();
    files.put("old", b"old").unwrap();
    while !store.rotate(100).unwrap().finished {}
    let read = files.get("old", MAX);
    assert!(
        matches!(read, Err(StoreError::Sealed(SealError::KeyLost { version: 1 }))),
        "{read:?}"
    );
    files.put("new", b"new").unwrap();
    assert_eq!(files.get("new", MAX).unwrap().unwrap(), b"new");
}
