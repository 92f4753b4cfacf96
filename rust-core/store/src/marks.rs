//! Marks of what the process that has the store open is doing. They are in the lock's file, which such a process holds open anyway: writing one
//! is a write to memory of the system's, which survives the process but not the device. What they mean is decided elsewhere.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::database::{beside, io_failed};
use crate::{Store, StoreError};

/// Maximum size of all marks in bytes.
pub const MARKS_BYTES_MAX: u32 = 4096;

impl Store {
    /// Writes bytes of the marks over what was there.
    ///
    /// # Errors
    /// [`RecordError::TooMuch`](whimbrel_record::RecordError::TooMuch) beyond [`MARKS_BYTES_MAX`], [`StoreError::ReadOnly`], [`StoreError::Io`].
    pub fn write_marks(&self, at: u32, bytes: &[u8]) -> Result<(), StoreError> {
        let end = (at as usize).saturating_add(bytes.len());
        whimbrel_record::limit("bytes of marks", end, MARKS_BYTES_MAX)?;
        self.marks(|file| file.write_all_at(bytes, u64::from(at)))
    }

    /// Takes the marks that an earlier process left: from now on there are none.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Io`].
    pub fn take_marks(&self) -> Result<Vec<u8>, StoreError> {
        self.marks(|file| {
            let bytes = file.metadata()?.len().min(u64::from(MARKS_BYTES_MAX));
            let mut marks = vec![0; bytes as usize];
            file.read_exact_at(&mut marks, 0)?;
            file.set_len(0)?;
            Ok(marks)
        })
    }

    fn marks<T>(&self, work: impl FnOnce(&File) -> io::Result<T>) -> Result<T, StoreError> {
        let shared = self.shared();
        let file = shared.lock_file().ok_or(StoreError::ReadOnly)?;
        work(file).map_err(|error| io_failed(&beside(shared.path(), ".lock"), error))
    }
}
