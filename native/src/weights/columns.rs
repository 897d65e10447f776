//! A matrix that is read and written column by column, many rows at a time.

use faer::prelude::{MatMut, MatRef, ReborrowMut};
use rayon::prelude::*;

use super::lanes::{LANES, Lanes};
use super::zeros::zeros;
use crate::control::Control;
use crate::error::Result;

/// A matrix column by column, its rows filled up with zeros to a multiple of `LANES`.
pub struct Columns {
    pub rows: usize,
    pub cols: usize,
    padded: usize,
    stride: usize,
    values: Vec<f32>,
}

impl Columns {
    pub fn zeros(rows: usize, cols: usize, control: &Control) -> Result<Self> {
        let (padded, stride) = (rows.next_multiple_of(LANES), stride_of(rows));
        let values = zeros(stride * cols, control)?;
        Ok(Self {
            rows,
            cols,
            padded,
            stride,
            values,
        })
    }

    /// A matrix whose row i is what `read(i, row)` writes into `row` [cols]. Error: `Cancelled`.
    pub fn from_rows(
        rows: usize,
        cols: usize,
        read: impl Fn(usize, &mut [f32]) + Sync,
        control: &Control,
    ) -> Result<Self> {
        let mut columns = Self::zeros(rows, cols, control)?;
        let fill = |(group, lanes): (usize, MatMut<f32>)| {
            let first = group * LANES;
            let mut values = vec![0f32; LANES.min(rows - first) * cols];
            for (i, row) in values.chunks_mut(cols).enumerate() {
                read(first + i, row);
            }
            rows_to_columns(&values, lanes);
            control.check()
        };
        let groups = columns.view_mut().par_row_chunks_mut(LANES);
        groups.enumerate().try_for_each(fill)?;
        Ok(columns)
    }

    /// Hands groups of up to `LANES` rows, row-major [group, cols], to `use_rows(first row, rows, out)` with each its share of `out`
    /// (`size` elements a row), in parallel. Returns what it returned, in order. Error: `Cancelled`.
    pub fn map_rows<T, R>(
        &self,
        out: &mut [T],
        size: usize,
        use_rows: impl Fn(usize, &[f32], &mut [T]) -> R + Sync,
        control: &Control,
    ) -> Result<Vec<R>>
    where
        T: Send,
        R: Send,
    {
        let use_group = |(group, out): (usize, &mut [T])| {
            control.check()?;
            let first = group * LANES;
            let count = LANES.min(self.rows - first);
            let mut values = vec![0f32; count * self.cols];
            columns_to_rows(self.view().subrows(first, count), &mut values);
            Ok(use_rows(first, &values, out))
        };
        out.par_chunks_mut(LANES * size).enumerate().map(use_group).collect()
    }

    /// Column after column, `stride` values each.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Rows that are computed with: those of the matrix, and zeros up to a multiple of `LANES`.
    pub fn padded(&self) -> usize {
        self.padded
    }

    /// Calls `visit` with the rows of a range that begins at a multiple of `LANES`, one after the other.
    pub fn for_rows(&self, rows: std::ops::Range<usize>, mut visit: impl FnMut(&[f32])) {
        let mut values = vec![0f32; LANES * self.cols];
        for first in rows.clone().step_by(LANES) {
            let count = LANES.min(rows.end - first);
            let values = &mut values[..count * self.cols];
            columns_to_rows(self.view().subrows(first, count), values);
            values.chunks(self.cols).for_each(&mut visit);
        }
    }

    /// Multiplies each column j with `factor(j)`.
    pub fn scale(&mut self, factor: impl Fn(usize) -> f32 + Sync) {
        let columns = self.values.par_chunks_mut(self.stride).enumerate();
        columns.for_each(|(j, column)| {
            let factor = factor(j);
            column.iter_mut().for_each(|value| *value *= factor);
        });
    }

    /// Subtracts a matrix of the same shape.
    pub fn subtract(&mut self, other: &Self) {
        let columns = self.values.par_chunks_mut(self.stride);
        columns
            .zip(other.values.par_chunks(self.stride))
            .for_each(|(column, other)| {
                column.iter_mut().zip(other).for_each(|(value, other)| *value -= other);
            });
    }

    /// The sum of all values' squares.
    pub fn squares(&self) -> f64 {
        let of_column = |column: &[f32]| column.iter().map(|&w| w as f64 * w as f64).sum::<f64>();
        self.values
            .par_chunks(self.stride)
            .map(of_column)
            .collect::<Vec<f64>>()
            .iter()
            .sum()
    }

    pub fn view(&self) -> MatRef<'_, f32> {
        MatRef::from_column_major_slice_with_stride(&self.values, self.padded, self.cols, self.stride)
    }

    pub fn view_mut(&mut self) -> MatMut<'_, f32> {
        MatMut::from_column_major_slice_with_stride_mut(&mut self.values, self.padded, self.cols, self.stride)
    }
}

/// Values from one column of `rows` to the next.
pub fn stride_of(rows: usize) -> usize {
    let padded = rows.next_multiple_of(LANES);
    // Neighbouring columns a multiple of 4 KiB apart would compete for the same lines of the cache.
    padded + if padded.is_multiple_of(1024) { LANES } else { 0 }
}

/// Columns turned into rows, or back, at once: whole lines of the cache, however far apart the rows lie.
const SQUARE: usize = 16;

/// Copies up to `LANES` rows [rows, cols] into a column-major matrix of at least as many.
fn rows_to_columns(rows: &[f32], mut to: MatMut<f32>) {
    let cols = to.ncols();
    for left in (0..cols).step_by(SQUARE) {
        let width = SQUARE.min(cols - left);
        let mut square = [[0f32; SQUARE]; LANES];
        for (square, row) in square.iter_mut().zip(rows.chunks(cols)) {
            square[..width].copy_from_slice(&row[left..left + width]);
        }
        for j in 0..width {
            let column = column_mut(to.rb_mut(), left + j);
            column
                .iter_mut()
                .zip(&square)
                .for_each(|(value, square)| *value = square[j]);
        }
    }
}

/// Copies a column-major matrix of up to `LANES` rows into `rows` [rows, cols].
fn columns_to_rows(from: MatRef<f32>, rows: &mut [f32]) {
    let cols = from.ncols();
    for left in (0..cols).step_by(SQUARE) {
        let width = SQUARE.min(cols - left);
        let mut square = [[0f32; SQUARE]; LANES];
        for j in 0..width {
            let column = column(from, left + j, 0, from.nrows());
            square
                .iter_mut()
                .zip(column)
                .for_each(|(square, &value)| square[j] = value);
        }
        for (square, row) in square.iter().zip(rows.chunks_mut(cols)) {
            row[left..left + width].copy_from_slice(&square[..width]);
        }
    }
}

/// Rows `top..top + height` of column `j` of a column-major matrix.
pub fn column(w: MatRef<'_, f32>, j: usize, top: usize, height: usize) -> &[f32] {
    &w.col(j).try_as_col_major().expect("columns are contiguous").as_slice()[top..top + height]
}

/// The `LANES` rows from `top` on of column `j` of a column-major matrix.
pub fn lanes_of(w: MatRef<'_, f32>, j: usize, top: usize) -> Lanes {
    let mut lanes = Lanes::ZERO;
    lanes.0.copy_from_slice(column(w, j, top, LANES));
    lanes
}

/// Column `j` of a column-major matrix.
pub fn column_mut(w: MatMut<'_, f32>, j: usize) -> &mut [f32] {
    w.col_mut(j)
        .try_as_col_major_mut()
        .expect("columns are contiguous")
        .as_slice_mut()
}
