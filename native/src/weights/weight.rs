//! A layer's weight as it lies in a checkpoint.

use super::storage::Storage;

/// A layer's weight [rows, cols] row-major, in the bytes of its checkpoint.
#[derive(Clone, Copy)]
pub struct Weight<'a> {
    pub rows: usize,
    pub cols: usize,
    pub storage: Storage,
    pub bytes: &'a [u8],
}

impl Weight<'_> {
    /// Decodes row `row` into `values` [cols].
    pub fn read_row(&self, row: usize, values: &mut [f32]) {
        let length = self.cols * self.storage.size();
        self.storage
            .decode(&self.bytes[row * length..(row + 1) * length], values);
    }
}
