//! Addresses that a file may be fetched from, and where a redirect may lead.

use std::fmt;

use crate::document::{host, is_loopback};

/// Maximum length of an address in bytes. Signed addresses of content networks have one or two thousand.
pub const LOCATION_BYTES_MAX: usize = 8_192;

/// The address of a file: https anywhere, http on this machine only. It has no user and no fragment.
///
/// ```
/// use whimbrel_policy::download::{Location, LocationError};
///
/// let location: Location = "https://models.example/small.gguf?download=true".parse()?;
/// assert_eq!(location.file_name(), "small.gguf");
/// assert_eq!(location.redirected("../cdn/17")?.as_str(), "https://models.example/cdn/17");
/// assert_eq!(location.redirected("http://models.example/17"), Err(LocationError::Cleartext));
/// # Ok::<(), LocationError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location {
    text: String,
    is_encrypted: bool,
    /// Where the path begins.
    path: usize,
}

/// Why an address is not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LocationError {
    /// It is longer than [`LOCATION_BYTES_MAX`], has a character that no URL has, or no host.
    #[error("it is not a valid URL")]
    Malformed,
    /// It names a user.
    #[error("it contains a user name or a password")]
    User,
    /// It is neither https, nor http to this machine.
    #[error("it is not encrypted: http is allowed only for this machine")]
    Cleartext,
}

impl std::str::FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Location, LocationError> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        if text.len() > LOCATION_BYTES_MAX || !text.bytes().all(is_plain) {
            return Err(LocationError::Malformed);
        }
        let text = text.split('#').next().unwrap_or_default();
        let (scheme, rest) = text.split_once("://").ok_or(LocationError::Malformed)?;
        let is_encrypted = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(LocationError::Cleartext),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(LocationError::User);
        }
        let name = host(authority).ok_or(LocationError::Malformed)?;
        if !is_encrypted && !is_loopback(name) {
            return Err(LocationError::Cleartext);
        }
        let scheme = if is_encrypted { "https" } else { "http" };
        let before = format!("{scheme}://{authority}");
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Location {
            path: before.len(),
            text: format!("{before}{slash}{path}"),
            is_encrypted,
        })
    }
}

impl Location {
    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The last part of the path, without a query; empty if the path ends with a slash.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.path().rsplit('/').next().unwrap_or_default()
    }

    /// The same address with another last part of its path.
    ///
    /// # Errors
    /// [`LocationError`] if the name cannot be part of an address.
    pub fn with_file_name(&self, name: &str) -> Result<Location, LocationError> {
        let end = self.path + self.path().len() - self.file_name().len();
        let query = &self.text[self.path + self.path().len()..];
        format!("{}{name}{query}", &self.text[..end]).parse()
    }

    /// Where a redirect to `target` leads, which may be relative (RFC 3986, section 5.2).
    ///
    /// # Errors
    /// [`LocationError`]. A redirect never leads from https to http.
    pub fn redirected(&self, target: &str) -> Result<Location, LocationError> {
        let scheme = &self.text[..self.text.find(':').unwrap_or_default()];
        let origin = &self.text[..self.path];
        let has_scheme = target
            .split(['/', '?', '#'])
            .next()
            .is_some_and(|first| first.contains(':'));
        let absolute = if has_scheme {
            target.to_owned()
        } else if target.starts_with("//") {
            format!("{scheme}:{target}")
        } else if target.starts_with('/') {
            format!("{origin}{}", without_dots(target))
        } else if target.starts_with('?') {
            format!("{origin}{}{target}", self.path())
        } else if target.is_empty() || target.starts_with('#') {
            self.text.clone()
        } else {
            let folder = &self.path()[..self.path().len() - self.file_name().len()];
            format!("{origin}{}", without_dots(&format!("{folder}{target}")))
        };
        let location: Location = absolute.parse()?;
        match self.is_encrypted && !location.is_encrypted {
            true => Err(LocationError::Cleartext),
            false => Ok(location),
        }
    }

    fn path(&self) -> &str {
        let path = &self.text[self.path..];
        &path[..path.find('?').unwrap_or(path.len())]
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A path with its `.` and `..` carried out (RFC 3986, section 5.2.4); a query stays as it is.
fn without_dots(target: &str) -> String {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let (path, rest) = target.split_at(end);
    let mut kept: Vec<&str> = Vec::new();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        match *part {
            "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
        if is_last && matches!(*part, "." | "..") {
            kept.push("");
        }
    }
    format!("/{}{rest}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |text: &str, expected: Result<(&str, &str), LocationError>| {
            let found = text.parse::<Location>();
            let found = found.as_ref().map(|location| (location.as_str(), location.file_name()));
            assert_eq!(found.map_err(|error| *error), expected, "{text}");
        };
        check(
            "https://a.example/b/c.gguf",
            Ok(("https://a.example/b/c.gguf", "c.gguf")),
        );
        check(
            "HTTPS://a.example:8443/c?x=/y#z",
            Ok(("https://a.example:8443/c?x=/y", "c")),
        );
        check("https://a.example", Ok(("https://a.example/", "")));
        check("https://a.example?x", Ok(("https://a.example/?x", "")));
        check("http://127.0.0.1:8080/c", Ok(("http://127.0.0.1:8080/c", "c")));
        check("http://[::1]/c", Ok(("http://[::1]/c", "c")));
        check("http://a.example/c", Err(LocationError::Cleartext));
        check("http://127.0.0.1.example/c", Err(LocationError::Cleartext));
        check("ftp://a.example/c", Err(LocationError::Cleartext));
        check("file:///etc/passwd", Err(LocationError::Cleartext));
        check("https://me:word@a.example/c", Err(LocationError::User));
        for malformed in [
            "",
            "a.example/c",
            "https://",
            "https:///c",
            "https://a.example:0/c",
            "https://a b/c",
            "https://ä/c",
            "https://a\\b",
        ] {
            check(malformed, Err(LocationError::Malformed));
        }
        let long = format!("https://a.example/{}", "x".repeat(LOCATION_BYTES_MAX));
        check(&long, Err(LocationError::Malformed));
    }

    #[test]
    fn redirects() {
        let check = |from: &str, to: &str, expected: Result<&str, LocationError>| {
            let from: Location = from.parse().unwrap();
            let found = from.redirected(to).map(|location| location.as_str().to_owned());
            assert_eq!(found, expected.map(str::to_owned), "{from} {to}");
        };
        let from = "https://a.example/b/c?d";
        check(from, "https://other.example/x", Ok("https://other.example/x"));
        check(from, "//other.example/x", Ok("https://other.example/x"));
        check(from, "/x", Ok("https://a.example/x"));
        check(from, "x", Ok("https://a.example/b/x"));
        check(from, "../x?y=/../z", Ok("https://a.example/x?y=/../z"));
        check(from, "../../../x", Ok("https://a.example/x"));
        check(from, "./", Ok("https://a.example/b/"));
        check(from, "/./x/..", Ok("https://a.example/"));
        check(from, "?y", Ok("https://a.example/b/c?y"));
        check(from, "", Ok("https://a.example/b/c?d"));
        check(from, "x:y/z", Err(LocationError::Malformed));
        check(from, "http://127.0.0.1/x", Err(LocationError::Cleartext));
        check(from, "http://a.example/x", Err(LocationError::Cleartext));
        check(from, "https://u@a.example/x", Err(LocationError::User));
        let here = "http://localhost:1/b";
        check(here, "x", Ok("http://localhost:1/x"));
        check(here, "https://a.example/x", Ok("https://a.example/x"));
        check(here, "http://a.example/x", Err(LocationError::Cleartext));
    }

    #[test]
    fn another_file_beside_it() {
        let location: Location = "https://a.example/b/c.gguf?d=/e".parse().unwrap();
        assert_eq!(
            location.with_file_name("f").unwrap().as_str(),
            "https://a.example/b/f?d=/e"
        );
    }
}
