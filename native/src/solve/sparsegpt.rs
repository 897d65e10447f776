//! SparseGPT (method.md, section 3), and the energies that all methods' errors are measured by.

use super::mask::Pattern;
use super::sweep::{Columns, sweep, work};
use super::weight::{Compressed, Storage, Weight};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::linalg::buffer::zeros;
use crate::linalg::factor::Factor;

/// Prunes a layer by SparseGPT. Errors: `NotFinite` with the first row where the result is not, `Cancelled`.
pub fn sparsegpt(
    weight: Weight,
    factor: &Factor,
    pattern: Pattern,
    storage: Storage,
    control: &Control,
) -> Result<Compressed> {
    assert_eq!(weight.cols, factor.cols, "the factor is that of the layer's input");
    control.begin(2 * work(weight.cols))?;
    let read = |row: usize, values: &mut [f32]| read_live(weight, factor, row, values);
    let energy = output_energy(weight.rows, factor, read, control)?;
    let mut w = Columns::from_rows(weight.rows, weight.cols, read, control)?;
    let squares = sweep(&mut w, factor, pattern, storage, control)?;
    let (compressed, distance) = finish(&w, weight, factor, storage, control)?;
    // W - Q = Err U and U H Uᵀ = 1, so ‖Err‖² is the damped tr(Δ H Δᵀ).
    let error = (squares - factor.damping * distance) / energy;
    Ok(Compressed {
        error: Some(error),
        loss: Some(squares / 2.0),
        ..compressed
    })
}

/// Row `row` of a weight as all methods see it: zero where the input is dead.
pub fn read_live(weight: Weight, factor: &Factor, row: usize, values: &mut [f32]) {
    weight.read_row(row, values);
    for (col, value) in values.iter_mut().enumerate() {
        if factor.is_dead(col) {
            *value = 0.0;
        }
    }
}

/// tr(W H Wᵀ), H undamped, of a matrix W [rows, factor.cols] that is read row by row and zero in dead columns: the energy that it
/// gives the layer's output over the calibration tokens. It is the squared error of a sweep that prunes everything.
pub fn output_energy(
    rows: usize,
    factor: &Factor,
    read: impl Fn(usize, &mut [f32]) + Sync,
    control: &Control,
) -> Result<f64> {
    let mut w = Columns::from_rows(rows, factor.cols, read, control)?;
    let distance = w.squares();
    let squares = sweep(&mut w, factor, Pattern::Sparsity(1.0), Storage::F32, control)?;
    Ok(squares - factor.damping * distance)
}

/// Writes the swept weights in their storage type. Returns them with ‖W - Q‖².
fn finish(
    w: &Columns,
    weight: Weight,
    factor: &Factor,
    storage: Storage,
    control: &Control,
) -> Result<(Compressed, f64)> {
    let (rows, cols) = (weight.rows, weight.cols);
    let row_bytes = cols * storage.size();
    let mut bytes = zeros(rows * row_bytes, control)?;
    let finish_group = |first: usize, values: &[f32], bytes: &mut [u8]| {
        storage.encode(values, bytes);
        let mut original = vec![0f32; cols];
        let (mut zeros, mut distance, mut bad) = (0, 0.0, None);
        for (i, row) in values.chunks(cols).enumerate() {
            read_live(weight, factor, first + i, &mut original);
            for (&q, &w) in row.iter().zip(&original) {
                zeros += (q == 0.0) as usize;
                distance += (w as f64 - q as f64) * (w as f64 - q as f64);
            }
            bad = bad.or_else(|| row.iter().any(|q| !q.is_finite()).then_some(first + i));
        }
        (zeros, distance, bad)
    };
    let groups = w.map_rows(&mut bytes, row_bytes, finish_group, control)?;
    if let Some(row) = groups.iter().find_map(|group| group.2) {
        return Err(Error::NotFinite { row });
    }
    let zeros = groups.iter().map(|group| group.0).sum();
    let distance = groups.iter().map(|group| group.1).sum();
    Ok((
        Compressed {
            rows,
            cols,
            storage,
            bytes,
            zeros,
            error: None,
            loss: None,
        },
        distance,
    ))
}
