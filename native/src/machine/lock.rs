//! A lock on a file, held by the operating system: it ends with its process, however that ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::{Error, Result, display};

pub struct FileLock {
    file: File,
}

impl FileLock {
    /// Creates the file if needed and locks it; it is left in place afterwards, as removing it would race with the next holder.
    ///
    /// Errors: `run.locked` if another process (or another `FileLock` of this one) holds it, `file.not-writable`.
    pub fn acquire(path: &Path) -> Result<Self> {
        let unwritable = |error: std::io::Error| Error::NotWritable {
            path: display(path),
            reason: error.to_string(),
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path: display(path) }),
            Err(TryLockError::Error(error)) => Err(unwritable(error)),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing would do, but a child process may have inherited the handle.
        let _ = self.file.unlock();
    }
}
