//! The sweep over a layer's columns (method.md, section 3): prune a column, spread its error over the columns after it.
//!
//! Columns go in blocks of 128, blocks in spans of 512: a block's errors are spread at once over the rest of its span, a span's over
//! the rest of the matrix. That is one long matrix product for the larger part, and W is fetched from memory four times less often.

use faer::prelude::{MatMut, MatRef, Reborrow, ReborrowMut};
use rayon::prelude::*;

use super::lanes::{Keep, LANES, Lanes, count_before, keep_above, prune_column, saliencies, subtract_errors};
use super::mask::{Pattern, threshold};
use super::weight::Storage;
use crate::control::Control;
use crate::error::Result;
use crate::linalg::buffer::zeros;
use crate::linalg::factor::Factor;
use crate::linalg::gemm::subtract_product;

/// Columns pruned by one threshold.
const BLOCK: usize = 128;
/// Columns whose errors are spread over the rest of the matrix at once.
const SPAN: usize = 512;
/// Rows of a task inside a block.
const PANEL: usize = 128;
/// Rows and columns of a task in the product after a span.
const TILE: usize = 512;
/// Columns whose errors are spread over the block at once.
const STEP: usize = 8;

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
        let padded = rows.next_multiple_of(LANES);
        // Neighbouring columns a multiple of 4 KiB apart would compete for the same lines of the cache.
        let stride = padded + if padded.is_multiple_of(1024) { LANES } else { 0 };
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

    fn view(&self) -> MatRef<'_, f32> {
        MatRef::from_column_major_slice_with_stride(&self.values, self.padded, self.cols, self.stride)
    }

    fn view_mut(&mut self) -> MatMut<'_, f32> {
        MatMut::from_column_major_slice_with_stride_mut(&mut self.values, self.padded, self.cols, self.stride)
    }
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

/// Columns of a block: as near to 128 as groups of m allow.
fn block_width(pattern: Pattern) -> usize {
    match pattern {
        Pattern::Sparsity(_) => BLOCK,
        Pattern::NofM { m, .. } => (BLOCK / m).max(1) * m,
    }
}

/// The work of a sweep in the units that it reports to its control.
pub fn work(cols: usize) -> u64 {
    let cols = cols as u64;
    cols * (cols + 1) / 2
}

/// Prunes `w` [rows, cols] by `pattern` and overwrites it with the result, kept weights rounded to `storage` before their error is
/// spread. Returns ‖Err‖², Err = (w - q) / U_jj with w as it stood when its column was pruned; so Err U = W - Q.
pub fn sweep(w: &mut Columns, factor: &Factor, pattern: Pattern, storage: Storage, control: &Control) -> Result<f64> {
    let block = block_width(pattern);
    let span = (SPAN / block).max(1) * block;
    let mut errors = Columns::zeros(w.rows, span.min(w.cols), control)?;
    let (rows, cols) = (w.rows, w.cols);
    let mut squares = 0.0;
    for start in (0..cols).step_by(span) {
        let end = (start + span).min(cols);
        let mut w = w.view_mut().subcols_mut(start, cols - start);
        for first in (start..end).step_by(block) {
            let width = block.min(end - first);
            let here = w.rb_mut().subcols_mut(first - start, end - first);
            let errors = errors.view_mut().subcols_mut(first - start, width);
            squares += sweep_block(
                here,
                errors,
                rows,
                &Block::new(factor, first, width, pattern, storage),
                control,
            )?;
            control.advance(((first..first + width).map(|j| cols - j).sum::<usize>()) as u64)?;
        }
        let (_, later) = w.split_at_col_mut(end - start);
        spread(
            later,
            errors.view().subcols(0, end - start),
            factor.u().submatrix(start, end, end - start, cols - end),
            control,
        )?;
    }
    Ok(squares)
}

/// `w -= errors u`, tile by tile.
fn spread(w: MatMut<f32>, errors: MatRef<f32>, u: MatRef<f32>, control: &Control) -> Result<()> {
    w.par_col_chunks_mut(TILE).enumerate().try_for_each(|(j, w)| {
        let u = u.subcols(j * TILE, w.ncols());
        w.par_row_chunks_mut(TILE).enumerate().try_for_each(|(i, w)| {
            let errors = errors.subrows(i * TILE, w.nrows());
            subtract_product(w, errors, u);
            control.check()
        })
    })
}

/// What the sweep of a block needs to know besides its weights.
struct Block<'a> {
    factor: &'a Factor,
    first: usize,
    width: usize,
    pattern: Pattern,
    storage: Storage,
    /// U_jj of the block's columns.
    diagonal: Vec<f32>,
    /// The block's U for every `step` rows together: [width / step, width, step].
    u: Vec<f32>,
    step: usize,
}

impl<'a> Block<'a> {
    fn new(factor: &'a Factor, first: usize, width: usize, pattern: Pattern, storage: Storage) -> Self {
        let step = match pattern {
            Pattern::Sparsity(_) => STEP,
            // A group of m starts where a step does: there its weights are up to date.
            Pattern::NofM { m, .. } => STEP.min(1 << m.trailing_zeros()),
        };
        let view = factor.u().submatrix(first, first, width, width);
        let mut u = vec![0f32; width.next_multiple_of(step) * width];
        for j in 0..width {
            for k in j..width {
                u[(j / step * width + k) * step + j % step] = view[(j, k)];
            }
        }
        let diagonal = (0..width).map(|j| view[(j, j)]).collect();
        Self {
            factor,
            first,
            width,
            pattern,
            storage,
            diagonal,
            u,
            step,
        }
    }
}

/// Sweeps one block, `w` [padded rows, columns to the end of the span] of which the first `block.width` are the block; writes the
/// block's errors, and spreads them over the rest of `w`. Returns ‖errors‖².
fn sweep_block(w: MatMut<f32>, errors: MatMut<f32>, rows: usize, block: &Block, control: &Control) -> Result<f64> {
    let limit = match block.pattern {
        Pattern::Sparsity(sparsity) if sparsity >= 1.0 => f32::INFINITY,
        Pattern::Sparsity(sparsity) => block_threshold(w.rb().subcols(0, block.width), rows, sparsity, block, control)?,
        Pattern::NofM { .. } => -1.0,
    };
    let u = block.factor.u();
    let sweep_panel = |(mut w, mut errors): (MatMut<f32>, MatMut<f32>)| {
        let (mut here, later) = w.rb_mut().split_at_col_mut(block.width);
        let mut group = Group::new(block.width);
        let mut squares = 0.0;
        for top in (0..here.nrows()).step_by(LANES) {
            group.load(here.rb().subrows(top, LANES));
            sweep_group(&mut group, block, limit);
            store(here.rb_mut().subrows_mut(top, LANES), &group.w);
            store(errors.rb_mut().subrows_mut(top, LANES), &group.errors);
            squares += group.squares();
        }
        let after = block.first + block.width;
        let u = u.submatrix(block.first, after, block.width, later.ncols());
        subtract_product(later, errors.rb(), u);
        control.check()?;
        Ok(squares)
    };
    let panels = w.par_row_chunks_mut(PANEL).zip(errors.par_row_chunks_mut(PANEL));
    let squares: Vec<f64> = panels.map(sweep_panel).collect::<Result<_>>()?;
    Ok(squares.iter().sum())
}

/// The score up to which the block's weights are pruned, by the saliency w² / U_jj².
fn block_threshold(w: MatRef<f32>, rows: usize, sparsity: f64, block: &Block, control: &Control) -> Result<f32> {
    threshold(sparsity, rows * block.width, rows.div_ceil(PANEL), |panel, sink| {
        let top = panel * PANEL;
        let height = PANEL.min(rows - top);
        let mut scores = [0f32; PANEL];
        for (j, &diagonal) in block.diagonal.iter().enumerate() {
            saliencies(column(w, j, top, height), diagonal, &mut scores[..height]);
            sink(&scores[..height]);
        }
        control.check()
    })
}

/// Rows `top..top + height` of column `j` of a column-major matrix.
fn column(w: MatRef<'_, f32>, j: usize, top: usize, height: usize) -> &[f32] {
    &w.col(j).try_as_col_major().expect("columns are contiguous").as_slice()[top..top + height]
}

/// Column `j` of a column-major matrix.
fn column_mut(w: MatMut<'_, f32>, j: usize) -> &mut [f32] {
    w.col_mut(j)
        .try_as_col_major_mut()
        .expect("columns are contiguous")
        .as_slice_mut()
}

/// `LANES` rows of a block, one in each lane; a slot for each column.
struct Group {
    w: Vec<Lanes>,
    errors: Vec<Lanes>,
    scores: Vec<Lanes>,
    /// All bits set where a weight is kept.
    keep: Vec<Keep>,
}

impl Group {
    fn new(width: usize) -> Self {
        let lanes = || vec![Lanes::ZERO; width];
        Self {
            w: lanes(),
            errors: lanes(),
            scores: lanes(),
            keep: vec![[0; LANES]; width],
        }
    }

    fn load(&mut self, from: MatRef<f32>) {
        for (j, lanes) in self.w.iter_mut().enumerate() {
            lanes.0.copy_from_slice(column(from, j, 0, LANES));
        }
    }

    fn squares(&self) -> f64 {
        let mut sums = [0f64; LANES];
        for errors in &self.errors {
            for (sum, &error) in sums.iter_mut().zip(&errors.0) {
                *sum += error as f64 * error as f64;
            }
        }
        sums.iter().sum()
    }
}

fn store(mut to: MatMut<f32>, lanes: &[Lanes]) {
    for (j, lanes) in lanes.iter().enumerate() {
        column_mut(to.rb_mut(), j).copy_from_slice(&lanes.0);
    }
}

/// Sweeps one group of rows over the columns of a block, pruning what scores `limit` or less (or n of every m).
fn sweep_group(group: &mut Group, block: &Block, limit: f32) {
    if let Pattern::Sparsity(_) = block.pattern {
        for j in 0..block.width {
            saliencies(&group.w[j].0, block.diagonal[j], &mut group.scores[j].0);
            keep_above(&group.scores[j], limit, &mut group.keep[j]);
        }
    }
    match block.step {
        8 => sweep_steps::<8>(group, block),
        4 => sweep_steps::<4>(group, block),
        2 => sweep_steps::<2>(group, block),
        _ => sweep_steps::<1>(group, block),
    }
}

fn sweep_steps<const STEP: usize>(group: &mut Group, block: &Block) {
    let width = block.width;
    for (step, u) in block.u.chunks(width * STEP).enumerate() {
        let u = u.as_chunks::<STEP>().0;
        let first = step * STEP;
        let last = (first + STEP).min(width);
        if let Pattern::NofM { n, m } = block.pattern
            && first.is_multiple_of(m)
        {
            keep_largest(group, &block.diagonal, first, (first + m).min(width), n);
        }
        for j in first..last {
            prune_column(
                &mut group.w[j],
                &group.keep[j],
                block.diagonal[j],
                block.storage,
                &mut group.errors[j],
            );
            let s = j - first;
            for (w, u) in group.w[..last].iter_mut().zip(u).skip(j + 1) {
                subtract_errors(std::slice::from_mut(w), &[group.errors[j]], &[[u[s]]]);
            }
        }
        if last < width {
            let errors = group.errors[first..]
                .first_chunk()
                .expect("only the last step is shorter");
            subtract_errors(&mut group.w[last..], errors, &u[last..]);
        }
    }
}

/// Chooses the n least salient of columns `first..last` in each row, the leftmost of equals first, and keeps the others.
fn keep_largest(group: &mut Group, diagonal: &[f32], first: usize, last: usize, n: usize) {
    let columns = group.w.iter().zip(&mut group.scores).zip(diagonal);
    for ((w, scores), &u_jj) in columns.take(last).skip(first) {
        saliencies(&w.0, u_jj, &mut scores.0);
    }
    for j in first..last {
        let mut before = [0; LANES];
        for other in first..last {
            count_before(&group.scores[other], &group.scores[j], other < j, &mut before);
        }
        group.keep[j] = before.map(|before| if before < n as u32 { 0 } else { !0 });
    }
}
