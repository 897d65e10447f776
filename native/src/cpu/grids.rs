//! Scales and zero points on the CPU.

use faer::prelude::{MatMut, MatRef, ReborrowMut};
use rayon::prelude::*;

use super::mask::Mask;
use crate::backend::{Fit, Fits};
use crate::control::Control;
use crate::error::Result;
use crate::quantization::Quantization;
use crate::quantization::grid::Grid;
use crate::weights::columns::{Columns, column_mut, lanes_of};
use crate::weights::lanes::{LANES, Lanes};

/// The grids of all groups of a layer.
pub struct GridColumns {
    /// [rows, groups]
    pub scales: Columns,
    pub zeros: Columns,
    /// The group of each column, columns in the order of the sweep.
    pub group_of: Vec<u32>,
}

impl GridColumns {
    /// Fits the grids of groups of columns of `w`; what `mask` says is zero counts as zero. Error: `Cancelled`.
    pub fn fit(
        &mut self,
        w: &Columns,
        mask: Option<&Mask>,
        fits: Fits,
        quantization: &Quantization,
        control: &Control,
    ) -> Result<()> {
        let fit_rows = |(top, (mut scales, mut zeros)): (usize, (MatMut<f32>, MatMut<f32>))| {
            let w = w.view().subrows(top * LANES, LANES);
            let mut columns = Vec::new();
            for &Fit { group, first, end } in fits.groups {
                let members = &fits.members[first..end];
                gather(w, members, &mut columns);
                if let Some(mask) = mask {
                    (members.iter().zip(&mut columns))
                        .for_each(|(&j, column)| mask.apply(j as usize, top * LANES, column));
                }
                let grid = Grid::fit(&columns, quantization, control)?;
                column_mut(scales.rb_mut(), group).copy_from_slice(&grid.scale.0);
                column_mut(zeros.rb_mut(), group).copy_from_slice(&grid.zero.0);
            }
            control.check()
        };
        let scales = self.scales.view_mut().par_row_chunks_mut(LANES);
        let rows = scales.zip(self.zeros.view_mut().par_row_chunks_mut(LANES));
        rows.enumerate().try_for_each(fit_rows)
    }

    /// The grid of a group in the `LANES` rows from `top` on.
    pub fn get(&self, group: usize, top: usize) -> Grid {
        let lanes = |matrix: &Columns| lanes_of(matrix.view(), group, top);
        Grid {
            scale: lanes(&self.scales),
            zero: lanes(&self.zeros),
        }
    }
}

/// Copies columns of `LANES` rows.
fn gather(from: MatRef<f32>, columns: &[u32], to: &mut Vec<Lanes>) {
    to.clear();
    to.extend(columns.iter().map(|&j| lanes_of(from, j as usize, 0)));
}
