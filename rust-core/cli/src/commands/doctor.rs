//! `whimbrel doctor`: what this machine has, and what will be used of it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Serialize;
use whimbrel_client::policy::DeviceUpdate;

use crate::error::CliError;
use crate::machine::{device, paths, system};
use crate::models::catalogue::Catalogue;
use crate::models::fetch;
use crate::models::install::installed_names;
use crate::terminal::output::{Facts, OutputArguments, bytes, table};
use crate::terminal::words::counted;

/// The flags of `doctor`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Examination {
    version: &'static str,
    cpu: Cpu,
    memory: Memory,
    will_use: WillUse,
    models: Models,
    python: Python,
    device: DeviceUpdate,
}

#[derive(Serialize)]
struct Cpu {
    name: String,
    architecture: &'static str,
    cores: u32,
    features: Vec<&'static str>,
}

#[derive(Serialize)]
struct Memory {
    total_bytes: Option<u64>,
    available_bytes: Option<u64>,
}

/// What a command uses unless told otherwise.
#[derive(Serialize)]
struct WillUse {
    kernels: &'static str,
    /// Levels of kernels that this processor can run, the best last.
    kernels_available: Vec<&'static str>,
    threads: u32,
}

#[derive(Serialize)]
struct Models {
    #[serde(serialize_with = "crate::terminal::output::optional_path")]
    directory: Option<PathBuf>,
    installed: Vec<String>,
    available: Vec<String>,
}

/// What `models pull` needs.
#[derive(Serialize)]
struct Python {
    interpreter: String,
    version: Option<String>,
    pip_version: Option<String>,
}

impl Facts for Examination {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let size = |value: Option<u64>| value.map_or("unknown".to_owned(), bytes);
        let list = |names: &[String]| {
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            }
        };
        let version = |value: &Option<String>| value.clone().unwrap_or_else(|| "missing".to_owned());
        let cpu = &self.cpu;
        let directory = self
            .models
            .directory
            .as_ref()
            .map_or("none".to_owned(), |path| path.display().to_string());
        table(
            out,
            &[
                ("whimbrel", self.version.to_owned()),
                (
                    "processor",
                    format!("{}, {}, {}", cpu.name, cpu.architecture, counted(cpu.cores, "core")),
                ),
                ("features", cpu.features.join(" ")),
                (
                    "memory",
                    format!(
                        "{}, {} available",
                        size(self.memory.total_bytes),
                        size(self.memory.available_bytes)
                    ),
                ),
                (
                    "will use",
                    format!(
                        "{} kernels, {}",
                        self.will_use.kernels,
                        counted(self.will_use.threads, "thread")
                    ),
                ),
                ("models in", directory),
                ("installed", list(&self.models.installed)),
                ("can be pulled", list(&self.models.available)),
                (
                    "for pulling",
                    format!(
                        "{} {}, pip {}",
                        self.python.interpreter,
                        version(&self.python.version),
                        version(&self.python.pip_version)
                    ),
                ),
            ],
        )?;
        writeln!(out, "\nthe device, as policies see it")?;
        table(out, &device::rows(&self.device))?;
        if self.python.pip_version.is_none() {
            writeln!(
                out,
                "`whimbrel models pull` needs Python 3 with pip (`apt install python3-pip`)"
            )?;
        }
        Ok(())
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let report = whimbrel_engine::cpu_report();
    let memory = system::machine_memory();
    arguments.output.print(&Examination {
        version: env!("CARGO_PKG_VERSION"),
        cpu: Cpu {
            name: system::cpu_name(),
            architecture: std::env::consts::ARCH,
            cores: system::cores(),
            features: report.features,
        },
        memory: Memory {
            total_bytes: memory.total,
            available_bytes: memory.available,
        },
        will_use: WillUse {
            kernels: report.kernels,
            kernels_available: report.kernels_available,
            threads: whimbrel_engine::default_threads(),
        },
        models: models()?,
        python: python(),
        device: device::read(),
    })
}

fn models() -> Result<Models, CliError> {
    // Without a home everything else is still worth knowing.
    let directory = paths::models().ok();
    let installed = directory.as_deref().map(installed_names).unwrap_or_default();
    let catalogue = Catalogue::load()?;
    let names = catalogue.models.into_iter().map(|entry| entry.name);
    let available = names.filter(|name| !installed.contains(name)).collect();
    Ok(Models {
        directory,
        installed,
        available,
    })
}

fn python() -> Python {
    let interpreter = fetch::interpreter();
    let ask = |arguments: &[&str]| {
        let output = Command::new(&interpreter)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // Both programs answer `name version …`.
        output
            .status
            .success()
            .then(|| text.split_whitespace().nth(1).map(str::to_owned))?
    };
    Python {
        version: ask(&["--version"]),
        pip_version: ask(&["-m", "pip", "--version"]),
        interpreter: interpreter.to_string_lossy().into_owned(),
    }
}
