//! The Node-API surface of GPUs.

use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::gpu::adapter::{self, AdapterKind};
use crate::gpu::measure;
use crate::{Job, gpu, job};

/// What an adapter says of itself.
#[napi(object, object_from_js = false)]
pub struct Adapter {
    pub name: String,
    pub driver: String,
    /// "vulkan", "metal" or "dx12"
    pub backend: String,
    #[napi(ts_type = "'discrete' | 'integrated' | 'virtual' | 'other' | 'software'")]
    pub kind: String,
    /// Bytes of the largest matrix that it can compute with; a larger layer is the CPU's.
    pub largest_matrix: f64,
}

/// All adapters of this machine, the preferred ones first; empty where there is no driver.
#[napi(ts_return_type = "Promise<Adapter[]>")]
pub fn list_adapters() -> AsyncTask<Job<Vec<Adapter>>> {
    job(|| {
        let surface = |info: adapter::AdapterInfo| Adapter {
            name: info.name,
            driver: info.driver,
            backend: info.backend.to_owned(),
            kind: kind_name(info.kind).to_owned(),
            largest_matrix: info.largest_matrix as f64,
        };
        Ok(adapter::list().into_iter().map(surface).collect())
    })
}

fn kind_name(kind: AdapterKind) -> &'static str {
    match kind {
        AdapterKind::Discrete => "discrete",
        AdapterKind::Integrated => "integrated",
        AdapterKind::Virtual => "virtual",
        AdapterKind::Other => "other",
        AdapterKind::Software => "software",
    }
}

/// An open adapter. What is made on it stays there; errors gpu.lost, gpu.out-of-memory, gpu.failed.
#[napi]
pub struct Gpu {
    pub(crate) inner: gpu::Gpu,
}

/// Opens the adapter of this name; without one the preferred one, which a software adapter never is. Errors gpu.no-adapter {adapter},
/// gpu.not-usable {adapter, reason}.
#[napi(ts_return_type = "Promise<Gpu>")]
pub fn open_gpu(name: Option<String>) -> AsyncTask<Job<Gpu>> {
    job(move || {
        let inner = adapter::open(name.as_deref())?;
        Ok(Gpu { inner })
    })
}

#[napi]
impl Gpu {
    #[napi(getter)]
    pub fn name(&self) -> &str {
        self.inner.name()
    }

    /// Compresses a small layer here and on the CPU and compares them. Error gpu.failed where they differ.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn self_test(&self) -> AsyncTask<Job<()>> {
        let gpu = self.inner.clone();
        job(move || measure::self_test(&gpu))
    }

    /// Floating-point operations a second of a product of two matrices.
    #[napi(ts_return_type = "Promise<number>")]
    pub fn product_rate(&self) -> AsyncTask<Job<f64>> {
        let gpu = self.inner.clone();
        job(move || measure::product_rate(&gpu))
    }

    /// Bytes a second between this machine's memory and the adapter's: sent, then fetched.
    #[napi(ts_return_type = "Promise<number>")]
    pub fn transfer_rate(&self) -> AsyncTask<Job<f64>> {
        let gpu = self.inner.clone();
        job(move || measure::transfer_rate(&gpu))
    }

    /// Gives the device up and frees its memory; everything made on it fails with gpu.lost afterwards.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close(&self) -> AsyncTask<Job<()>> {
        let gpu = self.inner.clone();
        job(move || {
            gpu.close();
            Ok(())
        })
    }
}
