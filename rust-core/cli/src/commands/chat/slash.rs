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

/// What it shows besides where a policy decides.
pub(super) const HELP_POLICY: &str = "\
/redo         answer the last question again
/elsewhere    answer the last question again, somewhere else
/good /bad    say what the last answer was like, to learn from
/why          the rules that the last answer went by
/why TEXT     what would be decided about a question";

/// A command inside a chat.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slash {
    Help,
    Reset,
    Stats,
    Save(PathBuf),
    System(String),
    Redo,
    Elsewhere,
    Good,
    Bad,
    /// About this question, or the last answer.
    Why(Option<String>),
    Quit,
}

impl Slash {
    /// Whether it is about decisions and receipts.
    pub(super) fn needs_policy(&self) -> bool {
        match self {
            Slash::Redo | Slash::Elsewhere | Slash::Good | Slash::Bad | Slash::Why(_) => true,
            Slash::Help | Slash::Reset | Slash::Stats | Slash::Save(_) | Slash::System(_) | Slash::Quit => false,
        }
    }

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
            "redo" => Slash::Redo,
            "elsewhere" => Slash::Elsewhere,
            "good" => Slash::Good,
            "bad" => Slash::Bad,
            "why" => Slash::Why((!argument.is_empty()).then(|| argument.to_owned())),
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
            ("/why", Some(Slash::Why(None))),
            ("/why  is it so?", Some(Slash::Why(Some("is it so?".to_owned())))),
            ("/quit", Some(Slash::Quit)),
        ] {
            assert_eq!(Slash::parse(line).expect("valid"), expected, "{line}");
        }
        for line in ["/", "/exit", "/save", "/system "] {
            assert!(Slash::parse(line).is_err(), "{line}");
        }
    }
}
