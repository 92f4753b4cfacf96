//! Ctrl-C: a flag that long work looks at, and one action that runs at once (cancelling an answer).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

use crate::error::{CliError, exit};

static RAISED: AtomicBool = AtomicBool::new(false);
static PATIENT: AtomicBool = AtomicBool::new(false);
static BEFORE_END: OnceLock<fn()> = OnceLock::new();
static ACTION: Mutex<Option<Box<dyn Fn() + Send>>> = Mutex::new(None);

/// Catches Ctrl-C from now on. A second one ends the program at once. A patient program (`chat`) is only ended by one that finds
/// no answer to stop.
pub(crate) fn install(patient: bool) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    PATIENT.store(patient, Ordering::SeqCst);
    INSTALLED.get_or_init(|| {
        // Without a handler Ctrl-C still ends the program, only less politely.
        if let Err(error) = ctrlc::set_handler(raise) {
            log::warn!("Ctrl-C cannot be caught: {error}");
        }
    });
}

fn raise() {
    let action = ACTION.lock().unwrap_or_else(PoisonError::into_inner);
    let raised = RAISED.swap(true, Ordering::SeqCst);
    let patient = PATIENT.load(Ordering::SeqCst);
    match &*action {
        Some(action) if patient || !raised => action(),
        None if !patient && !raised => {}
        // Pressed twice, or while a chat waits for the next question.
        _ => {
            if let Some(action) = BEFORE_END.get() {
                action();
            }
            std::process::exit(i32::from(exit::INTERRUPTED))
        }
    }
}

/// What still happens when Ctrl-C ends the program at once. Only the first call counts.
pub(crate) fn before_end(action: fn()) {
    BEFORE_END.get_or_init(|| action);
}

/// What Ctrl-C does besides raising the flag, until the guard is dropped. Runs at once when the flag is already raised.
pub(crate) fn on_raise(action: impl Fn() + Send + 'static) -> Guard {
    let mut slot = ACTION.lock().unwrap_or_else(PoisonError::into_inner);
    if is_raised() {
        action();
    }
    *slot = Some(Box::new(action));
    Guard
}

/// Keeps an action of [`on_raise`] alive.
pub(crate) struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        *ACTION.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Carries out work until Ctrl-C is pressed; then the work is dropped.
///
/// # Errors
/// [`CliError::Interrupted`].
pub(crate) async fn unless_raised<F: Future>(work: F) -> Result<F::Output, CliError> {
    let raised = Arc::new(Notify::new());
    let notified = raised.clone();
    let _guard = on_raise(move || notified.notify_one());
    tokio::select! {
        biased;
        output = work => Ok(output),
        () = raised.notified() => Err(CliError::Interrupted),
    }
}

/// Whether Ctrl-C was pressed.
pub(crate) fn is_raised() -> bool {
    RAISED.load(Ordering::SeqCst)
}

/// Forgets earlier presses: the next answer of a chat starts unharmed.
pub(crate) fn reset() {
    RAISED.store(false, Ordering::SeqCst);
}

/// Fails once Ctrl-C was pressed.
pub(crate) fn check() -> Result<(), CliError> {
    if is_raised() {
        Err(CliError::Interrupted)
    } else {
        Ok(())
    }
}
