//! What the line editor of a chat knows: several lines for one question, Tab, and the colour of the prompt.

use std::borrow::Cow;

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::{settings, slash};
use crate::models::completion::installed_here;
use crate::terminal::style;

/// What a line ends with that goes on in the next one.
const GOES_ON: char = '\\';

/// See the module.
pub(super) struct Editing {
    files: FilenameCompleter,
}

impl Editing {
    pub(super) fn new() -> Editing {
        Editing {
            files: FilenameCompleter::new(),
        }
    }
}

/// The question without the marks that it goes on.
pub(super) fn joined(lines: &str) -> String {
    lines.replace("\\\n", "\n")
}

impl Helper for Editing {}

impl Hinter for Editing {
    type Hint = String;
}

impl Validator for Editing {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match context.input().ends_with(GOES_ON) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

impl Highlighter for Editing {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        Cow::Owned(style::prompt(prompt))
    }
}

impl Completer for Editing {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, context: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Some(typed) = line[..position].strip_prefix('/') else {
            return Ok((position, Vec::new()));
        };
        let Some((word, argument)) = typed.split_once(' ') else {
            return Ok((1, fitting(typed, slash::WORDS.map(str::to_owned).to_vec())));
        };
        let start = position - argument.len();
        match word {
            "save" => self.files.complete(line, position, context),
            "model" => Ok((start, fitting(argument, installed_here()))),
            "set" => Ok((start, fitting(argument, settings::NAMES.map(str::to_owned).to_vec()))),
            _ => Ok((position, Vec::new())),
        }
    }
}

fn fitting(typed: &str, words: Vec<String>) -> Vec<Pair> {
    let fitting = words.into_iter().filter(|word| word.starts_with(typed));
    fitting
        .map(|word| Pair {
            replacement: format!("{word} "),
            display: word,
        })
        .collect()
}
