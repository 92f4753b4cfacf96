//! One line typed at a terminal that is not shown, for secrets.

use std::io::{self, BufRead, Read};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use whimbrel_client::network::SECRET_BYTES_MAX;

use crate::error::{CliError, exit};
use crate::terminal::{input, interrupt};

/// Reads a line from standard input, which must be a terminal. It shows what is typed again afterwards, also after Ctrl-C.
///
/// # Errors
/// [`CliError::StandardInput`].
pub(crate) fn read(prompt: &str) -> Result<String, CliError> {
    let failed = |error: nix::errno::Errno| CliError::StandardInput(error.into());
    let shown = tcgetattr(io::stdin()).map_err(failed)?;
    let mut hidden = shown.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    interrupt::install(false);
    let restored = shown.clone();
    let _guard = interrupt::on_raise(move || {
        show(&restored);
        std::process::exit(i32::from(exit::INTERRUPTED));
    });
    tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &hidden).map_err(failed)?;
    eprint!("{prompt}");
    let mut line = String::new();
    let read = io::stdin()
        .lock()
        .take(u64::from(SECRET_BYTES_MAX) + 3)
        .read_line(&mut line);
    show(&shown);
    eprintln!();
    read.map_err(CliError::StandardInput)?;
    Ok(input::without_last_line_break(line))
}

fn show(shown: &Termios) {
    if let Err(error) = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, shown) {
        log::warn!("the terminal may still hide what you type: {error}");
    }
}
