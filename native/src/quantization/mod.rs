//! How weights are quantized.

pub mod grid;

use crate::weights::storage::Storage;

/// How the range of a group's weights is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    MinMax,
    /// The whole range and 79 shrunk ones are tried: it is the first with the least sum of |q - w|^2.4, as in the GPTQ authors' code.
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

/// Ranges tried by the search, and by how much of the whole one they differ.
const SHRUNK: usize = 80;
const SHRINK_STEP: f64 = 0.01;

/// The shares of a group's range that are tried.
pub fn range_shares(range: Range) -> Vec<f32> {
    let tried = match range {
        Range::MinMax => 1,
        Range::Mse => SHRUNK,
    };
    (0..tried)
        .map(|step| (1.0 - step as f64 * SHRINK_STEP) as f32)
        .collect()
}
