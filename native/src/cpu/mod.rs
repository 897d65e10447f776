//! The CPU as a backend of the method.

pub mod cholesky;
pub mod gram;
pub mod grids;
pub mod lanes;
pub mod mask;
pub mod operand;
pub mod product;
pub mod refine;
pub mod saliency;
pub mod split;
pub mod sweep;
pub mod symmetric;
pub mod targets;

use faer::{MatMut, MatRef};

use self::cholesky::{cholesky, invert, reverse, reversed_hessian};
use self::gram::Gram;
use self::grids::GridColumns;
use self::mask::Mask;
use self::operand::Operand;
use self::split::Split;
use self::sweep::Errors;
use crate::backend::histogram::Histogram;
use crate::backend::refine::Refinement;
use crate::backend::split::{Iteration, Step};
use crate::backend::sweep::{Block, Known, Pruned, Span};
use crate::backend::{Backend, Entries, Fits};
use crate::control::Control;
use crate::error::Result;
use crate::quantization::Quantization;
use crate::weights::columns::Columns;

#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu;

/// The order of a triangle [n, n] row-major.
fn order_of(triangle: &[f32]) -> usize {
    triangle.len().isqrt()
}

fn square(triangle: &[f32]) -> MatRef<'_, f32> {
    let n = order_of(triangle);
    MatRef::from_row_major_slice(triangle, n, n)
}

fn square_mut(triangle: &mut [f32]) -> MatMut<'_, f32> {
    let n = order_of(triangle);
    MatMut::from_row_major_slice_mut(triangle, n, n)
}

impl Backend for Cpu {
    type Gram = Gram;
    /// [n, n] row-major; the Hessian and its Cholesky factor in the lower triangle, zeros above; U in the upper one, zeros below.
    type Triangle = Vec<f32>;
    type Weights = Columns;
    type Grids = GridColumns;
    type Errors = Errors;
    type Mask = Mask;
    /// [n, n] row-major.
    type Symmetric = Vec<f32>;
    type Operand = Operand;
    type Split = Split;

    fn gram(&self, cols: usize) -> Result<Gram> {
        Ok(Gram::new(cols))
    }

    fn add(&self, gram: &mut Gram, x: &[f32], control: &Control) -> Result<()> {
        gram.add(x, control)
    }

    fn diagonal(&self, gram: &Gram) -> Result<Vec<f64>> {
        Ok((0..gram.cols()).map(|j| gram.get(j, j)).collect())
    }

    fn hessian(
        &self,
        gram: &Gram,
        order: Option<&[u32]>,
        scale: f64,
        diagonal: &[f32],
        control: &Control,
    ) -> Result<Vec<f32>> {
        reversed_hessian(gram, order, scale, diagonal, control)
    }

    fn cholesky(&self, hessian: &mut Vec<f32>, control: &Control) -> Result<bool> {
        cholesky(square_mut(hessian), control)
    }

    fn inverse(&self, mut factor: Vec<f32>, control: &Control) -> Result<(Vec<f32>, Vec<f32>)> {
        invert(square_mut(&mut factor), control)?;
        reverse(&mut factor, control)?;
        let n = order_of(&factor);
        let diagonal = (0..n).map(|j| factor[j * n + j]).collect();
        Ok((factor, diagonal))
    }

    fn upload(&self, w: Columns) -> Result<Columns> {
        Ok(w)
    }

    fn download(&self, w: Columns, _control: &Control) -> Result<Columns> {
        Ok(w)
    }

    fn grids(&self, rows: usize, groups: usize, group_of: &[u32], control: &Control) -> Result<GridColumns> {
        Ok(GridColumns {
            scales: Columns::zeros(rows, groups, control)?,
            zeros: Columns::zeros(rows, groups, control)?,
            group_of: group_of.to_vec(),
        })
    }

    fn mask(&self, w: &Columns, control: &Control) -> Result<Mask> {
        Mask::zeros_of(w, control)
    }

    fn fit(
        &self,
        grids: &mut GridColumns,
        w: &Columns,
        mask: Option<&Mask>,
        fits: Fits,
        quantization: &Quantization,
        control: &Control,
    ) -> Result<()> {
        grids.fit(w, mask, fits, quantization, control)
    }

    fn download_grids(&self, grids: GridColumns, _control: &Control) -> Result<(Columns, Columns)> {
        Ok((grids.scales, grids.zeros))
    }

    fn errors(&self, w: &Columns, span: usize, _u_diagonal: &[f32], control: &Control) -> Result<Errors> {
        Ok(Errors {
            columns: Columns::zeros(w.rows, span, control)?,
            squares: 0.0,
        })
    }

    fn sweep_block(
        &self,
        w: &mut Columns,
        u: &Vec<f32>,
        errors: &mut Errors,
        known: Known<GridColumns, Mask>,
        block: &Block,
        control: &Control,
    ) -> Result<()> {
        sweep::sweep_block(w, square(u), errors, known, block, control)
    }

    fn spread(&self, w: &mut Columns, u: &Vec<f32>, errors: &Errors, span: &Span, control: &Control) -> Result<()> {
        sweep::spread(w, square(u), errors, span, control)
    }

    fn squares(&self, errors: Errors) -> Result<f64> {
        Ok(errors.squares)
    }

    fn saliency_histogram(&self, w: &Columns, u_diagonal: &[f32], control: &Control) -> Result<Histogram> {
        saliency::histogram(w, u_diagonal, control)
    }

    fn saliencies_in(&self, w: &Columns, u_diagonal: &[f32], wanted: &[bool], control: &Control) -> Result<Vec<u32>> {
        saliency::members(w, u_diagonal, wanted, control)
    }

    fn correlation(
        &self,
        gram: &Gram,
        order: Option<&[u32]>,
        scale: f64,
        diagonal: &[f32],
        control: &Control,
    ) -> Result<Vec<f32>> {
        symmetric::correlation(gram, order, scale, diagonal, control)
    }

    fn quadratic(&self, x: &Columns, a: &Vec<f32>, control: &Control) -> Result<f64> {
        symmetric::quadratic(x, a, control)
    }

    fn ridge_inverse(&self, a: &Vec<f32>, penalty: f32, control: &Control) -> Result<Option<Operand>> {
        Ok(symmetric::ridge_inverse(a, penalty, control)?.map(Operand::new))
    }

    fn operand(&self, a: &Vec<f32>, _control: &Control) -> Result<Operand> {
        Ok(Operand::new(a.clone()))
    }

    fn split(&self, w: Columns, control: &Control) -> Result<Split> {
        Split::new(w, control)
    }

    fn iterate(
        &self,
        split: &mut Split,
        ridge: &Operand,
        step: &Step,
        pruned: Pruned,
        control: &Control,
    ) -> Result<Iteration> {
        split.iterate(ridge, step, pruned, control)
    }

    fn polish(&self, split: Split, a: &Operand, steps: usize, control: &Control) -> Result<Columns> {
        split.polish(a, steps, control)
    }

    fn refine(
        &self,
        mut q: Columns,
        deviation: &Columns,
        a: &Vec<f32>,
        refinement: &Refinement<GridColumns, Mask>,
        control: &Control,
    ) -> Result<Columns> {
        refine::refine(&mut q, deviation, a, refinement, control)?;
        Ok(q)
    }
}
