//! What can go wrong with servers and their tools. A server is called by its program alone: its arguments may hold secrets.

use std::time::Duration;

/// Every failure of servers and tools.
#[derive(Debug, thiserror::Error)]
pub(crate) enum McpError {
    /// The command could not be split into words.
    #[error("the command of an MCP server cannot be used: {reason}")]
    Command { reason: &'static str },
    /// There is no such program.
    #[error("the MCP server {server} was not found")]
    NotFound { server: String },
    /// The program could not be started.
    #[error("the MCP server {server} cannot be started")]
    Spawn {
        server: String,
        #[source]
        source: std::io::Error,
    },
    /// The server ended: while it started, during a call, or before it.
    #[error("the MCP server {server} ended ({status}){}", last_line(.stderr))]
    Exited {
        server: String,
        /// `exit status: 1`, `signal: 9 (SIGKILL)`
        status: String,
        /// The last lines that it wrote to standard error; only if it ended while it started.
        stderr: String,
    },
    /// What it sends is not the protocol, or it refused the protocol's requests.
    #[error("{server} does not behave as an MCP server: {reason}{}", last_line(.stderr))]
    Protocol {
        server: String,
        reason: String,
        /// As in [`McpError::Exited`].
        stderr: String,
    },
    /// It took too long.
    #[error("the MCP server {server} did not {action} within {} s{}", limit.as_secs(), last_line(.stderr))]
    Time {
        server: String,
        /// `start`, `answer`
        action: &'static str,
        limit: Duration,
        /// As in [`McpError::Exited`].
        stderr: String,
    },
    /// It sent more than this program takes.
    #[error("the MCP server {server} sent too much: more than {limit} {what}")]
    TooMuch {
        server: String,
        /// `tools`, `bytes in a message`
        what: &'static str,
        limit: u64,
    },
    /// No server has this tool.
    #[error("there is no tool {name:?}")]
    UnknownTool { name: String },
    /// The arguments are not a JSON object.
    #[error("the arguments of the tool cannot be used: {reason}")]
    Arguments { reason: String },
    /// The tool failed and says why. The text is not part of the message, because it may repeat what the tool was asked.
    #[error("the tool reported an error")]
    Tool {
        /// At most [`RESULT_BYTES_MAX`](super::RESULT_BYTES_MAX).
        text: String,
    },
    /// The thread for the servers could not be started.
    #[error("cannot start the thread for MCP servers")]
    Runtime(#[source] std::io::Error),
}

impl McpError {
    /// What a model is told in place of a result.
    pub(crate) fn for_model(&self) -> String {
        match self {
            McpError::Tool { text } => text.clone(),
            // Lines of a program's log are of no use to a model.
            McpError::Exited { server, .. } => format!("the MCP server {server} ended"),
            McpError::Protocol { server, .. } => format!("{server} does not behave as an MCP server"),
            other => other.to_string(),
        }
    }

    /// The last lines that the server wrote to standard error, where it failed to start.
    pub(crate) fn stderr(&self) -> Option<&str> {
        match self {
            McpError::Exited { stderr, .. } | McpError::Protocol { stderr, .. } | McpError::Time { stderr, .. } => {
                Some(stderr).filter(|lines| !lines.is_empty()).map(String::as_str)
            }
            _ => None,
        }
    }
}

/// `: TEXT`, the last line that says something.
fn last_line(stderr: &str) -> String {
    /// Maximum length of the line in a message.
    const LINE_BYTES_MAX: u64 = 300;
    match stderr.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!(": {}", super::content::cut(line.trim(), LINE_BYTES_MAX, "…")),
        None => String::new(),
    }
}
