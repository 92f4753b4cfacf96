//! The flags of `run` for the form that an answer must have.

use std::path::{Path, PathBuf};

use whimbrel_engine::{EngineError, Form};

use crate::error::CliError;
use crate::terminal::input;

/// The form of the answer; at most one.
#[derive(clap::Args, Clone, Debug)]
#[group(multiple = false)]
pub(crate) struct FormArguments {
    /// Answer with JSON that is valid by the JSON Schema in this file
    #[arg(long, value_name = "FILE", help_heading = "Form of the answer")]
    json_schema: Option<PathBuf>,
    /// Answer with one of these texts
    #[arg(
        long,
        value_name = "A,B,…",
        value_delimiter = ',',
        allow_hyphen_values = true,
        help_heading = "Form of the answer"
    )]
    choice: Option<Vec<String>>,
    /// Answer with a text that this regular expression matches as a whole
    #[arg(
        long,
        value_name = "EXPRESSION",
        allow_hyphen_values = true,
        help_heading = "Form of the answer"
    )]
    regex: Option<String>,
    /// Answer with a text of the grammar in this file, in llguidance's variant of Lark
    #[arg(long, value_name = "FILE", help_heading = "Form of the answer")]
    grammar: Option<PathBuf>,
}

impl FormArguments {
    /// The form, if there is one. It can be used.
    ///
    /// # Errors
    /// With the file or the flag, and the place in it.
    pub(crate) fn form(&self) -> Result<Option<Form>, CliError> {
        let (form, file) = match (&self.json_schema, &self.grammar) {
            (Some(file), _) => (Form::JsonSchema(input::file(file)?), Some(file)),
            (_, Some(file)) => (Form::Grammar(input::file(file)?), Some(file)),
            _ => match (&self.choice, &self.regex) {
                (Some(choices), _) => (Form::Choice(choices.clone()), None),
                (_, Some(expression)) => (Form::Regex(expression.clone()), None),
                _ => return Ok(None),
            },
        };
        form.validate()
            .map_err(|error| refused(error, file.map(PathBuf::as_path)))?;
        Ok(Some(form))
    }
}

fn refused(error: EngineError, file: Option<&Path>) -> CliError {
    match file {
        Some(path) => CliError::InputInvalid {
            path: path.to_owned(),
            reason: error.to_string(),
        },
        None => error.into(),
    }
}
