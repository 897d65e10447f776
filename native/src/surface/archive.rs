//! The Node-API surface of the packed archive.

use std::path::Path;
use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::checkpoint::Checkpoint;
use super::pack::QuantizedLayer;
use super::task::{Control, Job, closed, job, on_open, thrown};
use crate::pack::archive;

/// Writes a packed archive (`.tamis`) as a stream beside its name; `finish` gives it the name. Every name is used once.
#[napi]
pub struct ArchiveWriter {
    /// None once it is finished or abandoned.
    pub(super) inner: Arc<Mutex<Option<archive::ArchiveWriter>>>,
}

#[napi]
impl ArchiveWriter {
    #[napi(constructor)]
    pub fn new(path: String) -> Result<Self> {
        let archive = archive::ArchiveWriter::new(Path::new(&path)).map_err(thrown)?;
        let inner = Arc::new(Mutex::new(Some(archive)));
        Ok(Self { inner })
    }

    /// Bytes written so far. Waits for a task that is writing.
    #[napi(getter)]
    pub fn position(&self) -> Result<f64> {
        on_open(&self.inner, |archive| Ok(archive.position() as f64)).map_err(thrown)
    }

    /// A small file of the checkpoint's folder.
    #[napi]
    pub fn add_file(&self, name: String, bytes: &[u8]) -> Result<()> {
        on_open(&self.inner, |archive| archive.add_file(&name, bytes)).map_err(thrown)
    }

    /// A tensor as it is stored.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn add_tensor(&self, checkpoint: &Checkpoint, name: String) -> AsyncTask<Job<()>> {
        let (archive, checkpoint) = (self.inner.clone(), checkpoint.inner.clone());
        job(move || on_open(&archive, |archive| archive.add_tensor(&checkpoint, &name)))
    }

    /// The weight of a quantized layer, under its tensor's name. Error pack.not-on-grid {path, layer, row}.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn add_layer(&self, layer: &QuantizedLayer, control: &Control) -> AsyncTask<Job<()>> {
        let (archive, layer, control) = (self.inner.clone(), layer.inner.clone(), control.inner.clone());
        job(move || on_open(&archive, |archive| archive.add_layer(&layer, &control)))
    }

    /// A pruned weight (two dimensions, F32, F16 or BF16) that is not quantized.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn add_sparse(&self, checkpoint: &Checkpoint, name: String, control: &Control) -> AsyncTask<Job<()>> {
        let (archive, checkpoint, control) = (self.inner.clone(), checkpoint.inner.clone(), control.inner.clone());
        job(move || on_open(&archive, |archive| archive.add_sparse(&checkpoint, &name, &control)))
    }

    /// Writes the index, makes the file durable and gives it its name.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn finish(&self) -> AsyncTask<Job<()>> {
        let archive = self.inner.clone();
        job(move || {
            let taken = archive.lock().expect("no holder panics").take();
            taken.ok_or_else(closed)?.finish()
        })
    }

    /// Gives up and removes the partial file; nothing happens after `finish`.
    #[napi]
    pub fn abandon(&self) {
        drop(self.inner.lock().expect("no holder panics").take());
    }
}

/// A section of an archive. `bits`: of a code; absent where values are stored as they are. `bytes`: of the whole section in the
/// file. `dtype` and `shape`: of what it unpacks to; of a file an empty one and its length.
#[napi(object)]
pub struct ArchiveSection {
    #[napi(ts_type = "'file' | 'tensor' | 'layer'")]
    pub kind: String,
    pub name: String,
    pub dtype: String,
    pub shape: Vec<f64>,
    pub bits: Option<u32>,
    pub bytes: f64,
}

/// A packed archive, read through a memory map. A section is checked when it is read. Errors: archive.*.
#[napi]
pub struct Archive {
    pub(super) inner: Arc<archive::Archive>,
}

#[napi]
impl Archive {
    #[napi(factory)]
    pub fn open(path: String) -> Result<Self> {
        let inner = Arc::new(archive::Archive::open(Path::new(&path)).map_err(thrown)?);
        Ok(Self { inner })
    }

    /// In the order of the file.
    #[napi]
    pub fn sections(&self) -> Vec<ArchiveSection> {
        let sections = self.inner.sections().map(|(section, bytes)| ArchiveSection {
            kind: match section.kind {
                archive::Kind::File => "file",
                archive::Kind::Tensor => "tensor",
                archive::Kind::Layer | archive::Kind::Index => "layer",
            }
            .to_owned(),
            name: section.name.clone(),
            dtype: section.dtype.clone(),
            shape: section.shape.iter().map(|&dimension| dimension as f64).collect(),
            bits: (section.bits != 0).then_some(section.bits),
            bytes: bytes as f64,
        });
        sections.collect()
    }

    #[napi]
    pub fn read_file(&self, name: String) -> Result<Buffer> {
        Ok(self.inner.read_file(&name).map_err(thrown)?.into())
    }
}
