//! Tools: functions of the app that the model may call before it answers.

use whimbrel_client as client;
use whimbrel_client::policy;

use crate::{CoreError, PrivacyClass};

/// A function of the app that the model may call.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Tool {
    /// What the model calls it: at most 64 of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// A description for the model: what it does, and when to use it.
    pub description: String,
    /// The JSON Schema of its arguments, an object. A keyword that cannot be enforced is refused by name.
    pub parameters: String,
    /// Whether a person is asked before it runs. The default is `Confirm`. A policy may be stricter, and the app's policy may also be less strict.
    #[uniffi(default = None)]
    pub permission: Option<ToolPermission>,
    /// How private what it gives is at least. The default is `Public`. Findings in a result can only raise it.
    #[uniffi(default = None)]
    pub result_class: Option<PrivacyClass>,
}

/// Whether a tool runs when the model calls it.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum ToolPermission {
    /// It runs without asking.
    Always,
    /// A person is asked each time.
    Confirm,
    /// It does not run.
    Never,
}

/// Whether the model calls a tool.
#[derive(Clone, Copy, Debug, uniffi::Enum)]
pub enum ToolChoice {
    /// As it decides.
    Auto,
    /// It must not.
    None,
    /// It must call one first.
    Required,
}

/// The tools for a question.
#[derive(Clone, Debug, uniffi::Record)]
pub struct ToolOptions {
    /// What the model may call, with different names.
    #[uniffi(default = [])]
    pub tools: Vec<Tool>,
    /// Whether it has to. The default is `Auto`.
    #[uniffi(default = None)]
    pub choice: Option<ToolChoice>,
    /// How many calls the answer may take, at most 64. Then the model answers with what it has.
    #[uniffi(default = 8)]
    pub calls_max: u32,
    /// How long each call is waited for in milliseconds, with the person's answer where one is asked.
    #[uniffi(default = 120_000)]
    pub result_ms_max: u64,
}

/// A call that waits for its result.
#[derive(Clone, Debug, uniffi::Record)]
pub struct PendingCall {
    /// Its number, which no other call of the process has.
    pub id: u32,
    /// The tool.
    pub name: String,
    /// A JSON object that has the form of the tool's parameters.
    pub arguments: String,
    /// Whether a person must be asked before the function runs.
    pub must_confirm: bool,
}

/// What came of a call.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum ToolResult {
    /// What the function gave: a text, or JSON.
    Done {
        /// At most 64 KiB.
        text: String,
    },
    /// The function failed.
    Failed {
        /// Why, for the model.
        reason: String,
    },
    /// The person did not allow it.
    Refused,
}

/// A call as the report has it.
#[derive(Clone, Debug, uniffi::Record)]
pub struct CallReport {
    /// The tool.
    pub name: String,
    /// How it ended.
    pub end: CallEnd,
    /// The receipt of the round that called it. Absent without a policy.
    pub receipt: Option<u64>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum CallEnd {
    /// The function ran.
    Done,
    /// The function failed.
    Failed,
    /// The person did not allow it.
    Refused,
    /// The policy does not allow it.
    NotAllowed,
    /// It took too long.
    TimedOut,
    /// There were too many calls before it.
    TooMany,
    /// The app gave no result.
    Dropped,
}

/// Checks that a tool can be offered.
#[uniffi::export]
pub fn validate_tool(tool: Tool) -> Result<(), CoreError> {
    Ok(client::Tool::from(tool).validate()?)
}

impl From<Tool> for client::Tool {
    fn from(from: Tool) -> Self {
        client::Tool {
            name: from.name,
            description: from.description,
            parameters: from.parameters,
            permission: match from.permission {
                None | Some(ToolPermission::Confirm) => policy::ToolPermission::Confirm,
                Some(ToolPermission::Always) => policy::ToolPermission::Always,
                Some(ToolPermission::Never) => policy::ToolPermission::Never,
            },
            result_class: from.result_class.map(Into::into).unwrap_or_default(),
        }
    }
}

impl From<ToolOptions> for client::ToolOptions {
    fn from(from: ToolOptions) -> Self {
        client::ToolOptions {
            tools: from.tools.into_iter().map(Into::into).collect(),
            choice: match from.choice {
                None | Some(ToolChoice::Auto) => client::ToolChoice::Auto,
                Some(ToolChoice::None) => client::ToolChoice::None,
                Some(ToolChoice::Required) => client::ToolChoice::Required,
            },
            calls_max: from.calls_max,
            result_ms_max: from.result_ms_max,
        }
    }
}

impl From<client::PendingCall> for PendingCall {
    fn from(from: client::PendingCall) -> Self {
        PendingCall {
            id: from.id,
            name: from.name,
            arguments: from.arguments,
            must_confirm: from.must_confirm,
        }
    }
}

impl From<ToolResult> for client::ToolResult {
    fn from(from: ToolResult) -> Self {
        match from {
            ToolResult::Done { text } => client::ToolResult::Done(text),
            ToolResult::Failed { reason } => client::ToolResult::Failed(reason),
            ToolResult::Refused => client::ToolResult::Refused,
        }
    }
}

impl From<&client::CallReport> for CallReport {
    fn from(from: &client::CallReport) -> Self {
        CallReport {
            name: from.name.clone(),
            end: match from.end {
                client::CallEnd::Done => CallEnd::Done,
                client::CallEnd::Failed => CallEnd::Failed,
                client::CallEnd::Refused => CallEnd::Refused,
                client::CallEnd::NotAllowed => CallEnd::NotAllowed,
                client::CallEnd::TimedOut => CallEnd::TimedOut,
                client::CallEnd::TooMany => CallEnd::TooMany,
                client::CallEnd::Dropped => CallEnd::Dropped,
            },
            receipt: from.receipt.map(|receipt| receipt.0),
        }
    }
}
