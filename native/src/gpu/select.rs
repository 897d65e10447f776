//! The score of a rank among many, found by counting.

use bytemuck::{Pod, Zeroable};

use super::device::{Buffer, Tasks};
use super::kernels::Kernel;
use super::weights::Weights;

/// Counts of select.wgsl, behind two other numbers.
const BINS: usize = 2048;
/// Values of what a selection finds: the bits of the score come first, then what is left of the rank.
pub const FOUND: usize = 2 + BINS;
/// Columns that a workgroup of select.wgsl counts.
const COUNTED: usize = 16;
/// The bits that each pass of the selection looks at: how many are below them, and how many there are.
const PASSES: [(u32, u32); 3] = [(20, 11), (10, 10), (0, 10)];

/// As in select.wgsl.
#[derive(Clone, Copy, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Params {
    pub rows: u32,
    pub stride: u32,
    pub w_top: u32,
    pub first: u32,
    pub width: u32,
    pub rank: u32,
    pub shift: u32,
    pub bits: u32,
}

impl Params {
    /// For scores as many and as far apart as a layer's weights.
    pub fn of(w: &Weights) -> Self {
        Self {
            rows: w.rows as u32,
            stride: w.stride() as u32,
            ..Self::default()
        }
    }
}

/// Finds the score of the rank that `found` has behind a zero; of each buffer of `scores` so many columns count, all by their magnitude.
pub fn find(tasks: &mut Tasks, found: &Buffer, params: Params, scores: &[(&Buffer, usize)]) {
    for (shift, bits) in PASSES {
        for &(scores, width) in scores {
            let params = Params {
                width: width as u32,
                shift,
                bits,
                ..params
            };
            let groups = [(params.rows as usize).div_ceil(256), width.div_ceil(COUNTED), 1];
            tasks.add(Kernel::Count, params, &[found, scores], groups);
        }
        let params = Params { shift, bits, ..params };
        tasks.add(Kernel::Choose, params, &[found], [1, 1, 1]);
    }
}
