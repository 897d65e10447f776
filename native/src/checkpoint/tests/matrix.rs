//! Weights that are held transposed, against the definition.

use super::Random;
use crate::checkpoint::transposed;
use crate::weights::storage::Storage;

/// Entry (col, row) of the result is entry (row, col), one after the other.
pub fn naive(bytes: &[u8], rows: usize, cols: usize, size: usize) -> Vec<u8> {
    let order = (0..cols).flat_map(|col| (0..rows).map(move |row| row * cols + col));
    order
        .flat_map(|at| bytes[at * size..(at + 1) * size].to_vec())
        .collect()
}

#[test]
fn every_shape_is_turned() {
    let mut random = Random(1);
    for rows in [0, 1, 2, 63, 64, 65, 130] {
        for cols in [0, 1, 3, 63, 64, 65, 200] {
            for storage in [Storage::F32, Storage::F16] {
                let bytes: Vec<u8> = (0..rows * cols * storage.size()).map(|_| random.next() as u8).collect();
                let turned = transposed(&bytes, rows, cols, storage);
                assert!(
                    turned == naive(&bytes, rows, cols, storage.size()),
                    "{rows} x {cols}, {storage:?}"
                );
            }
        }
    }
}
