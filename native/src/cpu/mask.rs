//! Which weights of a layer are zero, a bit for each of `LANES` rows.

use rayon::prelude::*;

use super::lanes::Keep;
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::{Columns, column};
use crate::weights::lanes::{LANES, Lanes};

/// Which weights are zero, column after column in each group of `LANES` rows.
pub struct Mask {
    cols: usize,
    /// All groups' [cols], one after the other: a bit is set where the weight is not zero.
    kept: Vec<u64>,
}

impl Mask {
    pub fn zeros_of(w: &Columns, control: &Control) -> Result<Self> {
        let cols = w.cols;
        let mut kept = vec![0u64; w.rows.div_ceil(LANES) * cols];
        kept.par_chunks_mut(cols).enumerate().try_for_each(|(group, kept)| {
            for (j, bits) in kept.iter_mut().enumerate() {
                let values = column(w.view(), j, group * LANES, LANES).iter().enumerate();
                *bits = values.fold(0, |bits, (lane, &w)| bits | u64::from(w != 0.0) << lane);
            }
            control.check()
        })?;
        Ok(Self { cols, kept })
    }

    /// Of column `j` in the group of rows from `top` on, one word for each row.
    pub fn get(&self, j: usize, top: usize) -> Keep {
        let bits = self.kept[top / LANES * self.cols + j];
        std::array::from_fn(|lane| if bits >> lane & 1 == 1 { !0 } else { 0 })
    }

    /// Zeroes what is zero in column `j`.
    pub fn apply(&self, j: usize, top: usize, values: &mut Lanes) {
        let keep = self.get(j, top);
        (values.0.iter_mut().zip(keep)).for_each(|(value, keep)| *value = f32::from_bits(value.to_bits() & keep));
    }
}
