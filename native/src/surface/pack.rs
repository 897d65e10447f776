//! The Node-API surface of packing: layouts, streamed files, reading back.

use std::path::Path;
use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::checkpoint::{Checkpoint, WeightName};
use super::task::{Control, Job, job, thrown};
use crate::error;
use crate::pack::dense::storage;
use crate::pack::part::{GgmlType, Measures, Part};
use crate::pack::{layer, read};

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
    pub(super) fn bytes(&self, of: &Measures) -> error::Result<u64> {
        let rows = self.rows.as_ref().map_or(of.rows, |rows| rows.len());
        self.part()?.bytes(&Measures { rows, ..*of })
    }

    pub(super) fn part(&self) -> error::Result<Part> {
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
    pub(super) inner: Arc<layer::QuantizedLayer>,
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

/// A file whose bytes are described elsewhere (GGUF's tensors, ONNX's external data), read through a memory map.
#[napi]
pub struct DataFile {
    pub(super) inner: Arc<read::DataFile>,
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
    pub(super) inner: Arc<read::PackedLayer>,
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
