//! ADMM's iterations on the GPU (method.md, section 11): a layer's weights, and the iterate C = B + V / ρ, of which what is kept is D
//! and what is not is V / ρ.

use bytemuck::{Pod, Zeroable};

use super::device::{Buffer, Gpu, Tasks};
use super::kernels::Kernel;
use super::mask::{Counts, Mask, Rule, words_of};
use super::matrix::{Matrix, Piece};
use super::rows;
use super::select::{self, FOUND};
use super::symmetric::multiply;
use super::weights::{Bound, Weights};
use crate::backend::split::{Iteration, Step};
use crate::backend::sweep::Pruned;
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::Columns;
use crate::weights::lanes::LANES;

/// A layer's weights [rows, cols], and what becomes of them.
pub struct Split {
    w: Weights,
    c: Weights,
    x: Weights,
    product: Weights,
    keep: Mask,
    found: Buffer,
}

/// As in split.wgsl.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Params {
    stride: u32,
    top: u32,
    cols: u32,
    groups: u32,
    relaxation: f32,
    rescaling: f32,
}

impl Split {
    /// D = W, everything kept, V = 0.
    pub fn new(gpu: &Gpu, w: &Columns) -> Result<Self> {
        let (w, c) = (Weights::upload(gpu, w)?, Weights::upload(gpu, w)?);
        Ok(Self {
            x: w.zeros(gpu)?,
            product: w.zeros(gpu)?,
            keep: Mask::all(gpu, &w)?,
            found: gpu.buffer(FOUND)?,
            w,
            c,
        })
    }

    /// Groups of `LANES` rows, the unit of work.
    fn groups(&self) -> usize {
        self.w.padded / LANES
    }

    /// Adds a kernel of split.wgsl, bound to what it begins with and to more.
    fn add(&self, tasks: &mut Tasks, kernel: Kernel, more: &[Bound], step: Step) {
        let mut bound = vec![
            Bound::Buffer(&self.keep.words),
            Bound::Weights(&self.c),
            Bound::Weights(&self.w),
            Bound::Weights(&self.x),
        ];
        bound.extend(more);
        let params = |piece: &Piece| Params {
            stride: self.w.stride() as u32,
            top: piece.top as u32,
            cols: piece.lines.len() as u32,
            groups: self.groups() as u32,
            relaxation: step.relaxation,
            rescaling: step.rescaling,
        };
        self.w.add(tasks, kernel, &bound, params, words_of);
    }

    /// One iteration with `ridge` = ρ (A + ρ)⁻¹: B = W + (D - V / ρ - W) ρ (A + ρ)⁻¹, C = B + V / ρ, D = what is kept of C. Error:
    /// `GpuTooLarge` of groups of m that may lie in two pieces of a matrix.
    pub fn iterate(
        &mut self,
        gpu: &Gpu,
        ridge: &Matrix,
        step: &Step,
        pruned: Pruned,
        control: &Control,
    ) -> Result<Iteration> {
        let mut tasks = gpu.tasks();
        self.add(&mut tasks, Kernel::Deviate, &[], *step);
        tasks.submit()?;
        multiply(gpu, &self.x, ridge, &self.product, control)?;
        let words: usize = self.w.columns.pieces().map(|piece| words_of(&piece)).sum();
        let sums = gpu.buffer(words * self.groups())?;
        let more = [Bound::Weights(&self.product), Bound::Buffer(&sums)];
        let mut tasks = gpu.tasks();
        self.add(&mut tasks, Kernel::Relax, &more, *step);
        tasks.submit()?;
        let Counts { changed, kept } = self.project(gpu, pruned)?;
        let mut lost = vec![0f32; words * self.groups()];
        gpu.read(&sums, &mut lost)?;
        control.advance(self.groups() as u64)?;
        Ok(Iteration {
            changed,
            kept,
            lost: step.penalty as f64 * lost.iter().map(|&lost| lost as f64).sum::<f64>(),
        })
    }

    /// Chooses what is kept of C.
    fn project(&self, gpu: &Gpu, pruned: Pruned) -> Result<Counts> {
        let rule = match pruned {
            Pruned::UpToRank(rank) => {
                gpu.write(&self.found, &[0, rank as u32])?;
                let pieces = self.c.columns.pieces();
                let scores: Vec<_> = pieces.map(|piece| (piece.buffer, piece.lines.len())).collect();
                let mut tasks = gpu.tasks();
                select::find(&mut tasks, &self.found, select::Params::of(&self.c), &scores);
                tasks.submit()?;
                Rule::Above(&self.found)
            }
            Pruned::NofM { n, m } => Rule::NofM { n, m },
            Pruned::Nothing | Pruned::All | Pruned::Masked => unreachable!("ADMM chooses a mask"),
        };
        self.keep.project(gpu, &self.c, &rule)
    }

    /// `steps` steps of conjugate gradients from D on, within its mask, towards the least tr((W - Z) A (W - Z)ᵀ). Returns Z.
    pub fn polish(self, gpu: &Gpu, a: &Matrix, steps: usize, control: &Control) -> Result<Columns> {
        let mut tasks = gpu.tasks();
        let nothing = Step {
            relaxation: 1.0,
            rescaling: 1.0,
            penalty: 1.0,
        };
        self.add(&mut tasks, Kernel::KeepOnly, &[], nothing);
        tasks.submit()?;
        let groups = self.groups() as u64;
        let stride = self.w.stride();
        let sums = gpu.buffer((2 * steps + 1) * stride)?;
        let Self {
            w, c, x, product, keep, ..
        } = self;
        multiply(gpu, &x, a, &product, control)?;
        // W is not needed any more.
        let (z, residual) = (c, w);
        let mut tasks = gpu.tasks();
        let more = [Bound::Weights(&residual), Bound::Buffer(&keep.words)];
        rows::add(&mut tasks, Kernel::BeginRows, &sums, 0, &x, &product, &more);
        tasks.submit()?;
        control.advance(groups)?;
        for step in 0..steps {
            let at = 2 * step * stride;
            multiply(gpu, &x, a, &product, control)?;
            let more = [
                Bound::Weights(&residual),
                Bound::Buffer(&keep.words),
                Bound::Weights(&z),
            ];
            let mut tasks = gpu.tasks();
            rows::add(&mut tasks, Kernel::DotRows, &sums, at + stride, &x, &product, &[]);
            rows::add(&mut tasks, Kernel::DescendRows, &sums, at, &x, &product, &more);
            rows::add(&mut tasks, Kernel::TurnRows, &sums, at, &x, &residual, &[]);
            tasks.submit()?;
            control.advance(groups)?;
        }
        z.download(gpu, control)
    }
}
