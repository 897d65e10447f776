//! The Node-API surface of checkpoints that are read.

use std::path::Path;
use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::task::{Control, Job, job, thrown};
use crate::checkpoint::{self, Matrix, Orientation};
use crate::error::{self, display};
use crate::machine::pool;

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
    pub(super) inner: Arc<checkpoint::Checkpoint>,
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
            file: display(self.inner.file_of(tensor)),
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

/// A weight [rows, cols] = [out, in] by its tensor's name. `transposed`: the file holds it as [cols, rows].
#[napi(object)]
pub struct WeightName {
    pub name: String,
    #[napi(ts_type = "boolean | undefined")]
    pub transposed: Option<bool>,
}

impl WeightName {
    pub(super) fn orientation(&self) -> Orientation {
        match self.transposed {
            Some(true) => Orientation::Transposed,
            _ => Orientation::Upright,
        }
    }

    /// Errors: those of `bytes`, checkpoint.not-a-weight-dtype.
    pub(super) fn load<'a>(&self, checkpoint: &'a checkpoint::Checkpoint) -> error::Result<Matrix<'a>> {
        checkpoint.matrix(&self.name, self.orientation())
    }
}
