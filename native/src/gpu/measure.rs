//! What an adapter is worth: whether its results are right, and how fast it is.

use std::time::{Duration, Instant};

use super::device::Gpu;
use super::product::{Operands, Part, Product};
use crate::backend::Backend;
use crate::control::Control;
use crate::cpu::Cpu;
use crate::error::{Error, Result};
use crate::linalg::factor::{Factor, Order, factorize};
use crate::noise::noise;
use crate::solve::mask::Pattern;
use crate::solve::sparsegpt::sparsegpt;
use crate::solve::storage::Storage;
use crate::solve::target::Target;
use crate::solve::weight::{Compressed, Weight};

/// Rows and columns of the layer that the self-test compresses: several blocks, and off the edges of all tiles.
const ROWS: usize = 65;
const COLS: usize = 300;
/// By how much losses may differ, as a share of the CPU's.
const LOSS_BOUND: f64 = 1e-3;
/// A rate is that of the first product that takes so long, or of the largest one.
const LONG_ENOUGH: Duration = Duration::from_millis(100);
const LARGEST: usize = 4096;
/// Values of 4 bytes that are first sent and fetched to learn how fast that is, and the most.
const FEW: usize = 1 << 20;
const MANY: usize = 1 << 24;

/// Compresses a small layer here and on the CPU and compares what it cost. Errors: `GpuFailed` where it differs, those of the device.
pub fn self_test(gpu: &Gpu) -> Result<()> {
    let (ours, theirs) = (loss_on(gpu)?, loss_on(&Cpu)?);
    // Not where either is NaN.
    if (ours - theirs).abs() <= LOSS_BOUND * theirs {
        return Ok(());
    }
    Err(Error::GpuFailed {
        adapter: gpu.name().to_owned(),
        reason: format!("the self-test's loss is {ours:e} in place of {theirs:e}"),
    })
}

/// The loss of a layer of random weights and inputs at a sparsity of one half.
fn loss_on<B: Backend>(backend: &B) -> Result<f64> {
    let control = Control::default();
    let mut gram = backend.gram(COLS)?;
    backend.add(&mut gram, &noise(2 * COLS * COLS), &control)?;
    let factor: Factor<B> = factorize(backend, gram, 1.0, 0.01, Order::Natural, &control)?;
    let bytes: Vec<u8> = noise(ROWS * COLS).iter().flat_map(|w| w.to_le_bytes()).collect();
    let weight = Weight {
        rows: ROWS,
        cols: COLS,
        storage: Storage::F32,
        bytes: &bytes,
    };
    let target = Target {
        pattern: Pattern::Sparsity(0.5),
        storage: Storage::F32,
        quantization: None,
    };
    let Compressed { loss, .. } = sparsegpt(weight, &factor, &target, &control)?;
    Ok(loss.expect("sparsegpt gives a loss"))
}

/// Floating-point operations a second of a product of two matrices, the larger the faster the adapter.
pub fn product_rate(gpu: &Gpu) -> Result<f64> {
    let mut size = 128;
    loop {
        let seconds = product_seconds(gpu, size)?;
        if seconds >= LONG_ENOUGH.as_secs_f64() || size == LARGEST {
            return Ok(2.0 * (size as f64).powi(3) / seconds);
        }
        size *= 2;
    }
}

/// The time of a product [n, n] x [n, n], all of it: the second time, when the kernel has been made.
fn product_seconds(gpu: &Gpu, n: usize) -> Result<f64> {
    let (a, b, c) = (
        gpu.buffer_of(&noise(n * n))?,
        gpu.buffer_of(&noise(n * n))?,
        gpu.buffer(n * n)?,
    );
    let part = Part {
        start: 0,
        first: n,
        second: 1,
    };
    let product = Product {
        m: n,
        n,
        k: n,
        a: part,
        b: part,
        c: part,
        alpha: 1.0,
        accumulate: false,
        is_upper: false,
        is_b_upper: false,
    };
    let run = || {
        let start = Instant::now();
        let mut tasks = gpu.tasks();
        product.add_to(&mut tasks, gpu.tile(), Operands::Apart(&a, &b), &c);
        tasks.submit()?;
        gpu.read(&c, &mut [0f32])?;
        Ok(start.elapsed().as_secs_f64())
    };
    run()?;
    run()
}

/// Bytes a second that go to the adapter and come back, waiting for both: the more at once the faster.
pub fn transfer_rate(gpu: &Gpu) -> Result<f64> {
    let mut len = FEW;
    loop {
        let seconds = transfer_seconds(gpu, len)?;
        if seconds >= LONG_ENOUGH.as_secs_f64() || len == MANY {
            return Ok((2 * len * size_of::<f32>()) as f64 / seconds);
        }
        len *= 2;
    }
}

/// The time that so many values take there and back: the second time, when the buffer is in use.
fn transfer_seconds(gpu: &Gpu, len: usize) -> Result<f64> {
    let mut values = noise(len);
    let buffer = gpu.buffer(len)?;
    let mut run = || {
        let start = Instant::now();
        gpu.write(&buffer, &values)?;
        gpu.read(&buffer, &mut values)?;
        Ok(start.elapsed().as_secs_f64())
    };
    run()?;
    run()
}
