//! The Cholesky factor of a Hessian and its inverse on the GPU: corners of 32 columns by kernels of their own, everything else by
//! products, in panels of 128 columns.
//!
//! The reversed Hessian is held as its upper triangle, so the factor R (RᵀR) is the transpose of the CPU's L, and both operands of
//! the products that take most of the time are read along their rows.

use std::ops::Range;

use super::device::{Buffer, Gpu, Tasks};
use super::kernels::Kernel;
use super::matrix::Matrix;
use super::product::{Part, Product};
use super::rearrange::{diagonal_of, flipped};
use crate::backend::panels::{PANEL, panel_work};
use crate::backend::sweep::SPAN;
use crate::control::Control;
use crate::error::Result;

/// Columns of a corner, as in triangle.wgsl.
const CORNER: usize = 32;

/// [n, n] row-major, zeros below the diagonal.
pub struct Triangle(pub Matrix);

/// Parameters of triangle.wgsl.
fn params(n: usize, first: usize, width: usize, top: usize) -> [u32; 4] {
    [n, first, width, top].map(|value| value as u32)
}

impl Triangle {
    /// Overwrites it with R, RᵀR = it. Returns whether it was positive definite.
    pub fn cholesky(&mut self, gpu: &Gpu, control: &Control) -> Result<bool> {
        let n = self.0.lines;
        let is_indefinite = gpu.buffer(1)?;
        for start in (0..n).step_by(PANEL) {
            let end = (start + PANEL).min(n);
            let panel = self.0.holding(start..end);
            let mut tasks = gpu.tasks();
            for first in (start..end).step_by(CORNER) {
                let width = CORNER.min(end - first);
                let corner = params(n, first, width, panel.top);
                tasks.add(Kernel::FactorCorner, corner, &[panel.buffer, &is_indefinite], [1, 1, 1]);
                let later = n - first - width;
                tasks.add(Kernel::SolveRows, corner, &[panel.buffer], [later.div_ceil(64), 1, 1]);
                self.subtract_squares(&mut tasks, first..first + width, end);
            }
            self.subtract_squares(&mut tasks, start..end, n);
            tasks.submit()?;
            control.advance(panel_work(n, start))?;
        }
        let mut flag = [0u32];
        gpu.read(&is_indefinite, &mut flag)?;
        Ok(flag[0] == 0)
    }

    /// Subtracts PᵀP of rows P from the rows after them up to `end`.
    fn subtract_squares(&self, tasks: &mut Tasks, rows: Range<usize>, end: usize) {
        for piece in self.0.cut(rows.end..end) {
            let from = piece.lines.start;
            let panel = self.0.part(rows.start, from);
            let product = Product {
                m: piece.lines.len(),
                n: self.0.lines - from,
                k: rows.len(),
                a: panel,
                b: panel,
                c: self.0.part(from, from),
                alpha: -1.0,
                accumulate: true,
                is_upper: true,
                is_b_upper: false,
            };
            product.add_to(tasks);
        }
    }

    /// U of the Hessian whose rows and columns were reversed: the inverse of R, mirrored at the other diagonal. Returns U's diagonal
    /// with it.
    pub fn inverse(self, gpu: &Gpu, control: &Control) -> Result<(Self, Vec<f32>)> {
        let n = self.0.lines;
        let middle = gpu.buffer(PANEL * n)?;
        let mut tasks = gpu.tasks();
        for piece in self.0.pieces() {
            let width = piece.lines.len();
            let corners = params(n, piece.top, width, piece.top);
            let groups = [width.div_ceil(CORNER), 1, 1];
            tasks.add(Kernel::InvertCorners, corners, &[piece.buffer], groups);
        }
        // From the last rows to the first: with the inverse of what comes after them at hand, rows are two products.
        for start in (0..n).step_by(PANEL).rev() {
            let end = (start + PANEL).min(n);
            for first in (start..end).step_by(CORNER).rev() {
                self.invert_rows(&mut tasks, first..(first + CORNER).min(end), end, &middle);
            }
            self.invert_rows(&mut tasks, start..end, n, &middle);
            tasks.submit()?;
            tasks = gpu.tasks();
            control.advance(panel_work(n, start))?;
        }
        let u = flipped(gpu, &self.0)?;
        let diagonal = diagonal_of(gpu, &u)?;
        Ok((Self(u), diagonal))
    }

    /// Inverts the columns of `rows` that come after them, up to `end`: -V R W, V the inverse of their corner, W that of what comes after them. Sums are
    /// those of a span of W each, in whatever pieces it lies.
    fn invert_rows(&self, tasks: &mut Tasks, rows: Range<usize>, end: usize, middle: &Buffer) {
        let (first, later) = (rows.start, rows.end);
        // R W [rows, end - later]
        let product = |terms: Range<usize>| Product {
            m: rows.len(),
            n: end - terms.start,
            k: terms.len(),
            // Along a row of R goes k.
            a: self.0.part(first, terms.start).transposed(),
            b: self.0.part(terms.start, terms.start),
            c: Part::new(middle, terms.start - later, self.0.lines),
            alpha: 1.0,
            accumulate: terms.start > later,
            is_upper: false,
            is_b_upper: true,
        };
        let mut start = later;
        while start < end {
            let next = end.min((start / SPAN + 1) * SPAN);
            product(start..next).add_to(tasks);
            start = next;
        }
        let product = Product {
            m: rows.len(),
            n: end - later,
            k: rows.len(),
            a: self.0.part(first, first).transposed(),
            b: Part::new(middle, 0, self.0.lines),
            c: self.0.part(first, later),
            alpha: -1.0,
            accumulate: false,
            is_upper: false,
            is_b_upper: false,
        };
        product.add_to(tasks);
    }
}
