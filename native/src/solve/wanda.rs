//! Wanda (arXiv 2306.11695): prune by |w| times the norm of its input, row by row, and change nothing else.

use rayon::prelude::*;

use super::mask::{Pattern, mark_row};
use super::sparsegpt::{output_energy, read_live};
use super::sweep::work;
use super::weight::{Compressed, Storage, Weight};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::buffer::zeros;
use crate::linalg::factor::Factor;

/// Prunes a layer by Wanda: in each row the floor(sparsity * cols) lowest scores, or n of every m. Errors: `NotFinite`, `Cancelled`.
pub fn wanda(
    weight: Weight,
    factor: &Factor,
    pattern: Pattern,
    storage: Storage,
    control: &Control,
) -> Result<Compressed> {
    assert_eq!(weight.cols, factor.cols, "the factor is that of the layer's input");
    control.begin(2 * work(weight.cols))?;
    // ‖X_j‖ up to a factor that is the same for all columns.
    let norms: Vec<f32> = factor.hessian_diagonal.iter().map(|h| h.sqrt()).collect();
    let mark = |values: &[f32], marks: &mut [bool]| {
        let scores: Vec<f32> = values.iter().zip(&norms).map(|(w, norm)| w.abs() * norm).collect();
        mark_row(pattern, &scores, &mut Vec::new(), marks);
    };
    with_error(prune_rows(weight, storage, mark, control)?, weight, factor, control)
}

/// Zeroes the weights that `mark(row's values, marks)` marks in each row and rounds the others to `storage`.
/// Errors: `NotFinite` with the first row that is not, `Cancelled`.
pub fn prune_rows(
    weight: Weight,
    storage: Storage,
    mark: impl Fn(&[f32], &mut [bool]) + Sync,
    control: &Control,
) -> Result<Compressed> {
    let (rows, cols) = (weight.rows, weight.cols);
    let mut bytes = zeros(rows * cols * storage.size(), control)?;
    let prune_row = |(row, bytes): (usize, &mut [u8])| {
        control.check()?;
        let (mut values, mut marks) = (vec![0f32; cols], vec![false; cols]);
        weight.read_row(row, &mut values);
        mark(&values, &mut marks);
        for (value, &mark) in values.iter_mut().zip(&marks) {
            *value = if mark { 0.0 } else { storage.round(*value) };
        }
        storage.encode(&values, bytes);
        let zeros = values.iter().filter(|&&value| value == 0.0).count();
        Ok((zeros, values.iter().all(|value| value.is_finite())))
    };
    let counted = bytes.par_chunks_mut(cols * storage.size()).enumerate().map(prune_row);
    let counted: Vec<(usize, bool)> = counted.collect::<Result<_>>()?;
    if let Some(row) = counted.iter().position(|&(_, finite)| !finite) {
        return Err(Error::NotFinite { row });
    }
    let zeros = counted.iter().map(|&(zeros, _)| zeros).sum();
    Ok(Compressed {
        rows,
        cols,
        storage,
        bytes,
        zeros,
        error: None,
        loss: None,
    })
}

/// Adds the relative error of the layer's output to a compressed layer that was made without one.
pub fn with_error(compressed: Compressed, weight: Weight, factor: &Factor, control: &Control) -> Result<Compressed> {
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
