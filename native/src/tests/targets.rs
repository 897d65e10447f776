//! Dense targets on the CPU against their definition in float64.

use crate::control::Control;
use crate::cpu::Cpu;
use crate::cpu::targets::{Drift, Shift, shifted};
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
    summed(Drift::of_inputs(cols), cols, dense, x, cols, x)
}

/// A drift y - ŷ of so many rows with the tokens of the first half, those of the second in two parts.
fn summed(mut drift: Drift, rows: usize, dense: &[f32], compressed: &[f32], cols: usize, x: &[f32]) -> Drift {
    let tokens = x.len() / cols;
    let middle = middle_of(tokens);
    let end = middle + (tokens - middle) / 3;
    for (half, from, to) in [(1, middle, end), (0, 0, middle), (1, end, tokens)] {
        let part = |width: usize| from * width..to * width;
        let (dense, compressed) = (&dense[part(rows)], &compressed[part(rows)]);
        let control = Control::default();
        drift.add(half, dense, compressed, &x[part(cols)], &control).unwrap();
    }
    drift
}

/// The token with which the second half begins.
fn middle_of(tokens: usize) -> usize {
    tokens / 2
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
    let shift = drift.shift(&factor.u, order, SCALE, share, &Control::default());
    match shift.unwrap() {
        Shift::Multiplied(shift) | Shift::Added(shift) => shift,
    }
}

/// scale (Y - Ŷ)ᵀ X̂ in float64.
fn naive_drift(rows: usize, dense: &[f32], compressed: &[f32], cols: usize, x: &[f32]) -> Vec<f64> {
    let mut drift = vec![0f64; rows * cols];
    for ((dense, compressed), x) in dense.chunks(rows).zip(compressed.chunks(rows)).zip(x.chunks(cols)) {
        for (i, (&dense, &compressed)) in dense.iter().zip(compressed).enumerate() {
            for (j, &other) in x.iter().enumerate() {
                drift[i * cols + j] += SCALE * (dense as f64 - compressed as f64) * other as f64;
            }
        }
    }
    drift
}

fn naive_shift_of_inputs(cols: usize, dense: &[f32], x: &[f32], share: f64) -> Vec<f64> {
    naive_shift(cols, dense, x, cols, x, share)
}

/// share K D H⁻¹, H damped in the inverse alone, in float64; each row's share K by what two halves, d and e, say of its drift:
/// r = 2 d H⁻¹ eᵀ / (d H⁻¹ dᵀ + e H⁻¹ eᵀ).
fn naive_shift(rows: usize, dense: &[f32], compressed: &[f32], cols: usize, x: &[f32], share: f64) -> Vec<f64> {
    let inverse = naive_inverse(cols, &naive_hessian(cols, x, SCALE, PERCDAMP));
    let (own, read) = (middle_of(x.len() / cols) * rows, middle_of(x.len() / cols) * cols);
    let first = naive_drift(rows, &dense[..own], &compressed[..own], cols, &x[..read]);
    let second = naive_drift(rows, &dense[own..], &compressed[own..], cols, &x[read..]);
    let (by_first, by_second) = (product(cols, &first, &inverse), product(cols, &second, &inverse));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut shift = vec![0f64; rows * cols];
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
                let off = distance(&found, &to_f32(&naive_shift_of_inputs(cols, &dense, &x, share)));
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
    let off = distance(&found, &to_f32(&naive_shift_of_inputs(cols, &dense, &x, 1.0)));
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
    let targets = shifted(weight, &Shift::Multiplied(shift.clone()), &Control::default()).unwrap();
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
fn what_an_output_is_added_to_moves_weights_as_the_definition_says_and_comes_nearer_to_what_it_was() {
    for (rows, cols) in [(1, 3), (130, 96), (40, 270)] {
        let x = inputs(4 * cols, cols, &[1]);
        let dense = dense_inputs(&x);
        let values = Noise(5).take(rows * cols);
        let outputs = |w: &[f32], x: &[f32]| -> Vec<f32> {
            let output = |w: &[f32], x: &[f32]| w.iter().zip(x).map(|(&w, &x)| w as f64 * x as f64).sum::<f64>() as f32;
            x.chunks(cols)
                .flat_map(|x| w.chunks(cols).map(move |w| output(w, x)))
                .collect()
        };
        // What is added to has drifted by something of its own that goes with the inputs, too.
        let residual = outputs(&Noise(8).take(rows * cols), &x);
        let plus = |outputs: Vec<f32>, share: f32| -> Vec<f32> {
            outputs
                .iter()
                .zip(&residual)
                .map(|(output, residual)| output + share * residual)
                .collect()
        };
        let (own, compressed) = (plus(outputs(&values, &dense), 1.0), plus(outputs(&values, &x), 0.8));
        let drift = summed(Drift::of_sums(rows, cols), rows, &own, &compressed, cols, &x);
        for order in [Order::Natural, Order::Activity] {
            let factor = factor_of(cols, &x, order);
            let shift = drift.shift(&factor.u, factor.order.as_deref(), SCALE, 0.9, &Control::default());
            let targets = shifted(weight_of(rows, &values), &shift.unwrap(), &Control::default()).unwrap();
            let moved = naive_shift(rows, &own, &compressed, cols, &x, 0.9);
            let expected: Vec<f64> = values.iter().zip(&moved).map(|(&w, moved)| w as f64 + moved).collect();
            let off = distance(&targets, &to_f32(&expected));
            assert!(off < 2e-5, "{rows} x {cols}, {order:?}: off by {off:e}");

            let lost = |w: &[f32]| -> f64 {
                let sums = plus(outputs(w, &x), 0.8);
                own.iter()
                    .zip(&sums)
                    .map(|(a, b)| (*a as f64 - *b as f64).powi(2))
                    .sum()
            };
            assert!(lost(&targets) < 0.9 * lost(&values));
        }
    }
}

fn weight_of(rows: usize, values: &[f32]) -> Weight<'_> {
    Weight {
        rows,
        cols: values.len() / rows,
        storage: Storage::F32,
        bytes: bytemuck::cast_slice(values),
    }
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
    let nothing = Drift::of_inputs(cols);
    let mut one_half = Drift::of_inputs(cols);
    one_half.add(0, &by_chance, &x, &x, &Control::default()).unwrap();
    for drift in [nothing, one_half] {
        assert!(shift_of(&drift, &factor, 1.0).iter().all(|&value| value == 0.0));
    }
    let inverse = naive_inverse(cols, &naive_hessian(cols, &x, SCALE, PERCDAMP));
    let trusted = product(cols, &naive_drift(cols, &by_chance, &x, cols, &x), &inverse);
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
    let refused = Drift::of_inputs(cols).add(0, &spoiled, &x, &x, &Control::default());
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
    assert_stops_within_100_ms(30, |control| Drift::of_inputs(cols).add(1, &dense, &x, &x, control));
    let mut u = vec![0f32; cols * cols];
    (0..cols).for_each(|j| u[j * cols + j] = 1.0);
    let drift = Drift::of_inputs(cols);
    assert_stops_within_100_ms(30, |control| drift.shift(&u, None, 1.0, 1.0, control));
    let bytes = vec![0; cols * cols * Storage::F32.size()];
    let weight = Weight {
        rows: cols,
        cols,
        storage: Storage::F32,
        bytes: &bytes,
    };
    let shift = Shift::Multiplied(u);
    assert_stops_within_100_ms(30, |control| shifted(weight, &shift, control));
}
