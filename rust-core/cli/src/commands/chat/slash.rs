//! What a line that begins with `/` asks for.

use std::path::PathBuf;

use crate::error::CliError;

/// What `/help` shows.
pub(super) const HELP: &str = "\
/help         this list
/reset        forget the conversation, keep the system message
/stats        counts and rates of the last answer
/save FILE    write the conversation as JSON
/system TEXT  set the system message
/quit         leave, like Ctrl-D
A question that begins with / is written with a space in front.";

/// A command inside a chat.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slash {
    Help,
    Reset,
    Stats,
    Save(PathBuf),
    System(String),
    Quit,
}

impl Slash {
    /// `None` when the line is a question.
    ///
    /// # Errors
    /// [`CliError::Usage`] for an unknown command or a missing argument.
    pub(super) fn parse(line: &str) -> Result<Option<Slash>, CliError> {
        let Some(rest) = line.strip_prefix('/') else {
            return Ok(None);
        };
        let (word, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let argument = argument.trim();
        let lacks = |what: &str| CliError::usage(format!("/{word} needs {what}"), "/help");
        Ok(Some(match word {
            "help" => Slash::Help,
            "reset" => Slash::Reset,
            "stats" => Slash::Stats,
            "save" if argument.is_empty() => return Err(lacks("a file")),
            "save" => Slash::Save(argument.into()),
            "system" if argument.is_empty() => return Err(lacks("a text")),
            "system" => Slash::System(argument.to_owned()),
            "quit" => Slash::Quit,
            _ => return Err(CliError::usage("no such command", "/help shows the commands")),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_questions_or_commands() {
        for (line, expected) in [
            ("What is /help?", None),
            (" /help", None),
            ("/help", Some(Slash::Help)),
            ("/reset ", Some(Slash::Reset)),
            ("/save a b.json", Some(Slash::Save("a b.json".into()))),
            ("/system  Be brief. ", Some(Slash::System("Be brief.".to_owned()))),
            ("/quit", Some(Slash::Quit)),
        ] {
            assert_eq!(Slash::parse(line).expect("valid"), expected, "{line}");
        }
        for line in ["/", "/exit", "/save", "/system "] {
            assert!(Slash::parse(line).is_err(), "{line}");
        }
    }
}
