//! What the schedulers want to know of a layer (method.md, sections 5 and 7).

use rayon::prelude::*;

use crate::backend::Backend;
use crate::control::Control;
use crate::error::Result;
use crate::method::factor::Factor;
use crate::method::sparsegpt::{energy_of, read_live};
use crate::method::sweep::work;
use crate::weights::columns::Columns;
use crate::weights::weight::Weight;

/// Points of the saliency curve: every 5 % of sparsity from 0 to 1.
pub const CURVE_POINTS: usize = 21;
/// Rows read by one task. It decides the order of summation, so it does not depend on the threads.
const PANEL: usize = 256;
/// Bits of a saliency that choose its bin: the exponent and seven of the mantissa.
pub const BIN_BITS: u32 = 15;

/// A layer's statistics before any pruning.
pub struct LayerStatistics {
    /// mean of W² / U_jj²: the estimated pruning loss.
    pub estimate: f64,
    /// For s = 0, 0.05 .. 1 the sum of the floor(s N) least values of W² / U_jj², divided by N, the number of weights.
    pub curve: [f64; CURVE_POINTS],
    /// tr(W H Wᵀ), undamped.
    pub energy: f64,
}

/// Errors: `Cancelled`, those of the backend.
pub fn layer_statistics<B: Backend>(weight: Weight, factor: &Factor<B>, control: &Control) -> Result<LayerStatistics> {
    assert_eq!(weight.cols, factor.cols, "the factor is that of the layer's input");
    control.begin(work(weight.cols))?;
    let read = |row: usize, values: &mut [f32]| read_live(weight, factor, row, values);
    let w = Columns::from_rows(weight.rows, weight.cols, read, control)?;
    let distance = w.squares();
    let w = factor.backend.upload(w)?;
    let curve = saliency_curve(&w, weight.rows, factor, control)?;
    let energy = energy_of(w, weight.rows, distance, factor, control)?;
    Ok(LayerStatistics {
        estimate: curve[CURVE_POINTS - 1],
        curve,
        energy,
    })
}

/// Counts and sums of saliencies by their leading bits.
pub struct Histogram {
    pub counts: Vec<u64>,
    pub sums: Vec<f64>,
}

fn bin_of(saliency: f32) -> usize {
    (saliency.abs().to_bits() >> (31 - BIN_BITS)) as usize
}

fn saliency_curve<B: Backend>(
    w: &B::Weights,
    rows: usize,
    factor: &Factor<B>,
    control: &Control,
) -> Result<[f64; CURVE_POINTS]> {
    let (backend, u_diagonal) = (&factor.backend, &factor.u_diagonal[..]);
    let total = rows * factor.cols;
    let ranks: [usize; CURVE_POINTS] = std::array::from_fn(|i| total * i / (CURVE_POINTS - 1));
    let histogram = backend.saliency_histogram(w, u_diagonal, control)?;
    let cuts = ranks.map(|rank| histogram.cut(rank));
    let wanted: Vec<bool> = (0..histogram.counts.len())
        .map(|bin| cuts.iter().any(|cut| cut.bin == bin && cut.inside > 0))
        .collect();
    let boundary = backend.saliencies_in(w, u_diagonal, &wanted, control)?;
    Ok(cuts.map(|cut| {
        let first = boundary.partition_point(|&bits| bin_of(f32::from_bits(bits)) < cut.bin);
        let inside: f64 = boundary[first..first + cut.inside]
            .iter()
            .map(|&bits| f32::from_bits(bits) as f64)
            .sum();
        (cut.below + inside) / total as f64
    }))
}

/// Calls `visit(row's saliencies)` for every row of a panel of `w`.
fn for_saliencies(w: &Columns, u_diagonal: &[f32], panel: usize, mut visit: impl FnMut(&[f32])) {
    let squares: Vec<f32> = u_diagonal.iter().map(|u| u * u).collect();
    let mut saliencies = vec![0f32; w.cols];
    w.for_rows(panel * PANEL..((panel + 1) * PANEL).min(w.rows), |row| {
        for ((saliency, w), square) in saliencies.iter_mut().zip(row).zip(&squares) {
            *saliency = w * w / square;
        }
        visit(&saliencies);
    });
}

/// On the CPU: of each panel, their sums added in order. Error: `Cancelled`.
pub fn saliency_histogram(w: &Columns, u_diagonal: &[f32], control: &Control) -> Result<Histogram> {
    let empty = || Histogram {
        counts: vec![0; 1 << BIN_BITS],
        sums: vec![0.0; 1 << BIN_BITS],
    };
    let of_panel = |panel: usize| {
        let mut histogram = empty();
        for_saliencies(w, u_diagonal, panel, |row| {
            for &saliency in row {
                let bin = bin_of(saliency);
                histogram.counts[bin] += 1;
                histogram.sums[bin] += saliency as f64;
            }
        });
        control.check()?;
        Ok(histogram)
    };
    let panels = (0..w.rows.div_ceil(PANEL)).into_par_iter();
    let parts: Vec<Histogram> = panels.map(of_panel).collect::<Result<_>>()?;
    let mut merged = empty();
    for part in &parts {
        merged.counts.iter_mut().zip(&part.counts).for_each(|(a, b)| *a += b);
        merged.sums.iter_mut().zip(&part.sums).for_each(|(a, b)| *a += b);
    }
    Ok(merged)
}

/// On the CPU: the bits of all saliencies in the bins that are `wanted`, ascending. Error: `Cancelled`.
pub fn saliencies_in(w: &Columns, u_diagonal: &[f32], wanted: &[bool], control: &Control) -> Result<Vec<u32>> {
    let members = |panel: usize| {
        let mut members = Vec::new();
        for_saliencies(w, u_diagonal, panel, |row| {
            members.extend(row.iter().filter(|&&s| wanted[bin_of(s)]).map(|s| s.to_bits()))
        });
        control.check()?;
        Ok(members)
    };
    let panels = (0..w.rows.div_ceil(PANEL)).into_par_iter();
    let mut found = panels.map(members).collect::<Result<Vec<Vec<u32>>>>()?.concat();
    found.par_sort_unstable();
    Ok(found)
}

/// Where the least `rank` values end: all bins before `bin`, which sum to `below`, and `inside` values of `bin`.
struct Cut {
    bin: usize,
    below: f64,
    inside: usize,
}

impl Histogram {
    fn cut(&self, rank: usize) -> Cut {
        let (mut left, mut below) = (rank, 0.0);
        for (bin, (&count, &sum)) in self.counts.iter().zip(&self.sums).enumerate() {
            if left < count as usize || left == 0 {
                return Cut {
                    bin,
                    below,
                    inside: left,
                };
            }
            left -= count as usize;
            below += sum;
        }
        Cut {
            bin: self.counts.len(),
            below,
            inside: 0,
        }
    }
}

/// OWL's outlier share of one block (arXiv 2310.05175): 100 * mean(A > m * mean(A)) over the entries of all its layers together,
/// A = |W| * ‖X_j‖. Each layer comes with the diagonal of its input's Hessian. Error: `Cancelled`.
pub fn outliers(layers: &[(Weight, &[f32])], m: f64, control: &Control) -> Result<f64> {
    let total: usize = layers.iter().map(|(weight, _)| weight.rows * weight.cols).sum();
    control.begin(2 * total as u64)?;
    let sum = sum_over_scores(layers, control, |row| row.iter().map(|&a| a as f64).sum())?;
    let limit = m * sum / total as f64;
    let above = sum_over_scores(layers, control, |row| {
        row.iter().filter(|&&a| a as f64 > limit).count() as f64
    })?;
    Ok(100.0 * above / total as f64)
}

/// The sum of `of_row(scores of a row)` over all rows of all layers, in a fixed order.
fn sum_over_scores(
    layers: &[(Weight, &[f32])],
    control: &Control,
    of_row: impl Fn(&[f32]) -> f64 + Sync,
) -> Result<f64> {
    let of_layer = |(weight, hessian_diagonal): &(Weight, &[f32])| {
        let norms: Vec<f32> = hessian_diagonal.iter().map(|h| h.sqrt()).collect();
        let of_panel = |panel: usize| {
            let mut values = vec![0f32; weight.cols];
            let rows = panel * PANEL..((panel + 1) * PANEL).min(weight.rows);
            let mut sum = 0.0;
            for row in rows.clone() {
                weight.read_row(row, &mut values);
                values.iter_mut().zip(&norms).for_each(|(w, norm)| *w = w.abs() * norm);
                sum += of_row(&values);
            }
            control.advance((rows.len() * weight.cols) as u64)?;
            Ok(sum)
        };
        let panels: Vec<f64> = (0..weight.rows.div_ceil(PANEL))
            .into_par_iter()
            .map(of_panel)
            .collect::<Result<_>>()?;
        Ok(panels.iter().sum::<f64>())
    };
    layers.iter().map(of_layer).sum()
}
