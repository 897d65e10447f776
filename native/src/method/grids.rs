//! The scales and zero points of a layer that is being swept (method.md, section 4).

use std::ops::Range;

use super::compressed::Quantized;
use super::factor::Factor;
use crate::backend::{Backend, Fit, Fits};
use crate::control::Control;
use crate::error::Result;
use crate::quantization::Quantization;

/// The scales and zero points of a layer that is being swept.
pub struct Grids<B: Backend> {
    pub quantization: Quantization,
    pub values: B::Grids,
    /// The group of each column, columns in the order of the sweep.
    pub group_of: Vec<u32>,
    /// All grids are known; otherwise a group's is that of the weights as they stand when the sweep comes to its block.
    pub is_fixed: bool,
}

impl<B: Backend> Grids<B> {
    /// For the weights `w` [rows, factor.cols], columns in the factor's order; with a `mask`, for those alone that it keeps. Errors: those of the backend.
    pub fn new(
        w: &B::Weights,
        mask: Option<&B::Mask>,
        rows: usize,
        factor: &Factor<B>,
        quantization: Quantization,
        control: &Control,
    ) -> Result<Self> {
        let (group, cols) = (quantization.group, factor.cols);
        let groups = cols.div_ceil(group);
        let is_fixed = quantization.static_groups || groups == 1;
        let order = factor.order.as_deref();
        let column_of = |j: usize| order.map_or(j, |order| order[j] as usize);
        let group_of = (0..cols).map(|j| if is_fixed { column_of(j) } else { j } / group);
        let group_of: Vec<u32> = group_of.map(|group| group as u32).collect();
        let mut values = factor.backend.grids(rows, groups, &group_of, control)?;
        if is_fixed {
            let mut position = vec![0; cols];
            (0..cols).for_each(|j| position[column_of(j)] = j as u32);
            let groups: Vec<Fit> = groups_of(0..groups, group, cols).collect();
            let fits = Fits {
                members: &position,
                groups: &groups,
            };
            factor.backend.fit(&mut values, w, mask, fits, &quantization, control)?;
        }
        Ok(Self {
            quantization,
            values,
            group_of,
            is_fixed,
        })
    }

    /// The end of the last group that starts before column `end` in the order of the sweep.
    pub fn reach(&self, end: usize) -> usize {
        let groups_end = end.next_multiple_of(self.quantization.group);
        if self.is_fixed {
            end
        } else {
            groups_end.min(self.group_of.len())
        }
    }

    /// Fits the grids of the groups that start in `block`, of which nothing has been swept, unless they are known.
    pub fn fit_starting(
        &mut self,
        backend: &B,
        w: &B::Weights,
        mask: Option<&B::Mask>,
        block: Range<usize>,
        control: &Control,
    ) -> Result<()> {
        let (size, cols) = (self.quantization.group, self.group_of.len());
        let groups = block.start.div_ceil(size)..block.end.div_ceil(size);
        if self.is_fixed || groups.is_empty() {
            return Ok(());
        }
        let groups: Vec<Fit> = groups_of(groups, size, cols).collect();
        let columns: Vec<u32> = (0..cols as u32).collect();
        let fits = Fits {
            members: &columns,
            groups: &groups,
        };
        backend.fit(&mut self.values, w, mask, fits, &self.quantization, control)
    }

    /// As they are stored, of a sweep with `factor`. Errors: those of the backend.
    pub fn finish(self, factor: &Factor<B>, control: &Control) -> Result<Quantized> {
        let (scale_columns, zero_columns) = factor.backend.download_grids(self.values, control)?;
        let (rows, groups) = (scale_columns.rows, scale_columns.cols);
        let mut scales = vec![0f32; rows * groups];
        let copy = |_, values: &[f32], out: &mut [f32]| out.copy_from_slice(values);
        scale_columns.map_rows(&mut scales, groups, copy, control)?;
        let mut zeros = vec![0u8; rows * groups];
        let round = |_, values: &[f32], out: &mut [u8]| {
            out.iter_mut().zip(values).for_each(|(out, &zero)| *out = zero as u8);
        };
        zero_columns.map_rows(&mut zeros, groups, round, control)?;
        let order = factor.order.as_ref().filter(|_| !self.is_fixed);
        let group_of = order.map(|order| {
            let mut of_column = vec![0; self.group_of.len()];
            (order.iter().zip(&self.group_of)).for_each(|(&col, &group)| of_column[col as usize] = group);
            of_column
        });
        Ok(Quantized {
            quantization: self.quantization,
            groups,
            scales,
            zeros,
            group_of,
        })
    }
}

/// The columns of groups of `size`, the last of which may be shorter.
fn groups_of(groups: Range<usize>, size: usize, cols: usize) -> impl Iterator<Item = Fit> {
    groups.map(move |group| Fit {
        group,
        first: group * size,
        end: ((group + 1) * size).min(cols),
    })
}
