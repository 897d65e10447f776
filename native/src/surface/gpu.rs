//! The Node-API surface of GPUs.

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::task::{Job, job};
use crate::error::internal;
use crate::gpu::adapter;
use crate::gpu::info::{AdapterInfo, AdapterKind};
use crate::gpu::usage::Usage;
use crate::gpu::{self, Tile, rates, usage};
use crate::self_test::self_test;

/// What an adapter says of itself.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct Adapter {
    pub name: String,
    pub driver: String,
    /// "vulkan", "metal" or "dx12"
    pub backend: String,
    #[napi(ts_type = "'discrete' | 'integrated' | 'virtual' | 'other' | 'software'")]
    pub kind: String,
    /// Bytes of its own memory; null where the driver does not tell, and of a software adapter.
    pub memory_bytes: Option<f64>,
}

/// What of an adapter is in use, by all programs together; null where the platform does not tell.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct GpuUsage {
    pub memory_bytes: Option<f64>,
    /// Share of the last moment (up to a second) in which it worked, 0 to 1.
    pub utilization: Option<f64>,
}

impl From<&AdapterInfo> for Adapter {
    fn from(info: &AdapterInfo) -> Self {
        Self {
            name: info.name.clone(),
            driver: info.driver.clone(),
            backend: info.backend.to_owned(),
            kind: kind_name(info.kind).to_owned(),
            memory_bytes: info.memory.map(|bytes| bytes as f64),
        }
    }
}

/// All adapters of this machine, the preferred ones first; empty where there is no driver.
#[napi(ts_return_type = "Promise<Adapter[]>")]
pub fn list_adapters() -> AsyncTask<Job<Vec<Adapter>>> {
    job(|| Ok(adapter::list().iter().map(Adapter::from).collect()))
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

/// Opens the adapter of this name; without one the preferred one, which a software adapter never is. `tile`: what bestTile() told of
/// this adapter. Errors gpu.no-adapter {adapter}, gpu.not-usable {adapter, reason}.
#[napi(ts_return_type = "Promise<Gpu>")]
pub fn open_gpu(name: Option<String>, tile: Option<String>) -> AsyncTask<Job<Gpu>> {
    job(move || {
        let tile = match tile {
            Some(name) => Tile::named(&name).ok_or_else(|| internal(&format!("no tile is called {name}")))?,
            None => Tile::DEFAULT,
        };
        let inner = adapter::open_with(name.as_deref(), tile)?;
        Ok(Gpu { inner })
    })
}

/// The names of the tiles that products may be computed in.
#[napi]
pub fn tiles() -> Vec<String> {
    Tile::ALL.iter().map(Tile::to_string).collect()
}

#[napi]
impl Gpu {
    #[napi(getter)]
    pub fn name(&self) -> &str {
        self.inner.name()
    }

    #[napi(getter)]
    pub fn adapter(&self) -> Adapter {
        self.inner.adapter().into()
    }

    /// What of it is in use now: takes a millisecond or so, the first time more.
    #[napi(ts_return_type = "Promise<GpuUsage>")]
    pub fn usage(&self) -> AsyncTask<Job<GpuUsage>> {
        let gpu = self.inner.clone();
        job(move || {
            let Usage { memory, utilization } = usage::of(gpu.adapter());
            Ok(GpuUsage {
                memory_bytes: memory.map(|bytes| bytes as f64),
                utilization,
            })
        })
    }

    /// Compresses a small layer here and on the CPU and compares them. Error gpu.failed where they differ.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn self_test(&self) -> AsyncTask<Job<()>> {
        let gpu = self.inner.clone();
        job(move || self_test(&gpu))
    }

    /// Floating-point operations a second of a product of two matrices.
    #[napi(ts_return_type = "Promise<number>")]
    pub fn product_rate(&self) -> AsyncTask<Job<f64>> {
        let gpu = self.inner.clone();
        job(move || rates::product_rate(&gpu))
    }

    /// Bytes a second between this machine's memory and the adapter's: sent, then fetched.
    #[napi(ts_return_type = "Promise<number>")]
    pub fn transfer_rate(&self) -> AsyncTask<Job<f64>> {
        let gpu = self.inner.clone();
        job(move || rates::transfer_rate(&gpu))
    }

    /// The tile that products are computed in.
    #[napi(getter)]
    pub fn tile(&self) -> String {
        self.inner.tile().to_string()
    }

    /// The name of the tile with which products take the least time here, measured in a second at most. It changes times only, no
    /// results.
    #[napi(ts_return_type = "Promise<string>")]
    pub fn best_tile(&self) -> AsyncTask<Job<String>> {
        let gpu = self.inner.clone();
        job(move || rates::best_tile(&gpu).map(|tile| tile.to_string()))
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
