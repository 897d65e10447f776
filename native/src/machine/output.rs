//! A file that is written as a stream beside its name: never more than a buffer of it in memory, and never a half-written file
//! under its name.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, display};

/// What is buffered, in bytes; larger pieces are written in pieces of this size.
pub const BUFFER_BYTES: usize = 1 << 20;

/// Writes `PATH.partial`; `finish` makes it `PATH`. Dropped before that, it removes the partial file.
pub struct PartialFile {
    path: PathBuf,
    partial: PathBuf,
    out: BufWriter<File>,
    position: u64,
    is_finished: bool,
}

impl PartialFile {
    /// Replaces a partial file that an earlier process left. Errors: `file.not-writable`, `file.no-space`.
    pub fn new(path: &Path) -> Result<Self> {
        let partial = partial_path(path);
        let out = create_anew(&partial).map_err(|error| write_error(&partial, error))?;
        Ok(Self {
            path: path.to_owned(),
            partial,
            out: BufWriter::with_capacity(BUFFER_BYTES, out),
            position: 0,
            is_finished: false,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it lies until it is finished.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// What was put so far can be read by others when this returns. Errors: as `put`.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|error| write_error(&self.partial, error))
    }

    /// Bytes written so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Errors: `file.not-writable`, `file.no-space`.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        // In pieces: a map's pages can then be given back as the copy goes on.
        for piece in bytes.chunks(BUFFER_BYTES) {
            self.out
                .write_all(piece)
                .map_err(|error| write_error(&self.partial, error))?;
            self.position += piece.len() as u64;
        }
        Ok(())
    }

    /// Writes zeros up to the next multiple of `alignment` bytes. Errors: as `put`.
    pub fn align(&mut self, alignment: u64) -> Result<()> {
        let padding = self.position.next_multiple_of(alignment) - self.position;
        self.put(&vec![0; padding as usize])
    }

    /// Makes the file durable and gives it its name. Errors: as `put`.
    pub fn finish(mut self) -> Result<()> {
        self.make_durable().map_err(|error| write_error(&self.partial, error))?;
        fs::rename(&self.partial, &self.path).map_err(|error| write_error(&self.path, error))?;
        self.is_finished = true;
        sync_folder(&self.path).map_err(|error| write_error(&self.path, error))
    }

    fn make_durable(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}

/// Makes the renaming itself durable. Windows has no such call and needs none.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn write_error(path: &Path, error: io::Error) -> Error {
    let path = display(path);
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace { path },
        _ => Error::NotWritable {
            path,
            reason: error.to_string(),
        },
    }
}
