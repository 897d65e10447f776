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

/// The rows of the first half, those of the second in two parts.
fn drift_of(cols: usize, dense: &[f32], x: &[f32]) -> Drift {
    let mut drift = Drift::new(cols);
    let control = Control::default();
    let middle = middle_of(cols, x);
    let end = middle + (x.len() - middle) / cols / 3 * cols;
    drift.add(1, &dense[middle..end], &x[middle..end], &control).unwrap();
    drift.add(0, &dense[..middle], &x[..middle], &control).unwrap();
    drift.add(1, &dense[end..], &x[end..], &control).unwrap();
    drift
}

/// Where the second half begins.
fn middle_of(cols: usize, x: &[f32]) -> usize {
    x.len() / cols / 2 * cols
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

/// scale (X - X̂)ᵀ X̂ in float64.
fn naive_drift(cols: usize, dense: &[f32], x: &[f32]) -> Vec<f64> {
    let mut drift = vec![0f64; cols * cols];
    for (dense, x) in dense.chunks(cols).zip(x.chunks(cols)) {
        for (i, &dense) in dense.iter().enumerate() {
            for (j, &other) in x.iter().enumerate() {
                drift[i * cols + j] += SCALE * (dense as f64 - x[i] as f64) * other as f64;
            }
        }
    }
    drift
}

/// share K (C - H) H⁻¹, H damped in the inverse alone, in float64; each column's share K by what two halves, d and e, say of its drift:
/// r = 2 d H⁻¹ eᵀ / (d H⁻¹ dᵀ + e H⁻¹ eᵀ).
fn naive_shift(cols: usize, dense: &[f32], x: &[f32], share: f64) -> Vec<f64> {
    let inverse = naive_inverse(cols, &naive_hessian(cols, x, SCALE, PERCDAMP));
    let middle = middle_of(cols, x);
    let first = naive_drift(cols, &dense[..middle], &x[..middle]);
    let second = naive_drift(cols, &dense[middle..], &x[middle..]);
    let (by_first, by_second) = (product(cols, &first, &inverse), product(cols, &second, &inverse));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut shift = vec![0f64; cols * cols];
    for (i, out) in shift.chunks_mut(cols).enumerate() {
        let row = i * cols..(i + 1) * cols;
        let squares =
            dot(&by_first[row.clone()], &first[row.clone()]) + dot(&by_second[row.clone()], &second[row.clone()]);
        let r = (2.0 * dot(&by_first[row.clone()], &second[row.clone()]) / squares).max(0.0);
        let sums = by_first[row.clone()].iter().zip(&by_second[row]);
        (out.iter_mut().zip(sums)).for_each(|(out, (a, b))| *out = share * 2.0 * r / (1.0 + r) * (a + b));
    }
    shift
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

#[test]
fn weights_are_moved_by_their_product_with_the_shift_and_give_more_of_what_the_dense_ones_gave() {
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
    let in_f64 = |values: &[f32]| values.iter().map(|&value| value as f64).collect::<Vec<_>>();
    let moved = product(cols, &in_f64(&w), &in_f64(&shift));
    let expected: Vec<f64> = w.iter().zip(&moved).map(|(&w, moved)| w as f64 + moved).collect();
    let off = distance(&targets, &to_f32(&expected));
    assert!(off < 1e-6, "off by {off:e}");

    let lost = |own: &[f32]| {
        let of_token = |(dense, x): (&[f32], &[f32])| {
            let of_row = |(w, own): (&[f32], &[f32])| {
                let output = |w: &[f32], x: &[f32]| w.iter().zip(x).map(|(&w, &x)| w as f64 * x as f64).sum::<f64>();
                (output(w, dense) - output(own, x)).powi(2)
            };
            w.chunks(cols).zip(own.chunks(cols)).map(of_row).sum::<f64>()
        };
        dense.chunks(cols).zip(x.chunks(cols)).map(of_token).sum::<f64>()
    };
    assert!(lost(&targets) < 0.9 * lost(&w));
}

#[test]
fn halves_that_have_nothing_in_common_move_next_to_nothing() {
    let cols = 40;
    let x = inputs(2000, cols, &[]);
    let mut noise = Noise(3);
    let by_chance: Vec<f32> = x.iter().map(|x| x + noise.next()).collect();
    let factor = factor_of(cols, &x, Order::Natural);
    let size = |dense: &[f32]| {
        let shift = shift_of(&drift_of(cols, dense, &x), &factor, 1.0);
        shift.iter().map(|&value| (value as f64).powi(2)).sum::<f64>().sqrt()
    };
    let chance = size(&by_chance);
    let nothing = Drift::new(cols);
    let mut one_half = Drift::new(cols);
    one_half.add(0, &by_chance, &x, &Control::default()).unwrap();
    for drift in [nothing, one_half] {
        assert!(shift_of(&drift, &factor, 1.0).iter().all(|&value| value == 0.0));
    }
    let inverse = naive_inverse(cols, &naive_hessian(cols, &x, SCALE, PERCDAMP));
    let trusted = product(cols, &naive_drift(cols, &by_chance, &x), &inverse);
    let trusted = trusted.iter().map(|value| value * value).sum::<f64>().sqrt();
    assert!(chance < 0.5 * trusted, "{chance} of {trusted}");
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
    let refused = Drift::new(cols).add(0, &spoiled, &x, &Control::default());
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
    assert_stops_within_100_ms(30, |control| Drift::new(cols).add(1, &dense, &x, control));
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
