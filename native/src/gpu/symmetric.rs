//! A Hessian scaled to a diagonal of 1, and what ADMM makes of it (method.md, section 11): ridge inverses, products and quadratic
//! forms.

use super::device::Gpu;
use super::kernels::Kernel;
use super::matrix::Matrix;
use super::product::Product;
use super::rearrange::{Change, rearrange};
use super::rows;
use super::triangle::Triangle;
use super::weights::Weights;
use crate::backend::sweep::SPAN;
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::Columns;

/// penalty (A + penalty)⁻¹ [n, n], both triangles; None where A + penalty is not positive definite.
pub fn ridge_inverse(gpu: &Gpu, a: &Matrix, penalty: f32, control: &Control) -> Result<Option<Matrix>> {
    let n = a.lines;
    let ridge = Matrix::new(gpu, n, n)?;
    let change = Change {
        added: penalty,
        ..Change::default()
    };
    rearrange(gpu, Kernel::Ridge, &ridge, &[a], &[], change)?;
    let mut ridge = Triangle(ridge);
    if !ridge.cholesky(gpu, control)? {
        return Ok(None);
    }
    // UᵀU is the inverse of what was factored, rows and columns reversed, as those of A were.
    let (u, _) = ridge.inverse(gpu, control)?;
    let inverse = squares(gpu, &u.0, penalty, control)?;
    rearrange(gpu, Kernel::Mirror, &u.0, &[&inverse], &[], Change::default())?;
    Ok(Some(u.0))
}

/// The upper triangle of factor UᵀU, U upper; the sums of a span of rows each, in whatever pieces they lie.
fn squares(gpu: &Gpu, u: &Matrix, factor: f32, control: &Control) -> Result<Matrix> {
    let n = u.lines;
    let squares = Matrix::new(gpu, n, n)?;
    for start in (0..n).step_by(SPAN) {
        let mut tasks = gpu.tasks();
        for piece in squares.cut(start..n) {
            let from = piece.lines.start;
            let rows = u.part(start, from);
            let product = Product {
                m: piece.lines.len(),
                n: n - from,
                k: SPAN.min(n - start),
                a: rows,
                b: rows,
                c: squares.part(from, from),
                alpha: factor,
                accumulate: start > 0,
                is_upper: true,
                is_b_upper: false,
            };
            product.add_to(&mut tasks);
        }
        tasks.submit()?;
        control.check()?;
    }
    Ok(squares)
}

/// `out = x a`, x and out [rows, n] and a [n, n] symmetric; the sums of a span of columns each, in whatever pieces they lie.
pub fn multiply(gpu: &Gpu, x: &Weights, a: &Matrix, out: &Weights, control: &Control) -> Result<()> {
    let n = a.lines;
    for start in (0..n).step_by(SPAN) {
        let mut tasks = gpu.tasks();
        for piece in out.columns.pieces() {
            let first = piece.lines.start;
            let product = Product {
                m: piece.lines.len(),
                n: x.padded,
                k: SPAN.min(n - start),
                a: a.part(start, first),
                b: x.columns.part(start, 0),
                c: out.columns.part(first, 0),
                alpha: 1.0,
                accumulate: start > 0,
                is_upper: false,
                is_b_upper: false,
            };
            product.add_to(&mut tasks);
        }
        tasks.submit()?;
        control.check()?;
    }
    Ok(())
}

/// tr(x A xᵀ), x [rows, n]: of each row in float32, added up in float64.
pub fn quadratic(gpu: &Gpu, x: &Columns, a: &Matrix, control: &Control) -> Result<f64> {
    let x = Weights::upload(gpu, x)?;
    let product = x.zeros(gpu)?;
    multiply(gpu, &x, a, &product, control)?;
    let sums = gpu.buffer(x.stride())?;
    let mut tasks = gpu.tasks();
    rows::add(&mut tasks, Kernel::DotRows, &sums, 0, &x, &product, &[]);
    tasks.submit()?;
    let mut of_rows = vec![0f32; x.rows];
    gpu.read(&sums, &mut of_rows)?;
    Ok(of_rows.iter().map(|&sum| sum as f64).sum())
}
