//! Fidelity: on one public-domain text, this engine's perplexity and llama.cpp's for the same files, through the commands that a person
//! types. llama.cpp's figures are kept in `shared-models/golden/perplexity.json`; `make reference` measures them anew.
#![allow(clippy::unwrap_used)]

mod faults;
mod requantise;
mod synthetic;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use requantise::{Target, requantise};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use whimbrel_engine::TensorType;

const TEXT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-models/text/opticks.txt");
const GOLDEN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared-models/golden/perplexity.json"
);
const SHIPPED: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

/// How far the logarithm of a random model's perplexity may be from llama.cpp's if its weights are floats. It is about 0.0001 % away, and a
/// norm that is missing 0.005 %.
const FLOATS_WITHIN: f64 = 0.000_01;

/// What an import is held against.
enum Bar {
    /// The perplexity differs from llama.cpp's by no more than this share.
    Within(f64),
    /// The perplexity is no higher than llama.cpp's by more than this share.
    NoWorse(f64),
    /// The logarithm of the perplexity differs from that of llama.cpp's by no more than this share: a random model is surprised by
    /// every token, and its perplexity says little.
    LogarithmWithin(f64),
}

/// llama.cpp's figures and the hashes of the files that they were measured on.
struct Golden(Value);

impl Golden {
    fn read() -> Self {
        let golden: Value = serde_json::from_slice(&fs::read(GOLDEN).unwrap()).unwrap();
        let text_sha256 = hex(Sha256::digest(fs::read(TEXT).unwrap()));
        assert_eq!(
            golden["text"]["sha256"], text_sha256,
            "the text changed: run `make reference`"
        );
        Self(golden)
    }

    fn perplexity(&self, name: &str) -> f64 {
        self.0["models"][name]["perplexity"].as_f64().unwrap()
    }

    /// The file must be the one that llama.cpp measured.
    fn assert_same_file(&self, name: &str, sha256: &str) {
        let expected = &self.0["models"][name]["sha256"];
        assert_eq!(
            expected, sha256,
            "{name}: not the file that llama.cpp measured; after a deliberate change run `make reference`"
        );
    }
}

/// Imports the file, measures the bundle and compares with the golden figure of `name`.
fn check(golden: &Golden, name: &str, gguf: &Path, quantization: &str, bar: &Bar) {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let bundle = import(gguf, quantization, folder.path());
    let (ours, theirs) = (measure(golden, name, &bundle), golden.perplexity(name));
    let (difference, limit) = match *bar {
        Bar::Within(limit) => ((ours / theirs - 1.0).abs(), limit),
        Bar::NoWorse(limit) => (ours / theirs - 1.0, limit),
        Bar::LogarithmWithin(limit) => ((ours.ln() / theirs.ln() - 1.0).abs(), limit),
    };
    println!(
        "{name} as {quantization}: {ours:.4}, llama.cpp {theirs:.4}, {:+.4} % of {} %",
        difference * 100.0,
        limit * 100.0
    );
    assert!(
        difference <= limit,
        "{name} as {quantization}: {ours:.4}, llama.cpp {theirs:.4}"
    );
}

/// The bundle that the command makes of a file.
fn import(gguf: &Path, quantization: &str, folder: &Path) -> PathBuf {
    let bundle = folder.join("bundle");
    whimbrel(&[
        "import",
        gguf.to_str().unwrap(),
        "--quantization",
        quantization,
        "--force",
        "--output",
        bundle.to_str().unwrap(),
    ]);
    bundle
}

/// The perplexity of a bundle, over the windows of the golden figure of `name`.
fn measure(golden: &Golden, name: &str, bundle: &Path) -> f64 {
    let chunks = &golden.0["models"][name]["chunks"];
    let facts = whimbrel(&[
        "perplexity",
        "--model",
        bundle.to_str().unwrap(),
        "--file",
        TEXT,
        "--context",
        "512",
        "--chunks",
        &chunks.to_string(),
        "--json",
    ]);
    let facts: Value = serde_json::from_slice(&facts).unwrap();
    assert_eq!(facts["chunks"], *chunks, "{name}: other windows than llama.cpp's");
    facts["perplexity"].as_f64().unwrap()
}

/// Runs the command and returns its standard output.
fn whimbrel(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_whimbrel"))
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "whimbrel {arguments:?}: {errors}");
    output.stdout
}

/// The models that `make test-data` prepares.
fn shipped() -> PathBuf {
    let cache = || std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let folder = std::env::var_os("WHIMBREL_TEST_DATA").map(PathBuf::from);
    let folder = folder
        .or_else(|| Some(cache().or_else(home)?.join("whimbrel/test-data")))
        .expect("HOME is set");
    let file = folder.join(SHIPPED);
    assert!(file.is_file(), "{} is missing: run `make test-data`", file.display());
    file
}

/// A writer that hashes what passes through it.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write_all(bytes)?;
        self.hash.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes llama-quantize's file of this type and proves that it is that file.
fn remake(golden: &Golden, name: &str, target: Target, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{name}.gguf"));
    let mut out = Hashing {
        inner: BufWriter::new(File::create(&path).unwrap()),
        hash: Sha256::new(),
    };
    requantise(&fs::read(shipped()).unwrap(), target, &mut out).unwrap();
    out.flush().unwrap();
    golden.assert_same_file(name, &hex(out.hash.finalize()));
    path
}

#[test]
fn the_shipped_file_agrees() {
    let golden = Golden::read();
    golden.assert_same_file("shipped", &hex(Sha256::digest(fs::read(shipped()).unwrap())));
    check(&golden, "shipped", &shipped(), "keep", &Bar::Within(0.005));
}

/// Keys and values in 8 bits, on the first windows of the text: 0.04 % apart when this was written.
#[test]
fn eight_bit_keys_and_values_are_as_good() {
    let bundle = shipped().with_file_name("smollm2");
    let perplexity = |precision: &str| {
        let arguments = [
            "perplexity",
            "--file",
            TEXT,
            "--chunks",
            "4",
            "--json",
            "--kv",
            precision,
        ];
        let facts = whimbrel(&[&arguments[..], &["--model", bundle.to_str().unwrap()]].concat());
        let facts: Value = serde_json::from_slice(&facts).unwrap();
        facts["perplexity"].as_f64().unwrap()
    };
    let (half, int8) = (perplexity("f16"), perplexity("int8"));
    println!("keys and values in 16 bits: {half:.4}, in 8 bits: {int8:.4}");
    assert!(half != int8, "the flag does something");
    assert!((int8 / half - 1.0).abs() < 0.005, "{half} in 16 bits, {int8} in 8");
}

#[test]
fn requantised_files_agree() {
    let golden = Golden::read();
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for (name, target) in [("q4_0", Target::Q4_0), ("q8_0", Target::Q8_0)] {
        let file = remake(&golden, name, target, folder.path());
        check(&golden, name, &file, "keep", &Bar::Within(0.005));
    }
}

#[test]
fn floats_agree_and_our_quantisers_are_no_worse() {
    let golden = Golden::read();
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let floats = remake(&golden, "f32", Target::F32, folder.path());
    check(&golden, "f32", &floats, "keep", &Bar::Within(0.001));
    check(&golden, "q4_1-from-f32", &floats, "q4_1", &Bar::NoWorse(0.005));
    check(&golden, "q8_0", &floats, "q8_0", &Bar::NoWorse(0.005));
}

#[test]
fn synthetic_models_agree() {
    let golden = Golden::read();
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for (name, model) in synthetic::models() {
        let name = format!("synthetic-{name}");
        let bytes = model.to_gguf();
        golden.assert_same_file(&name, &hex(Sha256::digest(&bytes)));
        let file = folder.path().join("model.gguf");
        fs::write(&file, bytes).unwrap();
        let limit = if name.contains("f32") { FLOATS_WITHIN } else { 0.005 };
        check(&golden, &name, &file, "keep", &Bar::LogarithmWithin(limit));
    }
}

/// The bar that right imports pass is one that faults do not pass.
#[test]
fn planted_faults_are_noticed() {
    let golden = Golden::read();
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut unnoticed = Vec::new();
    for fault in faults::faults() {
        let (name, model) = synthetic::architecture(fault.family, TensorType::F32);
        let name = format!("synthetic-{name}");
        let file = folder.path().join("model.gguf");
        fs::write(&file, model.to_gguf()).unwrap();
        let bundle = import(&file, "keep", folder.path());
        fault.plant(&bundle, model.head_dim as usize);
        let (ours, theirs) = (measure(&golden, &name, &bundle), golden.perplexity(&name));
        let difference = (ours.ln() / theirs.ln() - 1.0).abs();
        println!("{name}, {}: {:.3} % away", fault.name, difference * 100.0);
        if difference <= FLOATS_WITHIN {
            unnoticed.push(format!("{name}: {}", fault.name));
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}
