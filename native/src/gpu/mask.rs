//! Which weights of a layer are kept, a bit for each.

use bytemuck::{Pod, Zeroable};

use super::device::{Buffer, Gpu};
use super::kernels::Kernel;
use super::matrix::Piece;
use super::weights::{Bound, Weights};
use crate::error::Result;

/// Columns of a word, as in project.wgsl.
pub const WORD: usize = 32;

/// Words of so many columns: of each all rows, `stride` of them, then those of the next columns.
pub struct Mask {
    pub words: Buffer,
}

/// Which weights are kept.
pub enum Rule<'a> {
    /// Those that are larger than what a buffer begins with.
    Above(&'a Buffer),
    /// All but the `n` smallest of every `m` neighbours, the leftmost of equals going first.
    NofM { n: usize, m: usize },
}

/// Weights that are kept, and those of them that were not before.
pub struct Counts {
    pub changed: usize,
    pub kept: usize,
}

/// As in project.wgsl.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Params {
    rows: u32,
    stride: u32,
    top: u32,
    cols: u32,
    n: u32,
    m: u32,
}

/// Groups of 64 rows have workgroups for so many words of a piece.
pub fn words_of(piece: &Piece) -> usize {
    piece.lines.len().div_ceil(WORD)
}

impl Mask {
    /// Everything is kept.
    pub fn all(gpu: &Gpu, w: &Weights) -> Result<Self> {
        let words = gpu.buffer_of(&vec![u32::MAX; w.cols().div_ceil(WORD) * w.stride()])?;
        Ok(Self { words })
    }

    /// What is not zero is kept.
    pub fn zeros_of(gpu: &Gpu, w: &Weights) -> Result<Self> {
        let mask = Self::all(gpu, w)?;
        mask.project(gpu, w, &Rule::Above(&gpu.buffer(1)?))?;
        Ok(mask)
    }

    /// Keeps the weights that a rule says. Error: `GpuTooLarge` of groups that may lie in two pieces of a matrix.
    pub fn project(&self, gpu: &Gpu, w: &Weights, rule: &Rule) -> Result<Counts> {
        let (counts, nothing) = (gpu.buffer(2)?, gpu.buffer(1)?);
        let (n, m, found) = match *rule {
            Rule::Above(found) => (0, 0, found),
            Rule::NofM { m, .. } if w.columns.is_split() && !w.columns.height.is_multiple_of(m) => {
                return Err(gpu.too_large(w.columns.size()));
            }
            Rule::NofM { n, m } => (n, m, &nothing),
        };
        let params = |piece: &Piece| Params {
            rows: w.rows as u32,
            stride: w.stride() as u32,
            top: piece.top as u32,
            cols: piece.lines.len() as u32,
            n: n as u32,
            m: m as u32,
        };
        let bound = [
            Bound::Buffer(&self.words),
            Bound::Weights(w),
            Bound::Buffer(found),
            Bound::Buffer(&counts),
        ];
        let mut tasks = gpu.tasks();
        w.add(&mut tasks, Kernel::Project, &bound, params, words_of);
        tasks.submit()?;
        let mut values = [0u32; 2];
        gpu.read(&counts, &mut values)?;
        let [changed, kept] = values.map(|count| count as usize);
        Ok(Counts { changed, kept })
    }
}
