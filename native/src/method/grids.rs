//! Scales and zero points (method.md, section 4): a weight of code q is stored as scale * (q - zero).

use std::ops::Range;

use faer::prelude::{MatMut, MatRef, ReborrowMut};
use rayon::prelude::*;

use crate::backend::{Backend, Fit};
use crate::control::Control;
use crate::cpu::lanes::{Grid, LANES, Lanes, extremes, grid, quantize, range_errors};
use crate::error::Result;
use crate::method::factor::Factor;
use crate::quantization::{Quantization, Quantized, Range as RangeRule};
use crate::weights::columns::{Columns, column, column_mut};

/// Ranges tried by the search, and by how much of the whole one they differ.
const SHRUNK: usize = 80;
const SHRINK_STEP: f64 = 0.01;

/// The shares of a group's range that are tried.
pub fn range_shares(range: RangeRule) -> Vec<f32> {
    let tried = match range {
        RangeRule::MinMax => 1,
        RangeRule::Mse => SHRUNK,
    };
    (0..tried)
        .map(|step| (1.0 - step as f64 * SHRINK_STEP) as f32)
        .collect()
}

impl Grid {
    /// Of the group that consists of `columns`. Error: `Cancelled`.
    pub fn fit(columns: &[Lanes], quantization: &Quantization, control: &Control) -> Result<Self> {
        let (mut low, mut high) = (Lanes::ZERO, Lanes::ZERO);
        extremes(columns, &mut low, &mut high);
        let whole = grid(&low, &high, 1.0, quantization);
        if quantization.range == RangeRule::MinMax {
            return Ok(whole);
        }
        let mut best = whole;
        let mut least = Lanes([f32::INFINITY; LANES]);
        for share in range_shares(quantization.range) {
            let shrunk = grid(&low, &high, share, quantization);
            let mut errors = Lanes::ZERO;
            range_errors(columns, &shrunk, quantization.most(), &mut errors);
            for lane in 0..LANES {
                if errors.0[lane] < least.0[lane] {
                    least.0[lane] = errors.0[lane];
                    best.scale.0[lane] = shrunk.scale.0[lane];
                    best.zero.0[lane] = shrunk.zero.0[lane];
                }
            }
            control.check()?;
        }
        Ok(best)
    }
}

impl Quantized {
    /// Of a layer whose groups are neighbouring columns; `grids`: those of all groups, of 64 rows after the other.
    pub fn from_grids<'a>(quantization: Quantization, rows: usize, grids: impl Iterator<Item = &'a [Grid]>) -> Self {
        let (mut scales, mut zeros, mut groups) = (Vec::new(), Vec::new(), 0);
        for grids in grids {
            groups = grids.len();
            for lane in 0..LANES.min(rows - scales.len() / groups) {
                scales.extend(grids.iter().map(|grid| grid.scale.0[lane]));
                zeros.extend(grids.iter().map(|grid| grid.zero.0[lane] as u8));
            }
        }
        Self {
            quantization,
            groups,
            scales,
            zeros,
            group_of: None,
        }
    }
}

/// The scales and zero points of a layer that is being swept.
pub struct Grids<B: Backend> {
    pub quantization: Quantization,
    pub values: B::Grids,
    /// The group of each column, columns in the order of the sweep.
    pub group_of: Vec<u32>,
    /// All grids are known; otherwise a group's is that of the weights as they stand when the sweep comes to its block.
    pub is_fixed: bool,
}

impl<B: Backend> Grids<B> {
    /// For the weights `w` [rows, factor.cols], columns in the factor's order. Errors: those of the backend.
    pub fn new(
        w: &B::Weights,
        rows: usize,
        factor: &Factor<B>,
        quantization: Quantization,
        control: &Control,
    ) -> Result<Self> {
        let (group, cols) = (quantization.group, factor.cols);
        let groups = cols.div_ceil(group);
        let is_fixed = quantization.static_groups || groups == 1;
        let order = factor.order.as_deref();
        let column_of = |j: usize| order.map_or(j, |order| order[j] as usize);
        let group_of = (0..cols).map(|j| if is_fixed { column_of(j) } else { j } / group);
        let group_of: Vec<u32> = group_of.map(|group| group as u32).collect();
        let mut values = factor.backend.grids(rows, groups, &group_of, control)?;
        if is_fixed {
            let mut position = vec![0; cols];
            (0..cols).for_each(|j| position[column_of(j)] = j as u32);
            let fits: Vec<Fit> = groups_of(0..groups, group, cols).collect();
            factor
                .backend
                .fit(&mut values, w, &position, &fits, &quantization, control)?;
        }
        Ok(Self {
            quantization,
            values,
            group_of,
            is_fixed,
        })
    }

    /// The end of the last group that starts before column `end` in the order of the sweep.
    pub fn reach(&self, end: usize) -> usize {
        let groups_end = end.next_multiple_of(self.quantization.group);
        if self.is_fixed {
            end
        } else {
            groups_end.min(self.group_of.len())
        }
    }

    /// Fits the grids of the groups that start in `block`, of which nothing has been swept, unless they are known.
    pub fn fit_starting(&mut self, backend: &B, w: &B::Weights, block: Range<usize>, control: &Control) -> Result<()> {
        let (size, cols) = (self.quantization.group, self.group_of.len());
        let groups = block.start.div_ceil(size)..block.end.div_ceil(size);
        if self.is_fixed || groups.is_empty() {
            return Ok(());
        }
        let fits: Vec<Fit> = groups_of(groups, size, cols).collect();
        let columns: Vec<u32> = (0..cols as u32).collect();
        backend.fit(&mut self.values, w, &columns, &fits, &self.quantization, control)
    }

    /// As they are stored, of a sweep with `factor`. Errors: those of the backend.
    pub fn finish(self, factor: &Factor<B>, control: &Control) -> Result<Quantized> {
        let (scale_columns, zero_columns) = factor.backend.download_grids(self.values, control)?;
        let (rows, groups) = (scale_columns.rows, scale_columns.cols);
        let mut scales = vec![0f32; rows * groups];
        let copy = |_, values: &[f32], out: &mut [f32]| out.copy_from_slice(values);
        scale_columns.map_rows(&mut scales, groups, copy, control)?;
        let mut zeros = vec![0u8; rows * groups];
        let round = |_, values: &[f32], out: &mut [u8]| {
            out.iter_mut().zip(values).for_each(|(out, &zero)| *out = zero as u8);
        };
        zero_columns.map_rows(&mut zeros, groups, round, control)?;
        let order = factor.order.as_ref().filter(|_| !self.is_fixed);
        let group_of = order.map(|order| {
            let mut of_column = vec![0; self.group_of.len()];
            (order.iter().zip(&self.group_of)).for_each(|(&col, &group)| of_column[col as usize] = group);
            of_column
        });
        Ok(Quantized {
            quantization: self.quantization,
            groups,
            scales,
            zeros,
            group_of,
        })
    }
}

/// The columns of groups of `size`, the last of which may be shorter.
fn groups_of(groups: Range<usize>, size: usize, cols: usize) -> impl Iterator<Item = Fit> {
    groups.map(move |group| Fit {
        group,
        first: group * size,
        end: ((group + 1) * size).min(cols),
    })
}

/// Scales and zero points on the CPU.
pub struct GridColumns {
    /// [rows, groups]
    pub scales: Columns,
    pub zeros: Columns,
    /// The group of each column, columns in the order of the sweep.
    pub group_of: Vec<u32>,
}

impl GridColumns {
    /// Fits the grids of groups, each of columns of `w` that `members` lists. Error: `Cancelled`.
    pub fn fit(
        &mut self,
        w: &Columns,
        members: &[u32],
        fits: &[Fit],
        quantization: &Quantization,
        control: &Control,
    ) -> Result<()> {
        let fit_rows = |(top, (mut scales, mut zeros)): (usize, (MatMut<f32>, MatMut<f32>))| {
            let w = w.view().subrows(top * LANES, LANES);
            let mut columns = Vec::new();
            for &Fit { group, first, end } in fits {
                gather(w, members[first..end].iter().map(|&j| j as usize), &mut columns);
                let grid = Grid::fit(&columns, quantization, control)?;
                column_mut(scales.rb_mut(), group).copy_from_slice(&grid.scale.0);
                column_mut(zeros.rb_mut(), group).copy_from_slice(&grid.zero.0);
            }
            control.check()
        };
        let scales = self.scales.view_mut().par_row_chunks_mut(LANES);
        let rows = scales.zip(self.zeros.view_mut().par_row_chunks_mut(LANES));
        rows.enumerate().try_for_each(fit_rows)
    }

    /// The grid of a group in the `LANES` rows from `top` on.
    pub fn get(&self, group: usize, top: usize) -> Grid {
        let lanes = |matrix: &Columns| {
            let mut lanes = Lanes::ZERO;
            lanes.0.copy_from_slice(column(matrix.view(), group, top, LANES));
            lanes
        };
        Grid {
            scale: lanes(&self.scales),
            zero: lanes(&self.zeros),
        }
    }
}

/// Copies columns of `LANES` rows.
fn gather(from: MatRef<f32>, columns: impl Iterator<Item = usize>, to: &mut Vec<Lanes>) {
    to.clear();
    to.extend(columns.map(|j| {
        let mut lanes = Lanes::ZERO;
        lanes.0.copy_from_slice(column(from, j, 0, LANES));
        lanes
    }));
}

/// Rounds up to `LANES` rows [rows, cols] to the nearest codes of grids of their own, one for each group of neighbouring columns.
/// Error: `Cancelled`.
pub fn quantize_rows(
    rows: &mut [f32],
    cols: usize,
    quantization: &Quantization,
    control: &Control,
) -> Result<Vec<Grid>> {
    let quantize_group = |start: usize| {
        let end = (start + quantization.group).min(cols);
        let mut columns = vec![Lanes::ZERO; end - start];
        for (lane, row) in rows.chunks(cols).enumerate() {
            (columns.iter_mut().zip(&row[start..end])).for_each(|(column, &w)| column.0[lane] = w);
        }
        let grid = Grid::fit(&columns, quantization, control)?;
        columns
            .iter_mut()
            .for_each(|column| quantize(column, &grid, quantization.most()));
        for (lane, row) in rows.chunks_mut(cols).enumerate() {
            (columns.iter().zip(&mut row[start..end])).for_each(|(column, w)| *w = column.0[lane]);
        }
        Ok(grid)
    };
    (0..cols).step_by(quantization.group).map(quantize_group).collect()
}
