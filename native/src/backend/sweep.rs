//! What a backend is told to sweep.

use crate::quantization::Quantization;
use crate::weights::storage::Storage;

/// Columns whose errors are spread over the rest of the matrix at once.
pub const SPAN: usize = 512;

/// What of a block is pruned, by the saliency of its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pruned {
    Nothing,
    All,
    /// Everything up to the weight of this 0-based rank, all rows together.
    UpToRank(usize),
    /// In each row the `n` least salient of every `m`, when the sweep comes to them.
    NofM {
        n: usize,
        m: usize,
    },
    /// What a mask says.
    Masked,
}

/// What is known of a layer's columns before a sweep comes to them.
#[derive(Debug)]
pub struct Known<'a, Grids, Mask> {
    /// None where nothing is quantized.
    pub grids: Option<&'a Grids>,
    /// None where the sweep chooses what it prunes.
    pub mask: Option<&'a Mask>,
}

/// A block of columns that is swept at once.
pub struct Block<'a> {
    pub first: usize,
    pub width: usize,
    /// Its errors are spread at once over the columns up to here.
    pub reach: usize,
    /// The first column of its span.
    pub span: usize,
    pub pruned: Pruned,
    pub storage: Storage,
    /// U_jj of the block's columns.
    pub diagonal: &'a [f32],
    pub quantization: Option<Quantization>,
}

/// The blocks whose errors are spread over the rest of the matrix at once: columns `first..end`.
pub struct Span {
    pub first: usize,
    pub end: usize,
    /// Up to this column they have been spread already.
    pub reach: usize,
}
