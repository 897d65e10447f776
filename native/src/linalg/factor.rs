//! The factor U of the inverse Hessian (method.md, section 2): one Cholesky factorisation of the Hessian with its rows and columns
//! reversed, then the inverse of that triangle. Both are cut into panels and tiles of fixed size that run in parallel.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::triangular::{self, BlockStructure::*};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::buffer::zeros;
use super::gemm::{product, subtract_product};
use super::gram::Gram;
use crate::control::Control;
use crate::error::{Error, Result};

/// Columns factored at once.
const PANEL: usize = 128;
/// Rows and columns of a task.
const TILE: usize = 256;

/// In which order the columns are swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Natural,
    /// By descending diagonal of the Hessian, dead columns counted as 1; of equals the one further left first.
    Activity,
}

/// U, upper triangular, with Uᵀ U = H⁻¹ of the damped Hessian H, whose rows and columns stand in the order of the sweep.
#[derive(Default)]
pub struct Factor {
    pub cols: usize,
    /// U [cols, cols] row-major, zeros below the diagonal.
    pub u: Vec<f32>,
    /// The diagonal of the undamped Hessian, zero where the column is dead; the layer's columns as they are.
    pub hessian_diagonal: Vec<f32>,
    /// The layer's column that comes first in the sweep, second ..; None: as they are.
    pub order: Option<Vec<u32>>,
    /// What was added to the diagonal: λ.
    pub damping: f64,
    /// How often the damping had to be multiplied by 10.
    pub retries: u32,
}

impl Factor {
    pub fn u_diagonal(&self) -> impl Iterator<Item = f32> + '_ {
        (0..self.cols).map(|j| self.u[j * self.cols + j])
    }

    pub fn u(&self) -> MatRef<'_, f32> {
        MatRef::from_row_major_slice(&self.u, self.cols, self.cols)
    }

    /// Whether the layer's input `col` was zero in every token.
    pub fn is_dead(&self, col: usize) -> bool {
        self.hessian_diagonal[col] == 0.0
    }

    pub fn bytes(&self) -> usize {
        (self.u.len() + self.hessian_diagonal.len() + self.order.as_ref().map_or(0, Vec::len)) * size_of::<f32>()
    }
}

/// Factors H = scale * gram (scale = 2 / sequences), damped with `percdamp` times the mean of its diagonal, and ten times that twice
/// over if need be, but never more than the mean. Errors: `NotPositiveDefinite`, `Cancelled`.
pub fn factorize(gram: Gram, scale: f64, percdamp: f64, order: Order, control: &Control) -> Result<Factor> {
    let n = gram.cols();
    let hessian_diagonal: Vec<f32> = (0..n).map(|j| (scale * gram.get(j, j)) as f32).collect();
    let alive = |h: f32| if h == 0.0 { 1.0 } else { h as f64 };
    let mean = hessian_diagonal.iter().map(|&h| alive(h)).sum::<f64>() / n as f64;
    let order = (order == Order::Activity).then(|| by_activity(&hessian_diagonal));
    control.begin(2 * work(n) + 1)?;
    for (retries, share) in [percdamp, percdamp * 10.0, percdamp * 100.0].into_iter().enumerate() {
        if retries > 0 && share > 1.0 {
            break;
        }
        let damping = share * mean;
        let mut a = reversed_hessian(&gram, order.as_deref(), scale, damping, control)?;
        if cholesky(MatMut::from_row_major_slice_mut(&mut a, n, n), control)? {
            drop(gram);
            invert(MatMut::from_row_major_slice_mut(&mut a, n, n), control)?;
            reverse(&mut a, control)?;
            control.advance(1)?;
            return Ok(Factor {
                cols: n,
                u: a,
                hessian_diagonal,
                order,
                damping,
                retries: retries as u32,
            });
        }
    }
    Err(Error::NotPositiveDefinite {})
}

/// Units of work of the factorisation, and of the inversion: one for each tile of each panel's trailing triangle.
fn work(n: usize) -> u64 {
    let tiles = |rest: usize| rest.div_ceil(TILE) as u64;
    let triangle = |rest: usize| tiles(rest) * (tiles(rest) + 1) / 2;
    (0..n)
        .step_by(PANEL)
        .map(|start| triangle(n.saturating_sub(start + PANEL)))
        .sum()
}

/// The columns by descending diagonal of the Hessian.
fn by_activity(hessian_diagonal: &[f32]) -> Vec<u32> {
    let activity = |&col: &u32| match hessian_diagonal[col as usize] {
        0.0 => 1.0,
        h => h,
    };
    let mut order: Vec<u32> = (0..hessian_diagonal.len() as u32).collect();
    order.sort_by(|a, b| activity(b).total_cmp(&activity(a)));
    order
}

/// The damped Hessian with rows and columns in the reverse of the sweep's order: [n, n] row-major, lower triangle, zeros above the
/// diagonal.
fn reversed_hessian(
    gram: &Gram,
    order: Option<&[u32]>,
    scale: f64,
    damping: f64,
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
        let col = order.map_or(n - 1 - i, |order| order[n - 1 - i] as usize);
        let diagonal = if row[i] == 0.0 { 1.0 } else { scale * gram.get(col, col) };
        row[i] = (diagonal + damping) as f32;
        control.check()
    })?;
    Ok(a)
}

/// Reverses the order of all entries: of a row-major matrix, that of its rows and of its columns.
fn reverse(a: &mut [f32], control: &Control) -> Result<()> {
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
fn cholesky(mut a: MatMut<f32>, control: &Control) -> Result<bool> {
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
fn invert(mut l: MatMut<f32>, control: &Control) -> Result<()> {
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
