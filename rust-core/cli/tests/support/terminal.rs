//! The program at a terminal: what a person would see and type.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};

/// A program that says nothing more for so long hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// A program whose input and output are one terminal.
pub struct Terminal {
    child: Child,
    keys: File,
    shown: Receiver<Vec<u8>>,
    /// Everything so far.
    text: String,
    /// How much of it was waited for.
    seen: usize,
}

/// What the line editor sends when it begins to read a line: pasted text is to be told apart from typed text.
const PROMPT: &str = "\u{1b}[?2004h";

impl Terminal {
    /// Starts the program at a terminal of so many columns, without colour unless a test asks for it.
    pub fn new(command: &mut Command, columns: u16) -> Terminal {
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(Some(&size), None).unwrap();
        let end = |of: &OwnedFd| Stdio::from(of.as_fd().try_clone_to_owned().unwrap());
        if command.get_envs().all(|(name, _)| name != "TERM") {
            command.env("TERM", "xterm");
        }
        command
            .stdin(end(&pair.slave))
            .stdout(end(&pair.slave))
            .stderr(end(&pair.slave));
        let child = command.spawn().unwrap();
        // The program's end is the only one that keeps the terminal open.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        drop(pair.slave);
        let keys = File::from(pair.master);
        let mut from = keys.try_clone().unwrap();
        let (sender, shown) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading fails once the program has ended.
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal {
            child,
            keys,
            shown,
            text: String::new(),
            seen: 0,
        }
    }

    /// Waits until a line can be typed.
    pub fn wait_for_prompt(&mut self) -> String {
        self.wait_for(PROMPT)
    }

    /// Types keys; `\r` is the Enter key.
    pub fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Sends a signal, as the terminal of a shell does for Ctrl-C.
    pub fn signal(&self, signal: &str) {
        super::kill(signal, self.child.id());
    }

    /// Waits until this is shown after everything that was waited for before, and returns what came until then.
    pub fn wait_for(&mut self, words: &str) -> String {
        let from = self.seen;
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(found) = self.text[from..].find(words) {
                self.seen = from + found + words.len();
                return self.text[from..self.seen].to_owned();
            }
            match self.shown.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.text.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{words:?} was not shown ({error}): {}", self.text),
            }
        }
    }

    /// Waits for the program's end and returns its exit status.
    pub fn finish(mut self) -> (Option<i32>, String) {
        while let Ok(bytes) = self.shown.recv_timeout(LIMIT) {
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
        let status = self.child.wait().unwrap();
        (status.code(), std::mem::take(&mut self.text))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves it running.
        let _ = self.child.kill();
    }
}
