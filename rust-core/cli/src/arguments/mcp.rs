//! Which MCP servers give a model their tools.

use std::time::Duration;

use crate::arguments::number;
use crate::mcp::{McpError, McpOptions, McpServers};

/// The flags for servers.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct McpArguments {
    /// The command of an MCP server, as one text: "npx -y NAME"; can be repeated
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    pub(crate) mcp: Vec<String>,
    /// How long a server may take to start, and a tool to answer [default: 30 and 60]
    #[arg(long, value_name = "S", requires = "mcp", value_parser = number::whole::<u64>(1..=3600))]
    pub(crate) mcp_timeout: Option<u64>,
}

impl McpArguments {
    /// Starts the servers.
    ///
    /// # Errors
    /// Those of [`McpServers::start`].
    pub(crate) async fn start(&self, shows_stderr: bool) -> Result<McpServers, McpError> {
        let defaults = McpOptions::default();
        let timeout = self.mcp_timeout.map(Duration::from_secs);
        let options = McpOptions {
            start_max: timeout.unwrap_or(defaults.start_max),
            call_max: timeout.unwrap_or(defaults.call_max),
            shows_stderr,
        };
        McpServers::start(&self.mcp, options).await
    }
}
