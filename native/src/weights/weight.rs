//! A layer's weight as it lies in a checkpoint, and what becomes of it.

use crate::quantization::Quantized;
use crate::weights::storage::Storage;

/// A layer's weight [rows, cols] row-major, in the bytes of its checkpoint.
#[derive(Clone, Copy)]
pub struct Weight<'a> {
    pub rows: usize,
    pub cols: usize,
    pub storage: Storage,
    pub bytes: &'a [u8],
}

impl Weight<'_> {
    /// Decodes row `row` into `values` [cols].
    pub fn read_row(&self, row: usize, values: &mut [f32]) {
        let length = self.cols * self.storage.size();
        self.storage
            .decode(&self.bytes[row * length..(row + 1) * length], values);
    }
}

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
