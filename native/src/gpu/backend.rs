//! A GPU as a backend of the method.

use std::sync::Arc;

use super::device::Gpu;
use super::gram::Gram;
use super::mask::Mask;
use super::matrix::Matrix;
use super::refine;
use super::saliency;
use super::split::Split;
use super::sweep::{self, Errors, Grids};
use super::symmetric;
use super::triangle::Triangle;
use super::weights::Weights;
use crate::backend::histogram::Histogram;
use crate::backend::refine::Refinement;
use crate::backend::split::{Iteration, Step};
use crate::backend::sweep::{Block, Known, Pruned, Span};
use crate::backend::{Backend, Fits};
use crate::control::Control;
use crate::error::Result;
use crate::quantization::Quantization;
use crate::weights::columns::Columns;

impl Backend for Gpu {
    type Gram = Gram;
    type Triangle = Triangle;
    type Weights = Weights;
    type Grids = Grids;
    type Errors = Errors;
    type Mask = Mask;
    /// Both triangles.
    type Symmetric = Arc<Matrix>;
    /// In float32, too: the matrix itself.
    type Operand = Arc<Matrix>;
    type Split = Split;

    fn gram(&self, cols: usize) -> Result<Gram> {
        Gram::new(self, cols)
    }

    fn add(&self, gram: &mut Gram, x: &[f32], control: &Control) -> Result<()> {
        gram.add(self, x, control)
    }

    fn diagonal(&self, gram: &Gram) -> Result<Vec<f64>> {
        gram.diagonal(self)
    }

    fn hessian(
        &self,
        gram: &Gram,
        order: Option<&[u32]>,
        scale: f64,
        diagonal: &[f32],
        _control: &Control,
    ) -> Result<Triangle> {
        gram.hessian(self, order, scale, diagonal).map(Triangle)
    }

    fn cholesky(&self, hessian: &mut Triangle, control: &Control) -> Result<bool> {
        hessian.cholesky(self, control)
    }

    fn inverse(&self, factor: Triangle, control: &Control) -> Result<(Triangle, Vec<f32>)> {
        factor.inverse(self, control)
    }

    fn upload(&self, w: Columns) -> Result<Weights> {
        Weights::upload(self, &w)
    }

    fn download(&self, w: Weights, control: &Control) -> Result<Columns> {
        w.download(self, control)
    }

    fn grids(&self, rows: usize, groups: usize, group_of: &[u32], _control: &Control) -> Result<Grids> {
        Grids::new(self, rows, groups, group_of)
    }

    fn mask(&self, w: &Weights, _control: &Control) -> Result<Mask> {
        Mask::zeros_of(self, w)
    }

    fn fit(
        &self,
        grids: &mut Grids,
        w: &Weights,
        mask: Option<&Mask>,
        fits: Fits,
        quantization: &Quantization,
        _control: &Control,
    ) -> Result<()> {
        grids.fit(self, w, mask, fits, quantization)
    }

    fn download_grids(&self, grids: Grids, control: &Control) -> Result<(Columns, Columns)> {
        grids.download(self, control)
    }

    fn errors(&self, w: &Weights, span: usize, u_diagonal: &[f32], _control: &Control) -> Result<Errors> {
        Errors::new(self, w, span, u_diagonal)
    }

    fn sweep_block(
        &self,
        w: &mut Weights,
        u: &Triangle,
        errors: &mut Errors,
        known: Known<Grids, Mask>,
        block: &Block,
        control: &Control,
    ) -> Result<()> {
        sweep::sweep_block(self, w, u, errors, known, block)?;
        control.check()
    }

    fn spread(&self, w: &mut Weights, u: &Triangle, errors: &Errors, span: &Span, control: &Control) -> Result<()> {
        sweep::spread(self, w, u, errors, span)?;
        control.check()
    }

    fn squares(&self, errors: Errors) -> Result<f64> {
        errors.squares(self)
    }

    fn saliency_histogram(&self, w: &Weights, u_diagonal: &[f32], _control: &Control) -> Result<Histogram> {
        saliency::histogram(self, w, u_diagonal)
    }

    fn saliencies_in(&self, w: &Weights, u_diagonal: &[f32], wanted: &[bool], _control: &Control) -> Result<Vec<u32>> {
        saliency::members(self, w, u_diagonal, wanted)
    }

    fn correlation(
        &self,
        gram: &Gram,
        order: Option<&[u32]>,
        scale: f64,
        diagonal: &[f32],
        _control: &Control,
    ) -> Result<Arc<Matrix>> {
        gram.correlation(self, order, scale, diagonal).map(Arc::new)
    }

    fn quadratic(&self, x: &Columns, a: &Arc<Matrix>, control: &Control) -> Result<f64> {
        symmetric::quadratic(self, x, a, control)
    }

    fn ridge_inverse(&self, a: &Arc<Matrix>, penalty: f32, control: &Control) -> Result<Option<Arc<Matrix>>> {
        Ok(symmetric::ridge_inverse(self, a, penalty, control)?.map(Arc::new))
    }

    fn operand(&self, a: &Arc<Matrix>, _control: &Control) -> Result<Arc<Matrix>> {
        Ok(Arc::clone(a))
    }

    fn split(&self, w: Columns, _control: &Control) -> Result<Split> {
        Split::new(self, &w)
    }

    fn iterate(
        &self,
        split: &mut Split,
        ridge: &Arc<Matrix>,
        step: &Step,
        pruned: Pruned,
        control: &Control,
    ) -> Result<Iteration> {
        split.iterate(self, ridge, step, pruned, control)
    }

    fn polish(&self, split: Split, a: &Arc<Matrix>, steps: usize, control: &Control) -> Result<Columns> {
        split.polish(self, a, steps, control)
    }

    fn refine(
        &self,
        q: Weights,
        deviation: &Columns,
        a: &Arc<Matrix>,
        refinement: &Refinement<Grids, Mask>,
        control: &Control,
    ) -> Result<Weights> {
        refine::refine(self, &q, deviation, a, refinement, control)?;
        Ok(q)
    }
}
