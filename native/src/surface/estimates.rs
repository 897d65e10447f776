//! The Node-API surface of what the schedulers want to know of a layer.

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::checkpoint::{Checkpoint, WeightName};
use super::factor::{Factor, on_either};
use super::task::{Control, Job, job};
use crate::checkpoint::Matrix;
use crate::cpu::Cpu;
use crate::error::{self, internal};
use crate::method::{outliers, spectrum, statistics};

#[napi(object)]
pub struct LayerStatistics {
    /// mean of W² / U_jj²
    pub estimate: f64,
    /// 21 values, s = 0, 0.05 .. 1: (1/N) * the sum of the least salient floor(s N) values of W² / U_jj²
    pub curve: Vec<f64>,
    /// tr(W H Wᵀ), undamped
    pub energy: f64,
}

#[napi(ts_return_type = "Promise<LayerStatistics>")]
pub fn layer_statistics(
    checkpoint: &Checkpoint,
    weight: WeightName,
    factor: &Factor,
    control: &Control,
) -> AsyncTask<Job<LayerStatistics>> {
    let (checkpoint, factor, control) = (checkpoint.inner.clone(), factor.inner.clone(), control.inner.clone());
    job(move || {
        let loaded = weight.load(&checkpoint)?;
        let found = on_either!(&*factor, factor => statistics::layer_statistics(loaded.as_weight(), factor, &control))?;
        Ok(LayerStatistics {
            estimate: found.estimate,
            curve: found.curve.to_vec(),
            energy: found.energy,
        })
    })
}

/// OWL's D of one block over all its layers together: 100 * mean(A > m * mean(A)), A = |W| * ‖X_j‖₂; `factors`: of each layer's input.
#[napi(ts_return_type = "Promise<number>")]
pub fn outliers(
    checkpoint: &Checkpoint,
    weights: Vec<WeightName>,
    factors: Vec<&Factor>,
    m: f64,
    control: &Control,
) -> AsyncTask<Job<f64>> {
    let factors: Vec<_> = factors.iter().map(|factor| factor.inner.clone()).collect();
    let (checkpoint, control) = (checkpoint.inner.clone(), control.inner.clone());
    job(move || {
        if weights.len() != factors.len() {
            return Err(internal("one factor for each layer"));
        }
        let loaded = weights.iter().map(|weight| weight.load(&checkpoint));
        let loaded = loaded.collect::<error::Result<Vec<_>>>()?;
        let inputs = factors
            .iter()
            .map(|factor| on_either!(&**factor, factor => &factor.hessian_diagonal[..]));
        let layers: Vec<_> = loaded.iter().map(Matrix::as_weight).zip(inputs).collect();
        outliers::outliers(&layers, m, &control)
    })
}

/// AlphaPruning: the Hill estimator of the eigenvalue spectrum of WᵀW, k = half of the eigenvalues.
#[napi(ts_return_type = "Promise<number>")]
pub fn spectrum_alpha(checkpoint: &Checkpoint, weight: WeightName, control: &Control) -> AsyncTask<Job<f64>> {
    let (checkpoint, control) = (checkpoint.inner.clone(), control.inner.clone());
    job(move || spectrum::spectrum_alpha(&Cpu, weight.load(&checkpoint)?.as_weight(), &control))
}
