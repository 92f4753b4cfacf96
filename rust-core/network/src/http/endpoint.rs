//! A server that may be contacted: its settings, checked once. Keys are not part of them; they are passed with each request.

use std::net::IpAddr;

use hyper::Uri;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

use crate::http::exchange::USER_AGENT;
use crate::http::pins::PinSet;
use crate::http::secret::Secret;
use crate::http::settings::{
    EndpointSettings, HEADER_BYTES_MAX, HEADERS_MAX, ID_BYTES_MAX, KeyHeader, MODEL_BYTES_MAX, REQUEST_BYTES_MAX,
    RESPONSE_BYTES_MAX, TIMEOUT_MS_MAX, Timeouts, URL_BYTES_MAX,
};
use crate::http::trust::{self, TrustError};

/// The header fields that belong to this crate or to the connection.
const RESERVED_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// What is wrong with the settings.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum EndpointError {
    /// The id is empty, longer than [`ID_BYTES_MAX`] or has another character than letters, digits, `.`, `_` and `-`.
    #[error("its id must be 1 to {ID_BYTES_MAX} letters, digits, dots, underscores and hyphens")]
    Id,
    /// The base URL is too long, or not a URL with a host and a path only: no user, no query, no fragment.
    #[error(
        "base_url must be a URL of at most {URL_BYTES_MAX} bytes with a host and an optional path, without user, query and fragment"
    )]
    Url,
    /// Another scheme than https, or http to another machine.
    #[error("base_url must start with https; http is allowed only for this machine")]
    Cleartext,
    /// The model's name is empty, too long, or not visible ASCII.
    #[error("model must be 1 to {MODEL_BYTES_MAX} visible ASCII characters")]
    Model,
    /// A time limit is 0 or above [`TIMEOUT_MS_MAX`].
    #[error("timeouts.{field} must be 1 to {TIMEOUT_MS_MAX} milliseconds")]
    Timeout {
        /// The field.
        field: &'static str,
    },
    /// A limit of bytes is 0 or too large.
    #[error("{field} must be 1 to {most} bytes")]
    Bytes {
        /// The field.
        field: &'static str,
        /// The maximum.
        most: u32,
    },
    /// There are more than [`HEADERS_MAX`] extra headers.
    #[error("headers must have at most {HEADERS_MAX} entries")]
    TooManyHeaders,
    /// An extra header, or the key's, is malformed, too long, or one that the connection or this crate sets.
    #[error("the header at index {index} is malformed, too long or reserved")]
    Header {
        /// Its index in the list, from 0; the key's header comes after the last.
        index: u32,
    },
    /// The certificate authorities or pins are invalid.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// A checked endpoint.
///
/// ```
/// use whimbrel_network::{Endpoint, EndpointError, EndpointSettings};
///
/// let settings = EndpointSettings::new("cloud", "https://api.example.com/v1", "small");
/// assert_eq!(Endpoint::new(settings)?.id(), "cloud");
///
/// // Cleartext is for this machine only.
/// let at = |url| Endpoint::new(EndpointSettings::new("house", url, "small"));
/// assert!(at("http://localhost:8080/v1").is_ok());
/// assert_eq!(at("http://192.168.1.10:8080/v1").unwrap_err(), EndpointError::Cleartext);
/// # Ok::<(), EndpointError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Endpoint {
    settings: EndpointSettings,
    chat_uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The header that carries the bare key; `None` for a bearer token.
    key_header: Option<HeaderName>,
    pins: Option<PinSet>,
    cleartext: bool,
}

impl Endpoint {
    /// Checks settings.
    ///
    /// # Errors
    /// [`EndpointError`], for the first invalid field.
    pub fn new(settings: EndpointSettings) -> Result<Endpoint, EndpointError> {
        if !is_name(&settings.id, ID_BYTES_MAX) {
            return Err(EndpointError::Id);
        }
        let (chat_uri, cleartext) = uri_below(&settings.base_url, "chat/completions")?;
        let model = &settings.model;
        if model.is_empty() || model.len() > MODEL_BYTES_MAX as usize || !model.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(EndpointError::Model);
        }
        check_limits(&settings)?;
        let (headers, key_header) = checked_headers(&settings)?;
        trust::of(&settings)?;
        let pins = settings.pins.as_ref().map(PinSet::new).transpose()?;
        Ok(Endpoint {
            chat_uri,
            headers,
            key_header,
            pins,
            cleartext,
            settings,
        })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.settings.id
    }

    /// The settings from which it was made.
    #[must_use]
    pub fn settings(&self) -> &EndpointSettings {
        &self.settings
    }

    pub(crate) fn chat_uri(&self) -> &Uri {
        &self.chat_uri
    }

    /// The address of another service below the same base. `path` is a constant of this crate.
    pub(crate) fn uri_of(&self, path: &'static str) -> Uri {
        let (uri, _) = uri_below(&self.settings.base_url, path).expect("the base was checked with a path");
        uri
    }

    /// The header fields of every request: those of the settings, this crate's own, and the key.
    pub(crate) fn common_headers(&self, key: Option<&Secret>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.extend(self.headers.iter().cloned());
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        if let Some(key) = key {
            match &self.key_header {
                Some(name) => headers.insert(name, key.header("")),
                None => headers.insert(header::AUTHORIZATION, key.header("Bearer ")),
            };
        }
        headers
    }

    pub(crate) fn pins(&self) -> Option<&PinSet> {
        self.pins.as_ref()
    }

    /// Plain HTTP, which is only spoken to this machine.
    pub(crate) fn is_cleartext(&self) -> bool {
        self.cleartext
    }
}

/// A short name that holds nothing but letters, digits, dots, underscores and hyphens.
pub(crate) fn is_name(text: &str, bytes_max: u32) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=bytes_max as usize).contains(&text.len()) && text.bytes().all(allowed)
}

/// The address of `path` below `base`, and whether it is spoken to in cleartext.
fn uri_below(base: &str, path: &str) -> Result<(Uri, bool), EndpointError> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'@' | b'\\');
    if base.len() > URL_BYTES_MAX as usize || !base.bytes().all(plain) {
        return Err(EndpointError::Url);
    }
    let whole = format!("{}/{path}", base.trim_end_matches('/'));
    let uri: Uri = whole.parse().map_err(|_| EndpointError::Url)?;
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(EndpointError::Url);
    };
    let port_is_wrong = uri.authority().is_some_and(|authority| {
        let rest = &authority.as_str()[host.len()..];
        !rest.is_empty() && authority.port_u16().is_none_or(|port| port == 0)
    });
    if host.is_empty() || port_is_wrong || rustls::pki_types::ServerName::try_from(bare_host(host)).is_err() {
        return Err(EndpointError::Url);
    }
    match scheme {
        "https" => Ok((uri, false)),
        "http" if is_loopback(host) => Ok((uri, true)),
        _ => Err(EndpointError::Cleartext),
    }
}

/// An IPv6 address without its brackets, any other host as it is.
pub(crate) fn bare_host(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host)
}

/// Whether a host is this machine, by its name or address.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = bare_host(host).parse::<IpAddr>();
    address.map_or_else(
        |_| host.eq_ignore_ascii_case("localhost"),
        |address| address.is_loopback(),
    )
}

fn check_limits(settings: &EndpointSettings) -> Result<(), EndpointError> {
    let Timeouts {
        connect_ms,
        first_byte_ms,
        idle_ms,
        total_ms,
    } = settings.timeouts;
    for (field, value) in [
        ("connect_ms", connect_ms),
        ("first_byte_ms", first_byte_ms),
        ("idle_ms", idle_ms),
        ("total_ms", total_ms),
    ] {
        if !(1..=TIMEOUT_MS_MAX).contains(&value) {
            return Err(EndpointError::Timeout { field });
        }
    }
    for (field, value, most) in [
        ("request_bytes_max", settings.request_bytes_max, REQUEST_BYTES_MAX),
        ("response_bytes_max", settings.response_bytes_max, RESPONSE_BYTES_MAX),
    ] {
        if !(1..=most).contains(&value) {
            return Err(EndpointError::Bytes { field, most });
        }
    }
    Ok(())
}

type Headers = (Vec<(HeaderName, HeaderValue)>, Option<HeaderName>);

fn checked_headers(settings: &EndpointSettings) -> Result<Headers, EndpointError> {
    if settings.headers.len() > HEADERS_MAX as usize {
        return Err(EndpointError::TooManyHeaders);
    }
    let mut headers = Vec::with_capacity(settings.headers.len());
    for (index, (name, value)) in (0..).zip(&settings.headers) {
        let wrong = EndpointError::Header { index };
        if value.len() > HEADER_BYTES_MAX as usize || !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        {
            return Err(wrong);
        }
        let value = HeaderValue::from_str(value).map_err(|_| wrong)?;
        headers.push((header_name(name).ok_or(wrong)?, value));
    }
    let index = settings.headers.len() as u32;
    let key_header = match &settings.key_header {
        KeyHeader::Bearer => None,
        KeyHeader::Named(name) => Some(header_name(name).ok_or(EndpointError::Header { index })?),
    };
    // A setting with the key's header would be sent beside the key, or in its place.
    if let Some(index) = headers.iter().position(|(name, _)| Some(name) == key_header.as_ref()) {
        return Err(EndpointError::Header { index: index as u32 });
    }
    Ok((headers, key_header))
}

fn header_name(name: &str) -> Option<HeaderName> {
    if name.len() > HEADER_BYTES_MAX as usize {
        return None;
    }
    let name: HeaderName = name.parse().ok()?;
    (!RESERVED_HEADERS.contains(&name.as_str())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> EndpointSettings {
        EndpointSettings::new("cloud", "https://api.example.com/v1", "small")
    }

    fn check(change: impl FnOnce(&mut EndpointSettings), expected: Option<EndpointError>) {
        let mut settings = settings();
        change(&mut settings);
        let result = Endpoint::new(settings.clone());
        assert_eq!(result.err(), expected, "{settings:?}");
    }

    #[test]
    fn urls() {
        let check = |url: &str, expected: Result<&str, EndpointError>| {
            let endpoint = Endpoint::new(EndpointSettings::new("cloud", url, "small"));
            let uri = endpoint.map(|endpoint| endpoint.chat_uri().to_string());
            assert_eq!(uri, expected.map(str::to_owned), "{url}");
        };
        check("https://a.example", Ok("https://a.example/chat/completions"));
        check("https://a.example/", Ok("https://a.example/chat/completions"));
        check(
            "https://a.example:8443/v1/",
            Ok("https://a.example:8443/v1/chat/completions"),
        );
        check("https://192.0.2.1/v1", Ok("https://192.0.2.1/v1/chat/completions"));
        for local in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.9.8.7", "[::1]:8080"] {
            check(
                &format!("http://{local}"),
                Ok(&format!("http://{local}/chat/completions")),
            );
        }
        for other in [
            "http://a.example",
            "http://localhost.example",
            "http://10.0.0.1",
            "http://[::2]",
            "http://0.0.0.0",
            "http://127.0.0.1.example",
            "ftp://a.example",
            "ws://localhost",
        ] {
            check(other, Err(EndpointError::Cleartext));
        }
        for malformed in [
            "",
            "a.example/v1",
            "/v1",
            "https://",
            "https:///v1",
            "https://user@a.example",
            "https://user:password@a.example",
            "http://localhost@a.example",
            "https://a.example/v1?key=1",
            "https://a.example/#v1",
            "https://a.example:0/",
            "https://a.example:/",
            "https://a.example:99999/",
            "https://a b.example",
            "https://ä.example",
            "https://a_\u{0}.example",
            "https://a..example",
            "https://a.example\\@b.example",
            "https://[::1",
        ] {
            check(malformed, Err(EndpointError::Url));
        }
        let long = |length: usize| format!("https://a.example/{}", "x".repeat(length - 18));
        let longest = long(URL_BYTES_MAX as usize);
        check(&longest, Ok(&format!("{longest}/chat/completions")));
        check(&long(URL_BYTES_MAX as usize + 1), Err(EndpointError::Url));
    }

    #[test]
    fn names() {
        check(|settings| settings.id = "a.B-9_".to_owned(), None);
        check(|settings| settings.id = "x".repeat(ID_BYTES_MAX as usize), None);
        for id in ["", "a b", "ä", "a/b", &"x".repeat(ID_BYTES_MAX as usize + 1)] {
            check(|settings| settings.id = id.to_owned(), Some(EndpointError::Id));
        }
        check(|settings| settings.model = "org/model:7b".to_owned(), None);
        check(|settings| settings.model = "x".repeat(MODEL_BYTES_MAX as usize), None);
        for model in ["", "a b", "a\n", &"x".repeat(MODEL_BYTES_MAX as usize + 1)] {
            check(|settings| settings.model = model.to_owned(), Some(EndpointError::Model));
        }
    }

    #[test]
    fn limits() {
        let timeout = |field| Some(EndpointError::Timeout { field });
        check(|settings| settings.timeouts.connect_ms = 0, timeout("connect_ms"));
        check(|settings| settings.timeouts.first_byte_ms = 0, timeout("first_byte_ms"));
        check(|settings| settings.timeouts.idle_ms = TIMEOUT_MS_MAX, None);
        check(
            |settings| settings.timeouts.idle_ms = TIMEOUT_MS_MAX + 1,
            timeout("idle_ms"),
        );
        check(|settings| settings.timeouts.total_ms = u32::MAX, timeout("total_ms"));
        check(|settings| settings.request_bytes_max = REQUEST_BYTES_MAX, None);
        check(
            |settings| settings.request_bytes_max = REQUEST_BYTES_MAX + 1,
            Some(EndpointError::Bytes {
                field: "request_bytes_max",
                most: REQUEST_BYTES_MAX,
            }),
        );
        check(|settings| settings.response_bytes_max = RESPONSE_BYTES_MAX, None);
        for value in [0, RESPONSE_BYTES_MAX + 1] {
            check(
                |settings| settings.response_bytes_max = value,
                Some(EndpointError::Bytes {
                    field: "response_bytes_max",
                    most: RESPONSE_BYTES_MAX,
                }),
            );
        }
    }

    #[test]
    fn headers() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let wrong = |index| Some(EndpointError::Header { index });
        check(
            |settings| settings.headers = vec![pair("OpenAI-Organization", "a b")],
            None,
        );
        let most = HEADER_BYTES_MAX as usize;
        check(|settings| settings.headers = vec![pair("x", &"y".repeat(most))], None);
        for (name, value) in [
            ("authorization", "x"),
            ("Host", "x"),
            ("Cookie", "x"),
            ("", "x"),
            ("a b", "x"),
            ("x", "a\r\nb: c"),
            ("x", "ä"),
            ("x", &"y".repeat(most + 1)),
            (&"x".repeat(most + 1), "y"),
        ] {
            check(
                |settings| settings.headers = vec![pair("ok", "ok"), pair(name, value)],
                wrong(1),
            );
        }
        let many = |count: u32| (0..count).map(|index| pair(&format!("x-{index}"), "y")).collect();
        check(|settings| settings.headers = many(HEADERS_MAX), None);
        check(
            |settings| settings.headers = many(HEADERS_MAX + 1),
            Some(EndpointError::TooManyHeaders),
        );
        let named = |name: &str| KeyHeader::Named(name.to_owned());
        check(|settings| settings.key_header = named("api-key"), None);
        check(|settings| settings.key_header = named("cookie"), wrong(0));
        let twice = |settings: &mut EndpointSettings| {
            settings.headers = vec![pair("Api-Key", "x")];
            settings.key_header = named("api-key");
        };
        check(twice, wrong(0));
    }

    #[test]
    fn settings_as_json() {
        let short = r#"{"id":"cloud","base_url":"https://api.example.com/v1","model":"small"}"#;
        assert_eq!(serde_json::from_str::<EndpointSettings>(short).unwrap(), settings());
        let whole = serde_json::to_string(&settings()).unwrap();
        assert_eq!(
            whole,
            concat!(
                r#"{"id":"cloud","base_url":"https://api.example.com/v1","model":"small","#,
                r#""timeouts":{"connect_ms":10000,"first_byte_ms":60000,"idle_ms":30000,"total_ms":300000},"#,
                r#""request_bytes_max":4194304,"response_bytes_max":16777216,"key_header":"bearer","#,
                r#""token_limit_field":"max_tokens","ask_usage":true,"headers":[],"public_authorities":true,"#,
                r#""authorities_pem":"","authorities_der":[],"pins":null}"#
            )
        );
        assert_eq!(serde_json::from_str::<EndpointSettings>(&whole).unwrap(), settings());
        let unknown = r#"{"id":"cloud","base_url":"https://a.example","model":"small","api_key":"x"}"#;
        assert!(serde_json::from_str::<EndpointSettings>(unknown).is_err());
    }
}
