//! Tensors that have to be of one dtype and shape.

use half::f16;

use crate::checkpoint::{Checkpoint, shown};
use crate::error::{Error, Result, display};

/// The file of a tensor, or nothing where there is no such tensor.
pub fn file_of(checkpoint: &Checkpoint, name: &str) -> String {
    let file = checkpoint
        .tensor(name)
        .map(|tensor| display(checkpoint.file_of(tensor)));
    file.unwrap_or_default()
}

/// The bytes of a tensor of this dtype and shape. Errors: `checkpoint.no-tensor`, `pack.shape`.
pub fn expected<'a>(checkpoint: &'a Checkpoint, name: &str, dtype: &str, shape: &[usize]) -> Result<&'a [u8]> {
    let tensor = checkpoint.tensor(name)?;
    let same_shape = tensor
        .shape
        .iter()
        .copied()
        .eq(shape.iter().map(|&dimension| dimension as u64));
    if tensor.dtype.name() == dtype && same_shape {
        return checkpoint.bytes(name);
    }
    Err(Error::PackShape {
        path: file_of(checkpoint, name),
        tensor: shown(name),
        expected: format!("{dtype} {shape:?}"),
        actual: format!("{} {:?}", tensor.dtype.name(), tensor.shape),
    })
}

/// The group of every column, each below `groups`. Errors: as `expected`, `pack.group-index`.
pub fn group_order(checkpoint: &Checkpoint, name: &str, cols: usize, groups: usize) -> Result<Vec<u32>> {
    let order: Vec<u32> = words(expected(checkpoint, name, "I32", &[cols])?).collect();
    match order.iter().position(|&group| group as usize >= groups) {
        None => Ok(order),
        Some(column) => Err(Error::GroupIndex {
            path: file_of(checkpoint, name),
            tensor: shown(name),
            column,
        }),
    }
}

pub fn halves(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f16::from_le_bytes(*bytes).to_f32())
}

pub fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes))
}
