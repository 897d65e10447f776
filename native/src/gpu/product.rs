//! Products of parts of matrices.

use bytemuck::{Pod, Zeroable};

use super::device::{Buffer, Tasks};
use super::kernels::{Kernel, Shared, Tile};

/// Where a part of a matrix begins in its buffer, and how far apart entries are that differ by one in the first index (of a sum's
/// terms for an operand, of rows for the result) and in the second.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub start: usize,
    pub first: usize,
    pub second: usize,
}

/// C [m, n] = alpha A B or C += alpha A B.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// By k, then m.
    pub a: Part,
    /// By k, then n.
    pub b: Part,
    /// Rows `first` apart; the entries of a row lie side by side.
    pub c: Part,
    pub alpha: f32,
    pub accumulate: bool,
    /// Only entries n >= m.
    pub is_upper: bool,
    /// B is zero where k > n.
    pub is_b_upper: bool,
}

/// As in gemm.wgsl.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Params {
    m: u32,
    n: u32,
    k: u32,
    a: [u32; 3],
    b: [u32; 3],
    c: [u32; 2],
    alpha: f32,
    accumulate: u32,
    is_upper: u32,
    is_b_upper: u32,
}

impl Part {
    fn params(self) -> [u32; 3] {
        [self.start, self.first, self.second].map(|index| index as u32)
    }
}

/// Where the operands lie.
pub enum Operands<'a> {
    /// In buffers that are not written.
    Apart(&'a Buffer, &'a Buffer),
    /// A in the buffer of the result.
    AWithin(&'a Buffer),
    /// Both in the buffer of the result.
    Within,
}

impl Product {
    /// Adds it to `tasks`; what of C's buffer is read must not be written.
    pub fn add_to(self, tasks: &mut Tasks, tile: Tile, operands: Operands, c: &Buffer) {
        let (m, n, k) = (self.m as u32, self.n as u32, self.k as u32);
        let [start, first, _] = self.c.params();
        let params = Params {
            m,
            n,
            k,
            a: self.a.params(),
            b: self.b.params(),
            c: [start, first],
            alpha: self.alpha,
            accumulate: self.accumulate as u32,
            is_upper: self.is_upper as u32,
            is_b_upper: self.is_b_upper as u32,
        };
        let groups = [n.div_ceil(tile.cols()) as usize, m.div_ceil(tile.rows()) as usize, 1];
        let (shared, buffers) = match operands {
            Operands::Apart(a, b) => (Shared::Neither, vec![c, a, b]),
            Operands::AWithin(b) => (Shared::A, vec![c, b]),
            Operands::Within => (Shared::Both, vec![c]),
        };
        tasks.add(Kernel::Gemm(shared), params, &buffers, groups);
    }
}
