//! A model in several files, as llama.cpp's `llama-gguf-split` writes it: `NAME-00001-of-00003.gguf` and so on. The first part has the keys,
//! each part has some of the tensors, and `split.no`, `split.count` and `split.tensors.count` say how they belong together.

use std::collections::HashMap;

use super::{Gguf, GgufError, TENSORS_MAX};

/// Maximum number of parts.
pub const PARTS_MAX: u32 = 1_024;
/// What the keys of a split begin with. A joined file has none of them.
const PREFIX: &str = "split.";
/// Digits of a number in a part's name.
const DIGITS: usize = 5;

/// The name of a part: `NAME-00002-of-00003.gguf`.
///
/// ```
/// use whimbrel_forge::gguf::PartName;
///
/// let name = PartName::parse("small-00002-of-00003.gguf").unwrap();
/// assert_eq!((name.number(), name.count()), (2, 3));
/// assert_eq!(name.of(1), "small-00001-of-00003.gguf");
/// assert_eq!(PartName::parse("small.gguf"), None);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PartName<'n> {
    name: &'n str,
    number: u32,
    count: u32,
    extension: &'n str,
}

impl<'n> PartName<'n> {
    /// Reads a file's name; `None` if it is not the name of a part.
    #[must_use]
    pub fn parse(file_name: &'n str) -> Option<PartName<'n>> {
        let (stem, extension) = file_name
            .rsplit_once('.')
            .filter(|(_, end)| end.eq_ignore_ascii_case("gguf"))?;
        let (rest, count) = stem.rsplit_once("-of-")?;
        let (name, number) = rest.rsplit_once('-')?;
        let (number, count) = (digits(number)?, digits(count)?);
        let is_part = !name.is_empty() && (1..=count).contains(&number) && count <= PARTS_MAX;
        is_part.then_some(PartName {
            name,
            number,
            count,
            extension,
        })
    }

    /// Which part it is, from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How many parts there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The name of another part, from 1.
    #[must_use]
    pub fn of(&self, number: u32) -> String {
        format!("{}-{number:05}-of-{:05}.{}", self.name, self.count, self.extension)
    }

    /// The name without the number of the part, as of the whole model's file.
    #[must_use]
    pub fn whole(&self) -> String {
        format!("{}.{}", self.name, self.extension)
    }
}

fn digits(text: &str) -> Option<u32> {
    let is_number = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// What the keys of a file say of its place among others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Split {
    /// From 0.
    pub(crate) number: u32,
    pub(crate) count: u32,
    /// Of all parts together.
    tensors: Option<u64>,
}

impl Split {
    /// `None` for a file that is whole.
    pub(crate) fn of(gguf: &Gguf<'_>) -> Result<Option<Split>, GgufError> {
        let count = gguf.u32("split.count")?.unwrap_or(1);
        if count <= 1 {
            return Ok(None);
        }
        Ok(Some(Split {
            number: gguf.u32("split.no")?.unwrap_or(0),
            count,
            tensors: gguf.u64("split.tensors.count")?,
        }))
    }
}

/// A part that does not belong to the others.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("part {}: {reason}", index + 1)]
pub struct SplitError {
    /// Its place in the list, from 0.
    pub index: u32,
    /// What is wrong with it.
    pub reason: String,
}

impl<'a> Gguf<'a> {
    /// Joins the parts of one model, in their order: the keys of the first, and the tensors of all.
    ///
    /// # Errors
    /// [`SplitError`] with the first part that is not the one that belongs there, has a tensor again, or has too many or too few of them.
    pub fn join(parts: Vec<Gguf<'a>>) -> Result<Gguf<'a>, SplitError> {
        let count = parts.len() as u32;
        let mut joined: Option<Gguf<'a>> = None;
        let mut expected = None;
        for (index, part) in (0..).zip(parts) {
            let wrong = |reason: String| SplitError { index, reason };
            let split = Split::of(&part).map_err(|error| wrong(error.to_string()))?;
            let (number, of) = split.map_or((0, 1), |split| (split.number, split.count));
            if (number, of) != (index, count) {
                let found = u64::from(number) + 1;
                return Err(wrong(format!(
                    "it says that it is part {found} of {of}, not part {} of {count}",
                    index + 1
                )));
            }
            let tensors = split.and_then(|split| split.tensors);
            if index > 0 && tensors != expected {
                return Err(wrong("it belongs to a model with another number of tensors".to_owned()));
            }
            expected = tensors;
            match &mut joined {
                None => joined = Some(part),
                Some(joined) => joined.add_tensors(part).map_err(wrong)?,
            }
        }
        let Some(mut joined) = joined else {
            let reason = "there are no parts".to_owned();
            return Err(SplitError { index: 0, reason });
        };
        let found = joined.tensors.len() as u64;
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            let reason = format!("all parts together have {found} tensors, but the model has {expected}");
            return Err(SplitError {
                index: count - 1,
                reason,
            });
        }
        joined.forget_split();
        Ok(joined)
    }

    fn add_tensors(&mut self, part: Gguf<'a>) -> Result<(), String> {
        for tensor in part.tensors {
            if self.tensor_index.insert(tensor.name, self.tensors.len()).is_some() {
                return Err(format!("tensor {:?} is in an earlier part too", tensor.name));
            }
            if self.tensors.len() as u64 >= TENSORS_MAX {
                return Err(format!("more than {TENSORS_MAX} tensors in all parts"));
            }
            self.tensors.push(tensor);
        }
        Ok(())
    }

    fn forget_split(&mut self) {
        self.keys.retain(|(key, _)| !key.starts_with(PREFIX));
        let keys = self.keys.iter().enumerate();
        self.key_index = keys.map(|(index, (key, _))| (*key, index)).collect::<HashMap<_, _>>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts() {
        for (name, expected) in [
            ("a-00001-of-00002.gguf", Some((1, 2, "a-00002-of-00002.gguf"))),
            ("a-b-00002-of-00002.GGUF", Some((2, 2, "a-b-00002-of-00002.GGUF"))),
            ("a-of-00001-of-00002.gguf", Some((1, 2, "a-of-00002-of-00002.gguf"))),
            ("ä-00001-of-01024.gguf", Some((1, 1_024, "ä-00002-of-01024.gguf"))),
            ("a-00001-of-01025.gguf", None),
            ("a-00003-of-00002.gguf", None),
            ("a-00000-of-00002.gguf", None),
            ("a-1-of-2.gguf", None),
            ("a-+0001-of-00002.gguf", None),
            ("-00001-of-00002.gguf", None),
            ("a-00001-of-00002.bin", None),
            ("a-00001-of-00002", None),
            ("a.gguf", None),
            ("", None),
        ] {
            let parsed = PartName::parse(name);
            let found = parsed.map(|part| (part.number(), part.count(), part.of(2)));
            let expected = expected.map(|(number, count, second)| (number, count, second.to_owned()));
            assert_eq!(found, expected, "{name}");
            if let Some(part) = parsed {
                assert_eq!(part.of(part.number()), name);
            }
        }
    }
}
