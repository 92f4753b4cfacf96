//! `--policy` and `--user`: policies by the name of a preset or as files, and what is wrong with them.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use whimbrel_client::network::{Endpoint, EndpointSettings};
use whimbrel_client::policy::{DeviceUpdate, Format, Policy, PolicyRole, PolicySet, Preset, Reported};

use crate::error::CliError;
use crate::terminal::input;

/// A policy that was read, with what it was called on the command line.
pub(crate) struct Named {
    pub(crate) path: PathBuf,
    pub(crate) policy: Policy,
}

/// The preset of this name, or else the document in this file.
///
/// # Errors
/// [`CliError::InputRead`], [`CliError::InputInvalid`], [`CliError::Policy`].
pub(crate) fn named(name: impl AsRef<Path>) -> Result<Named, CliError> {
    let path = name.as_ref().to_owned();
    let parsed = match path.to_str().and_then(Preset::by_name) {
        Some(preset) => preset.policy(""),
        None => Policy::parse(&text(&path)?, format(&path)),
    };
    match parsed {
        Ok(policy) => Ok(Named { path, policy }),
        Err(error) => Err(CliError::Policy { path, error }),
    }
}

/// Two documents that decide together.
///
/// # Errors
/// As [`named`], and [`CliError::Policy`] when the two do not go together.
pub(crate) fn set(app: impl AsRef<Path>, user: Option<&Path>) -> Result<PolicySet, CliError> {
    let app = named(app)?;
    let user = user.map(named).transpose()?;
    together(app, user)
}

/// See [`set`].
pub(crate) fn together(app: Named, user: Option<Named>) -> Result<PolicySet, CliError> {
    let endpoints = app.policy.endpoints();
    endpoints
        .iter()
        .try_for_each(|endpoint| {
            let settings = EndpointSettings::new(&endpoint.id, &endpoint.base_url, &endpoint.model);
            Endpoint::new(settings).map(drop)
        })
        .map_err(|error| CliError::InputInvalid {
            path: app.path.clone(),
            reason: error.to_string(),
        })?;
    // What is wrong with both together stands in the user's document, unless the first is no app's.
    let path = match &user {
        Some(user) if app.policy.role() == PolicyRole::App => user.path.clone(),
        _ => app.path.clone(),
    };
    PolicySet::new(app.policy, user.map(|user| user.policy)).map_err(|error| CliError::Policy { path, error })
}

/// An object of the command line, or in a file that it names with @.
///
/// # Errors
/// [`CliError::Usage`], [`CliError::InputRead`], [`CliError::InputInvalid`].
pub(crate) fn object<T: DeserializeOwned>(flag: &'static str, given: &str) -> Result<T, CliError> {
    match given.strip_prefix('@') {
        None => serde_json::from_str(given).map_err(|error| CliError::usage(format!("{flag}: {error}"), "see --help")),
        Some(path) => {
            let path = Path::new(path);
            serde_json::from_str(&input::file(path)?).map_err(|error| CliError::InputInvalid {
                path: path.to_owned(),
                reason: error.to_string(),
            })
        }
    }
}

/// The device of `--device`.
///
/// # Errors
/// As [`object`]; [`CliError::Usage`] for a percentage above 100.
pub(crate) fn device(given: &str) -> Result<DeviceUpdate, CliError> {
    let update: DeviceUpdate = object("--device", given)?;
    for (name, percent) in [
        ("battery_percent", update.battery_percent),
        ("loss_percent", update.loss_percent),
    ] {
        if let Reported::Is(percent @ 101..) = percent {
            let message = format!("--device: {name} must be 0 to 100, not {percent}");
            return Err(CliError::usage(message, "leave it out if you do not know it"));
        }
    }
    Ok(update)
}

fn text(path: &Path) -> Result<String, CliError> {
    let name = path.to_string_lossy();
    let presets = || Preset::ALL.map(Preset::name).join(", ");
    match input::file(path) {
        // Most likely a misspelt preset.
        Err(CliError::InputRead { .. }) if !name.contains(['/', '.']) => Err(CliError::usage(
            format!("there is no preset and no file called {name:?}"),
            format!("the presets are {}", presets()),
        )),
        read => read,
    }
}

fn format(path: &Path) -> Format {
    match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("json") => Format::Json,
        _ => Format::Toml,
    }
}
