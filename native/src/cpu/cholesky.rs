//! The Cholesky factor of a Hessian and its inverse on the CPU, cut into panels and tiles of fixed size that run in parallel.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::triangular::{self, BlockStructure::*};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::gram::Gram;
use super::product::{product, subtract_product};
use crate::backend::Entries;
use crate::backend::panels::{PANEL, TILE};
use crate::control::Control;
use crate::error::Result;
use crate::weights::zeros::zeros;

/// `scale * gram` with `diagonal` in the place of its own, rows and columns in the reverse of the sweep's order: [n, n] row-major, lower
/// triangle, zeros above the diagonal.
pub fn reversed_hessian(
    gram: &Gram,
    order: Option<&[u32]>,
    scale: f64,
    diagonal: &[f32],
    control: &Control,
) -> Result<Vec<f32>> {
    let n = gram.cols();
    let mut a = zeros(n * n, control)?;
    a.par_chunks_mut(n).enumerate().try_for_each(|(i, row)| {
        match order {
            None => {
                for (entry, sum) in row[..=i].iter_mut().rev().zip(gram.column(n - 1 - i)) {
                    *entry = (scale * sum) as f32;
                }
            }
            Some(order) => {
                let col = order[n - 1 - i] as usize;
                for (entry, &other) in row[..=i].iter_mut().rev().zip(&order[n - 1 - i..]) {
                    let other = other as usize;
                    *entry = (scale * gram.get(col.max(other), col.min(other))) as f32;
                }
            }
        }
        row[i] = diagonal[order.map_or(n - 1 - i, |order| order[n - 1 - i] as usize)];
        control.check()
    })?;
    Ok(a)
}

/// Reverses the order of all entries: of a row-major matrix, that of its rows and of its columns.
pub fn reverse(a: &mut [f32], control: &Control) -> Result<()> {
    const PIECE: usize = 1 << 16;
    let (first, second) = a.split_at_mut(a.len() / 2);
    first
        .par_chunks_mut(PIECE)
        .zip(second.par_rchunks_mut(PIECE))
        .try_for_each(|(first, second)| {
            first
                .iter_mut()
                .zip(second.iter_mut().rev())
                .for_each(|(a, b)| std::mem::swap(a, b));
            control.check()
        })
}

/// Overwrites the lower triangle of `a` [n, n] with L, L Lᵀ = a. Returns whether `a` was positive definite.
pub fn cholesky(mut a: MatMut<f32>, control: &Control) -> Result<bool> {
    let n = a.nrows();
    for start in (0..n).step_by(PANEL) {
        let width = PANEL.min(n - start);
        let rest = a.rb_mut().submatrix_mut(start, start, n - start, n - start);
        let (corner, _, mut panel, mut trailing) = rest.split_at_mut(width, width);
        let Some(l) = cholesky_block(corner) else {
            return Ok(false);
        };
        panel.rb_mut().par_row_chunks_mut(TILE).try_for_each(|rows| {
            solve_lower_triangular_in_place(l.as_ref(), rows.transpose_mut(), Par::Seq);
            control.check()
        })?;
        let panel = panel.rb();
        trailing
            .rb_mut()
            .par_row_chunks_mut(TILE)
            .enumerate()
            .try_for_each(|(i, rows)| {
                let (top, height) = (i * TILE, rows.nrows());
                let left = panel.subrows(top, height);
                rows.subcols_mut(0, top + height)
                    .par_col_chunks_mut(TILE)
                    .enumerate()
                    .try_for_each(|(j, tile)| {
                        let right = panel.subrows(j * TILE, tile.ncols()).transpose();
                        if i == j {
                            triangular::matmul(
                                tile,
                                TriangularLower,
                                Accum::Add,
                                left,
                                Rectangular,
                                right,
                                Rectangular,
                                -1.0,
                                Par::Seq,
                            );
                        } else {
                            subtract_product(tile, left, right);
                        }
                        control.advance(1)
                    })
            })?;
    }
    Ok(true)
}

/// Overwrites the lower triangle of one diagonal block by its Cholesky factor and returns that, too, or None if there is none.
fn cholesky_block(mut block: MatMut<f32>) -> Option<Mat<f32>> {
    let n = block.nrows();
    let mut l = Mat::from_fn(n, n, |i, j| if j <= i { block[(i, j)] } else { 0.0 });
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f32>(n, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut memory);
    cholesky_in_place(l.as_mut(), Default::default(), Par::Seq, stack, Default::default()).ok()?;
    if !(0..n).all(|i| l[(i, i)].is_finite()) {
        return None;
    }
    copy_lower(block.rb_mut(), l.as_ref());
    Some(l)
}

fn copy_lower(mut to: MatMut<f32>, from: MatRef<f32>) {
    for i in 0..to.nrows() {
        for j in 0..=i {
            to[(i, j)] = from[(i, j)];
        }
    }
}

/// Overwrites the lower triangle of `l` [n, n] with its inverse, from the last panel of columns to the first: with the inverse of what
/// lies right of it at hand, a panel's own is two products. Expects zeros above the diagonal.
pub fn invert(mut l: MatMut<f32>, control: &Control) -> Result<()> {
    let n = l.nrows();
    for start in (0..n).step_by(PANEL).rev() {
        let width = PANEL.min(n - start);
        let rest = l.rb_mut().submatrix_mut(start, start, n - start, n - start);
        let (corner, _, mut panel, inverse) = rest.split_at_mut(width, width);
        let inverse = inverse.rb();
        let mut inverse_corner = Mat::zeros(width, width);
        invert_lower_triangular(
            inverse_corner.as_mut(),
            Mat::from_fn(width, width, |i, j| corner[(i, j)]).as_ref(),
            Par::Seq,
        );
        copy_lower(corner, inverse_corner.as_ref());
        let mut middle = zeros(panel.nrows() * width, control)?;
        let mut middle = MatMut::from_row_major_slice_mut(&mut middle, panel.nrows(), width);
        middle
            .rb_mut()
            .par_row_chunks_mut(TILE)
            .enumerate()
            .try_for_each(|(i, rows)| {
                let height = rows.nrows();
                product(rows, panel.rb().subrows(i * TILE, height), inverse_corner.as_ref());
                control.check()
            })?;
        let middle = middle.rb();
        panel
            .rb_mut()
            .par_row_chunks_mut(TILE)
            .enumerate()
            .try_for_each(|(i, mut rows)| {
                let (top, height) = (i * TILE, rows.nrows());
                rows.fill(0.0);
                subtract_product(
                    rows,
                    inverse.submatrix(top, 0, height, top + height),
                    middle.subrows(0, top + height),
                );
                control.advance(i as u64 + 1)
            })?;
    }
    Ok(())
}
