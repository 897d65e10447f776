use super::adapter::{AdapterKind, list, open, open_with};
use super::device::Gpu;
use super::gram::Gram;
use super::kernels::{Kernel, Tile};
use super::product::{Operands, Part, Product};
use crate::backend::Backend;
use crate::control::Control;
use crate::cpu::Cpu;
use crate::error::{Error, Result};
use crate::linalg::factor::{Factor, Order, factorize};
use crate::linalg::tests::{Noise, gram_of, inputs};
use crate::solve::mask::Pattern;
use crate::solve::quantization::{Quantization, Range};
use crate::solve::sparsegpt::sparsegpt;
use crate::solve::statistics::layer_statistics;
use crate::solve::storage::Storage;
use crate::solve::target::Target;
use crate::solve::tests::{Golden, close, distance, zeros};
use crate::solve::weight::{Compressed, Weight};

/// The name of the adapter that the tests run on, in the environment variable TAMIS_GPU, or a software adapter.
fn name() -> Option<String> {
    let software = || {
        let found = list().into_iter().find(|info| info.kind == AdapterKind::Software);
        found.map(|info| info.name)
    };
    std::env::var("TAMIS_GPU").ok().or_else(software)
}

/// Runs `test` on the tests' adapter, or says why not.
fn on_gpu(test: impl Fn(&Gpu)) {
    on_gpu_with(Tile::DEFAULT, test);
}

fn on_gpu_with(tile: Tile, test: impl Fn(&Gpu)) {
    match name() {
        Some(name) => test(&open_with(Some(&name), tile).unwrap()),
        None => println!("skipped: no software GPU (VK_DRIVER_FILES and LD_LIBRARY_PATH name one) and no TAMIS_GPU"),
    }
}

#[test]
fn gpu_kernels_are_valid_for_every_tile() {
    use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
    for (kernel, tile) in Kernel::ALL
        .iter()
        .flat_map(|kernel| Tile::ALL.map(|tile| (kernel, tile)))
    {
        let module = wgpu::naga::front::wgsl::parse_str(&kernel.source(tile));
        let module = module
            .unwrap_or_else(|error| panic!("{kernel:?}, {tile:?}: {}", error.emit_to_string(&kernel.source(tile))));
        let found = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
        found.unwrap_or_else(|error| panic!("{kernel:?}, {tile:?}: {error:?}"));
        assert!(
            module.entry_points.iter().any(|entry| entry.name == kernel.entry()),
            "{kernel:?}"
        );
    }
}

#[test]
fn gpu_products_are_those_of_float64() {
    let mut noise = Noise(4);
    for tile in Tile::ALL {
        on_gpu_with(tile, |gpu| {
            for (m, n, k) in [(1, 1, 1), (64, 64, 16), (65, 63, 17), (130, 7, 33), (3, 200, 128)] {
                let (a, b, c) = (noise_of(k * m, 1), noise_of(k * n, 2), noise_of(m * n, 3));
                let (buffer_a, buffer_b) = (gpu.buffer_of(&a).unwrap(), gpu.buffer_of(&b).unwrap());
                for (accumulate, alpha) in [(false, 1.0), (true, -1.0)] {
                    let buffer_c = gpu.buffer_of(&c).unwrap();
                    let part = |first| Part {
                        start: 0,
                        first,
                        second: 1,
                    };
                    let product = Product {
                        m,
                        n,
                        k,
                        a: part(m),
                        b: part(n),
                        c: part(n),
                        alpha,
                        accumulate,
                        is_upper: false,
                        is_b_upper: false,
                    };
                    let mut tasks = gpu.tasks();
                    product.add_to(&mut tasks, gpu.tile(), Operands::Apart(&buffer_a, &buffer_b), &buffer_c);
                    tasks.submit().unwrap();
                    let mut found = vec![0f32; m * n];
                    gpu.read(&buffer_c, &mut found).unwrap();
                    for i in 0..m * n {
                        let sum: f64 = (0..k).map(|k| a[k * m + i / n] as f64 * b[k * n + i % n] as f64).sum();
                        let expected = alpha as f64 * sum + if accumulate { c[i] as f64 } else { 0.0 };
                        assert!(
                            (found[i] as f64 - expected).abs() < 1e-5,
                            "{tile:?} [{m}, {n}, {k}] {i}"
                        );
                    }
                }
            }
        });
    }
    noise.next();
}

fn noise_of(count: usize, seed: u64) -> Vec<f32> {
    Noise(seed).take(count)
}

fn gram(gpu: &Gpu, cols: usize, x: &[f32]) -> Gram {
    let mut gram = gpu.gram(cols).unwrap();
    gpu.add(&mut gram, x, &Control::default()).unwrap();
    gram
}

fn gram_from(gpu: &Gpu, cols: usize, dense: &[f32]) -> Gram {
    let gram = Gram::new(gpu, cols).unwrap();
    gpu.write(&gram.hi, dense).unwrap();
    gram
}

/// A Gram matrix's upper triangle, hi and lo.
fn sums(gpu: &Gpu, gram: &Gram) -> Vec<f64> {
    let fetch = |buffer| {
        let mut values = vec![0f32; gram.cols * gram.cols];
        gpu.read(buffer, &mut values).unwrap();
        values
    };
    (fetch(&gram.hi).iter().zip(fetch(&gram.lo)))
        .map(|(&hi, lo)| hi as f64 + lo as f64)
        .collect()
}

#[test]
fn gpu_gram_is_the_cpus() {
    on_gpu(|gpu| {
        for (tokens, cols) in [(1, 1), (3, 70), (1025, 63), (700, 130), (2100, 300)] {
            let x = inputs(tokens, cols, &[]);
            let (found, expected) = (sums(gpu, &gram(gpu, cols, &x)), gram_of(cols, &x));
            for (i, j) in (0..cols).flat_map(|i| (i..cols).map(move |j| (i, j))) {
                let scale = (expected.get(i, i) * expected.get(j, j)).sqrt();
                let off = (found[i * cols + j] - expected.get(j, i)).abs();
                assert!(off < 1e-6 * scale, "[{tokens}, {cols}] entry {i}, {j} is off by {off}");
            }
        }
    });
}

#[test]
fn gpu_gram_loses_no_accuracy_over_a_million_tokens() {
    on_gpu(|gpu| {
        let (tokens, cols) = (1 << 20, 3);
        // Of one sign, so that the sums grow, and rounding errors with them.
        let x: Vec<f32> = Noise(3).take(tokens * cols).iter().map(|v| v.abs() + 0.1).collect();
        let found = sums(gpu, &gram(gpu, cols, &x));
        for (i, j) in [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)] {
            let expected: f64 = x.chunks(cols).map(|row| row[i] as f64 * row[j] as f64).sum();
            let relative = (found[i * cols + j] / expected - 1.0).abs();
            assert!(relative < 1e-7, "entry {i}, {j} is off by {relative:e}");
        }
    });
}

#[test]
fn gpu_gram_names_the_first_row_that_is_not_finite() {
    on_gpu(|gpu| {
        let cols = 150;
        let mut spoiled = inputs(1500, cols, &[]);
        let add = |x: &[f32]| {
            gpu.gram(cols)
                .and_then(|mut gram| gpu.add(&mut gram, x, &Control::default()))
        };
        assert_eq!(add(&spoiled), Ok(()));
        spoiled[1400 * cols] = f32::NAN;
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
            spoiled[1200 * cols + 140] = bad;
            let row = if bad.is_finite() { 1400 } else { 1200 };
            assert_eq!(add(&spoiled), Err(Error::NotFinite { row }), "{bad}");
        }
        spoiled[1400 * cols] = 0.0;
        assert_eq!(
            add(&spoiled),
            Err(Error::NotFinite { row: 1200 }),
            "a square beyond float32"
        );
    });
}

fn u_of(factor: &Factor<Gpu>) -> Vec<f32> {
    let mut u = vec![0f32; factor.cols * factor.cols];
    factor.backend.read(&factor.u.buffer, &mut u).unwrap();
    u
}

fn factor<B: Backend>(backend: &B, gram: B::Gram, order: Order) -> Result<Factor<B>> {
    factorize(backend, gram, 0.25, 0.01, order, &Control::default())
}

#[test]
fn gpu_factor_is_the_cpus() {
    on_gpu(|gpu| {
        for (cols, dead) in [
            (1, vec![]),
            (2, vec![0]),
            (31, vec![]),
            (127, vec![3, 126]),
            (130, vec![]),
            (300, vec![0, 299]),
        ] {
            for order in [Order::Natural, Order::Activity] {
                let x = inputs(3 * cols + 5, cols, &dead);
                let found = factor(gpu, gram(gpu, cols, &x), order).unwrap();
                let expected = factor(&Cpu, gram_of(cols, &x), order).unwrap();
                let u = u_of(&found);
                let off = distance(&u, &expected.u);
                assert!(off < 2e-5, "{cols} columns, {order:?}: U is off by {off:e}");
                assert!(
                    (0..cols * cols).all(|k| k % cols >= k / cols || u[k] == 0.0),
                    "zeros below the diagonal"
                );
                assert_eq!(found.order, expected.order);
                assert_eq!(
                    found.hessian_diagonal.iter().map(|h| *h == 0.0).collect::<Vec<_>>(),
                    expected.hessian_diagonal.iter().map(|h| *h == 0.0).collect::<Vec<_>>()
                );
                assert!((0..cols).all(|j| found.u_diagonal[j] == u[j * cols + j]));
            }
        }
    });
}

#[test]
fn gpu_damping_is_raised_as_on_the_cpu() {
    on_gpu(|gpu| {
        let dense = |excess: f32| gram_from(gpu, 2, &[1.0, 1.0 + excess, 1.0 + excess, 1.0]);
        let retries = |excess: f32, percdamp: f64| {
            factorize(gpu, dense(excess), 1.0, percdamp, Order::Natural, &Control::default())
                .map(|factor| factor.retries)
        };
        assert_eq!(retries(0.005, 0.01), Ok(0));
        assert_eq!(retries(0.05, 0.01), Ok(1));
        assert_eq!(retries(0.5, 0.01), Ok(2));
        assert_eq!(retries(1.5, 0.01), Err(Error::NotPositiveDefinite {}));
        assert_eq!(retries(0.5, 0.2), Err(Error::NotPositiveDefinite {}));
    });
}

#[test]
fn gpu_golden_vectors() {
    on_gpu(|gpu| {
        for golden in Golden::all() {
            let gram = gram_from(gpu, golden.cols, &golden.hessian);
            let factor = factorize(gpu, gram, 1.0, 0.01, golden.order, &Control::default()).unwrap();
            let bytes: Vec<u8> = golden.weight.iter().flat_map(|w| w.to_le_bytes()).collect();
            let weight = Weight {
                rows: golden.rows,
                cols: golden.cols,
                storage: Storage::F32,
                bytes: &bytes,
            };
            golden.check(&sparsegpt(weight, &factor, &golden.target, &Control::default()).unwrap());
        }
    });
}
