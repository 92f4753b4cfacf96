//! The file of `--state`, which a chat goes on from and is written back to at its end. Another program may write to it meanwhile; what it
//! wrote stays.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use whimbrel_client::block_on;

use super::Chat;
use crate::error::CliError;
use crate::terminal::style;
use crate::terminal::words::counted;

/// A file as it was when the chat began.
pub(super) struct StateFile<'p> {
    path: &'p Path,
    found: Option<Stamp>,
}

/// What changes when a file is written or replaced: inode, length, and time of change in seconds and nanoseconds.
type Stamp = (u64, u64, i64, i64);

impl<'p> StateFile<'p> {
    pub(super) fn look(path: &'p Path) -> StateFile<'p> {
        StateFile {
            path,
            found: stamp(path),
        }
    }

    /// The file, if there is one to go on from.
    pub(super) fn existing(&self) -> Option<&Path> {
        self.found.map(|_| self.path)
    }

    /// Where the chat is to be written: the file itself, or the first free `NAME.2`, `NAME.3` … when it is no longer what it was.
    pub(super) fn place(&self) -> PathBuf {
        if stamp(self.path) == self.found {
            return self.path.to_owned();
        }
        let numbered = |number: u32| {
            let mut name = self.path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        let free = (2..).map(numbered).find(|path| fs::symlink_metadata(path).is_err());
        free.expect("a folder has fewer files than there are numbers")
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((found.ino(), found.len(), found.ctime(), found.ctime_nsec()))
}

impl Chat<'_> {
    /// Goes on with the conversation in a file, if it is there.
    pub(super) fn resume(&self, state: &StateFile<'_>) -> Result<(), CliError> {
        let Some(existing) = state.existing() else {
            style::note(&format!(
                "[a new conversation; it will be saved to {} at the end]",
                state.path.display()
            ));
            return Ok(());
        };
        block_on(self.conversation.restore(existing))?;
        if let Some(system) = &self.arguments.system {
            // The file has a system message of its own; what was given now holds from the next question on.
            self.conversation.set_system(Some(system.clone()))?;
        }
        let messages = counted(self.conversation.messages().len() as u64, "message");
        style::note(&format!("[continuing {}: {messages} so far]", state.path.display()));
        Ok(())
    }

    /// Writes the conversation back, or beside the file that another program wrote meanwhile.
    pub(super) fn keep(&self, state: &StateFile<'_>) -> Result<(), CliError> {
        let place = state.place();
        block_on(self.conversation.save(&place))?;
        if place != state.path {
            style::note(&format!(
                "[another program changed {}; this chat is saved to {}]",
                state.path.display(),
                place.display()
            ));
        }
        Ok(())
    }
}
