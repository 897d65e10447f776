//! The sweep over a layer's columns (method.md, section 3): prune a column, spread its error over the columns after it.
//!
//! Columns go in blocks of 128, blocks in spans of 512: a block's errors are spread at once over the rest of its span, a span's over
//! the rest of the matrix. That is one long matrix product for the larger part, and W is fetched from memory four times less often.

use super::factor::Factor;
use super::grids::Grids;
use super::mask::Pattern;
use crate::backend::Backend;
use crate::backend::sweep::{Block, Known, Pruned, SPAN, Span};
use crate::control::Control;
use crate::error::Result;
use crate::weights::storage::Storage;

/// Columns pruned by one threshold.
pub const BLOCK: usize = 128;

/// The work of a sweep in the units that it reports to its control.
pub fn work(cols: usize) -> u64 {
    let cols = cols as u64;
    cols * (cols + 1) / 2
}

/// Which weights a sweep prunes.
pub enum Selection<'a, B: Backend> {
    /// The least salient, chosen as it goes.
    Pattern(Pattern),
    /// Those that were zero before.
    Fixed(&'a B::Mask),
}

impl<'a, B: Backend> Selection<'a, B> {
    /// Columns of a block: as near to 128 as groups of m allow.
    fn block_width(&self) -> usize {
        match self {
            Self::Pattern(Pattern::NofM { m, .. }) => (BLOCK / m).max(1) * m,
            _ => BLOCK,
        }
    }

    /// Which weights of a block of `count` are pruned.
    fn pruned(&self, count: usize) -> Pruned {
        match self {
            Self::Pattern(pattern) => pattern.pruned(count),
            Self::Fixed(_) => Pruned::Masked,
        }
    }

    fn mask(&self) -> Option<&'a B::Mask> {
        match self {
            Self::Pattern(_) => None,
            Self::Fixed(mask) => Some(mask),
        }
    }
}

/// What a sweep makes of the weights.
pub struct Sweep<'a, B: Backend> {
    pub factor: &'a Factor<B>,
    pub selection: Selection<'a, B>,
    /// Kept weights are rounded to it before their error is spread.
    pub storage: Storage,
}

/// Prunes `w` [rows, cols], columns in the factor's order, and quantizes what is kept where there are `grids`; overwrites it with
/// the result. Returns ‖Err‖², Err = (w - q) / U_jj with w as it stood when its column was pruned; so Err U = W - Q.
pub fn sweep<B: Backend>(
    w: &mut B::Weights,
    rows: usize,
    sweep: &Sweep<B>,
    mut grids: Option<&mut Grids<B>>,
    control: &Control,
) -> Result<f64> {
    let Factor {
        backend,
        cols,
        u,
        u_diagonal,
        ..
    } = sweep.factor;
    let cols = *cols;
    let block = sweep.selection.block_width();
    let mask = sweep.selection.mask();
    let span = (SPAN / block).max(1) * block;
    let mut errors = backend.errors(w, span.min(cols), u_diagonal, control)?;
    for start in (0..cols).step_by(span) {
        let end = (start + span).min(cols);
        // A group that starts in the span may end after it: until there each block's errors are spread at once.
        let reach = grids.as_ref().map_or(end, |grids| grids.reach(end));
        for first in (start..end).step_by(block) {
            let width = block.min(end - first);
            let block = Block {
                first,
                width,
                reach,
                span: start,
                pruned: sweep.selection.pruned(rows * width),
                storage: sweep.storage,
                diagonal: &u_diagonal[first..first + width],
                quantization: grids.as_ref().map(|grids| grids.quantization),
            };
            if let Some(grids) = grids.as_deref_mut() {
                grids.fit_starting(backend, w, mask, first..first + width, control)?;
            }
            let known = Known {
                grids: grids.as_deref().map(|grids| &grids.values),
                mask,
            };
            backend.sweep_block(w, u, &mut errors, known, &block, control)?;
            control.advance(((first..first + width).map(|j| cols - j).sum::<usize>()) as u64)?;
        }
        let span = Span {
            first: start,
            end,
            reach,
        };
        backend.spread(w, u, &errors, &span, control)?;
    }
    backend.squares(errors)
}
