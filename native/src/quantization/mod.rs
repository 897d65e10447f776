//! How a layer is quantized, and what turns its codes into its weights.

use crate::weights::storage::Storage;

/// How the range of a group's weights is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    MinMax,
    /// Of the whole range and 79 shrunk ones the first with the least sum of |q - w|^2.4, as in the GPTQ authors' code.
    Mse,
}

/// How the weights that are kept are quantized.
#[derive(Debug, Clone, Copy)]
pub struct Quantization {
    /// 1 to 8.
    pub bits: u32,
    /// Columns of a row that share a scale, at most all of them; the last group of a row may be shorter.
    pub group: usize,
    /// The zero point is 2^(bits - 1).
    pub symmetric: bool,
    /// Scales are those of the dense weights, of groups of columns that are neighbours whatever the order of the sweep.
    pub static_groups: bool,
    pub range: Range,
    /// What scales are rounded to: F16; BF16, and exact in float16, too; F32, not at all, as in the authors' code.
    pub scales: Storage,
}

impl Quantization {
    /// The largest code.
    pub fn most(&self) -> f32 {
        ((1u32 << self.bits) - 1) as f32
    }

    /// The zero point of symmetric codes.
    pub fn middle(&self) -> f32 {
        (1u32 << (self.bits - 1)) as f32
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
}
