//! Memory that begins as zeros.

use rayon::prelude::*;

use crate::control::Control;
use crate::error::Result;

/// `len` zeros, written piece by piece on all threads: the first touch of a gigabyte takes seconds on some machines, in which a task
/// must still be able to stop. Error: `Cancelled`.
pub fn zeros<T: Copy + Default + Send>(len: usize, control: &Control) -> Result<Vec<T>> {
    let mut values: Vec<T> = Vec::with_capacity(len);
    values.spare_capacity_mut()[..len]
        .par_chunks_mut(1 << 16)
        .try_for_each(|piece| {
            piece.iter_mut().for_each(|value| {
                value.write(T::default());
            });
            control.check()
        })?;
    // SAFETY: every one of them has been written.
    unsafe { values.set_len(len) };
    Ok(values)
}
