//! Wanda (arXiv 2306.11695): prune by |w| times the norm of its input, row by row, and change nothing else.

use rayon::prelude::*;

use crate::backend::Backend;
use crate::control::Control;
use crate::cpu::lanes::Grid;
use crate::cpu::lanes::LANES;
use crate::error::{Error, Result};
use crate::method::factor::Factor;
use crate::method::grids::quantize_rows;
use crate::method::mask::mark_row;
use crate::method::sparsegpt::{output_energy, read_live};
use crate::method::sweep::work;
use crate::method::target::Target;
use crate::quantization::Quantized;
use crate::weights::weight::{Compressed, Weight};
use crate::weights::zeros::zeros;

/// Prunes a layer by Wanda: in each row the floor(sparsity * cols) lowest scores, or n of every m. Errors: `NotFinite`, `Cancelled`.
pub fn wanda<B: Backend>(weight: Weight, factor: &Factor<B>, target: &Target, control: &Control) -> Result<Compressed> {
    assert_eq!(weight.cols, factor.cols, "the factor is that of the layer's input");
    control.begin(2 * work(weight.cols))?;
    // ‖X_j‖ up to a factor that is the same for all columns.
    let norms: Vec<f32> = factor.hessian_diagonal.iter().map(|h| h.sqrt()).collect();
    let mark = |values: &[f32], marks: &mut [bool]| {
        let scores: Vec<f32> = values.iter().zip(&norms).map(|(w, norm)| w.abs() * norm).collect();
        mark_row(target.pattern, &scores, &mut Vec::new(), marks);
    };
    let pruned = prune_rows(weight, Some(factor), target, mark, control)?;
    with_error(pruned, weight, factor, control)
}

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

/// Adds the relative error of the layer's output to a compressed layer that was made without one.
pub fn with_error<B: Backend>(
    compressed: Compressed,
    weight: Weight,
    factor: &Factor<B>,
    control: &Control,
) -> Result<Compressed> {
    let dense = output_energy(
        weight.rows,
        factor,
        |row, values| read_live(weight, factor, row, values),
        control,
    )?;
    let read_difference = |row: usize, values: &mut [f32]| {
        let mut stored = vec![0f32; values.len()];
        read_live(weight, factor, row, values);
        read_live(compressed.as_weight(), factor, row, &mut stored);
        values.iter_mut().zip(&stored).for_each(|(w, q)| *w -= q);
    };
    let lost = output_energy(weight.rows, factor, read_difference, control)?;
    Ok(Compressed {
        error: Some(lost / dense),
        ..compressed
    })
}
