//! The settings of an endpoint, as they stand in a policy or an app. They are checked in `endpoint`.

use serde::{Deserialize, Serialize};

/// The longest endpoint id, in bytes.
pub const ID_BYTES_MAX: u32 = 64;
/// The longest base URL, in bytes.
pub const URL_BYTES_MAX: u32 = 2048;
/// The longest model name, in bytes.
pub const MODEL_BYTES_MAX: u32 = 128;
/// The most extra headers.
pub const HEADERS_MAX: u32 = 16;
/// The longest name or value of an extra header, in bytes.
pub const HEADER_BYTES_MAX: u32 = 1024;
/// The longest of all time limits, in milliseconds: one hour.
pub const TIMEOUT_MS_MAX: u32 = 3_600_000;
/// The largest request body that may be allowed, in bytes.
pub const REQUEST_BYTES_MAX: u32 = 16 * 1024 * 1024;
/// The largest answer that may be allowed, in bytes of response body.
pub const RESPONSE_BYTES_MAX: u32 = 64 * 1024 * 1024;
/// The fewest pins of a set: one in use and one in reserve, so that a key can be changed.
pub const PINS_MIN: u32 = 2;
/// The most pins of a set.
pub const PINS_MAX: u32 = 16;

/// Time limits of one request, in milliseconds. Reaching any of them ends the request with a typed error.
///
/// ```
/// use whimbrel_network::{Endpoint, EndpointError, EndpointSettings, Timeouts};
///
/// let mut settings = EndpointSettings::new("cloud", "https://api.example.com/v1", "small");
/// settings.timeouts = Timeouts { total_ms: 20_000, ..Timeouts::default() };
/// assert!(Endpoint::new(settings.clone()).is_ok());
///
/// settings.timeouts.idle_ms = 0;
/// let error = Endpoint::new(settings).unwrap_err();
/// assert_eq!(error, EndpointError::Timeout { field: "idle_ms" });
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Until a connection stands and the request begins to be written: name, TCP and TLS.
    pub connect_ms: u32,
    /// From then until the first byte of the answer's body.
    pub first_byte_ms: u32,
    /// Between two reads of the answer's body.
    pub idle_ms: u32,
    /// All of it, with every retry and the waits between them.
    pub total_ms: u32,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect_ms: 10_000,
            first_byte_ms: 60_000,
            idle_ms: 30_000,
            total_ms: 300_000,
        }
    }
}

/// How the key is said to the server.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyHeader {
    /// `Authorization: Bearer …`.
    #[default]
    Bearer,
    /// The key alone in a header of this name, such as `api-key`.
    Named(String),
}

/// The field of the request in which the server wants the limit of tokens.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLimitField {
    /// What nearly every server knows.
    #[default]
    MaxTokens,
    /// What newer models of OpenAI ask for.
    MaxCompletionTokens,
}

/// The settings of an endpoint, as they stand in a policy or an app. [`Endpoint::new`](crate::Endpoint::new) checks them.
///
/// ```
/// use whimbrel_network::{EndpointSettings, KeyHeader};
///
/// let settings: EndpointSettings = serde_json::from_str(
///     r#"{
///         "id": "cloud",
///         "base_url": "https://api.example.com/v1",
///         "model": "small",
///         "key_header": { "named": "api-key" },
///         "timeouts": { "first_byte_ms": 20000 }
///     }"#,
/// )?;
/// assert_eq!(settings.key_header, KeyHeader::Named("api-key".to_owned()));
/// // What is left out has its default.
/// assert_eq!((settings.timeouts.first_byte_ms, settings.timeouts.idle_ms), (20_000, 30_000));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSettings {
    /// Its id in the policy: letters, digits, `.`, `_` and `-`.
    pub id: String,
    /// What `/chat/completions` is appended to, such as `https://host/v1`. `http` is accepted for `localhost`, 127.0.0.0/8 and `[::1]` only.
    pub base_url: String,
    /// The model's name on the server.
    pub model: String,
    /// Time limits.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// The largest request body in bytes.
    #[serde(default = "default_request_bytes_max")]
    pub request_bytes_max: u32,
    /// The largest response body in bytes.
    #[serde(default = "default_response_bytes_max")]
    pub response_bytes_max: u32,
    /// How the key is said.
    #[serde(default)]
    pub key_header: KeyHeader,
    /// Where the limit of tokens goes.
    #[serde(default)]
    pub token_limit_field: TokenLimitField,
    /// Ask a streaming server to count tokens (`stream_options`). Off for servers that refuse fields they do not know.
    #[serde(default = "default_true")]
    pub ask_usage: bool,
    /// Further headers, sent with every request. Not for keys or anything about a person: they are settings and are shown.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Trust the public certificate authorities (Mozilla's list, built in).
    #[serde(default = "default_true")]
    pub public_authorities: bool,
    /// Certificate authorities to trust as well, in PEM, one after the other.
    #[serde(default)]
    pub authorities_pem: String,
    /// Certificate authorities to trust as well, each in DER.
    #[serde(default)]
    pub authorities_der: Vec<Vec<u8>>,
    /// Keys of which one must be in the server's chain of certificates.
    #[serde(default)]
    pub pins: Option<PinSettings>,
}

fn default_request_bytes_max() -> u32 {
    4 * 1024 * 1024
}

fn default_response_bytes_max() -> u32 {
    16 * 1024 * 1024
}

fn default_true() -> bool {
    true
}

impl EndpointSettings {
    /// Settings with every default.
    #[must_use]
    pub fn new(id: &str, base_url: &str, model: &str) -> EndpointSettings {
        EndpointSettings {
            id: id.to_owned(),
            base_url: base_url.to_owned(),
            model: model.to_owned(),
            timeouts: Timeouts::default(),
            request_bytes_max: default_request_bytes_max(),
            response_bytes_max: default_response_bytes_max(),
            key_header: KeyHeader::default(),
            token_limit_field: TokenLimitField::default(),
            ask_usage: true,
            headers: Vec::new(),
            public_authorities: true,
            authorities_pem: String::new(),
            authorities_der: Vec::new(),
            pins: None,
        }
    }
}

/// Pins as they stand in the settings.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PinSettings {
    /// SHA-256 of a certificate's `SubjectPublicKeyInfo` (RFC 7469, section 2.4), each as 64 hexadecimal digits.
    pub sha256: Vec<String>,
    /// From this second after 1970 on the pins are no longer looked at: an app that nobody updates must not lock itself out.
    pub expires_unix_s: u64,
    /// Count and log what would be refused, but let it through.
    #[serde(default)]
    pub report_only: bool,
}
