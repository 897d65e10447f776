//! Xᵀ X on the GPU: the sums of 256 tokens in float32, and the sums of these in twice that precision, as two float32 numbers each.
//! (The CPU's product keeps several partial sums of its 1024 tokens; one after the other 256 are as exact.)
//!
//! Twice float32 rather than float64 on the CPU: fetching the products of each chunk would move n² / 2 numbers for every 1024 tokens, half as
//! much as the tokens themselves where n is 1024, and twice as much where it is 4096. The two numbers take the memory of one
//! float64. No compiler may contract or reorder what they are made of (see `opaque` in gram.wgsl).

use bytemuck::{Pod, Zeroable};

use super::device::Gpu;
use super::kernels::Kernel;
use super::matrix::Matrix;
use super::rearrange::{Change, diagonal_of, rearrange};
use crate::backend::first_bad_row;
use crate::control::Control;
use crate::error::{Error, Result};

/// Tokens that are sent at once.
pub const CHUNK: usize = 1024;
/// Tokens whose products are summed in float32.
const SUMMED: usize = 256;

/// The sum of xᵀ x over all tokens added so far.
pub struct Gram {
    pub cols: usize,
    /// [cols, cols] row-major, the upper triangle of hi + lo.
    pub hi: Matrix,
    pub lo: Matrix,
}

/// As in gram.wgsl.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Params {
    first: u32,
    tokens: u32,
    cols: u32,
    top: u32,
    lines: u32,
    chunk: u32,
    zero: u32,
}

impl Gram {
    pub fn new(gpu: &Gpu, cols: usize) -> Result<Self> {
        Ok(Self {
            cols,
            hi: Matrix::new(gpu, cols, cols)?,
            lo: Matrix::new(gpu, cols, cols)?,
        })
    }

    /// Adds xᵀ x; x [tokens, cols] row-major. Error: `NotFinite` with the first row of x that is not; the sums are then spoiled.
    pub fn add(&mut self, gpu: &Gpu, x: &[f32], control: &Control) -> Result<()> {
        let cols = self.cols;
        assert!(x.len().is_multiple_of(cols), "x holds whole rows");
        let tokens = x.len() / cols;
        control.begin(tokens as u64)?;
        if tokens == 0 {
            return Ok(());
        }
        let rows = gpu.buffer(CHUNK.min(tokens) * cols)?;
        let first_bad = gpu.buffer_of(&[u32::MAX])?;
        let tile = gpu.tile();
        for (i, chunk) in x.chunks(CHUNK * cols).enumerate() {
            let tokens = chunk.len() / cols;
            gpu.write(&rows, chunk)?;
            let mut tasks = gpu.tasks();
            for first in (0..tokens).step_by(SUMMED) {
                for (hi, lo) in self.hi.pieces().zip(self.lo.pieces()) {
                    let params = Params {
                        first: first as u32,
                        tokens: SUMMED.min(tokens - first) as u32,
                        cols: cols as u32,
                        top: hi.top as u32,
                        lines: hi.lines.len() as u32,
                        chunk: i as u32,
                        zero: 0,
                    };
                    let groups = [
                        cols.div_ceil(tile.cols() as usize),
                        hi.lines.len().div_ceil(tile.rows() as usize),
                        1,
                    ];
                    tasks.add(Kernel::Gram, params, &[&rows, hi.buffer, lo.buffer, &first_bad], groups);
                }
            }
            tasks.submit()?;
            control.advance(tokens as u64)?;
        }
        let mut bad = [0u32];
        gpu.read(&first_bad, &mut bad)?;
        match x.chunks(CHUNK * cols).nth(bad[0] as usize) {
            None => Ok(()),
            Some(chunk) => Err(Error::NotFinite {
                row: bad[0] as usize * CHUNK + first_bad_row(chunk, cols),
            }),
        }
    }

    pub fn diagonal(&self, gpu: &Gpu) -> Result<Vec<f64>> {
        let (hi, lo) = (diagonal_of(gpu, &self.hi)?, diagonal_of(gpu, &self.lo)?);
        Ok(hi.iter().zip(&lo).map(|(&hi, &lo)| hi as f64 + lo as f64).collect())
    }

    /// `scale` times it with `diagonal` [cols] in the place of its own, rows and columns in the reverse of `order` (None: as they
    /// are): [cols, cols] row-major, upper triangle, zeros below the diagonal.
    pub fn hessian(&self, gpu: &Gpu, order: Option<&[u32]>, scale: f64, diagonal: &[f32]) -> Result<Matrix> {
        self.ordered(gpu, Kernel::Hessian, order, scale, diagonal)
    }

    /// `scale` times it with `diagonal` [cols] in the place of its own, entry i, j divided by √(diagonalᵢ diagonalⱼ), rows and columns
    /// in `order` (None: as they are): [cols, cols] row-major, both triangles.
    pub fn correlation(&self, gpu: &Gpu, order: Option<&[u32]>, scale: f64, diagonal: &[f32]) -> Result<Matrix> {
        let inverse_root = |&entry: &f32| (1.0 / (entry as f64).sqrt()) as f32;
        let inverse_roots: Vec<f32> = diagonal.iter().map(inverse_root).collect();
        self.ordered(gpu, Kernel::Correlation, order, scale, &inverse_roots)
    }

    /// What a kernel makes of it and of a number for each of its columns.
    fn ordered(
        &self,
        gpu: &Gpu,
        kernel: Kernel,
        order: Option<&[u32]>,
        scale: f64,
        of_columns: &[f32],
    ) -> Result<Matrix> {
        let natural: Vec<u32> = (0..self.cols as u32).collect();
        let order = gpu.buffer_of(order.unwrap_or(&natural))?;
        let of_columns = gpu.buffer_of(of_columns)?;
        let out = Matrix::new(gpu, self.cols, self.cols)?;
        let change = Change {
            scale,
            ..Change::default()
        };
        let more = [&of_columns, &order];
        rearrange(gpu, kernel, &out, &[&self.hi, &self.lo], &more, change)?;
        Ok(out)
    }
}
