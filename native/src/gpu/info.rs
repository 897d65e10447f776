//! What an adapter tells of itself.

use wgpu::{Adapter, DeviceType};

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
    pub fn of(adapter: &Adapter) -> Self {
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
