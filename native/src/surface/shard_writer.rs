//! The Node-API surface of safetensors files that are written.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::archive::Archive;
use super::checkpoint::{Checkpoint, TensorInfo, WeightName};
use super::pack::{PackedLayer, PackedPart, QuantizedLayer};
use super::prune::CompressedLayer;
use super::task::{Control, Job, closed, job, on_open, thrown};
use crate::checkpoint::{self, transposed};
use crate::error::{self, Error as CoreError, display, internal};
use crate::method::compressed::Compressed;
use crate::pack::dense::storage;
use crate::pack::write::{write_oriented, write_part};

/// A tensor to be written.
#[napi(object)]
pub struct TensorSpec {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<f64>,
}

/// Writes a safetensors file tensor by tensor, in the declared order, beside its name; `finish` gives it the name.
#[napi]
pub struct ShardWriter {
    /// None once it is finished or abandoned.
    pub(super) inner: Arc<Mutex<Option<checkpoint::ShardWriter>>>,
}

#[napi]
impl ShardWriter {
    #[napi(constructor)]
    pub fn new(path: String, tensors: Vec<TensorSpec>) -> Result<Self> {
        let specs: error::Result<Vec<_>> = tensors.iter().map(|spec| declared(&path, spec)).collect();
        let writer = specs.and_then(|specs| checkpoint::ShardWriter::new(Path::new(&path), &specs));
        let inner = Arc::new(Mutex::new(Some(writer.map_err(thrown)?)));
        Ok(Self { inner })
    }

    /// Copies the tensor of the same name; it must be the next one declared.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn copy(&self, name: String, from: &Checkpoint) -> AsyncTask<Job<()>> {
        let (writer, checkpoint) = (self.inner.clone(), from.inner.clone());
        job(move || on_open(&writer, |writer| writer.copy(&name, &checkpoint)))
    }

    /// Writes a part of a compressed layer as the tensor of this name; it must be the next one declared.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn write(
        &self,
        name: String,
        layer: &CompressedLayer,
        #[napi(ts_arg_type = "'weight' | 'transposed' | 'scales' | 'zeros' | 'g_idx'")] part: Part,
    ) -> AsyncTask<Job<()>> {
        let (writer, layer) = (self.inner.clone(), layer.inner.clone());
        job(move || on_open(&writer, |writer| writer.write_bytes(&name, &part_bytes(&layer, part)?)))
    }

    /// Writes these bytes as the tensor of this name; it must be the next one declared.
    #[napi]
    pub fn append(&self, name: String, bytes: &[u8]) -> Result<()> {
        on_open(&self.inner, |writer| writer.write_bytes(&name, bytes)).map_err(thrown)
    }

    /// Writes one part of a layer as the tensor of this name; it must be the next one declared.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn pack(
        &self,
        name: String,
        layer: &QuantizedLayer,
        part: PackedPart,
        control: &Control,
    ) -> AsyncTask<Job<()>> {
        let (writer, layer, control) = (self.inner.clone(), layer.inner.clone(), control.inner.clone());
        job(move || {
            let bytes = part.bytes(&layer.measures())?;
            on_open(&writer, |writer| {
                writer.stream(&name, bytes, |file| {
                    let put = &mut |bytes: &[u8]| file.put(bytes);
                    write_part(&layer, part.part()?, part.rows.as_deref(), put, &control)
                })
            })
        })
    }

    /// Writes a packed layer as the dense tensor of this name; it must be the next one declared. `rows`: those of the packed
    /// layer that are written, in this order. Error pack.value {path, tensor, row}.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn unpack(
        &self,
        weight: WeightName,
        layer: &PackedLayer,
        #[napi(ts_arg_type = "'F32' | 'F16' | 'BF16'")] dtype: String,
        rows: Option<Uint32Array>,
        control: &Control,
    ) -> AsyncTask<Job<()>> {
        let (writer, layer, control) = (self.inner.clone(), layer.inner.clone(), control.inner.clone());
        job(move || {
            let storage = storage(&dtype)?;
            let count = rows.as_ref().map_or(layer.rows, |rows| rows.len());
            let bytes = (count * layer.cols * storage.size()) as u64;
            on_open(&writer, |writer| {
                writer.stream(&weight.name, bytes, |file| {
                    let put = &mut |bytes: &[u8]| file.put(bytes);
                    write_oriented(weight.orientation(), (count, layer.cols, storage), put, |sink| {
                        layer.write(storage, rows.as_deref(), sink, &control)
                    })
                })
            })
        })
    }

    /// Writes a tensor or a layer's dense weight of an archive as the tensor of this name; it must be the next one declared.
    /// Errors: archive.*.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn unpack_from(&self, weight: WeightName, archive: &Archive, control: &Control) -> AsyncTask<Job<()>> {
        let (writer, archive, control) = (self.inner.clone(), archive.inner.clone(), control.inner.clone());
        job(move || {
            let name = &weight.name;
            let bytes = archive.dense_bytes(name)?;
            on_open(&writer, |writer| {
                writer.stream(name, bytes, |file| {
                    archive.write(name, weight.orientation(), &mut |bytes| file.put(bytes), &control)
                })
            })
        })
    }

    /// The tensors written so far, where they can be read until the file is finished.
    #[napi(ts_return_type = "Promise<TensorInfo[]>")]
    pub fn written(&self) -> AsyncTask<Job<Vec<TensorInfo>>> {
        let writer = self.inner.clone();
        job(move || {
            on_open(&writer, |writer| {
                let file = resolved(writer.partial())?;
                let info = |(spec, bytes, offset): (&checkpoint::TensorSpec, u64, u64)| TensorInfo {
                    name: spec.name.clone(),
                    dtype: spec.dtype.name().to_owned(),
                    shape: spec.shape.iter().map(|&dimension| dimension as f64).collect(),
                    file: file.clone(),
                    offset: offset as f64,
                    bytes: bytes as f64,
                };
                Ok(writer.written()?.into_iter().map(info).collect())
            })
        })
    }

    /// Makes the file durable and gives it its name.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn finish(&self) -> AsyncTask<Job<()>> {
        let writer = self.inner.clone();
        job(move || {
            let taken = writer.lock().expect("no holder panics").take();
            taken.ok_or_else(closed)?.finish()
        })
    }

    /// Gives up and removes the partial file; nothing happens after `finish`.
    #[napi]
    pub fn abandon(&self) {
        drop(self.inner.lock().expect("no holder panics").take());
    }
}

/// Bytes of a file of these tensors, in this order, before its data: as a `ShardWriter` writes it.
#[napi]
pub fn shard_header_bytes(tensors: Vec<TensorSpec>) -> Result<f64> {
    let specs: error::Result<Vec<_>> = tensors.iter().map(|spec| declared("", spec)).collect();
    let size = specs.and_then(|specs| checkpoint::header_size(&specs));
    Ok(size.map_err(thrown)? as f64)
}

/// What a compressed layer is stored as: its weight, or that transposed, [cols, rows]; where it is quantized the scales (F16 [rows, groups]), the zero points
/// (U8 [rows, groups]) and, where it is not column / group size, the group of each column (I32 [cols]).
#[napi(string_enum)]
pub enum Part {
    #[napi(value = "weight")]
    Weight,
    #[napi(value = "transposed")]
    Transposed,
    #[napi(value = "scales")]
    Scales,
    #[napi(value = "zeros")]
    Zeros,
    #[napi(value = "g_idx")]
    GroupOf,
}

fn part_bytes(layer: &Compressed, part: Part) -> error::Result<Cow<'_, [u8]>> {
    let quantized = || {
        let quantized = layer.quantization.as_ref();
        quantized.ok_or_else(|| internal("the layer is not quantized"))
    };
    Ok(match part {
        Part::Weight => Cow::Borrowed(&layer.bytes),
        Part::Transposed => Cow::Owned(transposed(&layer.bytes, layer.rows, layer.cols, layer.storage)),
        Part::Scales => Cow::Owned(quantized()?.scale_bytes()),
        Part::Zeros => Cow::Borrowed(&quantized()?.zeros),
        Part::GroupOf => {
            let groups = quantized()?.group_of.iter().flatten();
            Cow::Owned(groups.flat_map(|group| group.to_le_bytes()).collect())
        }
    })
}

/// The absolute path of a file, symbolic links resolved.
fn resolved(path: &Path) -> error::Result<String> {
    let found = path.canonicalize();
    found
        .map(|path| display(&path))
        .map_err(|error| CoreError::NotReadable {
            path: display(path),
            reason: error.to_string(),
        })
}

fn declared(path: &str, spec: &TensorSpec) -> error::Result<checkpoint::TensorSpec> {
    let TensorSpec { name, dtype, shape } = spec;
    let (path, tensor) = (path.to_owned(), name.clone());
    let Some(known) = checkpoint::Dtype::of(dtype) else {
        return Err(CoreError::UnknownDtype {
            path,
            tensor,
            dtype: dtype.clone(),
        });
    };
    if let Some(bad) = shape.iter().find(|&&dimension| dimension != (dimension as u64) as f64) {
        return Err(CoreError::BadDimension {
            path,
            tensor,
            dimension: bad.to_string(),
        });
    }
    let shape = shape.iter().map(|&dimension| dimension as u64).collect();
    Ok(checkpoint::TensorSpec {
        name: tensor,
        dtype: known,
        shape,
    })
}
