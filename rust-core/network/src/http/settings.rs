//! The settings of an endpoint, as an app or a policy provides them. `endpoint` checks them.

use serde::{Deserialize, Serialize};

/// Maximum length of an endpoint id in bytes.
pub const ID_BYTES_MAX: u32 = 64;
/// Maximum length of a base URL in bytes.
pub const URL_BYTES_MAX: u32 = 2048;
/// Maximum length of a model name in bytes.
pub const MODEL_BYTES_MAX: u32 = 128;
/// Maximum number of additional headers.
pub const HEADERS_MAX: u32 = 16;
/// Maximum length of the name or value of an additional header in bytes.
pub const HEADER_BYTES_MAX: u32 = 1024;
/// The longest timeout, in milliseconds: one hour.
pub const TIMEOUT_MS_MAX: u32 = 3_600_000;
/// The largest request limit that may be set, in bytes of request body.
pub const REQUEST_BYTES_MAX: u32 = 16 * 1024 * 1024;
/// The largest response limit that may be set, in bytes of response body.
pub const RESPONSE_BYTES_MAX: u32 = 64 * 1024 * 1024;
/// Minimum number of pins: one in use and one in reserve, so that the key can be changed.
pub const PINS_MIN: u32 = 2;
/// Maximum number of pins.
pub const PINS_MAX: u32 = 16;

/// Timeouts of one request, in milliseconds. When one expires, the request ends with a typed error.
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
    /// Until the connection is established and the request begins to leave: name lookup, TCP and TLS.
    pub connect_ms: u32,
    /// From then until the first byte of the answer's body.
    pub first_byte_ms: u32,
    /// Between two reads of the answer's body.
    pub idle_ms: u32,
    /// The whole request, including all retries and the waits between them.
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

/// How the key is sent to the server.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyHeader {
    /// `Authorization: Bearer …`.
    #[default]
    Bearer,
    /// The key alone in a header of this name, such as `api-key`.
    Named(String),
}

/// The request field in which the server expects the token limit.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLimitField {
    /// `max_tokens`, which nearly every server supports.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, which newer OpenAI models require.
    MaxCompletionTokens,
}

/// The settings of an endpoint, as an app or a policy provides them. [`Endpoint::new`](crate::Endpoint::new) checks them.
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
/// // Fields that are left out have their defaults.
/// assert_eq!((settings.timeouts.first_byte_ms, settings.timeouts.idle_ms), (20_000, 30_000));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSettings {
    /// Its id in the policy: letters, digits, `.`, `_` and `-`.
    pub id: String,
    /// The base URL to which `/chat/completions` is appended, such as `https://host/v1`. `http` is accepted for `localhost`, 127.0.0.0/8
    /// and `[::1]` only.
    pub base_url: String,
    /// The model's name on the server.
    pub model: String,
    /// Timeouts.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Maximum size of the request body in bytes.
    #[serde(default = "default_request_bytes_max")]
    pub request_bytes_max: u32,
    /// Maximum size of the response body in bytes.
    #[serde(default = "default_response_bytes_max")]
    pub response_bytes_max: u32,
    /// How the key is sent.
    #[serde(default)]
    pub key_header: KeyHeader,
    /// The field for the token limit.
    #[serde(default)]
    pub token_limit_field: TokenLimitField,
    /// Whether to ask a streaming server for token counts (`stream_options`). Switch this off for servers that refuse unknown fields.
    #[serde(default = "default_true")]
    pub ask_usage: bool,
    /// Additional headers, sent with every request. Do not use them for keys or personal data: they are settings and are displayed.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Whether to trust the public certificate authorities (Mozilla's list, built in).
    #[serde(default = "default_true")]
    pub public_authorities: bool,
    /// Additional certificate authorities to trust, concatenated in PEM.
    #[serde(default)]
    pub authorities_pem: String,
    /// Additional certificate authorities to trust, each in DER.
    #[serde(default)]
    pub authorities_der: Vec<Vec<u8>>,
    /// Keys, at least one of which must be in the server's certificate chain.
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
    /// Settings with default values.
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

/// The pins of an endpoint.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PinSettings {
    /// SHA-256 hashes of certificates' `SubjectPublicKeyInfo` (RFC 7469, section 2.4), each as 64 hexadecimal digits.
    pub sha256: Vec<String>,
    /// The pins expire at this time, in seconds since 1970, so that an app that is never updated does not lock itself out.
    pub expires_unix_s: u64,
    /// Whether to accept, count and log connections that the pins would refuse.
    #[serde(default)]
    pub report_only: bool,
}
