//! A layer's weights on the GPU, column after column as `Columns` holds them.

use bytemuck::Pod;

use super::device::{Buffer, Gpu, Tasks};
use super::kernels::Kernel;
use super::matrix::{Matrix, Piece};
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::{Columns, stride_of};
use crate::weights::lanes::LANES;

/// Pieces of weights that grid.wgsl reads.
pub const PIECES: usize = 4;

/// What a kernel that runs for each piece of weights is bound to.
#[derive(Clone, Copy)]
pub enum Bound<'a> {
    /// A piece of as many weights.
    Weights(&'a Weights),
    Buffer(&'a Buffer),
}

/// A matrix [rows, cols] column after column, `stride` values each, zeros behind `rows`.
pub struct Weights {
    pub rows: usize,
    /// Rows that are computed with.
    pub padded: usize,
    pub columns: Matrix,
}

impl Weights {
    pub fn upload(gpu: &Gpu, w: &Columns) -> Result<Self> {
        let columns = Matrix::new(gpu, w.cols, stride_of(w.rows))?;
        if columns.pieces().count() > PIECES {
            return Err(gpu.too_large(columns.size()));
        }
        columns.write(gpu, w.values())?;
        Ok(Self {
            rows: w.rows,
            padded: w.padded(),
            columns,
        })
    }

    /// As many zeros.
    pub fn zeros(&self, gpu: &Gpu) -> Result<Self> {
        let columns = Matrix::new(gpu, self.cols(), self.stride())?;
        Ok(Self { columns, ..*self })
    }

    /// Adds a run of a kernel for each piece of them: a workgroup for each group of `LANES` rows, times what `count` says of a piece.
    pub(crate) fn add<P: Pod>(
        &self,
        tasks: &mut Tasks,
        kernel: Kernel,
        bound: &[Bound],
        params: impl Fn(&Piece) -> P,
        count: impl Fn(&Piece) -> usize,
    ) {
        for piece in self.columns.pieces() {
            let buffers = bound.iter().map(|bound| match bound {
                Bound::Weights(w) => w.columns.holding(piece.lines.clone()).buffer,
                Bound::Buffer(buffer) => buffer,
            });
            let buffers: Vec<&Buffer> = buffers.collect();
            let groups = [self.padded / LANES, count(&piece), 1];
            tasks.add(kernel, params(&piece), &buffers, groups);
        }
    }

    pub fn cols(&self) -> usize {
        self.columns.lines
    }

    pub fn stride(&self) -> usize {
        self.columns.width
    }

    pub fn download(&self, gpu: &Gpu, control: &Control) -> Result<Columns> {
        let mut columns = Columns::zeros(self.rows, self.cols(), control)?;
        self.columns.read(gpu, columns.values_mut())?;
        Ok(columns)
    }
}
