//! Documents with rules, what the app knows about endpoints besides, and learning, as they cross the boundary.

use whimbrel_client as client;
use whimbrel_client::{network, policy, record};

use crate::CoreError;

/// A policy that comes with the core.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Preset {
    /// Nothing ever leaves the device.
    Private,
    /// On the device whenever it can be done there, and elsewhere only when it cannot.
    OnDeviceFirst,
    /// Wherever the answers were best so far, as long as nothing in the text is recognised as private.
    Balanced,
    /// The endpoints first, with what is recognised as private replaced.
    QualityFirst,
}

/// A document with rules.
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
    /// One that comes with the core, with the app's endpoints.
    Preset {
        /// Which.
        preset: Preset,
        /// `[[endpoints]]` tables in TOML, perhaps none. Errors count lines from the beginning of the preset's own text.
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

/// The text of a policy that comes with the core, in TOML.
#[uniffi::export]
#[must_use]
pub fn preset_text(preset: Preset) -> String {
    policy::Preset::from(preset).text().into()
}

/// Public keys of which one must be in a server's chain of certificates.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Pins {
    /// SHA-256 of a certificate's public key information, each as 64 hexadecimal digits; at least two.
    pub sha256: Vec<String>,
    /// From this second after 1970 on the pins are no longer looked at: an app that nobody updates must not lock itself out.
    pub expires_unix_s: u64,
    /// Only log what would be refused, and let it through.
    #[uniffi(default = false)]
    pub report_only: bool,
}

/// Time limits of one request to an endpoint, in milliseconds.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Timeouts {
    /// Until a connection stands.
    #[uniffi(default = 10000)]
    pub connect_ms: u32,
    /// From then until the first byte of the answer.
    #[uniffi(default = 60000)]
    pub first_byte_ms: u32,
    /// Between two parts of the answer.
    #[uniffi(default = 30000)]
    pub idle_ms: u32,
    /// All of it.
    #[uniffi(default = 300000)]
    pub total_ms: u32,
}

/// Where an endpoint wants the limit of tokens.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum TokenLimitField {
    /// `max_tokens`, which nearly every server knows.
    MaxTokens,
    /// `max_completion_tokens`, which newer models of OpenAI ask for.
    MaxCompletionTokens,
}

/// What the app knows about an endpoint besides what stands in the policy.
#[derive(Clone, Debug, uniffi::Record)]
pub struct EndpointExtras {
    /// Certificate authorities to trust as well, in PEM.
    #[uniffi(default = "")]
    pub authorities_pem: String,
    /// Public keys to insist on.
    #[uniffi(default = None)]
    pub pins: Option<Pins>,
    /// Time limits.
    #[uniffi(default = None)]
    pub timeouts: Option<Timeouts>,
    /// The header that takes the key alone, such as `api-key`; without it the key goes as a bearer token.
    #[uniffi(default = None)]
    pub key_header: Option<String>,
    /// Where the limit of tokens goes; without it `MaxTokens`.
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

/// Whether feedback is learned from and used.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum LearningMode {
    /// It is learned from, and what is uncertain is tried now and then.
    On,
    /// Nothing more is learned; what was learned is used.
    Frozen,
    /// Nothing is learned or used. What was learned is kept.
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

/// A sign of how good an answer was.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum Signal {
    /// The user liked it.
    ThumbsUp,
    /// The user did not like it.
    ThumbsDown,
    /// The user asked for another one.
    Regenerated,
    /// The user stopped it.
    Aborted,
    /// The user kept it, perhaps with changes.
    Kept {
        /// How much was changed, in thousandths of the answer's length: 0 when it was kept as it was.
        edited_permille: u32,
    },
    /// It did not have the form that was asked for.
    SchemaFailed,
    /// The user took up the offer to ask elsewhere. `Conversation.escalate` says so by itself.
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
