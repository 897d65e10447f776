//! Sums over the columns of each row of a layer.

use bytemuck::{Pod, Zeroable};

use super::device::{Buffer, Tasks};
use super::kernels::Kernel;
use super::matrix::Piece;
use super::weights::{Bound, Weights};

/// As in rows.wgsl.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Params {
    stride: u32,
    top: u32,
    cols: u32,
    step: u32,
}

/// Adds a kernel of rows.wgsl; `step`: where in `sums` those of its step begin.
pub fn add(
    tasks: &mut Tasks,
    kernel: Kernel,
    sums: &Buffer,
    step: usize,
    x: &Weights,
    other: &Weights,
    more: &[Bound],
) {
    let mut bound = vec![Bound::Buffer(sums), Bound::Weights(x), Bound::Weights(other)];
    bound.extend(more);
    let params = |piece: &Piece| Params {
        stride: x.stride() as u32,
        top: piece.top as u32,
        cols: piece.lines.len() as u32,
        step: step as u32,
    };
    x.add(tasks, kernel, &bound, params, |_| 1);
}
