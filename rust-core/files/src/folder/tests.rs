//! Every order in which somebody else may interfere with a replacement, and a process that is killed in each of its steps.
#![allow(clippy::disallowed_methods, reason = "a killed process is one of its own")]

use std::cell::Cell;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use super::*;

/// A folder with `mark`, and perhaps `part`.
struct Marked;

impl FolderKind for Marked {
    fn refusal(&self, folder: &Path) -> Option<String> {
        let names = names(folder);
        match names.iter().any(|name| name == "mark") {
            false => Some("has no mark".to_owned()),
            true => names
                .iter()
                .find(|name| !["mark", "part"].contains(&name.as_str()))
                .map(|name| format!("holds {name}")),
        }
    }

    fn files(&self, _folder: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(vec!["part".into(), "mark".into()])
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn make(folder: &Path, content: &str) {
    fs::create_dir(folder).unwrap();
    fs::write(folder.join("part"), content).unwrap();
    fs::write(folder.join("mark"), content).unwrap();
}

fn build(place: &Path, replaces: bool) -> Result<(), FolderError> {
    let folder = NewFolder::begin(place, &Marked, replaces)?;
    fs::write(folder.path().join("part"), "new").unwrap();
    fs::write(folder.path().join("mark"), "new").unwrap();
    folder.commit(&Marked, replaces)
}

fn content(place: &Path) -> String {
    fs::read_to_string(place.join("mark")).unwrap_or_default()
}

/// What somebody else does to the place, and how it is known that it is not lost: a file of theirs with "mine" in it.
type Deed = fn(&Path);

const DEEDS: [(&str, Deed); 5] = [
    ("makes a folder", |place| {
        let _ = fs::create_dir(place);
        let _ = fs::write(place.join("mine"), "mine");
    }),
    ("makes a file", |place| {
        if !place.exists() {
            fs::write(place, "mine").unwrap();
        }
    }),
    ("makes a link", |place| {
        let _ = std::os::unix::fs::symlink("mine", place);
    }),
    ("replaces it by a folder", |place| {
        let _ = fs::rename(place, place.with_file_name("moved"));
        let _ = fs::create_dir(place);
        let _ = fs::write(place.join("mine"), "mine");
    }),
    ("moves it away", |place| {
        let _ = fs::rename(place, place.with_file_name("moved"));
    }),
];

/// Whether something of theirs is anywhere below a folder.
fn mine_below(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        match (kind.is_symlink(), kind.is_dir()) {
            (true, _) => fs::read_link(&path).unwrap() == Path::new("mine"),
            (false, true) => mine_below(&path),
            (false, false) => fs::read(&path).unwrap() == b"mine",
        }
    })
}

#[test]
fn whatever_appears_at_any_moment_is_never_lost() {
    for (what, deed) in DEEDS {
        for step in Step::ALL {
            for (replaces, is_there) in [(false, false), (true, false), (true, true)] {
                let desk = tempfile::tempdir().unwrap();
                let place = desk.path().join("place");
                if is_there {
                    make(&place, "old");
                }
                let done = Rc::new(Cell::new(false));
                let (happened, at) = (done.clone(), place.clone());
                let result = steps::with(
                    move |now| {
                        if now == step && !happened.replace(true) {
                            deed(&at);
                        }
                    },
                    || build(&place, replaces),
                );
                let case = format!("{what} at {step:?}, replaces {replaces}, there {is_there}: {result:?}");
                let made_something = mine_below(desk.path());
                if done.get()
                    && what != "moves it away"
                    && !is_there
                    && matches!(step, Step::Locked | Step::Complete | Step::Checked)
                {
                    assert!(made_something, "{case}");
                    assert!(matches!(result, Err(FolderError::Exists { .. })), "{case}");
                }
                if done.get() && what == "replaces it by a folder" {
                    assert!(made_something, "{case}");
                }
                if is_there && what == "moves it away" && done.get() {
                    assert!(desk.path().join("moved").exists(), "{case}");
                }
                match result {
                    Ok(()) if !(done.get() && place.with_file_name("moved").exists()) => {
                        assert_eq!(content(&place), "new", "{case}");
                    }
                    Ok(()) => {}
                    Err(_) => assert!(!place.exists() || content(&place) != "new", "{case}"),
                }
                assert!(!desk.path().join(".place.whimbrel").exists(), "{case}");
            }
        }
    }
}

#[test]
fn a_file_that_appears_in_an_old_folder_brings_it_back() {
    for step in [Step::Locked, Step::Complete, Step::Checked] {
        let desk = tempfile::tempdir().unwrap();
        let place = desk.path().join("place");
        make(&place, "old");
        let at = place.clone();
        let result = steps::with(
            move |now| {
                if now == step {
                    fs::write(at.join("thesis"), "mine").unwrap();
                }
            },
            || build(&place, true),
        );
        assert!(
            matches!(&result, Err(FolderError::Exists { reason, .. }) if reason == "holds thesis"),
            "{step:?}: {result:?}"
        );
        assert_eq!(content(&place), "old", "{step:?}");
        assert_eq!(names(desk.path()), ["place"], "{step:?}");
    }
}

/// The folder that a killed process works in; makes this test program that process.
const CHILD: &str = "WHIMBREL_TEST_CHILD";

#[test]
fn a_process_that_is_killed_at_any_moment_costs_nothing() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let number: usize = std::env::var("WHIMBREL_TEST_STEP").unwrap().parse().unwrap();
        let result = steps::with(
            move |now| {
                if now == Step::ALL[number] {
                    std::process::abort();
                }
            },
            || build(&Path::new(&folder).join("place"), true),
        );
        result.unwrap();
        return;
    }
    let test = "folder::tests::a_process_that_is_killed_at_any_moment_costs_nothing";
    for (number, step) in Step::ALL.into_iter().enumerate() {
        for is_there in [false, true] {
            let desk = tempfile::tempdir().unwrap();
            let place = desk.path().join("place");
            if is_there {
                make(&place, "old");
            }
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", test])
                .env(CHILD, desk.path())
                .env("WHIMBREL_TEST_STEP", number.to_string())
                .output()
                .unwrap();
            let case = format!("killed at {step:?}, there {is_there}");
            let found = content(&place);
            assert!(
                found == "new" || (is_there && found == "old") || !(is_there || place.exists()),
                "{case}: {found}"
            );
            // The next one clears what was left, and does not take the place from what is there.
            let next = build(&place, false);
            assert_eq!(next.is_err(), place.exists() && !found.is_empty(), "{case}: {next:?}");
            assert_eq!(names(desk.path()), ["place"], "{case}");
            build(&place, true).unwrap();
            assert_eq!(
                (content(&place).as_str(), names(desk.path())),
                ("new", vec!["place".to_owned()]),
                "{case}"
            );
        }
    }
}

#[test]
fn what_a_killed_process_set_aside_comes_back_or_is_named() {
    let left = |place: &str, aside: &str| {
        let desk = tempfile::tempdir().unwrap();
        let work = desk.path().join(".place.whimbrel");
        fs::create_dir(&work).unwrap();
        make(&work.join("aside"), aside);
        if aside == "mine" {
            fs::write(work.join("aside/mine"), "mine").unwrap();
        }
        match place {
            "" => {}
            "mine" => {
                fs::create_dir(desk.path().join("place")).unwrap();
                fs::write(desk.path().join("place/mine"), "mine").unwrap();
            }
            _ => make(&desk.path().join("place"), place),
        }
        let result = build(&desk.path().join("place"), true);
        (
            result.is_ok(),
            content(&desk.path().join("place")),
            mine_below(desk.path()),
            work.join("aside/mark").exists(),
        )
    };
    assert_eq!(left("", "old"), (true, "new".to_owned(), false, false));
    assert_eq!(left("new", "old"), (true, "new".to_owned(), false, false));
    assert_eq!(left("new", "mine"), (false, "new".to_owned(), true, true));
    assert_eq!(left("mine", "old"), (false, String::new(), true, true));
    assert_eq!(left("", "mine"), (false, "mine".to_owned(), true, false));
}

#[test]
fn of_many_threads_one_makes_the_folder_and_the_others_are_told() {
    for replaces in [false, true] {
        for _ in 0..30 {
            let desk = tempfile::tempdir().unwrap();
            let place = desk.path().join("place");
            let results: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| build(&place, replaces))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let made = results.iter().filter(|result| result.is_ok()).count();
            assert!(if replaces { made >= 1 } else { made == 1 }, "{results:?}");
            for result in &results {
                let is_typed = matches!(
                    result,
                    Ok(()) | Err(FolderError::InUse { .. } | FolderError::Exists { .. })
                );
                assert!(is_typed, "{result:?}");
            }
            assert_eq!(content(&place), "new");
            assert_eq!(names(desk.path()), ["place"]);
        }
    }
}

#[test]
fn only_folders_of_the_kind_are_removed() {
    let desk = tempfile::tempdir().unwrap();
    let place = desk.path().join("place");
    make(&place, "old");
    fs::write(place.join("thesis"), "mine").unwrap();
    let refused = remove_folder(&place, &Marked);
    assert!(matches!(refused, Err(FolderError::Exists { .. })), "{refused:?}");
    assert_eq!(names(&place), ["mark", "part", "thesis"]);
    fs::remove_file(place.join("thesis")).unwrap();
    remove_folder(&place, &Marked).unwrap();
    assert!(names(desk.path()).is_empty());
}

#[test]
fn the_way_in_two_steps_keeps_the_same_promises() {
    for (what, deed) in DEEDS {
        let desk = tempfile::tempdir().unwrap();
        let place = desk.path().join("place");
        make(&place, "old");
        let folder = NewFolder::begin(&place, &Marked, true).unwrap();
        fs::write(folder.path().join("mark"), "new").unwrap();
        let at = place.clone();
        let result = steps::with(
            move |now| {
                if now == Step::Exchanged {
                    deed(&at);
                }
            },
            || folder.work.put_in_two_steps(&Marked),
        );
        drop(folder);
        let took_the_place = what != "moves it away";
        assert_eq!(result.is_err(), took_the_place, "{what}: {result:?}");
        assert_eq!(mine_below(desk.path()), took_the_place, "{what}");
        let old = content(&desk.path().join(".place.whimbrel/aside"));
        assert_eq!(
            old == "old",
            took_the_place,
            "{what}: the old folder is kept while the new one has no place"
        );
    }
}
