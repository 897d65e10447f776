//! A GPU as a backend of the method.

use super::device::Gpu;
use super::gram::Gram;
use super::saliency;
use super::sweep::{self, Errors, Grids, Weights};
use super::triangle::Triangle;
use crate::backend::histogram::Histogram;
use crate::backend::split::{Iteration, Step};
use crate::backend::sweep::{Block, Pruned, Span};
use crate::backend::{Backend, Fit};
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
    type Mask = ();
    type Symmetric = ();
    type Operand = ();
    type Split = ();

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

    fn mask(&self, _w: &Weights, _control: &Control) -> Result<()> {
        unimplemented!()
    }

    fn fit(
        &self,
        grids: &mut Grids,
        w: &Weights,
        _mask: Option<&()>,
        members: &[u32],
        fits: &[Fit],
        quantization: &Quantization,
        _control: &Control,
    ) -> Result<()> {
        grids.fit(self, w, members, fits, quantization)
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
        grids: Option<&Grids>,
        _mask: Option<&()>,
        block: &Block,
        control: &Control,
    ) -> Result<()> {
        sweep::sweep_block(self, w, u, errors, grids, block)?;
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

    fn correlation(&self, _: &Gram, _: Option<&[u32]>, _: f64, _: &[f32], _: &Control) -> Result<()> {
        unimplemented!()
    }

    fn quadratic(&self, _: &Columns, _: &(), _: &Control) -> Result<f64> {
        unimplemented!()
    }

    fn ridge_inverse(&self, _: &(), _: f32, _: &Control) -> Result<Option<()>> {
        unimplemented!()
    }

    fn operand(&self, _: &(), _: &Control) -> Result<()> {
        unimplemented!()
    }

    fn split(&self, _: Columns, _: &Control) -> Result<()> {
        unimplemented!()
    }

    fn iterate(&self, _: &mut (), _: &(), _: &Step, _: Pruned, _: &Control) -> Result<Iteration> {
        unimplemented!()
    }

    fn polish(&self, _: (), _: &(), _: usize, _: &Control) -> Result<Columns> {
        unimplemented!()
    }
}
