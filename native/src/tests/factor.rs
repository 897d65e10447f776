//! Gram matrices and factors on the CPU against their definitions in float64.

use crate::backend::Entries;
use crate::control::Control;
use crate::cpu::Cpu;
use crate::cpu::gram::Gram;
use crate::error::{Error, Result};
use crate::method::factor::{Factor, Order, factorize};
use crate::testing::{
    Noise, assert_stops_within_100_ms, inputs, naive_cholesky, naive_gram, naive_hessian, naive_inverse, with_threads,
};

pub fn gram_of(cols: usize, x: &[f32]) -> Gram {
    let mut gram = Gram::new(cols);
    gram.add(x, &Control::default()).unwrap();
    gram
}

fn factor_of(gram: Gram, scale: f64, percdamp: f64) -> Result<Factor<Cpu>> {
    factorize(&Cpu, gram, scale, percdamp, Order::Natural, false, &Control::default())
}

#[test]
fn gram_is_the_sum_of_products() {
    for (tokens, cols) in [(1, 1), (3, 70), (1025, 63), (700, 130), (2100, 300), (40, 700)] {
        let x = inputs(tokens, cols, &[]);
        let mut gram = Gram::new(cols);
        let (first, second) = x.split_at(tokens / 3 * cols);
        gram.add(first, &Control::default()).unwrap();
        gram.add(second, &Control::default()).unwrap();
        let expected = naive_gram(cols, &x);
        for i in 0..cols {
            for j in 0..=i {
                let scale = (expected[i * cols + i] * expected[j * cols + j]).sqrt();
                let difference = (gram.get(i, j) - expected[i * cols + j]).abs();
                assert!(
                    difference < 1e-6 * scale,
                    "[{tokens}, {cols}] entry {i}, {j} is off by {difference}"
                );
            }
        }
    }
}

#[test]
fn a_million_tokens_lose_no_accuracy() {
    let (tokens, cols) = (1 << 20, 3);
    // Inputs of one sign, so that the sums grow, and rounding errors with them.
    let x: Vec<f32> = Noise(3).take(tokens * cols).iter().map(|v| v.abs() + 0.1).collect();
    let gram = gram_of(cols, &x);
    let expected = naive_gram(cols, &x);
    let in_float32: f32 = x.chunks(cols).map(|row| row[1] * row[0]).sum();
    for (i, j) in [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)] {
        let relative = (gram.get(i, j) / expected[i * cols + j] - 1.0).abs();
        assert!(relative < 1e-7, "entry {i}, {j} is off by {relative:e}");
    }
    assert!(
        (in_float32 as f64 / expected[cols] - 1.0).abs() > 1e-5,
        "float32 sums would have done"
    );
}

#[test]
fn gram_names_the_first_row_that_is_not_finite() {
    let cols = 150;
    let mut spoiled = inputs(1500, cols, &[]);
    spoiled[1400 * cols] = f32::NAN;
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
        spoiled[1200 * cols + 140] = bad;
        let row = if bad.is_finite() { 1400 } else { 1200 };
        let refused = Gram::new(cols).add(&spoiled, &Control::default());
        assert_eq!(refused, Err(Error::NotFinite { row }), "{bad}");
    }
    spoiled[1400 * cols] = 0.0;
    let refused = Gram::new(cols).add(&spoiled, &Control::default());
    assert_eq!(refused, Err(Error::NotFinite { row: 1200 }), "a square beyond float32");
}

#[test]
fn factor_is_the_three_step_one() {
    for (cols, dead) in [
        (1, vec![]),
        (2, vec![0]),
        (127, vec![3, 126]),
        (130, vec![]),
        (300, vec![0, 1, 299]),
        (520, vec![200]),
    ] {
        let x = inputs(3 * cols + 5, cols, &dead);
        let factor = factor_of(gram_of(cols, &x), 0.25, 0.01).unwrap();
        let h = naive_hessian(cols, &x, 0.25, 0.01);
        // The upper factor of the inverse is the transposed lower one.
        let expected = naive_cholesky(cols, &naive_inverse(cols, &h));
        let norm = expected.iter().map(|v| v * v).sum::<f64>().sqrt();
        let entry = |i: usize, j: usize| factor.u[i * cols + j] as f64;
        let squares =
            (0..cols * cols).map(|k| (entry(k / cols, k % cols) - expected[k % cols * cols + k / cols]).powi(2));
        let difference = squares.sum::<f64>().sqrt() / norm;
        assert!(difference < 2e-5, "{cols} columns: U is off by {difference:e}");
        assert_eq!((0..cols).filter(|&j| factor.is_dead(j)).collect::<Vec<_>>(), dead);
        assert_eq!(factor.retries, 0);
    }
}

#[test]
fn factor_by_activity_is_that_of_the_permuted_hessian() {
    let (cols, dead) = (300, [0, 150, 299]);
    let x = inputs(3 * cols + 5, cols, &dead);
    let h = naive_hessian(cols, &x, 0.25, 0.01);
    let factor = factorize(
        &Cpu,
        gram_of(cols, &x),
        0.25,
        0.01,
        Order::Activity,
        false,
        &Control::default(),
    )
    .unwrap();
    let order: Vec<usize> = factor.order.unwrap().iter().map(|&col| col as usize).collect();
    let mut sorted = order.clone();
    sorted.sort();
    assert!(sorted.into_iter().eq(0..cols));
    let diagonal = |col: usize| h[col * cols + col];
    assert!(order.windows(2).all(|pair| diagonal(pair[0]) >= diagonal(pair[1])));
    assert_eq!(
        order
            .iter()
            .copied()
            .filter(|col| dead.contains(col))
            .collect::<Vec<_>>(),
        dead,
        "of equals the one further left first"
    );
    let permuted: Vec<f64> = (0..cols * cols)
        .map(|k| h[order[k / cols] * cols + order[k % cols]])
        .collect();
    let expected = naive_cholesky(cols, &naive_inverse(cols, &permuted));
    let norm = expected.iter().map(|v| v * v).sum::<f64>().sqrt();
    let squares = (0..cols * cols).map(|k| (factor.u[k] as f64 - expected[k % cols * cols + k / cols]).powi(2));
    let difference = squares.sum::<f64>().sqrt() / norm;
    assert!(difference < 2e-5, "U is off by {difference:e}");
    assert_eq!(factor.hessian_diagonal[150], 0.0);
}

#[test]
fn damping_is_raised_twice_and_never_beyond_the_mean() {
    // Two inputs that are the same but for the sign of a tiny part: float32 sees an indefinite matrix until it is damped enough.
    let dense = |excess: f32| Gram::from_dense(2, &[1.0, 1.0 + excess, 1.0 + excess, 1.0]);
    let retries = |excess: f32, percdamp: f64| factor_of(dense(excess), 1.0, percdamp).map(|factor| factor.retries);
    assert_eq!(retries(0.005, 0.01), Ok(0));
    assert_eq!(retries(0.05, 0.01), Ok(1));
    assert_eq!(retries(0.5, 0.01), Ok(2));
    assert_eq!(retries(1.5, 0.01), Err(Error::NotPositiveDefinite {}));
    assert_eq!(
        retries(0.5, 0.2),
        Err(Error::NotPositiveDefinite {}),
        "2 times the mean is too much"
    );
    assert_eq!(factor_of(dense(0.5), 3.0, 0.01).unwrap().damping, 3.0);
}

#[test]
fn threads_do_not_change_the_factor() {
    let cols = 600;
    let x = inputs(1500, cols, &[9]);
    let compute = || factor_of(gram_of(cols, &x), 0.1, 0.01).unwrap().u;
    let one = with_threads(1, compute);
    assert!(one == with_threads(2, compute) && one == with_threads(3, compute));
}

#[test]
fn progress_ends_at_one() {
    let (control, x) = (Control::default(), inputs(300, 700, &[]));
    let mut gram = Gram::new(700);
    gram.add(&x, &control).unwrap();
    assert_eq!(control.progress(), 1.0);
    factorize(&Cpu, gram, 1.0, 0.01, Order::Natural, false, &control).unwrap();
    assert_eq!(control.progress(), 1.0);
}

#[test]
fn gram_and_factor_stop_within_100_ms() {
    let cols = 3000;
    let x = Noise(1).take(2048 * cols);
    assert_stops_within_100_ms(30, |control| Gram::new(cols).add(&x, control));
    let identity: Vec<f32> = (0..cols * cols)
        .map(|k| if k % (cols + 1) == 0 { 1.0 } else { 0.0 })
        .collect();
    for wait in [5, 40, 120] {
        let gram = Gram::from_dense(cols, &identity);
        let gram = std::sync::Mutex::new(Some(gram));
        let take = || {
            gram.lock()
                .unwrap()
                .take()
                .unwrap_or_else(|| Gram::from_dense(cols, &identity))
        };
        assert_stops_within_100_ms(wait, |control| {
            factorize(&Cpu, take(), 1.0, 0.01, Order::Natural, false, control)
        });
    }
}
