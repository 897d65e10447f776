//! Plain tensors in another type.

use std::borrow::Cow;

use super::grid::Scratch;
use super::write::{Sink, Source, write_rows};
use crate::checkpoint::{Checkpoint, Dtype, Orientation, shown};
use crate::control::Control;
use crate::error::{Error, Result, display, internal};
use crate::weights::storage::Storage;

/// The bytes of a tensor as `dtype` holds them, row by row of its first dimension; `rows`: those that are written, in this
/// order. A matrix that the checkpoint holds transposed is written upright. Errors: those of `bytes`, `pack.too-large-for-dtype`, those of `sink`.
pub fn write_dense(
    checkpoint: &Checkpoint,
    name: &str,
    orientation: Orientation,
    dtype: &str,
    rows: Option<&[u32]>,
    sink: Sink,
    control: &Control,
) -> Result<()> {
    let tensor = checkpoint.tensor(name)?;
    let from = checkpoint.storage(tensor)?;
    let to = storage(dtype)?;
    let (count, bytes) = match orientation {
        Orientation::Transposed => {
            let matrix = checkpoint.matrix(name, orientation)?;
            (matrix.rows, matrix.bytes)
        }
        Orientation::Upright => {
            let count = match rows {
                None if tensor.shape.len() < 2 => 1,
                _ => tensor.shape.first().map_or(1, |&rows| rows as usize),
            };
            (count, Cow::Borrowed(checkpoint.bytes(name)?))
        }
    };
    let cols = tensor.elements() / count.max(1);
    let row_bytes = cols * to.size();
    let convert = |row: usize, scratch: &mut Scratch, out: &mut [u8]| {
        let here = &bytes[row * cols * from.size()..][..cols * from.size()];
        if from == to {
            out.copy_from_slice(here);
            return Ok(());
        }
        from.decode(here, &mut scratch.values);
        let fits = |&value: &f32| to.round(value).is_finite() || !value.is_finite();
        if !scratch.values.iter().all(fits) {
            return Err(Error::TooLargeForDtype {
                path: display(checkpoint.file_of(tensor)),
                tensor: shown(name),
                dtype: dtype.to_owned(),
            });
        }
        to.encode(&scratch.values, out);
        Ok(())
    };
    let source = Source { count, cols, rows };
    write_rows(&source, row_bytes, convert, sink, control)
}

/// The floats that weights are stored in. Error: `internal`.
pub fn storage(dtype: &str) -> Result<Storage> {
    match Dtype::of(dtype).map(Dtype::name) {
        Some("F32") => Ok(Storage::F32),
        Some("F16") => Ok(Storage::F16),
        Some("BF16") => Ok(Storage::BF16),
        _ => Err(internal("a weight is stored as F32, F16 or BF16")),
    }
}

/// As safetensors calls it.
pub fn dtype_name(storage: Storage) -> &'static str {
    match storage {
        Storage::F32 => "F32",
        Storage::F16 => "F16",
        Storage::BF16 => "BF16",
    }
}
