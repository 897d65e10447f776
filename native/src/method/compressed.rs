//! What becomes of a layer's weight.

use crate::quantization::Quantization;
use crate::quantization::grid::Grid;
use crate::weights::lanes::LANES;
use crate::weights::storage::Storage;
use crate::weights::weight::Weight;

/// What became of a layer's weight: [rows, cols] row-major in the bytes it is stored in, and what it cost.
#[derive(Debug, Default)]
pub struct Compressed {
    pub rows: usize,
    pub cols: usize,
    pub storage: Storage,
    pub bytes: Vec<u8>,
    pub zeros: usize,
    /// tr(Δ H Δᵀ) / tr(W H Wᵀ), H undamped: the relative error of the layer's output over the calibration tokens.
    pub error: Option<f64>,
    /// Σ (w - q)² / U_jj² / 2, w as it stood when its column was pruned: the loss SparseGPT prints.
    pub loss: Option<f64>,
    /// None where the weights that are kept are not quantized.
    pub quantization: Option<Quantized>,
    /// How each iteration went; None where there was none.
    pub iterations: Option<Vec<Progress>>,
}

/// How an iteration of ADMM went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The share of the kept weights that were not kept before; 1 in the first.
    pub changed: f64,
    /// tr(Δ H Δᵀ) / tr(W H Wᵀ), H damped, of the ridge regression's weights, which are not projected.
    pub error: f64,
}

impl Compressed {
    pub fn as_weight(&self) -> Weight<'_> {
        Weight {
            rows: self.rows,
            cols: self.cols,
            storage: self.storage,
            bytes: &self.bytes,
        }
    }

    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0f32; self.rows * self.cols];
        self.storage.decode(&self.bytes, &mut values);
        values
    }
}

/// What turns a quantized layer's codes into its weights: scale * (q - zero), rounded to the type it is stored in.
#[derive(Debug)]
pub struct Quantized {
    pub quantization: Quantization,
    /// Groups in a row.
    pub groups: usize,
    /// [rows, groups] row-major
    pub scales: Vec<f32>,
    /// [rows, groups] row-major
    pub zeros: Vec<u8>,
    /// The group of each column; None where it is column / group size.
    pub group_of: Option<Vec<u32>>,
}

impl Quantized {
    /// The scales in float16, little-endian: exact, unless they were not rounded when they were made.
    pub fn scale_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.scales.len() * Storage::F16.size()];
        Storage::F16.encode(&self.scales, &mut bytes);
        bytes
    }

    /// Takes the grids of a layer whose groups are neighbouring columns; `grids` yields those of all groups, 64 rows after the other.
    pub fn from_grids<'a>(quantization: Quantization, rows: usize, grids: impl Iterator<Item = &'a [Grid]>) -> Self {
        let (mut scales, mut zeros, mut groups) = (Vec::new(), Vec::new(), 0);
        for grids in grids {
            groups = grids.len();
            for lane in 0..LANES.min(rows - scales.len() / groups) {
                scales.extend(grids.iter().map(|grid| grid.scale.0[lane]));
                zeros.extend(grids.iter().map(|grid| grid.zero.0[lane] as u8));
            }
        }
        Self {
            quantization,
            groups,
            scales,
            zeros,
            group_of: None,
        }
    }
}
