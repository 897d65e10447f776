//! Checkpoints: safetensors files, read through a memory map and written as a stream, and PyTorch's `.bin` files, read likewise.
//!
//! A map shows what the file holds now: a file that is cut short while it is mapped ends the process (SIGBUS on Unix). Files
//! are therefore only ever replaced by renaming, never rewritten in place (`writer.rs`).

mod dtype;
mod header;
mod index;
mod matrix;
mod read;
mod torch;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

pub use dtype::Dtype;
pub use matrix::{Matrix, Orientation, transposed};
pub use read::Scan;
pub use writer::{ShardWriter, TensorSpec, header_size};

use crate::error::{Error, Result, display};
pub(crate) use header::shown;

/// Where one tensor lies. `offset` is in bytes from the start of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Box<[u64]>,
    pub offset: u64,
    pub bytes: u64,
    file: usize,
}

impl Tensor {
    pub fn elements(&self) -> usize {
        (self.bytes * 8 / self.dtype.bits()) as usize
    }
}

pub(crate) struct MappedFile {
    pub path: PathBuf,
    pub map: Mmap,
}

#[derive(Clone, Copy)]
enum Format {
    Safetensors,
    /// `torch.save`'s, of PyTorch 1.6 and later.
    Torch,
}

impl Format {
    fn file(self) -> &'static str {
        match self {
            Self::Safetensors => "model.safetensors",
            Self::Torch => "pytorch_model.bin",
        }
    }

    fn index(self) -> &'static str {
        match self {
            Self::Safetensors => "model.safetensors.index.json",
            Self::Torch => "pytorch_model.bin.index.json",
        }
    }

    /// The tensors of a whole file, ordered by offset.
    fn parse(self, path: &str, file: &[u8]) -> Result<Vec<header::Entry>> {
        match self {
            Self::Safetensors => header::parse(path, file),
            Self::Torch => torch::parse(path, file),
        }
    }
}

/// The tensors of one or several files. Immutable: share it between threads with an `Arc`.
pub struct Checkpoint {
    files: Vec<MappedFile>,
    tensors: Vec<Tensor>,
    by_name: HashMap<String, usize>,
}

impl Checkpoint {
    /// Opens the folder of a checkpoint: `model.safetensors`, or `model.safetensors.index.json` and the shards it names; where there
    /// is neither, `pytorch_model.bin` or `pytorch_model.bin.index.json` likewise. The order is that of `transformers`.
    ///
    /// Errors: `checkpoint.*` and `file.not-readable`, naming the file.
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::NotAFolder { path: display(folder) });
        }
        for format in [Format::Safetensors, Format::Torch] {
            let (single, index) = (folder.join(format.file()), folder.join(format.index()));
            if exists(&single)? {
                let mut checkpoint = Self::empty();
                checkpoint.add_file(&single, format)?;
                return Ok(checkpoint);
            }
            if exists(&index)? {
                return Self::open_sharded(folder, &index, format);
            }
        }
        Err(Error::NoWeights { path: display(folder) })
    }

    /// Opens one safetensors file of any name.
    pub fn open_file(file: &Path) -> Result<Self> {
        let mut checkpoint = Self::empty();
        checkpoint.add_file(file, Format::Safetensors)?;
        Ok(checkpoint)
    }

    fn open_sharded(folder: &Path, index_path: &Path, format: Format) -> Result<Self> {
        let text = index::read(index_path)?;
        let index = index::parse(&display(index_path), &text)?;
        let mut checkpoint = Self::empty();
        for shard in &index.shards {
            let file = folder.join(&shard.name);
            if !exists(&file)? {
                let (index, tensor) = (display(index_path), shown(&shard.first_tensor));
                return Err(Error::ShardMissing {
                    path: display(&file),
                    index,
                    tensor,
                });
            }
            checkpoint.add_file(&file, format)?;
        }
        for (name, shard) in &index.tensors {
            let found = checkpoint
                .by_name
                .get(name.as_ref())
                .map(|&i| checkpoint.tensors[i].file);
            if found != Some(*shard) {
                let (path, shard) = (display(index_path), index.shards[*shard].name.clone());
                return Err(Error::TensorNotInShard {
                    path,
                    tensor: shown(name),
                    shard,
                });
            }
        }
        Ok(checkpoint)
    }

    fn empty() -> Self {
        Self {
            files: Vec::new(),
            tensors: Vec::new(),
            by_name: HashMap::new(),
        }
    }

    fn add_file(&mut self, path: &Path, format: Format) -> Result<()> {
        let mapped = map_file(path, header::LENGTH_BYTES)?;
        let file = self.files.len();
        let entries = format.parse(&display(path), &mapped.map)?;
        self.files.push(mapped);
        self.tensors.reserve_exact(entries.len());
        self.by_name.reserve(entries.len());
        for header::Entry {
            name,
            dtype,
            shape,
            begin,
            end,
        } in entries
        {
            if let Some(earlier) = self.by_name.insert(name.clone(), self.tensors.len()) {
                let other = display(&self.files[self.tensors[earlier].file].path);
                return Err(Error::TensorInTwoShards {
                    path: display(path),
                    tensor: shown(&name),
                    other,
                });
            }
            self.tensors.push(Tensor {
                name,
                dtype,
                shape,
                offset: begin,
                bytes: end - begin,
                file,
            });
        }
        Ok(())
    }

    /// Every tensor, file by file in the order of the data.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The file a tensor of this checkpoint lies in: absolute, symbolic links resolved.
    pub fn file_of(&self, tensor: &Tensor) -> &Path {
        &self.files[tensor.file].path
    }

    /// Errors: `checkpoint.no-tensor`.
    pub fn tensor(&self, name: &str) -> Result<&Tensor> {
        let missing = || Error::NoTensor {
            path: self.files.first().map_or_else(String::new, |file| display(&file.path)),
            tensor: shown(name),
        };
        self.by_name.get(name).map(|&i| &self.tensors[i]).ok_or_else(missing)
    }

    pub fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// A tensor's bytes as they lie in the file: little-endian, row-major, at any alignment.
    pub fn bytes(&self, name: &str) -> Result<&[u8]> {
        Ok(self.data(self.tensor(name)?))
    }

    fn data(&self, tensor: &Tensor) -> &[u8] {
        &self.files[tensor.file].map[tensor.offset as usize..][..tensor.bytes as usize]
    }
}

/// Whether something is there, links followed. Errors: `checkpoint.dangling-link`.
fn exists(path: &Path) -> Result<bool> {
    match fs::read_link(path) {
        Ok(target) if !path.exists() => Err(Error::DanglingLink {
            path: display(path),
            target: display(&target),
        }),
        _ => Ok(path.exists()),
    }
}

/// Maps a file of at least `least` bytes; its path comes back with symbolic links resolved.
///
/// Errors: `file.not-readable`, `checkpoint.not-a-file`, `checkpoint.too-short`.
pub(crate) fn map_file(path: &Path, least: u64) -> Result<MappedFile> {
    let unreadable = |error: io::Error| Error::NotReadable {
        path: display(path),
        reason: error.to_string(),
    };
    let path_resolved = fs::canonicalize(path).map_err(unreadable)?;
    // Before opening: opening a pipe would wait for its other end.
    let metadata = fs::metadata(&path_resolved).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile { path: display(path) });
    }
    if metadata.len() < least {
        return Err(Error::TooShort {
            path: display(path),
            size: metadata.len(),
        });
    }
    let file = File::open(&path_resolved).map_err(unreadable)?;
    // SAFETY: the bytes are only read, as plain numbers; see the head of this file for what a map can't guard against.
    let map = unsafe { Mmap::map(&file) }.map_err(unreadable)?;
    Ok(MappedFile {
        path: path_resolved,
        map,
    })
}
