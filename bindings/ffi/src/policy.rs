//! Policy documents, connection settings of endpoints, and learning.

use whimbrel_client as client;
use whimbrel_client::{network, policy, record};

use crate::CoreError;

/// A policy that is included in the core.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Preset {
    /// Nothing ever leaves the device.
    Private,
    /// Answers on the device whenever possible, and elsewhere only if it is not.
    OnDeviceFirst,
    /// Wherever the answers were best so far, as long as nothing in the text is recognised as private.
    Balanced,
    /// The endpoints first, with what is recognised as private replaced.
    QualityFirst,
}

/// A policy document.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum PolicyDocument {
    /// As TOML.
    Toml {
        /// The document.
        text: String,
    },
    /// As JSON.
    Json {
        /// The document.
        text: String,
    },
    /// A preset, with the app's endpoints.
    Preset {
        /// The preset.
        preset: Preset,
        /// `[[endpoints]]` tables in TOML, or an empty text. Line numbers in errors count from the beginning of the preset's
        /// own text.
        #[uniffi(default = "")]
        endpoints: String,
    },
}

impl PolicyDocument {
    pub(crate) fn read(self) -> Result<policy::Policy, CoreError> {
        let read = match self {
            PolicyDocument::Toml { text } => policy::Policy::parse(&text, policy::Format::Toml),
            PolicyDocument::Json { text } => policy::Policy::parse(&text, policy::Format::Json),
            PolicyDocument::Preset { preset, endpoints } => policy::Preset::from(preset).policy(&endpoints),
        };
        Ok(read.map_err(client::ClientError::from)?)
    }
}

impl From<Preset> for policy::Preset {
    fn from(from: Preset) -> Self {
        match from {
            Preset::Private => policy::Preset::Private,
            Preset::OnDeviceFirst => policy::Preset::OnDeviceFirst,
            Preset::Balanced => policy::Preset::Balanced,
            Preset::QualityFirst => policy::Preset::QualityFirst,
        }
    }
}

/// The text of a preset, in TOML.
#[uniffi::export]
#[must_use]
pub fn preset_text(preset: Preset) -> String {
    policy::Preset::from(preset).text().into()
}

/// Public keys, at least one of which must be in a server's certificate chain.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Pins {
    /// The SHA-256 hashes of the certificates' public key information, each as 64 hexadecimal digits; at least two.
    pub sha256: Vec<String>,
    /// The pins expire at this time, in seconds since 1970, so that an app that is never updated does not lock itself out.
    pub expires_unix_s: u64,
    /// Whether to accept and log connections that the pins would refuse.
    #[uniffi(default = false)]
    pub report_only: bool,
}

/// Timeouts of a request to an endpoint, in milliseconds.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Timeouts {
    /// Until the connection is established.
    #[uniffi(default = 10000)]
    pub connect_ms: u32,
    /// From then until the first byte of the answer.
    #[uniffi(default = 60000)]
    pub first_byte_ms: u32,
    /// Between two parts of the answer.
    #[uniffi(default = 30000)]
    pub idle_ms: u32,
    /// For the whole request.
    #[uniffi(default = 300000)]
    pub total_ms: u32,
}

/// The request field in which an endpoint expects the token limit.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum TokenLimitField {
    /// `max_tokens`, which nearly every server supports.
    MaxTokens,
    /// `max_completion_tokens`, which newer OpenAI models require.
    MaxCompletionTokens,
}

/// Connection settings of an endpoint that are not part of the policy.
#[derive(Clone, Debug, uniffi::Record)]
pub struct EndpointExtras {
    /// Additional certificate authorities to trust, in PEM.
    #[uniffi(default = "")]
    pub authorities_pem: String,
    /// Pinned public keys.
    #[uniffi(default = None)]
    pub pins: Option<Pins>,
    /// Timeouts.
    #[uniffi(default = None)]
    pub timeouts: Option<Timeouts>,
    /// The name of the header that carries the key by itself, such as `api-key`. Without it, the key is sent as a bearer
    /// token.
    #[uniffi(default = None)]
    pub key_header: Option<String>,
    /// The field for the token limit. The default is `MaxTokens`.
    #[uniffi(default = None)]
    pub token_limit_field: Option<TokenLimitField>,
}

impl From<EndpointExtras> for client::EndpointExtras {
    fn from(from: EndpointExtras) -> Self {
        client::EndpointExtras {
            authorities_pem: from.authorities_pem,
            pins: from.pins.map(|pins| network::PinSettings {
                sha256: pins.sha256,
                expires_unix_s: pins.expires_unix_s,
                report_only: pins.report_only,
            }),
            timeouts: from.timeouts.map(|timeouts| network::Timeouts {
                connect_ms: timeouts.connect_ms,
                first_byte_ms: timeouts.first_byte_ms,
                idle_ms: timeouts.idle_ms,
                total_ms: timeouts.total_ms,
            }),
            key_header: match from.key_header {
                Some(name) => network::KeyHeader::Named(name),
                None => network::KeyHeader::Bearer,
            },
            token_limit_field: match from.token_limit_field {
                None => network::TokenLimitField::default(),
                Some(TokenLimitField::MaxTokens) => network::TokenLimitField::MaxTokens,
                Some(TokenLimitField::MaxCompletionTokens) => network::TokenLimitField::MaxCompletionTokens,
            },
        }
    }
}

/// Whether the assistant learns from feedback and uses what it learned.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum LearningMode {
    /// Learns from feedback, and now and then tries places whose quality is uncertain.
    On,
    /// Learns nothing more, but uses what was learned.
    Frozen,
    /// Neither learns nor uses what was learned, but keeps it.
    Off,
}

impl From<LearningMode> for policy::LearningMode {
    fn from(from: LearningMode) -> Self {
        match from {
            LearningMode::On => policy::LearningMode::On,
            LearningMode::Frozen => policy::LearningMode::Frozen,
            LearningMode::Off => policy::LearningMode::Off,
        }
    }
}

impl From<policy::LearningMode> for LearningMode {
    fn from(from: policy::LearningMode) -> Self {
        match from {
            policy::LearningMode::On => LearningMode::On,
            policy::LearningMode::Frozen => LearningMode::Frozen,
            policy::LearningMode::Off => LearningMode::Off,
        }
    }
}

/// Feedback on an answer.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Signal {
    /// The user liked it.
    ThumbsUp,
    /// The user did not like it.
    ThumbsDown,
    /// The user asked for another answer.
    Regenerated,
    /// The user stopped the answer.
    Aborted,
    /// The user kept the answer, possibly with changes.
    Kept {
        /// How much was changed, in thousandths of the answer's length; 0 if it was kept as it was.
        edited_permille: u32,
    },
    /// The answer did not have the requested format.
    SchemaFailed,
    /// The user accepted the offer to ask elsewhere. `Conversation.escalate` records this automatically.
    EscalationAccepted,
}

impl From<Signal> for record::Signal {
    fn from(from: Signal) -> Self {
        match from {
            Signal::ThumbsUp => record::Signal::ThumbsUp,
            Signal::ThumbsDown => record::Signal::ThumbsDown,
            Signal::Regenerated => record::Signal::Regenerated,
            Signal::Aborted => record::Signal::Aborted,
            Signal::Kept { edited_permille } => record::Signal::Kept { edited_permille },
            Signal::SchemaFailed => record::Signal::SchemaFailed,
            Signal::EscalationAccepted => record::Signal::EscalationAccepted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_documents() {
        let preset = |preset| PolicyDocument::Preset {
            preset,
            endpoints: String::new(),
        };
        for named in [
            Preset::Private,
            Preset::OnDeviceFirst,
            Preset::Balanced,
            Preset::QualityFirst,
        ] {
            assert!(preset(named).read().is_ok());
            assert!(
                PolicyDocument::Toml {
                    text: preset_text(named)
                }
                .read()
                .is_ok()
            );
        }
        let text = "version = 1\nname = \"x\"\notherwise = [\"everywhere\"]".to_owned();
        let Err(CoreError::Policy { line, path, .. }) = (PolicyDocument::Toml { text }).read() else {
            panic!("a word that does not exist was taken");
        };
        assert_eq!((line, path.as_str()), (3, "otherwise[0]"));
    }
}
