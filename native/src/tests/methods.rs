//! Pruning on the CPU: the authors' results, the naive sweep, and what must not change a bit.

use std::path::Path;

use super::factor::gram_of;
use crate::backend::Entries;
use crate::checkpoint::Checkpoint;
use crate::control::Control;
use crate::cpu::Cpu;
use crate::cpu::gram::Gram;
use crate::error::Error;
use crate::method::compressed::Compressed;
use crate::method::factor::{Factor, Order, factorize};
use crate::method::magnitude::magnitude;
use crate::method::mask::Pattern;
use crate::method::outliers::outliers;
use crate::method::sparsegpt::sparsegpt;
use crate::method::spectrum::spectrum_alpha;
use crate::method::statistics::layer_statistics;
use crate::method::target::Target;
use crate::method::wanda::wanda;
use crate::quantization::{Quantization, Range};
use crate::testing::{Noise, assert_stops_within_100_ms, close, distance, inputs, with_threads, zeros};
use crate::weights::storage::Storage;
use crate::weights::weight::Weight;

/// A target without quantization.
fn pruned(pattern: Pattern, storage: Storage) -> Target {
    Target {
        pattern,
        storage,
        quantization: None,
    }
}

/// A layer with the Hessian of its input, and the factor of that.
pub struct Layer {
    pub rows: usize,
    pub cols: usize,
    pub w: Vec<f32>,
    bytes: Vec<u8>,
    /// Undamped, [cols, cols].
    pub hessian: Vec<f32>,
    pub factor: Factor<Cpu>,
}

impl Layer {
    pub fn new(rows: usize, cols: usize, w: Vec<f32>, hessian: Vec<f32>, order: Order) -> Self {
        let factor = factorize(
            &Cpu,
            Gram::from_dense(cols, &hessian),
            1.0,
            0.01,
            order,
            false,
            &Control::default(),
        )
        .unwrap();
        let bytes = w.iter().flat_map(|w| w.to_le_bytes()).collect();
        Self {
            rows,
            cols,
            w,
            bytes,
            hessian,
            factor,
        }
    }

    pub fn random(rows: usize, cols: usize, dead: &[usize]) -> Self {
        Self::ordered(rows, cols, dead, Order::Natural)
    }

    pub fn ordered(rows: usize, cols: usize, dead: &[usize], order: Order) -> Self {
        let gram = gram_of(cols, &inputs(2 * cols, cols, dead));
        let hessian = (0..cols * cols)
            .map(|k| (k / cols, k % cols))
            .map(|(i, j)| gram.get(i.max(j), i.min(j)) as f32);
        let mut noise = Noise(rows as u64);
        let w = (0..rows * cols)
            .map(|_| (noise.next() + noise.next() + noise.next()) * 0.1)
            .collect();
        Self::new(rows, cols, w, hessian.collect(), order)
    }

    pub fn weight(&self) -> Weight<'_> {
        Weight {
            rows: self.rows,
            cols: self.cols,
            storage: Storage::F32,
            bytes: &self.bytes,
        }
    }

    fn sparsegpt(&self, pattern: Pattern, storage: Storage) -> Compressed {
        self.compress(&pruned(pattern, storage))
    }

    pub fn compress(&self, target: &Target) -> Compressed {
        sparsegpt(self.weight(), &self.factor, target, &Control::default()).unwrap()
    }

    /// tr(V H Vᵀ) of the undamped H in float64, product by product.
    fn energy(&self, v: &[f64]) -> f64 {
        let row_energy = |row: &[f64]| -> f64 {
            let times_h = |i: usize| {
                row.iter()
                    .zip(&self.hessian[i * self.cols..])
                    .map(|(v, &h)| v * h as f64)
                    .sum::<f64>()
            };
            row.iter().enumerate().map(|(i, v)| v * times_h(i)).sum()
        };
        v.chunks(self.cols).map(row_energy).sum()
    }

    pub fn relative_error(&self, q: &[f32]) -> f64 {
        let dense: Vec<f64> = self.w.iter().map(|&w| w as f64).collect();
        let lost: Vec<f64> = self.w.iter().zip(q).map(|(&w, &q)| w as f64 - q as f64).collect();
        self.energy(&lost) / self.energy(&dense)
    }
}

/// The authors' results, of which the README beside the originals says how near to come.
pub struct Golden {
    pub name: String,
    pub rows: usize,
    pub cols: usize,
    pub weight: Vec<f32>,
    pub hessian: Vec<f32>,
    pub order: Order,
    pub target: Target,
    expected: Vec<f32>,
    sparsity: f64,
    loss: f64,
    error: f64,
}

impl Golden {
    pub fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test/fixtures/golden");
        let manifest = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
        let entries: Vec<serde_json::Value> = serde_json::from_str(&manifest).unwrap();
        assert_eq!(entries.len(), 17);
        entries.iter().map(|entry| Self::of(&folder, entry)).collect()
    }

    fn of(folder: &Path, entry: &serde_json::Value) -> Self {
        let name = entry["name"].as_str().unwrap();
        let file = Checkpoint::open_file(&folder.join(name).with_extension("safetensors")).unwrap();
        let read = |name: &str| {
            let mut values = vec![0f32; file.tensor(name).unwrap().elements()];
            file.load_f32(name, &mut values).unwrap();
            values
        };
        let number = |key: &str| entry[key].as_f64().unwrap();
        let (rows, cols) = (number("rows") as usize, number("cols") as usize);
        let pattern = match entry.get("n") {
            Some(_) => Pattern::NofM {
                n: number("n") as usize,
                m: number("m") as usize,
            },
            None => Pattern::Sparsity(entry["sparsity"].as_f64().unwrap_or(0.0)),
        };
        let is_set = |key: &str| entry[key].as_bool().unwrap_or(false);
        let quantization = entry["bits"].as_u64().map(|bits| Quantization {
            bits: bits as u32,
            group: entry["group"].as_u64().map_or(cols, |group| group as usize),
            symmetric: is_set("sym"),
            static_groups: is_set("static"),
            range: Range::MinMax,
            scales: Storage::F32,
        });
        Self {
            name: name.to_owned(),
            rows,
            cols,
            weight: read("weight"),
            hessian: read("hessian"),
            order: if is_set("act") { Order::Activity } else { Order::Natural },
            target: Target {
                pattern,
                storage: Storage::F32,
                quantization,
            },
            expected: read("expected"),
            sparsity: number("sparsity_out"),
            loss: number("error"),
            error: number("relative_output_error"),
        }
    }

    pub fn check(&self, result: &Compressed) {
        let (name, ours) = (&self.name, result.to_f32());
        assert!(zeros(&ours) == zeros(&self.expected), "{name}: another mask");
        let off = distance(&ours, &self.expected);
        assert!(off < 1e-5, "{name}: off by {off:e}");
        assert!(
            close(
                result.zeros as f64 / (self.rows * self.cols) as f64,
                self.sparsity,
                1e-6
            ),
            "{name}: zeros"
        );
        assert!(
            close(result.loss.unwrap(), self.loss, 1e-5),
            "{name}: loss {:?}",
            result.loss
        );
        assert!(
            close(result.error.unwrap(), self.error, 1e-3),
            "{name}: error {:?}",
            result.error
        );
        let layer = Layer::new(
            self.rows,
            self.cols,
            self.weight.clone(),
            self.hessian.clone(),
            self.order,
        );
        let naive = layer.relative_error(&ours);
        assert!(
            close(result.error.unwrap(), naive, 1e-4),
            "{name}: error {:?}, in float64 {naive}",
            result.error
        );
    }
}

#[test]
fn golden_vectors() {
    for golden in Golden::all() {
        let (weight, hessian) = (golden.weight.clone(), golden.hessian.clone());
        let layer = Layer::new(golden.rows, golden.cols, weight, hessian, golden.order);
        golden.check(&layer.compress(&golden.target));
    }
}

/// The sweep as method.md tells it, one column after the other, in float64; `storage` in float32 as it must be.
pub fn naive_sweep(layer: &Layer, pattern: Pattern, storage: Storage) -> Vec<f32> {
    let (rows, cols) = (layer.rows, layer.cols);
    let u = |i: usize, j: usize| layer.factor.u[i * cols + j] as f64;
    let mut w: Vec<f64> = layer.w.iter().map(|&w| w as f64).collect();
    let mut pruned = vec![false; rows * cols];
    for j in 0..cols {
        let score = |w: &[f64], i: usize, j: usize| (w[i * cols + j] / u(j, j)).powi(2);
        match pattern {
            Pattern::Sparsity(sparsity) if j % 128 == 0 && sparsity > 0.0 => {
                let block: Vec<(usize, usize)> = (0..rows)
                    .flat_map(|i| (j..(j + 128).min(cols)).map(move |j| (i, j)))
                    .collect();
                let mut scores: Vec<f64> = block.iter().map(|&(i, j)| score(&w, i, j)).collect();
                scores.sort_by(f64::total_cmp);
                let limit = scores[((sparsity * scores.len() as f64) as usize).min(scores.len() - 1)];
                block
                    .iter()
                    .for_each(|&(i, j)| pruned[i * cols + j] = score(&w, i, j) <= limit);
            }
            Pattern::NofM { n, m } if j % m == 0 => {
                for i in 0..rows {
                    let mut order: Vec<usize> = (j..j + m).collect();
                    order.sort_by(|&a, &b| score(&w, i, a).total_cmp(&score(&w, i, b)));
                    order[..n].iter().for_each(|&j| pruned[i * cols + j] = true);
                }
            }
            _ => {}
        }
        for i in 0..rows {
            let q = if pruned[i * cols + j] {
                0.0
            } else {
                storage.round(w[i * cols + j] as f32) as f64
            };
            let error = (w[i * cols + j] - q) / u(j, j);
            (j + 1..cols).for_each(|k| w[i * cols + k] -= error * u(j, k));
            w[i * cols + j] = q;
        }
    }
    w.iter().map(|&w| w as f32).collect()
}

#[test]
fn sweep_is_the_naive_one() {
    let sparsity = Pattern::Sparsity;
    let n_of_m = |n, m| Pattern::NofM { n, m };
    // Across spans; one row; patterns that do not divide a block's width or the kernel's step.
    let cases = [
        (33, 700, sparsity(0.7)),
        (1, 130, sparsity(0.5)),
        (150, 64, sparsity(0.0)),
        (20, 600, n_of_m(2, 4)),
    ];
    let odd = [
        (18, 300, n_of_m(2, 3)),
        (17, 240, n_of_m(5, 12)),
        (5, 544, n_of_m(8, 16)),
        (4, 520, n_of_m(100, 260)),
    ];
    for (rows, cols, pattern) in cases.into_iter().chain(odd) {
        let layer = Layer::random(rows, cols, &[]);
        let result = layer.sparsegpt(pattern, Storage::F32);
        let expected = naive_sweep(&layer, pattern, Storage::F32);
        assert!(
            zeros(&result.to_f32()) == zeros(&expected),
            "[{rows}, {cols}] {pattern:?}: another mask"
        );
        let off = distance(&result.to_f32(), &expected);
        assert!(off < 1e-5, "[{rows}, {cols}] {pattern:?}: off by {off:e}");
    }
}

#[test]
fn kept_weights_are_stored_values_and_their_rounding_is_swept_on() {
    let layer = Layer::random(40, 300, &[]);
    for storage in [Storage::F16, Storage::BF16] {
        let result = layer.sparsegpt(Pattern::Sparsity(0.6), storage);
        let ours = result.to_f32();
        assert_eq!(result.bytes.len(), 40 * 300 * 2);
        // A difference in the last bit of float32 may round to another stored value.
        let expected = naive_sweep(&layer, Pattern::Sparsity(0.6), storage);
        let same = ours.iter().zip(&expected).filter(|(a, b)| a == b).count();
        assert!(
            same as f64 > 0.999 * ours.len() as f64,
            "{storage:?}: {same} of {}",
            ours.len()
        );
        assert!(close(result.error.unwrap(), layer.relative_error(&ours), 1e-4));
    }
}

#[test]
fn dead_columns_are_zeroed_and_cost_nothing() {
    let layer = Layer::random(30, 200, &[0, 77, 199]);
    for method in [sparsegpt, wanda] {
        let result = method(
            layer.weight(),
            &layer.factor,
            &pruned(Pattern::Sparsity(0.5), Storage::F32),
            &Control::default(),
        )
        .unwrap();
        let ours = result.to_f32();
        assert!(
            ours.chunks(200)
                .all(|row| row[0] == 0.0 && row[77] == 0.0 && row[199] == 0.0)
        );
        assert!(
            close(result.error.unwrap(), layer.relative_error(&ours), 1e-4),
            "{:?}",
            result.error
        );
    }
}

#[test]
fn wanda_prunes_each_row_by_weight_times_norm() {
    let layer = Layer::random(25, 90, &[]);
    let norm = |j: usize| (layer.hessian[j * 90 + j]).sqrt();
    for (pattern, m, n) in [(Pattern::Sparsity(0.35), 90, 31), (Pattern::NofM { n: 2, m: 5 }, 5, 2)] {
        let result = wanda(
            layer.weight(),
            &layer.factor,
            &pruned(pattern, Storage::F32),
            &Control::default(),
        )
        .unwrap();
        let mut expected = layer.w.clone();
        for (i, group) in expected.chunks_mut(m).enumerate() {
            let mut order: Vec<usize> = (0..m).collect();
            order.sort_by(|&a, &b| {
                (group[a].abs() * norm((i * m + a) % 90)).total_cmp(&(group[b].abs() * norm((i * m + b) % 90)))
            });
            order[..n].iter().for_each(|&j| group[j] = 0.0);
        }
        assert!(result.to_f32() == expected, "{pattern:?}");
        assert!(close(result.error.unwrap(), layer.relative_error(&expected), 1e-4));
    }
}

#[test]
fn magnitude_prunes_the_layer_as_a_whole() {
    let layer = Layer::random(25, 90, &[]);
    let prune = |pattern, factor| {
        magnitude(
            layer.weight(),
            factor,
            &pruned(pattern, Storage::F32),
            &Control::default(),
        )
        .unwrap()
    };
    let result = prune(Pattern::Sparsity(0.35), Some(&layer.factor));
    let mut sizes: Vec<f32> = layer.w.iter().map(|w| w.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let limit = sizes[(0.35 * sizes.len() as f64) as usize];
    let expected: Vec<f32> = layer
        .w
        .iter()
        .map(|&w| if w.abs() <= limit { 0.0 } else { w })
        .collect();
    assert!(result.to_f32() == expected);
    assert!(close(result.error.unwrap(), layer.relative_error(&expected), 1e-4));
    assert_eq!(prune(Pattern::NofM { n: 1, m: 3 }, None).zeros, 25 * 30);
    assert_eq!(prune(Pattern::Sparsity(0.0), None).zeros, 0);
}

#[test]
fn statistics_are_those_of_the_definition() {
    let layer = Layer::random(61, 210, &[5]);
    let mut w = layer.w.clone();
    w.iter_mut().skip(5).step_by(210).for_each(|w| *w = 0.0);
    let u: Vec<f64> = layer.factor.u_diagonal.iter().map(|&u| u as f64).collect();
    let mut saliencies: Vec<f64> = w
        .iter()
        .enumerate()
        .map(|(k, &w)| (w as f64 / u[k % 210]).powi(2))
        .collect();
    saliencies.sort_by(f64::total_cmp);
    let found = layer_statistics(layer.weight(), &layer.factor, &Control::default()).unwrap();
    let total = saliencies.len();
    assert!(close(
        found.estimate,
        saliencies.iter().sum::<f64>() / total as f64,
        1e-6
    ));
    for (i, &point) in found.curve.iter().enumerate() {
        let expected = saliencies[..total * i / 20].iter().sum::<f64>() / total as f64;
        assert!(
            close(point, expected, 1e-6),
            "curve at {i}: {point} instead of {expected}"
        );
    }
    let dense: Vec<f64> = w.iter().map(|&w| w as f64).collect();
    assert!(
        close(found.energy, layer.energy(&dense), 1e-5),
        "energy {}",
        found.energy
    );
}

#[test]
fn outliers_are_counted_over_the_whole_block() {
    let layers = [Layer::random(300, 40, &[]), Layer::random(20, 100, &[])];
    let scores: Vec<f64> = layers
        .iter()
        .flat_map(|layer| {
            let norm = |j: usize| (layer.hessian[j * layer.cols + j] as f64).sqrt();
            layer
                .w
                .iter()
                .enumerate()
                .map(move |(k, w)| w.abs() as f64 * norm(k % layer.cols))
        })
        .collect();
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let expected = 100.0 * scores.iter().filter(|&&a| a > 2.0 * mean).count() as f64 / scores.len() as f64;
    let pairs: Vec<_> = layers
        .iter()
        .map(|layer| (layer.weight(), &layer.factor.hessian_diagonal[..]))
        .collect();
    assert!(expected > 1.0);
    assert!(close(
        outliers(&pairs, 2.0, &Control::default()).unwrap(),
        expected,
        1e-9
    ));
}

#[test]
fn spectrum_is_that_of_known_eigenvalues() {
    // The columns of a Hadamard matrix are orthogonal, so the eigenvalues of W Wᵀ are 64 times its rows' squared scales.
    let scales: Vec<f64> = (1..=9).map(|i| 0.5 + (i as f64).powi(2)).collect();
    let sign = |i: usize, j: usize| {
        if (i & j).count_ones().is_multiple_of(2) {
            1.0
        } else {
            -1.0
        }
    };
    let wide: Vec<f32> = (0..9 * 64)
        .map(|k| (scales[k / 64] * sign(k / 64, k % 64)) as f32)
        .collect();
    let tall: Vec<f32> = (0..9 * 64).map(|k| wide[k % 9 * 64 + k / 9]).collect();
    let squares: Vec<f64> = scales[4..].iter().map(|scale| scale * scale).collect();
    let expected = 1.0 + 5.0 / squares.iter().map(|square| (square / squares[0]).ln()).sum::<f64>();
    for (rows, cols, w) in [(9, 64, wide), (64, 9, tall)] {
        let bytes: Vec<u8> = w.iter().flat_map(|w| w.to_le_bytes()).collect();
        let weight = Weight {
            rows,
            cols,
            storage: Storage::F32,
            bytes: &bytes,
        };
        assert!(close(
            spectrum_alpha(&Cpu, weight, &Control::default()).unwrap(),
            expected,
            1e-6
        ));
    }
}

#[test]
fn threads_do_not_change_the_result() {
    let layer = Layer::random(700, 600, &[4]);
    let compute = || {
        let pruned = layer.sparsegpt(Pattern::Sparsity(0.7), Storage::BF16);
        let found = layer_statistics(layer.weight(), &layer.factor, &Control::default()).unwrap();
        let share = outliers(
            &[(layer.weight(), &layer.factor.hessian_diagonal[..])],
            3.0,
            &Control::default(),
        )
        .unwrap();
        (
            pruned.bytes,
            pruned.error,
            pruned.loss,
            found.curve,
            found.energy,
            share,
        )
    };
    let one = with_threads(1, compute);
    assert!(one == with_threads(2, compute) && one == with_threads(3, compute));
}

#[test]
fn a_weight_that_is_not_finite_is_refused_by_its_row() {
    let mut layer = Layer::random(40, 130, &[]);
    layer.bytes[(23 * 130 + 60) * 4..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let control = Control::default();
    let refused = Err(Error::NotFinite { row: 23 });
    let half = Pattern::Sparsity(0.5);
    let found = [
        sparsegpt(layer.weight(), &layer.factor, &pruned(half, Storage::F32), &control),
        wanda(layer.weight(), &layer.factor, &pruned(half, Storage::F32), &control),
        magnitude(
            layer.weight(),
            None::<&Factor<Cpu>>,
            &pruned(half, Storage::F16),
            &control,
        ),
    ];
    found
        .into_iter()
        .for_each(|found| assert_eq!(found.map(|result| result.zeros), refused));
}

#[test]
fn all_stop_within_100_ms() {
    let (rows, cols) = (3000, 3000);
    let identity = (0..cols * cols)
        .map(|k| if k % (cols + 1) == 0 { 1.0 } else { 0.0 })
        .collect();
    let factor = Factor {
        backend: Cpu,
        cols,
        u: identity,
        u_diagonal: vec![1.0; cols],
        hessian_diagonal: vec![1.0; cols],
        order: None,
        damping: 0.0,
        retries: 0,
        scaled: None,
    };
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
    let half = Pattern::Sparsity(0.5);
    for wait in [5, 60, 150] {
        assert_stops_within_100_ms(wait, |control| {
            sparsegpt(weight, &factor, &pruned(half, Storage::F16), control)
        });
        assert_stops_within_100_ms(wait, |control| {
            wanda(weight, &factor, &pruned(half, Storage::F16), control)
        });
    }
    assert_stops_within_100_ms(5, |control| {
        magnitude(weight, None::<&Factor<Cpu>>, &pruned(half, Storage::F16), control)
    });
    assert_stops_within_100_ms(5, |control| {
        outliers(&[(weight, &factor.hessian_diagonal[..]); 4], 5.0, control)
    });
    assert_stops_within_100_ms(20, |control| layer_statistics(weight, &factor, control));
    assert_stops_within_100_ms(200, |control| spectrum_alpha(&Cpu, weight, control));
}
