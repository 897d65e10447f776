//! The Node-API surface and nothing else. Every failure is thrown as an Error whose message is `{"code": …, "params": {…}}`;
//! everything that takes long is a promise, computed in the addon's own pool.

pub mod backend;
pub mod checkpoint;
pub mod control;
pub mod cpu;
pub mod divergence;
pub mod divergence_surface;
pub mod error;
pub mod gpu;
pub mod gpu_surface;
pub mod linalg;
pub mod linalg_surface;
pub mod lock;
pub mod memory;
pub mod noise;
pub mod output;
pub mod pack;
pub mod pack_surface;
pub mod pool;
pub mod simd;
pub mod solve;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::backend::Backend;
use crate::checkpoint::{Matrix, Orientation, transposed};
use crate::error::{Error as CoreError, internal};
use crate::linalg::factor;
use crate::linalg_surface::{Factor, on_either};
use crate::solve::mask::Pattern;
use crate::solve::quantization::{Quantization, Range as CoreRange};
use crate::solve::storage::Storage as CoreStorage;
use crate::solve::target::Target;
use crate::solve::weight::{Compressed, Weight};
use crate::solve::{magnitude, sparsegpt, spectrum, statistics, wanda};

// The tests count allocations with an allocator of their own.
#[cfg(not(test))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn thrown(error: CoreError) -> Error {
    Error::from_reason(error.to_string())
}

/// A computation in the addon's own pool, whose result becomes a JavaScript value of the same type.
pub struct Job<T>(Option<Box<dyn FnOnce() -> error::Result<T> + Send>>);

impl<T: Send + ToNapiValue + TypeName + 'static> Task for Job<T> {
    type Output = T;
    type JsValue = T;

    fn compute(&mut self) -> Result<T> {
        let compute = self.0.take().expect("a task is computed once");
        // A panic may not leave through Node's frames.
        let outcome = catch_unwind(AssertUnwindSafe(|| pool::install(compute)));
        outcome
            .unwrap_or_else(|panic| Err(internal(panic_text(&*panic))))
            .map_err(thrown)
    }

    fn resolve(&mut self, _env: Env, output: T) -> Result<T> {
        Ok(output)
    }
}

fn job<T: Send + ToNapiValue + TypeName + 'static>(
    compute: impl FnOnce() -> error::Result<T> + Send + 'static,
) -> AsyncTask<Job<T>> {
    AsyncTask::new(Job(Some(Box::new(compute))))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message")
}

/// Makes the addon's pool anew with `threads` threads (0: one for each processor).
#[napi]
pub fn set_threads(threads: u32) {
    pool::set_threads(threads as usize);
}

/// The kernels that this processor gets: "avx512f", "avx2+fma", "neon" or "portable".
#[napi]
pub fn kernels() -> &'static str {
    simd::kernels()
}

/// Watches and stops tasks. A cancelled task rejects with code "cancelled".
#[napi]
#[derive(Default)]
pub struct Control {
    inner: Arc<control::Control>,
}

#[napi]
impl Control {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn cancel(&self) {
        self.inner.cancel();
    }

    /// The share of the current task that is done, 0 to 1.
    #[napi(getter)]
    pub fn progress(&self) -> f64 {
        self.inner.progress()
    }
}

/// Where one tensor lies: `offset` and `bytes` count bytes of `file`, which is absolute with symbolic links resolved.
#[napi(object)]
pub struct TensorInfo {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<f64>,
    pub file: String,
    pub offset: f64,
    pub bytes: f64,
}

/// What one pass over a tensor found; `firstNotFinite` is a row-major index, or -1.
#[napi(object)]
pub struct Scan {
    pub elements: f64,
    pub zeros: f64,
    pub first_not_finite: f64,
}

/// The tensors of one or several files, read through a memory map.
#[napi]
pub struct Checkpoint {
    inner: Arc<checkpoint::Checkpoint>,
}

#[napi]
impl Checkpoint {
    /// Opens a folder with `model.safetensors` or `pytorch_model.bin`, or the index of one of them and its shards.
    #[napi(factory)]
    pub fn open(folder: String) -> Result<Self> {
        let inner = Arc::new(checkpoint::Checkpoint::open(Path::new(&folder)).map_err(thrown)?);
        Ok(Self { inner })
    }

    /// Opens one .safetensors file of any name.
    #[napi(factory)]
    pub fn open_file(file: String) -> Result<Self> {
        let inner = Arc::new(checkpoint::Checkpoint::open_file(Path::new(&file)).map_err(thrown)?);
        Ok(Self { inner })
    }

    /// Every tensor, file by file in the order of the data.
    #[napi]
    pub fn tensors(&self) -> Vec<TensorInfo> {
        let info = |tensor: &checkpoint::Tensor| TensorInfo {
            name: tensor.name.clone(),
            dtype: tensor.dtype.name().to_owned(),
            shape: tensor.shape.iter().map(|&dimension| dimension as f64).collect(),
            file: checkpoint::display(self.inner.file_of(tensor)),
            offset: tensor.offset as f64,
            bytes: tensor.bytes as f64,
        };
        self.inner.tensors().iter().map(info).collect()
    }

    /// The elements of a small F32, F16 or BF16 tensor, row-major.
    #[napi(js_name = "readF32", ts_return_type = "Float32Array")]
    pub fn read_f32<'env>(&self, env: &'env Env, name: String) -> Result<Float32ArraySlice<'env>> {
        let elements = self.inner.tensor(&name).map_err(thrown)?.elements();
        let mut values = vec![0.0; elements];
        pool::install(|| self.inner.load_f32(&name, &mut values)).map_err(thrown)?;
        Float32ArraySlice::copy_from(env, values)
    }

    /// The elements of an I64 or I32 tensor, each exactly.
    #[napi(js_name = "readI64", ts_return_type = "Float64Array")]
    pub fn read_i64<'env>(&self, env: &'env Env, name: String) -> Result<Float64ArraySlice<'env>> {
        Float64ArraySlice::copy_from(env, self.inner.read_ids(&name).map_err(thrown)?)
    }

    /// Counts zeros and finds the first element that is not finite.
    #[napi(ts_return_type = "Promise<Scan>")]
    pub fn scan(&self, name: String, control: &Control) -> AsyncTask<Job<Scan>> {
        let (checkpoint, control) = (self.inner.clone(), control.inner.clone());
        job(move || {
            let found = checkpoint.scan(&name, &control)?;
            Ok(Scan {
                elements: found.elements as f64,
                zeros: found.zeros as f64,
                first_not_finite: found.first_not_finite.map_or(-1.0, |index| index as f64),
            })
        })
    }
}

/// A tensor to be written.
#[napi(object)]
pub struct TensorSpec {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<f64>,
}

/// Writes a safetensors file tensor by tensor, in the declared order, beside its name; `finish` gives it the name.
#[napi]
pub struct ShardWriter {
    /// None once it is finished or abandoned.
    inner: Arc<Mutex<Option<checkpoint::ShardWriter>>>,
}

#[napi]
impl ShardWriter {
    #[napi(constructor)]
    pub fn new(path: String, tensors: Vec<TensorSpec>) -> Result<Self> {
        let specs: error::Result<Vec<_>> = tensors.iter().map(|spec| declared(&path, spec)).collect();
        let writer = specs.and_then(|specs| checkpoint::ShardWriter::new(Path::new(&path), &specs));
        let inner = Arc::new(Mutex::new(Some(writer.map_err(thrown)?)));
        Ok(Self { inner })
    }

    /// Copies the tensor of the same name; it must be the next one declared.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn copy(&self, name: String, from: &Checkpoint) -> AsyncTask<Job<()>> {
        let (writer, checkpoint) = (self.inner.clone(), from.inner.clone());
        job(move || on_writer(&writer, |writer| writer.copy(&name, &checkpoint)))
    }

    /// Writes a part of a compressed layer as the tensor of this name; it must be the next one declared.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn write(
        &self,
        name: String,
        layer: &CompressedLayer,
        #[napi(ts_arg_type = "'weight' | 'transposed' | 'scales' | 'zeros' | 'g_idx'")] part: Part,
    ) -> AsyncTask<Job<()>> {
        let (writer, layer) = (self.inner.clone(), layer.inner.clone());
        job(move || on_writer(&writer, |writer| writer.write_bytes(&name, &part_bytes(&layer, part)?)))
    }

    /// Makes the file durable and gives it its name.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn finish(&self) -> AsyncTask<Job<()>> {
        let writer = self.inner.clone();
        job(move || {
            let taken = writer.lock().expect("no holder panics").take();
            taken.ok_or_else(|| internal("the shard is closed"))?.finish()
        })
    }

    /// Gives up and removes the partial file; nothing happens after `finish`.
    #[napi]
    pub fn abandon(&self) {
        drop(self.inner.lock().expect("no holder panics").take());
    }
}

/// What a compressed layer is stored as: its weight, or that transposed, [cols, rows]; where it is quantized the scales (F16 [rows, groups]), the zero points
/// (U8 [rows, groups]) and, where it is not column / group size, the group of each column (I32 [cols]).
#[napi(string_enum)]
pub enum Part {
    #[napi(value = "weight")]
    Weight,
    #[napi(value = "transposed")]
    Transposed,
    #[napi(value = "scales")]
    Scales,
    #[napi(value = "zeros")]
    Zeros,
    #[napi(value = "g_idx")]
    GroupOf,
}

fn part_bytes(layer: &Compressed, part: Part) -> error::Result<Cow<'_, [u8]>> {
    let quantized = || {
        let quantized = layer.quantization.as_ref();
        quantized.ok_or_else(|| internal("the layer is not quantized"))
    };
    Ok(match part {
        Part::Weight => Cow::Borrowed(&layer.bytes),
        Part::Transposed => Cow::Owned(transposed(&layer.bytes, layer.rows, layer.cols, layer.storage)),
        Part::Scales => Cow::Owned(quantized()?.scale_bytes()),
        Part::Zeros => Cow::Borrowed(&quantized()?.zeros),
        Part::GroupOf => {
            let groups = quantized()?.group_of.iter().flatten();
            Cow::Owned(groups.flat_map(|group| group.to_le_bytes()).collect())
        }
    })
}

fn on_writer(
    writer: &Mutex<Option<checkpoint::ShardWriter>>,
    act: impl FnOnce(&mut checkpoint::ShardWriter) -> error::Result<()>,
) -> error::Result<()> {
    let mut writer = writer.lock().expect("no holder panics");
    act(writer.as_mut().ok_or_else(|| internal("the shard is closed"))?)
}

fn declared(path: &str, spec: &TensorSpec) -> error::Result<checkpoint::TensorSpec> {
    let TensorSpec { name, dtype, shape } = spec;
    let (path, tensor) = (path.to_owned(), name.clone());
    let Some(known) = checkpoint::Dtype::of(dtype) else {
        return Err(CoreError::UnknownDtype {
            path,
            tensor,
            dtype: dtype.clone(),
        });
    };
    if let Some(bad) = shape.iter().find(|&&dimension| dimension != (dimension as u64) as f64) {
        return Err(CoreError::BadDimension {
            path,
            tensor,
            dimension: bad.to_string(),
        });
    }
    let shape = shape.iter().map(|&dimension| dimension as u64).collect();
    Ok(checkpoint::TensorSpec {
        name: tensor,
        dtype: known,
        shape,
    })
}

/// A lock on a file, held until it is released or the process ends. Error run.locked {path}.
#[napi]
pub struct FileLock {
    inner: Option<lock::FileLock>,
}

#[napi]
impl FileLock {
    #[napi(factory)]
    pub fn acquire(path: String) -> Result<Self> {
        let inner = Some(lock::FileLock::acquire(Path::new(&path)).map_err(thrown)?);
        Ok(Self { inner })
    }

    #[napi]
    pub fn release(&mut self) {
        self.inner = None;
    }
}

/// A weight [rows, cols] = [out, in] by its tensor's name. `transposed`: the file holds it as [cols, rows].
#[napi(object)]
pub struct WeightName {
    pub name: String,
    #[napi(ts_type = "boolean | undefined")]
    pub transposed: Option<bool>,
}

impl WeightName {
    fn orientation(&self) -> Orientation {
        match self.transposed {
            Some(true) => Orientation::Transposed,
            _ => Orientation::Upright,
        }
    }

    /// Errors: those of `bytes`, checkpoint.not-a-weight-dtype.
    fn load<'a>(&self, checkpoint: &'a checkpoint::Checkpoint) -> error::Result<Matrix<'a>> {
        checkpoint.matrix(&self.name, self.orientation())
    }
}

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
        statistics::outliers(&layers, m, &control)
    })
}

/// AlphaPruning: the Hill estimator of the eigenvalue spectrum of WᵀW, k = half of the eigenvalues.
#[napi(ts_return_type = "Promise<number>")]
pub fn spectrum_alpha(checkpoint: &Checkpoint, weight: WeightName, control: &Control) -> AsyncTask<Job<f64>> {
    let (checkpoint, control) = (checkpoint.inner.clone(), control.inner.clone());
    job(move || spectrum::spectrum_alpha(weight.load(&checkpoint)?.as_weight(), &control))
}

#[derive(Clone, Copy)]
#[napi(string_enum = "lowercase")]
pub enum Method {
    Sparsegpt,
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
    #[napi(ts_type = "'sparsegpt' | 'wanda' | 'magnitude'")]
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

/// Compresses one layer; `factor` (that of its input) may be null for magnitude. Error numeric.not-finite {row}: of the weight.
#[napi(ts_return_type = "Promise<CompressedLayer>")]
pub fn prune(
    checkpoint: &Checkpoint,
    weight: WeightName,
    factor: Option<&Factor>,
    options: PruneOptions,
    control: &Control,
) -> AsyncTask<Job<CompressedLayer>> {
    let factor = factor.map(|factor| factor.inner.clone());
    let (checkpoint, control) = (checkpoint.inner.clone(), control.inner.clone());
    job(move || {
        let loaded = weight.load(&checkpoint)?;
        let weight = loaded.as_weight();
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
            None => compress(options.method, weight, None::<&factor::Factor>, &target, &control),
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
        Method::Wanda => wanda::wanda(weight, needed()?, target, control),
        Method::Magnitude => magnitude::magnitude(weight, factor, target, control),
    }
}

/// A compressed weight [rows, cols] in the bytes that it is stored in, with the scales and zero points of its codes where it is
/// quantized.
#[napi]
pub struct CompressedLayer {
    inner: Arc<Compressed>,
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

/// Hands the memory back to the system that the C library keeps of what was freed.
#[napi]
pub fn release_freed_memory() {
    memory::release_freed();
}

/// Watches the anonymous resident memory of this process, from its making on.
#[napi]
pub struct MemorySampler {
    inner: memory::MemorySampler,
}

#[napi]
impl MemorySampler {
    #[napi(constructor)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            inner: memory::MemorySampler::start(),
        }
    }

    /// Ends the sampling and returns the highest value seen, in bytes; 0 where the operating system does not tell.
    #[napi]
    pub fn stop(&mut self) -> f64 {
        self.inner.stop() as f64
    }
}
