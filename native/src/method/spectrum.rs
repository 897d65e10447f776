//! The power law of a weight's eigenvalues (AlphaPruning, arXiv 2410.10912).

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, Par};
use rayon::prelude::*;

use crate::backend::{Backend, Entries};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::weights::weight::Weight;
use crate::weights::zeros::zeros;

/// The Hill estimator of the spectrum of WᵀW with the larger half of its min(rows, cols) eigenvalues, as AlphaPruning's authors
/// compute it: 1 + k / Σ ln(λ_i / λ_min), λ_min the least of those k. Errors: `NotFinite`, `Cancelled`.
pub fn spectrum_alpha<B>(backend: &B, weight: Weight, control: &Control) -> Result<f64>
where
    B: Backend,
    B::Gram: Entries + 'static,
{
    let gram = smaller_gram(backend, weight, control)?;
    Ok(hill(&eigenvalues(gram, control)?))
}

/// `eigenvalues` in ascending order.
fn hill(eigenvalues: &[f64]) -> f64 {
    let largest = &eigenvalues[eigenvalues.len() / 2..];
    let logs: f64 = largest.iter().map(|eigenvalue| (eigenvalue / largest[0]).ln()).sum();
    1.0 + largest.len() as f64 / logs
}

/// W Wᵀ or Wᵀ W, whichever is smaller: the other has the same eigenvalues, and zeros.
fn smaller_gram<B: Backend>(backend: &B, weight: Weight, control: &Control) -> Result<B::Gram> {
    let (rows, cols) = (weight.rows, weight.cols);
    let mut w = zeros(rows * cols, control)?;
    w.par_chunks_mut(cols).enumerate().try_for_each(|(i, row)| {
        weight.read_row(i, row);
        control.check()
    })?;
    if rows < cols {
        w = transposed(rows, cols, &w, control)?;
    }
    let mut gram = backend.gram(rows.min(cols))?;
    backend.add(&mut gram, &w, control)?;
    Ok(gram)
}

/// w [rows, cols] as [cols, rows], both row-major.
fn transposed(rows: usize, cols: usize, w: &[f32], control: &Control) -> Result<Vec<f32>> {
    let mut result = zeros(rows * cols, control)?;
    result.par_chunks_mut(rows).enumerate().try_for_each(|(j, column)| {
        column
            .iter_mut()
            .enumerate()
            .for_each(|(i, value)| *value = w[i * cols + j]);
        control.check()
    })?;
    Ok(result)
}

/// All eigenvalues in ascending order. faer cannot be interrupted, so it computes on a thread of its own, which is left to itself when
/// the task is cancelled.
fn eigenvalues(gram: impl Entries + Send + 'static, control: &Control) -> Result<Vec<f64>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let n = gram.cols();
        let a = Mat::from_fn(n, n, |i, j| gram.get(i.max(j), i.min(j)));
        let scratch = self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::No, Par::Seq, Default::default());
        let mut memory = MemBuffer::new(scratch);
        let mut values = Diag::<f64>::zeros(n);
        let stack = MemStack::new(&mut memory);
        let found = self_adjoint_evd(a.as_ref(), values.as_mut(), None, Par::Seq, stack, Default::default());
        found.expect("a finite symmetric matrix has eigenvalues");
        let mut sorted: Vec<f64> = values.column_vector().iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        // Nobody listens after a cancellation.
        let _ = sender.send(sorted);
    });
    loop {
        match receiver.recv_timeout(Duration::from_millis(20)) {
            Ok(values) => return Ok(values),
            Err(RecvTimeoutError::Timeout) => control.check()?,
            Err(RecvTimeoutError::Disconnected) => return Err(Error::NotPositiveDefinite {}),
        }
    }
}
