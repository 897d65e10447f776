//! The adapters of this machine.

use std::collections::{HashMap, HashSet};

use wgpu::{Adapter, Backends, Instance, InstanceDescriptor};

use super::device::Gpu;
use super::info::{AdapterInfo, AdapterKind, Pci};
use super::kernels::Tile;
use crate::error::{Error, Result};

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

/// The same with a tile that was measured (`rates::best_tile`).
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
