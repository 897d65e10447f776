//! The GPU, on a software adapter or the one that TAMIS_GPU names.

mod adapter;
mod admm;
mod layers;
mod linalg;
mod pieces;
mod rounding;
mod usage;

use std::sync::OnceLock;

use wgpu::naga;
use wgpu::naga::back::{hlsl, msl, spv};
use wgpu::naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use wgpu::naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

use crate::backend::Backend;
use crate::control::Control;
use crate::cpu::Cpu;
use crate::error::Result;
use crate::gpu::adapter::{list, open_with};
use crate::gpu::device::Gpu;
use crate::gpu::gram::Gram;
use crate::gpu::info::AdapterKind;
use crate::gpu::kernels::{Kernel, Tile};
use crate::gpu::matrix::Matrix;
use crate::method::factor::{Factor, Order, factorize};

const SKIPPED: &str = "skipped: no software GPU (VK_DRIVER_FILES and LD_LIBRARY_PATH name one) and no TAMIS_GPU";

/// The name of the adapter that the tests run on, in the environment variable TAMIS_GPU, or a software adapter.
fn name() -> Option<String> {
    let software = || {
        let found = list().into_iter().find(|info| info.kind == AdapterKind::Software);
        found.map(|info| info.name)
    };
    std::env::var("TAMIS_GPU").ok().or_else(software)
}

/// How many random layers are asked for by the environment variable TAMIS_GPU_SHAPES, with which all tests try more and larger ones:
/// for a real GPU (`npm run test:gpu`), because an adapter in software takes minutes for them.
fn more_shapes() -> Option<u64> {
    std::env::var("TAMIS_GPU_SHAPES")
        .ok()
        .map(|count| count.parse().unwrap())
}

/// Runs `test` on the tests' adapter, or says why not.
fn on_gpu(test: impl FnOnce(&Gpu)) {
    on_gpu_with(Tile::DEFAULT, test);
}

/// The tests share one device, because a software adapter takes seconds to make its kernels.
fn on_gpu_with(tile: Tile, test: impl FnOnce(&Gpu)) {
    static SHARED: OnceLock<Option<Gpu>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| name().map(|name| open_with(Some(&name), Tile::DEFAULT).unwrap()));
    match shared {
        Some(gpu) => test(&gpu.with_tile(tile)),
        None => println!("{SKIPPED}"),
    }
}

/// A device of its own, for a test that spoils it.
fn on_own_gpu(test: impl FnOnce(&Gpu)) {
    match name() {
        Some(name) => test(&open_with(Some(&name), Tile::DEFAULT).unwrap()),
        None => println!("{SKIPPED}"),
    }
}

fn gram(gpu: &Gpu, cols: usize, x: &[f32]) -> Gram {
    let mut gram = gpu.gram(cols).unwrap();
    gpu.add(&mut gram, x, &Control::default()).unwrap();
    gram
}

/// With the entries of `dense` [cols, cols] row-major.
fn gram_from(gpu: &Gpu, cols: usize, dense: &[f32]) -> Gram {
    let gram = Gram::new(gpu, cols).unwrap();
    gram.hi.write(gpu, dense).unwrap();
    gram
}

/// The same factor on the CPU.
fn on_cpu(factor: &Factor<Gpu>) -> Factor<Cpu> {
    let a = factor
        .scaled
        .as_ref()
        .map(|scaled| scaled.a.download(&factor.backend).unwrap());
    factor.on(Cpu, u_of(factor), a)
}

fn u_of(factor: &Factor<Gpu>) -> Vec<f32> {
    factor.u.0.download(&factor.backend).unwrap()
}

fn factor<B: Backend>(backend: &B, gram: B::Gram, order: Order) -> Result<Factor<B>> {
    factorize(backend, gram, 0.25, 0.01, order, false, &Control::default())
}

/// Whether a kernel can be told to Vulkan, DirectX and Metal, accesses checked as wgpu has them.
fn translate(module: &naga::Module, info: &ModuleInfo) -> std::result::Result<(), String> {
    let checked = BoundsCheckPolicy::Restrict;
    let bounds_check_policies = BoundsCheckPolicies {
        index: checked,
        buffer: checked,
        image_load: checked,
        binding_array: checked,
    };
    let vulkan = spv::Options {
        bounds_check_policies,
        ..spv::Options::default()
    };
    spv::write_vec(module, info, &vulkan, None).map_err(|error| format!("Vulkan: {error}"))?;
    let (directx, pipeline) = (hlsl::Options::default(), hlsl::PipelineOptions::default());
    let written = hlsl::Writer::new(&mut String::new(), &directx, &pipeline).write(module, info, None);
    written.map_err(|error| format!("DirectX: {error}"))?;
    let metal = msl::Options {
        lang_version: (2, 0),
        bounds_check_policies,
        ..msl::Options::default()
    };
    let written = msl::write_string(module, info, &metal, &msl::PipelineOptions::default());
    written.map(|_| ()).map_err(|error| format!("Metal: {error}"))
}

#[test]
fn gpu_kernels_are_valid_for_every_tile_and_platform() {
    let tiles = |kernel: &Kernel| {
        if kernel.is_tiled() {
            &Tile::ALL[..]
        } else {
            &Tile::ALL[..1]
        }
    };
    for (kernel, tile) in Kernel::ALL
        .iter()
        .flat_map(|kernel| tiles(kernel).iter().map(move |tile| (kernel, *tile)))
    {
        let module = naga::front::wgsl::parse_str(&kernel.source(tile));
        let module = module
            .unwrap_or_else(|error| panic!("{kernel:?}, {tile:?}: {}", error.emit_to_string(&kernel.source(tile))));
        let found = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
        let info = found.unwrap_or_else(|error| panic!("{kernel:?}, {tile:?}: {error:?}"));
        translate(&module, &info).unwrap_or_else(|error| panic!("{kernel:?}, {tile:?}: {error}"));
        assert!(
            module.entry_points.iter().any(|entry| entry.name == kernel.entry()),
            "{kernel:?}"
        );
    }
}

#[test]
fn gpu_kernels_depend_on_the_tile_where_they_say_so() {
    for kernel in Kernel::ALL {
        let sources = Tile::ALL.map(|tile| kernel.source(tile));
        let same = sources.iter().all(|source| *source == sources[0]);
        assert_eq!(kernel.is_tiled(), !same, "{kernel:?}");
    }
}
