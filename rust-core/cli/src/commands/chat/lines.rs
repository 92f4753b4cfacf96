//! Where the lines of a chat come from: an editor with a history when a person types, plain lines when they are piped in.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Stdin, Write};
use std::path::{Path, PathBuf};

use rustyline::error::ReadlineError;
use rustyline::history::{History, MemHistory};
use rustyline::{CompletionType, Config, Editor};
use whimbrel_client::PROMPT_BYTES_MAX;
use whimbrel_files::{Existing, Readers};

use super::editor::{Editing, joined};
use crate::error::CliError;
use crate::machine::paths;
use crate::terminal::{input, interrupt, output, style};

/// What stands before a question.
const PROMPT: &str = "> ";
/// Stands for a line break inside a question in the file, which has a line a question.
const LINE_SEPARATOR: &str = "\u{2028}";
/// Questions that the history keeps.
const HISTORY_LINES_MAX: usize = 1000;

/// The source of the lines.
pub(super) enum Lines {
    Terminal {
        editor: Box<Editor<Editing, MemHistory>>,
        history: Option<PathBuf>,
    },
    Piped {
        reader: BufReader<Stdin>,
        /// Whether the next line is the first, before which a byte order mark may stand.
        is_first: bool,
    },
}

impl Lines {
    /// An editor when standard input is a terminal. `keeps_history` reads and extends the file with earlier questions.
    pub(super) fn open(keeps_history: bool) -> Result<Lines, CliError> {
        if input::is_piped() {
            return Ok(Lines::Piped {
                reader: BufReader::new(io::stdin()),
                is_first: true,
            });
        }
        let config = Config::builder()
            .max_history_size(HISTORY_LINES_MAX)
            .map_err(failed)?
            .completion_type(CompletionType::List)
            .build();
        let mut editor = Editor::with_history(config.clone(), MemHistory::with_config(&config)).map_err(failed)?;
        editor.set_helper(Some(Editing::new()));
        let history = paths::chat_history().filter(|_| keeps_history);
        if let Some(path) = &history {
            for line in earlier_questions(path) {
                editor.history_mut().add(&line).map_err(failed)?;
            }
        }
        Ok(Lines::Terminal {
            editor: Box::new(editor),
            history,
        })
    }

    pub(super) fn is_terminal(&self) -> bool {
        matches!(self, Lines::Terminal { .. })
    }

    /// The next line, without its end; `None` at the end of input.
    ///
    /// # Errors
    /// [`CliError::StandardInput`]; [`CliError::Usage`] for a line over the client's limit.
    pub(super) fn next(&mut self) -> Result<Option<String>, CliError> {
        match self {
            Lines::Piped { reader, is_first } => {
                let line = piped_line(reader)?;
                match std::mem::take(is_first) {
                    true => Ok(line.map(input::without_byte_order_mark)),
                    false => Ok(line),
                }
            }
            Lines::Terminal { editor, history } => loop {
                match editor.readline(PROMPT) {
                    Ok(line) => {
                        let question = joined(&line);
                        remember(editor, history.as_ref(), &question)?;
                        return Ok(Some(question));
                    }
                    Err(ReadlineError::Interrupted) => {
                        interrupt::reset();
                        style::note("[Ctrl-D or /quit leaves]");
                    }
                    Err(ReadlineError::Eof) => return Ok(None),
                    Err(error) => return Err(failed(error)),
                }
            },
        }
    }
}

fn piped_line(reader: &mut BufReader<Stdin>) -> Result<Option<String>, CliError> {
    let mut bytes = Vec::new();
    reader
        .take(PROMPT_BYTES_MAX + 2)
        .read_until(b'\n', &mut bytes)
        .map_err(CliError::StandardInput)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() as u64 > PROMPT_BYTES_MAX + 1 {
        let message = format!("a question has more than {}", output::bytes(PROMPT_BYTES_MAX));
        return Err(CliError::Usage { message, hint: None });
    }
    let line = String::from_utf8(bytes).map_err(|_| CliError::InputInvalid {
        path: "standard input".into(),
        reason: "not UTF-8".to_owned(),
    })?;
    Ok(Some(input::without_last_line_break(line)))
}

/// Adds a line to the history and to its file, which only its owner may read.
fn remember(editor: &mut Editor<Editing, MemHistory>, file: Option<&PathBuf>, line: &str) -> Result<(), CliError> {
    let added = editor.add_history_entry(line).map_err(failed)?;
    if let Some(path) = file.filter(|_| added)
        && let Err(error) = append(path, line)
    {
        log::warn!("the history cannot be written: {error}");
    }
    Ok(())
}

/// The last questions in the file, oldest first; a file that grew too long is cut to them. Without a readable file there are none: a
/// chat without its history is better than no chat.
fn earlier_questions(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    let kept = &all[all.len().saturating_sub(HISTORY_LINES_MAX)..];
    if kept.len() < all.len()
        && let Err(error) = whimbrel_files::write(
            path,
            Existing::Replace,
            Readers::Owner,
            (kept.join("\n") + "\n").as_bytes(),
        )
    {
        log::warn!("the history cannot be shortened: {error}");
    }
    kept.iter().map(|line| line.replace(LINE_SEPARATOR, "\n")).collect()
}

fn append(path: &PathBuf, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)?
        .write_all(format!("{}\n", line.replace('\n', LINE_SEPARATOR)).as_bytes())
}

fn failed(error: ReadlineError) -> CliError {
    CliError::StandardInput(match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    })
}
