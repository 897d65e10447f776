//! A Hessian scaled to a diagonal of 1, and what ADMM makes of it (method.md, section 11): ridge inverses and quadratic forms.

use faer::linalg::matmul::triangular::{self, BlockStructure::*};
use faer::prelude::{MatMut, Reborrow, ReborrowMut};
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

use super::cholesky::{cholesky, invert};
use super::gram::Gram;
use super::product::{add_product, product};
use super::{square, square_mut};
use crate::backend::Entries;
use crate::backend::panels::{PANEL, TILE};
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::Columns;
use crate::weights::zeros::zeros;

/// Rows of a task of a quadratic form.
const ROWS: usize = 128;

/// Aᵢⱼ = scale * gramᵢⱼ / √(diagonalᵢ diagonalⱼ), Aᵢᵢ = 1, rows and columns in the sweep's order: [n, n] row-major, both triangles.
/// Error: `Cancelled`.
pub fn correlation(
    gram: &Gram,
    order: Option<&[u32]>,
    scale: f64,
    diagonal: &[f32],
    control: &Control,
) -> Result<Vec<f32>> {
    let n = gram.cols();
    let column_of = |j: usize| order.map_or(j, |order| order[j] as usize);
    let roots: Vec<f64> = (0..n).map(|j| (diagonal[column_of(j)] as f64).sqrt()).collect();
    let mut a = zeros(n * n, control)?;
    a.par_chunks_mut(n).enumerate().try_for_each(|(i, row)| {
        let row_of = column_of(i);
        for (j, entry) in row.iter_mut().enumerate() {
            let other = column_of(j);
            *entry = (scale * gram.get(row_of.max(other), row_of.min(other)) / (roots[i] * roots[j])) as f32;
        }
        row[i] = 1.0;
        control.check()
    })?;
    Ok(a)
}

/// penalty (A + penalty)⁻¹ [n, n], both triangles; None where A + penalty is not positive definite. Error: `Cancelled`.
pub fn ridge_inverse(a: &[f32], penalty: f32, control: &Control) -> Result<Option<Vec<f32>>> {
    let n = a.len().isqrt();
    let mut inverse = zeros(n * n, control)?;
    inverse.par_chunks_mut(n).enumerate().try_for_each(|(i, row)| {
        row[..=i].copy_from_slice(&a[i * n..][..=i]);
        row[i] += penalty;
        control.check()
    })?;
    if !cholesky(square_mut(&mut inverse), control)? {
        return Ok(None);
    }
    invert(square_mut(&mut inverse), control)?;
    square_of_transpose(square_mut(&mut inverse), control)?;
    mirror(&mut inverse, penalty, control)?;
    Ok(Some(inverse))
}

/// Overwrites the lower triangle of `l` [n, n] with that of lᵀ l, panel by panel of rows: a panel needs those after it as they were.
/// Expects zeros above the diagonal.
fn square_of_transpose(mut l: MatMut<f32>, control: &Control) -> Result<()> {
    let n = l.nrows();
    for start in (0..n).step_by(PANEL) {
        let width = PANEL.min(n - start);
        let (above, below) = l.rb_mut().split_at_row_mut(start + width);
        let below = below.rb();
        let rows = above.subrows_mut(start, width);
        let (left, corner) = rows.split_at_col_mut(start);
        let corner = corner.subcols_mut(0, width);
        let l_corner = Mat::from_fn(width, width, |i, j| if j <= i { corner[(i, j)] } else { 0.0 });
        let later = below.subcols(start, width).transpose();
        left.par_col_chunks_mut(TILE)
            .enumerate()
            .try_for_each(|(j, mut tile)| {
                let count = tile.ncols();
                let own = Mat::from_fn(width, count, |i, j| tile[(i, j)]);
                product(tile.rb_mut(), l_corner.transpose(), own.as_ref());
                add_product(tile.rb_mut(), later, below.subcols(j * TILE, count));
                control.check()
            })?;
        square_corner(corner, l_corner.as_ref(), later);
        control.check()?;
    }
    Ok(())
}

/// The lower triangle of a diagonal block: lᵀ l of its own rows and those of the rows after it, given turned.
fn square_corner(mut corner: MatMut<f32>, l: MatRef<f32>, later: MatRef<f32>) {
    for (accum, turned) in [(Accum::Replace, l.transpose()), (Accum::Add, later)] {
        triangular::matmul(
            corner.rb_mut(),
            TriangularLower,
            accum,
            turned,
            Rectangular,
            turned.transpose(),
            Rectangular,
            1.0,
            Par::Seq,
        );
    }
}

/// Multiplies the lower triangle by `factor` and copies it to the upper one.
fn mirror(a: &mut [f32], factor: f32, control: &Control) -> Result<()> {
    let n = a.len().isqrt();
    a.par_chunks_mut(n).enumerate().try_for_each(|(i, row)| {
        row[..=i].iter_mut().for_each(|entry| *entry *= factor);
        control.check()
    })?;
    for start in (0..n).step_by(TILE) {
        let end = (start + TILE).min(n);
        // Columns `start..end` of the rows from `start` on become rows `start..end` of the columns from there on.
        let (above, below) = a.split_at_mut(end * n);
        above[start * n..]
            .par_chunks_mut(n)
            .enumerate()
            .try_for_each(|(i, row)| {
                for (k, line) in below.chunks(n).enumerate() {
                    row[end + k] = line[start + i];
                }
                control.check()
            })?;
        for i in start..end {
            for j in start..i {
                a[j * n + i] = a[i * n + j];
            }
        }
    }
    Ok(())
}

/// tr(x A xᵀ), x [rows, n], summed in float64. Error: `Cancelled`.
pub fn quadratic(x: &Columns, a: &[f32], control: &Control) -> Result<f64> {
    let (n, a) = (x.cols, square(a));
    let of_rows = |rows: MatRef<f32>| {
        let mut xa = vec![0f32; rows.nrows() * n];
        product(MatMut::from_column_major_slice_mut(&mut xa, rows.nrows(), n), rows, a);
        control.check()?;
        let dot = |j: usize| {
            let column = rows
                .col(j)
                .try_as_col_major()
                .expect("columns are contiguous")
                .as_slice();
            let pairs = column.iter().zip(&xa[j * rows.nrows()..]);
            pairs.map(|(&x, &xa)| x as f64 * xa as f64).sum::<f64>()
        };
        Ok((0..n).map(dot).sum())
    };
    let sums: Vec<f64> = x.view().par_row_chunks(ROWS).map(of_rows).collect::<Result<_>>()?;
    Ok(sums.iter().sum())
}
