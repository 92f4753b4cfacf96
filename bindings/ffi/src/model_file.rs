//! GGUF files on the device: each becomes a bundle once, and the bundle is opened like any other.

use std::sync::Arc;

use crate::CoreError;

/// What an import is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum ImportPhase {
    /// Reading the file, to tell whether it was imported before.
    Hashing,
    /// Waiting for another import of the same file.
    Waiting,
    /// Writing the bundle.
    Writing,
}

/// What happens during an import.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum ImportEvent {
    /// It goes on.
    Progress {
        /// What is being done.
        phase: ImportPhase,
        /// Bytes that this phase has processed.
        done: u64,
        /// All bytes of this phase; 0 while waiting.
        total: u64,
    },
    /// What people should know of the bundle, such as a chat template that could not be used.
    Notice {
        /// The sentence.
        text: String,
    },
    /// It ended.
    Finished {
        /// The bundle's folder, from which the model can be opened.
        path: String,
    },
}

/// An import in progress, on a thread of its own. It ends early when this object is released.
#[derive(uniffi::Object)]
pub struct ModelImport(imp::Import);

#[uniffi::export]
impl ModelImport {
    /// Starts making a bundle of the GGUF file `file`, or of all parts of a split file of which one is named. The bundle is kept in
    /// `folder`, by the file's content: a file that was imported before is ready at once.
    #[uniffi::constructor]
    pub fn start(file: String, folder: String) -> Result<Arc<ModelImport>, CoreError> {
        Ok(Arc::new(ModelImport(imp::Import::start(file, folder)?)))
    }

    /// Waits for what happens next; nothing after the end.
    pub async fn next(&self) -> Result<Option<ImportEvent>, CoreError> {
        self.0.next().await
    }

    /// Ends the import, which leaves nothing then. Returns at once, and may be called again.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

#[cfg(feature = "gguf")]
mod imp {
    use std::io::ErrorKind;

    use whimbrel_client::message;
    use whimbrel_models::{BackgroundImport, Imported, ModelsError, Step, forge::ForgeError};

    use super::{ImportEvent, ImportPhase};
    use crate::CoreError;

    pub(super) struct Import(BackgroundImport);

    impl Import {
        pub(super) fn start(file: String, folder: String) -> Result<Import, CoreError> {
            let started = BackgroundImport::start(file.into(), folder.into());
            started.map(Import).map_err(|error| CoreError::Internal {
                code: 3,
                reason: error.to_string(),
            })
        }

        pub(super) async fn next(&self) -> Result<Option<ImportEvent>, CoreError> {
            let Some(next) = self.0.next().await else {
                return Ok(None);
            };
            Ok(Some(match next? {
                Imported::Step(step) => event(step),
                Imported::Bundle(path) => ImportEvent::Finished {
                    path: path.to_string_lossy().into_owned(),
                },
            }))
        }

        pub(super) fn cancel(&self) {
            self.0.cancel();
        }
    }

    fn event(step: Step) -> ImportEvent {
        let progress = |phase, done, total| ImportEvent::Progress { phase, done, total };
        match step {
            Step::Hashing {
                bytes_done,
                bytes_total,
            } => progress(ImportPhase::Hashing, bytes_done, bytes_total),
            Step::Waiting => progress(ImportPhase::Waiting, 0, 0),
            Step::Importing(now) => progress(ImportPhase::Writing, now.bytes_done, now.bytes_total),
            Step::Noticed(notice) => ImportEvent::Notice {
                text: notice.to_string(),
            },
        }
    }

    impl From<ModelsError> for CoreError {
        fn from(error: ModelsError) -> CoreError {
            let reason = message(&error);
            let problem = match error {
                ModelsError::Read { source, .. } | ModelsError::Forge(ForgeError::Read { source, .. })
                    if source.kind() == ErrorKind::NotFound =>
                {
                    "missing"
                }
                ModelsError::Read { .. } | ModelsError::Forge(ForgeError::Read { .. }) => "unreadable",
                ModelsError::Changed { .. } => "changed",
                ModelsError::Forge(error) => match error {
                    ForgeError::Memory { bytes, .. } => {
                        return CoreError::OutOfMemory {
                            context_length: 0,
                            bytes,
                        };
                    }
                    ForgeError::Engine(error) => return error.into(),
                    ForgeError::PartMissing { .. } => "missing",
                    ForgeError::Unsupported { .. } => "not_supported",
                    ForgeError::DiskFull { .. } => "disk_full",
                    ForgeError::Cancelled => "cancelled",
                    ForgeError::Write { .. } | ForgeError::OutputExists { .. } | ForgeError::OutputInUse { .. } => {
                        "file"
                    }
                    _ => "invalid",
                },
            };
            CoreError::Import {
                problem: problem.into(),
                reason,
            }
        }
    }
}

#[cfg(not(feature = "gguf"))]
mod imp {
    use super::ImportEvent;
    use crate::CoreError;

    pub(super) enum Import {}

    impl Import {
        pub(super) fn start(_: String, _: String) -> Result<Import, CoreError> {
            Err(CoreError::Import {
                problem: "unavailable".into(),
                reason: "this library was built without GGUF files".into(),
            })
        }

        #[allow(clippy::unused_async, reason = "the other build waits")]
        pub(super) async fn next(&self) -> Result<Option<ImportEvent>, CoreError> {
            match *self {}
        }

        pub(super) fn cancel(&self) {
            match *self {}
        }
    }
}
