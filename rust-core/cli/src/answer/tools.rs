//! The tools of MCP servers while a model answers: what it is offered, and a person's word before a call is carried out.

use tokio::sync::Notify;
use whimbrel_client::policy::ToolPermission;
use whimbrel_client::privacy::PrivacyClass;
use whimbrel_client::{PendingCall, Tool, ToolChoice, ToolOptions, ToolResult, block_on};

use crate::arguments::tools::ToolArguments;
use crate::error::CliError;
use crate::mcp::{McpError, McpServers};
use crate::terminal::{confirm, input, interrupt, style};

/// The longest call that a person can be asked about, in characters: all of it is shown.
const ASKED_CHARACTERS_MAX: usize = 4_000;

/// See the module.
pub(crate) struct ServedTools {
    servers: McpServers,
}

impl ServedTools {
    /// Starts the servers that are named, if any are.
    ///
    /// # Errors
    /// [`CliError::Mcp`], [`CliError::Interrupted`].
    pub(crate) fn start(arguments: &ToolArguments) -> Result<Option<ServedTools>, CliError> {
        if arguments.servers.mcp.is_empty() {
            return Ok(None);
        }
        let servers = block_on(interrupt::unless_raised(arguments.servers.start(false)))??;
        Ok(Some(ServedTools { servers }))
    }

    /// What the model is offered. Tools that it cannot be held to are left out, which is said.
    pub(crate) fn options(&self, arguments: &ToolArguments) -> ToolOptions {
        let permission = match arguments.allow_tools {
            true => ToolPermission::Always,
            false => ToolPermission::Confirm,
        };
        let tools = self.servers.tools().iter().map(|tool| Tool {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.input_schema.clone(),
            permission,
            result_class: PrivacyClass::Public,
        });
        let can_be_offered = |tool: &Tool| match tool.validate() {
            Ok(()) => true,
            Err(error) => {
                style::note(&format!("[not offered: {error}]"));
                false
            }
        };
        let defaults = ToolOptions::default();
        ToolOptions {
            tools: tools.filter(can_be_offered).collect(),
            choice: match arguments.require_tool {
                true => ToolChoice::Required,
                false => ToolChoice::Auto,
            },
            calls_max: arguments.tool_calls.unwrap_or(defaults.calls_max),
            // A person may think for a while, and the servers have limits of their own.
            result_ms_max: 3_600_000,
        }
    }

    /// Carries out a call, if a person allows it where one must be asked. `raised` is notified when Ctrl-C is pressed.
    ///
    /// # Errors
    /// [`CliError::StandardInput`].
    pub(crate) fn carry_out(&self, call: &PendingCall, raised: &Notify) -> Result<ToolResult, CliError> {
        let shown = format!("{} {}", call.name, visible(&call.arguments));
        if !call.must_confirm {
            style::note(&format!("[{shown}]"));
        } else if input::is_piped() {
            style::note(&format!(
                "[{shown}: not allowed; --allow-tools allows calls without asking]"
            ));
            return Ok(ToolResult::Refused);
        } else if shown.chars().count() > ASKED_CHARACTERS_MAX {
            let name = &call.name;
            style::note(&format!(
                "[{name}: not allowed; its arguments are too long to be asked about]"
            ));
            return Ok(ToolResult::Refused);
        } else if !confirm::ask(&format!("Run {shown}?"))? || interrupt::is_raised() {
            return Ok(ToolResult::Refused);
        }
        let called = async {
            tokio::select! {
                biased;
                () = raised.notified() => None,
                called = self.servers.call(&call.name, &call.arguments) => Some(called),
            }
        };
        Ok(match block_on(called) {
            Some(Ok(text)) => ToolResult::Done(text),
            Some(Err(error)) => {
                if !matches!(error, McpError::Tool { .. }) {
                    style::note(&format!("[{}: {error}]", call.name));
                }
                ToolResult::Failed(error.for_model())
            }
            None => ToolResult::Refused,
        })
    }

    /// Ends the servers.
    pub(crate) fn stop(self) {
        block_on(self.servers.stop());
    }
}

/// A text in which everything is seen: what controls a terminal or the direction of text, or takes no room, as its number.
fn visible(text: &str) -> String {
    let is_hidden = |character: char| {
        let takes_no_room = matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        );
        character.is_control() || takes_no_room
    };
    let shown = text.chars().map(|character| match is_hidden(character) {
        true => character.escape_unicode().to_string(),
        false => character.to_string(),
    });
    shown.collect()
}
