//! How fast an adapter is.

use std::time::Instant;

use super::device::{Buffer, Gpu};
use super::kernels::Tile;
use super::product::{Part, Product};
use crate::error::Result;
use crate::noise::noise;

/// Rows and columns of the products that are timed.
const SMALLEST: usize = 128;
const LARGEST: usize = 4096;
/// A rate is that of the first product that takes so many seconds, or of the largest one.
const LONG_ENOUGH: f64 = 0.1;
/// Tiles are compared by the largest product that is expected to take fewer seconds.
const SHORT_ENOUGH: f64 = 0.06;
/// Values of 4 bytes that are first sent and fetched to learn how fast that is, and the most.
const FEW: usize = 1 << 20;
const MANY: usize = 1 << 24;

/// Floating-point operations a second of a product of two matrices, the larger the faster the adapter.
pub fn product_rate(gpu: &Gpu) -> Result<f64> {
    let mut size = SMALLEST;
    loop {
        let seconds = Trial::new(gpu, size)?.seconds(gpu)?;
        if seconds >= LONG_ENOUGH || size == LARGEST {
            return Ok(2.0 * (size as f64).powi(3) / seconds);
        }
        size *= 2;
    }
}

/// The tile with which a product of two matrices takes the least time, out of those that there are. Takes about a second on the
/// slowest adapters.
pub fn best_tile(gpu: &Gpu) -> Result<Tile> {
    let mut size = SMALLEST;
    let mut trial = Trial::new(gpu, size)?;
    // Twice the size takes eight times as long.
    while 8.0 * trial.seconds(gpu)? < SHORT_ENOUGH && size < LARGEST {
        size *= 2;
        trial = Trial::new(gpu, size)?;
    }
    let timed = |tile: Tile| Ok((trial.seconds(&gpu.with_tile(tile))?, tile));
    let times = Tile::ALL.into_iter().map(timed).collect::<Result<Vec<(f64, Tile)>>>()?;
    let best = times.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    Ok(best.expect("there are tiles").1)
}

/// A product [size, size] x [size, size] that is timed.
struct Trial {
    size: usize,
    a: Buffer,
    b: Buffer,
    c: Buffer,
}

impl Trial {
    fn new(gpu: &Gpu, size: usize) -> Result<Self> {
        let values = noise(size * size);
        Ok(Self {
            size,
            a: gpu.buffer_of(&values)?,
            b: gpu.buffer_of(&values)?,
            c: gpu.buffer(size * size)?,
        })
    }

    /// The shorter time of two, all of it, when the kernel has been made.
    fn seconds(&self, gpu: &Gpu) -> Result<f64> {
        self.run(gpu)?;
        Ok(self.run(gpu)?.min(self.run(gpu)?))
    }

    fn run(&self, gpu: &Gpu) -> Result<f64> {
        let part = |buffer| Part::new(buffer, 0, self.size);
        let product = Product {
            m: self.size,
            n: self.size,
            k: self.size,
            a: part(&self.a),
            b: part(&self.b),
            c: part(&self.c),
            alpha: 1.0,
            accumulate: false,
            is_upper: false,
            is_b_upper: false,
        };
        let start = Instant::now();
        let mut tasks = gpu.tasks();
        product.add_to(&mut tasks);
        tasks.submit()?;
        gpu.read(&self.c, &mut [0f32])?;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// Bytes a second that go to the adapter and come back, waiting for both: the more at once the faster.
pub fn transfer_rate(gpu: &Gpu) -> Result<f64> {
    let mut len = FEW;
    loop {
        let seconds = transfer_seconds(gpu, len)?;
        if seconds >= LONG_ENOUGH || len == MANY {
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
