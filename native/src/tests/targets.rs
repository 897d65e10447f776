//! Dense targets on the CPU against their definition in float64.

use crate::control::Control;
use crate::cpu::Cpu;
use crate::cpu::targets::{Drift, shifted};
use crate::error::Error;
use crate::method::factor::{Factor, Order, factorize};
use crate::testing::{Noise, assert_stops_within_100_ms, distance, inputs, naive_hessian, naive_inverse, with_threads};
use crate::tests::factor::gram_of;
use crate::weights::storage::Storage;
use crate::weights::weight::Weight;

const SCALE: f64 = 0.25;
const PERCDAMP: f64 = 0.01;

/// What a layer reads in the dense model, where what it reads in the compressed one is `x`: the same, moved, and nowhere dead.
fn dense_inputs(x: &[f32]) -> Vec<f32> {
    let mut noise = Noise(11);
    x.iter().map(|x| 0.9 * x + 0.3 * noise.next()).collect()
}

fn drift_of(cols: usize, dense: &[f32], x: &[f32]) -> Drift {
    let mut drift = Drift::new(cols);
    let half = x.len() / cols / 2 * cols;
    drift.add(&dense[..half], &x[..half], &Control::default()).unwrap();
    drift.add(&dense[half..], &x[half..], &Control::default()).unwrap();
    drift
}

fn factor_of(cols: usize, x: &[f32], order: Order) -> Factor<Cpu> {
    factorize(
        &Cpu,
        gram_of(cols, x),
        SCALE,
        PERCDAMP,
        order,
        false,
        &Control::default(),
    )
    .unwrap()
}

fn shift_of(drift: &Drift, factor: &Factor<Cpu>, share: f64) -> Vec<f32> {
    let order = factor.order.as_deref();
    drift
        .shift(&factor.u, order, SCALE, share, &Control::default())
        .unwrap()
}

/// share (C - H) H⁻¹, H damped in the inverse alone, in float64.
fn naive_shift(cols: usize, dense: &[f32], x: &[f32], share: f64) -> Vec<f64> {
    let mut drift = vec![0f64; cols * cols];
    for (dense, x) in dense.chunks(cols).zip(x.chunks(cols)) {
        for (i, &dense) in dense.iter().enumerate() {
            for (j, &other) in x.iter().enumerate() {
                drift[i * cols + j] += SCALE * share * (dense as f64 - x[i] as f64) * other as f64;
            }
        }
    }
    let inverse = naive_inverse(cols, &naive_hessian(cols, x, SCALE, PERCDAMP));
    product(cols, &drift, &inverse)
}

/// a b, b [cols, cols].
fn product(cols: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut out = vec![0f64; a.len()];
    for (out, a) in out.chunks_mut(cols).zip(a.chunks(cols)) {
        for (a, b) in a.iter().zip(b.chunks(cols)) {
            out.iter_mut().zip(b).for_each(|(out, b)| *out += a * b);
        }
    }
    out
}

fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

#[test]
fn shifts_are_those_of_the_definition() {
    for (cols, dead) in [
        (1, vec![]),
        (2, vec![0]),
        (127, vec![3, 126]),
        (130, vec![]),
        (300, vec![0, 1, 299]),
    ] {
        let x = inputs(3 * cols + 5, cols, &dead);
        let dense = dense_inputs(&x);
        let drift = drift_of(cols, &dense, &x);
        for order in [Order::Natural, Order::Activity] {
            for share in [1.0, 0.3] {
                let found = shift_of(&drift, &factor_of(cols, &x, order), share);
                let off = distance(&found, &to_f32(&naive_shift(cols, &dense, &x, share)));
                assert!(off < 2e-5, "{cols} columns, {order:?}, {share}: off by {off:e}");
            }
        }
    }
}

#[test]
fn many_tokens_are_summed_chunk_by_chunk() {
    let cols = 5;
    let x = inputs(2500, cols, &[]);
    let dense = dense_inputs(&x);
    let found = shift_of(&drift_of(cols, &dense, &x), &factor_of(cols, &x, Order::Natural), 1.0);
    let off = distance(&found, &to_f32(&naive_shift(cols, &dense, &x, 1.0)));
    assert!(off < 2e-5, "off by {off:e}");
}

/// What is asked for is the least ‖X Wᵀ - X̂ W'ᵀ‖² + λ ‖W' - W‖²; its gradient is W' (H + λ) - W (C + λ).
#[test]
fn targets_give_nearly_what_the_dense_layer_gives() {
    let (rows, cols) = (140, 96);
    let x = inputs(4 * cols, cols, &[]);
    let dense = dense_inputs(&x);
    let values = Noise(5).take(rows * cols);
    let mut bytes = vec![0; values.len() * Storage::BF16.size()];
    Storage::BF16.encode(&values, &mut bytes);
    let weight = Weight {
        rows,
        cols,
        storage: Storage::BF16,
        bytes: &bytes,
    };
    let shift = shift_of(&drift_of(cols, &dense, &x), &factor_of(cols, &x, Order::Natural), 1.0);
    let targets = shifted(weight, &shift, &Control::default()).unwrap();
    let mut w = vec![0f32; rows * cols];
    Storage::BF16.decode(&bytes, &mut w);
    let original = w.clone();
    let in_f64 = |values: &[f32]| values.iter().map(|&value| value as f64).collect::<Vec<_>>();
    let damped = naive_hessian(cols, &x, SCALE, PERCDAMP);
    let undamped = naive_hessian(cols, &x, SCALE, 0.0);
    let mut cross = vec![0f64; cols * cols];
    for (dense, x) in dense.chunks(cols).zip(x.chunks(cols)) {
        for (i, &dense) in dense.iter().enumerate() {
            (x.iter().enumerate()).for_each(|(j, &x)| cross[i * cols + j] += SCALE * dense as f64 * x as f64);
        }
    }
    (0..cols * cols).for_each(|k| cross[k] += damped[k] - undamped[k]);
    let left = product(cols, &in_f64(&targets), &damped);
    let right = product(cols, &in_f64(&w), &cross);
    let off = distance(&to_f32(&left), &to_f32(&right));
    assert!(off < 1e-5, "the gradient is off by {off:e}");

    // And so the outputs are nearer than those of the dense weights.
    let lost = |w: &[f32]| {
        let of_token = |(dense, x): (&[f32], &[f32])| {
            let of_row = |row: usize| {
                let own = |values: &[f32], x: &[f32]| {
                    let weights = &values[row * cols..(row + 1) * cols];
                    (weights.iter().zip(x)).map(|(&w, &x)| w as f64 * x as f64).sum::<f64>()
                };
                (own(&original, dense) - own(w, x)).powi(2)
            };
            (0..rows).map(of_row).sum::<f64>()
        };
        dense.chunks(cols).zip(x.chunks(cols)).map(of_token).sum::<f64>()
    };
    assert!(lost(&targets) < 0.9 * lost(&w));
}

#[test]
fn inputs_that_are_the_same_move_nothing() {
    let cols = 70;
    let x = inputs(200, cols, &[7]);
    let shift = shift_of(&drift_of(cols, &x, &x), &factor_of(cols, &x, Order::Activity), 1.0);
    assert!(shift.iter().all(|&value| value == 0.0));
}

#[test]
fn the_first_row_that_is_not_finite_is_named() {
    let cols = 150;
    let x = inputs(1500, cols, &[]);
    let mut spoiled = x.clone();
    spoiled[1400 * cols] = f32::NAN;
    spoiled[1200 * cols + 140] = f32::INFINITY;
    let refused = Drift::new(cols).add(&spoiled, &x, &Control::default());
    assert_eq!(refused, Err(Error::NotFinite { row: 1200 }));
}

#[test]
fn threads_do_not_change_a_shift() {
    let cols = 400;
    let x = inputs(1500, cols, &[9]);
    let dense = dense_inputs(&x);
    let compute = || shift_of(&drift_of(cols, &dense, &x), &factor_of(cols, &x, Order::Natural), 1.0);
    let one = with_threads(1, compute);
    assert!(one == with_threads(2, compute) && one == with_threads(3, compute));
}

#[test]
fn a_shift_stops_within_100_ms() {
    let cols = 2000;
    let x = Noise(1).take(2048 * cols);
    let dense = dense_inputs(&x);
    assert_stops_within_100_ms(30, |control| Drift::new(cols).add(&dense, &x, control));
    let mut u = vec![0f32; cols * cols];
    (0..cols).for_each(|j| u[j * cols + j] = 1.0);
    let drift = Drift::new(cols);
    assert_stops_within_100_ms(30, |control| drift.shift(&u, None, 1.0, 1.0, control));
    let bytes = vec![0; cols * cols * Storage::F32.size()];
    let weight = Weight {
        rows: cols,
        cols,
        storage: Storage::F32,
        bytes: &bytes,
    };
    assert_stops_within_100_ms(30, |control| shifted(weight, &u, control));
}
