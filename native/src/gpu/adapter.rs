//! The adapters of this machine.

use std::collections::{HashMap, HashSet};

use wgpu::{Adapter, Backends, DeviceType, Instance, InstanceDescriptor};

use super::device::Gpu;
use super::kernels::Tile;
use crate::error::{Error, Result};

/// What an adapter says of itself. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterInfo {
    /// No two adapters of a machine have the same.
    pub name: String,
    pub driver: String,
    /// "vulkan", "metal" or "dx12"
    pub backend: &'static str,
    pub kind: AdapterKind,
    /// Its own memory; the system's where an integrated adapter calls that its own. None where the driver does not tell.
    pub memory: Option<u64>,
    /// Where it is plugged in; None where the driver does not tell.
    pub pci: Option<Pci>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pci {
    pub vendor: u32,
    /// domain:bus:device.function, as in "0000:01:00.0"
    pub bus: String,
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
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => AdapterKind::Discrete,
            DeviceType::IntegratedGpu => AdapterKind::Integrated,
            DeviceType::VirtualGpu => AdapterKind::Virtual,
            DeviceType::Other => AdapterKind::Other,
            DeviceType::Cpu => AdapterKind::Software,
        };
        Self {
            name: info.name,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            backend: info.backend.to_str(),
            kind,
            memory: memory(adapter, kind),
            pci: (!info.device_pci_bus_id.is_empty()).then_some(Pci {
                vendor: info.vendor,
                bus: info.device_pci_bus_id,
            }),
        }
    }
}

/// Bytes of memory that the driver calls the adapter's own; None of a software adapter, which has none.
#[cfg(not(target_vendor = "apple"))]
fn memory(adapter: &Adapter, kind: AdapterKind) -> Option<u64> {
    use wgpu::hal::api::Vulkan;
    if kind == AdapterKind::Software {
        return None;
    }
    #[cfg(windows)]
    if let Some(memory) = dx12_memory(adapter, kind) {
        return Some(memory);
    }
    // SAFETY: nothing is destroyed, and the handle is the instance's own.
    let heaps = unsafe {
        let adapter = adapter.as_hal::<Vulkan>()?;
        let instance = adapter.shared_instance().raw_instance();
        instance.get_physical_device_memory_properties(adapter.raw_physical_device())
    };
    let own = |heap: &&ash::vk::MemoryHeap| heap.flags.contains(ash::vk::MemoryHeapFlags::DEVICE_LOCAL);
    let heaps = heaps.memory_heaps_as_slice().iter();
    Some(heaps.filter(own).map(|heap| heap.size).sum())
}

/// DirectX 12 tells the memory of a card; an integrated adapter's is a share of the system's, which it does not tell.
#[cfg(windows)]
fn dx12_memory(adapter: &Adapter, kind: AdapterKind) -> Option<u64> {
    if kind != AdapterKind::Discrete {
        return None;
    }
    // SAFETY: nothing is destroyed.
    let told = unsafe { adapter.as_hal::<wgpu::hal::api::Dx12>()?.raw_adapter().GetDesc() };
    Some(told.ok()?.DedicatedVideoMemory as u64)
}

/// Metal tells how much a program should use at most, and no more.
#[cfg(target_vendor = "apple")]
fn memory(_: &Adapter, _: AdapterKind) -> Option<u64> {
    None
}

/// Tells adapters of the same name apart: another backend's gets its backend's name, another one of the same backend a number.
pub(crate) fn name_apart(infos: &mut [AdapterInfo]) {
    let mut taken: HashSet<String> = HashSet::new();
    let mut first: HashMap<String, &'static str> = HashMap::new();
    for info in infos {
        let first_backend = *first.entry(info.name.clone()).or_insert(info.backend);
        if first_backend != info.backend {
            info.name = format!("{} ({})", info.name, info.backend);
        }
        let numbered = (2..).map(|n| format!("{} #{n}", info.name));
        let free = std::iter::once(info.name.clone())
            .chain(numbered)
            .find(|name| !taken.contains(name));
        info.name = free.expect("numbers do not end");
        taken.insert(info.name.clone());
    }
}

/// DirectX 12 finds a card's place by its model: of two cards of one model it gives the first's place to both, which is then neither's.
pub(crate) fn forget_shared_places(infos: &mut [AdapterInfo]) {
    let dx12 = |info: &AdapterInfo| (info.backend == "dx12").then(|| info.pci.clone()).flatten();
    let told: Vec<Pci> = infos.iter().filter_map(dx12).collect();
    for info in infos {
        if dx12(info).is_some_and(|place| told.iter().filter(|other| **other == place).count() > 1) {
            info.pci = None;
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
    let (mut infos, adapters): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    name_apart(&mut infos);
    forget_shared_places(&mut infos);
    infos.into_iter().zip(adapters).collect()
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
