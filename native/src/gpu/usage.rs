//! What of an adapter is in use, by all programs together, where its driver tells.

use std::fs::read_to_string;
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;

use nvml_wrapper::Nvml;

use super::info::{AdapterInfo, Pci};

const NVIDIA: u32 = 0x10de;
const AMD: u32 = 0x1002;

/// None is what the platform does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Bytes of the adapter's own memory.
    pub memory: Option<u64>,
    /// Share of the driver's last measuring period, of a second at most, in which the adapter worked; 0 to 1.
    pub utilization: Option<f64>,
}

pub fn of(adapter: &AdapterInfo) -> Usage {
    match &adapter.pci {
        Some(Pci { vendor: NVIDIA, bus }) => of_nvidia(bus),
        Some(Pci { vendor: AMD, bus }) => of_amd(Path::new("/sys"), bus),
        _ => Usage::default(),
    }
}

/// As NVML tells, a library of NVIDIA's driver on Linux and Windows. It is loaded once, and never where there is no such GPU.
fn of_nvidia(bus: &str) -> Usage {
    static NVML: OnceLock<Option<Nvml>> = OnceLock::new();
    let nvml = NVML.get_or_init(|| Nvml::init().ok()).as_ref();
    let Some(device) = nvml.and_then(|nvml| nvml.device_by_pci_bus_id(bus).ok()) else {
        return Usage::default();
    };
    Usage {
        memory: device.memory_info().ok().map(|memory| memory.used),
        utilization: device.utilization_rates().ok().map(|rates| share(rates.gpu)),
    }
}

/// As Linux's amdgpu tells, in files under `sys`: "/sys".
pub(crate) fn of_amd(sys: &Path, bus: &str) -> Usage {
    let folder = sys.join("bus/pci/devices").join(bus);
    Usage {
        memory: number(&folder.join("mem_info_vram_used")),
        utilization: number(&folder.join("gpu_busy_percent")).map(share),
    }
}

fn share(percent: u32) -> f64 {
    f64::from(percent) / 100.0
}

fn number<T: FromStr>(file: &Path) -> Option<T> {
    read_to_string(file).ok()?.trim().parse().ok()
}
