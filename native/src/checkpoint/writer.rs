//! Writes a safetensors file as a stream: never more than a buffer of it in memory, and never a half-written file under its
//! name.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Checkpoint, Dtype, display, header};
use crate::error::{Error, Result};

const BUFFER_BYTES: usize = 1 << 20;

/// A tensor to come.
#[derive(Debug, Clone)]
pub struct TensorSpec {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<u64>,
}

/// Writes `PATH.partial`, tensor by tensor in the declared order; `finish` makes it `PATH`. Dropped before that, it removes the
/// partial file.
pub struct ShardWriter {
    path: PathBuf,
    partial: PathBuf,
    out: BufWriter<File>,
    /// Name and size of every declared tensor, and how many of them are written.
    tensors: Vec<(String, u64)>,
    written: usize,
    is_finished: bool,
}

impl ShardWriter {
    /// Writes the header. A partial file that an earlier process left is replaced.
    ///
    /// Errors: `file.not-writable`, `file.no-space`, and what `header::parse` refuses (two tensors of one name).
    pub fn new(path: &Path, tensors: &[TensorSpec]) -> Result<Self> {
        let header = header_bytes(tensors)?;
        // The reader's own rules: what is written here can be read.
        let sizes = header::check(&display(path), &header)?;
        let partial = partial_path(path);
        let out = create_anew(&partial).map_err(|error| write_error(&partial, error))?;
        let mut writer = Self {
            path: path.to_owned(),
            partial,
            out: BufWriter::with_capacity(BUFFER_BYTES, out),
            tensors: tensors.iter().map(|tensor| tensor.name.clone()).zip(sizes).collect(),
            written: 0,
            is_finished: false,
        };
        writer.put(&header)?;
        Ok(writer)
    }

    /// Copies the tensor of the same name, which must have the declared size.
    pub fn copy(&mut self, name: &str, from: &Checkpoint) -> Result<()> {
        self.write_bytes(name, from.bytes(name)?)
    }

    /// Writes the next tensor from its bytes (little-endian, row-major).
    ///
    /// Errors: `file.not-writable`, `file.no-space`; `internal` if it is not this tensor's turn or size.
    pub fn write_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        match self.tensors.get(self.written) {
            Some((next, size)) if next == name && *size == bytes.len() as u64 => {}
            next => {
                let detail = format!("{} bytes of {name} written where {next:?} was declared", bytes.len());
                return Err(Error::Internal { detail });
            }
        }
        // In pieces: a map's pages can then be given back as the copy goes on.
        bytes.chunks(BUFFER_BYTES).try_for_each(|piece| self.put(piece))?;
        self.written += 1;
        Ok(())
    }

    /// Makes the file durable and gives it its name.
    ///
    /// Errors: as `write_bytes`; `internal` if a declared tensor was not written.
    pub fn finish(mut self) -> Result<()> {
        if let Some((missing, _)) = self.tensors.get(self.written) {
            return Err(Error::Internal {
                detail: format!("{} finished without {missing}", display(&self.path)),
            });
        }
        self.make_durable().map_err(|error| write_error(&self.partial, error))?;
        fs::rename(&self.partial, &self.path).map_err(|error| write_error(&self.path, error))?;
        self.is_finished = true;
        sync_folder(&self.path).map_err(|error| write_error(&self.path, error))
    }

    fn make_durable(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.out
            .write_all(bytes)
            .map_err(|error| write_error(&self.partial, error))
    }
}

impl Drop for ShardWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// Length, JSON and the spaces that make the data begin at a multiple of 8.
fn header_bytes(tensors: &[TensorSpec]) -> Result<Vec<u8>> {
    let mut json = serde_json::to_vec(&Header(tensors)).map_err(|e| Error::Internal { detail: e.to_string() })?;
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut header = (json.len() as u64).to_le_bytes().to_vec();
    header.append(&mut json);
    Ok(header)
}

struct Header<'a>(&'a [TensorSpec]);

#[derive(serde::Serialize)]
struct HeaderEntry<'a> {
    dtype: &'a str,
    shape: &'a [u64],
    data_offsets: (u64, u64),
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len() + 1))?;
        map.serialize_entry("__metadata__", &serde_json::json!({ "format": "pt" }))?;
        let mut begin = 0u64;
        for TensorSpec { name, dtype, shape } in self.0 {
            // Saturated where it overflows: `header::check` refuses that by the tensor's name.
            let bits = shape
                .iter()
                .fold(dtype.bits(), |product, &dimension| product.saturating_mul(dimension));
            let end = begin.saturating_add(bits / 8);
            map.serialize_entry(
                name,
                &HeaderEntry {
                    dtype: dtype.name(),
                    shape,
                    data_offsets: (begin, end),
                },
            )?;
            begin = end;
        }
        map.end()
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
