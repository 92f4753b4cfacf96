//! One server: started, asked for its tools, called and ended.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ErrorCode, ErrorData, Implementation,
    PaginatedRequestParams, ProtocolVersion, Tool,
};
use rmcp::service::{ClientInitializeError, RunningService, ServiceError};
use rmcp::{RoleClient, serve_client};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::process::{Groups, Process};
use super::transport::{Fault, FaultCell, Lines, MESSAGE_BYTES_MAX};
use super::{McpError, McpOptions, TOOLS_MAX, content};

/// Maximum number of pages of a list of tools.
const PAGES_MAX: u32 = TOOLS_MAX;
/// How long a server whose output has ended may take to end itself.
const EXIT_MAX: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Server {
    /// The program's name, without folders and arguments.
    program: String,
    /// What the server calls itself.
    own_name: Option<String>,
    service: Mutex<Option<RunningService<RoleClient, ClientConfig>>>,
    peer: rmcp::Peer<RoleClient>,
    process: Mutex<Process>,
    fault: FaultCell,
}

impl Server {
    /// Starts a program and lists its tools.
    pub(super) async fn start(
        words: &[String],
        options: McpOptions,
        groups: &Arc<Groups>,
    ) -> Result<(Server, Vec<Tool>), McpError> {
        let program = program(words);
        let started = Process::start(words, options.shows_stderr, groups);
        let (mut process, stdin, stdout) = started.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => McpError::NotFound {
                server: program.clone(),
            },
            _ => McpError::Spawn {
                server: program.clone(),
                source,
            },
        })?;
        let fault = FaultCell::default();
        let greeting = greeted(Lines::new(stdout, stdin, fault.clone()));
        let problem = match timeout(options.start_max, greeting).await {
            Ok(Ok((service, tools))) => {
                let info = service.peer().peer_info();
                let own_name = info.and_then(|info| Some(info.server_info.as_ref()?.name.clone()));
                let server = Server {
                    program,
                    own_name: own_name.filter(|name| !name.is_empty()),
                    peer: service.peer().clone(),
                    service: Mutex::new(Some(service)),
                    process: Mutex::new(process),
                    fault,
                };
                return Ok((server, tools));
            }
            Ok(Err(problem)) => problem,
            Err(_) => Problem::Time("start", options.start_max),
        };
        let error = problem.of(&program, &fault, &mut process).await;
        process.kill().await;
        let stderr = process.stderr().await;
        Err(with_stderr(error, stderr))
    }

    /// The program's name, without folders and arguments.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// What the server calls itself.
    pub(super) fn own_name(&self) -> Option<&str> {
        self.own_name.as_deref()
    }

    pub(super) fn too_much(&self, what: &'static str, limit: u64) -> McpError {
        Problem::TooMuch(what, limit).error(&self.program)
    }

    pub(super) async fn call(
        &self,
        tool: String,
        arguments: Map<String, Value>,
        limit: Duration,
    ) -> Result<String, McpError> {
        let params = CallToolRequestParams::new(tool).with_arguments(arguments);
        let problem = match timeout(limit, self.peer.call_tool(params)).await {
            Ok(Ok(result)) => {
                let has_failed = result.is_error == Some(true);
                let text = content::text(result);
                return match has_failed {
                    true => Err(McpError::Tool { text }),
                    false => Ok(text),
                };
            }
            // Servers refuse wrong arguments in this way, too: a model can try again.
            Ok(Err(ServiceError::McpError(error))) => {
                let text = content::shortened(&error.message);
                return Err(McpError::Tool { text });
            }
            Ok(Err(error)) => Problem::from(error),
            Err(_) => Problem::Time("answer", limit),
        };
        let mut process = self.process.lock().await;
        let is_over = matches!(problem, Problem::Closed);
        let error = problem.of(&self.program, &self.fault, &mut process).await;
        if is_over {
            process.kill().await;
        }
        Err(error)
    }

    /// Closes the server's input and waits for its end; kills it if it takes too long.
    pub(super) async fn stop(&self) {
        if let Some(mut service) = self.service.lock().await.take() {
            // Without this the input would stay open as long as an answer to the server cannot be written.
            let _ = service.close_with_timeout(EXIT_MAX).await;
        }
        self.process.lock().await.stop().await;
    }
}

/// The handshake, and all pages of the list of tools.
async fn greeted(lines: Lines) -> Result<(RunningService<RoleClient, ClientConfig>, Vec<Tool>), Problem> {
    let client = Implementation::new("whimbrel", env!("CARGO_PKG_VERSION"));
    // Servers of later versions, which have no handshake, still accept it.
    let config = ClientConfig::new(ClientCapabilities::default(), client)
        .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE);
    let service = serve_client(config, lines).await?;
    let mut tools = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let params = PaginatedRequestParams::default().with_cursor(cursor.take());
        let page = match service.peer().list_tools(Some(params)).await {
            Ok(page) => page,
            // A server without tools.
            Err(ServiceError::McpError(error)) if error.code == ErrorCode::METHOD_NOT_FOUND => {
                return Ok((service, tools));
            }
            Err(error) => return Err(error.into()),
        };
        tools.extend(page.tools);
        if tools.len() as u64 > u64::from(TOOLS_MAX) {
            return Err(Problem::TooMuch("tools", u64::from(TOOLS_MAX)));
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok((service, tools));
        }
    }
    Err(Problem::TooMuch("pages of tools", u64::from(PAGES_MAX)))
}

/// What went wrong, before it is known how the process ended.
enum Problem {
    Time(&'static str, Duration),
    TooMuch(&'static str, u64),
    Protocol(String),
    /// The server's output ended, or it was disconnected.
    Closed,
}

impl Problem {
    /// The error. If the server was disconnected, it waits a moment for the end of the process.
    async fn of(self, program: &str, fault: &FaultCell, process: &mut Process) -> McpError {
        let problem = match (self, fault.get()) {
            (Problem::Closed, Some(Fault::LongMessage)) => Problem::TooMuch("bytes in a message", MESSAGE_BYTES_MAX),
            (Problem::Closed, Some(Fault::Malformed)) => {
                Problem::Protocol("it sent a message that is not valid".to_owned())
            }
            (Problem::Closed, Some(Fault::Noise)) => Problem::Protocol("its output is not messages".to_owned()),
            (Problem::Closed, None) => match process.ended_within(EXIT_MAX).await {
                Some(status) => {
                    return McpError::Exited {
                        server: program.to_owned(),
                        status: status_text(status),
                        stderr: String::new(),
                    };
                }
                None => Problem::Protocol("it closed its output".to_owned()),
            },
            (problem, _) => problem,
        };
        problem.error(program)
    }

    fn error(self, program: &str) -> McpError {
        let (server, stderr) = (program.to_owned(), String::new());
        match self {
            Problem::Time(action, limit) => McpError::Time {
                server,
                action,
                limit,
                stderr,
            },
            Problem::TooMuch(what, limit) => McpError::TooMuch { server, what, limit },
            Problem::Protocol(reason) => McpError::Protocol { server, reason, stderr },
            Problem::Closed => McpError::Protocol {
                server,
                reason: "it closed its output".to_owned(),
                stderr,
            },
        }
    }

    /// An error that the server answered with.
    fn refused(error: &ErrorData) -> Problem {
        /// Maximum length of the server's words in an error.
        const WORDS_BYTES_MAX: u64 = 200;
        let words = content::cut(&error.message, WORDS_BYTES_MAX, "…");
        Problem::Protocol(format!("it answered with error {}, {words:?}", error.code.0))
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Problem {
        match error {
            ServiceError::McpError(error) => Problem::refused(&error),
            ServiceError::UnexpectedResponse => Problem::Protocol("its answer is not of the requested kind".to_owned()),
            _ => Problem::Closed,
        }
    }
}

impl From<ClientInitializeError> for Problem {
    fn from(error: ClientInitializeError) -> Problem {
        use ClientInitializeError as Error;
        match error {
            Error::JsonRpcError(error) => Problem::refused(&error),
            Error::ConflictInitResponseId(..) | Error::UncorrelatedErrorResponse { .. } => {
                Problem::Protocol("its answer has the id of another request".to_owned())
            }
            Error::NoCompatibleProtocolVersion { .. } => {
                Problem::Protocol("it has no version of the protocol in common with whimbrel".to_owned())
            }
            Error::ExpectedInitResponse(_) | Error::ExpectedInitResult(_) => {
                Problem::Protocol("its answer is not of the requested kind".to_owned())
            }
            _ => Problem::Closed,
        }
    }
}

fn with_stderr(error: McpError, lines: String) -> McpError {
    match error {
        McpError::Exited { server, status, .. } => McpError::Exited {
            server,
            status,
            stderr: lines,
        },
        McpError::Protocol { server, reason, .. } => McpError::Protocol {
            server,
            reason,
            stderr: lines,
        },
        McpError::Time {
            server, action, limit, ..
        } => McpError::Time {
            server,
            action,
            limit,
            stderr: lines,
        },
        other => other,
    }
}

/// The program's name, without folders and arguments.
fn program(words: &[String]) -> String {
    let path = Path::new(words.first().map_or("", String::as_str));
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// `exit status: 1`, `signal: 9 (SIGKILL)`
fn status_text(status: std::process::ExitStatus) -> String {
    match status.signal() {
        Some(number) => match nix::sys::signal::Signal::try_from(number) {
            Ok(signal) => format!("signal: {number} ({signal})"),
            Err(_) => format!("signal: {number}"),
        },
        None => format!("exit status: {}", status.code().unwrap_or_default()),
    }
}
