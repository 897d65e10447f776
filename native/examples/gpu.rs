//! Measures Gram, factor and sweeps on a GPU beside its product, in GFLOP/s, and prints JSON.
//! Usage: gpu ADAPTER [columns...]; "auto" is the preferred adapter, 512 and 1024 columns by default.

use std::time::Instant;

use serde_json::{Value, json};
use tamis_native::backend::Backend;
use tamis_native::control::Control;
use tamis_native::error::Result;
use tamis_native::gpu::{Gpu, adapter, rates};
use tamis_native::method::factor::{Order, factorize};
use tamis_native::method::grids::Grids;
use tamis_native::method::mask::Pattern;
use tamis_native::method::sweep::{Selection, Sweep, sweep};
use tamis_native::noise::noise;
use tamis_native::quantization::{Quantization, Range};
use tamis_native::self_test::self_test;
use tamis_native::weights::columns::Columns;
use tamis_native::weights::storage::Storage;

fn timed<R>(run: impl FnOnce() -> Result<R>) -> Result<(f64, R)> {
    let start = Instant::now();
    let result = run()?;
    Ok((start.elapsed().as_secs_f64(), result))
}

/// A layer [cols, cols]; each part the second time, when its kernels have been made. What waits for the GPU is in the times.
fn measure(gpu: &Gpu, cols: usize) -> Result<Value> {
    let control = Control::default();
    let (tokens, x, w) = (2 * cols, noise(2 * cols * cols), noise(cols * cols));
    let entry = |work: f64, seconds: f64| json!({ "milliseconds": seconds * 1e3, "gflops": work / seconds / 1e9 });
    let cubes = (cols as f64).powi(3);
    let mut result = json!({ "cols": cols });
    for _ in 0..2 {
        let mut gram = gpu.gram(cols)?;
        let (seconds, ()) = timed(|| gpu.add(&mut gram, &x, &control))?;
        // One triangle.
        result["gram"] = entry((tokens * cols * cols) as f64, seconds);
        let (seconds, factor) = timed(|| factorize(gpu, gram, 1.0, 0.01, Order::Natural, false, &control))?;
        result["factor"] = entry(cubes * 2.0 / 3.0, seconds);
        let sweep_seconds = |sparsity: f64, quantization: Option<Quantization>| {
            let read = |i: usize, row: &mut [f32]| row.copy_from_slice(&w[i * cols..(i + 1) * cols]);
            let mut w = gpu.upload(Columns::from_rows(cols, cols, read, &control)?)?;
            let rule = Sweep {
                factor: &factor,
                selection: Selection::Pattern(Pattern::Sparsity(sparsity)),
                storage: Storage::F16,
            };
            timed(|| {
                let grids =
                    quantization.map(|quantization| Grids::new(&w, None, cols, &factor, quantization, &control));
                sweep(&mut w, cols, &rule, grids.transpose()?.as_mut(), &control)
            })
        };
        let int4 = Quantization {
            bits: 4,
            group: 128,
            symmetric: true,
            static_groups: false,
            range: Range::MinMax,
            scales: Storage::F16,
        };
        result["sparsegpt"] = entry(cubes, sweep_seconds(0.7, None)?.0);
        result["joint"] = entry(cubes, sweep_seconds(0.7, Some(int4))?.0);
    }
    Ok(result)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().filter(|name| name != "auto");
    let gpu = adapter::open(name.as_deref())?;
    self_test(&gpu)?;
    let sizes: Vec<usize> = arguments.map(|size| size.parse().expect("a number")).collect();
    let sizes = if sizes.is_empty() { vec![512, 1024] } else { sizes };
    let layers: Vec<Value> = sizes.iter().map(|&cols| measure(&gpu, cols)).collect::<Result<_>>()?;
    let rate = rates::product_rate(&gpu)? / 1e9;
    println!(
        "{:#}",
        json!({ "adapter": gpu.name(), "productGflops": rate, "layers": layers })
    );
    Ok(())
}
