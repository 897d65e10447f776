//! Scales and zero points (method.md, section 4): a weight of code q is stored as scale * (q - zero).

use faer::prelude::{MatMut, MatRef, ReborrowMut};
use rayon::prelude::*;

use super::columns::{Columns, column, column_mut};
use super::lanes::{Grid, LANES, Lanes, extremes, grid, quantize, range_errors};
use super::quantization::{Quantization, Quantized, Range};
use crate::control::Control;
use crate::error::Result;

/// Ranges tried by the search, and by how much of the whole one they differ.
const SHRUNK: usize = 80;
const SHRINK_STEP: f64 = 0.01;

impl Grid {
    /// Of the group that consists of `columns`. Error: `Cancelled`.
    pub fn fit(columns: &[Lanes], quantization: &Quantization, control: &Control) -> Result<Self> {
        let (mut low, mut high) = (Lanes::ZERO, Lanes::ZERO);
        extremes(columns, &mut low, &mut high);
        let whole = grid(&low, &high, 1.0, quantization);
        if quantization.range == Range::MinMax {
            return Ok(whole);
        }
        let mut best = whole;
        let mut least = Lanes([f32::INFINITY; LANES]);
        for step in 0..SHRUNK {
            let shrunk = grid(&low, &high, (1.0 - step as f64 * SHRINK_STEP) as f32, quantization);
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
pub struct Grids {
    pub quantization: Quantization,
    /// [rows, groups]
    scales: Columns,
    zeros: Columns,
    /// The group of each column, columns in the order of the sweep.
    pub group_of: Vec<u32>,
    /// All grids are known; otherwise a group's is that of the weights as they stand when the sweep comes to its block.
    pub is_fixed: bool,
}

impl Grids {
    /// For the weights `w` whose column j is the layer's column `order[j]` (None: j). Error: `Cancelled`.
    pub fn new(w: &Columns, order: Option<&[u32]>, quantization: Quantization, control: &Control) -> Result<Self> {
        let (group, cols) = (quantization.group, w.cols);
        let groups = cols.div_ceil(group);
        let is_fixed = quantization.static_groups || groups == 1;
        let column_of = |j: usize| order.map_or(j, |order| order[j] as usize);
        let group_of = (0..cols).map(|j| if is_fixed { column_of(j) } else { j } / group);
        let mut grids = Self {
            quantization,
            scales: Columns::zeros(w.rows, groups, control)?,
            zeros: Columns::zeros(w.rows, groups, control)?,
            group_of: group_of.map(|group| group as u32).collect(),
            is_fixed,
        };
        if is_fixed {
            let mut position = vec![0; cols];
            (0..cols).for_each(|j| position[column_of(j)] = j);
            grids.fit_all(w, &position, control)?;
        }
        Ok(grids)
    }

    /// Every group's grid from `w`, of which column `position[c]` is the layer's column c.
    fn fit_all(&mut self, w: &Columns, position: &[usize], control: &Control) -> Result<()> {
        let quantization = self.quantization;
        let fit_rows = |(top, (scales, zeros)): (usize, (MatMut<f32>, MatMut<f32>))| {
            let w = w.view().subrows(top * LANES, LANES);
            let mut grids = GridsMut { scales, zeros };
            let mut columns = Vec::new();
            for (group, members) in position.chunks(quantization.group).enumerate() {
                gather(w, members.iter().copied(), &mut columns);
                grids.set(group, &Grid::fit(&columns, &quantization, control)?);
            }
            control.check()
        };
        let scales = self.scales.view_mut().par_row_chunks_mut(LANES);
        let rows = scales.zip(self.zeros.view_mut().par_row_chunks_mut(LANES));
        rows.enumerate().try_for_each(fit_rows)
    }

    /// The grids of `height` rows after the other.
    pub fn panels(&mut self, height: usize) -> Vec<GridsMut<'_>> {
        let scales = self.scales.view_mut().par_row_chunks_mut(height);
        scales
            .zip(self.zeros.view_mut().par_row_chunks_mut(height))
            .map(|(scales, zeros)| GridsMut { scales, zeros })
            .collect()
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

    /// Of the groups that start in columns `first..first + width` and have no grid yet: their numbers, and where they begin and end,
    /// in columns from `first`.
    pub fn starting(&self, first: usize, width: usize) -> Vec<(usize, usize, usize)> {
        if self.is_fixed {
            return Vec::new();
        }
        let size = self.quantization.group;
        let range = |group: usize| {
            (
                group,
                group * size - first,
                ((group + 1) * size).min(self.group_of.len()) - first,
            )
        };
        let groups = first.div_ceil(size)..(first + width).div_ceil(size);
        groups.map(range).collect()
    }

    /// As they are stored, of a sweep in the order `order`. Error: `Cancelled`.
    pub fn finish(self, order: Option<&[u32]>, control: &Control) -> Result<Quantized> {
        let groups = self.scales.cols;
        let mut scales = vec![0f32; self.scales.rows * groups];
        let copy = |_, values: &[f32], out: &mut [f32]| out.copy_from_slice(values);
        self.scales.map_rows(&mut scales, groups, copy, control)?;
        let mut zeros = vec![0u8; self.zeros.rows * groups];
        let round = |_, values: &[f32], out: &mut [u8]| {
            out.iter_mut().zip(values).for_each(|(out, &zero)| *out = zero as u8);
        };
        self.zeros.map_rows(&mut zeros, groups, round, control)?;
        let is_scattered = !self.is_fixed && order.is_some();
        let group_of = is_scattered.then(|| {
            let mut of_column = vec![0; self.group_of.len()];
            let order = order.into_iter().flatten();
            order
                .zip(&self.group_of)
                .for_each(|(&col, &group)| of_column[col as usize] = group);
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

/// The grids of some rows: [rows, groups] each.
pub struct GridsMut<'a> {
    scales: MatMut<'a, f32>,
    zeros: MatMut<'a, f32>,
}

impl GridsMut<'_> {
    /// Those of the `LANES` rows from `top` on.
    pub fn lanes(&mut self, top: usize) -> GridsMut<'_> {
        GridsMut {
            scales: self.scales.rb_mut().subrows_mut(top, LANES),
            zeros: self.zeros.rb_mut().subrows_mut(top, LANES),
        }
    }

    /// Of `LANES` rows.
    pub fn set(&mut self, group: usize, grid: &Grid) {
        column_mut(self.scales.rb_mut(), group).copy_from_slice(&grid.scale.0);
        column_mut(self.zeros.rb_mut(), group).copy_from_slice(&grid.zero.0);
    }

    /// Of `LANES` rows.
    pub fn get(&self, group: usize) -> Grid {
        let lanes = |matrix: MatRef<f32>| {
            let mut lanes = Lanes::ZERO;
            lanes.0.copy_from_slice(column(matrix, group, 0, LANES));
            lanes
        };
        Grid {
            scale: lanes(self.scales.as_ref()),
            zero: lanes(self.zeros.as_ref()),
        }
    }
}

/// Copies columns of `LANES` rows.
pub fn gather(from: MatRef<f32>, columns: impl Iterator<Item = usize>, to: &mut Vec<Lanes>) {
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
