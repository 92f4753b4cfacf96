//! Wrong arguments: what clap says about them becomes one line, with one hint that belongs to the command that was meant.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue};

use crate::commands::Arguments;
use crate::error::CliError;

/// The error for arguments that clap refused. `given` are the arguments behind the program's name.
pub(crate) fn refused(error: &clap::Error, given: &[String]) -> CliError {
    let text = error.render().to_string();
    // The paragraphs behind the first one are tips and usage, which the hint replaces.
    let first = text.split("\n\n").next().unwrap_or(&text);
    let message = match first.strip_prefix("error: ") {
        Some(message) => message.split_whitespace().collect::<Vec<_>>().join(" "),
        // Without a command clap renders the help.
        None => "a command is missing".to_owned(),
    };
    CliError::usage(message, hint(error, given))
}

/// The name that was probably meant, or else where the command's flags are listed.
fn hint(error: &clap::Error, given: &[String]) -> String {
    let command = command_line(given);
    if let Some(name) = suggestion(error, ContextKind::SuggestedSubcommand) {
        return format!("did you mean `{command} {name}`?");
    }
    let similar =
        suggestion(error, ContextKind::SuggestedArg).or_else(|| suggestion(error, ContextKind::SuggestedValue));
    if let Some(name) = similar {
        return format!("did you mean `{name}`?");
    }
    let takes_text = command.ends_with(" run") || command.ends_with(" chat");
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) if takes_text && !word.starts_with('-') => {
            "put quotes around a text of several words: whimbrel run \"What is light?\"".to_owned()
        }
        _ => format!("`{command} --help` lists its arguments"),
    }
}

/// The closest of the names that clap suggests.
fn suggestion(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(name) => Some(name.clone()),
        ContextValue::Strings(names) => names.last().cloned(),
        _ => None,
    }
}

/// The program and those of its commands that were named: `whimbrel models pull`.
fn command_line(given: &[String]) -> String {
    let mut command = Arguments::command();
    let mut line = command.get_name().to_owned();
    for word in given {
        match command.find_subcommand(word).cloned() {
            Some(found) => {
                line = format!("{line} {}", found.get_name());
                command = found;
            }
            None if word.starts_with('-') => {}
            None => break,
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn one_error_has_one_hint_for_the_command_that_was_meant() {
        let check = |line: &str, expected: &str| {
            let given: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let parsed = Arguments::try_parse_from(std::iter::once("whimbrel".to_owned()).chain(given.clone()));
            let report = refused(&parsed.expect_err("refused"), &given).report();
            assert_eq!(report.line(), expected);
        };
        check(
            "run --promt x",
            "error: unexpected argument '--promt' found (hint: did you mean `--prompt`?)",
        );
        check(
            "chatt",
            "error: unrecognized subcommand 'chatt' (hint: did you mean `whimbrel chat`?)",
        );
        check(
            "models pul x",
            "error: unrecognized subcommand 'pul' (hint: did you mean `whimbrel models pull`?)",
        );
        check(
            "import x.gguf",
            "error: the following required arguments were not provided: --output <FOLDER> \
             (hint: `whimbrel import --help` lists its arguments)",
        );
        check(
            "run tiny what is light",
            "error: unexpected argument 'is' found (hint: put quotes around a text of several words: whimbrel run \"What is light?\")",
        );
        check(
            "import x --output y --quantization q4",
            "error: invalid value 'q4' for '--quantization <TYPE>' [possible values: keep, q8_0, q6_k, q5_0, q4_k, q4_1, q4_0, iq4_nl, \
             f16, f32] \
             (hint: did you mean `q4_0`?)",
        );
        check(
            "run --temperature warm x",
            "error: invalid value 'warm' for '--temperature <T>': must be a number from 0 to 100 \
             (hint: `whimbrel run --help` lists its arguments)",
        );
        check(
            "ledger show one",
            "error: invalid value 'one' for '<ID>': must be a whole number from 0 to 18446744073709551615 \
             (hint: `whimbrel ledger show --help` lists its arguments)",
        );
    }
}
