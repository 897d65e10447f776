//! Quantization on the CPU: naive grids and codes, and the sweep that prunes and quantizes at once.

use crate::control::Control;
use crate::cpu::Cpu;
use crate::error::Error;
use crate::method::compressed::Compressed;
use crate::method::factor::{Factor, Order};
use crate::method::magnitude::magnitude;
use crate::method::mask::Pattern;
use crate::method::sparsegpt::sparsegpt;
use crate::method::target::Target;
use crate::method::wanda::wanda;
use crate::quantization::{Quantization, Range};
use crate::testing::{Noise, assert_stops_within_100_ms, close, distance, with_threads, zeros};
use crate::tests::methods::Layer;
use crate::weights::storage::Storage;
use crate::weights::weight::Weight;

const PLAIN: Quantization = Quantization {
    bits: 4,
    group: 128,
    symmetric: false,
    static_groups: false,
    range: Range::MinMax,
    scales: Storage::F32,
};

fn exact(pattern: Pattern, quantization: Quantization) -> Target {
    Target {
        pattern,
        storage: Storage::F32,
        quantization: Some(quantization),
    }
}

/// Scale and zero point as method.md defines them, in float64 up to the scale's type.
fn naive_grid(values: &[f64], quantization: &Quantization) -> (f64, f64) {
    let most = f64::from(2u32.pow(quantization.bits)) - 1.0;
    let mut low = values.iter().copied().fold(0.0, f64::min);
    let mut high = values.iter().copied().fold(0.0, f64::max);
    if (low, high) == (0.0, 0.0) {
        (low, high) = (-1.0, 1.0);
    }
    if quantization.symmetric {
        high = high.max(-low);
        low = -high;
    }
    let grid = |share: f64| {
        let mut scale = (share * (high - low) / most) as f32;
        if quantization.scales != Storage::F32 {
            scale = half::f16::from_f32(scale).to_f32();
            if quantization.scales == Storage::BF16 {
                scale = half::bf16::from_f32(scale).to_f32();
            }
            scale = scale.max(2f32.powi(-24));
        }
        let scale = f64::from(scale);
        let zero = (-share * low / scale).round_ties_even().clamp(0.0, most);
        (
            scale,
            if quantization.symmetric {
                (most + 1.0) / 2.0
            } else {
                zero
            },
        )
    };
    if quantization.range == Range::MinMax {
        return grid(1.0);
    }
    let error = |grid: (f64, f64)| -> f64 {
        let difference = |&w: &f64| naive_value(w, grid, most) - w;
        values.iter().map(|w| difference(w).abs().powf(2.4)).sum()
    };
    let grids = (0..80).map(|i| grid(1.0 - i as f64 / 100.0));
    grids.min_by(|&a, &b| error(a).total_cmp(&error(b))).unwrap()
}

/// The quotient in float32: the largest weight of a symmetric group lies between two codes, and its last bit decides.
fn naive_value(w: f64, (scale, zero): (f64, f64), most: f64) -> f64 {
    let quotient = f64::from(w as f32 / scale as f32);
    scale * ((quotient.round_ties_even() + zero).clamp(0.0, most) - zero)
}

struct Naive {
    /// [rows, cols]
    w: Vec<f32>,
    /// One for each weight of `w`.
    grids: Vec<(f64, f64)>,
}

/// The joint sweep column by column in float64, every group's scale from a copy of the weights made at its block's start.
fn naive_sweep(layer: &Layer, target: &Target, order: Order) -> Naive {
    let (rows, cols) = (layer.rows, layer.cols);
    let quantization = target.quantization.unwrap();
    let diagonal: Vec<f64> = (0..cols).map(|j| f64::from(layer.hessian[j * cols + j])).collect();
    let mut order_of: Vec<usize> = (0..cols).collect();
    if order == Order::Activity {
        let activity = |j: usize| if diagonal[j] == 0.0 { 1.0 } else { diagonal[j] };
        order_of.sort_by(|&a, &b| activity(b).total_cmp(&activity(a)));
    }
    let dense = |i: usize, col: usize| {
        if diagonal[col] == 0.0 {
            0.0
        } else {
            f64::from(layer.w[i * cols + col])
        }
    };
    let u = |i: usize, j: usize| f64::from(layer.factor.u[i * cols + j]);
    let width = match target.pattern {
        Pattern::Sparsity(_) => 128,
        Pattern::NofM { m, .. } => (128 / m).max(1) * m,
    };
    let members = |group: usize| group * quantization.group..cols.min((group + 1) * quantization.group);
    let (mut found, mut grids) = (vec![0f32; rows * cols], vec![(0.0, 0.0); rows * cols]);
    let mut w: Vec<Vec<f64>> = (0..rows)
        .map(|i| order_of.iter().map(|&col| dense(i, col)).collect())
        .collect();
    let mut start = w.clone();
    let mut pruned = vec![vec![false; cols]; rows];
    for (j, &col) in order_of.iter().enumerate() {
        let score = |w: &[Vec<f64>], i: usize, j: usize| (w[i][j] / u(j, j)).powi(2);
        if j % width == 0 {
            start = w.clone();
            if let Pattern::Sparsity(sparsity) = target.pattern
                && sparsity > 0.0
            {
                let block = j..(j + width).min(cols);
                let mut scores: Vec<f64> = (0..rows)
                    .flat_map(|i| block.clone().map(move |j| (i, j)))
                    .map(|(i, j)| score(&w, i, j))
                    .collect();
                scores.sort_by(f64::total_cmp);
                let limit = scores[((sparsity * scores.len() as f64) as usize).min(scores.len() - 1)];
                (0..rows).for_each(|i| block.clone().for_each(|j| pruned[i][j] = score(&w, i, j) <= limit));
            }
        }
        for i in 0..rows {
            if let Pattern::NofM { n, m } = target.pattern
                && j % m == 0
            {
                let mut by_score: Vec<usize> = (j..j + m).collect();
                by_score.sort_by(|&a, &b| score(&w, i, a).total_cmp(&score(&w, i, b)));
                by_score[..n].iter().for_each(|&j| pruned[i][j] = true);
            }
            let grid = if quantization.static_groups {
                let values: Vec<f64> = members(col / quantization.group).map(|col| dense(i, col)).collect();
                naive_grid(&values, &quantization)
            } else {
                // Known since the block in which the group started.
                let first = j / quantization.group * quantization.group;
                if j == first {
                    let values: Vec<f64> = members(j / quantization.group).map(|j| start[i][j]).collect();
                    naive_grid(&values, &quantization)
                } else {
                    grids[i * cols + order_of[j - 1]]
                }
            };
            grids[i * cols + col] = grid;
            let q = if pruned[i][j] {
                0.0
            } else {
                let value = naive_value(w[i][j], grid, f64::from(quantization.most()));
                f64::from(target.storage.round(value as f32))
            };
            let error = (w[i][j] - q) / u(j, j);
            (j + 1..cols).for_each(|k| w[i][k] -= error * u(j, k));
            found[i * cols + col] = q as f32;
        }
    }
    Naive { w: found, grids }
}

/// The grid of each weight as a layer stores it.
fn stored_grids(result: &Compressed) -> Vec<(f64, f64)> {
    let quantized = result.quantization.as_ref().unwrap();
    let group_of = |col: usize| match &quantized.group_of {
        Some(group_of) => group_of[col] as usize,
        None => col / quantized.quantization.group,
    };
    let grid = |k: usize| {
        let index = k / result.cols * quantized.groups + group_of(k % result.cols);
        (f64::from(quantized.scales[index]), f64::from(quantized.zeros[index]))
    };
    (0..result.rows * result.cols).map(grid).collect()
}

#[test]
fn joint_sweep_is_the_naive_one() {
    let sparsity = Pattern::Sparsity;
    let n_of_m = |n, m| Pattern::NofM { n, m };
    let group = |group| Quantization { group, ..PLAIN };
    let symmetric = |quantization| Quantization {
        symmetric: true,
        ..quantization
    };
    let fixed = |quantization| Quantization {
        static_groups: true,
        ..quantization
    };
    let bits = |bits, quantization| Quantization { bits, ..quantization };
    let mse = |quantization| Quantization {
        range: Range::Mse,
        ..quantization
    };
    let (natural, activity) = (Order::Natural, Order::Activity);
    let cases = [
        // Across spans; a last group that is shorter; a single row and a single column.
        (9, 700, sparsity(0.0), group(64), natural),
        (6, 600, sparsity(0.6), symmetric(group(128)), natural),
        (1, 300, sparsity(0.3), group(300), natural),
        (70, 1, sparsity(0.0), group(1), natural),
        (5, 65, sparsity(0.5), bits(3, group(32)), natural),
        (5, 130, sparsity(0.0), bits(2, symmetric(group(130))), natural),
        (5, 130, sparsity(0.0), bits(8, group(64)), natural),
        // Columns by activity, with groups of neighbours and of what comes together.
        (7, 260, sparsity(0.0), group(32), activity),
        (7, 560, sparsity(0.5), symmetric(group(128)), activity),
        (7, 260, sparsity(0.5), fixed(group(64)), activity),
        (7, 260, sparsity(0.0), fixed(symmetric(group(64))), natural),
        (7, 140, sparsity(0.0), group(140), activity),
        // Blocks that are no multiple of a group: 126, 125, 260 columns; spans of 504.
        (6, 600, n_of_m(2, 4), group(64), natural),
        (6, 540, n_of_m(2, 3), group(32), natural),
        (6, 540, n_of_m(1, 3), symmetric(group(128)), natural),
        (4, 650, n_of_m(2, 5), group(128), natural),
        (3, 520, n_of_m(100, 260), group(128), natural),
        (6, 540, n_of_m(2, 3), fixed(group(64)), natural),
        // The search.
        (6, 200, sparsity(0.0), mse(group(64)), natural),
        (6, 200, sparsity(0.6), mse(symmetric(group(200))), natural),
        (6, 200, sparsity(0.0), bits(3, mse(fixed(group(32)))), activity),
    ];
    for (rows, cols, pattern, quantization, order) in cases {
        let dead: &[usize] = if cols > 100 { &[3, 77] } else { &[] };
        let layer = Layer::ordered(rows, cols, dead, order);
        let target = exact(pattern, quantization);
        let (result, expected) = (layer.compress(&target), naive_sweep(&layer, &target, order));
        let ours = result.to_f32();
        let name = format!("[{rows}, {cols}] {pattern:?} {quantization:?} {order:?}");
        assert!(zeros(&ours) == zeros(&expected.w), "{name}: other zeros");
        let off = distance(&ours, &expected.w);
        assert!(off < 1e-5, "{name}: off by {off:e}");
        for (found, expected) in stored_grids(&result).iter().zip(&expected.grids) {
            assert!(
                close(found.0, expected.0, 1e-5),
                "{name}: scale {found:?}, {expected:?}"
            );
            assert_eq!(found.1, expected.1, "{name}: zero");
        }
        let naive = layer.relative_error(&ours);
        assert!(
            close(result.error.unwrap(), naive, 1e-4),
            "{name}: error {:?}, {naive}",
            result.error
        );
    }
}

/// Every stored weight is exactly that of a code, and the code is found next to weight / scale: with more than 128 levels bfloat16
/// is too coarse for the quotient itself.
fn assert_recoverable(result: &Compressed, name: &str) {
    let quantized = result.quantization.as_ref().unwrap();
    let most = f64::from(quantized.quantization.most());
    let reach = if result.storage == Storage::BF16 && most > 128.0 {
        1.0
    } else {
        0.0
    };
    for (&w, (scale, zero)) in result.to_f32().iter().zip(stored_grids(result)) {
        assert_eq!(half::f16::from_f64(scale).to_f64(), scale, "{name}: no float16");
        let nearest = (f64::from(w) / scale).round() + zero;
        let is_code =
            |code: &f64| (0.0..=most).contains(code) && result.storage.round((scale * (code - zero)) as f32) == w;
        let code = [nearest, nearest - reach, nearest + reach].into_iter().find(is_code);
        assert!(
            code.is_some(),
            "{name}: {w:e} has no code, scale {scale:e}, zero {zero}"
        );
        assert!(
            w != 0.0 || (w.is_sign_positive() && code == Some(zero)),
            "{name}: {w:e}"
        );
    }
}

#[test]
fn codes_are_recoverable_in_every_type() {
    for storage in [Storage::F16, Storage::BF16, Storage::F32] {
        let scales = if storage == Storage::BF16 {
            Storage::BF16
        } else {
            Storage::F16
        };
        for bits in [2, 3, 4, 8] {
            for symmetric in [false, true] {
                let quantization = Quantization {
                    bits,
                    group: 32,
                    symmetric,
                    scales,
                    ..PLAIN
                };
                let target = Target {
                    pattern: Pattern::Sparsity(0.4),
                    storage,
                    quantization: Some(quantization),
                };
                let name = format!("{storage:?}, {bits} bits, symmetric {symmetric}");
                // Weights of all sizes: float16's subnormal numbers, too.
                let mut layer = Layer::ordered(40, 160, &[7], Order::Activity);
                let sizes = (0..layer.w.len()).map(|k| 10f32.powi(-((k / 160 % 8) as i32)));
                let w = layer.w.iter().zip(sizes).map(|(w, size)| w * size).collect();
                layer = Layer::new(40, 160, w, layer.hessian, Order::Activity);
                let control = Control::default();
                assert_recoverable(&layer.compress(&target), &name);
                assert_recoverable(&wanda(layer.weight(), &layer.factor, &target, &control).unwrap(), &name);
                assert_recoverable(
                    &magnitude(layer.weight(), None::<&Factor<Cpu>>, &target, &control).unwrap(),
                    &name,
                );
            }
        }
    }
}

#[test]
fn stored_types_are_swept_on() {
    for (storage, scales) in [(Storage::F16, Storage::F16), (Storage::BF16, Storage::BF16)] {
        let layer = Layer::ordered(20, 300, &[], Order::Natural);
        let target = Target {
            pattern: Pattern::Sparsity(0.5),
            storage,
            quantization: Some(Quantization {
                group: 64,
                scales,
                ..PLAIN
            }),
        };
        let (result, expected) = (layer.compress(&target), naive_sweep(&layer, &target, Order::Natural));
        let ours = result.to_f32();
        // A difference in float32's last bit may choose another code, which moves what follows in its row.
        let same = ours.iter().zip(&expected.w).filter(|(a, b)| a == b).count();
        assert!(
            same as f64 > 0.99 * ours.len() as f64,
            "{storage:?}: {same} of {}",
            ours.len()
        );
        assert!(close(result.error.unwrap(), layer.relative_error(&ours), 1e-4));
    }
}

#[test]
fn round_to_nearest_is_the_naive_one() {
    let layer = Layer::ordered(70, 150, &[2, 90], Order::Natural);
    for (quantization, sparsity) in [
        (PLAIN, 0.5),
        (Quantization { group: 32, ..PLAIN }, 0.0),
        (
            Quantization {
                group: 150,
                bits: 3,
                symmetric: true,
                ..PLAIN
            },
            0.3,
        ),
    ] {
        let target = exact(Pattern::Sparsity(sparsity), quantization);
        let plain = Target {
            quantization: None,
            ..target
        };
        let control = Control::default();
        let methods = |target: &Target| {
            [
                wanda(layer.weight(), &layer.factor, target, &control).unwrap(),
                magnitude(layer.weight(), Some(&layer.factor), target, &control).unwrap(),
            ]
        };
        for (result, pruned) in methods(&target).iter().zip(methods(&plain)) {
            let dense = |k: usize| {
                if [2, 90].contains(&(k % 150)) {
                    0.0
                } else {
                    f64::from(layer.w[k])
                }
            };
            let expected: Vec<f32> = (0..layer.w.len())
                .map(|k| {
                    let first = k / 150 * 150 + k % 150 / quantization.group * quantization.group;
                    let last = (first + quantization.group).min((k / 150 + 1) * 150);
                    let values: Vec<f64> = (first..last).map(dense).collect();
                    let grid = naive_grid(&values, &quantization);
                    naive_value(dense(k), grid, f64::from(quantization.most())) as f32
                })
                .zip(pruned.to_f32())
                .map(|(value, kept)| if kept == 0.0 { 0.0 } else { value })
                .collect();
            let off = distance(&result.to_f32(), &expected);
            assert!(off < 1e-6, "{quantization:?} {sparsity}: off by {off:e}");
            assert!(close(
                result.error.unwrap(),
                layer.relative_error(&result.to_f32()),
                1e-4
            ));
        }
    }
}

#[test]
fn the_search_finds_the_least_error() {
    let mut noise = Noise(11);
    // Heavy tails, so that a smaller range pays.
    let w: Vec<f32> = (0..64 * 128).map(|_| noise.next().powi(5)).collect();
    let layer = Layer::new(64, 128, w, identity(128), Order::Natural);
    for (bits, symmetric) in [(2, true), (3, false), (4, true)] {
        let search = Quantization {
            bits,
            symmetric,
            range: Range::Mse,
            ..PLAIN
        };
        let target = exact(Pattern::Sparsity(0.0), search);
        let result = magnitude(layer.weight(), None::<&Factor<Cpu>>, &target, &Control::default()).unwrap();
        let most = f64::from(search.most());
        let mut shrunk = 0;
        for (row, grids) in layer.w.chunks(128).zip(stored_grids(&result).chunks(128)) {
            let values: Vec<f64> = row.iter().map(|&w| f64::from(w)).collect();
            let error = |grid| -> f64 {
                values
                    .iter()
                    .map(|&w| (naive_value(w, grid, most) - w).abs().powf(2.4))
                    .sum()
            };
            let (found, best) = (error(grids[0]), error(naive_grid(&values, &search)));
            assert!(found <= best * (1.0 + 1e-5), "{found} instead of {best}");
            let whole = naive_grid(
                &values,
                &Quantization {
                    range: Range::MinMax,
                    ..search
                },
            );
            shrunk += (grids[0].0 < 0.99 * whole.0) as usize;
        }
        assert!(shrunk > 32, "{shrunk} of 64 ranges were shrunk");
    }
}

fn identity(n: usize) -> Vec<f32> {
    (0..n * n).map(|k| if k % (n + 1) == 0 { 1.0 } else { 0.0 }).collect()
}

#[test]
fn flat_rows_and_layers_of_zeros_come_out_as_they_are() {
    let control = Control::default();
    for symmetric in [false, true] {
        let quantization = Quantization {
            group: 32,
            symmetric,
            scales: Storage::F16,
            ..PLAIN
        };
        let target = Target {
            pattern: Pattern::Sparsity(0.0),
            storage: Storage::F16,
            quantization: Some(quantization),
        };
        let zero = Layer::new(5, 70, vec![0.0; 350], identity(70), Order::Activity);
        for result in [
            zero.compress(&target),
            wanda(zero.weight(), &zero.factor, &target, &control).unwrap(),
        ] {
            assert_eq!(result.zeros, 350);
            assert!(stored_grids(&result).iter().all(|grid| grid.0 > 0.1));
        }
        // Constant rows, positive and negative: the range reaches from the constant to zero, or to its opposite.
        let w: Vec<f32> = (0..350).map(|k| [0.5, -0.25, 1.0, -2.0, 0.125][k / 70]).collect();
        let constant = Layer::new(5, 70, w.clone(), identity(70), Order::Natural);
        let result = constant.compress(&target);
        assert!(distance(&result.to_f32(), &w) < if symmetric { 0.08 } else { 1e-3 });
        assert_recoverable(&result, "constant rows");
    }
}

#[test]
fn a_weight_that_is_not_finite_is_refused_by_its_row() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut layer = Layer::ordered(40, 130, &[], Order::Natural);
        let mut w = layer.w.clone();
        w[23 * 130 + 60] = bad;
        layer = Layer::new(40, 130, w, layer.hessian, Order::Natural);
        let control = Control::default();
        for (group, scales) in [(32, Storage::F16), (130, Storage::BF16)] {
            let quantization = Quantization { group, scales, ..PLAIN };
            let target = exact(Pattern::Sparsity(0.0), quantization);
            let found = [
                sparsegpt(layer.weight(), &layer.factor, &target, &control),
                wanda(layer.weight(), &layer.factor, &target, &control),
                magnitude(layer.weight(), None::<&Factor<Cpu>>, &target, &control),
            ];
            for found in found {
                assert_eq!(
                    found.map(|result| result.zeros),
                    Err(Error::NotFinite { row: 23 }),
                    "{bad}"
                );
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_code() {
    let layer = Layer::ordered(700, 300, &[4], Order::Activity);
    let quantization = Quantization {
        group: 64,
        scales: Storage::BF16,
        range: Range::Mse,
        ..PLAIN
    };
    let target = Target {
        pattern: Pattern::Sparsity(0.5),
        storage: Storage::BF16,
        quantization: Some(quantization),
    };
    let compute = || {
        let control = Control::default();
        let nearest = wanda(layer.weight(), &layer.factor, &target, &control).unwrap();
        [layer.compress(&target), nearest].map(|result| {
            let quantized = result.quantization.unwrap();
            (result.bytes, result.error, quantized.scale_bytes(), quantized.zeros)
        })
    };
    let one = with_threads(1, compute);
    assert!(one == with_threads(2, compute) && one == with_threads(3, compute));
}

#[test]
fn quantizing_stops_within_100_ms() {
    let (rows, cols) = (1500, 1500);
    let mut layer = Layer::new(1, 1, vec![1.0], vec![1.0], Order::Natural);
    layer.factor.cols = cols;
    layer.factor.u = identity(cols);
    layer.factor.u_diagonal = vec![1.0; cols];
    layer.factor.hessian_diagonal = vec![1.0; cols];
    let bytes: Vec<u8> = Noise(2)
        .take(rows * cols)
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    let weight = Weight {
        rows,
        cols,
        storage: Storage::F32,
        bytes: &bytes,
    };
    for (group, wait) in [(cols, 60), (128, 60), (cols, 150)] {
        let search = Quantization {
            group,
            range: Range::Mse,
            ..PLAIN
        };
        let target = exact(Pattern::Sparsity(0.5), search);
        assert_stops_within_100_ms(wait, |control| sparsegpt(weight, &layer.factor, &target, control));
        assert_stops_within_100_ms(30, |control| wanda(weight, &layer.factor, &target, control));
    }
}
