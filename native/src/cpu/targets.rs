//! Dense targets (method.md, section 12): the weights whose outputs on the inputs that a layer will have come nearest to what the dense
//! layer gives on those that it had.

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

/// The sum of (x - x̂)ᵀ x̂ over all tokens added so far, x what a layer reads in the dense model and x̂ in the compressed one: float64.
pub struct Drift {
    cols: usize,
    /// [cols, cols] row-major
    sums: Vec<f64>,
}

impl Drift {
    pub fn new(cols: usize) -> Self {
        Self {
            cols,
            sums: vec![0.0; cols * cols],
        }
    }

    /// Adds (x - x̂)ᵀ x̂; both [tokens, cols] row-major. Error: `NotFinite` with the first row of x that is not; the sums are then spoiled.
    pub fn add(&mut self, dense: &[f32], compressed: &[f32], control: &Control) -> Result<()> {
        let cols = self.cols;
        assert!(
            dense.len() == compressed.len() && dense.len().is_multiple_of(cols),
            "both hold the same whole rows"
        );
        let tokens = dense.len() / cols;
        control.begin((tokens * cols.div_ceil(ROWS)) as u64)?;
        let size = CHUNK.min(tokens) * cols;
        let (mut x, mut difference) = (zeros(size, control)?, zeros(size, control)?);
        let mut differences: Vec<f32> = zeros(size, control)?;
        let chunks = dense.chunks(CHUNK * cols).zip(compressed.chunks(CHUNK * cols));
        for (i, (dense, compressed)) in chunks.enumerate() {
            let length = dense.len() / cols;
            let (x, difference) = (&mut x[..dense.len()], &mut difference[..dense.len()]);
            let pairs = dense.par_iter().zip(compressed);
            (differences.par_iter_mut().zip(pairs)).for_each(|(to, (x, compressed))| *to = x - compressed);
            gather_panels(&differences[..dense.len()], cols, ROWS, difference, control)?;
            gather_panels(compressed, cols, ROWS, x, control)?;
            let panel = |panels, first: usize| {
                let width = ROWS.min(cols - first);
                let values: &[f32] = panels;
                MatRef::from_row_major_slice(&values[first * length..(first + width) * length], length, width)
            };
            let add_rows = |(i, rows): (usize, &mut [f64])| {
                let left = panel(&*difference, i * ROWS).transpose();
                let mut is_finite = true;
                for first in (0..cols).step_by(ROWS) {
                    let right = panel(&*x, first);
                    let mut products = vec![0f32; left.nrows() * right.ncols()];
                    let part = MatMut::from_row_major_slice_mut(&mut products, left.nrows(), right.ncols());
                    product(part, left, right);
                    for (sums, products) in rows.chunks_mut(cols).zip(products.chunks(right.ncols())) {
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
            let panels = self.sums.par_chunks_mut(ROWS * cols).enumerate();
            if !panels.map(add_rows).try_reduce(|| true, |a, b| Ok(a && b))? {
                let row = i * CHUNK + first_bad_row(dense, cols);
                return Err(Error::NotFinite { row });
            }
        }
        Ok(())
    }

    /// `share` (C - H) H⁻¹ [cols, cols] row-major, C - H = `scale` times the sums and H⁻¹ = Uᵀ U with U's columns in `order` (None: as
    /// they are): what the product of a layer's weights with it moves them by.
    pub fn shift(
        &self,
        u: &[f32],
        order: Option<&[u32]>,
        scale: f64,
        share: f64,
        control: &Control,
    ) -> Result<Vec<f32>> {
        let n = self.cols;
        assert_eq!(order_of(u), n, "the factor is that of the same input");
        let u = square(u);
        let column_of = |j: usize| order.map_or(j, |order| order[j] as usize);
        control.begin(n.div_ceil(ROWS) as u64)?;
        let mut shift = zeros(n * n, control)?;
        (shift.par_chunks_mut(ROWS * n).enumerate()).try_for_each(|(i, out)| {
            let height = out.len() / n;
            let sums = &self.sums[i * ROWS * n..][..out.len()];
            let mut rows: Vec<f32> = Vec::with_capacity(out.len());
            for sums in sums.chunks(n) {
                rows.extend((0..n).map(|j| (share * scale * sums[column_of(j)]) as f32));
            }
            let mut turned = vec![0f32; out.len()];
            for first in (0..n).step_by(ROWS) {
                let width = ROWS.min(n - first);
                let rest = n - first;
                product(
                    MatMut::from_row_major_slice_mut(&mut turned, height, n).subcols_mut(first, width),
                    MatRef::from_row_major_slice(&rows, height, n).subcols(first, rest),
                    u.submatrix(first, first, width, rest).transpose(),
                );
                control.check()?;
            }
            for first in (0..n).step_by(ROWS) {
                let width = ROWS.min(n - first);
                let end = first + width;
                product(
                    MatMut::from_row_major_slice_mut(&mut rows, height, n).subcols_mut(first, width),
                    MatRef::from_row_major_slice(&turned, height, n).subcols(0, end),
                    u.submatrix(0, first, end, width),
                );
                control.check()?;
            }
            for (out, row) in out.chunks_mut(n).zip(rows.chunks(n)) {
                row.iter().enumerate().for_each(|(j, &value)| out[column_of(j)] = value);
            }
            control.advance(1)
        })?;
        Ok(shift)
    }
}

/// W + W shift [rows, cols] row-major. Error: `Cancelled`.
pub fn shifted(weight: Weight, shift: &[f32], control: &Control) -> Result<Vec<f32>> {
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
