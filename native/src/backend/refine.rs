//! What a backend is told of a quantized layer that is to be refined (method.md, section 11).

use crate::quantization::Quantization;
use crate::weights::storage::Storage;

/// Coordinate descent on the codes of a layer's weights.
pub struct Refinement<'a, Grids, Mask> {
    pub grids: &'a Grids,
    pub quantization: Quantization,
    pub mask: &'a Mask,
    /// √H_jj of all columns.
    pub roots: &'a [f32],
    /// Weights are rounded to it.
    pub storage: Storage,
    /// Times that each weight is chosen anew.
    pub passes: usize,
}
