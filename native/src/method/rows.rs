//! Pruning and rounding row by row, where no weight changes another: what Wanda and magnitude do with their masks. It takes no
//! matrices, so it is done on the CPU whatever the backend.

use rayon::prelude::*;

use super::compressed::{Compressed, Quantized};
use super::factor::Factor;
use super::target::Target;
use crate::backend::Backend;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::quantization::Quantization;
use crate::quantization::grid::{Grid, quantize};
use crate::weights::lanes::{LANES, Lanes};
use crate::weights::weight::Weight;
use crate::weights::zeros::zeros;

/// Zeroes the weights that `mark(row's values, marks)` marks in each row, and rounds the others to the target's type or quantizes
/// them to the nearest code; what is quantized is zero in columns that the factor calls dead.
/// Errors: `NotFinite` with the first row that is not, `Cancelled`.
pub fn prune_rows<B: Backend>(
    weight: Weight,
    factor: Option<&Factor<B>>,
    target: &Target,
    mark: impl Fn(&[f32], &mut [bool]) + Sync,
    control: &Control,
) -> Result<Compressed> {
    let (rows, cols, storage) = (weight.rows, weight.cols, target.storage);
    let mut bytes = zeros(rows * cols * storage.size(), control)?;
    let prune_group = |(group, bytes): (usize, &mut [u8])| {
        let first = group * LANES;
        let count = LANES.min(rows - first);
        let (mut values, mut marks) = (vec![0f32; count * cols], vec![false; count * cols]);
        for (i, (values, marks)) in values.chunks_mut(cols).zip(marks.chunks_mut(cols)).enumerate() {
            control.check()?;
            weight.read_row(first + i, values);
            mark(values, marks);
        }
        let mut grids = Vec::new();
        if let Some(quantization) = &target.quantization {
            if let Some(factor) = factor {
                clear_dead(&mut values, factor);
            }
            grids = quantize_rows(&mut values, cols, quantization, control)?;
        }
        for (value, &mark) in values.iter_mut().zip(&marks) {
            *value = if mark { 0.0 } else { storage.round(*value) };
        }
        storage.encode(&values, bytes);
        let zeros = values.iter().filter(|&&value| value == 0.0).count();
        let bad = values.iter().position(|value| !value.is_finite());
        Ok((zeros, bad.map(|index| first + index / cols), grids))
    };
    let groups = bytes.par_chunks_mut(LANES * cols * storage.size()).enumerate();
    let groups: Vec<(usize, Option<usize>, Vec<Grid>)> = groups.map(prune_group).collect::<Result<_>>()?;
    if let Some(row) = groups.iter().find_map(|group| group.1) {
        return Err(Error::NotFinite { row });
    }
    let zeros = groups.iter().map(|group| group.0).sum();
    let quantization = target.quantization.map(|quantization| {
        let grids = groups.iter().map(|group| &group.2[..]);
        Quantized::from_grids(quantization, rows, grids)
    });
    Ok(Compressed {
        rows,
        cols,
        storage,
        bytes,
        zeros,
        quantization,
        ..Compressed::default()
    })
}

/// Zeroes the dead columns of `rows` [rows, factor.cols].
fn clear_dead<B: Backend>(rows: &mut [f32], factor: &Factor<B>) {
    for row in rows.chunks_mut(factor.cols) {
        let columns = row.iter_mut().enumerate();
        columns
            .filter(|&(col, _)| factor.is_dead(col))
            .for_each(|(_, value)| *value = 0.0);
    }
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
