//! What the tests of the command share: running it with a time limit, in a home of its own, on the tiny bundle.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

pub mod terminal;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use whimbrel_forge::synthetic::Synthetic;

/// A command that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// The bundle in the repository that answers nonsense, quickly.
pub fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared-models/tiny")
}

/// SmolLM2, which `make test-data` prepares.
pub fn smollm2() -> PathBuf {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = || path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")));
    let folder = path("WHIMBREL_TEST_DATA").or_else(|| Some(cache()?.join("whimbrel/test-data")));
    let folder = folder.unwrap().join("smollm2");
    assert!(folder.is_dir(), "{} is missing: run `make test-data`", folder.display());
    folder
}

/// Copies the files of a bundle.
pub fn copy_bundle(from: &Path, to: &Path) {
    for file in bundle_files(from) {
        std::fs::create_dir_all(to.join(&file).parent().unwrap()).unwrap();
        std::fs::copy(from.join(&file), to.join(&file)).unwrap();
    }
}

/// Every file of a bundle, relative to it. What the engine remembers of the bundle is none of them.
pub fn bundle_files(folder: &Path) -> Vec<PathBuf> {
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    let manifest = whimbrel_engine::Manifest::parse(&manifest).unwrap();
    let mut files = vec![PathBuf::from("manifest.json")];
    files.extend(manifest.files().iter().map(|file| PathBuf::from(&file.path)));
    files
}

/// A line for every value: where it stands and of which type it is. Of an array only the first element counts.
fn shape(value: &Value, place: &str, lines: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                shape(value, &format!("{place}.{key}"), lines);
            }
        }
        Value::Array(array) => match array.first() {
            Some(first) => shape(first, &format!("{place}[]"), lines),
            None => lines.push(format!("{place}[] empty")),
        },
        Value::Null => lines.push(format!("{place} null")),
        Value::Bool(_) => lines.push(format!("{place} bool")),
        Value::Number(number) if number.is_f64() => lines.push(format!("{place} float")),
        Value::Number(_) => lines.push(format!("{place} integer")),
        Value::String(_) => lines.push(format!("{place} string")),
    }
}

/// Compares the shape of an object with the committed one; `UPDATE_SNAPSHOTS=1` writes it anew.
pub fn check_shape(name: &str, value: &Value) {
    let mut lines = Vec::new();
    shape(value, "", &mut lines);
    let found = lines.join("\n") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{name}.txt"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), found, "{name}");
}

/// A folder with a home in it.
pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Desk {
        Desk {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A desk with the bundle of a tiny model that thinks before it answers.
    pub fn with_thinking_model() -> (Desk, PathBuf) {
        let desk = Desk::new();
        let model = Synthetic {
            thinks: true,
            ..Synthetic::tiny()
        };
        let file = desk.write("model.gguf", model.to_gguf());
        let bundle = desk.path("thinking");
        let [file, output] = [&file, &bundle].map(|path| path.to_str().unwrap());
        desk.run(["import", file, "--output", output]).succeeded();
        (desk, bundle)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// Where models are installed.
    pub fn models(&self) -> PathBuf {
        self.path("cache/whimbrel/models")
    }

    /// The program with these arguments, which sees nothing of the tester's own home.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whimbrel"));
        command
            .args(arguments)
            .env("HOME", self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"));
        command.env("XDG_STATE_HOME", self.path("state"));
        // Nothing is known of the device but what a test says.
        command.env("WHIMBREL_DEVICE_ROOT", self.path("device"));
        for variable in ["RUST_LOG", "WHIMBREL_CATALOGUE", "WHIMBREL_PYTHON"] {
            command.env_remove(variable);
        }
        command
    }

    /// What the program reads as `/proc` and `/sys`.
    pub fn write_device(&self, files: &[(&str, &str)]) {
        for (path, content) in files {
            let path = self.path("device").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{content}\n")).unwrap();
        }
    }

    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        Started::new(&mut self.command(arguments)).finish()
    }
}

/// A program that is running.
pub struct Started {
    child: Child,
}

impl Started {
    pub fn new(command: &mut Command) -> Started {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Started { child }
    }

    pub fn say(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Waits for the first bytes on standard output.
    pub fn first_output(&mut self) -> String {
        first_bytes(self.child.stdout.as_mut().unwrap())
    }

    /// Waits for the first line on standard error.
    pub fn first_complaint(&mut self) -> String {
        let from = self.child.stderr.as_mut().unwrap();
        let mut line = String::new();
        // A line may come in several writes, and a read takes what has come so far.
        while !line.ends_with('\n') {
            line += &first_bytes(from);
        }
        line
    }

    pub fn signal(&self, signal: &str) {
        kill(signal, self.child.id());
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Closes standard input and waits for the end; ends the test when that takes too long.
    pub fn finish(mut self) -> Ran {
        drop(self.child.stdin.take());
        self.wait()
    }

    /// Like [`Started::finish`] with standard input left open: its end would be a reason to stop, too.
    pub fn wait(mut self) -> Ran {
        let _input = self.child.stdin.take();
        let id = self.child.id();
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || sender.send(self.child.wait_with_output().unwrap()));
        match ended.recv_timeout(LIMIT) {
            Ok(output) => Ran::new(output),
            Err(_) => {
                kill("-KILL", id);
                panic!("still running after {LIMIT:?}");
            }
        }
    }
}

/// Runs a command with a file system of this size at `disk`, and returns the files left there. `None`, with a word about it, where this
/// user may not mount one.
pub fn on_small_disk(command: &Command, disk: &Path, size: &str) -> Option<(Ran, Vec<String>)> {
    let script = "mount -t tmpfs -o size=\"$1\" tmpfs \"$0\" || exit 99
        disk=$0; shift; \"$@\"; status=$?; find \"$disk\" -type f >\"$disk.left\"; exit $status";
    let ran = with_mounts(script, disk, Some(size), command)?;
    let left = std::fs::read_to_string(disk.with_extension("left")).unwrap();
    Some((ran, left.lines().map(str::to_owned).collect()))
}

/// Runs a command with a folder that cannot be written to. `None`, with a word about it, where this user may not mount one.
pub fn with_read_only(command: &Command, folder: &Path) -> Option<Ran> {
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" || exit 99; exec \"$@\"";
    with_mounts(script, folder, None, command)
}

/// Runs a shell's script, which may mount and gets the command as its last arguments. The mounts belong to the shell alone and end with it.
fn with_mounts(script: &str, place: &Path, argument: Option<&str>, command: &Command) -> Option<Ran> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    unshare
        .arg(place)
        .args(argument)
        .arg(command.get_program())
        .args(command.get_args());
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => unshare.env(variable, value),
            None => unshare.env_remove(variable),
        };
    }
    let Ok(output) = unshare.stdin(Stdio::null()).output() else {
        println!("not tested: there is no unshare(1) here");
        return None;
    };
    let ran = Ran::new(output);
    if ran.status == Some(99) || ran.stderr.contains("unshare") {
        println!("not tested: this user may not mount a file system");
        return None;
    }
    Some(ran)
}

fn first_bytes(from: &mut impl Read) -> String {
    let mut buffer = [0; 4096];
    let read = from.read(&mut buffer).unwrap();
    assert!(read > 0, "ended without a word");
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

pub fn kill(signal: &str, id: u32) {
    assert!(
        Command::new("kill")
            .args([signal, &id.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

/// How a program ended.
#[derive(Debug)]
pub struct Ran {
    /// `None` when a signal ended it.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn new(output: Output) -> Ran {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// The one object on standard output.
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("not one JSON object ({error}): {self:?}"),
        }
    }

    pub fn succeeded(self) -> Ran {
        assert_eq!(self.status, Some(0), "{self:?}");
        self
    }

    /// Failed with one line, and with the same words as an object when asked for one.
    pub fn failed(self, status: i32, code: &str) -> Ran {
        assert_eq!(self.status, Some(status), "{self:?}");
        let lines: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(lines.len(), 1, "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        let error = self.json()["error"].clone();
        assert_eq!(error["code"], code, "{self:?}");
        let message = error["message"].as_str().unwrap();
        assert!(lines[0].starts_with(&format!("error: {message}")), "{self:?}");
        self
    }
}
