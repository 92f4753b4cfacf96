//! `whimbrel models`: what can be pulled, what is installed, and where it lies.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap_complete::engine::ArgValueCompleter;
use serde::Serialize;
use whimbrel_engine::Manifest;

use crate::arguments::model;
use crate::error::CliError;
use crate::machine::paths;
use crate::models::catalogue::{Catalogue, Entry, Licence, Source, is_name};
use crate::models::completion;
use crate::models::install::{self, Lock, PullStatus};
use crate::terminal::output::{Facts, OutputArguments, bytes};

/// The commands under `models`.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List the models in the catalogue and the installed ones
    List(ListArguments),
    /// Fetch a model from the catalogue, verify it and install it
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
    /// The model's name in the catalogue
    #[arg(add = ArgValueCompleter::new(completion::in_catalogue))]
    name: String,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `models remove`.
#[derive(clap::Args, Debug)]
pub(crate) struct RemoveArguments {
    /// The installed model's name
    #[arg(add = ArgValueCompleter::new(completion::installed))]
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
}

#[derive(Serialize)]
struct Listed {
    name: String,
    title: Option<String>,
    description: Option<String>,
    task: Option<String>,
    licence: Option<Licence>,
    parameters: Option<u64>,
    context_length: Option<u32>,
    /// As BCP 47 tags, best first.
    languages: Vec<String>,
    /// What to know before trusting it.
    limits: Option<String>,
    /// `None` for a model that is not in the catalogue.
    download_bytes: Option<u64>,
    installed: bool,
    #[serde(serialize_with = "crate::terminal::output::optional_path")]
    path: Option<PathBuf>,
    /// Of the installed files; for one not installed what the catalogue expects.
    bundle_bytes: Option<u64>,
}

impl Facts for Listing {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        for model in &self.models {
            let state = match (model.installed, model.download_bytes) {
                (true, _) => "installed".to_owned(),
                (false, Some(download)) => format!("{} to download", bytes(download)),
                (false, None) => "not installed".to_owned(),
            };
            let licence = model.licence.as_ref().map_or("unknown", |licence| &licence.spdx);
            let size = model
                .bundle_bytes
                .map_or_else(String::new, |size| format!(", {} on disk", bytes(size)));
            writeln!(out, "{}  {state}{size}, licence {licence}", model.name)?;
            if let Some(description) = &model.description {
                writeln!(out, "    {description}")?;
            }
            if let Some(limits) = &model.limits {
                writeln!(out, "    {limits}")?;
            }
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
    arguments.output.print(&Listing { directory, models })
}

fn listed(entry: &Entry, directory: &Path) -> Listed {
    let folder = directory.join(&entry.name);
    let installed = folder.is_dir();
    let Source::Pypi { wheel, .. } = &entry.source;
    Listed {
        name: entry.name.clone(),
        title: Some(entry.title.clone()),
        description: Some(entry.description.clone()),
        task: Some(entry.task.clone()),
        licence: Some(entry.licence.clone()),
        parameters: Some(entry.parameters),
        context_length: Some(entry.context_length),
        languages: entry.card.languages.clone(),
        limits: entry.card.limits.clone(),
        download_bytes: Some(wheel.bytes),
        installed,
        bundle_bytes: Some(if installed {
            install::folder_bytes(&folder)
        } else {
            entry.bundle_bytes
        }),
        path: installed.then_some(folder),
    }
}

fn listed_only_here(name: String, directory: &Path) -> Listed {
    let folder = directory.join(&name);
    // A folder whose manifest cannot be read is still listed, so that it can be seen and removed.
    let manifest = install::manifest(&folder);
    let manifest = manifest.as_ref();
    let licence = |manifest: &Manifest| Licence {
        spdx: manifest.licence.spdx.clone(),
        url: manifest.licence.url.clone().unwrap_or_default(),
    };
    Listed {
        name,
        title: manifest.map(|manifest| manifest.name.clone()),
        description: None,
        task: manifest.map(|manifest| manifest.task.clone()),
        licence: manifest.map(licence),
        parameters: manifest.map(|manifest| manifest.architecture.parameters),
        context_length: manifest.map(|manifest| manifest.context_length),
        languages: manifest.map_or_else(Vec::new, |manifest| manifest.card.languages.clone()),
        limits: manifest.and_then(|manifest| manifest.card.limits.clone()),
        download_bytes: None,
        installed: true,
        bundle_bytes: Some(install::folder_bytes(&folder)),
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
    let catalogue = Catalogue::load()?;
    let unknown = || CliError::NotInCatalogue {
        name: arguments.name.clone(),
    };
    let entry = catalogue.find(&arguments.name).ok_or_else(unknown)?;
    let (status, path) = install::pull(entry, &paths::models()?)?;
    arguments.output.print(&Pulled {
        name: entry.name.clone(),
        status,
        bundle_bytes: install::folder_bytes(&path),
        path,
        licence: entry.licence.clone(),
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
    let path = directory.join(name);
    if !is_name(name) || !path.is_dir() {
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
