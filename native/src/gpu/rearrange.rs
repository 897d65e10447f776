//! Matrices made of others, entry by entry, in whatever pieces they lie.

use bytemuck::{Pod, Zeroable};

use super::device::{Buffer, Gpu};
use super::kernels::Kernel;
use super::matrix::{Matrix, Piece};
use crate::error::Result;

/// What becomes of entries on their way.
#[derive(Clone, Copy)]
pub struct Change {
    pub scale: f64,
    /// What is added to the diagonal.
    pub added: f32,
}

impl Default for Change {
    fn default() -> Self {
        Self { scale: 1.0, added: 0.0 }
    }
}

/// As in hessian.wgsl.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Params {
    n: u32,
    out_top: u32,
    out_lines: u32,
    source_top: u32,
    source_lines: u32,
    scale_hi: f32,
    scale_lo: f32,
    added: f32,
}

impl Params {
    fn new(n: usize, out: &Piece, source: &Piece, Change { scale, added }: Change) -> Self {
        let scale_hi = scale as f32;
        Self {
            n: n as u32,
            out_top: out.top as u32,
            out_lines: out.lines.len() as u32,
            source_top: source.top as u32,
            source_lines: source.lines.len() as u32,
            scale_hi,
            scale_lo: (scale - scale_hi as f64) as f32,
            added,
        }
    }
}

/// Overwrites `out` [n, n] with what a kernel makes of `sources` [n, n], which are as large, and of more.
pub fn rearrange(
    gpu: &Gpu,
    kernel: Kernel,
    out: &Matrix,
    sources: &[&Matrix],
    more: &[&Buffer],
    change: Change,
) -> Result<()> {
    let n = out.lines;
    let mut tasks = gpu.tasks();
    for to in out.pieces() {
        for from in sources[0].pieces() {
            let params = Params::new(n, &to, &from, change);
            let mut buffers = vec![to.buffer];
            buffers.extend(sources.iter().map(|source| source.holding(from.lines.clone()).buffer));
            buffers.extend(more);
            let groups = [n.div_ceil(16), to.lines.len().div_ceil(16), 1];
            tasks.add(kernel, params, &buffers, groups);
        }
    }
    tasks.submit()
}

/// The mirror image at the other diagonal of a matrix [n, n], zeros below the diagonal.
pub fn flipped(gpu: &Gpu, matrix: &Matrix) -> Result<Matrix> {
    let flipped = Matrix::new(gpu, matrix.lines, matrix.lines)?;
    rearrange(gpu, Kernel::Flip, &flipped, &[matrix], &[], Change::default())?;
    Ok(flipped)
}

/// The diagonal of a matrix [n, n].
pub fn diagonal_of(gpu: &Gpu, matrix: &Matrix) -> Result<Vec<f32>> {
    let n = matrix.lines;
    let diagonal = gpu.buffer(n)?;
    let mut tasks = gpu.tasks();
    for source in matrix.pieces() {
        let params = Params::new(n, &source, &source, Change::default());
        let groups = [source.lines.len().div_ceil(64), 1, 1];
        tasks.add(Kernel::Diagonal, params, &[&diagonal, source.buffer], groups);
    }
    tasks.submit()?;
    let mut values = vec![0f32; n];
    gpu.read(&diagonal, &mut values)?;
    Ok(values)
}
