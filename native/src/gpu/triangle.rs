//! The Cholesky factor of a Hessian and its inverse on the GPU: corners of 32 columns by kernels of their own, everything else by
//! products, in panels of 128 columns.
//!
//! The reversed Hessian is held as its upper triangle, so the factor R (RᵀR) is the transpose of the CPU's L, and both operands of
//! the products that take most of the time are read along their rows.

use super::device::{Buffer, Gpu, Tasks};
use super::gram::diagonal_of;
use super::kernels::Kernel;
use super::product::{Operands, Part, Product};
use crate::control::Control;
use crate::cpu::Cpu;
use crate::error::Result;
use crate::linalg::cholesky::{PANEL, panel_work};
use crate::linalg::factor::Factor;

/// Columns of a corner, as in triangle.wgsl.
const CORNER: usize = 32;

/// [n, n] row-major, zeros below the diagonal.
pub struct Triangle {
    pub n: usize,
    pub buffer: Buffer,
}

impl Factor<Gpu> {
    /// The same factor on the CPU, for layers that the GPU refuses. Errors: `GpuLost`, `GpuFailed`.
    pub fn to_cpu(&self) -> Result<Factor> {
        let mut u = vec![0f32; self.cols * self.cols];
        self.backend.read(&self.u.buffer, &mut u)?;
        Ok(Factor {
            backend: Cpu,
            cols: self.cols,
            u,
            u_diagonal: self.u_diagonal.clone(),
            hessian_diagonal: self.hessian_diagonal.clone(),
            order: self.order.clone(),
            damping: self.damping,
            retries: self.retries,
        })
    }
}

/// Parameters of triangle.wgsl.
fn params(n: usize, first: usize, width: usize) -> [u32; 3] {
    [n, first, width].map(|value| value as u32)
}

impl Triangle {
    /// Overwrites it with R, RᵀR = it. Returns whether it was positive definite.
    pub fn cholesky(&mut self, gpu: &Gpu, control: &Control) -> Result<bool> {
        let n = self.n;
        let is_indefinite = gpu.buffer(1)?;
        for start in (0..n).step_by(PANEL) {
            let end = (start + PANEL).min(n);
            let mut tasks = gpu.tasks();
            for first in (start..end).step_by(CORNER) {
                let width = CORNER.min(end - first);
                let corner = params(n, first, width);
                tasks.add(Kernel::FactorCorner, corner, &[&self.buffer, &is_indefinite], [1, 1, 1]);
                let later = n - first - width;
                tasks.add(Kernel::SolveRows, corner, &[&self.buffer], [later.div_ceil(64), 1, 1]);
                self.subtract_squares(gpu, &mut tasks, first..first + width, end);
            }
            self.subtract_squares(gpu, &mut tasks, start..end, n);
            tasks.submit()?;
            control.advance(panel_work(n, start))?;
        }
        let mut flag = [0u32];
        gpu.read(&is_indefinite, &mut flag)?;
        Ok(flag[0] == 0)
    }

    /// Subtracts PᵀP of rows P from the rows after them up to `end`.
    fn subtract_squares(&self, gpu: &Gpu, tasks: &mut Tasks, rows: std::ops::Range<usize>, end: usize) {
        let n = self.n;
        let from = rows.end;
        let panel = Part {
            start: rows.start * n + from,
            first: n,
            second: 1,
        };
        let product = Product {
            m: end - from,
            n: n - from,
            k: rows.len(),
            a: panel,
            b: panel,
            c: Part {
                start: from * n + from,
                first: n,
                second: 1,
            },
            alpha: -1.0,
            accumulate: true,
            is_upper: true,
            is_b_upper: false,
        };
        product.add_to(tasks, gpu.tile(), Operands::Within, &self.buffer);
    }

    /// Overwrites R by its inverse, mirrored at the other diagonal: U of the Hessian whose rows and columns were reversed. Returns
    /// U's diagonal.
    pub fn invert(&mut self, gpu: &Gpu, control: &Control) -> Result<Vec<f32>> {
        let n = self.n;
        let middle = gpu.buffer(PANEL * n)?;
        let mut tasks = gpu.tasks();
        tasks.add(
            Kernel::InvertCorners,
            params(n, 0, 0),
            &[&self.buffer],
            [n.div_ceil(CORNER), 1, 1],
        );
        // From the last rows to the first: with the inverse of what comes after them at hand, rows are two products.
        for start in (0..n).step_by(PANEL).rev() {
            let end = (start + PANEL).min(n);
            for first in (start..end).step_by(CORNER).rev() {
                self.invert_rows(gpu, &mut tasks, first..(first + CORNER).min(end), end, &middle);
            }
            self.invert_rows(gpu, &mut tasks, start..end, n, &middle);
            tasks.submit()?;
            tasks = gpu.tasks();
            control.advance(panel_work(n, start))?;
        }
        tasks.add(
            Kernel::Flip,
            params(n, 0, 0),
            &[&self.buffer],
            [n.div_ceil(16), n.div_ceil(16), 1],
        );
        tasks.submit()?;
        diagonal_of(gpu, &self.buffer, n)
    }

    /// Of `rows` the columns after them up to `end`: -V R W, V the inverse of their corner, W that of what comes after them.
    fn invert_rows(&self, gpu: &Gpu, tasks: &mut Tasks, rows: std::ops::Range<usize>, end: usize, middle: &Buffer) {
        let n = self.n;
        let (first, later) = (rows.start, rows.end);
        let right = Part {
            start: first * n + later,
            first: n,
            second: 1,
        };
        let product = Product {
            m: rows.len(),
            n: end - later,
            k: end - later,
            // Along a row of R goes k.
            a: Part {
                first: 1,
                second: n,
                ..right
            },
            b: Part {
                start: later * n + later,
                first: n,
                second: 1,
            },
            c: Part {
                start: 0,
                first: n,
                second: 1,
            },
            alpha: 1.0,
            accumulate: false,
            is_upper: false,
            is_b_upper: true,
        };
        product.add_to(tasks, gpu.tile(), Operands::Apart(&self.buffer, &self.buffer), middle);
        let product = Product {
            k: rows.len(),
            a: Part {
                start: first * n + first,
                first: 1,
                second: n,
            },
            b: product.c,
            c: right,
            alpha: -1.0,
            is_b_upper: false,
            ..product
        };
        product.add_to(tasks, gpu.tile(), Operands::AWithin(middle), &self.buffer);
    }
}
