//! The sweep on the GPU: weights column after column as `Columns` holds them, rows across threads.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::device::{Buffer, Gpu, Tasks};
use super::kernels::Kernel;
use super::mask::Mask;
use super::product::{Part, Product};
use super::select::{self, FOUND};
use super::triangle::Triangle;
use super::weights::{PIECES, Weights};
use crate::backend::Fits;
use crate::backend::sweep::{Block, Known, Pruned, SPAN, Span};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::quantization::{Quantization, range_shares};
use crate::weights::columns::{Columns, stride_of};
use crate::weights::lanes::LANES;
use crate::weights::storage::Storage;

/// Columns that a kernel sweeps, as in sweep.wgsl; so many neighbours a group of n:m may have.
pub const WIDTH: usize = 32;

pub fn code_of(storage: Storage) -> u32 {
    match storage {
        Storage::F32 => 0,
        Storage::F16 => 1,
        Storage::BF16 => 2,
    }
}

/// Scales and zero points of a layer that is being swept.
pub struct Grids {
    rows: usize,
    pub groups: usize,
    stride: usize,
    /// [2, groups, stride]
    pub values: Buffer,
    /// The group of each column.
    pub group_of: Buffer,
}

/// As in grid.wgsl.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct FitParams {
    stride: u32,
    groups: u32,
    most: f32,
    middle: f32,
    is_symmetric: u32,
    scales: u32,
    shares: u32,
    zero: u32,
    height: u32,
    is_masked: u32,
    padding: [u32; 2],
    share: [f32; 80],
}

impl Grids {
    pub fn new(gpu: &Gpu, rows: usize, groups: usize, group_of: &[u32]) -> Result<Self> {
        let stride = stride_of(rows);
        Ok(Self {
            rows,
            groups,
            stride,
            values: gpu.buffer(2 * groups * stride)?,
            group_of: gpu.buffer_of(group_of)?,
        })
    }

    /// Fits the grids of groups of columns of `w`; what `mask` does not keep counts as zero.
    pub fn fit(
        &self,
        gpu: &Gpu,
        w: &Weights,
        mask: Option<&Mask>,
        fits: Fits,
        quantization: &Quantization,
    ) -> Result<()> {
        let shares = range_shares(quantization.range);
        let mut params = FitParams {
            stride: w.stride() as u32,
            groups: self.groups as u32,
            most: quantization.most(),
            middle: quantization.middle(),
            is_symmetric: quantization.symmetric as u32,
            scales: code_of(quantization.scales),
            shares: shares.len() as u32,
            zero: 0,
            height: w.columns.height as u32,
            is_masked: mask.is_some() as u32,
            padding: [0; 2],
            share: [0.0; 80],
        };
        params.share[..shares.len()].copy_from_slice(&shares);
        let ranges: Vec<[u32; 4]> = (fits.groups)
            .iter()
            .map(|fit| [fit.group as u32, fit.first as u32, fit.end as u32, 0])
            .collect();
        let (members, ranges) = (gpu.buffer_of(fits.members)?, gpu.buffer_of(&ranges)?);
        let mut tasks = gpu.tasks();
        let groups = [w.padded / LANES, fits.groups.len(), 1];
        let mut pieces: Vec<&Buffer> = w.columns.pieces().map(|piece| piece.buffer).collect();
        // Those that it lacks are never read.
        pieces.resize(PIECES, pieces[0]);
        let mut buffers = vec![&self.values, pieces[0], &members, &ranges];
        buffers.extend(&pieces[1..]);
        buffers.push(mask.map_or(&members, |mask| &mask.words));
        tasks.add(Kernel::Fit, params, &buffers, groups);
        tasks.submit()
    }

    /// Scales and zero points [rows, groups].
    pub fn download(&self, gpu: &Gpu, control: &Control) -> Result<(Columns, Columns)> {
        let mut values = vec![0f32; 2 * self.groups * self.stride];
        gpu.read(&self.values, &mut values)?;
        let columns = |values: &[f32]| {
            let mut columns = Columns::zeros(self.rows, self.groups, control)?;
            columns.values_mut().copy_from_slice(values);
            Ok(columns)
        };
        let (scales, zeros) = values.split_at(self.groups * self.stride);
        Ok((columns(scales)?, columns(zeros)?))
    }
}

/// What a sweep keeps beside the weights.
pub struct Errors {
    /// The errors of a span's columns [span, stride].
    columns: Buffer,
    /// Σ err² of each row [blocks, stride], float32; their sum in float64 is the CPU's.
    squares: Buffer,
    /// Values of `squares`.
    len: usize,
    /// Blocks swept so far.
    blocks: usize,
    /// Scores of a block [width, stride], and what the selection finds.
    scores: Buffer,
    found: Buffer,
    /// U_jj of all columns.
    diagonal: Buffer,
}

/// As in sweep.wgsl.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct SweepParams {
    cols: u32,
    stride: u32,
    w_top: u32,
    u_top: u32,
    first: u32,
    width: u32,
    block: u32,
    span: u32,
    pruned: u32,
    n: u32,
    m: u32,
    storage: u32,
    most: f32,
    groups: u32,
    squares: u32,
    zero: u32,
}

/// The largest width of a block that a GPU sweeps: that of n:m with m up to `WIDTH`, or 128.
const WIDEST: usize = 128;
/// Columns to each of which a row has a sum of squares: blocks are at least half as wide as the widest.
pub const SUMMED: usize = WIDEST / 2;

impl Errors {
    pub fn new(gpu: &Gpu, w: &Weights, span: usize, u_diagonal: &[f32]) -> Result<Self> {
        let len = w.cols().div_ceil(SUMMED) * w.stride();
        Ok(Self {
            columns: gpu.buffer(span * w.stride())?,
            squares: gpu.buffer(len)?,
            len,
            blocks: 0,
            scores: gpu.buffer(WIDEST.min(w.cols()) * w.stride())?,
            found: gpu.buffer(FOUND)?,
            diagonal: gpu.buffer_of(u_diagonal)?,
        })
    }

    pub fn squares(&self, gpu: &Gpu) -> Result<f64> {
        let mut squares = vec![0f32; self.len];
        gpu.read(&self.squares, &mut squares)?;
        Ok(squares.iter().map(|&square| square as f64).sum())
    }
}

/// Sweeps one block of columns and spreads its errors up to its reach. Errors: `GpuPattern`; `GpuTooLarge` of groups that may lie
/// in two pieces of a matrix.
pub fn sweep_block(
    gpu: &Gpu,
    w: &Weights,
    u: &Triangle,
    errors: &mut Errors,
    known: Known<Grids, Mask>,
    block: &Block,
) -> Result<()> {
    let Known { grids, mask } = known;
    let mut tasks = gpu.tasks();
    let (pruned, n, m) = match block.pruned {
        Pruned::Nothing => (0, 0, 1),
        Pruned::All => (1, 0, 1),
        Pruned::UpToRank(rank) => {
            select(&mut tasks, w, errors, block, rank);
            (2, 0, 1)
        }
        Pruned::NofM { m, .. } if m > WIDTH => return Err(Error::GpuPattern { m, limit: WIDTH }),
        Pruned::NofM { m, .. } if !SPAN.is_multiple_of(m) && (u.0.is_split() || w.columns.is_split()) => {
            return Err(gpu.too_large(u.0.size().max(w.columns.size())));
        }
        Pruned::NofM { n, m } => (3, n, m),
        Pruned::Masked => (4, 0, 1),
    };
    let found = mask.map_or(&errors.found, |mask| &mask.words);
    let end = block.first + block.width;
    let (columns, rows) = (w.columns.holding(block.first..end), u.0.holding(block.first..end));
    // Groups of m begin where a kernel's columns do.
    let step = WIDTH / m * m;
    for first in (block.first..end).step_by(step) {
        let params = SweepParams {
            cols: w.cols() as u32,
            stride: w.stride() as u32,
            w_top: columns.top as u32,
            u_top: rows.top as u32,
            first: first as u32,
            width: step.min(end - first) as u32,
            block: block.first as u32,
            span: block.span as u32,
            pruned,
            n: n as u32,
            m: m as u32,
            storage: code_of(block.storage),
            most: block.quantization.map_or(0.0, |quantization| quantization.most()),
            groups: grids.map_or(0, |grids| grids.groups) as u32,
            squares: (errors.blocks * w.stride()) as u32,
            zero: 0,
        };
        let mut buffers = vec![
            columns.buffer,
            &errors.columns,
            &errors.squares,
            rows.buffer,
            &errors.scores,
            found,
        ];
        buffers.extend(grids.iter().flat_map(|grids| [&grids.values, &grids.group_of]));
        let is_quantized = grids.is_some();
        tasks.add(
            Kernel::Sweep { is_quantized },
            params,
            &buffers,
            [w.padded / LANES, 1, 1],
        );
    }
    errors.blocks += 1;
    let first = block.first - block.span;
    subtract_errors(&mut tasks, w, u, errors, first, block.first..end, end..block.reach);
    tasks.submit()
}

/// Spreads the errors of a span over all columns from its reach on.
pub fn spread(gpu: &Gpu, w: &Weights, u: &Triangle, errors: &Errors, span: &Span) -> Result<()> {
    let mut tasks = gpu.tasks();
    let later = span.reach..w.cols();
    subtract_errors(&mut tasks, w, u, errors, 0, span.first..span.end, later);
    tasks.submit()
}

/// `W[:, later] -= Err U[columns, later]`, the errors of `columns` being the kept ones from `first` on.
fn subtract_errors(
    tasks: &mut Tasks,
    w: &Weights,
    u: &Triangle,
    errors: &Errors,
    first: usize,
    columns: Range<usize>,
    later: Range<usize>,
) {
    for piece in w.columns.cut(later) {
        let product = Product {
            m: piece.lines.len(),
            n: w.padded,
            k: columns.len(),
            a: u.0.part(columns.start, piece.lines.start),
            b: Part::new(&errors.columns, first * w.stride(), w.stride()),
            c: w.columns.part(piece.lines.start, 0),
            alpha: -1.0,
            accumulate: true,
            is_upper: false,
            is_b_upper: false,
        };
        product.add_to(tasks);
    }
}

/// Scores the block's weights and finds the score of a rank.
fn select(tasks: &mut Tasks, w: &Weights, errors: &Errors, block: &Block, rank: usize) {
    let columns = w.columns.holding(block.first..block.first + block.width);
    let params = select::Params {
        w_top: columns.top as u32,
        first: block.first as u32,
        width: block.width as u32,
        rank: rank as u32,
        ..select::Params::of(w)
    };
    let groups = [w.padded / LANES, block.width, 1];
    let buffers = [&errors.found, &errors.scores, columns.buffer, &errors.diagonal];
    tasks.add(Kernel::Score, params, &buffers, groups);
    select::find(tasks, &errors.found, params, &[(&errors.scores, block.width)]);
}
