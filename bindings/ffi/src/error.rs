//! The public errors, and the one place where the client's errors are converted to them. Cases and numbers are stable.

mod refused;

use whimbrel_client::policy::outbox::OutboxError;
use whimbrel_client::privacy::{RedactError, ScanError, TEXT_BYTES_MAX};
use whimbrel_client::record::{Problem, RecordError};
use whimbrel_client::store::{ConversationId, ImportError, SealError, StoreError, VaultError};
use whimbrel_client::{ClientError, EngineError, message};

/// All errors that an app can get. No case ever contains text from a user or a model.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum CoreError {
    /// There is no model bundle in the folder, or one of its files is missing or unreadable.
    #[error("bundle missing: {reason}")]
    BundleMissing {
        /// The folder or file, and the reason.
        reason: String,
    },
    /// The bundle is damaged. Download it again.
    #[error("bundle corrupt: {reason}")]
    BundleCorrupt {
        /// The file, and what is wrong with it.
        reason: String,
    },
    /// The bundle is intact, but this version of the core cannot run it.
    #[error("bundle not supported: {reason}")]
    UnsupportedBundle {
        /// What is not supported.
        reason: String,
    },
    /// The question does not fit the context.
    #[error("context full: {needed} tokens needed, {limit} available")]
    ContextFull {
        /// Tokens needed, including one token for the answer.
        needed: u64,
        /// Size of the context in tokens.
        limit: u64,
    },
    /// An option is outside its range.
    #[error("{option} must be {expected}, not {found}")]
    InvalidOption {
        /// The option's name.
        option: String,
        /// The allowed range.
        expected: String,
        /// The value that was given.
        found: String,
    },
    /// The client, the model, the conversation or the assistant was already closed.
    #[error("the {what} is closed")]
    Closed {
        /// `client`, `model`, `conversation` or `assistant`.
        what: String,
    },
    /// The conversation is still answering the previous question.
    #[error("the conversation is still answering")]
    Busy,
    /// No call with this number waits for a result.
    #[error("no call {id} waits for a result")]
    UnknownCall {
        /// The number.
        id: u32,
    },
    /// Questions of this conversation wait in the outbox, and one with tools cannot.
    #[error("questions of this conversation wait, and one with tools cannot")]
    ToolsCannotWait,
    /// There is no question to ask again.
    #[error("there is no question to ask again")]
    NothingToRepeat,
    /// Only where rules decide can a decision be explained: in a conversation of an `Assistant`.
    #[error("this conversation has no policy")]
    NoPolicy,
    /// The app's policy does not say where telemetry may go.
    #[error("the app's policy has no section telemetry")]
    NoTelemetry,
    /// Only a model of this device has something to save.
    #[error("there is no model on this device")]
    NoModel,
    /// A policy document was refused as a whole. The previous policies stay in force.
    #[error("policy refused, line {line}, column {column}, {path}: {reason}")]
    Policy {
        /// The line, from 1. It is 0 if the error does not concern one position.
        line: u32,
        /// The character in the line, from 1. It is 0 if the error does not concern one position.
        column: u32,
        /// The field. It is empty if the error concerns the whole document.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The ledger cannot be opened, read or written. Nothing leaves the device without a receipt.
    #[error("ledger, {problem}: {reason}")]
    Ledger {
        /// The kind of problem: `in_use`, `absent`, `foreign`, `damaged`, `schema`, `tampered`, `full`, `database`, `file`,
        /// `read_only`, `unknown_receipt`, `already_closed` or `unreadable`. `foreign` means that the file is not a ledger,
        /// or that another vault sealed it. If its vault is gone, `restart_ledger` starts a new ledger.
        problem: String,
        /// Details.
        reason: String,
    },
    /// A GGUF file could not be made into a bundle. Nothing is left of it.
    #[error("import, {problem}: {reason}")]
    Import {
        /// The kind of problem: `missing` (the file or a part of it), `unreadable`, `invalid`, `not_supported`, `changed`
        /// (while it was read), `disk_full`, `file` (the bundle could not be written), `cancelled`, or `unavailable` in a
        /// library that was built without the importer.
        problem: String,
        /// Details.
        reason: String,
    },
    /// The key vault failed.
    #[error("key vault: {reason}")]
    Vault {
        /// The reason.
        reason: String,
        /// Whether the vault is only temporarily locked.
        locked: bool,
        /// Whether the vault has lost its secrets for good. `start_store_empty` gives up what was sealed with them.
        invalidated: bool,
    },
    /// Encrypted data cannot be read. Everything else in the store still works.
    #[error("sealed data, {problem}: {reason}")]
    Sealed {
        /// The kind of problem: `key_lost` (the vault has no data key any more), `wrong_key` (it has another store's) or
        /// `keys_unreadable`, after which `start_store_empty` gives up what was sealed; `value_changed`, after which `repair` gives up
        /// single values; or `file_changed` for a cached file.
        problem: String,
        /// Details.
        reason: String,
    },
    /// There is no such conversation, message or queued question; it may have been deleted, or answered.
    #[error("there is no {what} {id}")]
    NotFound {
        /// `conversation`, `message` or `queued question`.
        what: String,
        /// Its id, or the message's position.
        id: String,
    },
    /// A queued question cannot be changed so.
    #[error("outbox, {problem}: {reason}")]
    Outbox {
        /// The kind of problem: `sending` (it is being sent at this moment) or `not_asked` (it does not wait for confirmation).
        problem: String,
        /// Details.
        reason: String,
    },
    /// A document with conversations cannot be imported. Nothing was added.
    #[error("document, {problem}: {reason}")]
    Document {
        /// The kind of problem: `unreadable`, `malformed`, `other_format` or `newer` (a newer version wrote it).
        problem: String,
        /// The line, from 1. It is 0 if the error does not concern one position.
        line: u32,
        /// The character in the line, from 1. It is 0 if the error does not concern one position.
        column: u32,
        /// Details, without any text of the document.
        reason: String,
    },
    /// A limit was exceeded.
    #[error("{found} {what}, the limit is {limit}")]
    LimitExceeded {
        /// What exceeded its limit.
        what: String,
        /// The limit.
        limit: u64,
        /// The value that exceeded it.
        found: u64,
    },
    /// There is not enough memory for the model or for a context.
    #[error("not enough memory ({bytes} bytes needed)")]
    OutOfMemory {
        /// The requested context length in tokens; 0 if it was the model that did not fit.
        context_length: u32,
        /// The bytes of memory that it needs.
        bytes: u64,
    },
    /// A bug in Whimbrel. Please report the number and the reason.
    #[error("internal error {code}: {reason}")]
    Internal {
        /// 1 the model failed while running, 2 the chat template failed, 3 no thread could be started, 4 the background
        /// thread stopped, 5 a file could not be written, 6 a cancellation was reported as an error, 7 the system provides
        /// no random bytes, 9 redacting a text did not finish, 10 a queued question was numbered wrongly.
        code: u32,
        /// Details.
        reason: String,
    },
}

impl From<ClientError> for CoreError {
    fn from(error: ClientError) -> Self {
        let reason = message(&error);
        match error {
            ClientError::Engine(error) => error.into(),
            ClientError::Closed { what } => CoreError::Closed { what: what.into() },
            ClientError::Busy => CoreError::Busy,
            ClientError::Limit { what, limit, found } => CoreError::LimitExceeded {
                what: what.into(),
                limit,
                found,
            },
            ClientError::Read { .. } => refused::unusable_file(reason),
            ClientError::Write { .. } => CoreError::Internal { code: 5, reason },
            ClientError::Thread(_) => CoreError::Internal { code: 3, reason },
            ClientError::Stopped => CoreError::Internal { code: 4, reason },
            ClientError::UnknownCall { id } => CoreError::UnknownCall { id },
            ClientError::ToolsCannotWait => CoreError::ToolsCannotWait,
            ClientError::NothingToRepeat => CoreError::NothingToRepeat,
            ClientError::NoPolicy => CoreError::NoPolicy,
            ClientError::NoTelemetry => CoreError::NoTelemetry,
            ClientError::NoModel => CoreError::NoModel,
            ClientError::Policy(error) => CoreError::Policy {
                line: error.line,
                column: error.column,
                path: error.path,
                reason: error.reason.to_string(),
            },
            ClientError::Store(error) => error.into(),
            ClientError::Outbox(error) => error.into(),
            ClientError::Vault(error) => error.into(),
            ClientError::Scan(error) | ClientError::Redact(RedactError::Scan(error)) => too_long(&error),
            ClientError::Redact(RedactError::Clear(_)) => CoreError::Internal { code: 9, reason },
            ClientError::Words(error) => refused::words(error),
            ClientError::Task(error) => refused::task(&error),
            ClientError::TaskDocument { place, reason } => {
                refused::option("document", "a task's", format!("this one, {place}: {reason}"))
            }
            ClientError::Key(error) => refused::key(error),
            ClientError::Endpoint { id, source } => {
                refused::option("endpoint", "valid settings", format!("those of {id}: {source}"))
            }
            ClientError::UnknownEndpoint { id } => {
                refused::option("endpoint", "the id of an endpoint of the policy", id)
            }
            ClientError::NoRandomness => CoreError::Internal { code: 7, reason },
        }
    }
}

impl From<EngineError> for CoreError {
    fn from(error: EngineError) -> Self {
        let reason = message(&error);
        match error {
            EngineError::BundleMissing { .. } | EngineError::Read { .. } => CoreError::BundleMissing { reason },
            EngineError::Manifest { .. }
            | EngineError::Corrupt { .. }
            | EngineError::Weights { .. }
            | EngineError::Tokenizer { .. } => CoreError::BundleCorrupt { reason },
            EngineError::LayoutVersion { .. } | EngineError::Graph { .. } => CoreError::UnsupportedBundle { reason },
            EngineError::ContextFull { needed, limit } => CoreError::ContextFull { needed, limit },
            EngineError::Option {
                option,
                expected,
                found,
            } => CoreError::InvalidOption {
                option: option.into(),
                expected,
                found,
            },
            EngineError::Tool { name, reason } => {
                refused::option("tools", "ones that can be offered", format!("{name}: {reason}"))
            }
            EngineError::Form { kind, place, reason } => {
                let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
                refused::option(
                    "form",
                    &format!("a {kind} that can be used"),
                    format!("this one{place}: {reason}"),
                )
            }
            EngineError::NoThinking => refused::option(
                "thinking",
                "off or left to the model, which cannot think before it answers",
                "on".to_owned(),
            ),
            EngineError::Prefix(error) => refused::unusable_file(error.to_string()),
            EngineError::Memory {
                context_length, bytes, ..
            } => CoreError::OutOfMemory { context_length, bytes },
            EngineError::Run { .. } => CoreError::Internal { code: 1, reason },
            EngineError::Template { .. } => CoreError::Internal { code: 2, reason },
            EngineError::Write { .. } => CoreError::Internal { code: 5, reason },
            EngineError::Cancelled => CoreError::Internal { code: 6, reason },
            EngineError::PrefixRead { .. } => CoreError::Internal { code: 11, reason },
        }
    }
}

impl From<StoreError> for CoreError {
    fn from(error: StoreError) -> Self {
        let reason = message(&error);
        let problem = match error {
            StoreError::Vault(error) => return error.into(),
            StoreError::Record(RecordError::TooMuch { what, found, limit }) => {
                return CoreError::LimitExceeded {
                    what: what.into(),
                    limit,
                    found,
                };
            }
            StoreError::Random => return CoreError::Internal { code: 7, reason },
            StoreError::InUse { .. } => "in_use",
            StoreError::Absent { .. } => "absent",
            StoreError::Foreign { .. }
            | StoreError::Ledger {
                problem: Problem::ForeignSeal,
                ..
            } => "foreign",
            StoreError::Damaged { .. } => "damaged",
            StoreError::SchemaChanged { .. } | StoreError::NewerSchema { .. } => "schema",
            StoreError::Ledger { .. } => "tampered",
            StoreError::Full { .. } => "full",
            StoreError::Database { .. } | StoreError::LogLeft { .. } => "database",
            StoreError::Io { .. } | StoreError::Record(RecordError::Export { .. }) => "file",
            StoreError::ReadOnly => "read_only",
            StoreError::UnknownReceipt { .. } => "unknown_receipt",
            StoreError::AlreadyClosed { .. } => "already_closed",
            StoreError::Unreadable { .. } => "unreadable",
            StoreError::Sealed(error) => return error.into(),
            StoreError::UnknownConversation { id } => return not_found("conversation", &id),
            StoreError::UnknownMessage { position } => return not_found("message", &position),
            StoreError::UnknownRequest { id } => return not_found("queued question", &id),
            StoreError::RequestNumber { .. } => return CoreError::Internal { code: 10, reason },
            StoreError::Import(error) => return error.into(),
        };
        CoreError::Ledger {
            problem: problem.into(),
            reason,
        }
    }
}

impl From<VaultError> for CoreError {
    fn from(error: VaultError) -> Self {
        CoreError::Vault {
            reason: message(&error),
            locked: matches!(error, VaultError::Locked),
            invalidated: matches!(error, VaultError::Invalidated),
        }
    }
}

impl From<SealError> for CoreError {
    fn from(error: SealError) -> Self {
        let problem = match error {
            SealError::KeyLost { .. } => "key_lost",
            SealError::WrongKey { .. } => "wrong_key",
            SealError::Keyring => "keys_unreadable",
            SealError::Value { .. } => "value_changed",
            SealError::File { .. } => "file_changed",
        };
        CoreError::Sealed {
            problem: problem.into(),
            reason: message(&error),
        }
    }
}

impl From<ImportError> for CoreError {
    fn from(error: ImportError) -> Self {
        let reason = message(&error);
        let (problem, line, column) = match error {
            ImportError::Read { .. } => ("unreadable", 0, 0),
            ImportError::Malformed { line, column } => ("malformed", line, column),
            ImportError::Format => ("other_format", 0, 0),
            ImportError::Version { .. } => ("newer", 0, 0),
        };
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        CoreError::Document {
            problem: problem.into(),
            line: number(line),
            column: number(column),
            reason,
        }
    }
}

impl From<OutboxError> for CoreError {
    fn from(error: OutboxError) -> Self {
        let reason = message(&error);
        let problem = match error {
            OutboxError::Unknown { id } => return not_found("queued question", &id),
            OutboxError::Full { entries_max } => {
                return CoreError::LimitExceeded {
                    what: "queued questions".into(),
                    limit: entries_max,
                    found: entries_max.saturating_add(1),
                };
            }
            OutboxError::NoSpace {
                bytes,
                bytes_free,
                bytes_max,
            } => {
                return CoreError::LimitExceeded {
                    what: "bytes of queued questions".into(),
                    limit: bytes_max,
                    found: bytes_max.saturating_sub(bytes_free).saturating_add(bytes),
                };
            }
            OutboxError::IdInUse { .. } | OutboxError::KeyInUse { .. } => {
                return CoreError::Internal { code: 10, reason };
            }
            OutboxError::Sending { .. } => "sending",
            OutboxError::NotAsked { .. } => "not_asked",
        };
        CoreError::Outbox {
            problem: problem.into(),
            reason,
        }
    }
}

/// The id of a conversation that an app gave.
pub(crate) fn conversation_id(text: &str) -> Result<ConversationId, CoreError> {
    text.parse().map_err(|_| {
        refused::option(
            "id",
            "the id of a conversation, 32 hexadecimal digits",
            "another text".into(),
        )
    })
}

fn not_found(what: &str, id: &dyn std::fmt::Display) -> CoreError {
    CoreError::NotFound {
        what: what.into(),
        id: id.to_string(),
    }
}

fn too_long(error: &ScanError) -> CoreError {
    let (what, limit, found) = match error {
        ScanError::LongText { bytes } => ("bytes of text", TEXT_BYTES_MAX, *bytes),
        ScanError::TooManyMessages { count } => ("messages", whimbrel_client::privacy::MESSAGES_MAX, *count),
    };
    CoreError::LimitExceeded {
        what: what.into(),
        limit: limit.into(),
        found,
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_client::network::SecretError;
    use whimbrel_client::privacy::ScannerError;
    use whimbrel_client::record::LabelError;

    use super::*;

    /// The translations that apps rely on, one line each.
    #[test]
    fn translates() {
        let text = String::from;
        check(
            EngineError::BundleMissing {
                path: "p".into(),
                reason: text("r"),
            },
            "bundle missing: no bundle at p: r",
        );
        check(
            EngineError::Corrupt {
                file: text("f"),
                reason: text("r"),
            },
            "bundle corrupt: f is damaged: r",
        );
        check(
            EngineError::Manifest { reason: text("r") },
            "bundle corrupt: manifest.json: r",
        );
        check(
            EngineError::LayoutVersion { found: 9, supported: 1 },
            "bundle not supported: the bundle has layout version 9, this engine reads 1",
        );
        check(
            EngineError::ContextFull { needed: 9, limit: 8 },
            "context full: 9 tokens needed, 8 available",
        );
        check(
            EngineError::Option {
                option: "top_p",
                expected: text("0 to 1"),
                found: text("2"),
            },
            "top_p must be 0 to 1, not 2",
        );
        check(
            EngineError::Form {
                kind: "JSON schema",
                place: Some(text("/not")),
                reason: text("not cannot be enforced"),
            },
            "form must be a JSON schema that can be used, not this one (/not): not cannot be enforced",
        );
        check(
            EngineError::NoThinking,
            "thinking must be off or left to the model, which cannot think before it answers, not on",
        );
        check(
            EngineError::Run { reason: text("r") },
            "internal error 1: the model failed while running: r",
        );
        check(
            EngineError::from(whimbrel_client::PrefixError::Checksum),
            "path must be a conversation saved with this model, not this one: its checksum does not match",
        );
        check(ClientError::Busy, "the conversation is still answering");
        check(ClientError::Closed { what: "model" }, "the model is closed");
        check(
            ClientError::Limit {
                what: "bytes of prompt",
                limit: 1,
                found: 2,
            },
            "2 bytes of prompt, the limit is 1",
        );
        check(
            ClientError::Stopped,
            "internal error 4: a thread of the client has stopped",
        );
    }

    /// The assistant's, likewise.
    #[test]
    fn translates_the_assistants() {
        check(
            StoreError::UnknownReceipt { id: 7 },
            "ledger, unknown_receipt: there is no receipt 7",
        );
        check(
            StoreError::InUse { path: "p".into() },
            "ledger, in_use: another program is using p",
        );
        check(VaultError::Locked, "key vault: the key store is locked");
        check(
            StoreError::Vault(VaultError::Locked),
            "key vault: the key store is locked",
        );
        check(
            ScanError::LongText { bytes: u64::MAX },
            &format!("{} bytes of text, the limit is {TEXT_BYTES_MAX}", u64::MAX),
        );
        check(
            ClientError::UnknownEndpoint { id: "nope".into() },
            "endpoint must be the id of an endpoint of the policy, not nope",
        );
        check(
            ClientError::Words(ScannerError::EmptyWord { index: 2 }),
            "user_words must be words with a letter or a digit, not one without, at index 2",
        );
        check(
            ClientError::Task(LabelError::Character { at: 3 }),
            "task must be a name of A-Z, a-z, 0-9 and ._:/@+-, of at most 128 bytes, not one with another character at byte 3",
        );
        check(
            ClientError::Key(SecretError::Empty),
            "key must be a key of visible ASCII characters, of at most 4096 bytes, not an empty one",
        );
        check(
            ClientError::Write {
                path: "talk".into(),
                source: std::io::Error::from_raw_os_error(17),
            },
            "internal error 5: cannot write talk: something with this name already exists",
        );
        check(VaultError::Invalidated, "key vault: the key store invalidated its key");
        check(ClientError::NothingToRepeat, "there is no question to ask again");
        check(ClientError::NoPolicy, "this conversation has no policy");
        check(ClientError::NoTelemetry, "the app's policy has no section telemetry");
        check(ClientError::NoModel, "there is no model on this device");
        check(ClientError::Closed { what: "assistant" }, "the assistant is closed");
    }

    /// Those of what is kept, likewise.
    #[test]
    fn translates_the_stores() {
        let sealed = |error| StoreError::Sealed(error);
        check(
            sealed(SealError::KeyLost { version: 1 }),
            "sealed data, key_lost: the key vault no longer has the data key 1",
        );
        check(
            sealed(SealError::WrongKey { version: 1 }),
            "sealed data, wrong_key: the data key 1 in the key vault belongs to another store",
        );
        check(
            sealed(SealError::Keyring),
            "sealed data, keys_unreadable: the data keys in the key vault cannot be read",
        );
        let (table, row, column) = ("message", 3, "body");
        check(
            sealed(SealError::Value { table, row, column }),
            "sealed data, value_changed: the value in table message, row 3, column body was changed",
        );
        let id = ConversationId([1; 16]);
        check(
            StoreError::UnknownConversation { id },
            "there is no conversation 01010101010101010101010101010101",
        );
        check(StoreError::UnknownMessage { position: 4 }, "there is no message 4");
        check(StoreError::UnknownRequest { id: 7 }, "there is no queued question 7");
        check(OutboxError::Unknown { id: 7 }, "there is no queued question 7");
        check(
            OutboxError::Sending { id: 7 },
            "outbox, sending: the queued request 7 is being sent",
        );
        check(
            OutboxError::NotAsked { id: 7 },
            "outbox, not_asked: the queued request 7 does not wait for confirmation",
        );
        check(
            OutboxError::Full { entries_max: 1000 },
            "1001 queued questions, the limit is 1000",
        );
        check(
            OutboxError::NoSpace {
                bytes: 50,
                bytes_free: 20,
                bytes_max: 100,
            },
            "130 bytes of queued questions, the limit is 100",
        );
        check(
            StoreError::Import(ImportError::Malformed { line: 2, column: 9 }),
            "document, malformed: line 2, column 9 is not what a document with conversations has there",
        );
        check(
            StoreError::Import(ImportError::Version { found: 9 }),
            "document, newer: the document has version 9; this program reads version 1",
        );
        check(
            StoreError::Full { path: "p".into() },
            "ledger, full: cannot write p: no storage space",
        );
        assert!(conversation_id(&id.to_string()).is_ok_and(|read| read == id));
        let refused = conversation_id("A").unwrap_err().to_string();
        assert_eq!(
            refused,
            "id must be the id of a conversation, 32 hexadecimal digits, not another text"
        );
    }

    #[cfg(feature = "gguf")]
    #[test]
    fn translates_the_importers() {
        use whimbrel_models::ModelsError;
        use whimbrel_models::forge::{ForgeError, GgufError};

        let check = |error: ModelsError, expected: &str| assert_eq!(CoreError::from(error).to_string(), expected);
        check(
            ForgeError::PartMissing {
                path: "a-00002-of-00002.gguf".into(),
                number: 2,
                count: 2,
            }
            .into(),
            "import, missing: part 2 of 2 is missing: a-00002-of-00002.gguf",
        );
        check(
            ForgeError::Unsupported {
                what: "architecture",
                found: "bert".into(),
                supported: "llama".into(),
            }
            .into(),
            "import, not_supported: architecture \"bert\" is not supported; supported: llama",
        );
        check(
            ForgeError::from(GgufError::Magic).into(),
            "import, invalid: not a GGUF file: it does not start with \"GGUF\"",
        );
        check(ForgeError::Cancelled.into(), "import, cancelled: cancelled");
        check(
            ModelsError::Changed { path: "f".into() },
            "import, changed: f changed while it was imported",
        );
        let source = std::io::ErrorKind::NotFound.into();
        let error = CoreError::from(ModelsError::Read {
            path: "f".into(),
            source,
        });
        assert!(
            error.to_string().starts_with("import, missing: cannot read f"),
            "{error}"
        );
    }

    #[test]
    fn another_vaults_ledger_is_foreign() {
        let problem = |problem| {
            let path = "p".into();
            CoreError::from(StoreError::Ledger { path, problem }).to_string()
        };
        assert_eq!(
            problem(Problem::ForeignSeal),
            "ledger, foreign: p: the ledger was sealed with a key that the vault does not have"
        );
        assert_eq!(
            problem(Problem::HeadChanged),
            "ledger, tampered: p: the record of the ledger's end was changed"
        );
    }

    fn check(error: impl Into<ClientError>, expected: &str) {
        assert_eq!(CoreError::from(error.into()).to_string(), expected);
    }
}
