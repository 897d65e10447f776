//! How adapters are named, and what is told of their use.

use std::fs::{create_dir_all, remove_dir_all, write};

use super::*;
use crate::gpu::adapter::{forget_shared_places, name_apart};
use crate::gpu::info::{AdapterInfo, Pci};
use crate::gpu::usage::{self, Usage, of_amd};

const BUS: &str = "0000:03:00.0";

fn adapter(name: &str, backend: &'static str, pci: Option<Pci>) -> AdapterInfo {
    AdapterInfo {
        name: name.to_owned(),
        driver: String::new(),
        backend,
        kind: AdapterKind::Discrete,
        memory: None,
        pci,
    }
}

fn pci(vendor: u32, bus: &str) -> Option<Pci> {
    let bus = bus.to_owned();
    Some(Pci { vendor, bus })
}

#[test]
fn gpu_usage_is_read_as_amdgpu_tells_it() {
    let sys = std::env::temp_dir().join(format!("tamis-sys-{}", std::process::id()));
    let folder = sys.join("bus/pci/devices").join(BUS);
    create_dir_all(&folder).unwrap();
    write(folder.join("mem_info_vram_used"), "17163091968\n").unwrap();
    let memory = Some(17_163_091_968);
    let told = |utilization| Usage { memory, utilization };
    assert_eq!(
        of_amd(&sys, BUS),
        told(None),
        "an adapter whose driver does not measure it"
    );
    write(folder.join("gpu_busy_percent"), "37\n").unwrap();
    assert_eq!(of_amd(&sys, BUS), told(Some(0.37)));
    assert_eq!(of_amd(&sys, "0000:04:00.0"), Usage::default(), "no such place");
    write(folder.join("gpu_busy_percent"), "busy\n").unwrap();
    assert_eq!(of_amd(&sys, BUS), told(None), "no number");
    remove_dir_all(sys).unwrap();
}

#[test]
fn gpu_usage_is_unknown_where_nobody_tells() {
    for pci in [
        None,
        pci(0x8086, BUS),
        pci(0x10de, "ffff:ff:1f.7"),
        pci(0x1002, "ffff:ff:1f.7"),
    ] {
        assert_eq!(usage::of(&adapter("x", "vulkan", pci)), Usage::default());
    }
}

#[test]
fn gpu_names_are_told_apart() {
    let named = |all: &[(&str, &'static str)]| {
        let mut infos: Vec<_> = all.iter().map(|(name, backend)| adapter(name, backend, None)).collect();
        name_apart(&mut infos);
        infos.into_iter().map(|info| info.name).collect::<Vec<_>>()
    };
    let (v, d) = ("vulkan", "dx12");
    assert_eq!(
        named(&[("A", v), ("B", v), ("A", v), ("A", v)]),
        ["A", "B", "A #2", "A #3"]
    );
    assert_eq!(
        named(&[("A", v), ("A", v), ("A", d), ("A", d)]),
        ["A", "A #2", "A (dx12)", "A (dx12) #2"]
    );
    assert_eq!(named(&[("A", v), ("A #2", v), ("A", v)]), ["A", "A #2", "A #3"]);
}

#[test]
fn gpu_places_that_two_cards_are_given_are_neither_s() {
    let mut infos = [
        adapter("A", "vulkan", pci(0x10de, BUS)),
        adapter("A", "dx12", pci(0x10de, BUS)),
        adapter("B", "dx12", pci(0x10de, "0000:05:00.0")),
        adapter("B", "dx12", pci(0x10de, "0000:05:00.0")),
    ];
    forget_shared_places(&mut infos);
    assert_eq!(infos.map(|info| info.pci.is_some()), [true, true, false, false]);
}
