//! The code, the exit status and the hint of failures that come from below: the store, the importer, the engine, fetching, and the disk.

use whimbrel_client::policy::download::{DownloadFailure, Problem as Trouble};
use whimbrel_client::record::{Problem, RecordError};
use whimbrel_client::store::{SealError, StoreError, VaultError};
use whimbrel_engine::EngineError;
use whimbrel_forge::ForgeError;
use whimbrel_models::ModelsError;
use whimbrel_models::download::DownloadError;

use super::exit;
use crate::mcp::McpError;
use crate::models::fetch_error::FetchError;

/// What helps when there is too little memory for a model.
const MEMORY_HINT: &str = "close other programs, raise the limit (`ulimit -v`), or use a smaller model";

/// A stable code for programs, the exit status, and what to do about it.
pub(super) type Classified = (&'static str, u8, Option<String>);

pub(super) fn store(error: &StoreError) -> Classified {
    let hint = |text: &str| Some(text.to_owned());
    match error {
        StoreError::Absent { .. } => (
            "ledger_missing",
            exit::MODEL_MISSING,
            hint("`whimbrel run` and `whimbrel chat` write receipts if you add --policy"),
        ),
        StoreError::UnknownReceipt { .. } => (
            "receipt_unknown",
            exit::MODEL_MISSING,
            hint("`whimbrel ledger list` shows the numbers"),
        ),
        StoreError::InUse { .. } => (
            "ledger_in_use",
            exit::IO,
            hint("wait until the other whimbrel process ends; meanwhile `whimbrel ledger` can read the ledger"),
        ),
        StoreError::Ledger {
            problem: Problem::ForeignSeal,
            ..
        } => (
            "ledger_foreign",
            exit::LEDGER,
            hint(
                "the ledger's vault is missing or was replaced; `whimbrel ledger restart` starts a new ledger and keeps the old file",
            ),
        ),
        StoreError::Ledger { .. } => (
            "ledger_changed",
            exit::LEDGER,
            hint(
                "`whimbrel ledger verify` lists all problems; `whimbrel ledger restart` starts a new ledger and keeps the old file",
            ),
        ),
        StoreError::Damaged { .. } | StoreError::SchemaChanged { .. } => (
            "ledger_damaged",
            exit::LEDGER,
            hint("`whimbrel ledger recover` takes over what can still be read, and keeps the old file"),
        ),
        StoreError::Foreign { .. } | StoreError::Unreadable { .. } => ("ledger_damaged", exit::LEDGER, None),
        StoreError::NewerSchema { .. } => ("ledger_newer", exit::LEDGER, hint("use a newer version of whimbrel")),
        StoreError::Sealed(SealError::KeyLost { .. } | SealError::WrongKey { .. } | SealError::Keyring) => (
            "key_lost",
            exit::LEDGER,
            hint("what was kept cannot be read without its key; `whimbrel wipe` removes it"),
        ),
        StoreError::Sealed(_) => ("kept_damaged", exit::LEDGER, None),
        StoreError::UnknownConversation { .. } | StoreError::UnknownRequest { .. } => (
            "conversation_unknown",
            exit::MODEL_MISSING,
            hint("`whimbrel conversations list` and `whimbrel outbox list` show what there is"),
        ),
        StoreError::Import(_) => ("input_invalid", exit::INPUT, None),
        StoreError::Full { .. } => io_code(&std::io::ErrorKind::StorageFull.into()),
        StoreError::Record(RecordError::TooMuch { .. }) => ("limit", exit::USAGE, None),
        StoreError::Vault(VaultError::Name) => (
            "usage",
            exit::USAGE,
            hint("an endpoint's id consists of letters, digits, -, _ and ."),
        ),
        StoreError::Vault(_) => ("vault", exit::IO, None),
        StoreError::Record(RecordError::Export { source }) if closed(source) => {
            ("output_closed", exit::OUTPUT_CLOSED, None)
        }
        StoreError::Database { .. }
        | StoreError::LogLeft { .. }
        | StoreError::Io { .. }
        | StoreError::Record(RecordError::Export { .. }) => ("io", exit::IO, None),
        _ => ("internal", exit::INTERNAL, None),
    }
}

pub(super) fn forge(error: &ForgeError) -> Classified {
    let hint = |text: &str| Some(text.to_owned());
    match error {
        ForgeError::Read { .. } => ("input_unreadable", exit::INPUT, None),
        ForgeError::Write { source, .. } => io_code(source),
        ForgeError::DiskFull { .. } => io_code(&std::io::ErrorKind::StorageFull.into()),
        ForgeError::OutputExists { .. } => (
            "output_exists",
            exit::USAGE,
            hint("--force replaces a bundle, but never anything else"),
        ),
        ForgeError::OutputInUse { .. } => ("output_in_use", exit::IO, hint("wait until it ends, then try again")),
        ForgeError::Unsupported { .. } => (
            "input_unsupported",
            exit::INPUT,
            hint("`whimbrel inspect FILE` shows what is in the file"),
        ),
        ForgeError::PartMissing { .. } => (
            "input_unreadable",
            exit::INPUT,
            hint("fetch all parts into the same folder"),
        ),
        ForgeError::Part { .. } | ForgeError::PartForeign { .. } => {
            ("input_invalid", exit::INPUT, hint("fetch all parts of the model again"))
        }
        ForgeError::Gguf(_) | ForgeError::Key { .. } | ForgeError::Tensor { .. } | ForgeError::Vocabulary { .. } => {
            ("input_invalid", exit::INPUT, hint("fetch or convert the file again"))
        }
        ForgeError::Option { .. } => ("usage", exit::USAGE, None),
        ForgeError::Memory { .. } => ("memory", exit::IO, hint(MEMORY_HINT)),
        ForgeError::Engine(error) => engine(error),
        ForgeError::Cancelled => ("interrupted", exit::INTERRUPTED, None),
    }
}

pub(super) fn models(error: &ModelsError) -> Classified {
    match error {
        ModelsError::Read { .. } | ModelsError::Changed { .. } => ("input_unreadable", exit::INPUT, None),
        ModelsError::Forge(error) => forge(error),
    }
}

pub(super) fn engine(error: &EngineError) -> Classified {
    let hint = |text: &str| Some(text.to_owned());
    let damaged =
        || hint("import or pull the model again; if you edited the bundle, run `whimbrel seal` on its folder");
    match error {
        EngineError::BundleMissing { .. } => (
            "bundle_missing",
            exit::MODEL_MISSING,
            hint("`whimbrel models list` shows the installed models; a bundle folder contains a manifest.json"),
        ),
        EngineError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            ("bundle_damaged", exit::BUNDLE_DAMAGED, damaged())
        }
        EngineError::Read { .. } => ("bundle_unreadable", exit::IO, None),
        EngineError::Write { source, .. } => io_code(source),
        EngineError::LayoutVersion { .. } => (
            "bundle_layout",
            exit::BUNDLE_DAMAGED,
            hint("import the model again with this version of whimbrel"),
        ),
        EngineError::Manifest { .. }
        | EngineError::Corrupt { .. }
        | EngineError::Graph { .. }
        | EngineError::Weights { .. }
        | EngineError::Tokenizer { .. } => ("bundle_damaged", exit::BUNDLE_DAMAGED, damaged()),
        EngineError::Template { .. } => (
            "template",
            exit::BUNDLE_DAMAGED,
            hint("`whimbrel run --raw` works without a chat template"),
        ),
        EngineError::ContextFull { .. } => (
            "context_full",
            exit::CONTEXT_FULL,
            hint("shorten the prompt or raise --context"),
        ),
        EngineError::Option { .. } => ("usage", exit::USAGE, None),
        EngineError::Form { .. } => ("form", exit::USAGE, None),
        EngineError::Tool { .. } => ("tool", exit::USAGE, None),
        EngineError::NoThinking => (
            "no_thinking",
            exit::USAGE,
            hint("leave out --thinking on, or choose a model that thinks"),
        ),
        EngineError::Prefix(_) => ("input_invalid", exit::INPUT, None),
        EngineError::PrefixRead { source } => io_code(source),
        EngineError::Cancelled => ("interrupted", exit::INTERRUPTED, None),
        EngineError::Memory { context_length: 0, .. } => ("memory", exit::IO, hint(MEMORY_HINT)),
        EngineError::Memory { .. } => ("memory", exit::IO, hint("lower --context")),
        EngineError::Run { .. } => ("internal", exit::INTERNAL, None),
    }
}

/// Code, status and hint of a failure of an MCP server or its tool.
pub(super) fn mcp(error: &McpError) -> Classified {
    let hint = |text: &str| Some(text.to_owned());
    let more = "`whimbrel mcp tools --stderr --mcp \"COMMAND\"` shows what the server writes to standard error";
    match error {
        McpError::Command { .. } => (
            "usage",
            exit::USAGE,
            hint("--mcp takes a program and its arguments as one text"),
        ),
        McpError::NotFound { .. } => (
            "mcp_not_found",
            exit::TOOLS,
            hint("install it, or give the path of the program"),
        ),
        McpError::Spawn { .. } => ("mcp_not_started", exit::TOOLS, None),
        McpError::Exited { .. } => ("mcp_exited", exit::TOOLS, hint(more)),
        McpError::Protocol { .. } => ("mcp_protocol", exit::TOOLS, hint(more)),
        McpError::Time { .. } => ("mcp_timeout", exit::TOOLS, hint("--mcp-timeout S waits longer")),
        McpError::TooMuch { .. } => ("mcp_limit", exit::TOOLS, None),
        McpError::UnknownTool { .. } => (
            "tool_unknown",
            exit::MODEL_MISSING,
            hint("`whimbrel mcp tools` lists the names"),
        ),
        McpError::Arguments { .. } => ("usage", exit::USAGE, hint("the arguments are one JSON object")),
        McpError::Tool { .. } => ("tool_failed", exit::TOOLS, None),
        McpError::Runtime(source) => io_code(source),
    }
}

/// Code, status and hint of a failed write.
pub(super) fn io_code(error: &std::io::Error) -> Classified {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull => ("disk_full", exit::IO, Some("free some space and try again".to_owned())),
        ErrorKind::AlreadyExists => (
            "output_exists",
            exit::USAGE,
            Some("choose another name, or add --force if the command has it".to_owned()),
        ),
        _ => ("io", exit::IO, None),
    }
}

pub(super) fn closed(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}

/// Code, status and hint of a fetch that failed.
pub(super) fn fetch(error: &FetchError) -> Classified {
    let (code, hint) = match error {
        FetchError::Python { .. } => (
            "python_missing",
            Some("install Python 3 with pip (`apt install python3-pip`), or set WHIMBREL_PYTHON to its path"),
        ),
        FetchError::Pip => ("pip_missing", Some("install pip (`apt install python3-pip`)")),
        FetchError::Network { .. } => (
            "network",
            Some("check the connection and pip's configuration (`python3 -m pip config list`), then pull again"),
        ),
        FetchError::Download { .. } => (
            "download_failed",
            Some("`python3 -m pip config list` shows where pip looks"),
        ),
        FetchError::Hash { .. } => (
            "hash_mismatch",
            Some("the source changed or was tampered with; nothing was installed"),
        ),
        FetchError::Member { .. } | FetchError::Unpack { .. } => ("unpack_failed", None),
    };
    (code, exit::FETCH, hint.map(str::to_owned))
}

/// Code, status and hint of a download that failed. Of several addresses the first counts.
pub(super) fn download(error: &DownloadError) -> Classified {
    let hint = |text: &str| Some(text.to_owned());
    let failure = match error {
        DownloadError::Failed(failure) => failure,
        DownloadError::Unsupported(error) => return forge(error),
        DownloadError::Part { source, .. } | DownloadError::Runtime(source) => return io_code(source),
        DownloadError::Trust(_) => {
            return (
                "usage",
                exit::USAGE,
                hint("--authority takes a file with certificates in PEM"),
            );
        }
    };
    match failure {
        DownloadFailure::Sources(sources) => {
            let (code, hint) = match sources.first().map(|(_, trouble)| trouble) {
                Some(Trouble::Network { .. } | Trouble::Slow | Trouble::Truncated) => (
                    "network",
                    "check the connection, then run the same command again; it resumes where it stopped",
                ),
                Some(Trouble::Page | Trouble::NotGguf) => (
                    "not_a_model",
                    "give the address of the file itself; it usually ends in .gguf",
                ),
                Some(Trouble::NoRanges) => ("not_resumable", "--restart fetches the whole file again"),
                _ => ("download_failed", "open the address in a browser to see what is there"),
            };
            (code, exit::FETCH, Some(hint.to_owned()))
        }
        DownloadFailure::Space { .. } => io_code(&std::io::ErrorKind::StorageFull.into()),
        DownloadFailure::Metered { .. } => ("metered", exit::FETCH, hint("--metered allows it")),
        DownloadFailure::Checksum => (
            "hash_mismatch",
            exit::FETCH,
            hint("the file is not the expected one; nothing was installed"),
        ),
        DownloadFailure::Cancelled => ("interrupted", exit::INTERRUPTED, None),
    }
}
