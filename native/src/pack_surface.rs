//! The Node-API surface of packing: layouts, streamed files, reading back.

use std::path::Path;
use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::error::{self, Error as CoreError, internal};
use crate::output::PartialFile;
use crate::pack::dense::{storage, write_dense};
use crate::pack::part::{GgmlType, Measures, Part};
use crate::pack::write::{write_oriented, write_part};
use crate::pack::{archive, layer, read};
use crate::{Checkpoint, Control, Job, ShardWriter, WeightName, job, on_writer, thrown};

/// What the sizes of a layer's parts depend on. `groupSize`: columns that share a scale; 0 = the whole row.
#[napi(object)]
pub struct LayerMeasures {
    pub rows: u32,
    pub cols: u32,
    pub bits: u32,
    pub group_size: u32,
}

/// What of a layer is to be written. `blockSize` is for the parts of MatMulNBits; `rows`: the rows to be written, in this order,
/// of a part that has the layer's rows first (compressed-tensors without zero points, MatMulNBits, ggml).
#[napi(object)]
pub struct PackedPart {
    #[napi(
        ts_type = "'gptq.qweight' | 'gptq.qzeros' | 'gptq_v2.qzeros' | 'gptq.scales' | 'gptq.g_idx' | 'ct.weight_packed' | 'ct.weight_scale' | 'ct.weight_scale_f32' | 'ct.weight_zero_point' | 'nbits.b' | 'nbits.scales' | 'nbits.zero_points' | 'q4_0' | 'q4_1' | 'q8_0'"
    )]
    pub part: String,
    pub block_size: Option<u32>,
    pub rows: Option<Uint32Array>,
}

impl PackedPart {
    fn bytes(&self, of: &Measures) -> error::Result<u64> {
        let rows = self.rows.as_ref().map_or(of.rows, |rows| rows.len());
        self.part()?.bytes(&Measures { rows, ..*of })
    }

    fn part(&self) -> error::Result<Part> {
        Part::of(&self.part, self.block_size.map(|block| block as usize))
    }
}

/// Bytes that a part of a layer comes to.
#[napi]
pub fn packed_bytes(layer: LayerMeasures, part: PackedPart) -> Result<f64> {
    let measures = Measures {
        rows: layer.rows as usize,
        cols: layer.cols as usize,
        bits: layer.bits,
        group_size: layer.group_size as usize,
    };
    Ok(part.bytes(&measures).map_err(thrown)? as f64)
}

/// A quantized layer of a run, whose codes are recovered as it is written. Error pack.not-on-grid {path, layer, row} where a
/// stored weight is not what its scale and zero point make of any code.
#[napi]
pub struct QuantizedLayer {
    inner: Arc<layer::QuantizedLayer>,
}

#[napi]
impl QuantizedLayer {
    /// Layer `layer` (named without `.weight`) of `checkpoint`; its scales, zero points and order are in `parameters`
    /// (`quantization/block-NNNN.safetensors`). `groupSize`: columns; 0 = per channel. Errors: checkpoint.*, pack.*.
    #[napi(factory)]
    pub fn open(
        checkpoint: &Checkpoint,
        parameters: &Checkpoint,
        layer: WeightName,
        bits: u32,
        group_size: u32,
    ) -> Result<Self> {
        let opened = layer::QuantizedLayer::open(
            checkpoint.inner.clone(),
            &parameters.inner,
            &layer.name,
            layer.orientation(),
            bits,
            group_size as usize,
        );
        let inner = Arc::new(opened.map_err(thrown)?);
        Ok(Self { inner })
    }

    #[napi(getter)]
    pub fn rows(&self) -> u32 {
        self.inner.grid.rows as u32
    }

    #[napi(getter)]
    pub fn cols(&self) -> u32 {
        self.inner.grid.cols as u32
    }

    /// Groups of a row.
    #[napi(getter)]
    pub fn groups(&self) -> u32 {
        self.inner.grid.groups as u32
    }

    #[napi(getter)]
    pub fn symmetric(&self) -> bool {
        self.inner.grid.zeros.is_none()
    }

    /// Whether the columns of a group are not neighbours.
    #[napi(getter)]
    pub fn has_group_order(&self) -> bool {
        self.inner.grid.has_group_order()
    }

    /// Whether a zero point is 0, which GPTQ's first version cannot hold.
    #[napi(getter)]
    pub fn has_zero_point_zero(&self) -> bool {
        self.inner.has_zero_point_zero()
    }

    /// Recovers every code and counts the weights that are zero.
    #[napi(ts_return_type = "Promise<number>")]
    pub fn zeros(&self, control: &Control) -> AsyncTask<Job<f64>> {
        let (layer, control) = (self.inner.clone(), control.inner.clone());
        job(move || Ok(layer.zeros(&control)? as f64))
    }
}

/// Writes a file as a stream beside its name, `PATH.partial`; `finish` gives it the name.
#[napi]
pub struct FileWriter {
    /// None once it is finished or abandoned.
    inner: Arc<Mutex<Option<PartialFile>>>,
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
        on_file(&self.inner, |file| Ok(file.position() as f64)).map_err(thrown)
    }

    #[napi]
    pub fn append(&self, bytes: &[u8]) -> Result<()> {
        on_file(&self.inner, |file| file.put(bytes)).map_err(thrown)
    }

    /// Writes zeros up to the next multiple of `alignment` bytes.
    #[napi]
    pub fn align(&self, alignment: u32) -> Result<()> {
        on_file(&self.inner, |file| file.align(alignment.into())).map_err(thrown)
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
            on_file(&file, |file| {
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
            on_file(&file, |file| {
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

fn on_file<R>(
    file: &Mutex<Option<PartialFile>>,
    act: impl FnOnce(&mut PartialFile) -> error::Result<R>,
) -> error::Result<R> {
    let mut file = file.lock().expect("no holder panics");
    act(file.as_mut().ok_or_else(closed)?)
}

fn closed() -> CoreError {
    internal("the file is closed")
}

#[napi]
impl ShardWriter {
    /// Writes these bytes as the tensor of this name; it must be the next one declared.
    #[napi]
    pub fn append(&self, name: String, bytes: &[u8]) -> Result<()> {
        on_writer(&self.inner, |writer| writer.write_bytes(&name, bytes)).map_err(thrown)
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
            on_writer(&writer, |writer| {
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
            on_writer(&writer, |writer| {
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
            on_writer(&writer, |writer| {
                writer.stream(name, bytes, |file| {
                    archive.write(name, weight.orientation(), &mut |bytes| file.put(bytes), &control)
                })
            })
        })
    }
}

/// A file whose bytes are described elsewhere (GGUF's tensors, ONNX's external data), read through a memory map.
#[napi]
pub struct DataFile {
    inner: Arc<read::DataFile>,
}

#[napi]
impl DataFile {
    /// Errors: file.not-readable, checkpoint.not-a-file.
    #[napi(factory)]
    pub fn open(path: String) -> Result<Self> {
        let inner = Arc::new(read::DataFile::open(Path::new(&path)).map_err(thrown)?);
        Ok(Self { inner })
    }
}

/// Blocks or plain numbers [rows, cols] from `offset` on, in bytes.
#[napi(object)]
pub struct GgmlPlace {
    #[napi(js_name = "type", ts_type = "'q4_0' | 'q4_1' | 'q8_0' | 'F32' | 'F16' | 'BF16'")]
    pub kind: String,
    pub offset: f64,
    pub rows: u32,
    pub cols: u32,
}

/// Where the inputs of a MatMulNBits of `rows` (N) and `cols` (K) begin, in bytes, and its attributes.
#[napi(object)]
pub struct NbitsPlaces {
    pub b: f64,
    pub scales: f64,
    pub zero_points: Option<f64>,
    pub rows: u32,
    pub cols: u32,
    pub bits: u32,
    pub block_size: u32,
}

/// A layer in one of the layouts, checked as far as its shapes go. Errors: checkpoint.*, pack.*.
#[napi]
pub struct PackedLayer {
    inner: Arc<read::PackedLayer>,
}

#[napi]
impl PackedLayer {
    /// Layer `name` of a GPTQ checkpoint. `groupSize`: 0 = per channel.
    #[napi(factory)]
    pub fn gptq(
        checkpoint: &Checkpoint,
        name: String,
        bits: u32,
        group_size: u32,
        #[napi(ts_arg_type = "'gptq' | 'gptq_v2'")] checkpoint_format: String,
    ) -> Result<Self> {
        let zero_offset = u16::from(checkpoint_format == "gptq");
        let checkpoint = checkpoint.inner.clone();
        Self::checked(read::PackedLayer::gptq(
            checkpoint,
            &name,
            bits,
            group_size as usize,
            zero_offset,
        ))
    }

    /// Layer `name` of a compressed-tensors checkpoint, `pack-quantized`. `groupSize`: 0 = per channel.
    #[napi(factory)]
    pub fn pack_quantized(checkpoint: &Checkpoint, name: String, bits: u32, group_size: u32) -> Result<Self> {
        let checkpoint = checkpoint.inner.clone();
        Self::checked(read::PackedLayer::pack_quantized(
            checkpoint,
            &name,
            bits,
            group_size as usize,
        ))
    }

    #[napi(factory)]
    pub fn ggml(file: &DataFile, place: GgmlPlace) -> Result<Self> {
        let file = file.inner.clone();
        let (offset, rows, cols) = (place.offset as u64, place.rows as usize, place.cols as usize);
        Self::checked(match GgmlType::of(&place.kind) {
            Some(kind) => read::PackedLayer::ggml(file, kind, offset, rows, cols),
            None => {
                storage(&place.kind).and_then(|storage| read::PackedLayer::plain(file, storage, offset, rows, cols))
            }
        })
    }

    #[napi(factory)]
    pub fn nbits(file: &DataFile, places: NbitsPlaces) -> Result<Self> {
        let at = read::NbitsPlaces {
            b: places.b as u64,
            scales: places.scales as u64,
            zero_points: places.zero_points.map(|offset| offset as u64),
            bits: places.bits,
            block: places.block_size as usize,
        };
        let (rows, cols) = (places.rows as usize, places.cols as usize);
        Self::checked(read::PackedLayer::nbits(file.inner.clone(), &at, rows, cols))
    }

    fn checked(opened: error::Result<read::PackedLayer>) -> Result<Self> {
        let inner = Arc::new(opened.map_err(thrown)?);
        Ok(Self { inner })
    }

    #[napi(getter)]
    pub fn rows(&self) -> u32 {
        self.inner.rows as u32
    }

    #[napi(getter)]
    pub fn cols(&self) -> u32 {
        self.inner.cols as u32
    }
}

/// Writes a packed archive (`.tamis`) as a stream beside its name; `finish` gives it the name. Every name is used once.
#[napi]
pub struct ArchiveWriter {
    /// None once it is finished or abandoned.
    inner: Arc<Mutex<Option<archive::ArchiveWriter>>>,
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
        on_archive(&self.inner, |archive| Ok(archive.position() as f64)).map_err(thrown)
    }

    /// A small file of the checkpoint's folder.
    #[napi]
    pub fn add_file(&self, name: String, bytes: &[u8]) -> Result<()> {
        on_archive(&self.inner, |archive| archive.add_file(&name, bytes)).map_err(thrown)
    }

    /// A tensor as it is stored.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn add_tensor(&self, checkpoint: &Checkpoint, name: String) -> AsyncTask<Job<()>> {
        let (archive, checkpoint) = (self.inner.clone(), checkpoint.inner.clone());
        job(move || on_archive(&archive, |archive| archive.add_tensor(&checkpoint, &name)))
    }

    /// The weight of a quantized layer, under its tensor's name. Error pack.not-on-grid {path, layer, row}.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn add_layer(&self, layer: &QuantizedLayer, control: &Control) -> AsyncTask<Job<()>> {
        let (archive, layer, control) = (self.inner.clone(), layer.inner.clone(), control.inner.clone());
        job(move || on_archive(&archive, |archive| archive.add_layer(&layer, &control)))
    }

    /// A pruned weight (two dimensions, F32, F16 or BF16) that is not quantized.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn add_sparse(&self, checkpoint: &Checkpoint, name: String, control: &Control) -> AsyncTask<Job<()>> {
        let (archive, checkpoint, control) = (self.inner.clone(), checkpoint.inner.clone(), control.inner.clone());
        job(move || on_archive(&archive, |archive| archive.add_sparse(&checkpoint, &name, &control)))
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

fn on_archive<R>(
    archive: &Mutex<Option<archive::ArchiveWriter>>,
    act: impl FnOnce(&mut archive::ArchiveWriter) -> error::Result<R>,
) -> error::Result<R> {
    let mut archive = archive.lock().expect("no holder panics");
    act(archive.as_mut().ok_or_else(closed)?)
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
    inner: Arc<archive::Archive>,
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
