//! What the app implements for the core, a key vault and the system's model, and their translation into what the client expects. Every
//! call is expected to return at once; a call that the app's side breaks off counts as failed.

use std::sync::Arc;

use whimbrel_client as client;
use whimbrel_client::assistant as core;
use whimbrel_client::store;

use crate::records::{self, Message};
use crate::{Availability, Need};

/// What protects the secrets of a vault, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum VaultLevel {
    /// Nothing but this process's memory.
    Memory,
    /// The permissions of a file.
    File,
    /// The operating system's key store, in software.
    Software,
    /// Hardware that does not give its key away.
    Hardware,
}

/// Why a key vault did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error, uniffi::Error)]
pub enum KeyVaultError {
    /// The system's key store is locked, for example before the first unlock after a restart. Trying again later may help.
    #[error("the key store is locked")]
    Locked,
    /// It failed.
    #[error("the key store failed: {code}")]
    Failed {
        /// A short code of the system's, without any secret in it.
        code: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for KeyVaultError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        // What the app threw may hold anything: it is not passed on.
        KeyVaultError::Failed {
            code: "unexpected".into(),
        }
    }
}

/// Keeps small secrets by name, for the app and for one ledger: keys of endpoints, and what the ledger is sealed with. It is called from
/// any thread and should answer within milliseconds. What `put` has kept survives a crash.
#[uniffi::export(with_foreign)]
pub trait KeyVault: Send + Sync {
    /// The secret of this name, or nothing when there is none. A secret that cannot be read is an error.
    fn get(&self, name: String) -> Result<Option<Vec<u8>>, KeyVaultError>;

    /// Keeps a secret, in place of the one that had this name.
    fn put(&self, name: String, secret: Vec<u8>) -> Result<(), KeyVaultError>;

    /// Forgets a secret. It is no error when there is none.
    fn delete(&self, name: String) -> Result<(), KeyVaultError>;

    /// What protects the secrets.
    fn level(&self) -> Result<VaultLevel, KeyVaultError>;
}

/// An app's vault, as the client sees it.
pub(crate) struct ForeignVault(pub(crate) Arc<dyn KeyVault>);

impl store::KeyVault for ForeignVault {
    fn get(&self, name: &str) -> Result<Option<store::SecretBytes>, store::VaultError> {
        store::check_name(name)?;
        let Some(secret) = self.0.get(name.into())? else {
            return Ok(None);
        };
        let bytes = secret.len() as u64;
        let secret = store::SecretBytes::new(secret);
        check_secret(name, bytes)?;
        Ok(Some(secret))
    }

    fn put(&self, name: &str, secret: &store::SecretBytes) -> Result<(), store::VaultError> {
        store::check_name(name)?;
        check_secret(name, secret.expose().len() as u64)?;
        Ok(self.0.put(name.into(), secret.expose().to_vec())?)
    }

    fn delete(&self, name: &str) -> Result<(), store::VaultError> {
        store::check_name(name)?;
        Ok(self.0.delete(name.into())?)
    }

    fn level(&self) -> store::VaultLevel {
        match self.0.level() {
            // A vault that cannot say protects nothing.
            Ok(VaultLevel::Memory) | Err(_) => store::VaultLevel::Memory,
            Ok(VaultLevel::File) => store::VaultLevel::File,
            Ok(VaultLevel::Software) => store::VaultLevel::Software,
            Ok(VaultLevel::Hardware) => store::VaultLevel::Hardware,
        }
    }
}

fn check_secret(name: &str, bytes: u64) -> Result<(), store::VaultError> {
    if bytes == 0 || bytes > u64::from(store::SECRET_BYTES_MAX) {
        return Err(store::VaultError::Size {
            name: name.into(),
            bytes,
        });
    }
    Ok(())
}

impl From<KeyVaultError> for store::VaultError {
    fn from(from: KeyVaultError) -> Self {
        match from {
            KeyVaultError::Locked => store::VaultError::Locked,
            // Short and of plain characters, whatever the app gives.
            KeyVaultError::Failed { code } => store::VaultError::Platform {
                code: store::Label::squeezed(&code).to_string(),
            },
        }
    }
}

/// What a system model can do now.
#[derive(Clone, Debug, uniffi::Record)]
pub struct SystemCapabilities {
    /// Its name, in receipts and rules: `gemini-nano`.
    pub model: String,
    /// Whether it can be asked now.
    pub availability: Availability,
    /// What it can do beyond text.
    #[uniffi(default = [])]
    pub supports: Vec<Need>,
    /// Prompt and answer tokens that fit.
    #[uniffi(default = None)]
    pub context_tokens: Option<u32>,
    /// Expected time to the first token in milliseconds.
    #[uniffi(default = None)]
    pub first_token_ms: Option<u32>,
    /// Expected tokens a second.
    #[uniffi(default = None)]
    pub tokens_per_s: Option<f32>,
}

/// What a system model is asked.
#[derive(Clone, uniffi::Record)]
pub struct SystemRequest {
    /// The number by which `cancel` names it.
    pub id: u64,
    /// The messages, oldest first, the question last.
    pub messages: Vec<Message>,
    /// Tokens of the answer at most.
    pub max_tokens: u32,
    /// 0 always takes the likeliest token.
    pub temperature: f32,
}

/// Why a system model gives no answer.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum SystemFailure {
    /// It is in use by another app.
    Busy,
    /// Its quota is used up for now.
    QuotaExceeded,
    /// It declined to answer this.
    Declined,
    /// It got no memory.
    OutOfMemory,
    /// It is not there, or not yet.
    Unavailable,
    /// Anything else.
    Failed,
}

/// A system model did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error, uniffi::Error)]
pub enum SystemModelError {
    /// It gives no answer.
    #[error("the system model gives no answer: {failure:?}")]
    NoAnswer {
        /// Why.
        failure: SystemFailure,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for SystemModelError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        SystemModelError::NoAnswer {
            failure: SystemFailure::Failed,
        }
    }
}

impl From<SystemModelError> for core::SystemModelError {
    fn from(from: SystemModelError) -> Self {
        let SystemModelError::NoAnswer { failure } = from;
        failure.into()
    }
}

impl From<SystemFailure> for core::SystemModelError {
    fn from(from: SystemFailure) -> Self {
        match from {
            SystemFailure::Busy => core::SystemModelError::Busy,
            SystemFailure::QuotaExceeded => core::SystemModelError::QuotaExceeded,
            SystemFailure::Declined => core::SystemModelError::Declined,
            SystemFailure::OutOfMemory => core::SystemModelError::OutOfMemory,
            SystemFailure::Unavailable => core::SystemModelError::Unavailable,
            SystemFailure::Failed => core::SystemModelError::Failed,
        }
    }
}

/// A model that the app reaches: one that the system brings, or that an accelerator runs. Every call returns at once; long work goes on
/// elsewhere and reports to the answer that `start` was given.
#[uniffi::export(with_foreign)]
pub trait SystemModel: Send + Sync {
    /// What it can do now. Asked before every decision.
    fn capabilities(&self) -> Result<SystemCapabilities, SystemModelError>;

    /// Gets ready to answer soon. Nothing depends on it.
    fn prewarm(&self) -> Result<(), SystemModelError>;

    /// Begins an answer. After an error nothing may be reported.
    fn start(&self, request: SystemRequest, answer: Arc<SystemAnswer>) -> Result<(), SystemModelError>;

    /// Stops an answer, which may have ended already.
    fn cancel(&self, id: u64) -> Result<(), SystemModelError>;
}

/// Where a system model puts its answer. What is reported after the end is dropped. Letting go of it without a last word is a failure.
#[derive(uniffi::Object)]
pub struct SystemAnswer(Arc<core::SystemAnswer>);

#[uniffi::export]
impl SystemAnswer {
    /// The next piece of text. False when nobody listens any more, or the answer is longer than 4 MiB.
    pub fn text(&self, piece: String) -> bool {
        self.0.text(piece)
    }

    /// The answer is complete. Counts of tokens that are not known are 0.
    pub fn finish(&self, input_tokens: u64, output_tokens: u64) {
        self.0.finish(input_tokens, output_tokens);
    }

    /// The answer failed.
    pub fn fail(&self, failure: SystemFailure) {
        self.0.fail(failure.into());
    }
}

/// An app's system model, as the client sees it.
pub(crate) struct ForeignSystemModel(pub(crate) Arc<dyn SystemModel>);

impl core::SystemModel for ForeignSystemModel {
    fn capabilities(&self) -> Result<core::SystemCapabilities, core::SystemModelError> {
        let from = self.0.capabilities()?;
        Ok(core::SystemCapabilities {
            model: from.model,
            availability: from.availability.into(),
            supports: from.supports.into_iter().map(Into::into).collect(),
            context_tokens: from.context_tokens,
            first_token_ms: from.first_token_ms,
            tokens_per_s: from.tokens_per_s,
        })
    }

    fn prewarm(&self) -> Result<(), core::SystemModelError> {
        Ok(self.0.prewarm()?)
    }

    fn start(
        &self,
        request: core::SystemRequest,
        answer: Arc<core::SystemAnswer>,
    ) -> Result<(), core::SystemModelError> {
        let request = SystemRequest {
            id: request.id,
            messages: records::messages_out(request.messages),
            max_tokens: request.max_tokens,
            temperature: request.temperature,
        };
        Ok(self.0.start(request, Arc::new(SystemAnswer(answer)))?)
    }

    fn cancel(&self, id: u64) -> Result<(), core::SystemModelError> {
        Ok(self.0.cancel(id)?)
    }
}

impl From<Availability> for client::policy::Availability {
    fn from(from: Availability) -> Self {
        match from {
            Availability::Available => client::policy::Availability::Available,
            Availability::Busy => client::policy::Availability::Busy,
            Availability::Downloading => client::policy::Availability::Downloading,
            Availability::Unavailable => client::policy::Availability::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_client::store::KeyVault as _;

    use super::*;

    /// A vault of the app that answers everything in one way.
    struct Fixed(Result<Option<Vec<u8>>, KeyVaultError>);

    impl KeyVault for Fixed {
        fn get(&self, _: String) -> Result<Option<Vec<u8>>, KeyVaultError> {
            self.0.clone()
        }

        fn put(&self, _: String, _: Vec<u8>) -> Result<(), KeyVaultError> {
            self.0.clone().map(drop)
        }

        fn delete(&self, _: String) -> Result<(), KeyVaultError> {
            self.0.clone().map(drop)
        }

        fn level(&self) -> Result<VaultLevel, KeyVaultError> {
            self.0.clone().map(|_| VaultLevel::Hardware)
        }
    }

    #[test]
    fn takes_from_a_vault_what_it_may_give() {
        let secret = |bytes: u32| Ok(Some(vec![7; bytes as usize]));
        let failed = |code: &str| Err(KeyVaultError::Failed { code: code.into() });
        check(Ok(None), "none");
        check(secret(store::SECRET_BYTES_MAX), "16384 bytes");
        check(
            secret(store::SECRET_BYTES_MAX + 1),
            "the secret k has 16385 bytes, and 1 to 16384 are allowed",
        );
        check(secret(0), "the secret k has 0 bytes, and 1 to 16384 are allowed");
        check(Err(KeyVaultError::Locked), "the key store is locked");
        check(failed("errSecAuth"), "the key store failed: errSecAuth");
        let unexpected = uniffi::UnexpectedUniFFICallbackError::new("with a secret");
        check(Err(unexpected.into()), "the key store failed: unexpected");
    }

    fn check(given: Result<Option<Vec<u8>>, KeyVaultError>, expected: &str) {
        let vault = ForeignVault(Arc::new(Fixed(given)));
        let got = match vault.get("k") {
            Ok(None) => "none".to_owned(),
            Ok(Some(secret)) => format!("{} bytes", secret.expose().len()),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn asks_a_vault_only_for_names() {
        let vault = ForeignVault(Arc::new(Fixed(Ok(None))));
        assert!(matches!(vault.get("../x"), Err(store::VaultError::Name)));
        assert!(matches!(vault.delete(""), Err(store::VaultError::Name)));
        assert_eq!(vault.level(), store::VaultLevel::Hardware);
        let broken = ForeignVault(Arc::new(Fixed(Err(KeyVaultError::Locked))));
        assert_eq!(broken.level(), store::VaultLevel::Memory);
    }
}
