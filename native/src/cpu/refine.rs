//! Coordinate descent on the codes of a quantized layer on the CPU (method.md, section 11), `LANES` rows at a time.

use std::ops::Range;

use faer::MatRef;
use faer::prelude::{MatMut, Reborrow, ReborrowMut};
use rayon::prelude::*;

use super::grids::GridColumns;
use super::lanes::{Codes, refine_column, subtract_errors};
use super::mask::Mask;
use super::product::{product, subtract_product};
use super::square;
use crate::backend::refine::Refinement;
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::{Columns, column_mut, lanes_of};
use crate::weights::lanes::{LANES, Lanes};

/// Columns whose changes reach the gradient of the others at once.
const BLOCK: usize = 64;

/// `passes` times over `q` [rows, n], overwritten; `deviation` and `a` as of the backend. Error: `Cancelled`.
pub fn refine(
    q: &mut Columns,
    deviation: &Columns,
    a: &[f32],
    refinement: &Refinement<GridColumns, Mask>,
    control: &Control,
) -> Result<()> {
    let n = q.cols;
    let refine_group = |(i, mut q): (usize, MatMut<f32>)| {
        let top = i * LANES;
        let mut gradient = vec![Lanes::ZERO; n];
        product(
            as_matrix_mut(&mut gradient),
            deviation.view().subrows(top, LANES),
            square(a),
        );
        control.advance(1)?;
        for _ in 0..refinement.passes {
            for first in (0..n).step_by(BLOCK) {
                let width = BLOCK.min(n - first);
                refine_block(q.rb_mut(), top, &mut gradient, first..first + width, a, refinement);
                control.check()?;
            }
            control.advance(1)?;
        }
        Ok(())
    };
    let groups = q.view_mut().par_row_chunks_mut(LANES);
    groups.enumerate().try_for_each(refine_group)
}

/// Columns `columns` of `LANES` rows, and what their changes make of the gradient (W - Q) A of all columns.
fn refine_block(
    mut q: MatMut<f32>,
    top: usize,
    gradient: &mut [Lanes],
    columns: Range<usize>,
    a: &[f32],
    &Refinement {
        grids,
        quantization,
        mask,
        roots,
        storage,
        ..
    }: &Refinement<GridColumns, Mask>,
) {
    let n = gradient.len();
    let mut own = gradient[columns.clone()].to_vec();
    let mut changes = vec![Lanes::ZERO; own.len()];
    for (i, j) in columns.clone().enumerate() {
        let mut value = lanes_of(q.rb(), j, 0);
        let (keep, grid) = (mask.get(j, top), grids.get(grids.group_of[j] as usize, top));
        let change = &mut changes[i];
        let codes = Codes {
            grid: &grid,
            most: quantization.most(),
            storage,
        };
        refine_column(&mut value, &own[i], &keep, &codes, roots[j], change);
        column_mut(q.rb_mut(), j).copy_from_slice(&value.0);
        let row = a[j * n + j + 1..j * n + columns.end].as_chunks::<1>().0;
        subtract_errors(&mut own[i + 1..], &[*change], row);
    }
    let rows = square(a).subrows(columns.start, columns.len());
    subtract_product(as_matrix_mut(gradient), as_matrix(&changes), rows);
}

fn as_matrix(columns: &[Lanes]) -> MatRef<'_, f32> {
    MatRef::from_column_major_slice(bytemuck::cast_slice(columns), LANES, columns.len())
}

fn as_matrix_mut(columns: &mut [Lanes]) -> MatMut<'_, f32> {
    let n = columns.len();
    MatMut::from_column_major_slice_mut(bytemuck::cast_slice_mut(columns), LANES, n)
}
