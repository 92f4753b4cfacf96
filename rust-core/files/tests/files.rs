//! Single files: whole or not at all, and never over something that was not to be replaced.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use whimbrel_files::{Existing, NewFile, Readers, write};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_that_appears_while_another_is_written_stays() {
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("letter");
    let mut file = NewFile::create(&path, Existing::Keep, Readers::Owner).unwrap();
    file.write_all(b"new").unwrap();
    fs::write(&path, "mine").unwrap();
    assert_eq!(file.commit().unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(names(desk.path()), ["letter"]);
    let refused = NewFile::create(&path, Existing::Keep, Readers::Owner);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[test]
fn only_regular_files_are_replaced() {
    let desk = tempfile::tempdir().unwrap();
    let path = |name: &str| desk.path().join(name);
    let replace =
        |name: &str| write(&path(name), Existing::Replace, Readers::Owner, b"new").map_err(|error| error.kind());
    fs::create_dir(path("folder")).unwrap();
    assert_eq!(replace("folder"), Err(ErrorKind::InvalidInput));
    std::os::unix::fs::symlink("/dev/null", path("device")).unwrap();
    assert_eq!(replace("device"), Err(ErrorKind::InvalidInput));
    fs::write(path("file"), "old").unwrap();
    std::os::unix::fs::symlink("file", path("link")).unwrap();
    assert_eq!(replace("link"), Ok(()));
    assert_eq!(fs::read(path("file")).unwrap(), b"new");
    assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
    assert_eq!(names(desk.path()), ["device", "file", "folder", "link"]);
}

#[test]
fn a_file_of_the_users_under_an_earlier_working_name_stays() {
    let desk = tempfile::tempdir().unwrap();
    fs::write(desk.path().join(".letter.new"), "mine").unwrap();
    write(&desk.path().join("letter"), Existing::Replace, Readers::Owner, b"new").unwrap();
    assert_eq!(fs::read(desk.path().join(".letter.new")).unwrap(), b"mine");
}

#[test]
fn what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays() {
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("letter");
    fs::write(desk.path().join(".letter.whimbrel-0"), "half a le").unwrap();
    let mut living = NewFile::create(&path, Existing::Replace, Readers::Owner).unwrap();
    living.write_all(b"first").unwrap();
    write(&path, Existing::Replace, Readers::Owner, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    living.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(names(desk.path()), ["letter"]);
}

#[test]
fn many_writers_at_once_leave_one_whole_file() {
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("letter");
    std::thread::scope(|scope| {
        for number in 0..4_u8 {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..50 {
                    write(path, Existing::Replace, Readers::Owner, &[number; 5000]).unwrap();
                    let found = fs::read(path).unwrap();
                    assert!(found.len() == 5000 && found.iter().all(|byte| *byte == found[0]));
                }
            });
        }
    });
    assert_eq!(names(desk.path()), ["letter"]);
}

#[test]
fn of_many_new_files_one_is_kept() {
    for _ in 0..30 {
        let desk = tempfile::tempdir().unwrap();
        let path = desk.path().join("letter");
        let kept: usize = std::thread::scope(|scope| {
            let write = |number: u8| usize::from(write(&path, Existing::Keep, Readers::Owner, &[number; 100]).is_ok());
            let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || write(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(kept, 1);
        assert_eq!(names(desk.path()), ["letter"]);
    }
}

#[test]
fn readers_are_those_that_were_named() {
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("letter");
    // A leftover that others can read does not make the new file readable.
    fs::write(desk.path().join(".letter.whimbrel-0"), "").unwrap();
    write(&path, Existing::Replace, Readers::Owner, b"new").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
