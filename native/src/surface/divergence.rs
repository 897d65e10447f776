//! The Node-API surface of comparing models' logits.

use std::sync::{Arc, Mutex, MutexGuard};

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::task::{Control, Job, job, thrown};
use crate::divergence;
use crate::error::{self, internal};

/// How the next-token probabilities of one model compare with the reference's. All [tokens].
#[napi(object, object_from_js = false)]
pub struct Divergence<'env> {
    /// KL(reference ‖ model), in nats.
    #[napi(ts_type = "Float64Array")]
    pub divergences: Float64ArraySlice<'env>,
    /// -log p of the target by the reference, in nats.
    #[napi(ts_type = "Float64Array")]
    pub reference_losses: Float64ArraySlice<'env>,
    /// -log p of the target by the model, in nats.
    #[napi(ts_type = "Float64Array")]
    pub losses: Float64ArraySlice<'env>,
    /// 1 where both have the same most probable token (of equals the first), 0 elsewhere.
    #[napi(ts_type = "Float64Array")]
    pub agreements: Float64ArraySlice<'env>,
}

/// Compares, token by token, models' next-token probabilities with a reference's, added up as their logits come, one range of the
/// vocabulary after the other. Float64 sums. One call at a time.
#[napi]
pub struct Divergences {
    inner: Arc<Mutex<divergence::Divergences>>,
}

#[napi]
impl Divergences {
    /// `targets`: the token that followed each, [tokens]; `models`: how many are compared with the reference.
    #[napi(constructor)]
    pub fn new(targets: Int32Array, models: u32) -> Self {
        let sums = divergence::Divergences::new(targets.to_vec(), models as usize);
        Self {
            inner: Arc::new(Mutex::new(sums)),
        }
    }

    /// The reference's logits [tokens, width] of the tokens from `first` on and of the ids from `start` on, not to be changed
    /// meanwhile; they are kept for the models' of the same slice, which come next. Ranges come in the order of their ids.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn add_reference(
        &self,
        first: u32,
        start: u32,
        width: u32,
        logits: Float32Array,
        control: &Control,
    ) -> AsyncTask<Job<()>> {
        let (inner, control) = (self.inner.clone(), control.inner.clone());
        let (first, start, width) = (first as usize, start as usize, width as usize);
        job(move || idle(&inner)?.add_reference(first, start, width, &logits, &control))
    }

    /// A model's logits of the slice that was added last to the reference, not to be changed meanwhile. A model has every slice once.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn add(&self, model: u32, logits: Float32Array, control: &Control) -> AsyncTask<Job<()>> {
        let (inner, control) = (self.inner.clone(), control.inner.clone());
        job(move || idle(&inner)?.add(model as usize, &logits, &control))
    }

    /// Once all ranges are added. A token with a logit that is not finite has results that are not.
    #[napi]
    pub fn result<'env>(&self, env: &'env Env, model: u32) -> Result<Divergence<'env>> {
        let found = idle(&self.inner).and_then(|sums| sums.result(model as usize));
        let found = found.map_err(thrown)?;
        Ok(Divergence {
            divergences: Float64ArraySlice::copy_from(env, found.divergences)?,
            reference_losses: Float64ArraySlice::copy_from(env, found.reference_losses)?,
            losses: Float64ArraySlice::copy_from(env, found.losses)?,
            agreements: Float64ArraySlice::copy_from(env, found.agreements)?,
        })
    }

    /// Frees the sums now, not when JavaScript's garbage is collected; they are of no tokens and no models afterwards.
    #[napi]
    pub fn release(&mut self) {
        self.inner = Arc::default();
    }
}

/// The sums, unless a task is adding to them: waiting for it in the pool could stop the thread that it needs.
fn idle(sums: &Mutex<divergence::Divergences>) -> error::Result<MutexGuard<'_, divergence::Divergences>> {
    sums.try_lock()
        .map_err(|_| internal("the sums are added to by another call"))
}
