//! Which tools a model may call, and how.

use crate::arguments::mcp::McpArguments;
use crate::arguments::number;

/// The flags for tools.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct ToolArguments {
    #[command(flatten)]
    pub(crate) servers: McpArguments,
    /// Carry out calls of tools without asking
    #[arg(long, requires = "mcp")]
    pub(crate) allow_tools: bool,
    /// The model must call a tool before it answers
    #[arg(long, requires = "mcp")]
    pub(crate) require_tool: bool,
    /// The most calls for an answer [default: 8]
    #[arg(long, value_name = "N", requires = "mcp", value_parser = number::whole::<u32>(1..=64))]
    pub(crate) tool_calls: Option<u32>,
}
