//! The energies of a layer's output, by which all methods' errors are measured.

use super::compressed::Compressed;
use super::factor::Factor;
use super::mask::Pattern;
use super::sweep::{Selection, Sweep, sweep};
use crate::backend::Backend;
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::Columns;
use crate::weights::storage::Storage;
use crate::weights::weight::Weight;

/// Row `row` of a weight as all methods see it: columns in the factor's order, zero where the input is dead.
pub fn read_live<B: Backend>(weight: Weight, factor: &Factor<B>, row: usize, values: &mut [f32]) {
    let live = |col: usize, value: f32| if factor.is_dead(col) { 0.0 } else { value };
    let Some(order) = &factor.order else {
        weight.read_row(row, values);
        values
            .iter_mut()
            .enumerate()
            .for_each(|(col, value)| *value = live(col, *value));
        return;
    };
    let mut natural = vec![0f32; weight.cols];
    weight.read_row(row, &mut natural);
    for (value, &col) in values.iter_mut().zip(order) {
        *value = live(col as usize, natural[col as usize]);
    }
}

/// Row `row` of W - Q, as `read_live` reads either.
pub fn read_difference<B: Backend>(
    weight: Weight,
    compressed: &Compressed,
    factor: &Factor<B>,
    row: usize,
    values: &mut [f32],
) {
    let mut stored = vec![0f32; values.len()];
    read_live(weight, factor, row, values);
    read_live(compressed.as_weight(), factor, row, &mut stored);
    values.iter_mut().zip(&stored).for_each(|(w, q)| *w -= q);
}

/// tr(W H Wᵀ), H undamped, of a matrix W [rows, factor.cols] that is read row by row as by `read_live`: the energy that it
/// gives the layer's output over the calibration tokens. It is the squared error of a sweep that prunes everything.
pub fn output_energy<B: Backend>(
    rows: usize,
    factor: &Factor<B>,
    read: impl Fn(usize, &mut [f32]) + Sync,
    control: &Control,
) -> Result<f64> {
    let w = Columns::from_rows(rows, factor.cols, read, control)?;
    let distance = w.squares();
    energy_of(factor.backend.upload(w)?, rows, distance, factor, control)
}

/// The same of a matrix that is there, ‖W‖² = `distance`.
pub fn energy_of<B: Backend>(
    mut w: B::Weights,
    rows: usize,
    distance: f64,
    factor: &Factor<B>,
    control: &Control,
) -> Result<f64> {
    let everything = Sweep {
        factor,
        selection: Selection::Pattern(Pattern::Sparsity(1.0)),
        storage: Storage::F32,
    };
    let squares = sweep(&mut w, rows, &everything, None, control)?;
    Ok(squares - factor.damping * distance)
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
    let read = |row: usize, values: &mut [f32]| read_difference(weight, &compressed, factor, row, values);
    let lost = output_energy(weight.rows, factor, read, control)?;
    Ok(Compressed {
        error: Some(lost / dense),
        ..compressed
    })
}
