//! `whimbrel mcp`: tries MCP servers without a model. Lists their tools, and calls one.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use whimbrel_client::block_on;

use crate::arguments::mcp::McpArguments;
use crate::error::{CliError, exit};
use crate::mcp::{McpError, McpServers};
use crate::terminal::output::{Facts, OutputArguments};
use crate::terminal::{input, interrupt, style};

/// The commands under `mcp`.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List the tools of MCP servers
    Tools(Arguments),
    /// Call a tool of an MCP server
    Call(CallArguments),
}

/// The flags of both.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    servers: McpArguments,
    /// Show what the servers write to standard error
    #[arg(long)]
    stderr: bool,
    #[command(flatten)]
    output: OutputArguments,
}

/// The flags of `mcp call`.
#[derive(clap::Args, Debug)]
pub(crate) struct CallArguments {
    /// The tool's name, as `mcp tools` lists it
    name: String,
    /// The arguments, a JSON object, or a file with them; - reads standard input [default: {}]
    #[arg(value_name = "JSON|@FILE")]
    arguments: Option<String>,
    #[command(flatten)]
    common: Arguments,
}

#[derive(Serialize)]
struct Tools {
    tools: Vec<ListedTool>,
}

#[derive(Serialize)]
struct ListedTool {
    name: String,
    description: String,
    /// The program of its server.
    server: String,
    input_schema: serde_json::Value,
}

#[derive(Serialize)]
struct Called {
    name: String,
    text: String,
    is_error: bool,
}

impl Facts for Tools {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = self.tools.iter().map(|tool| tool.name.len()).max().unwrap_or(0);
        for tool in &self.tools {
            let line = tool.description.lines().next().unwrap_or_default();
            let line = line.replace(char::is_control, " ");
            let line = format!("{:<width$}  {}", tool.name, line.trim());
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Facts for Called {
    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.text.as_bytes())?;
        if self.text.is_empty() || self.text.ends_with('\n') {
            return Ok(());
        }
        writeln!(out)
    }
}

/// Returns the exit status: what a tool says about its failure is shown, and is still not a result.
pub(crate) fn run(command: &Command) -> Result<u8, CliError> {
    let (Command::Tools(arguments) | Command::Call(CallArguments { common: arguments, .. })) = command;
    if arguments.servers.mcp.is_empty() {
        return Err(CliError::usage(
            "the command of a server is missing",
            "--mcp \"COMMAND\"",
        ));
    }
    let given = match command {
        Command::Call(call) => call.text()?,
        Command::Tools(_) => String::new(),
    };
    interrupt::install(false);
    let servers = block_on(interrupt::unless_raised(arguments.servers.start(arguments.stderr)))??;
    let outcome = match command {
        Command::Tools(_) => Ok(list(&servers)).and_then(|tools| {
            arguments.output.print(&tools)?;
            Ok(exit::SUCCESS)
        }),
        Command::Call(call) => call.run(&servers, &given),
    };
    block_on(servers.stop());
    outcome
}

fn list(servers: &McpServers) -> Tools {
    let tools = servers.tools().iter().map(|tool| ListedTool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        server: tool.server.clone(),
        input_schema: serde_json::from_str(&tool.input_schema).unwrap_or_default(),
    });
    Tools { tools: tools.collect() }
}

impl CallArguments {
    /// The text of the arguments.
    fn text(&self) -> Result<String, CliError> {
        match self.arguments.as_deref() {
            None => Ok(String::new()),
            Some("-") => input::standard_input(),
            Some(given) => match given.strip_prefix('@') {
                Some(file) => input::file(Path::new(file)),
                None => Ok(given.to_owned()),
            },
        }
    }

    fn run(&self, servers: &McpServers, arguments: &str) -> Result<u8, CliError> {
        let called = |text: String, is_error: bool| Called {
            name: self.name.clone(),
            text,
            is_error,
        };
        match block_on(interrupt::unless_raised(servers.call(&self.name, arguments)))? {
            Ok(text) => {
                self.common.output.print(&called(text, false))?;
                Ok(exit::SUCCESS)
            }
            Err(McpError::Tool { text }) => {
                self.common.output.print(&called(text, true))?;
                style::error("error: the tool reported an error");
                Ok(exit::TOOLS)
            }
            Err(error) => Err(error.into()),
        }
    }
}
