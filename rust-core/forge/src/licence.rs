//! The licence of a file as an SPDX expression.

use whimbrel_engine::Licence;

use crate::{ForgeError, Gguf};

const KEY_LICENCE: &str = "general.license";
const KEY_NAME: &str = "general.license.name";
const KEY_LINK: &str = "general.license.link";
/// The longest expression, in bytes.
const EXPRESSION_BYTES_MAX: usize = 256;

/// SPDX identifiers of licences that models are published under; files write them in any case.
static SPDX: [&str; 22] = [
    "AFL-3.0",
    "AGPL-3.0",
    "Apache-2.0",
    "Artistic-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC-BY-2.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-NC-SA-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "GPL-3.0",
    "ISC",
    "LGPL-3.0",
    "MIT",
    "MPL-2.0",
    "ODbL-1.0",
    "Unlicense",
];

/// The licence of a file, or the one that the caller states instead.
///
/// # Errors
/// [`ForgeError::Option`] or [`ForgeError::Key`] for an expression that is empty, too long or has control characters.
pub(crate) fn of(gguf: &Gguf<'_>, stated: Option<&str>) -> Result<Licence, ForgeError> {
    let url = gguf.text(KEY_LINK)?.map(str::to_owned);
    let spdx = match (stated, gguf.text(KEY_LICENCE)?) {
        (Some(stated), _) => checked(stated)
            .map(str::to_owned)
            .map_err(|reason| ForgeError::Option {
                option: "licence",
                reason,
            })?,
        (None, Some(found)) => {
            let found = checked(found).map_err(|reason| ForgeError::key(KEY_LICENCE, reason))?;
            // "other" is said in full by a name beside it.
            let name = gguf.text(KEY_NAME)?.and_then(|name| checked(name).ok());
            match (found.to_ascii_lowercase().as_str(), name) {
                ("other", Some(name)) => expression(name),
                _ => expression(found),
            }
        }
        (None, None) => "unknown".to_owned(),
    };
    Ok(Licence { spdx, url })
}

fn checked(text: &str) -> Result<&str, String> {
    let text = text.trim();
    let is_plain = !text.is_empty() && text.len() <= EXPRESSION_BYTES_MAX && !text.chars().any(char::is_control);
    if is_plain {
        Ok(text)
    } else {
        Err(format!("1 to {EXPRESSION_BYTES_MAX} bytes without control characters"))
    }
}

/// An identifier that SPDX lists in SPDX's spelling; any other name as a reference to a licence that is not listed.
fn expression(name: &str) -> String {
    if let Some(identifier) = SPDX.iter().find(|identifier| identifier.eq_ignore_ascii_case(name)) {
        return (*identifier).to_owned();
    }
    match name.to_ascii_lowercase().as_str() {
        "unknown" | "other" => "unknown".to_owned(),
        _ if name.contains(" OR ") || name.contains(" AND ") || name.contains(" WITH ") => name.to_owned(),
        _ => {
            let plain = |character: char| {
                if character.is_ascii_alphanumeric() || character == '.' {
                    character
                } else {
                    '-'
                }
            };
            format!("LicenseRef-{}", name.chars().map(plain).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn names_become_spdx_expressions() {
        let cases = [
            ("apache-2.0", "Apache-2.0"),
            ("mit", "MIT"),
            ("llama3.2", "LicenseRef-llama3.2"),
            ("Apache-2.0 OR MIT", "Apache-2.0 OR MIT"),
            ("gemma terms", "LicenseRef-gemma-terms"),
            ("other", "unknown"),
        ];
        for (name, expected) in cases {
            assert_eq!(expression(name), expected, "{name:?}");
        }
    }
}
