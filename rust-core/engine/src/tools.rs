//! Tools: functions of the app that the model may call in place of an answer, its calls, and what came of them. How a call is written is in
//! [`crate::template`], how a model is held to it in [`crate::generation`].

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{EngineError, Form};

/// The most tools that are offered at once.
pub const TOOLS_MAX: u32 = 128;
/// The longest name of a tool, in bytes.
pub const TOOL_NAME_BYTES_MAX: u32 = 64;

/// A function of the app that the model may call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// What the model calls it: at most [`TOOL_NAME_BYTES_MAX`] of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// A description for the model: what it does, and when to use it.
    pub description: String,
    /// The JSON Schema of its arguments, which are an object. What [`Form::JsonSchema`] does not support is refused.
    pub parameters: String,
}

/// A call by the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// A JSON object on one line.
    pub arguments: String,
}

/// A call and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolStep {
    /// What the model called.
    pub call: ToolCall,
    /// What it is told: a text, or JSON.
    pub result: String,
}

/// Whether a model calls a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As the model decides.
    #[default]
    Auto,
    /// It must not: it answers, with what the calls before gave.
    None,
    /// It must call one.
    Required,
}

/// The tools for an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolUse {
    /// What the model may call, at most [`TOOLS_MAX`] with different names.
    pub tools: Vec<Tool>,
    /// Whether it does.
    #[serde(default)]
    pub choice: ToolChoice,
    /// What it has called for this question, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<ToolStep>,
}

impl Tool {
    /// Checks that it can be offered.
    ///
    /// ```
    /// use whimbrel_engine::Tool;
    ///
    /// let tool = Tool {
    ///     name: "find_bird".into(),
    ///     description: "Finds a bird by its call.".into(),
    ///     parameters: r#"{"type": "object", "properties": {"call": {"type": "string"}}}"#.into(),
    /// };
    /// assert!(tool.validate().is_ok());
    /// assert!(Tool { name: "find bird".into(), ..tool }.validate().is_err());
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Tool`].
    pub fn validate(&self) -> Result<(), EngineError> {
        self.validate_name()?;
        let form = Form::JsonSchema(self.parameters.clone());
        form.validate().map_err(|error| self.failed(error.to_string()))
    }

    /// Checks the name, and that the parameters are a schema of an object.
    fn validate_name(&self) -> Result<(), EngineError> {
        if !is_name(&self.name) {
            return Err(self.failed(format!(
                "its name must have 1 to {TOOL_NAME_BYTES_MAX} letters, digits, `_` and `-`"
            )));
        }
        let schema: Option<Value> = serde_json::from_str(&self.parameters).ok();
        if schema.and_then(|schema| Some(schema.get("type")? == "object")) != Some(true) {
            return Err(self.failed(r#"its parameters must be a JSON Schema with "type": "object""#.into()));
        }
        Ok(())
    }

    fn failed(&self, reason: String) -> EngineError {
        EngineError::Tool {
            name: self.name.clone(),
            reason,
        }
    }
}

impl ToolUse {
    /// Checks that the tools can be offered together.
    ///
    /// # Errors
    /// [`EngineError::Tool`].
    pub fn validate(&self) -> Result<(), EngineError> {
        self.validate_names()?;
        self.tools.iter().try_for_each(Tool::validate)
    }

    /// As [`ToolUse::validate`], without a look into the schemas.
    pub(crate) fn validate_names(&self) -> Result<(), EngineError> {
        self.tools.iter().try_for_each(Tool::validate_name)?;
        for (index, tool) in self.tools.iter().enumerate() {
            if self.tools[..index].iter().any(|other| other.name == tool.name) {
                return Err(EngineError::Tool {
                    name: tool.name.clone(),
                    reason: "another tool has the same name".into(),
                });
            }
        }
        match self.tools.len() > TOOLS_MAX as usize {
            true => Err(EngineError::Option {
                option: "tools",
                expected: format!("at most {TOOLS_MAX}"),
                found: self.tools.len().to_string(),
            }),
            false => Ok(()),
        }
    }

    /// The tool with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// The tools as chat templates expect them, and servers too.
    pub(crate) fn listed(&self) -> Value {
        self.tools.iter().map(Tool::function).collect()
    }
}

impl Tool {
    fn function(&self) -> Value {
        let parameters: Value = serde_json::from_str(&self.parameters).unwrap_or_default();
        json!({
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": parameters},
        })
    }
}

impl ToolCall {
    /// The arguments as a value.
    pub(crate) fn arguments(&self) -> Value {
        serde_json::from_str(&self.arguments).unwrap_or_default()
    }
}

fn is_name(name: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=TOOL_NAME_BYTES_MAX as usize).contains(&name.len()) && name.bytes().all(is_of_name)
}
