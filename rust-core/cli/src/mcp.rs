//! The tools of servers that speak the Model Context Protocol over their standard input and output. Servers are programs that the user names;
//! each runs in a process group of its own, which ends with this program. Whether and when a tool is called is decided elsewhere.
//!
//! Protocol: <https://modelcontextprotocol.io/specification/2025-11-25>, by the official SDK `rmcp`. Only tools are used; requests that a server
//! makes of its client (sampling, roots, elicitation) are declined.

mod content;
mod error;
mod names;
mod process;
mod server;
mod transport;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

pub(crate) use self::error::McpError;
use self::process::Groups;
use self::server::Server;
use crate::terminal::interrupt;

/// How long a server may take to start and to list its tools.
pub(crate) const START_MAX: Duration = Duration::from_secs(30);
/// How long a call of a tool may take.
pub(crate) const CALL_MAX: Duration = Duration::from_secs(60);
/// Maximum number of tools of all servers together.
pub(crate) const TOOLS_MAX: u32 = 128;
/// Maximum length of the schema of a tool's arguments.
pub(crate) const SCHEMA_BYTES_MAX: u64 = 64 << 10;
/// Maximum length of a result; a longer one is cut.
pub(crate) const RESULT_BYTES_MAX: u64 = 64 << 10;
/// Maximum length of a tool's description; a longer one is cut.
pub(crate) const DESCRIPTION_BYTES_MAX: u64 = 2 << 10;

/// How servers are started and waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct McpOptions {
    /// How long each server may take until its tools are known.
    pub(crate) start_max: Duration,
    /// How long a call may take.
    pub(crate) call_max: Duration,
    /// Whether what servers write to standard error appears on ours. It may contain what a tool was asked.
    pub(crate) shows_stderr: bool,
}

impl Default for McpOptions {
    fn default() -> Self {
        McpOptions {
            start_max: START_MAX,
            call_max: CALL_MAX,
            shows_stderr: false,
        }
    }
}

/// A tool of a server.
#[derive(Clone, Debug)]
pub(crate) struct McpTool {
    /// Unique over all servers: 1 to 64 of the characters `[A-Za-z0-9_-]`.
    pub(crate) name: String,
    /// What the server says that it does; may be empty. At most [`DESCRIPTION_BYTES_MAX`].
    pub(crate) description: String,
    /// The JSON schema of its arguments, an object. At most [`SCHEMA_BYTES_MAX`].
    pub(crate) input_schema: String,
    /// The program of its server.
    pub(crate) server: String,
    /// What the server calls it.
    original: String,
    /// The server's place in the list.
    position: usize,
}

/// The servers that were started, in order. They end when this is dropped; [`McpServers::stop`] lets them finish what they do.
pub(crate) struct McpServers {
    servers: Vec<Arc<Server>>,
    tools: Vec<McpTool>,
    call_max: Duration,
    worker: Worker,
}

impl McpServers {
    /// Starts the servers, all at the same time, and lists their tools. A command is split into words as a shell does it, quotes included; variables
    /// and patterns are not expanded. The servers inherit the environment. The keys of endpoints are not in it: they are in the vault.
    ///
    /// # Errors
    /// The first in the order of the commands; then no server is left. [`McpError::UnknownTool`], [`McpError::Arguments`] and [`McpError::Tool`] do
    /// not occur.
    pub(crate) async fn start(commands: &[String], options: McpOptions) -> Result<McpServers, McpError> {
        let commands = commands.iter().map(|command| words(command));
        let commands = commands.collect::<Result<Vec<_>, _>>()?;
        interrupt::before_end(process::kill_all);
        let worker = Worker::new().map_err(McpError::Runtime)?;
        let starting = commands.into_iter().map(|words| {
            let groups = worker.groups.clone();
            worker.spawn(async move { Server::start(&words, options, &groups).await })
        });
        let mut started = Vec::new();
        for server in starting.collect::<Vec<_>>() {
            started.push(server.await?);
        }
        let tools = tools(&started)?;
        Ok(McpServers {
            servers: started.into_iter().map(|(server, _)| Arc::new(server)).collect(),
            tools,
            call_max: options.call_max,
            worker,
        })
    }

    /// The tools of all servers, in the order of the servers and of their lists.
    pub(crate) fn tools(&self) -> &[McpTool] {
        &self.tools
    }

    /// Calls a tool. `name` is a name of [`McpServers::tools`], `arguments` the text of a JSON object; an empty text stands for no arguments. If the
    /// future is dropped, the server is told that nobody waits for the result.
    ///
    /// Returns the text of the result: its items joined by line breaks, where anything but text is named in brackets, or else its structured content as JSON.
    ///
    /// # Errors
    /// [`McpError::UnknownTool`]; [`McpError::Arguments`]; [`McpError::Tool`] when the tool says that it failed. All others concern the server. After
    /// [`McpError::Time`] the server can be called again.
    pub(crate) async fn call(&self, name: &str, arguments: &str) -> Result<String, McpError> {
        let tool = self.tools.iter().find(|tool| tool.name == name);
        let Some(tool) = tool else {
            return Err(McpError::UnknownTool { name: name.to_owned() });
        };
        let arguments = object(arguments)?;
        let server = self.servers[tool.position].clone();
        let (original, call_max) = (tool.original.clone(), self.call_max);
        self.worker
            .spawn(async move { server.call(original, arguments, call_max).await })
            .await
    }

    /// Ends the servers: closes their input, waits a moment, and then kills those that still run.
    pub(crate) async fn stop(self) {
        let ending = self.servers.iter().cloned();
        let ending = ending.map(|server| self.worker.spawn(async move { server.stop().await }));
        for server in ending.collect::<Vec<_>>() {
            server.await;
        }
    }
}

/// The words of a command.
fn words(command: &str) -> Result<Vec<String>, McpError> {
    let words = shlex::split(command).ok_or(McpError::Command {
        reason: "a quote is not closed",
    })?;
    if words.first().is_none_or(String::is_empty) {
        return Err(McpError::Command {
            reason: "it names no program",
        });
    }
    Ok(words)
}

/// The text of a JSON object.
fn object(text: &str) -> Result<Map<String, Value>, McpError> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(McpError::Arguments {
            reason: "not a JSON object".to_owned(),
        }),
        Err(error) => Err(McpError::Arguments {
            reason: format!("not JSON at line {}, column {}", error.line(), error.column()),
        }),
    }
}

/// The tools of all servers under their unique names.
fn tools(started: &[(Server, Vec<rmcp::model::Tool>)]) -> Result<Vec<McpTool>, McpError> {
    let mut taken = BTreeSet::new();
    let mut tools = Vec::new();
    for (position, (server, listed)) in started.iter().enumerate() {
        for tool in listed {
            if tools.len() as u64 >= u64::from(TOOLS_MAX) {
                return Err(server.too_much("tools", u64::from(TOOLS_MAX)));
            }
            let input_schema = Value::Object((*tool.input_schema).clone()).to_string();
            if input_schema.len() as u64 > SCHEMA_BYTES_MAX {
                return Err(server.too_much("bytes in a tool's schema", SCHEMA_BYTES_MAX));
            }
            let name = names::unique(&tool.name, server.own_name(), position, &taken);
            taken.insert(name.clone());
            tools.push(McpTool {
                name,
                description: content::cut(
                    tool.description.as_deref().unwrap_or_default(),
                    DESCRIPTION_BYTES_MAX,
                    "…",
                ),
                input_schema,
                server: server.program().to_owned(),
                original: tool.name.clone().into_owned(),
                position,
            });
        }
    }
    Ok(tools)
}

/// The thread on which all servers are read and written. Dropping it kills them.
struct Worker {
    /// There until the drop.
    runtime: Option<Runtime>,
    groups: Arc<Groups>,
}

impl Worker {
    fn new() -> std::io::Result<Worker> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("mcp")
            .enable_all()
            .build()?;
        Ok(Worker {
            runtime: Some(runtime),
            groups: Groups::new(),
        })
    }

    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> Task<T> {
        Task(self.runtime.as_ref().expect("there until the drop").spawn(task))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.groups.kill();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What the worker does for a future, until the future is dropped.
struct Task<T>(JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(context).map(|outcome| match outcome {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => unreachable!("only the drop aborts it"),
            },
        })
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
