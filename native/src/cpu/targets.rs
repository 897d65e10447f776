//! Dense targets (method.md, section 12): the weights whose outputs on the inputs that a layer will have come nearest to what the dense
//! layer gives on those that it had, or bring what they are added to nearest to what it was.

use faer::{MatMut, MatRef};
use rayon::prelude::*;

use super::gram::{CHUNK, gather_panels};
use super::product::{add_product, product};
use super::{order_of, square};
use crate::backend::first_bad_row;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::weights::weight::Weight;
use crate::weights::zeros::zeros;

/// Rows of a task.
const ROWS: usize = 128;

/// The sums of (y - ŷ)ᵀ x̂ over the tokens of two halves, x̂ what a layer reads in the compressed model: float64. y and ŷ are what it reads
/// itself in the dense model and in the compressed one, or what its output has been added to in either.
pub struct Drift {
    /// Of y.
    rows: usize,
    cols: usize,
    is_of_inputs: bool,
    /// [rows, cols] row-major, of either half.
    halves: [Vec<f64>; 2],
}

/// What layers' weights W are moved by.
pub enum Shift {
    /// S [cols, cols] row-major: they become W + W S.
    Multiplied(Vec<f32>),
    /// S [rows, cols] row-major: they become W + S.
    Added(Vec<f32>),
}

impl Drift {
    /// Of what a layer reads.
    pub fn of_inputs(cols: usize) -> Self {
        Self::new(cols, cols, true)
    }

    /// Of what a layer's output, so many rows, has been added to.
    pub fn of_sums(rows: usize, cols: usize) -> Self {
        Self::new(rows, cols, false)
    }

    fn new(rows: usize, cols: usize, is_of_inputs: bool) -> Self {
        Self {
            rows,
            cols,
            is_of_inputs,
            halves: [vec![0.0; rows * cols], vec![0.0; rows * cols]],
        }
    }

    /// Adds (y - ŷ)ᵀ x̂ to the sums of half 0 or 1: y and ŷ [tokens, rows], x̂ [tokens, cols], row-major; of inputs x̂ is ŷ. Error:
    /// `NotFinite` with the first row of y that is not; the sums are then spoiled.
    pub fn add(&mut self, half: usize, dense: &[f32], compressed: &[f32], x: &[f32], control: &Control) -> Result<()> {
        let (rows, cols) = (self.rows, self.cols);
        let tokens = x.len() / cols;
        assert!(
            x.len() == tokens * cols && dense.len() == tokens * rows && compressed.len() == dense.len(),
            "all hold the same whole rows"
        );
        control.begin((tokens * rows.div_ceil(ROWS)) as u64)?;
        let size = CHUNK.min(tokens);
        let (mut x_panels, mut difference) = (zeros(size * cols, control)?, zeros(size * rows, control)?);
        let mut differences: Vec<f32> = zeros(size * rows, control)?;
        let pairs = dense.chunks(CHUNK * rows).zip(compressed.chunks(CHUNK * rows));
        for (i, ((dense, compressed), x)) in pairs.zip(x.chunks(CHUNK * cols)).enumerate() {
            let length = x.len() / cols;
            let (x_panels, difference) = (&mut x_panels[..x.len()], &mut difference[..dense.len()]);
            let pairs = dense.par_iter().zip(compressed);
            (differences.par_iter_mut().zip(pairs)).for_each(|(to, (y, compressed))| *to = y - compressed);
            gather_panels(&differences[..dense.len()], rows, ROWS, difference, control)?;
            gather_panels(x, cols, ROWS, x_panels, control)?;
            let panel = |panels, all: usize, first: usize| {
                let width = ROWS.min(all - first);
                let values: &[f32] = panels;
                MatRef::from_row_major_slice(&values[first * length..(first + width) * length], length, width)
            };
            let add_rows = |(i, sums): (usize, &mut [f64])| {
                let left = panel(&*difference, rows, i * ROWS).transpose();
                let mut is_finite = true;
                for first in (0..cols).step_by(ROWS) {
                    let right = panel(&*x_panels, cols, first);
                    let mut products = vec![0f32; left.nrows() * right.ncols()];
                    let part = MatMut::from_row_major_slice_mut(&mut products, left.nrows(), right.ncols());
                    product(part, left, right);
                    for (sums, products) in sums.chunks_mut(cols).zip(products.chunks(right.ncols())) {
                        for (sum, &product) in sums[first..].iter_mut().zip(products) {
                            *sum += product as f64;
                            is_finite &= product.is_finite();
                        }
                    }
                    control.check()?;
                }
                control.advance(length as u64)?;
                Ok(is_finite)
            };
            let panels = self.halves[half].par_chunks_mut(ROWS * cols).enumerate();
            if !panels.map(add_rows).try_reduce(|| true, |a, b| Ok(a && b))? {
                let row = i * CHUNK + first_bad_row(dense, rows);
                return Err(Error::NotFinite { row });
            }
        }
        Ok(())
    }

    /// `share` K D H⁻¹, D = `scale` times the sums and H⁻¹ = Uᵀ U with U's columns in `order` (None: as they are). K is the diagonal of
    /// `consistency`: a column of what has drifted is made up for as far as both halves agree on its drift.
    pub fn shift(&self, u: &[f32], order: Option<&[u32]>, scale: f64, share: f64, control: &Control) -> Result<Shift> {
        let n = self.cols;
        assert_eq!(order_of(u), n, "the factor is that of the same input");
        let u = square(u);
        let column_of = |j: usize| order.map_or(j, |order| order[j] as usize);
        control.begin(self.rows.div_ceil(ROWS) as u64)?;
        let mut shift = zeros(self.rows * n, control)?;
        (shift.par_chunks_mut(ROWS * n).enumerate()).try_for_each(|(i, out)| {
            let height = out.len() / n;
            // D Uᵀ of either half: with D H⁻¹ Dᵀ = (D Uᵀ)(D Uᵀ)ᵀ its rows are what a half explains of each column's drift.
            let mut turned = [vec![0f32; out.len()], vec![0f32; out.len()]];
            for (turned, sums) in turned.iter_mut().zip(&self.halves) {
                let mut rows: Vec<f32> = Vec::with_capacity(out.len());
                for sums in sums[i * ROWS * n..][..out.len()].chunks(n) {
                    rows.extend((0..n).map(|j| (scale * sums[column_of(j)]) as f32));
                }
                for first in (0..n).step_by(ROWS) {
                    let width = ROWS.min(n - first);
                    let rest = n - first;
                    product(
                        MatMut::from_row_major_slice_mut(turned, height, n).subcols_mut(first, width),
                        MatRef::from_row_major_slice(&rows, height, n).subcols(first, rest),
                        u.submatrix(first, first, width, rest).transpose(),
                    );
                    control.check()?;
                }
            }
            let [mut both, second] = turned;
            for (both, second) in both.chunks_mut(n).zip(second.chunks(n)) {
                let factor = (share * consistency(both, second)) as f32;
                (both.iter_mut().zip(second)).for_each(|(both, second)| *both = factor * (*both + second));
            }
            let mut rows = vec![0f32; out.len()];
            for first in (0..n).step_by(ROWS) {
                let width = ROWS.min(n - first);
                let end = first + width;
                product(
                    MatMut::from_row_major_slice_mut(&mut rows, height, n).subcols_mut(first, width),
                    MatRef::from_row_major_slice(&both, height, n).subcols(0, end),
                    u.submatrix(0, first, end, width),
                );
                control.check()?;
            }
            for (out, row) in out.chunks_mut(n).zip(rows.chunks(n)) {
                row.iter().enumerate().for_each(|(j, &value)| out[column_of(j)] = value);
            }
            control.advance(1)
        })?;
        Ok(match self.is_of_inputs {
            true => Shift::Multiplied(shift),
            false => Shift::Added(shift),
        })
    }
}

/// How far the sum of two halves is to be trusted, 0 to 1: with r = 2 a·b / (|a|² + |b|²), what one half tells of the other, it is
/// 2 r / (1 + r) of both (Spearman and Brown); 0 where they disagree.
fn consistency(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| a as f64 * b as f64).sum::<f64>();
    let squares = dot(a, a) + dot(b, b);
    if squares == 0.0 {
        return 0.0;
    }
    let r = (2.0 * dot(a, b) / squares).max(0.0);
    2.0 * r / (1.0 + r)
}

/// The weights moved [rows, cols] row-major. Error: `Cancelled`.
pub fn shifted(weight: Weight, shift: &Shift, control: &Control) -> Result<Vec<f32>> {
    match shift {
        Shift::Multiplied(shift) => multiplied(weight, shift, control),
        Shift::Added(shift) => added(weight, shift, control),
    }
}

/// W + S.
fn added(weight: Weight, shift: &[f32], control: &Control) -> Result<Vec<f32>> {
    let n = weight.cols;
    assert_eq!(shift.len(), weight.rows * n, "the shift is that of the layer");
    let mut targets = zeros(weight.rows * n, control)?;
    let rows = targets.par_chunks_mut(n).zip(shift.par_chunks(n)).enumerate();
    rows.try_for_each(|(row, (out, shift))| {
        weight.read_row(row, out);
        out.iter_mut().zip(shift).for_each(|(out, shift)| *out += shift);
        control.check()
    })?;
    Ok(targets)
}

/// W + W S.
fn multiplied(weight: Weight, shift: &[f32], control: &Control) -> Result<Vec<f32>> {
    let n = weight.cols;
    assert_eq!(order_of(shift), n, "the shift is that of the layer's input");
    let shift = square(shift);
    let mut targets = zeros(weight.rows * n, control)?;
    (targets.par_chunks_mut(ROWS * n).enumerate()).try_for_each(|(i, out)| {
        for (row, values) in out.chunks_mut(n).enumerate() {
            weight.read_row(i * ROWS + row, values);
        }
        let height = out.len() / n;
        let rows = out.to_vec();
        let rows = MatRef::from_row_major_slice(&rows, height, n);
        for first in (0..n).step_by(ROWS) {
            let width = ROWS.min(n - first);
            let part = MatMut::from_row_major_slice_mut(out, height, n).subcols_mut(first, width);
            add_product(part, rows, shift.subcols(first, width));
            control.check()?;
        }
        Ok(())
    })?;
    Ok(targets)
}
