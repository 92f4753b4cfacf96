//! The file of a model, or the files that it was split into.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::split::Split;
use super::{Gguf, MappedFile, PartName};
use crate::ForgeError;

/// A model file, mapped for reading. If it was split, all of its parts: any of them may be named, and the others lie beside it.
pub struct ModelFile {
    parts: Vec<Part>,
}

/// One file.
struct Part {
    path: PathBuf,
    map: MappedFile,
}

impl Part {
    fn open(path: PathBuf) -> Result<Part, ForgeError> {
        let map = MappedFile::open(&path)?;
        Ok(Part { path, map })
    }
}

impl ModelFile {
    /// Maps the file at `path`, and the other parts if it says that it is one.
    ///
    /// # Errors
    /// [`ForgeError::Read`], [`ForgeError::Gguf`] if the named file is not a GGUF file; [`ForgeError::PartMissing`] with the name of a part that is not
    /// there, and [`ForgeError::Unsupported`] for a part whose name does not say what the others are called.
    pub fn open(path: &Path) -> Result<ModelFile, ForgeError> {
        let named = Part::open(path.to_owned())?;
        let Some(split) = Split::of(&Gguf::parse(named.map.bytes())?)? else {
            return Ok(ModelFile { parts: vec![named] });
        };
        let paths = parts_beside(path).ok_or_else(|| alone(&split))?;
        let count = paths.len() as u32;
        let parts = (1..).zip(paths).map(|(number, path)| {
            Part::open(path.clone()).map_err(|error| match error {
                ForgeError::Read { source, .. } if source.kind() == ErrorKind::NotFound => {
                    ForgeError::PartMissing { path, number, count }
                }
                other => other,
            })
        });
        Ok(ModelFile {
            parts: parts.collect::<Result<_, _>>()?,
        })
    }

    /// What is in the file, or in all parts together.
    ///
    /// # Errors
    /// [`ForgeError::Gguf`]; for a part [`ForgeError::Part`] and [`ForgeError::PartForeign`].
    pub fn parse(&self) -> Result<Gguf<'_>, ForgeError> {
        if let [whole] = &self.parts[..] {
            return Ok(Gguf::parse(whole.map.bytes())?);
        }
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let parsed = Gguf::parse(part.map.bytes()).map_err(|source| ForgeError::Part {
                path: part.path.clone(),
                source,
            })?;
            parts.push(parsed);
        }
        Gguf::join(parts).map_err(|error| ForgeError::PartForeign {
            path: self.parts[error.index as usize].path.clone(),
            reason: error.reason,
        })
    }

    /// The files, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| part.path.as_path())
    }

    /// The bytes of each file, in order.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(|part| part.map.bytes())
    }

    /// The size of all files together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.contents().map(|content| content.len() as u64).sum()
    }

    /// The name of the file; for parts the name without their numbers.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.parts[0].path.file_name().unwrap_or_default().to_string_lossy();
        match PartName::parse(&name).filter(|_| self.parts.len() > 1) {
            Some(part) => part.whole(),
            None => name.into_owned(),
        }
    }
}

/// The paths of all parts of the set that a path belongs to by its name, in order; `None` if it is not the name of a part.
#[must_use]
pub fn parts_beside(path: &Path) -> Option<Vec<PathBuf>> {
    let name = PartName::parse(path.file_name()?.to_str()?)?;
    let paths = (1..=name.count()).map(|number| path.with_file_name(name.of(number)));
    Some(paths.collect())
}

/// A part without a name by which the others are found.
pub(crate) fn alone(split: &Split) -> ForgeError {
    ForgeError::Unsupported {
        what: "file",
        found: format!("part {} of {}", u64::from(split.number) + 1, split.count),
        supported: "whole files, and parts whose names end in -00001-of-00002.gguf and so on".to_owned(),
    }
}
