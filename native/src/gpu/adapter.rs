//! The adapters of this machine.

use wgpu::{Adapter, Backends, DeviceType, Instance, InstanceDescriptor};

use super::device::{Gpu, largest_buffer};
use super::kernels::Tile;
use crate::error::{Error, Result};

/// What an adapter says of itself. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterInfo {
    pub name: String,
    pub driver: String,
    /// "vulkan", "metal" or "dx12"
    pub backend: &'static str,
    pub kind: AdapterKind,
    /// The largest matrix that its kernels can work on.
    pub largest_matrix: u64,
}

/// The order is that of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdapterKind {
    Discrete,
    Integrated,
    Virtual,
    Other,
    /// A program that plays the GPU on the CPU: never chosen unless it is named.
    Software,
}

impl AdapterInfo {
    fn of(adapter: &Adapter) -> Self {
        let info = adapter.get_info();
        Self {
            name: info.name,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            backend: info.backend.to_str(),
            kind: match info.device_type {
                DeviceType::DiscreteGpu => AdapterKind::Discrete,
                DeviceType::IntegratedGpu => AdapterKind::Integrated,
                DeviceType::VirtualGpu => AdapterKind::Virtual,
                DeviceType::Other => AdapterKind::Other,
                DeviceType::Cpu => AdapterKind::Software,
            },
            largest_matrix: largest_buffer(&adapter.limits()),
        }
    }
}

/// All adapters of this machine, the preferred ones first.
fn adapters() -> Vec<(AdapterInfo, Adapter)> {
    let instance = Instance::new(InstanceDescriptor::new_without_display_handle());
    let found = pollster::block_on(instance.enumerate_adapters(Backends::PRIMARY));
    let mut found: Vec<_> = found
        .into_iter()
        .map(|adapter| (AdapterInfo::of(&adapter), adapter))
        .collect();
    found.sort_by_key(|(info, _)| info.kind);
    found
}

pub fn list() -> Vec<AdapterInfo> {
    adapters().into_iter().map(|(info, _)| info).collect()
}

/// Opens the adapter of this name, or the preferred one, which a software adapter never is. Errors: `NoAdapter`, `GpuNotUsable`.
pub fn open(name: Option<&str>) -> Result<Gpu> {
    open_with(name, Tile::DEFAULT)
}

/// The same with a tile that was measured (`measure::best_tile`).
pub fn open_with(name: Option<&str>, tile: Tile) -> Result<Gpu> {
    let is_wanted = |info: &AdapterInfo| match name {
        Some(name) => info.name == name,
        None => info.kind != AdapterKind::Software,
    };
    let found = adapters().into_iter().find(|(info, _)| is_wanted(info));
    let no_adapter = || Error::NoAdapter {
        adapter: name.unwrap_or("auto").to_owned(),
    };
    let (info, adapter) = found.ok_or_else(no_adapter)?;
    Gpu::open(info, &adapter, tile)
}
