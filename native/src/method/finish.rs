//! What a method ends with: its weights in the type that they are stored in.

use super::compressed::Compressed;
use super::energy::read_live;
use super::factor::Factor;
use crate::backend::Backend;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::weights::columns::Columns;
use crate::weights::storage::Storage;
use crate::weights::weight::Weight;
use crate::weights::zeros::zeros;

/// Writes weights, columns in the factor's order, in their storage type. Returns them with ‖W - Q‖². Errors: `NotFinite` with the
/// first row that is not, `Cancelled`.
pub fn finish<B: Backend>(
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
