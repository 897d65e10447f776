//! The sweep over a layer's columns (method.md, section 3): prune a column, spread its error over the columns after it.
//!
//! Columns go in blocks of 128, blocks in spans of 512: a block's errors are spread at once over the rest of its span, a span's over
//! the rest of the matrix. That is one long matrix product for the larger part, and W is fetched from memory four times less often.

use faer::prelude::{MatMut, MatRef, Reborrow, ReborrowMut};
use rayon::prelude::*;

use super::columns::{Columns, column, column_mut};
use super::lanes::{
    Grid, Keep, LANES, Lanes, count_before, keep_above, prune_column, quantize_column, saliencies, subtract_errors,
};
use super::mask::{Pattern, threshold};
use super::quantization::Quantization;
use super::quantizer::{Grids, GridsMut, gather};
use super::storage::Storage;
use crate::control::Control;
use crate::error::Result;
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

/// What a sweep makes of the weights.
pub struct Sweep<'a> {
    pub factor: &'a Factor,
    pub pattern: Pattern,
    /// Kept weights are rounded to it before their error is spread.
    pub storage: Storage,
}

/// Prunes `w` [rows, cols], columns in the factor's order, and quantizes what is kept where there are `grids`; overwrites it with
/// the result. Returns ‖Err‖², Err = (w - q) / U_jj with w as it stood when its column was pruned; so Err U = W - Q.
pub fn sweep(w: &mut Columns, sweep: &Sweep, mut grids: Option<&mut Grids>, control: &Control) -> Result<f64> {
    let block = block_width(sweep.pattern);
    let span = (SPAN / block).max(1) * block;
    let mut errors = Columns::zeros(w.rows, span.min(w.cols), control)?;
    let (rows, cols) = (w.rows, w.cols);
    let mut squares = 0.0;
    for start in (0..cols).step_by(span) {
        let end = (start + span).min(cols);
        // A group that starts in the span may end after it: until there each block's errors are spread at once.
        let reach = grids.as_ref().map_or(end, |grids| grids.reach(end));
        let mut w = w.view_mut().subcols_mut(start, cols - start);
        for first in (start..end).step_by(block) {
            let width = block.min(end - first);
            let here = w.rb_mut().subcols_mut(first - start, reach - first);
            let errors = errors.view_mut().subcols_mut(first - start, width);
            let block = Block::new(sweep, first, width, grids.as_deref());
            squares += sweep_block(here, errors, grids.as_deref_mut(), rows, &block, control)?;
            control.advance(((first..first + width).map(|j| cols - j).sum::<usize>()) as u64)?;
        }
        let (_, later) = w.split_at_col_mut(reach - start);
        spread(
            later,
            errors.view().subcols(0, end - start),
            sweep.factor.u().submatrix(start, reach, end - start, cols - reach),
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
    quantization: Option<Quantization>,
    /// The group of each column, where there is a quantization.
    group_of: Vec<u32>,
    /// The groups whose grids are those of the weights at the start of the block: their numbers, and where they begin and end
    /// (columns from the block's first, the end maybe behind the block).
    starting: Vec<(usize, usize, usize)>,
}

impl<'a> Block<'a> {
    fn new(sweep: &Sweep<'a>, first: usize, width: usize, grids: Option<&Grids>) -> Self {
        let &Sweep {
            factor,
            pattern,
            storage,
        } = sweep;
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
            quantization: grids.map(|grids| grids.quantization),
            group_of: grids.map_or(Vec::new(), |grids| grids.group_of[first..first + width].to_vec()),
            starting: grids.map_or(Vec::new(), |grids| grids.starting(first, width)),
        }
    }
}

/// Sweeps one block, `w` [padded rows, columns to the end of the span] of which the first `block.width` are the block; writes the
/// block's errors, and spreads them over the rest of `w`. Returns ‖errors‖².
fn sweep_block(
    w: MatMut<f32>,
    errors: MatMut<f32>,
    grids: Option<&mut Grids>,
    rows: usize,
    block: &Block,
    control: &Control,
) -> Result<f64> {
    let limit = match block.pattern {
        Pattern::Sparsity(sparsity) if sparsity >= 1.0 => f32::INFINITY,
        Pattern::Sparsity(sparsity) => block_threshold(w.rb().subcols(0, block.width), rows, sparsity, block, control)?,
        Pattern::NofM { .. } => -1.0,
    };
    let u = block.factor.u();
    let sweep_panel = |((mut w, mut errors), mut grids): ((MatMut<f32>, MatMut<f32>), Option<GridsMut>)| {
        let mut group = Group::new(block.width);
        let mut squares = 0.0;
        for top in (0..w.nrows()).step_by(LANES) {
            let rows = w.rb().subrows(top, LANES);
            let mut grids = grids.as_mut().map(|grids| grids.lanes(top));
            if let (Some(quantization), Some(grids)) = (&block.quantization, &mut grids) {
                fit_starting(rows, block, quantization, grids, control)?;
            }
            group.load(rows);
            sweep_group(&mut group, grids.as_ref(), block, limit);
            store(w.rb_mut().subrows_mut(top, LANES), &group.w);
            store(errors.rb_mut().subrows_mut(top, LANES), &group.errors);
            squares += group.squares();
        }
        let (_, later) = w.split_at_col_mut(block.width);
        let after = block.first + block.width;
        let u = u.submatrix(block.first, after, block.width, later.ncols());
        subtract_product(later, errors.rb(), u);
        control.check()?;
        Ok(squares)
    };
    let count = w.nrows().div_ceil(PANEL);
    let grids: Vec<Option<GridsMut>> = match grids {
        Some(grids) => grids.panels(PANEL).into_iter().map(Some).collect(),
        None => (0..count).map(|_| None).collect(),
    };
    let panels = w.par_row_chunks_mut(PANEL).zip(errors.par_row_chunks_mut(PANEL));
    let squares: Vec<f64> = panels.zip(grids).map(sweep_panel).collect::<Result<_>>()?;
    Ok(squares.iter().sum())
}

/// The grids of the groups that start in the block, for `LANES` rows of which nothing in the block has been swept.
fn fit_starting(
    w: MatRef<f32>,
    block: &Block,
    quantization: &Quantization,
    grids: &mut GridsMut,
    control: &Control,
) -> Result<()> {
    let mut columns = Vec::new();
    for &(group, first, end) in &block.starting {
        gather(w, first..end, &mut columns);
        grids.set(group, &Grid::fit(&columns, quantization, control)?);
    }
    Ok(())
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
fn sweep_group(group: &mut Group, grids: Option<&GridsMut>, block: &Block, limit: f32) {
    if let Pattern::Sparsity(_) = block.pattern {
        for j in 0..block.width {
            saliencies(&group.w[j].0, block.diagonal[j], &mut group.scores[j].0);
            keep_above(&group.scores[j], limit, &mut group.keep[j]);
        }
    }
    match block.step {
        8 => sweep_steps::<8>(group, grids, block),
        4 => sweep_steps::<4>(group, grids, block),
        2 => sweep_steps::<2>(group, grids, block),
        _ => sweep_steps::<1>(group, grids, block),
    }
}

fn sweep_steps<const STEP: usize>(group: &mut Group, grids: Option<&GridsMut>, block: &Block) {
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
            finish_column(group, grids, block, j);
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

/// Replaces the weights of column `j` by what is stored of them, and sets their errors.
fn finish_column(group: &mut Group, grids: Option<&GridsMut>, block: &Block, j: usize) {
    let (w, keep, errors) = (&mut group.w[j], &group.keep[j], &mut group.errors[j]);
    match (&block.quantization, grids) {
        (Some(quantization), Some(grids)) => {
            let grid = grids.get(block.group_of[j] as usize);
            quantize_column(
                w,
                keep,
                &grid,
                quantization.most(),
                block.diagonal[j],
                block.storage,
                errors,
            );
        }
        _ => prune_column(w, keep, block.diagonal[j], block.storage, errors),
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
