//! `whimbrel models pull URL`: fetches a model file, or all parts of a split one, and makes a bundle of it. What was fetched waits in `.pull/NAME`
//! for the next pull when one is interrupted.

use std::fs;
use std::path::{Path, PathBuf};

use whimbrel_client::policy::download::{DownloadFailure, Location, MeteredRule, Order};
use whimbrel_client::policy::{Network, PolicySet, Reported};
use whimbrel_engine::{CancelFlag, Verify};
use whimbrel_forge::gguf::PartName;
use whimbrel_forge::{ForgeError, ImportOptions, ModelFile};
use whimbrel_models::download::{DownloadError, Fetch, Progress as Fetched, fetch};

use crate::error::CliError;
use crate::machine::{device, paths};
use crate::models::catalogue::{Catalogue, is_name};
use crate::models::import::import;
use crate::models::install::{self, Lock, PullStatus, clear};
use crate::models::model_file::in_catalogue;
use crate::terminal::interrupt;
use crate::terminal::output::bytes;
use crate::terminal::progress::Progress;

/// What is to be fetched, and how.
pub(crate) struct PullFile<'p> {
    /// The address, and others of the same file.
    pub(crate) urls: Vec<&'p str>,
    /// Of each part, or none.
    pub(crate) sha256: &'p [String],
    /// The name under which the model is installed.
    pub(crate) name: Option<&'p str>,
    pub(crate) metered: MeteredRule,
    /// Certificate authorities to trust, in PEM.
    pub(crate) authorities: String,
    /// Whether what an earlier pull fetched is thrown away.
    pub(crate) restart: bool,
}

/// What was installed.
pub(crate) struct PulledFile {
    pub(crate) name: String,
    pub(crate) status: PullStatus,
    pub(crate) path: PathBuf,
}

/// Makes sure that the model of an address is installed.
///
/// # Errors
/// [`CliError::Usage`], [`CliError::NameTaken`], [`CliError::Download`], [`CliError::PullInterrupted`]; those of an import.
pub(crate) fn pull(wanted: &PullFile<'_>, models: &Path) -> Result<PulledFile, CliError> {
    interrupt::install(false);
    let files = files(&locations(&wanted.urls)?, wanted.sha256)?;
    let origin = files[0].locations[0].to_string();
    let name = match wanted.name {
        Some(name) if is_name(name) => name.to_owned(),
        Some(name) => {
            let message = format!("{name:?} cannot be a name");
            return Err(CliError::usage(message, "use letters, digits, -, _ and ."));
        }
        None => name_of(&files[0].name)?,
    };
    if Catalogue::load()?.find(&name).is_some() {
        return Err(CliError::NameTaken { name });
    }
    let target = models.join(&name);
    let _lock = Lock::acquire(models, &name)?;
    let state = paths::verified();
    if target.exists() {
        let installed = install::manifest(&target).and_then(|manifest| manifest.source.origin);
        if installed != Some(origin) {
            return Err(CliError::NameTaken { name });
        }
        whimbrel_engine::verify_and_remember(&target, Verify::Always, state.as_deref())?;
        return Ok(PulledFile {
            name,
            status: PullStatus::AlreadyInstalled,
            path: target,
        });
    }
    let work = models.join(".pull").join(&name);
    if wanted.restart {
        clear(&work)?;
    }
    fs::create_dir_all(&work).map_err(CliError::write(&work))?;
    for file in &files {
        if let Err(error) = fetch_file(file, wanted, &work, &name) {
            let is_begun = |file: &File| fs::metadata(work.join(&file.name)).is_ok_and(|found| found.len() > 0);
            if !files.iter().any(is_begun) {
                clear(&work)?;
            }
            return Err(error);
        }
    }
    let source = work.join(&files[0].name);
    let known = ModelFile::open(&source).ok().and_then(|file| in_catalogue(&file));
    let imported = import(ImportOptions {
        source,
        output: target.clone(),
        name: known.as_ref().map(|known| known.name.clone()),
        licence: known.as_ref().map(|known| known.licence.clone()),
        card: known.map(|known| known.card).unwrap_or_default(),
        origin: Some(origin),
        ..ImportOptions::default()
    });
    if let Err(CliError::Forge(error)) = &imported
        && is_final(error)
    {
        clear(&work)?;
    }
    for notice in imported?.1 {
        eprintln!("note: {notice}");
    }
    // Here, so that the first answer need not wait for it.
    whimbrel_engine::verify_and_remember(&target, Verify::Always, state.as_deref())?;
    clear(&work)?;
    Ok(PulledFile {
        name,
        status: PullStatus::Installed,
        path: target,
    })
}

/// A file that is fetched: the model, or a part of it.
struct File {
    name: String,
    locations: Vec<Location>,
    sha256: Option<String>,
}

fn locations(urls: &[&str]) -> Result<Vec<Location>, CliError> {
    let parse = |url: &&str| {
        let parsed = url.parse();
        parsed.map_err(|error| CliError::usage(format!("{url}: {error}"), "give the https address of a GGUF file"))
    };
    urls.iter().map(parse).collect()
}

/// The files behind an address: it may name any part of a split model.
fn files(locations: &[Location], sha256: &[String]) -> Result<Vec<File>, CliError> {
    let name = locations[0].file_name();
    let part = PartName::parse(name).filter(|part| part.count() > 1);
    let names: Vec<String> = match part {
        Some(part) => (1..=part.count()).map(|number| part.of(number)).collect(),
        // Whatever the address ends in, it cannot lead out of the folder.
        None => vec![if is_name(name) { name } else { "model.gguf" }.to_owned()],
    };
    if !sha256.is_empty() && sha256.len() != names.len() {
        let message = format!("--sha256 is given {} times for {} files", sha256.len(), names.len());
        return Err(CliError::usage(message, "give it once for each part, in their order"));
    }
    let beside = |location: &Location, name: &str| match part {
        Some(_) => location.with_file_name(name),
        None => Ok(location.clone()),
    };
    let file = |(index, name): (usize, String)| {
        let locations = locations
            .iter()
            .map(|location| beside(location, &name))
            .collect::<Result<_, _>>();
        Ok(File {
            locations: locations.map_err(|error| CliError::usage(error.to_string(), "use another address"))?,
            sha256: sha256.get(index).map(|hash| hash.to_ascii_lowercase()),
            name,
        })
    };
    names.into_iter().enumerate().map(file).collect()
}

/// The name of a model whose file is called so.
fn name_of(file_name: &str) -> Result<String, CliError> {
    let whole = PartName::parse(file_name).map_or_else(|| file_name.to_owned(), |part| part.whole());
    let stem = whole.rsplit_once('.').map_or(whole.as_str(), |(stem, _)| stem);
    match is_name(stem) && stem != "model" {
        true => Ok(stem.to_owned()),
        false => Err(CliError::usage(
            "the address does not say what the model is called",
            "choose a name with --name NAME",
        )),
    }
}

fn fetch_file(file: &File, wanted: &PullFile<'_>, work: &Path, name: &str) -> Result<(), CliError> {
    let cancel = CancelFlag::default();
    let flag = cancel.clone();
    let _guard = interrupt::on_raise(move || flag.cancel());
    let Reported::Is(network) = device::read().network else {
        return fetch_on(None, file, (wanted, work, name), cancel);
    };
    fetch_on(Some(network), file, (wanted, work, name), cancel)
}

fn fetch_on(
    network: Option<Network>,
    file: &File,
    (wanted, work, name): (&PullFile<'_>, &Path, &str),
    cancel: CancelFlag,
) -> Result<(), CliError> {
    let part = work.join(&file.name);
    let order = Order {
        locations: file.locations.clone(),
        has_checksum: file.sha256.is_some(),
        copies: 1,
        network,
        metered: wanted.metered,
        seed: std::process::id(),
    };
    let fetch_wanted = Fetch {
        order,
        sha256: file.sha256.clone(),
        part: &part,
        authorities_pem: &wanted.authorities,
        cancel,
    };
    let title = format!("fetching {}", file.name);
    let (mut fetching, mut checking, mut done) = (None, None, 0);
    let mut watch = |progress: Fetched| match progress {
        Fetched::Fetching {
            bytes_done,
            bytes_total,
        } => {
            done = bytes_done;
            let bar = fetching.get_or_insert_with(|| Progress::transfer(&title, bytes_done, bytes_total));
            bar.set(bytes_done);
        }
        Fetched::Waiting { wait_ms } => {
            fetching = None;
            eprintln!(
                "the server does not answer as it should; trying again in {} s",
                wait_ms.div_ceil(1_000)
            );
        }
        Fetched::Checking {
            bytes_done,
            bytes_total,
        } => {
            fetching = None;
            let bar = checking.get_or_insert_with(|| Progress::bytes("verifying", bytes_total));
            bar.set(bytes_done);
        }
    };
    match fetch(fetch_wanted, &mut watch) {
        Ok(_) => Ok(()),
        Err(DownloadError::Failed(DownloadFailure::Cancelled)) => Err(CliError::PullInterrupted {
            name: name.to_owned(),
            fetched: bytes(done),
        }),
        Err(error) => Err(error.into()),
    }
}

/// Whether a file that could not be imported would fail again.
fn is_final(error: &ForgeError) -> bool {
    !matches!(
        error,
        ForgeError::Read { .. }
            | ForgeError::Write { .. }
            | ForgeError::DiskFull { .. }
            | ForgeError::OutputInUse { .. }
            | ForgeError::Memory { .. }
            | ForgeError::Cancelled
    )
}

/// The rule for networks where bytes cost money: that of `--metered`, or of a policy.
pub(crate) fn metered(is_allowed: bool, policy: Option<&PolicySet>) -> MeteredRule {
    match (is_allowed, policy) {
        (true, _) => MeteredRule::Allow,
        (false, None) => MeteredRule::Refuse,
        (false, Some(policy)) => MeteredRule::of(&policy.app().limits("download")),
    }
}
