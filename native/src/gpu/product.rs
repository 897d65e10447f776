//! Products of parts of matrices.

use bytemuck::{Pod, Zeroable};

use super::device::{Buffer, Tasks};
use super::kernels::{Kernel, Shared};

/// A part of a matrix: its buffer, where it begins there, and how far apart entries are that differ by one in the first index (of a
/// sum's terms for an operand, of rows for the result) and in the second.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    pub buffer: &'a Buffer,
    pub start: usize,
    pub first: usize,
    pub second: usize,
}

/// C [m, n] = alpha A B or C += alpha A B. A, or A and B, may lie in C's buffer where nothing is written.
#[derive(Clone, Copy)]
pub struct Product<'a> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// By k, then m.
    pub a: Part<'a>,
    /// By k, then n.
    pub b: Part<'a>,
    /// Rows `first` apart; the entries of a row lie side by side.
    pub c: Part<'a>,
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

impl<'a> Part<'a> {
    /// A matrix with rows of `width`, of which the first begins at `start`.
    pub fn new(buffer: &'a Buffer, start: usize, width: usize) -> Self {
        Self {
            buffer,
            start,
            first: width,
            second: 1,
        }
    }

    pub fn transposed(self) -> Self {
        Self {
            first: self.second,
            second: self.first,
            ..self
        }
    }

    fn params(self) -> [u32; 3] {
        [self.start, self.first, self.second].map(|index| index as u32)
    }
}

impl Product<'_> {
    pub fn add_to(self, tasks: &mut Tasks) {
        let Self { a, b, c, .. } = self;
        let (m, n, k) = (self.m as u32, self.n as u32, self.k as u32);
        let [start, first, _] = c.params();
        let params = Params {
            m,
            n,
            k,
            a: a.params(),
            b: b.params(),
            c: [start, first],
            alpha: self.alpha,
            accumulate: self.accumulate as u32,
            is_upper: self.is_upper as u32,
            is_b_upper: self.is_b_upper as u32,
        };
        let tile = tasks.gpu.tile();
        let groups = [n.div_ceil(tile.cols()) as usize, m.div_ceil(tile.rows()) as usize, 1];
        let (shared, buffers) = match (a.buffer == c.buffer, b.buffer == c.buffer) {
            (false, false) => (Shared::Neither, vec![c.buffer, a.buffer, b.buffer]),
            (true, false) => (Shared::A, vec![c.buffer, b.buffer]),
            (true, true) => (Shared::Both, vec![c.buffer]),
            (false, true) => unreachable!("no product has B alone in C's buffer"),
        };
        tasks.add(Kernel::Gemm(shared), params, &buffers, groups);
    }
}
