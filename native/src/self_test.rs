//! Whether a GPU's results are right.

use crate::backend::Backend;
use crate::control::Control;
use crate::cpu::Cpu;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::method::compressed::Compressed;
use crate::method::factor::{Order, factorize};
use crate::method::mask::Pattern;
use crate::method::sparsegpt::sparsegpt;
use crate::method::target::Target;
use crate::noise::noise;
use crate::weights::storage::Storage;
use crate::weights::weight::Weight;

/// Rows and columns of the layer that the self-test compresses: several blocks, and off the edges of all tiles.
const ROWS: usize = 65;
const COLS: usize = 300;
/// By how much losses may differ, as a share of the CPU's.
const LOSS_BOUND: f64 = 1e-3;

/// Compresses a small layer on the GPU and on the CPU and compares what it cost. Errors: `GpuFailed` where it differs, those of the device.
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
    let factor = factorize(backend, gram, 1.0, 0.01, Order::Natural, false, &control)?;
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
