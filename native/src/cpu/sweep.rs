//! The sweep of a block of columns on the CPU.

use faer::prelude::{MatMut, MatRef, Reborrow, ReborrowMut};
use rayon::prelude::*;

use super::grids::GridColumns;
use super::lanes::{Codes, Keep, count_before, keep_above, prune_column, quantize_column, saliencies, subtract_errors};
use super::mask::Mask;
use super::product::subtract_product;
use crate::backend::sweep::{Block, Known, Pruned, Span};
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::{Columns, column, column_mut};
use crate::weights::lanes::{LANES, Lanes};
use crate::weights::selection::nth_smallest;

/// Rows of a task inside a block.
const PANEL: usize = 128;
/// Rows and columns of a task in the product after a span.
const TILE: usize = 512;
/// Columns whose errors are spread over the block at once.
const STEP: usize = 8;

/// The errors of a span's columns [rows, span], and the sum of the squares of all so far.
pub struct Errors {
    pub columns: Columns,
    pub squares: f64,
}

/// Spreads the errors of a span over all columns from its `reach` on, tile by tile. Error: `Cancelled`.
pub fn spread(w: &mut Columns, u: MatRef<f32>, errors: &Errors, span: &Span, control: &Control) -> Result<()> {
    let cols = w.cols;
    let errors = errors.columns.view().subcols(0, span.end - span.first);
    let u = u.submatrix(span.first, span.reach, span.end - span.first, cols - span.reach);
    let later = w.view_mut().subcols_mut(span.reach, cols - span.reach);
    later.par_col_chunks_mut(TILE).enumerate().try_for_each(|(j, w)| {
        let u = u.subcols(j * TILE, w.ncols());
        w.par_row_chunks_mut(TILE).enumerate().try_for_each(|(i, w)| {
            let errors = errors.subrows(i * TILE, w.nrows());
            subtract_product(w, errors, u);
            control.check()
        })
    })
}

/// U of a block's columns, laid out for steps of several rows together.
struct Corner<'a> {
    block: &'a Block<'a>,
    /// [width / step, width, step]
    u: Vec<f32>,
    step: usize,
}

impl<'a> Corner<'a> {
    fn new(block: &'a Block, u: MatRef<f32>) -> Self {
        let &Block { first, width, .. } = block;
        let step = match block.pruned {
            // A group of m starts where a step does: there its weights are up to date.
            Pruned::NofM { m, .. } => STEP.min(1 << m.trailing_zeros()),
            _ => STEP,
        };
        let view = u.submatrix(first, first, width, width);
        let mut u = vec![0f32; width.next_multiple_of(step) * width];
        for j in 0..width {
            for k in j..width {
                u[(j / step * width + k) * step + j % step] = view[(j, k)];
            }
        }
        Self { block, u, step }
    }
}

/// Sweeps one block of `w` [rows, cols]: writes its errors, adds up their squares, and spreads them over the columns from the block's
/// end to its reach. Error: `Cancelled`.
pub fn sweep_block(
    w: &mut Columns,
    u: MatRef<f32>,
    errors: &mut Errors,
    known: Known<GridColumns, Mask>,
    block: &Block,
    control: &Control,
) -> Result<()> {
    let &Block {
        first, width, reach, ..
    } = block;
    let limit = match block.pruned {
        Pruned::All => f32::INFINITY,
        Pruned::UpToRank(rank) => block_threshold(w, rank, block, control)?,
        Pruned::Nothing | Pruned::NofM { .. } | Pruned::Masked => -1.0,
    };
    let corner = Corner::new(block, u);
    let u = u.submatrix(first, first + width, width, reach - first - width);
    let sweep_panel = |(i, (mut w, mut errors)): (usize, (MatMut<f32>, MatMut<f32>))| {
        let mut group = Group::new(width);
        let mut squares = 0.0;
        for top in (0..w.nrows()).step_by(LANES) {
            group.load(w.rb().subrows(top, LANES));
            if let Some(mask) = known.mask {
                let columns = group.keep.iter_mut().enumerate();
                columns.for_each(|(j, keep)| *keep = mask.get(first + j, i * PANEL + top));
            }
            let grids = known.grids.map(|grids| (grids, i * PANEL + top));
            sweep_group(&mut group, grids, &corner, limit);
            store(w.rb_mut().subrows_mut(top, LANES), &group.w);
            store(errors.rb_mut().subrows_mut(top, LANES), &group.errors);
            squares += group.squares();
        }
        let (_, later) = w.split_at_col_mut(width);
        subtract_product(later, errors.rb(), u);
        control.check()?;
        Ok(squares)
    };
    let w = w.view_mut().subcols_mut(first, reach - first);
    let columns = errors.columns.view_mut().subcols_mut(first - block.span, width);
    let panels = w.par_row_chunks_mut(PANEL).zip(columns.par_row_chunks_mut(PANEL));
    let squares: Vec<f64> = panels.enumerate().map(sweep_panel).collect::<Result<_>>()?;
    errors.squares += squares.iter().sum::<f64>();
    Ok(())
}

/// The score up to which the block's weights are pruned, by the saliency w² / U_jj².
fn block_threshold(w: &Columns, rank: usize, block: &Block, control: &Control) -> Result<f32> {
    let rows = w.rows;
    nth_smallest(rank, rows.div_ceil(PANEL), |panel, sink| {
        let top = panel * PANEL;
        let height = PANEL.min(rows - top);
        let mut scores = [0f32; PANEL];
        for (j, &diagonal) in block.diagonal.iter().enumerate() {
            let column = column(w.view(), block.first + j, top, height);
            saliencies(column, diagonal, &mut scores[..height]);
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

/// The grids of all rows, and the first row of a group.
type GroupGrids<'a> = Option<(&'a GridColumns, usize)>;

/// Sweeps one group of rows over the columns of a block, pruning what scores `limit` or less (or n of every m).
fn sweep_group(group: &mut Group, grids: GroupGrids, corner: &Corner, limit: f32) {
    let block = corner.block;
    if !matches!(block.pruned, Pruned::NofM { .. } | Pruned::Masked) {
        for j in 0..block.width {
            saliencies(&group.w[j].0, block.diagonal[j], &mut group.scores[j].0);
            keep_above(&group.scores[j], limit, &mut group.keep[j]);
        }
    }
    match corner.step {
        8 => sweep_steps::<8>(group, grids, corner),
        4 => sweep_steps::<4>(group, grids, corner),
        2 => sweep_steps::<2>(group, grids, corner),
        _ => sweep_steps::<1>(group, grids, corner),
    }
}

fn sweep_steps<const STEP: usize>(group: &mut Group, grids: GroupGrids, corner: &Corner) {
    let block = corner.block;
    let width = block.width;
    for (step, u) in corner.u.chunks(width * STEP).enumerate() {
        let u = u.as_chunks::<STEP>().0;
        let first = step * STEP;
        let last = (first + STEP).min(width);
        if let Pruned::NofM { n, m } = block.pruned
            && first.is_multiple_of(m)
        {
            keep_largest(group, block.diagonal, first, (first + m).min(width), n);
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
fn finish_column(group: &mut Group, grids: GroupGrids, block: &Block, j: usize) {
    let (w, keep, errors) = (&mut group.w[j], &group.keep[j], &mut group.errors[j]);
    match (&block.quantization, grids) {
        (Some(quantization), Some((grids, top))) => {
            let grid = grids.get(grids.group_of[block.first + j] as usize, top);
            let codes = Codes {
                grid: &grid,
                most: quantization.most(),
                storage: block.storage,
            };
            quantize_column(w, keep, &codes, block.diagonal[j], errors);
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
