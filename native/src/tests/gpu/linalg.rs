//! Products, Gram matrices and factors on a GPU.

use super::*;
use crate::backend::Entries;
use crate::error::Error;
use crate::gpu::product::{Part, Product};
use crate::testing::{Noise, distance, inputs, naive_cholesky, naive_hessian, naive_inverse};
use crate::tests::factor::gram_of;

#[test]
fn gpu_products_are_those_of_float64() {
    for tile in Tile::ALL {
        on_gpu_with(tile, |gpu| {
            for (m, n, k) in [(1, 1, 1), (64, 64, 16), (65, 63, 17), (130, 7, 33), (3, 200, 128)] {
                let (a, b, c) = (Noise(1).take(k * m), Noise(2).take(k * n), Noise(3).take(m * n));
                let (buffer_a, buffer_b) = (gpu.buffer_of(&a).unwrap(), gpu.buffer_of(&b).unwrap());
                for (accumulate, alpha) in [(false, 1.0), (true, -1.0)] {
                    let buffer_c = gpu.buffer_of(&c).unwrap();
                    let product = Product {
                        m,
                        n,
                        k,
                        a: Part::new(&buffer_a, 0, m),
                        b: Part::new(&buffer_b, 0, n),
                        c: Part::new(&buffer_c, 0, n),
                        alpha,
                        accumulate,
                        is_upper: false,
                        is_b_upper: false,
                    };
                    let mut tasks = gpu.tasks();
                    product.add_to(&mut tasks);
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
}

/// A Gram matrix's upper triangle, hi and lo.
fn sums(gpu: &Gpu, gram: &Gram) -> Vec<f64> {
    let fetch = |matrix: &Matrix| matrix.download(gpu).unwrap();
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
fn gpu_gram_loses_no_accuracy_over_many_tokens() {
    on_gpu(|gpu| {
        let (tokens, cols) = (if more_shapes().is_some() { 1 << 20 } else { 1 << 18 }, 3);
        // Inputs of one sign, so that the sums grow, and rounding errors with them.
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

/// U in float64 by the three steps, the scale 0.25 and the damping 0.01.
fn naive_u(cols: usize, x: &[f32]) -> Vec<f64> {
    let inverse = naive_inverse(cols, &naive_hessian(cols, x, 0.25, 0.01));
    let lower = naive_cholesky(cols, &inverse);
    (0..cols * cols).map(|k| lower[k % cols * cols + k / cols]).collect()
}

fn distance_from(expected: &[f64], u: &[f32]) -> f64 {
    let squares: f64 = u.iter().zip(expected).map(|(&a, b)| (a as f64 - b).powi(2)).sum();
    (squares / expected.iter().map(|b| b * b).sum::<f64>()).sqrt()
}

#[test]
fn gpu_factor_is_as_exact_as_the_cpus() {
    on_gpu(|gpu| {
        for (cols, tokens) in [(130, 400), (300, 350), (520, 1600), (520, 570)] {
            let x = inputs(tokens, cols, &[]);
            let expected = naive_u(cols, &x);
            let ours = factor(gpu, gram(gpu, cols, &x), Order::Natural).unwrap();
            let theirs = factor(&Cpu, gram_of(cols, &x), Order::Natural).unwrap();
            let (ours, theirs) = (
                distance_from(&expected, &u_of(&ours)),
                distance_from(&expected, &theirs.u),
            );
            println!("{cols} columns, {tokens} tokens: U is off by {ours:.2e}, on the CPU by {theirs:.2e}");
            assert!(ours < 2e-5 && ours < 1.5 * theirs);
        }
    });
}

#[test]
fn gpu_damping_is_raised_as_on_the_cpu() {
    on_gpu(|gpu| {
        let dense = |excess: f32| gram_from(gpu, 2, &[1.0, 1.0 + excess, 1.0 + excess, 1.0]);
        let retries = |excess: f32, percdamp: f64| {
            factorize(
                gpu,
                dense(excess),
                1.0,
                percdamp,
                Order::Natural,
                false,
                &Control::default(),
            )
            .map(|factor| factor.retries)
        };
        assert_eq!(retries(0.005, 0.01), Ok(0));
        assert_eq!(retries(0.05, 0.01), Ok(1));
        assert_eq!(retries(0.5, 0.01), Ok(2));
        assert_eq!(retries(1.5, 0.01), Err(Error::NotPositiveDefinite {}));
        assert_eq!(retries(0.5, 0.2), Err(Error::NotPositiveDefinite {}));
    });
}
