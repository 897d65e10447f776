//! The Node-API surface of files that are written as streams.

use std::path::Path;
use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::checkpoint::{Checkpoint, WeightName};
use super::pack::{PackedPart, QuantizedLayer};
use super::task::{Control, Job, closed, job, on_open, thrown};
use crate::machine::output::PartialFile;
use crate::pack::dense::write_dense;
use crate::pack::write::write_part;

/// Writes a file as a stream beside its name, `PATH.partial`; `finish` gives it the name.
#[napi]
pub struct FileWriter {
    /// None once it is finished or abandoned.
    pub(super) inner: Arc<Mutex<Option<PartialFile>>>,
}

#[napi]
impl FileWriter {
    #[napi(constructor)]
    pub fn new(path: String) -> Result<Self> {
        let file = PartialFile::new(Path::new(&path)).map_err(thrown)?;
        let inner = Arc::new(Mutex::new(Some(file)));
        Ok(Self { inner })
    }

    /// Bytes written so far. Waits for a task that is writing.
    #[napi(getter)]
    pub fn position(&self) -> Result<f64> {
        on_open(&self.inner, |file| Ok(file.position() as f64)).map_err(thrown)
    }

    #[napi]
    pub fn append(&self, bytes: &[u8]) -> Result<()> {
        on_open(&self.inner, |file| file.put(bytes)).map_err(thrown)
    }

    /// Writes zeros up to the next multiple of `alignment` bytes.
    #[napi]
    pub fn align(&self, alignment: u32) -> Result<()> {
        on_open(&self.inner, |file| file.align(alignment.into())).map_err(thrown)
    }

    /// Writes a tensor's numbers as `dtype` holds them, a transposed weight as [rows, cols]; `rows`: those of the first dimension
    /// that are written, in this order.
    /// Error pack.too-large-for-dtype {path, tensor, dtype}.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn append_tensor(
        &self,
        checkpoint: &Checkpoint,
        tensor: WeightName,
        #[napi(ts_arg_type = "'F32' | 'F16' | 'BF16'")] dtype: String,
        rows: Option<Uint32Array>,
        control: &Control,
    ) -> AsyncTask<Job<()>> {
        let (file, checkpoint, control) = (self.inner.clone(), checkpoint.inner.clone(), control.inner.clone());
        job(move || {
            on_open(&file, |file| {
                let put = &mut |bytes: &[u8]| file.put(bytes);
                write_dense(
                    &checkpoint,
                    &tensor.name,
                    tensor.orientation(),
                    &dtype,
                    rows.as_deref(),
                    put,
                    &control,
                )
            })
        })
    }

    /// Writes one part of a layer.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn append_packed(&self, layer: &QuantizedLayer, part: PackedPart, control: &Control) -> AsyncTask<Job<()>> {
        let (file, layer, control) = (self.inner.clone(), layer.inner.clone(), control.inner.clone());
        job(move || {
            on_open(&file, |file| {
                let put = &mut |bytes: &[u8]| file.put(bytes);
                write_part(&layer, part.part()?, part.rows.as_deref(), put, &control)
            })
        })
    }

    /// Makes the file durable and gives it its name.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn finish(&self) -> AsyncTask<Job<()>> {
        let file = self.inner.clone();
        job(move || {
            let taken = file.lock().expect("no holder panics").take();
            taken.ok_or_else(closed)?.finish()
        })
    }

    /// Gives up and removes the partial file; nothing happens after `finish`.
    #[napi]
    pub fn abandon(&self) {
        drop(self.inner.lock().expect("no holder panics").take());
    }
}
