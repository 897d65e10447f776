//! ADMM (method.md, section 11): mask and weights of a layer are chosen together, by alternating a ridge regression with a
//! projection to the pattern; codes are chosen by OPTQ's sweep, then anew one by one.

use super::compressed::{Compressed, Progress, Quantized};
use super::energy::{read_difference, read_live};
use super::factor::{Factor, Scaled};
use super::finish::finish;
use super::grids::Grids;
use super::mask::Pattern;
use super::sparsegpt::sparsegpt;
use super::sweep::{self, Selection, Sweep, sweep};
use super::target::Target;
use crate::backend::Backend;
use crate::backend::panels;
use crate::backend::refine::Refinement;
use crate::backend::split::{Iteration, Step};
use crate::backend::sweep::Pruned;
use crate::control::Control;
use crate::error::{Error, Result, internal};
use crate::quantization::Quantization;
use crate::weights::columns::Columns;
use crate::weights::lanes::LANES;
use crate::weights::storage::Storage;
use crate::weights::weight::Weight;

/// Penalties ρ, each for as many iterations as the others: from the first, each so much larger than the one before that the last is 1.
/// With them and the relaxation below a layer's error comes within 1 % of that of many more iterations (docs/method.md, section 11).
pub const PENALTIES: usize = 6;
const FIRST_PENALTY: f64 = 0.15;
/// Iterations with each penalty.
pub const EACH: usize = 6;
/// Over-relaxation of the iterations.
const RELAXATION: f32 = 1.3;
/// Steps of conjugate gradients on the mask that the iterations end with.
pub const POLISH: usize = 3;
/// Passes of coordinate descent over the codes that the sweep ends with.
pub const REFINEMENTS: usize = 2;

fn penalty(level: usize) -> f32 {
    FIRST_PENALTY.powf((PENALTIES - 1 - level) as f64 / (PENALTIES - 1) as f64) as f32
}

/// What is pruned of a layer [rows, cols]: by sparsity all but round((1 - sparsity) rows cols) weights, of which one stays below 1.
fn pruned(pattern: Pattern, rows: usize, cols: usize) -> Pruned {
    match pattern {
        Pattern::NofM { n: 0, .. } => Pruned::Nothing,
        Pattern::NofM { n, m } if n == m => Pruned::All,
        Pattern::NofM { n, m } => Pruned::NofM { n, m },
        Pattern::Sparsity(sparsity) if sparsity >= 1.0 => Pruned::All,
        Pattern::Sparsity(sparsity) => {
            let count = rows * cols;
            let kept = ((count as f64 * (1.0 - sparsity)).round() as usize).max(1);
            let highest = (count - kept).checked_sub(1);
            highest.map_or(Pruned::Nothing, Pruned::UpToRank)
        }
    }
}

/// Prunes a layer by ADMM and quantizes what is kept. The factor must have been made with its Hessian.
/// Errors: `NotFinite` with the first row where the weight or the result is not, `NotPositiveDefinite`, `Cancelled`, those of the backend.
pub fn admm<B: Backend>(weight: Weight, factor: &Factor<B>, target: &Target, control: &Control) -> Result<Compressed> {
    assert_eq!(weight.cols, factor.cols, "the factor is that of the layer's input");
    let &Target {
        pattern,
        storage,
        quantization,
    } = target;
    let (rows, cols) = (weight.rows, weight.cols);
    let pruned = pruned(pattern, rows, cols);
    let sparsity = match (pruned, quantization) {
        (Pruned::All, _) => Some(1.0),
        (Pruned::Nothing, None) => Some(0.0),
        _ => None,
    };
    if let Some(sparsity) = sparsity {
        let pattern = Pattern::Sparsity(sparsity);
        return sparsegpt(weight, factor, &Target { pattern, ..*target }, control);
    }
    let scaled = factor.scaled.as_ref();
    let scaled = scaled.ok_or_else(|| internal("this factor was made without its Hessian"))?;
    let Scaled { a, roots } = scaled;
    let is_pruned = pruned != Pruned::Nothing;
    control.begin(work(rows, cols, is_pruned, quantization.is_some()))?;
    let backend = &factor.backend;
    let read = |row: usize, values: &mut [f32]| read_live(weight, factor, row, values);
    let mut w = Columns::from_rows(rows, cols, read, control)?;
    let norm = w.squares();
    w.scale(|j| roots[j]);
    let damped = backend.quadratic(&w, a, control)?;
    if !damped.is_finite() {
        let row = first_row_not_finite(weight);
        return Err(Error::NotFinite { row });
    }
    let energy = damped - factor.damping * norm;
    let (mut z, iterations) = if is_pruned {
        let (z, iterations) = iterate(w, backend, a, pruned, damped, control)?;
        (z, Some(iterations))
    } else {
        (w, None)
    };
    z.scale(|j| 1.0 / roots[j]);
    let (z, grids) = match quantization {
        None => (z, None),
        Some(quantization) => {
            let (z, grids) = quantize(z, weight, factor, scaled, storage, quantization, control)?;
            (z, Some(grids))
        }
    };
    let (compressed, distance) = finish(&z, weight, factor, storage, control)?;
    drop(z);
    let read = |row: usize, values: &mut [f32]| read_difference(weight, &compressed, factor, row, values);
    let mut difference = Columns::from_rows(rows, cols, read, control)?;
    difference.scale(|j| roots[j]);
    let lost = backend.quadratic(&difference, a, control)?;
    Ok(Compressed {
        error: Some((lost - factor.damping * distance) / energy),
        quantization: grids,
        iterations,
        ..compressed
    })
}

/// The work of a layer in the units that it reports to its control.
fn work(rows: usize, cols: usize, is_pruned: bool, is_quantized: bool) -> u64 {
    let groups = rows.div_ceil(LANES) as u64;
    let iterating = 2 * panels::work(cols) * PENALTIES as u64 + groups * (PENALTIES * EACH + POLISH + 1) as u64;
    let quantizing = sweep::work(cols) + groups * (REFINEMENTS + 1) as u64;
    [(is_pruned, iterating), (is_quantized, quantizing)]
        .iter()
        .filter(|(is_done, _)| *is_done)
        .map(|(_, units)| units)
        .sum()
}

/// Mask and weights of `w`, column j times √H_jj, which give it the least tr((W - Z) H (W - Z)ᵀ), and how each iteration went.
/// `damped`: tr(W H Wᵀ).
fn iterate<B: Backend>(
    w: Columns,
    backend: &B,
    a: &B::Symmetric,
    pruned: Pruned,
    damped: f64,
    control: &Control,
) -> Result<(Columns, Vec<Progress>)> {
    let mut split = backend.split(w, control)?;
    let mut iterations = Vec::with_capacity(PENALTIES * EACH);
    for level in 0..PENALTIES {
        let ridge = backend.ridge_inverse(a, penalty(level), control)?;
        let ridge = ridge.ok_or(Error::NotPositiveDefinite {})?;
        for i in 0..EACH {
            let step = Step {
                relaxation: RELAXATION,
                rescaling: if i == 0 && level > 0 {
                    penalty(level - 1) / penalty(level)
                } else {
                    1.0
                },
                penalty: penalty(level),
            };
            let Iteration { changed, kept, lost } = backend.iterate(&mut split, &ridge, &step, pruned, control)?;
            iterations.push(Progress {
                changed: if iterations.is_empty() {
                    1.0
                } else {
                    changed as f64 / kept as f64
                },
                error: lost / damped,
            });
        }
    }
    let operand = backend.operand(a, control)?;
    Ok((backend.polish(split, &operand, POLISH, control)?, iterations))
}

fn first_row_not_finite(weight: Weight) -> usize {
    let mut values = vec![0f32; weight.cols];
    let mut is_bad = |row: &usize| {
        weight.read_row(*row, &mut values);
        values.iter().any(|value| !value.is_finite())
    };
    (0..weight.rows).find(|row| is_bad(row)).unwrap_or(0)
}

/// Quantizes `z` by OPTQ's sweep, then chooses each code anew, all others as they stand; its zeros stay.
fn quantize<B: Backend>(
    z: Columns,
    weight: Weight,
    factor: &Factor<B>,
    Scaled { a, roots }: &Scaled<B>,
    storage: Storage,
    quantization: Quantization,
    control: &Control,
) -> Result<(Columns, Quantized)> {
    let (backend, rows) = (&factor.backend, weight.rows);
    let mut q = backend.upload(z)?;
    let mask = backend.mask(&q, control)?;
    let mut grids = Grids::new(&q, Some(&mask), rows, factor, quantization, control)?;
    let rule = Sweep {
        factor,
        selection: Selection::Fixed(&mask),
        storage,
    };
    sweep(&mut q, rows, &rule, Some(&mut grids), control)?;
    let q = backend.download(q, control)?;
    let read = |row: usize, values: &mut [f32]| read_live(weight, factor, row, values);
    let mut deviation = Columns::from_rows(rows, factor.cols, read, control)?;
    deviation.subtract(&q);
    deviation.scale(|j| roots[j]);
    let refinement = Refinement {
        grids: &grids.values,
        quantization,
        mask: &mask,
        roots,
        storage,
        passes: REFINEMENTS,
    };
    let q = backend.refine(backend.upload(q)?, &deviation, a, &refinement, control)?;
    Ok((backend.download(q, control)?, grids.finish(factor, control)?))
}
