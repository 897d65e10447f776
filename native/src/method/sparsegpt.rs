//! SparseGPT and OPTQ (method.md, section 3).

use super::compressed::Compressed;
use super::energy::{output_energy, read_live};
use super::factor::Factor;
use super::grids::Grids;
use super::sweep::{Sweep, sweep, work};
use super::target::Target;
use crate::backend::Backend;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::weights::columns::Columns;
use crate::weights::storage::Storage;
use crate::weights::weight::Weight;
use crate::weights::zeros::zeros;

/// Prunes a layer by SparseGPT and quantizes what is kept by OPTQ, in one sweep. Errors: `NotFinite` with the first row where the
/// result is not, `Cancelled`.
pub fn sparsegpt<B: Backend>(
    weight: Weight,
    factor: &Factor<B>,
    target: &Target,
    control: &Control,
) -> Result<Compressed> {
    assert_eq!(weight.cols, factor.cols, "the factor is that of the layer's input");
    let &Target {
        pattern,
        storage,
        quantization,
    } = target;
    control.begin(2 * work(weight.cols))?;
    let read = |row: usize, values: &mut [f32]| read_live(weight, factor, row, values);
    let energy = output_energy(weight.rows, factor, read, control)?;
    let backend = &factor.backend;
    let mut w = backend.upload(Columns::from_rows(weight.rows, weight.cols, read, control)?)?;
    let grids = quantization.map(|quantization| Grids::new(&w, weight.rows, factor, quantization, control));
    let mut grids = grids.transpose()?;
    let rule = Sweep {
        factor,
        pattern,
        storage,
    };
    let squares = sweep(&mut w, weight.rows, &rule, grids.as_mut(), control)?;
    let (compressed, distance) = finish(&backend.download(w, control)?, weight, factor, storage, control)?;
    // W - Q = Err U and U H Uᵀ = 1, so ‖Err‖² is the damped tr(Δ H Δᵀ).
    let error = (squares - factor.damping * distance) / energy;
    Ok(Compressed {
        error: Some(error),
        loss: Some(squares / 2.0),
        quantization: grids.map(|grids| grids.finish(factor, control)).transpose()?,
        ..compressed
    })
}

/// Writes the swept weights in their storage type. Returns them with ‖W - Q‖².
fn finish<B: Backend>(
    w: &Columns,
    weight: Weight,
    factor: &Factor<B>,
    storage: Storage,
    control: &Control,
) -> Result<(Compressed, f64)> {
    let (rows, cols) = (weight.rows, weight.cols);
    let row_bytes = cols * storage.size();
    let mut bytes = zeros(rows * row_bytes, control)?;
    let finish_group = |first: usize, values: &[f32], bytes: &mut [u8]| {
        for (row, bytes) in values.chunks(cols).zip(bytes.chunks_mut(row_bytes)) {
            match &factor.order {
                Some(order) => storage.encode(&in_natural_order(row, order), bytes),
                None => storage.encode(row, bytes),
            }
        }
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
            ..Compressed::default()
        },
        distance,
    ))
}

/// A row whose value j belongs to column `order[j]`.
fn in_natural_order(row: &[f32], order: &[u32]) -> Vec<f32> {
    let mut natural = vec![0f32; row.len()];
    row.iter()
        .zip(order)
        .for_each(|(&value, &col)| natural[col as usize] = value);
    natural
}
