//! What a layer is compressed to.

use super::mask::Pattern;
use crate::quantization::Quantization;
use crate::weights::storage::Storage;

/// What a layer is compressed to.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub pattern: Pattern,
    /// The type that its weights are stored in.
    pub storage: Storage,
    /// None: the weights that are kept are rounded to `storage` and no more.
    pub quantization: Option<Quantization>,
}
