//! The Node-API surface of Gram matrices and their factors, on the CPU or on a GPU.

use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::gpu::Gpu;
use super::task::{Control, Job, job, thrown};
use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::cpu::targets;
use crate::error::{self, internal};
use crate::gpu;
use crate::method::factor;

/// Something of either backend.
pub enum Either<C, G> {
    Cpu(C),
    Gpu(G),
}

/// Does the same with whichever it is.
macro_rules! on_either {
    ($either:expr, $name:ident => $body:expr) => {
        match $either {
            $crate::surface::factor::Either::Cpu($name) => $body,
            $crate::surface::factor::Either::Gpu($name) => $body,
        }
    };
}
pub(crate) use on_either;

/// A backend's Gram matrix, with the backend.
struct Sums<B: Backend> {
    backend: B,
    gram: B::Gram,
}

impl<B: Backend> Sums<B> {
    fn new(backend: B, cols: usize) -> error::Result<Self> {
        let gram = backend.gram(cols)?;
        Ok(Self { backend, gram })
    }
}

type AnyGram = Either<Sums<Cpu>, Sums<gpu::Gpu>>;

/// The sum of xᵀ x over the tokens added so far.
#[napi]
pub struct Gram {
    cols: u32,
    /// None once it has been factored.
    inner: Arc<Mutex<Option<AnyGram>>>,
}

#[napi]
impl Gram {
    /// With a `gpu` it lies there, and so does what is made of it. Errors gpu.too-large, gpu.out-of-memory, gpu.lost.
    #[napi(constructor)]
    pub fn new(cols: u32, #[napi(ts_arg_type = "Gpu | null | undefined")] gpu: Option<&Gpu>) -> Result<Self> {
        let size = cols as usize;
        let gram = match gpu {
            None => Either::Cpu(Sums::new(Cpu, size).map_err(thrown)?),
            Some(gpu) => Either::Gpu(Sums::new(gpu.inner.clone(), size).map_err(thrown)?),
        };
        Ok(Self {
            cols,
            inner: Arc::new(Mutex::new(Some(gram))),
        })
    }

    /// Adds xᵀ x; x [rows, cols] row-major, not to be changed meanwhile. Error numeric.not-finite {row}.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn add(&self, x: Float32Array, rows: u32, control: &Control) -> AsyncTask<Job<()>> {
        let (inner, control, cols) = (self.inner.clone(), control.inner.clone(), self.cols as usize);
        job(move || {
            if x.len() != rows as usize * cols {
                return Err(internal("the array does not hold that many rows"));
            }
            let mut guard = inner.lock().expect("no holder panics");
            let gram = guard.as_mut();
            let gram = gram.ok_or_else(|| internal("the Gram matrix has been factored"))?;
            on_either!(gram, sums => sums.backend.add(&mut sums.gram, &x, &control))
        })
    }

    #[napi(getter)]
    pub fn cols(&self) -> u32 {
        self.cols
    }

    /// Frees the sums now, not when JavaScript's garbage is collected; nothing can be added to them afterwards.
    #[napi]
    pub fn release(&mut self) {
        self.inner = Arc::default();
    }
}

pub(crate) type AnyFactor = Either<factor::Factor<Cpu>, factor::Factor<gpu::Gpu>>;

impl Default for AnyFactor {
    fn default() -> Self {
        Self::Cpu(factor::Factor::default())
    }
}

/// U, upper triangular, UᵀU = H⁻¹ of a damped Hessian.
#[napi]
pub struct Factor {
    pub(crate) inner: Arc<AnyFactor>,
    /// What layers' weights are moved by before they are compressed.
    pub(super) shift: Option<Arc<targets::Shift>>,
}

#[napi]
impl Factor {
    #[napi(getter)]
    pub fn cols(&self) -> u32 {
        on_either!(&*self.inner, factor => factor.cols as u32)
    }

    /// What was added to the Hessian's diagonal.
    #[napi(getter)]
    pub fn damping(&self) -> f64 {
        on_either!(&*self.inner, factor => factor.damping)
    }

    /// How often the damping had to be multiplied by 10.
    #[napi(getter)]
    pub fn retries(&self) -> u32 {
        on_either!(&*self.inner, factor => factor.retries)
    }

    /// The same factor on the CPU, for layers that the GPU refuses with gpu.too-large or gpu.pattern; itself, if it is there.
    #[napi(ts_return_type = "Promise<Factor>")]
    pub fn to_cpu(&self) -> AsyncTask<Job<Factor>> {
        let (factor, shift) = (self.inner.clone(), self.shift.clone());
        job(move || {
            let inner = match &*factor {
                Either::Cpu(_) => factor.clone(),
                Either::Gpu(factor) => {
                    let gpu = &factor.backend;
                    let a = factor.scaled.as_ref().map(|scaled| scaled.a.download(gpu));
                    Arc::new(Either::Cpu(factor.on(Cpu, factor.u.0.download(gpu)?, a.transpose()?)))
                }
            };
            Ok(Factor { inner, shift })
        })
    }

    /// The same factor for layers that are to make up for a drift D = scale * its sums (scale = 2 / sequences), K what its halves agree on:
    /// what is compressed is W + `share` W K D H⁻¹ where it is that of their inputs, W + `share` K D H⁻¹ where it is that of what their
    /// output has been added to. It is computed on the CPU.
    #[napi(ts_return_type = "Promise<Factor>")]
    pub fn aimed(&self, drift: &Drift, scale: f64, share: f64, control: &Control) -> AsyncTask<Job<Factor>> {
        let (factor, drift, control) = (self.inner.clone(), drift.inner.clone(), control.inner.clone());
        job(move || {
            let guard = drift.lock().expect("no holder panics");
            let drift = guard.as_ref().ok_or_else(|| internal("the sums have been released"))?;
            let shift = match &*factor {
                Either::Cpu(cpu) => drift.shift(&cpu.u, cpu.order.as_deref(), scale, share, &control)?,
                Either::Gpu(gpu) => {
                    let u = gpu.u.0.download(&gpu.backend)?;
                    drift.shift(&u, gpu.order.as_deref(), scale, share, &control)?
                }
            };
            Ok(Factor {
                inner: factor,
                shift: Some(Arc::new(shift)),
            })
        })
    }

    /// Frees U now, not when JavaScript's garbage is collected; nothing can be done with the factor afterwards.
    #[napi]
    pub fn release(&mut self) {
        self.inner = Arc::default();
        self.shift = None;
    }
}

/// The sums of (y - ŷ)ᵀ x̂ over the tokens of two halves added so far, x̂ what a layer reads in the compressed model; y and ŷ what it reads
/// itself in the dense model and in the compressed one, or what its output has been added to. On the CPU.
#[napi]
pub struct Drift {
    cols: u32,
    /// Of y.
    rows: u32,
    inner: Arc<Mutex<Option<targets::Drift>>>,
}

#[napi]
impl Drift {
    /// With `rows` it is the drift of what a layer's output, so many rows, has been added to; without, that of the layer's inputs.
    #[napi(constructor)]
    pub fn new(cols: u32, #[napi(ts_arg_type = "number | null | undefined")] rows: Option<u32>) -> Self {
        let drift = match rows {
            None => targets::Drift::of_inputs(cols as usize),
            Some(rows) => targets::Drift::of_sums(rows as usize, cols as usize),
        };
        Self {
            cols,
            rows: rows.unwrap_or(cols),
            inner: Arc::new(Mutex::new(Some(drift))),
        }
    }

    /// Adds (y - ŷ)ᵀ x̂ to half 0 or 1: y and ŷ [tokens, rows], x̂ [tokens, cols], row-major, not to be changed meanwhile; of inputs x̂ is ŷ.
    /// Error numeric.not-finite {row}: of y.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn add(
        &self,
        half: u32,
        dense: Float32Array,
        compressed: Float32Array,
        x: Float32Array,
        tokens: u32,
        control: &Control,
    ) -> AsyncTask<Job<()>> {
        let (inner, control) = (self.inner.clone(), control.inner.clone());
        let (rows, cols, tokens) = (self.rows as usize, self.cols as usize, tokens as usize);
        job(move || {
            if dense.len() != tokens * rows || compressed.len() != dense.len() || x.len() != tokens * cols {
                return Err(internal("the arrays do not hold that many rows"));
            }
            let mut guard = inner.lock().expect("no holder panics");
            let drift = guard.as_mut().ok_or_else(|| internal("the sums have been released"))?;
            drift.add(half as usize, &dense, &compressed, &x, &control)
        })
    }

    /// Frees the sums now, not when JavaScript's garbage is collected; nothing can be done with them afterwards.
    #[napi]
    pub fn release(&mut self) {
        self.inner = Arc::default();
    }
}

/// In which order a layer's columns are compressed: as they are, or by descending diagonal of the Hessian.
#[napi(string_enum = "kebab-case")]
pub enum Order {
    Natural,
    ActOrder,
}

impl From<Order> for factor::Order {
    fn from(order: Order) -> Self {
        match order {
            Order::Natural => Self::Natural,
            Order::ActOrder => Self::Activity,
        }
    }
}

/// Factors H = scale * gram (scale = 2 / sequences) where it lies and frees the Gram matrix, to which nothing can be added afterwards.
/// With `keeps_hessian` the factor has H as well, which ADMM needs.
/// Error factor.not-positive-definite {} after two retries.
#[napi(ts_return_type = "Promise<Factor>")]
pub fn factorize(
    gram: &Gram,
    scale: f64,
    percdamp: f64,
    #[napi(ts_arg_type = "'natural' | 'act-order'")] order: Order,
    keeps_hessian: bool,
    control: &Control,
) -> AsyncTask<Job<Factor>> {
    let (gram, control) = (gram.inner.clone(), control.inner.clone());
    job(move || {
        let gram = gram.lock().expect("no holder panics").take();
        let gram = gram.ok_or_else(|| internal("the Gram matrix has been factored"))?;
        let order = order.into();
        let inner = match gram {
            Either::Cpu(Sums { backend, gram }) => Either::Cpu(factor::factorize(
                &backend,
                gram,
                scale,
                percdamp,
                order,
                keeps_hessian,
                &control,
            )?),
            Either::Gpu(Sums { backend, gram }) => Either::Gpu(factor::factorize(
                &backend,
                gram,
                scale,
                percdamp,
                order,
                keeps_hessian,
                &control,
            )?),
        };
        Ok(Factor {
            inner: Arc::new(inner),
            shift: None,
        })
    })
}
