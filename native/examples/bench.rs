//! Measures Gram, factor, sweeps and ADMM's inverses beside faer's product of matrices of the same size, and ADMM's iterations beside
//! their product alone within the processor's nearest cache, in GFLOP/s, and prints JSON.
//! Usage: bench [threads...]; 1 and 2 by default.

use std::time::Instant;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;
use serde_json::{Value, json};
use tamis_native::backend::Backend;
use tamis_native::backend::split::Step;
use tamis_native::backend::sweep::Pruned;
use tamis_native::control::Control;
use tamis_native::cpu::Cpu;
use tamis_native::cpu::gram::Gram;
use tamis_native::cpu::operand::{Operand, Scratch};
use tamis_native::machine::pool;
use tamis_native::method::factor::{Factor, Order, factorize};
use tamis_native::method::grids::Grids;
use tamis_native::method::mask::Pattern;
use tamis_native::method::sweep::{Selection, Sweep, sweep};
use tamis_native::noise::noise;
use tamis_native::quantization::{Quantization, Range};
use tamis_native::weights::columns::Columns;
use tamis_native::weights::lanes::{LANES, Lanes};
use tamis_native::weights::storage::Storage;

const SHAPES: [(usize, usize); 6] = [
    (256, 256),
    (768, 768),
    (3072, 768),
    (768, 3072),
    (4096, 4096),
    (2048, 8192),
];
const TOKENS: usize = 4096;

/// The best of several times, in seconds: at least three and half a second of them.
fn best(mut run: impl FnMut() -> f64) -> f64 {
    let (mut least, mut total, mut runs) = (f64::INFINITY, 0.0, 0);
    while runs < 3 || (total < 0.5 && runs < 1000) {
        let seconds = run();
        least = least.min(seconds);
        total += seconds;
        runs += 1;
    }
    least
}

fn timed<R>(run: impl FnOnce() -> R) -> (f64, R) {
    let start = Instant::now();
    let result = run();
    (start.elapsed().as_secs_f64(), result)
}

/// Floating-point operations a second of a product [m, k] x [k, n] by faer on all threads, in 10⁹.
fn gemm(m: usize, k: usize, n: usize, threads: usize) -> f64 {
    let a = Mat::<f32>::from_fn(m, k, |i, j| (i * 7 + j * 3) as f32 % 11.0 - 5.0);
    let b = Mat::<f32>::from_fn(k, n, |i, j| (i * 5 + j) as f32 % 13.0 - 6.0);
    let mut c = Mat::<f32>::zeros(m, n);
    let par = if threads == 1 { Par::Seq } else { Par::rayon(threads) };
    let seconds = best(|| timed(|| matmul(&mut c, Accum::Replace, &a, &b, 1.0, par)).0);
    2.0 * (m * k * n) as f64 / seconds / 1e9
}

/// The same of `LANES` rows times an operand of ADMM's that stay in the nearest caches, on each thread.
fn operand_peak(threads: usize) -> f64 {
    const COLS: usize = 96;
    const TIMES: usize = 2000;
    let operand = Operand::new(noise(COLS * COLS));
    let x = vec![Lanes([0.5; LANES]); COLS];
    let one = |_| {
        let (mut out, mut scratch) = (x.clone(), Scratch::default());
        (0..TIMES).for_each(|_| operand.multiply(&x, &mut out, &mut scratch));
        std::hint::black_box(out[0].0[0])
    };
    let seconds = best(|| timed(|| (0..threads).into_par_iter().map(one).collect::<Vec<f32>>()).0);
    2.0 * (threads * TIMES * LANES * COLS * COLS) as f64 / seconds / 1e9
}

fn measure(rows: usize, cols: usize, threads: usize) -> Value {
    let control = Control::default();
    let x = noise(TOKENS * cols);
    let (cubes, full) = ((cols * cols * cols) as f64, 2.0 * (TOKENS * cols * cols) as f64);
    let mut gram = Gram::new(cols);
    let gram_seconds = best(|| timed(|| gram.add(&x, &control).unwrap()).0);
    let mut factored: Option<Factor<Cpu>> = None;
    let factor_seconds = best(|| {
        let mut gram = Gram::new(cols);
        // As quick as can be: the damping makes it positive definite.
        gram.add(&x[..64 * cols], &control).unwrap();
        let (seconds, factor) =
            timed(|| factorize(&Cpu, gram, 2.0 / 16.0, 0.01, Order::Natural, true, &control).unwrap());
        factored = Some(factor);
        seconds
    });
    let factor = factored.expect("at least one run");
    let w = noise(rows * cols);
    let sweep_seconds = |sparsity: f64, quantization: Option<Quantization>| {
        best(|| {
            let read = |i: usize, row: &mut [f32]| row.copy_from_slice(&w[i * cols..(i + 1) * cols]);
            let mut w = Columns::from_rows(rows, cols, read, &control).unwrap();
            let rule = Sweep {
                factor: &factor,
                selection: Selection::Pattern(Pattern::Sparsity(sparsity)),
                storage: Storage::F16,
            };
            timed(|| {
                let mut grids = quantization
                    .map(|quantization| Grids::new(&w, None, rows, &factor, quantization, &control).unwrap());
                sweep(&mut w, rows, &rule, grids.as_mut(), &control).unwrap()
            })
            .0
        })
    };
    let quantization = |group: usize, range: Range| {
        Some(Quantization {
            bits: 4,
            group: group.min(cols),
            symmetric: true,
            static_groups: false,
            range,
            scales: Storage::F16,
        })
    };
    let a = &factor.scaled.as_ref().expect("it was made with its Hessian").a;
    let inverse_seconds = best(|| timed(|| Cpu.ridge_inverse(a, 0.3, &control).unwrap().unwrap()).0);
    let ridge = Cpu.ridge_inverse(a, 0.3, &control).unwrap().unwrap();
    let read = |i: usize, row: &mut [f32]| row.copy_from_slice(&w[i * cols..(i + 1) * cols]);
    let mut split = Cpu
        .split(Columns::from_rows(rows, cols, read, &control).unwrap(), &control)
        .unwrap();
    let step = Step {
        relaxation: 1.3,
        rescaling: 1.0,
        penalty: 0.3,
    };
    let pruned = Pruned::UpToRank(rows * cols * 7 / 10);
    let iteration_seconds = best(|| timed(|| Cpu.iterate(&mut split, &ridge, &step, pruned, &control).unwrap()).0);
    let gram_gemm = gemm(cols, TOKENS, cols, threads);
    let factor_gemm = gemm(cols, cols, cols, threads);
    let sweep_gemm = gemm(rows, cols, cols, threads);
    let entry = |work: f64, seconds: f64, gemm: f64| {
        let rate = work / seconds / 1e9;
        json!({ "milliseconds": seconds * 1e3, "gflops": rate, "gemmGflops": gemm, "ratio": rate / gemm })
    };
    let sweep_entry = |sparsity: f64, quantization: Option<Quantization>| {
        entry(
            (rows * cols * cols) as f64,
            sweep_seconds(sparsity, quantization),
            sweep_gemm,
        )
    };
    let products = 2.0 * (rows * cols * cols) as f64;
    json!({
        "rows": rows, "cols": cols, "threads": threads,
        "gram": entry(full, gram_seconds, gram_gemm),
        "factor": entry(cubes * 2.0 / 3.0, factor_seconds, factor_gemm),
        "sweep": sweep_entry(0.7, None),
        "sweepInt4Group128": sweep_entry(0.0, quantization(128, Range::MinMax)),
        "sweepInt4Channel": sweep_entry(0.0, quantization(cols, Range::MinMax)),
        "sweepSparseInt4Group128": sweep_entry(0.7, quantization(128, Range::MinMax)),
        "admmInverse": entry(cubes, inverse_seconds, factor_gemm),
        "admmIteration": entry(products, iteration_seconds, operand_peak(threads)),
        "sweepInt4Group128Search": sweep_entry(0.0, quantization(128, Range::Mse)),
    })
}

fn main() {
    let asked: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let all = if asked.is_empty() { vec![1, 2] } else { asked };
    for threads in all {
        pool::set_threads(threads);
        for (rows, cols) in SHAPES {
            println!("{}", pool::install(|| measure(rows, cols, threads)));
        }
    }
}
