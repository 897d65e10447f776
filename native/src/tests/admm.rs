//! ADMM on the CPU: an independent implementation's errors, the naive form in float64, and what must not change a bit.

use std::path::Path;

use super::methods::{Golden, Layer};
use crate::backend::Backend;
use crate::control::Control;
use crate::cpu::Cpu;
use crate::cpu::gram::Gram;
use crate::error::{Error, Result};
use crate::method::admm::{REFINEMENTS, admm};
use crate::method::compressed::Compressed;
use crate::method::factor::{Factor, Order, factorize};
use crate::method::mask::Pattern;
use crate::method::target::Target;
use crate::quantization::{Quantization, Range};
use crate::testing::{assert_stops_within_100_ms, close, naive_inverse, with_threads, zeros};
use crate::weights::storage::Storage;

fn factor_of(cols: usize, hessian: &[f32], percdamp: f64, order: Order) -> Factor<Cpu> {
    let gram = Gram::from_dense(cols, hessian);
    factorize(&Cpu, gram, 1.0, percdamp, order, true, &Control::default()).unwrap()
}

pub fn target(pattern: Pattern, quantization: Option<Quantization>) -> Target {
    Target {
        pattern,
        storage: Storage::F32,
        quantization,
    }
}

pub fn prune<B: Backend>(layer: &Layer, factor: &Factor<B>, target: &Target) -> Compressed {
    admm(layer.weight(), factor, target, &Control::default()).unwrap()
}

/// What the independent implementation came to on a golden input.
struct Expected {
    name: String,
    error: f64,
}

fn expected() -> Vec<Expected> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/fixtures/golden/admm.json");
    let rows: Vec<serde_json::Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(rows.len(), 6);
    let of = |row: &serde_json::Value| Expected {
        name: row["name"].as_str().unwrap().to_owned(),
        error: row["relative_output_error"]["admm"].as_f64().unwrap(),
    };
    rows.iter().map(of).collect()
}

/// tr(Δ H Δᵀ) / tr(W H Wᵀ) of the damped H in float64; W zero where the input is dead.
fn damped_error(layer: &Layer, q: &[f32], damping: f64) -> f64 {
    let h = damped_hessian(layer, damping);
    let live: Vec<f64> = live_weights(layer);
    let lost: Vec<f64> = live.iter().zip(q).map(|(w, &q)| w - q as f64).collect();
    energy(layer.cols, &lost, &h) / energy(layer.cols, &live, &h)
}

fn damped_hessian(layer: &Layer, damping: f64) -> Vec<f64> {
    let cols = layer.cols;
    let mut h: Vec<f64> = layer.hessian.iter().map(|&h| h as f64).collect();
    for j in 0..cols {
        let diagonal = &mut h[j * cols + j];
        *diagonal = if *diagonal == 0.0 { 1.0 } else { *diagonal } + damping;
    }
    h
}

fn live_weights(layer: &Layer) -> Vec<f64> {
    let is_dead = |j: usize| layer.hessian[j * layer.cols + j] == 0.0;
    let weights = layer.w.iter().enumerate();
    weights
        .map(|(k, &w)| if is_dead(k % layer.cols) { 0.0 } else { w as f64 })
        .collect()
}

/// a b of matrices [.., n] and [n, n].
fn times(n: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut product = vec![0f64; a.len()];
    for (row, out) in a.chunks(n).zip(product.chunks_mut(n)) {
        for (&value, line) in row.iter().zip(b.chunks(n)) {
            out.iter_mut().zip(line).for_each(|(out, b)| *out += value * b);
        }
    }
    product
}

/// tr(v h vᵀ)
fn energy(n: usize, v: &[f64], h: &[f64]) -> f64 {
    v.iter().zip(times(n, v, h)).map(|(v, vh)| v * vh).sum()
}

/// The method as docs/method.md tells it, in float64: a ridge regression with the whole inverse for each iteration, a penalty that
/// grows by what has changed of the mask, until nothing has, at most 300 iterations; then 10 steps of conjugate gradients. Returns the
/// relative error of the damped H.
fn naive_error(layer: &Layer, pattern: Pattern, damping: f64) -> f64 {
    let n = layer.cols;
    let h = damped_hessian(layer, damping);
    let root = |j: usize| h[j * n + j].sqrt();
    let a: Vec<f64> = (0..n * n).map(|k| h[k] / (root(k / n) * root(k % n))).collect();
    let w: Vec<f64> = live_weights(layer)
        .iter()
        .enumerate()
        .map(|(k, w)| w * root(k % n))
        .collect();
    let g = times(n, &w, &a);
    let mut d = w.clone();
    let mut v = vec![0f64; w.len()];
    let mut support = largest(n, &w, pattern);
    let mut rho = 0.1;
    let (mut b, mut mask) = (w.clone(), support.clone());
    for t in 1..=300 {
        let mut ridge = a.clone();
        (0..n).for_each(|j| ridge[j * n + j] += rho);
        let right: Vec<f64> = (0..w.len()).map(|k| g[k] - v[k] + rho * d[k]).collect();
        b = times(n, &right, &naive_inverse(n, &ridge));
        let c: Vec<f64> = b.iter().zip(&v).map(|(b, v)| b + v / rho).collect();
        mask = largest(n, &c, pattern);
        d = c
            .iter()
            .zip(&mask)
            .map(|(&c, &keep)| if keep { c } else { 0.0 })
            .collect();
        v.iter_mut()
            .zip(b.iter().zip(&d))
            .for_each(|(v, (b, d))| *v += rho * (b - d));
        if t % 3 == 0 {
            let kept = mask.iter().filter(|&&keep| keep).count() as f64;
            let differ = mask.iter().zip(&support).filter(|(a, b)| a != b).count() as f64 / 2.0;
            support.clone_from(&mask);
            if differ == 0.0 {
                break;
            }
            rho *= if differ >= 0.1 * kept {
                1.3
            } else if differ >= 0.005 * kept {
                1.2
            } else {
                1.1
            };
        }
    }
    let masked = |values: Vec<f64>| -> Vec<f64> {
        values
            .iter()
            .zip(&mask)
            .map(|(&value, &keep)| if keep { value } else { 0.0 })
            .collect()
    };
    let mut z = masked(b);
    let za = times(n, &z, &a);
    let mut r = masked(g.iter().zip(&za).map(|(g, za)| g - za).collect());
    let mut p = r.clone();
    for _ in 0..10 {
        let ap = masked(times(n, &p, &a));
        for i in 0..layer.rows {
            let row = i * n..(i + 1) * n;
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let squares = dot(&r[row.clone()], &r[row.clone()]);
            let step = squares / (dot(&p[row.clone()], &ap[row.clone()]) + 1e-30);
            for k in row.clone() {
                z[k] += step * p[k];
                r[k] -= step * ap[k];
            }
            let share = dot(&r[row.clone()], &r[row.clone()]) / (squares + 1e-30);
            row.for_each(|k| p[k] = r[k] + share * p[k]);
        }
    }
    let lost: Vec<f64> = w.iter().zip(&z).map(|(w, z)| w - z).collect();
    energy(n, &lost, &a) / energy(n, &w, &a)
}

/// The mask of the largest: the count that the pattern keeps of the whole layer, or all but n of every m.
fn largest(cols: usize, values: &[f64], pattern: Pattern) -> Vec<bool> {
    let mut keep = vec![false; values.len()];
    let mut mark = |indices: std::ops::Range<usize>, count: usize| {
        let mut order: Vec<usize> = indices.collect();
        order.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
        order[..count].iter().for_each(|&k| keep[k] = true);
    };
    match pattern {
        Pattern::Sparsity(sparsity) => mark(
            0..values.len(),
            (values.len() as f64 * (1.0 - sparsity)).round() as usize,
        ),
        Pattern::NofM { n, m } => {
            assert!(cols.is_multiple_of(m));
            (0..values.len())
                .step_by(m)
                .for_each(|first| mark(first..first + m, m - n));
        }
    }
    keep
}

/// The least error is that of one of very many masks, and neither form finds it: of few weights now one, now the other comes nearer.
#[test]
fn random_shapes_come_as_near_as_the_naive_form() {
    let shapes = [
        (1, 9, 0.5, f64::INFINITY),
        (3, 2, 0.5, f64::INFINITY),
        (7, 33, 0.7, 1.1),
        (5, 60, 0.05, 1.1),
        (65, 40, 0.6, 1.02),
        (64, 64, 0.9, 1.02),
        (20, 130, 0.5, 1.02),
        (130, 31, 0.8, 1.02),
        (200, 20, 0.3, 1.02),
    ];
    for (rows, cols, sparsity, bound) in shapes {
        let dead: &[usize] = if cols > 8 { &[3] } else { &[] };
        check_against_naive(&Layer::random(rows, cols, dead), Pattern::Sparsity(sparsity), bound);
    }
    for (rows, cols, n, m, bound) in [(9, 32, 2, 4, 1.1), (70, 48, 5, 8, 1.02), (60, 60, 1, 2, 1.02)] {
        check_against_naive(&Layer::random(rows, cols, &[]), Pattern::NofM { n, m }, bound);
    }
}

fn check_against_naive(layer: &Layer, pattern: Pattern, bound: f64) {
    let factor = factor_of(layer.cols, &layer.hessian, 0.01, Order::Natural);
    let found = prune(layer, &factor, &target(pattern, None));
    let q = found.to_f32();
    let naive = naive_error(layer, pattern, factor.damping);
    let ratio = damped_error(layer, &q, factor.damping) / naive;
    let (rows, cols) = (layer.rows, layer.cols);
    println!("{rows} x {cols} {pattern:?}: ratio {ratio:.4}");
    assert!(ratio <= bound, "{rows} x {cols} {pattern:?}: {ratio}");
    assert_eq!(found.zeros, q.iter().filter(|&&q| q == 0.0).count());
    let most = largest(cols, &live_weights(layer), pattern)
        .iter()
        .filter(|&&keep| keep)
        .count();
    assert!(rows * cols - found.zeros <= most, "{rows} x {cols} {pattern:?}");
}

/// The errors of `reference/admm.py`, an implementation in PyTorch and float64 with two products an iteration and up to 300 of them.
pub fn check_golden_inputs<B: Backend>(factor_of: impl Fn(usize, &[f32]) -> Factor<B>) {
    for expected in expected() {
        let golden = Golden::all()
            .into_iter()
            .find(|golden| golden.name == expected.name)
            .unwrap();
        let layer = Layer::new(golden.rows, golden.cols, golden.weight, golden.hessian, Order::Natural);
        let factor = factor_of(layer.cols, &layer.hessian);
        let found = prune(&layer, &factor, &golden.target);
        let q = found.to_f32();
        let error = damped_error(&layer, &q, factor.damping);
        println!(
            "{}: {error:.6} {:.6} ratio {:.4}",
            expected.name,
            expected.error,
            error / expected.error
        );
        assert!(
            error <= 1.02 * expected.error,
            "{}: {error} {}",
            expected.name,
            expected.error
        );
        assert!(close(found.error.unwrap(), layer.relative_error(&q), 1e-4));
        match golden.target.pattern {
            Pattern::Sparsity(sparsity) => {
                let count = layer.rows * layer.cols;
                assert_eq!(found.zeros, count - (count as f64 * (1.0 - sparsity)).round() as usize);
            }
            Pattern::NofM { n, m } => {
                let pruned = |group: &[f32]| group.iter().filter(|&&q| q == 0.0).count();
                assert!(q.chunks(m).all(|group| pruned(group) == n), "{}", expected.name);
            }
        }
        let dead = (0..layer.cols).filter(|&j| layer.hessian[j * layer.cols + j] == 0.0);
        dead.for_each(|j| assert!((0..layer.rows).all(|i| q[i * layer.cols + j] == 0.0)));
    }
}

#[test]
fn golden_inputs_come_within_a_fiftieth_of_the_reference() {
    check_golden_inputs(|cols, hessian| factor_of(cols, hessian, 0.01, Order::Natural));
}

#[test]
fn threads_change_no_bit() {
    let layer = Layer::random(200, 150, &[7]);
    let factor = factor_of(layer.cols, &layer.hessian, 0.01, Order::Natural);
    for quantization in [None, Some(BITS)] {
        let target = target(Pattern::Sparsity(0.7), quantization);
        let with = |threads: usize| with_threads(threads, || prune(&layer, &factor, &target));
        let (one, three) = (with(1), with(3));
        assert!(one.bytes == three.bytes);
        assert_eq!((one.error, one.iterations), (three.error, three.iterations));
    }
}

pub const BITS: Quantization = Quantization {
    bits: 4,
    group: 32,
    symmetric: true,
    static_groups: false,
    range: Range::MinMax,
    scales: Storage::F16,
};

/// Codes within the mask of the solver, and an error near that of OPTQ in float64 over the same weights.
#[test]
fn what_is_quantized_keeps_the_mask() {
    for order in [Order::Natural, Order::Activity] {
        let layer = Layer::ordered(40, 96, &[5], order);
        let factor = factor_of(layer.cols, &layer.hessian, 0.01, order);
        let pattern = Pattern::Sparsity(0.6);
        let pruned = prune(&layer, &factor, &target(pattern, None)).to_f32();
        let found = prune(&layer, &factor, &target(pattern, Some(BITS)));
        let q = found.to_f32();
        assert!(
            zeros(&pruned)
                .iter()
                .zip(zeros(&q))
                .all(|(&pruned, zero)| zero || !pruned)
        );
        let grids = found.quantization.as_ref().unwrap();
        for (k, &q) in q.iter().enumerate() {
            let (row, col) = (k / layer.cols, k % layer.cols);
            let group = grids
                .group_of
                .as_ref()
                .map_or(col / BITS.group, |group| group[col] as usize);
            let scale = grids.scales[row * grids.groups + group];
            let level = q / scale;
            assert!(
                (level - level.round()).abs() < 1e-3 && (-8.0..=7.0).contains(&level.round()),
                "{q} {scale}"
            );
        }
        assert!(close(found.error.unwrap(), layer.relative_error(&q), 1e-4));
    }
}

/// Coordinate descent as docs/method.md tells it, in float64, on a layer's codes by OPTQ: each weight that is kept becomes the value
/// of its grid nearest to where tr((W - Q) H (W - Q)ᵀ) is least with all others as they stand, columns in the factor's order.
fn naive_refinement(layer: &Layer, optq: &Compressed, factor: &Factor<Cpu>, keeps: &[bool]) -> Vec<f32> {
    let n = layer.cols;
    let (h, w) = (damped_hessian(layer, factor.damping), live_weights(layer));
    let grids = optq.quantization.as_ref().unwrap();
    let most = grids.quantization.most() as f64;
    let order: Vec<usize> = match &factor.order {
        Some(order) => order.iter().map(|&j| j as usize).collect(),
        None => (0..n).collect(),
    };
    let mut q: Vec<f64> = optq.to_f32().iter().map(|&q| q as f64).collect();
    for (row, (q, w)) in q.chunks_mut(n).zip(w.chunks(n)).enumerate() {
        for &j in (0..REFINEMENTS).flat_map(|_| &order).filter(|&&j| keeps[row * n + j]) {
            let group = grids
                .group_of
                .as_ref()
                .map_or(j / grids.quantization.group, |of| of[j] as usize);
            let at = row * grids.groups + group;
            let (scale, zero) = (grids.scales[at] as f64, grids.zeros[at] as f64);
            let others: f64 = (0..n).filter(|&k| k != j).map(|k| (w[k] - q[k]) * h[k * n + j]).sum();
            let wanted = w[j] + others / h[j * n + j];
            q[j] = scale * ((wanted / scale).round_ties_even().clamp(-zero, most - zero));
        }
    }
    q.iter().map(|&q| q as f32).collect()
}

/// The naive form's codes, but for a few that float32 rounds the other way.
fn check_refined(layer: &Layer, factor: &Factor<Cpu>, found: &Compressed, optq: &Compressed, keeps: &[bool]) {
    let expected = naive_refinement(layer, optq, factor, keeps);
    let q = found.to_f32();
    let differing = q.iter().zip(&expected).filter(|(q, e)| (**q - **e).abs() > 1e-3);
    let differing = differing.count();
    assert!(differing * 500 <= q.len(), "{differing} of {}", q.len());
    let errors = [&q, &expected, &optq.to_f32()].map(|q| damped_error(layer, q, factor.damping));
    assert!((errors[0] / errors[1] - 1.0).abs() < 2e-3, "{errors:?}");
    assert!(errors[0] < errors[2], "no better than OPTQ: {errors:?}");
}

#[test]
fn codes_are_chosen_anew_as_by_the_naive_form() {
    for (bits, symmetric, order) in [
        (3, true, Order::Natural),
        (2, false, Order::Natural),
        (4, true, Order::Activity),
    ] {
        let quantization = Quantization {
            bits,
            symmetric,
            ..BITS
        };
        let layer = Layer::ordered(70, 96, &[], order);
        let factor = factor_of(layer.cols, &layer.hessian, 0.01, order);
        for pattern in [Pattern::Sparsity(0.0), Pattern::NofM { n: 0, m: 4 }] {
            let target = target(pattern, Some(quantization));
            let found = prune(&layer, &factor, &target);
            assert_eq!(found.iterations, None);
            let everything = vec![true; layer.w.len()];
            check_refined(&layer, &factor, &found, &layer.compress(&target), &everything);
        }
    }
}

/// In a layer of one block the sweep of what ADMM left prunes just what is zero in it, and so has its codes before they are chosen anew.
#[test]
fn codes_are_chosen_anew_within_the_mask() {
    let layer = Layer::random(70, 128, &[]);
    let factor = factor_of(layer.cols, &layer.hessian, 0.01, Order::Natural);
    let with = |quantization| target(Pattern::Sparsity(0.7), quantization);
    let quantization = Some(Quantization { bits: 3, ..BITS });
    let pruned = prune(&layer, &factor, &with(None)).to_f32();
    let keeps: Vec<bool> = pruned.iter().map(|&w| w != 0.0).collect();
    let left = Layer::new(layer.rows, layer.cols, pruned, layer.hessian.clone(), Order::Natural);
    let found = prune(&layer, &factor, &with(quantization));
    check_refined(&layer, &factor, &found, &left.compress(&with(quantization)), &keeps);
}

#[test]
fn all_pruned_or_nothing_quantized_is_sparsegpts() {
    let layer = Layer::random(40, 96, &[]);
    let factor = factor_of(layer.cols, &layer.hessian, 0.01, Order::Natural);
    for (pattern, quantization) in [
        (Pattern::Sparsity(1.0), Some(BITS)),
        (Pattern::NofM { n: 4, m: 4 }, Some(BITS)),
        (Pattern::Sparsity(0.0), None),
        (Pattern::NofM { n: 0, m: 4 }, None),
    ] {
        let target = target(pattern, quantization);
        assert!(prune(&layer, &factor, &target).bytes == layer.compress(&target).bytes);
    }
}

#[test]
fn a_weight_that_is_not_finite_is_refused_by_its_row() {
    let layer = Layer::random(70, 40, &[]);
    for bad in [f32::NAN, f32::INFINITY] {
        let mut w = layer.w.clone();
        w[66 * layer.cols + 7] = bad;
        let layer = Layer::new(layer.rows, layer.cols, w, layer.hessian.clone(), Order::Natural);
        let factor = factor_of(layer.cols, &layer.hessian, 0.01, Order::Natural);
        let target = target(Pattern::Sparsity(0.5), None);
        let found = admm(layer.weight(), &factor, &target, &Control::default());
        assert_eq!(found.err(), Some(Error::NotFinite { row: 66 }));
    }
}

#[test]
fn it_stops_within_100_ms() {
    let layer = Layer::random(1024, 1024, &[]);
    let factor = factor_of(layer.cols, &layer.hessian, 0.01, Order::Natural);
    for quantization in [None, Some(BITS)] {
        let sparsity = if quantization.is_some() { 0.0 } else { 0.7 };
        let target = target(Pattern::Sparsity(sparsity), quantization);
        let solve = |control: &Control| -> Result<Compressed> { admm(layer.weight(), &factor, &target, control) };
        for wait in [5, 50] {
            assert_stops_within_100_ms(wait, solve);
        }
    }
}
