//! The Node-API surface of a layer's compression.

use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::checkpoint::{Checkpoint, WeightName};
use super::factor::{Factor, on_either};
use super::task::{Control, Job, job};
use crate::backend::Backend;
use crate::control;
use crate::cpu::{Cpu, targets};
use crate::error::{self, internal};
use crate::method::compressed::{Compressed, Progress};
use crate::method::mask::Pattern;
use crate::method::target::Target;
use crate::method::{admm, factor, magnitude, sparsegpt, wanda};
use crate::quantization::{Quantization, Range as CoreRange};
use crate::weights::storage::Storage as CoreStorage;
use crate::weights::weight::Weight;

#[derive(Clone, Copy)]
#[napi(string_enum = "lowercase")]
pub enum Method {
    Sparsegpt,
    Admm,
    Wanda,
    Magnitude,
}

#[derive(Clone, Copy)]
#[napi(string_enum)]
pub enum Storage {
    F32,
    F16,
    BF16,
}

impl From<Storage> for CoreStorage {
    fn from(storage: Storage) -> Self {
        match storage {
            Storage::F32 => Self::F32,
            Storage::F16 => Self::F16,
            Storage::BF16 => Self::BF16,
        }
    }
}

#[derive(Clone, Copy)]
#[napi(string_enum = "lowercase")]
pub enum Range {
    Minmax,
    Mse,
}

/// How the weights that are kept are quantized (docs/method.md, section 4).
#[napi(object)]
pub struct QuantizationOptions {
    /// 1 to 8
    pub bits: u32,
    /// Columns of a row that share a scale; left out: the whole row.
    pub group_size: Option<u32>,
    pub symmetric: bool,
    pub static_groups: bool,
    #[napi(ts_type = "'minmax' | 'mse'")]
    pub range: Range,
}

/// Either `sparsity` (0 to 1) or `n` pruned of every `m`; without `quantization` kept weights are only rounded to `storage`.
#[napi(object)]
pub struct PruneOptions {
    #[napi(ts_type = "'sparsegpt' | 'admm' | 'wanda' | 'magnitude'")]
    pub method: Method,
    pub sparsity: Option<f64>,
    pub n: Option<u32>,
    pub m: Option<u32>,
    #[napi(ts_type = "'F32' | 'F16' | 'BF16'")]
    pub storage: Storage,
    pub quantization: Option<QuantizationOptions>,
}

impl PruneOptions {
    /// What a layer of `cols` columns is compressed to.
    fn target(&self, cols: usize) -> error::Result<Target> {
        let pattern = self.pattern(cols)?;
        let storage = self.storage.into();
        let quantization = self
            .quantization
            .as_ref()
            .map(|options| options.quantization(cols, storage));
        Ok(Target {
            pattern,
            storage,
            quantization: quantization.transpose()?,
        })
    }

    fn pattern(&self, cols: usize) -> error::Result<Pattern> {
        match (self.sparsity, self.n, self.m) {
            (Some(sparsity), None, None) if (0.0..=1.0).contains(&sparsity) => Ok(Pattern::Sparsity(sparsity)),
            (None, Some(n), Some(m)) if n <= m && m > 0 && cols.is_multiple_of(m as usize) => Ok(Pattern::NofM {
                n: n as usize,
                m: m as usize,
            }),
            _ => Err(internal(
                "prune takes a sparsity from 0 to 1, or n <= m where m divides the columns",
            )),
        }
    }
}

impl QuantizationOptions {
    fn quantization(&self, cols: usize, storage: CoreStorage) -> error::Result<Quantization> {
        let group = self.group_size.map_or(cols, |size| (size as usize).min(cols));
        if !(1..=8).contains(&self.bits) || group == 0 {
            return Err(internal("quantization takes 1 to 8 bits and groups of columns"));
        }
        Ok(Quantization {
            bits: self.bits,
            group,
            symmetric: self.symmetric,
            static_groups: self.static_groups,
            range: match self.range {
                Range::Minmax => CoreRange::MinMax,
                Range::Mse => CoreRange::Mse,
            },
            // Scales are stored in float16 whatever the weights are.
            scales: if storage == CoreStorage::BF16 {
                CoreStorage::BF16
            } else {
                CoreStorage::F16
            },
        })
    }
}

/// Compresses one layer; `factor` (that of its input) may be null for magnitude, and must have its Hessian for admm. Error numeric.not-finite {row}: of the weight.
#[napi(ts_return_type = "Promise<CompressedLayer>")]
pub fn prune(
    checkpoint: &Checkpoint,
    weight: WeightName,
    factor: Option<&Factor>,
    options: PruneOptions,
    control: &Control,
) -> AsyncTask<Job<CompressedLayer>> {
    let shift = factor.and_then(|factor| factor.shift.clone());
    let factor = factor.map(|factor| factor.inner.clone());
    let (checkpoint, control) = (checkpoint.inner.clone(), control.inner.clone());
    job(move || {
        let loaded = weight.load(&checkpoint)?;
        let aimed = shift.map(|shift| targets::shifted(loaded.as_weight(), &shift, &control));
        let aimed = aimed.transpose()?;
        let weight = match &aimed {
            None => loaded.as_weight(),
            Some(values) => Weight {
                storage: CoreStorage::F32,
                bytes: bytemuck::cast_slice(values),
                ..loaded.as_weight()
            },
        };
        let target = options.target(weight.cols)?;
        let is_ordered = factor
            .as_deref()
            .is_some_and(|factor| on_either!(factor, factor => factor.order.is_some()));
        if is_ordered && matches!(target.pattern, Pattern::NofM { .. }) {
            return Err(internal("n of every m are neighbours in the order of the sweep"));
        }
        let inner = match factor.as_deref() {
            Some(factor) => {
                on_either!(factor, factor => compress(options.method, weight, Some(factor), &target, &control))
            }
            None => compress(options.method, weight, None::<&factor::Factor<Cpu>>, &target, &control),
        }?;
        Ok(CompressedLayer { inner: Arc::new(inner) })
    })
}

fn compress<B: Backend>(
    method: Method,
    weight: Weight,
    factor: Option<&factor::Factor<B>>,
    target: &Target,
    control: &control::Control,
) -> error::Result<Compressed> {
    let needed = || factor.ok_or_else(|| internal("this method needs a factor"));
    match method {
        Method::Sparsegpt => sparsegpt::sparsegpt(weight, needed()?, target, control),
        Method::Admm => admm::admm(weight, needed()?, target, control),
        Method::Wanda => wanda::wanda(weight, needed()?, target, control),
        Method::Magnitude => magnitude::magnitude(weight, factor, target, control),
    }
}

/// How an iteration of ADMM went.
#[napi(object, object_from_js = false)]
pub struct Iteration {
    /// The share of the kept weights that were not kept before; 1 in the first.
    pub changed: f64,
    /// tr(ΔHΔᵀ) / tr(WHWᵀ) of the damped H, of the ridge regression's weights, which are not projected.
    pub error: f64,
}

/// A compressed weight [rows, cols] in the bytes that it is stored in, with the scales and zero points of its codes where it is
/// quantized.
#[napi]
pub struct CompressedLayer {
    pub(super) inner: Arc<Compressed>,
}

#[napi]
impl CompressedLayer {
    #[napi(getter)]
    pub fn rows(&self) -> u32 {
        self.inner.rows as u32
    }

    #[napi(getter)]
    pub fn cols(&self) -> u32 {
        self.inner.cols as u32
    }

    #[napi(getter)]
    pub fn zeros(&self) -> f64 {
        self.inner.zeros as f64
    }

    /// tr(ΔHΔᵀ) / tr(WHWᵀ) of the undamped H; null where no factor was given.
    #[napi(getter)]
    pub fn error(&self) -> Option<f64> {
        self.inner.error
    }

    /// Σ (w-q)² / U_jj² / 2; null for other methods than sparsegpt.
    #[napi(getter)]
    pub fn loss(&self) -> Option<f64> {
        self.inner.loss
    }

    /// How each iteration went; null where there was none.
    #[napi(getter)]
    pub fn iterations(&self) -> Option<Vec<Iteration>> {
        let iterations = self.inner.iterations.as_ref()?;
        let told = iterations
            .iter()
            .map(|&Progress { changed, error }| Iteration { changed, error });
        Some(told.collect())
    }

    /// The weight as float32, row-major: for tests.
    #[napi(ts_return_type = "Float32Array")]
    pub fn to_f32<'env>(&self, env: &'env Env) -> Result<Float32ArraySlice<'env>> {
        Float32ArraySlice::copy_from(env, self.inner.to_f32())
    }

    /// Frees the weight now, not when JavaScript's garbage is collected; it is empty afterwards.
    #[napi]
    pub fn release(&mut self) {
        self.inner = Arc::default();
    }
}
