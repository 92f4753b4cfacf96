//! What the command line says when it fails: one line, a stable code and an exit status. The failures themselves are made
//! where they happen; here they only get their words.

mod codes;
pub(crate) mod exit;
pub(crate) mod usage;

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use whimbrel_client::network::SecretError;
use whimbrel_client::policy::PolicyError;
use whimbrel_client::privacy::{RedactError, ScanError, ScannerError};
use whimbrel_client::store::{StoreError, VaultError};
use whimbrel_client::{ClientError, message};
use whimbrel_engine::EngineError;
use whimbrel_forge::ForgeError;
use whimbrel_models::ModelsError;
use whimbrel_models::download::DownloadError;

use self::codes::{Classified, closed, io_code};
use crate::mcp::McpError;
use crate::models::catalogue::Terms;
use crate::models::fetch_error::FetchError;
use crate::terminal::words::counted;

/// Every failure of a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    #[error("there is no installed model, folder or file called {name:?}")]
    UnknownModel { name: String },
    #[error("the catalogue has no model named {name:?}")]
    NotInCatalogue { name: String },
    #[error("the model {name} is not installed")]
    NotInstalled { name: String },
    #[error("no model is installed")]
    NoModel,
    #[error("{} models are installed: {}", names.len(), names.join(", "))]
    SeveralModels { names: Vec<String> },
    #[error("cannot read {}", path.display())]
    InputRead {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}: {reason}", path.display())]
    InputInvalid { path: PathBuf, reason: String },
    #[error("the text has {}, but windows of {context} tokens need at least {needed}", counted(*found, "token"))]
    TextTooShort { found: u64, needed: u64, context: u32 },
    #[error("the catalogue is not valid: {reason}")]
    Catalogue { reason: String },
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} already exists", path.display())]
    OutputExists { path: PathBuf },
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
    #[error("the demo's stand-in service failed")]
    Loopback(#[source] std::io::Error),
    #[error("cannot read standard input")]
    StandardInput(#[source] std::io::Error),
    #[error("neither HOME nor {variable} is set, so there is no place for {what}")]
    NoHome { variable: &'static str, what: &'static str },
    #[error("{}: {error}", path.display())]
    Policy { path: PathBuf, error: PolicyError },
    #[error("{}: {}, the first: {first}", path.display(), counted(*count, "problem"))]
    LedgerChanged { path: PathBuf, count: u64, first: String },
    /// The code says how it ended.
    #[error("{message}")]
    NotAnswered { code: &'static str, message: String },
    #[error("interrupted")]
    Interrupted,
    #[error("interrupted; {fetched} of {name} are kept")]
    PullInterrupted { name: String, fetched: String },
    #[error("the terms of {name} must be accepted first: {} ({})", terms.title, terms.url)]
    TermsNotAccepted { name: String, terms: Terms },
    #[error("the name {name} is taken by another model")]
    NameTaken { name: String },
    #[error("there is no conversation {name:?}")]
    UnknownConversation { name: String },
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Forge(#[from] ForgeError),
    #[error(transparent)]
    Models(ModelsError),
    #[error(transparent)]
    Client(ClientError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Redact(#[from] RedactError),
    #[error(transparent)]
    Words(#[from] ScannerError),
    #[error(transparent)]
    Key(#[from] SecretError),
    #[error(transparent)]
    Mcp(#[from] McpError),
}

impl From<VaultError> for CliError {
    fn from(error: VaultError) -> CliError {
        CliError::Store(error.into())
    }
}

impl From<ScanError> for CliError {
    fn from(error: ScanError) -> CliError {
        CliError::Redact(error.into())
    }
}

impl From<ModelsError> for CliError {
    fn from(error: ModelsError) -> CliError {
        match error {
            ModelsError::Forge(error) => error.into(),
            other => CliError::Models(other),
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> CliError {
        match error {
            ClientError::Engine(error) => error.into(),
            ClientError::Store(error) => error.into(),
            ClientError::Vault(error) => error.into(),
            ClientError::Scan(error) => error.into(),
            ClientError::Redact(error) => error.into(),
            ClientError::Words(error) => error.into(),
            ClientError::Key(error) => error.into(),
            other => CliError::Client(other),
        }
    }
}

/// A failure in the words of the interface.
pub(crate) struct Report {
    /// Stable, for programs.
    pub(crate) code: &'static str,
    /// One line, for people.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// The exit status.
    pub(crate) status: u8,
    /// Further fields of the object: where in a document, for example.
    pub(crate) details: Map<String, Value>,
}

impl Report {
    /// `error: … (hint: …)`, one line.
    pub(crate) fn line(&self) -> String {
        match &self.hint {
            Some(hint) => format!("error: {} (hint: {hint})", self.message),
            None => format!("error: {}", self.message),
        }
    }

    /// `{"error": {"code": …, "message": …, "hint": …}}`
    pub(crate) fn object(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message, "hint": self.hint});
        if let Some(error) = error.as_object_mut() {
            error.extend(self.details.clone());
        }
        json!({"error": error})
    }
}

impl CliError {
    /// An option whose value cannot be used.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> CliError {
        CliError::Usage {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// A file that could not be written; the path is where it should have been.
    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> CliError {
        let path = path.into();
        move |source| CliError::Write { path, source }
    }

    /// A file that could not be read.
    pub(crate) fn read(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> CliError {
        let path = path.into();
        move |source| CliError::InputRead { path, source }
    }

    pub(crate) fn report(&self) -> Report {
        let (code, status, hint) = self.classify();
        Report {
            code,
            message: self.message(),
            hint,
            status,
            details: self.details(),
        }
    }

    /// What went wrong in one line. An option is called by its flag.
    fn message(&self) -> String {
        match self {
            CliError::Engine(EngineError::Option {
                option,
                expected,
                found,
            }) => format!("{} must be {expected}, not {found}", flag(option)),
            _ => message(self),
        }
    }

    fn details(&self) -> Map<String, Value> {
        match self {
            CliError::Policy { error, .. } => match serde_json::to_value(error) {
                Ok(Value::Object(place)) => place,
                _ => Map::new(),
            },
            CliError::Mcp(error) => match error.stderr() {
                Some(lines) => Map::from_iter([("stderr".to_owned(), json!(lines))]),
                None => Map::new(),
            },
            CliError::TermsNotAccepted { terms, .. } => Map::from_iter([("terms".to_owned(), json!(terms))]),
            _ => Map::new(),
        }
    }

    fn classify(&self) -> Classified {
        let hint = |text: &str| Some(text.to_owned());
        match self {
            CliError::Usage { hint, .. } => ("usage", exit::USAGE, hint.clone()),
            CliError::UnknownModel { .. } | CliError::NotInCatalogue { .. } => (
                "model_unknown",
                exit::MODEL_MISSING,
                hint("`whimbrel models list` shows the names"),
            ),
            CliError::NotInstalled { name } => (
                "model_not_installed",
                exit::MODEL_MISSING,
                Some(format!("whimbrel models pull {name}")),
            ),
            CliError::NoModel => (
                "model_not_installed",
                exit::MODEL_MISSING,
                hint(
                    "`whimbrel models pull smollm2-135m-instruct` fetches a small one; --model also accepts a bundle folder",
                ),
            ),
            CliError::SeveralModels { .. } => ("usage", exit::USAGE, hint("choose one with --model NAME")),
            CliError::InputRead { .. } => ("input_unreadable", exit::INPUT, None),
            CliError::InputInvalid { .. } => ("input_invalid", exit::INPUT, None),
            CliError::TextTooShort { .. } => (
                "input_too_short",
                exit::INPUT,
                hint("use a longer text or a smaller --context"),
            ),
            CliError::Catalogue { .. } => ("catalogue_invalid", exit::INPUT, None),
            CliError::OutputExists { .. } => (
                "output_exists",
                exit::USAGE,
                hint("choose another file, or remove this one first"),
            ),
            CliError::Write { source, .. } | CliError::Output(source) if closed(source) => {
                ("output_closed", exit::OUTPUT_CLOSED, None)
            }
            CliError::Write { source, .. } | CliError::Output(source) | CliError::Loopback(source) => io_code(source),
            CliError::StandardInput(_) => ("input_unreadable", exit::INPUT, None),
            CliError::NoHome { variable, .. } => ("no_home", exit::USAGE, Some(format!("set {variable} to a folder"))),
            CliError::Policy { .. } => ("policy_invalid", exit::INPUT, None),
            CliError::LedgerChanged { .. } => ("ledger_changed", exit::LEDGER, None),
            CliError::NotAnswered { code, .. } => (code, exit::NOT_ANSWERED, None),
            CliError::Interrupted => ("interrupted", exit::INTERRUPTED, None),
            CliError::PullInterrupted { name, .. } => (
                "interrupted",
                exit::INTERRUPTED,
                Some(format!(
                    "run the same command again to resume, or `whimbrel models remove {name}` to delete the bytes"
                )),
            ),
            CliError::TermsNotAccepted { .. } => (
                "terms_not_accepted",
                exit::USAGE,
                hint("read them, then add --accept-terms"),
            ),
            CliError::UnknownConversation { .. } => (
                "conversation_unknown",
                exit::MODEL_MISSING,
                hint("`whimbrel conversations list` shows titles and ids"),
            ),
            CliError::NameTaken { .. } => (
                "output_exists",
                exit::USAGE,
                hint("choose another one with --name, or remove that model first"),
            ),
            CliError::Download(error) => codes::download(error),
            CliError::Fetch(error) => codes::fetch(error),
            CliError::Engine(error) => codes::engine(error),
            CliError::Forge(error) => codes::forge(error),
            CliError::Models(error) => codes::models(error),
            CliError::Client(ClientError::Limit { .. }) => ("limit", exit::USAGE, None),
            CliError::Client(ClientError::NoTelemetry) => (
                "no_telemetry",
                exit::USAGE,
                Some("the app's policy says in a section [telemetry] where it may go".to_owned()),
            ),
            CliError::Client(ClientError::Read { .. }) => ("input_unreadable", exit::INPUT, None),
            CliError::Client(ClientError::TaskDocument { .. }) => ("input_invalid", exit::INPUT, None),
            CliError::Client(ClientError::Write { source, .. }) => io_code(source),
            CliError::Client(
                ClientError::Endpoint { .. }
                | ClientError::UnknownEndpoint { .. }
                | ClientError::NothingToRepeat
                | ClientError::Outbox(_)
                | ClientError::Task(_),
            ) => ("usage", exit::USAGE, None),
            CliError::Client(_) => ("internal", exit::INTERNAL, None),
            CliError::Store(error) => codes::store(error),
            CliError::Redact(RedactError::Scan(_)) => ("limit", exit::USAGE, None),
            CliError::Redact(RedactError::Clear(_)) => ("not_redacted", exit::INPUT, None),
            CliError::Mcp(error) => codes::mcp(error),
            CliError::Words(_) => ("usage", exit::USAGE, None),
            CliError::Key(_) => ("usage", exit::USAGE, hint("a key is one line, typed or piped in")),
        }
    }
}

/// The flag for an option of the engine.
fn flag(option: &str) -> String {
    match option {
        "context length" => "--context".to_owned(),
        _ => format!("--{}", option.replace(['_', ' '], "-")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_with_its_cause_and_its_hint() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let report = CliError::Write {
            path: "a\nb".into(),
            source: full,
        }
        .report();
        assert_eq!(report.status, exit::IO);
        assert_eq!(
            report.line(),
            "error: cannot write a b: no storage space (hint: free some space and try again)"
        );
        let report = CliError::NotInstalled { name: "x".to_owned() }.report();
        assert_eq!(
            report.line(),
            "error: the model x is not installed (hint: whimbrel models pull x)"
        );
        assert_eq!(
            report.object().to_string(),
            r#"{"error":{"code":"model_not_installed","message":"the model x is not installed","hint":"whimbrel models pull x"}}"#
        );
    }
}
