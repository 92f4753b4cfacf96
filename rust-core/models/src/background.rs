//! A model file that is imported on a thread of its own, for apps, which must not wait on theirs.

use std::path::PathBuf;
use std::thread;

use tokio::sync::{Mutex, mpsc};
use whimbrel_engine::CancelFlag;

use crate::{FileUse, ModelsError, Step, bundle_of};

/// Steps that wait for a reader. Further ones are left out until there is room.
const STEPS_WAITING_MAX: usize = 16;

/// What happens during an import, and its end.
#[derive(Debug)]
pub enum Imported {
    /// It goes on.
    Step(Step),
    /// The folder of the bundle.
    Bundle(PathBuf),
}

/// An import in progress. Dropping it cancels the import.
#[derive(Debug)]
pub struct BackgroundImport {
    steps: Mutex<mpsc::Receiver<Result<Imported, ModelsError>>>,
    cancel: CancelFlag,
}

impl BackgroundImport {
    /// Starts the import of a file, or of all parts of a split one, into a cache: see [`bundle_of`].
    ///
    /// # Errors
    /// The system's, if it cannot start a thread.
    pub fn start(file: PathBuf, cache: PathBuf) -> std::io::Result<BackgroundImport> {
        let (sender, receiver) = mpsc::channel(STEPS_WAITING_MAX);
        let cancel = CancelFlag::default();
        let wanted_until = cancel.clone();
        let work = move || {
            let wanted = FileUse {
                file: &file,
                cache: &cache,
                state_folder: None,
                describe: &|_| None,
                cancel: wanted_until,
            };
            let mut watch = |step: Step| drop(sender.try_send(Ok(Imported::Step(step))));
            let ended = bundle_of(&wanted, &mut watch).map(Imported::Bundle);
            // Nobody is there to hear it after a drop.
            let _ = sender.blocking_send(ended);
        };
        thread::Builder::new().name("whimbrel-import".to_owned()).spawn(work)?;
        Ok(BackgroundImport {
            steps: Mutex::new(receiver),
            cancel,
        })
    }

    /// Waits for what happens next; `None` after the end.
    pub async fn next(&self) -> Option<Result<Imported, ModelsError>> {
        self.steps.lock().await.recv().await
    }

    /// Ends the import, which then fails as cancelled and leaves nothing.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }
}

impl Drop for BackgroundImport {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
