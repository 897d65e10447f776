//! Adapters that are missing, lost or full, and the rates of one that works.

use super::*;
use crate::error::Error;
use crate::gpu::adapter::open;
use crate::gpu::info::AdapterInfo;

#[test]
fn gpu_software_adapters_are_opened_by_name_only() {
    let adapters = list();
    println!("{adapters:?}");
    for AdapterInfo { kind, memory, .. } in &adapters {
        assert!(*kind != AdapterKind::Software || memory.is_none());
    }
    if adapters.iter().all(|info| info.kind == AdapterKind::Software) {
        let adapter = "auto".to_owned();
        assert_eq!(open(None).err(), Some(Error::NoAdapter { adapter }));
    }
    let adapter = "none of this name".to_owned();
    assert_eq!(open(Some(&adapter)).err(), Some(Error::NoAdapter { adapter }));
    on_gpu(|gpu| assert_eq!(Some(gpu.name()), name().as_deref()));
}

#[test]
fn gpu_that_is_lost_is_an_error() {
    on_own_gpu(|gpu| {
        let x = vec![1.0; 64];
        let mut sums = gram(gpu, 8, &x);
        gpu.close();
        let lost = |error: Option<Error>| {
            assert!(matches!(error, Some(Error::GpuLost { .. })), "{error:?}");
        };
        let control = Control::default();
        lost(gpu.diagonal(&sums).err());
        lost(gpu.add(&mut sums, &x, &control).err());
        lost(gpu.gram(8).err());
        lost(factorize(gpu, sums, 1.0, 0.01, Order::Natural, false, &control).err());
    });
}

#[test]
fn gpu_that_has_too_little_memory_is_an_error() {
    on_own_gpu(|gpu| {
        let refused = gpu.buffer(1 << 40).err();
        assert!(
            matches!(refused, Some(Error::GpuTooLarge { size, .. }) if size == 4 << 40),
            "{refused:?}"
        );
        assert!(gpu.buffer(1).is_ok(), "the device goes on");
        gpu.exhaust();
        assert!(matches!(gpu.buffer(1).err(), Some(Error::GpuOutOfMemory { .. })));
    });
}

#[test]
fn gpu_tasks_stop_when_they_are_cancelled() {
    on_gpu(|gpu| {
        let x = vec![1.0; 64];
        let mut sums = gram(gpu, 8, &x);
        let control = Control::default();
        control.cancel();
        assert_eq!(gpu.add(&mut sums, &x, &control), Err(Error::Cancelled {}));
        let refused = factorize(gpu, sums, 1.0, 0.01, Order::Natural, false, &control);
        assert_eq!(refused.err(), Some(Error::Cancelled {}));
    });
}

#[test]
fn gpu_passes_its_self_test() {
    use crate::self_test::self_test;
    on_gpu(|gpu| assert_eq!(self_test(gpu), Ok(())));
}

/// Sent and fetched: within what any bus does, so that neither seconds nor bytes are counted in another unit.
#[test]
fn gpu_transfers_have_a_rate() {
    use crate::gpu::rates::transfer_rate;
    on_gpu(|gpu| {
        let rate = transfer_rate(gpu).unwrap();
        println!("{:.2} GB/s there and back", rate / 1e9);
        assert!((1e7..1e12).contains(&rate), "{rate}");
    });
}

#[test]
fn gpu_tiles_are_measured_and_named() {
    use crate::gpu::rates::best_tile;
    assert_eq!(
        Tile::ALL.map(|tile| Tile::named(&tile.to_string())),
        Tile::ALL.map(Some)
    );
    assert_eq!(Tile::named("8x8x17"), None);
    on_gpu(|gpu| {
        let start = std::time::Instant::now();
        let best = best_tile(gpu).unwrap();
        println!("{best} is the best, found in {:.2} s", start.elapsed().as_secs_f64());
        assert!(Tile::ALL.contains(&best));
    });
}
