//! Coordinate descent on the codes of a quantized layer on the GPU (method.md, section 11).

use bytemuck::{Pod, Zeroable};

use super::device::Gpu;
use super::kernels::Kernel;
use super::mask::Mask;
use super::matrix::Matrix;
use super::product::{Part, Product};
use super::sweep::{Grids, WIDTH, code_of};
use super::symmetric::multiply;
use super::weights::Weights;
use crate::backend::refine::Refinement;
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::Columns;
use crate::weights::lanes::LANES;

/// As in refine.wgsl.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Params {
    cols: u32,
    stride: u32,
    top: u32,
    a_top: u32,
    first: u32,
    width: u32,
    storage: u32,
    most: f32,
    groups: u32,
    zero: u32,
}

/// `passes` times over `q` [rows, n], overwritten; `deviation` and `a` as of the backend.
pub fn refine(
    gpu: &Gpu,
    q: &Weights,
    deviation: &Columns,
    a: &Matrix,
    refinement: &Refinement<Grids, Mask>,
    control: &Control,
) -> Result<()> {
    let (n, stride) = (q.cols(), q.stride());
    let gradient = q.zeros(gpu)?;
    multiply(gpu, &Weights::upload(gpu, deviation)?, a, &gradient, control)?;
    let (changes, roots) = (gpu.buffer(WIDTH * stride)?, gpu.buffer_of(refinement.roots)?);
    let work = (q.padded / LANES) as u64;
    control.advance(work)?;
    for _ in 0..refinement.passes {
        for first in (0..n).step_by(WIDTH) {
            let end = (first + WIDTH).min(n);
            let (columns, rows) = (q.columns.holding(first..end), a.holding(first..end));
            let params = Params {
                cols: n as u32,
                stride: stride as u32,
                top: columns.top as u32,
                a_top: rows.top as u32,
                first: first as u32,
                width: (end - first) as u32,
                storage: code_of(refinement.storage),
                most: refinement.quantization.most(),
                groups: refinement.grids.groups as u32,
                zero: 0,
            };
            let buffers = [
                columns.buffer,
                gradient.columns.holding(first..end).buffer,
                &changes,
                rows.buffer,
                &roots,
                &refinement.mask.words,
                &refinement.grids.values,
                &refinement.grids.group_of,
            ];
            let mut tasks = gpu.tasks();
            tasks.add(Kernel::Refine, params, &buffers, [q.padded / LANES, 1, 1]);
            for piece in gradient.columns.pieces() {
                let product = Product {
                    m: piece.lines.len(),
                    n: q.padded,
                    k: end - first,
                    a: a.part(first, piece.lines.start),
                    b: Part::new(&changes, 0, stride),
                    c: gradient.columns.part(piece.lines.start, 0),
                    alpha: -1.0,
                    accumulate: true,
                    is_upper: false,
                    is_b_upper: false,
                };
                product.add_to(&mut tasks);
            }
            tasks.submit()?;
            control.check()?;
        }
        control.advance(work)?;
    }
    Ok(())
}
