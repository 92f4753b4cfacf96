//! `--model`: a name, a folder or a model file, the same everywhere.

use std::path::{Path, PathBuf};

use clap_complete::engine::ArgValueCompleter;
use whimbrel_engine::{KvPrecision, MANIFEST_FILE, OpenOptions, Verify};

use crate::arguments::number::whole;
use crate::error::CliError;
use crate::machine::paths;
use crate::models::catalogue::{Catalogue, is_name};
use crate::models::completion::installed;
use crate::models::{install, model_file};

/// Which model a command works on, and how it is opened.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ModelArguments {
    /// An installed model's name, a bundle folder or a GGUF file [default: the installed one, if there is only one]
    #[arg(long, short, value_name = "NAME|FOLDER|FILE", add = ArgValueCompleter::new(installed))]
    pub(crate) model: Option<PathBuf>,
    /// One of the bundle's variants [default: its first]
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    /// Check the hashes of all files, even of files that have not changed since the last check
    #[arg(long)]
    verify: bool,
    /// Run tract's operators instead of Whimbrel's, for comparison: slow, and needs more memory
    #[arg(long)]
    reference: bool,
    /// Precision of the context's keys and values: int8 needs half the memory and changes the answers a little
    #[arg(long, value_name = "PRECISION", value_enum, default_value_t = Kv::F16)]
    kv: Kv,
}

/// The values of `--kv`.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
enum Kv {
    F16,
    Int8,
}

/// How many threads compute.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct ThreadArguments {
    /// Number of threads; 0 uses one per performance core
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true, value_parser = whole::<u32>(0..=u32::MAX.into()))]
    pub(crate) threads: u32,
}

/// Where the weights are read from.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct MemoryArguments {
    /// Copy the weights into huge memory pages: faster answers, but a slower start and more memory
    #[arg(long)]
    pub(crate) huge_pages: bool,
}

impl ModelArguments {
    /// The bundle's folder: of the model that was named, else of the only installed one. A model file is imported into the cache at its first use.
    ///
    /// # Errors
    /// Those of an import;
    /// [`CliError::UnknownModel`], [`CliError::NotInstalled`], [`CliError::Catalogue`]; [`CliError::NoModel`] and [`CliError::SeveralModels`] where none
    /// was named.
    pub(crate) fn folder(&self) -> Result<PathBuf, CliError> {
        match &self.model {
            Some(model) => folder_of(model),
            None => only_installed(),
        }
    }

    /// The same arguments for another model, in its first variant.
    pub(crate) fn of(&self, model: String) -> ModelArguments {
        ModelArguments {
            model: Some(model.into()),
            variant: None,
            ..self.clone()
        }
    }

    /// The same arguments with the model that stands before the text.
    ///
    /// # Errors
    /// [`CliError::Usage`] where `--model` names one, too.
    pub(crate) fn with(&self, model: Option<&String>) -> Result<ModelArguments, CliError> {
        match (&self.model, model) {
            (Some(_), Some(_)) => Err(CliError::usage(
                "two models are named",
                "name the model once: with --model, or before the text",
            )),
            (None, Some(model)) => Ok(ModelArguments {
                model: Some(model.into()),
                ..self.clone()
            }),
            (_, None) => Ok(self.clone()),
        }
    }

    /// How the bundle is opened.
    pub(crate) fn open_options(&self, threads: u32) -> OpenOptions {
        OpenOptions {
            threads,
            verify: if self.verify {
                Verify::Always
            } else {
                Verify::Remembered
            },
            state_folder: paths::verified(),
            variant: self.variant.clone(),
            huge_pages: false,
            kv_precision: match self.kv {
                Kv::F16 => KvPrecision::Half,
                Kv::Int8 => KvPrecision::Int8,
            },
            reference: self.reference,
        }
    }
}

/// The folder of the only installed model.
fn only_installed() -> Result<PathBuf, CliError> {
    let models = paths::models()?;
    let mut names = install::installed_names(&models);
    match names.len() {
        0 => Err(CliError::NoModel),
        1 => Ok(models.join(names.remove(0))),
        _ => Err(CliError::SeveralModels { names }),
    }
}

/// The folder of the model that was named, else of the only installed one, else none.
///
/// # Errors
/// Those of a model that was named.
pub(crate) fn folder_if_any(named: Option<&Path>) -> Result<Option<PathBuf>, CliError> {
    match named {
        Some(model) => folder_of(model).map(Some),
        None => Ok(only_installed().ok()),
    }
}

/// The bundle's folder of a name, a folder or a model file.
fn folder_of(model: &Path) -> Result<PathBuf, CliError> {
    let is_installed = || {
        let name = model.to_str().filter(|name| is_name(name));
        name.is_some_and(|name| paths::models().is_ok_and(|models| models.join(name).is_dir()))
    };
    match model.is_file() && !is_installed() {
        true => model_file::bundle(model),
        false => resolve(model),
    }
}

/// Whether a word of the command line means a model: it is the name of an installed one or of one in the catalogue, a bundle's folder, or a
/// file called `.gguf`.
pub(crate) fn is_model(word: &str) -> bool {
    let path = Path::new(word);
    let is_model_file = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
        && path.is_file();
    if is_model_file || path.join(MANIFEST_FILE).is_file() {
        return true;
    }
    if !is_name(word) {
        return false;
    }
    let is_installed = paths::models().is_ok_and(|models| models.join(word).is_dir());
    is_installed || Catalogue::load().is_ok_and(|catalogue| catalogue.find(word).is_some())
}

/// The folder behind a name or a path. A plain name is looked for among the installed models first, so that a folder of the
/// same name in the current directory is written `./NAME`.
pub(crate) fn resolve(model: impl AsRef<Path>) -> Result<PathBuf, CliError> {
    let path = model.as_ref();
    let Some(model) = path.to_str().filter(|name| is_name(name)) else {
        return Ok(path.to_owned());
    };
    // A missing home only matters when the name really has to be looked up.
    let installed = paths::models().map(|models| models.join(model));
    if let Ok(folder) = &installed
        && folder.is_dir()
    {
        return Ok(folder.clone());
    }
    if path.is_dir() {
        return Ok(path.to_owned());
    }
    installed?;
    match Catalogue::load()?.find(model) {
        Some(entry) => Err(CliError::NotInstalled {
            name: entry.name.clone(),
        }),
        None => Err(CliError::UnknownModel { name: model.to_owned() }),
    }
}
