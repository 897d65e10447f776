//! Counts of a layer's saliencies by their bits: integers, so that nothing depends on the order of counting.

use bytemuck::{Pod, Zeroable};

use super::device::{Buffer, Gpu};
use super::kernels::Kernel;
use super::weights::Weights;
use crate::backend::histogram::{BIN_VALUES, BINS, Histogram};
use crate::error::Result;

/// Columns that a workgroup counts, as in saliency.wgsl.
const COUNTED: usize = 16;

/// As in saliency.wgsl.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Params {
    rows: u32,
    top: u32,
    cols: u32,
    stride: u32,
    is_second: u32,
}

fn count(gpu: &Gpu, w: &Weights, u_diagonal: &[f32], counts: &Buffer, wanted: Option<&[u32]>) -> Result<()> {
    let is_second = wanted.is_some() as u32;
    let diagonal = gpu.buffer_of(u_diagonal)?;
    let wanted = gpu.buffer_of(wanted.unwrap_or(&[0]))?;
    let mut tasks = gpu.tasks();
    for piece in w.columns.pieces() {
        let cols = piece.lines.len();
        let params = Params {
            rows: w.rows as u32,
            top: piece.top as u32,
            cols: cols as u32,
            stride: w.stride() as u32,
            is_second,
        };
        let groups = [w.rows.div_ceil(256), cols.div_ceil(COUNTED), 1];
        let buffers = [counts, piece.buffer, &diagonal, &wanted];
        tasks.add(Kernel::CountSaliencies, params, &buffers, groups);
    }
    tasks.submit()
}

/// The histogram of W² / U_jj²; its sums are exact but for their last rounding.
pub fn histogram(gpu: &Gpu, w: &Weights, u_diagonal: &[f32]) -> Result<Histogram> {
    let counts = gpu.buffer(3 * BINS)?;
    count(gpu, w, u_diagonal, &counts, None)?;
    let mut found = vec![0u32; 3 * BINS];
    gpu.read(&counts, &mut found)?;
    let sum_of = |bin: usize| {
        let count = found[bin];
        if count == 0 {
            return 0.0;
        }
        let rest = (found[2 * BINS + bin] as u64) << 32 | found[BINS + bin] as u64;
        let first = f32::from_bits((bin * BIN_VALUES) as u32);
        let step = f32::from_bits((bin * BIN_VALUES) as u32 + 1) as f64 - first as f64;
        count as f64 * first as f64 + rest as f64 * step
    };
    Ok(Histogram {
        counts: found[..BINS].iter().map(|&count| count as u64).collect(),
        sums: (0..BINS).map(sum_of).collect(),
    })
}

/// The bits of all saliencies in the bins that are `wanted` [bins], ascending.
pub fn members(gpu: &Gpu, w: &Weights, u_diagonal: &[f32], wanted: &[bool]) -> Result<Vec<u32>> {
    let bins: Vec<usize> = (0..BINS).filter(|&bin| wanted[bin]).collect();
    let mut places = vec![0u32; BINS];
    bins.iter().zip(1..).for_each(|(&bin, place)| places[bin] = place);
    let counts = gpu.buffer(bins.len() * BIN_VALUES)?;
    count(gpu, w, u_diagonal, &counts, Some(&places))?;
    let mut found = vec![0u32; bins.len() * BIN_VALUES];
    gpu.read(&counts, &mut found)?;
    let of_bin = |(counts, &bin): (&[u32], &usize)| {
        let values = counts.iter().zip((bin * BIN_VALUES) as u32..);
        values
            .flat_map(|(&count, bits)| std::iter::repeat_n(bits, count as usize))
            .collect::<Vec<u32>>()
    };
    Ok(found.chunks(BIN_VALUES).zip(&bins).flat_map(of_bin).collect())
}
