//! What a line that begins with `/` asks for.

use std::path::PathBuf;

use crate::error::CliError;

/// What `/help` shows.
pub(super) const HELP: &str = "\
/help             this list
/redo             answer the last question again
/set              show how answers are made
/set NAME VALUE   change that: temperature, top-p, seed, max-tokens, thinking, …
/model            show this model and the installed ones
/model NAME       continue with another model
/system TEXT      set the system message
/reset            forget the conversation, keep the system message
/stats            show counts and rates of the last answer
/save FILE        write the conversation as JSON
/quit             leave, like Ctrl-D
A question may have several lines: end a line with \\ to continue, or paste them.
Put a space in front of a question that starts with /. Tab completes commands, names and files.";

/// What it shows besides where a policy decides.
pub(super) const HELP_POLICY: &str = "\
/elsewhere        answer the last question again, somewhere else
/good /bad        rate the last answer, so that Whimbrel learns from it
/why              show the rules that decided about the last answer
/why TEXT         show what the policy would decide about a question";

/// The words behind the slash, for completion.
pub(super) const WORDS: [&str; 14] = [
    "bad",
    "elsewhere",
    "good",
    "help",
    "model",
    "quit",
    "redo",
    "reset",
    "save",
    "set",
    "stats",
    "system",
    "why",
    "exit",
];

/// A command inside a chat.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slash {
    Help,
    Reset,
    Stats,
    Save(PathBuf),
    System(String),
    /// A name and its new value, or all values.
    Set(Option<(String, String)>),
    /// Another model, or which it is.
    Model(Option<String>),
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
        matches!(self, Slash::Elsewhere | Slash::Good | Slash::Bad | Slash::Why(_))
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
        let given = || (!argument.is_empty()).then(|| argument.to_owned());
        let lacks = |what: &str| CliError::usage(format!("/{word} needs {what}"), "/help shows the commands");
        Ok(Some(match word {
            "help" => Slash::Help,
            "reset" => Slash::Reset,
            "stats" => Slash::Stats,
            "save" => Slash::Save(given().ok_or_else(|| lacks("a file"))?.into()),
            "system" => Slash::System(given().ok_or_else(|| lacks("a text"))?),
            "set" => Slash::Set(match argument.split_once(char::is_whitespace) {
                Some((name, value)) => Some((name.to_owned(), value.trim().to_owned())),
                None if argument.is_empty() => None,
                None => return Err(lacks("a name and a value")),
            }),
            "model" => Slash::Model(given()),
            "redo" => Slash::Redo,
            "elsewhere" => Slash::Elsewhere,
            "good" => Slash::Good,
            "bad" => Slash::Bad,
            "why" => Slash::Why(given()),
            "quit" | "exit" => Slash::Quit,
            _ => {
                return Err(CliError::usage(
                    "no such command",
                    "/help shows the commands; put a space in front of a question that starts with /",
                ));
            }
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
            ("/set", Some(Slash::Set(None))),
            (
                "/set top-p  0.5",
                Some(Slash::Set(Some(("top-p".to_owned(), "0.5".to_owned())))),
            ),
            ("/model", Some(Slash::Model(None))),
            ("/model tiny", Some(Slash::Model(Some("tiny".to_owned())))),
            ("/why", Some(Slash::Why(None))),
            ("/why  is it so?", Some(Slash::Why(Some("is it so?".to_owned())))),
            ("/quit", Some(Slash::Quit)),
            ("/exit", Some(Slash::Quit)),
        ] {
            assert_eq!(Slash::parse(line).expect("valid"), expected, "{line}");
        }
        for line in ["/", "/leave", "/save", "/system ", "/set seed"] {
            assert!(Slash::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn every_word_is_a_command() {
        for word in WORDS {
            assert!(Slash::parse(&format!("/{word} a b")).is_ok(), "{word}");
        }
    }
}
