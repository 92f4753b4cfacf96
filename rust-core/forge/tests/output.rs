//! The output folder: it appears complete or not at all, whatever happens to the disk or to the process.
#![allow(clippy::unwrap_used)]
// Some tests kill an import, which takes a process of its own.
#![allow(clippy::disallowed_methods)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Desk, files, names, small};
use whimbrel_engine::verify;
use whimbrel_forge::{ForgeError, ImportOptions, Phase, Progress, Quantization, import};

/// Makes this test program act as another process; its value is the folder to work in.
const CHILD: &str = "WHIMBREL_TEST_CHILD";

fn is_root() -> bool {
    // Only root may read this file, on every system that has it.
    std::fs::File::open("/etc/shadow").is_ok()
}

#[test]
fn importing_again_gives_the_same_bytes() {
    let desk = Desk::new(&small().to_gguf());
    for quantization in Quantization::ALL {
        desk.import_as(quantization);
        let first = files(&desk.output());
        desk.import_as(quantization);
        assert!(first == files(&desk.output()), "{quantization}");
        assert_eq!(desk.names(), ["bundle", "model.gguf"]);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let desk = Desk::new(&small().to_gguf());
    let one = import(
        &ImportOptions {
            quantization: Quantization::Q4_1,
            ..desk.options()
        },
        &mut |_| (),
    )
    .unwrap();
    let many = ImportOptions {
        quantization: Quantization::Q4_1,
        threads: 5,
        replace: true,
        ..desk.options()
    };
    assert_eq!(import(&many, &mut |_| ()).unwrap(), one);
}

#[test]
fn an_existing_output_is_only_replaced_if_it_is_a_bundle_and_asked_for() {
    let desk = Desk::new(&small().to_gguf());
    let replace = ImportOptions {
        replace: true,
        ..desk.options()
    };
    let refused = |options: &ImportOptions| match import(options, &mut |_| ()) {
        Err(ForgeError::OutputExists { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    std::fs::write(desk.output(), "a file").unwrap();
    assert_eq!(refused(&replace), "it is not a bundle, so it was kept");
    assert_eq!(std::fs::read(desk.output()).unwrap(), b"a file");
    std::fs::remove_file(desk.output()).unwrap();

    std::fs::create_dir(desk.output()).unwrap();
    std::fs::write(desk.output().join("thesis.txt"), "years of work").unwrap();
    assert_eq!(refused(&replace), "it is not a bundle, so it was kept");
    assert_eq!(names(&desk.output()), ["thesis.txt"]);
    std::fs::remove_dir_all(desk.output()).unwrap();

    desk.import().unwrap();
    assert_eq!(refused(&desk.options()), "replacing it was not requested");
    std::fs::write(desk.output().join("thesis.txt"), "years of work").unwrap();
    assert_eq!(
        refused(&replace),
        "it contains thesis.txt, which is not part of a bundle, so it was kept"
    );
    std::fs::remove_file(desk.output().join("thesis.txt")).unwrap();
    import(&replace, &mut |_| ()).unwrap();
    std::fs::write(
        desk.output().join("manifest.json"),
        "{\"format\": \"whimbrel-bundle\", damaged",
    )
    .unwrap();
    import(&replace, &mut |_| ()).unwrap();
    verify(&desk.output()).unwrap();
    assert_eq!(desk.names(), ["bundle", "model.gguf"]);
}

#[test]
fn a_failed_replacement_leaves_the_old_bundle() {
    let desk = Desk::new(&small().to_gguf());
    desk.import().unwrap();
    let before = files(&desk.output());
    std::fs::write(desk.source(), b"GGUF and then nothing").unwrap();
    let options = ImportOptions {
        replace: true,
        ..desk.options()
    };
    assert!(matches!(import(&options, &mut |_| ()), Err(ForgeError::Gguf(_))));
    assert!(before == files(&desk.output()));
}

#[test]
fn cancelling_at_any_point_leaves_nothing() {
    let desk = Desk::new(&small().to_gguf());
    let mut reports = 0;
    import(
        &ImportOptions {
            replace: true,
            ..desk.options()
        },
        &mut |_| reports += 1,
    )
    .unwrap();
    std::fs::remove_dir_all(desk.output()).unwrap();
    // The last report says that everything is done, too late to cancel.
    for cancelled_at in 1..reports {
        let options = desk.options();
        let mut seen = 0;
        let result = import(&options, &mut |_| {
            seen += 1;
            if seen == cancelled_at {
                options.cancel.cancel();
            }
        });
        assert!(
            matches!(result, Err(ForgeError::Cancelled)),
            "cancelled at report {cancelled_at} of {reports}"
        );
        assert_eq!(
            desk.names(),
            ["model.gguf"],
            "cancelled at report {cancelled_at} of {reports}"
        );
    }
}

#[test]
fn progress_counts_every_byte_and_never_goes_back() {
    let desk = Desk::new(&small().to_gguf());
    let mut seen: Vec<Progress> = Vec::new();
    let manifest = import(&desk.options(), &mut |progress| seen.push(progress)).unwrap();
    assert!(seen.windows(2).all(|pair| pair[0].bytes_done <= pair[1].bytes_done));
    let last = seen.last().unwrap();
    assert_eq!(last.phase, Phase::Finishing);
    assert_eq!(last.bytes_done, last.bytes_total);
    assert_eq!(
        last.bytes_total,
        manifest.source.bytes + manifest.variants[0].weights.bytes
    );
}

#[test]
fn unreadable_sources_are_refused() {
    let desk = Desk::new(&small().to_gguf());
    let cases = [
        desk.path().join("missing.gguf"),
        desk.path().to_owned(),
        Path::new("/dev/null").to_owned(),
    ];
    for source in cases {
        let result = import(
            &ImportOptions {
                source: source.clone(),
                ..desk.options()
            },
            &mut |_| (),
        );
        assert!(matches!(result, Err(ForgeError::Read { .. })), "{}", source.display());
    }
    assert_eq!(desk.names(), ["model.gguf"]);
    if is_root() {
        println!("not tested: a file without permission to read, because root may read every file");
        return;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(desk.source(), std::fs::Permissions::from_mode(0o000)).unwrap();
        assert!(matches!(desk.import(), Err(ForgeError::Read { .. })));
    }
}

#[test]
fn folders_above_the_output_are_made() {
    let desk = Desk::new(&small().to_gguf());
    let output = desk.path().join("some/where/bundle");
    let options = ImportOptions {
        output: output.clone(),
        ..desk.options()
    };
    import(&options, &mut |_| ()).unwrap();
    verify(&output).unwrap();
}

#[test]
fn outputs_that_cannot_be_written_are_refused() {
    let desk = Desk::new(&small().to_gguf());
    std::fs::write(desk.path().join("file"), "").unwrap();
    for output in ["file/bundle", "file/missing/bundle"] {
        let result = import(
            &ImportOptions {
                output: desk.path().join(output),
                ..desk.options()
            },
            &mut |_| (),
        );
        assert!(matches!(result, Err(ForgeError::Write { .. })), "{output}: {result:?}");
    }
    let root = ImportOptions {
        output: "/".into(),
        ..desk.options()
    };
    assert!(matches!(
        import(&root, &mut |_| ()),
        Err(ForgeError::Option { option: "output", .. })
    ));
    let proc = ImportOptions {
        output: "/proc/bundle".into(),
        ..desk.options()
    };
    if Path::new("/proc").exists() {
        assert!(matches!(import(&proc, &mut |_| ()), Err(ForgeError::Write { .. })));
    }
    assert_eq!(desk.names(), ["file", "model.gguf"]);
}

/// Runs this program's test `name` as another process that works in `folder`.
fn child(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// As the child: imports, and when the first weights are written says so and waits to be killed.
fn import_and_wait(folder: &Path) {
    let options = ImportOptions {
        source: folder.join("model.gguf"),
        output: folder.join("bundle"),
        replace: true,
        ..ImportOptions::default()
    };
    let _ = import(&options, &mut |progress| {
        if progress.phase == Phase::Writing && progress.bytes_done > progress.bytes_total / 2 {
            println!("writing");
            // Nothing ever comes: the parent holds the other end and kills this process.
            let _ = std::io::stdin().read_exact(&mut [0]);
        }
    });
}

/// Kills an import in the middle of the weights.
fn kill_an_import(test: &str, folder: &Path) {
    let mut process = child(test, folder).spawn().unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    assert!(
        output.lines().any(|line| line.unwrap().ends_with("writing")),
        "the child did not get to writing"
    );
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn a_killed_import_leaves_nothing_that_looks_like_a_bundle() {
    if let Some(folder) = std::env::var_os(CHILD) {
        import_and_wait(Path::new(&folder));
        return;
    }
    let desk = Desk::new(&small().to_gguf());
    let test = "a_killed_import_leaves_nothing_that_looks_like_a_bundle";
    kill_an_import(test, desk.path());
    let left = desk.names();
    assert_eq!(left, [".bundle.whimbrel", "model.gguf"]);
    assert!(
        files(&desk.path().join(&left[0]))
            .iter()
            .all(|(path, _)| !path.ends_with("manifest.json"))
    );

    desk.import().unwrap();
    assert_eq!(
        desk.names(),
        ["bundle", "model.gguf"],
        "the next import clears what was left"
    );

    let before = files(&desk.output());
    kill_an_import(test, desk.path());
    assert!(
        before == files(&desk.output()),
        "a killed replacement leaves the old bundle"
    );
}

#[test]
fn a_running_import_keeps_others_from_its_place() {
    if let Some(folder) = std::env::var_os(CHILD) {
        import_and_wait(Path::new(&folder));
        return;
    }
    let desk = Desk::new(&small().to_gguf());
    let mut process = child("a_running_import_keeps_others_from_its_place", desk.path())
        .spawn()
        .unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap().ends_with("writing")));
    assert!(matches!(desk.import(), Err(ForgeError::OutputInUse { .. })));
    assert_eq!(desk.names(), [".bundle.whimbrel", "model.gguf"]);
    process.kill().unwrap();
    process.wait().unwrap();
    desk.import_as(Quantization::Keep);
    assert_eq!(desk.names(), ["bundle", "model.gguf"]);
}

#[test]
fn a_bundle_that_was_set_aside_comes_back() {
    let desk = Desk::new(&small().to_gguf());
    desk.import().unwrap();
    let before = files(&desk.output());
    // What a process leaves that dies between the two renames of a replacement.
    std::fs::create_dir(desk.path().join(".bundle.whimbrel")).unwrap();
    std::fs::rename(desk.output(), desk.path().join(".bundle.whimbrel/aside")).unwrap();
    assert!(matches!(desk.import(), Err(ForgeError::OutputExists { .. })));
    assert!(before == files(&desk.output()));
    assert_eq!(desk.names(), ["bundle", "model.gguf"]);
}

#[test]
fn what_appears_at_the_place_during_an_import_stays() {
    let desk = Desk::new(&small().to_gguf());
    for replace in [false, true] {
        let output = desk.output();
        let options = ImportOptions {
            replace,
            ..desk.options()
        };
        let result = import(&options, &mut |progress| {
            if progress.phase == Phase::Writing {
                let _ = std::fs::create_dir(&output);
                std::fs::write(output.join("mine.txt"), "years of work").unwrap();
            }
        });
        assert!(matches!(result, Err(ForgeError::OutputExists { .. })), "{result:?}");
        assert_eq!(names(&desk.output()), ["mine.txt"]);
        assert_eq!(desk.names(), ["bundle", "model.gguf"]);
    }
}

#[test]
fn of_two_imports_to_one_place_one_succeeds() {
    let desk = Desk::new(&small().to_gguf());
    for replace in [false, true] {
        let results: Vec<_> = std::thread::scope(|scope| {
            let import_named = |name: &str| {
                let options = ImportOptions {
                    name: Some(name.to_owned()),
                    replace,
                    ..desk.options()
                };
                import(&options, &mut |_| ())
            };
            let threads: Vec<_> = ["a", "b", "c"]
                .map(|name| scope.spawn(move || import_named(name)))
                .into_iter()
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let made: Vec<_> = results.iter().flatten().map(|manifest| manifest.name.clone()).collect();
        assert!(made.len() == 1 || (replace && !made.is_empty()), "{results:?}");
        for result in &results {
            let is_typed = matches!(
                result,
                Ok(_) | Err(ForgeError::OutputInUse { .. } | ForgeError::OutputExists { .. })
            );
            assert!(is_typed, "{result:?}");
        }
        assert!(made.contains(&verify(&desk.output()).unwrap().name));
        assert_eq!(desk.names(), ["bundle", "model.gguf"]);
    }
}

#[test]
fn only_a_bundle_and_nothing_else_is_removed() {
    let desk = Desk::new(&small().to_gguf());
    desk.import().unwrap();
    std::fs::write(desk.output().join("q4_1-notes.txt"), "mine").unwrap();
    let refused = whimbrel_forge::remove_bundle(&desk.output());
    assert!(matches!(refused, Err(ForgeError::OutputExists { .. })), "{refused:?}");
    std::fs::remove_file(desk.output().join("q4_1-notes.txt")).unwrap();
    std::fs::remove_file(desk.output().join("manifest.json")).unwrap();
    whimbrel_forge::remove_bundle(&desk.output()).unwrap();
    assert_eq!(desk.names(), ["model.gguf"]);
}

/// As the child, on a disk that is too small: says how the import ended and what is left.
fn import_on_a_full_disk(folder: &Path) {
    let disk = folder.join("disk");
    let options = ImportOptions {
        source: folder.join("model.gguf"),
        output: disk.join("bundle"),
        ..ImportOptions::default()
    };
    let result = import(&options, &mut |_| ());
    println!(
        "full: {}, left: {:?}",
        matches!(result, Err(ForgeError::DiskFull { .. })),
        names(&disk)
    );
}

#[test]
fn a_full_disk_is_a_typed_error_and_leaves_nothing() {
    let test = "a_full_disk_is_a_typed_error_and_leaves_nothing";
    if let Some(folder) = std::env::var_os(CHILD) {
        import_on_a_full_disk(Path::new(&folder));
        return;
    }
    let desk = Desk::new(&whimbrel_forge::synthetic::Synthetic::default().to_gguf());
    std::fs::create_dir(desk.path().join("disk")).unwrap();
    // A mount of our own, which needs neither root's mounts nor anything to be cleaned up: it ends with the process.
    let script = "mount -t tmpfs -o size=128k tmpfs \"$0/disk\" && exec \"$1\" --exact \"$2\" --nocapture";
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    unshare
        .arg(desk.path())
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(CHILD, desk.path());
    let Ok(output) = unshare.output() else {
        println!("not tested: a full disk, because there is no unshare(1) here");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(line) = text
        .lines()
        .find_map(|line| line.split_once("full: ").map(|(_, rest)| rest))
    else {
        println!("not tested: a full disk, because this user may not mount one");
        return;
    };
    assert_eq!(line, "true, left: []");
}
