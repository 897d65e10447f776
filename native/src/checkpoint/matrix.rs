//! Weights of two dimensions, whichever way a checkpoint holds them.

use std::borrow::Cow;

use rayon::prelude::*;

use super::Checkpoint;
use crate::error::{Result, internal};
use crate::weights::storage::Storage;
use crate::weights::weight::Weight;

/// Rows and columns of a tile: of both matrices it is whole lines of the cache, and it fits the smallest one.
const TILE: usize = 64;

/// How a checkpoint holds a weight [rows, cols].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orientation {
    Upright,
    /// As [cols, rows].
    Transposed,
}

/// A weight [rows, cols] row-major: in the bytes of its checkpoint, or a copy where it is held transposed.
pub struct Matrix<'a> {
    pub rows: usize,
    pub cols: usize,
    pub storage: Storage,
    pub bytes: Cow<'a, [u8]>,
}

impl Matrix<'_> {
    pub fn as_weight(&self) -> Weight<'_> {
        Weight {
            rows: self.rows,
            cols: self.cols,
            storage: self.storage,
            bytes: &self.bytes,
        }
    }
}

impl Checkpoint {
    /// Rows, columns and type of a weight. Errors: `checkpoint.no-tensor`, `checkpoint.not-a-weight-dtype`.
    pub fn matrix_shape(&self, name: &str, orientation: Orientation) -> Result<(usize, usize, Storage)> {
        let tensor = self.tensor(name)?;
        let &[first, second] = &tensor.shape[..] else {
            return Err(internal("a layer's weight has two dimensions"));
        };
        let (rows, cols) = match orientation {
            Orientation::Upright => (first, second),
            Orientation::Transposed => (second, first),
        };
        Ok((rows as usize, cols as usize, self.storage(tensor)?))
    }

    /// A weight; it is copied where it is held transposed. Errors: as `matrix_shape`.
    pub fn matrix(&self, name: &str, orientation: Orientation) -> Result<Matrix<'_>> {
        let (rows, cols, storage) = self.matrix_shape(name, orientation)?;
        let bytes = self.bytes(name)?;
        let bytes = match orientation {
            Orientation::Upright => Cow::Borrowed(bytes),
            Orientation::Transposed => Cow::Owned(transposed(bytes, cols, rows, storage)),
        };
        Ok(Matrix {
            rows,
            cols,
            storage,
            bytes,
        })
    }
}

/// [rows, cols] as [cols, rows], tile by tile in parallel.
pub fn transposed(bytes: &[u8], rows: usize, cols: usize, storage: Storage) -> Vec<u8> {
    let mut out = vec![0; bytes.len()];
    match storage {
        Storage::F32 => transpose::<4>(bytes, rows, cols, &mut out),
        Storage::F16 | Storage::BF16 => transpose::<2>(bytes, rows, cols, &mut out),
    }
    out
}

/// Lines of a large matrix lie so far apart that they put each other out of the cache: a tile is turned in memory of its own.
fn transpose<const SIZE: usize>(bytes: &[u8], rows: usize, cols: usize, out: &mut [u8]) {
    let (from, to) = (bytes.as_chunks::<SIZE>().0, out.as_chunks_mut::<SIZE>().0);
    let bands = to.par_chunks_mut((rows * TILE).max(1)).enumerate();
    bands.for_each(|(band, to)| {
        let first = band * TILE;
        let mut turned = [[[0; SIZE]; TILE]; TILE];
        for tile in (0..rows).step_by(TILE) {
            let height = TILE.min(rows - tile);
            for row in 0..height {
                let line = &from[(tile + row) * cols + first..(tile + row + 1) * cols];
                for (value, turned) in line.iter().zip(&mut turned) {
                    turned[row] = *value;
                }
            }
            for (to, turned) in to.chunks_exact_mut(rows).zip(&turned) {
                to[tile..tile + height].copy_from_slice(&turned[..height]);
            }
        }
    });
}
