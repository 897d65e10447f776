//! Writes a safetensors file as a stream, tensor by tensor.

use std::path::Path;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Checkpoint, Dtype, header};
use crate::error::{Error, Result, display};
use crate::machine::output::PartialFile;

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
    out: PartialFile,
    /// Every declared tensor and its size, and how many of them are written.
    tensors: Vec<(TensorSpec, u64)>,
    written: usize,
    /// Where the next tensor begins.
    begin: u64,
}

/// Bytes of a file of these tensors before its data.
pub fn header_size(tensors: &[TensorSpec]) -> Result<usize> {
    Ok(header_bytes(tensors)?.len())
}

impl ShardWriter {
    /// Writes the header. A partial file that an earlier process left is replaced.
    ///
    /// Errors: `file.not-writable`, `file.no-space`, and what `header::parse` refuses (two tensors of one name).
    pub fn new(path: &Path, tensors: &[TensorSpec]) -> Result<Self> {
        let header = header_bytes(tensors)?;
        // The reader's own rules: what is written here can be read.
        let sizes = header::check(&display(path), &header)?;
        let mut out = PartialFile::new(path)?;
        out.put(&header)?;
        Ok(Self {
            begin: out.position(),
            out,
            tensors: tensors.iter().cloned().zip(sizes).collect(),
            written: 0,
        })
    }

    /// Copies the tensor of the same name, which must have the declared size.
    pub fn copy(&mut self, name: &str, from: &Checkpoint) -> Result<()> {
        self.write_bytes(name, from.bytes(name)?)
    }

    /// Writes the next tensor from its bytes (little-endian, row-major).
    ///
    /// Errors: `file.not-writable`, `file.no-space`; `internal` if it is not this tensor's turn or size.
    pub fn write_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.stream(name, bytes.len() as u64, |out| out.put(bytes))
    }

    /// Has `write` put the `size` bytes of the next tensor. Errors: as `write_bytes`, and those of `write`.
    pub fn stream(&mut self, name: &str, size: u64, write: impl FnOnce(&mut PartialFile) -> Result<()>) -> Result<()> {
        match self.tensors.get(self.written) {
            Some((next, declared)) if next.name == name && *declared == size && self.out.position() == self.begin => {}
            next => {
                let detail = format!("{size} bytes of {name} written where {next:?} was declared");
                return Err(Error::Internal { detail });
            }
        }
        write(&mut self.out)?;
        if self.out.position() != self.begin + size {
            let detail = format!("{name} has other than its {size} bytes");
            return Err(Error::Internal { detail });
        }
        self.begin += size;
        self.written += 1;
        Ok(())
    }

    /// The tensors written so far, each with its size and its place in the partial file, where they can be read until the file is finished.
    /// Errors: as `write_bytes`.
    pub fn written(&mut self) -> Result<Vec<(&TensorSpec, u64, u64)>> {
        self.out.flush()?;
        let written = &self.tensors[..self.written];
        let mut end = self.begin - written.iter().map(|(_, size)| size).sum::<u64>();
        let placed = written.iter().map(|(spec, size)| {
            end += size;
            (spec, *size, end - size)
        });
        Ok(placed.collect())
    }

    /// Where the file lies until it is finished.
    pub fn partial(&self) -> &Path {
        self.out.partial()
    }

    /// Makes the file durable and gives it its name.
    ///
    /// Errors: as `write_bytes`; `internal` if a declared tensor was not written.
    pub fn finish(self) -> Result<()> {
        if let Some((missing, _)) = self.tensors.get(self.written) {
            return Err(Error::Internal {
                detail: format!("{} finished without {}", display(self.out.path()), missing.name),
            });
        }
        self.out.finish()
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
