//! What the schedulers want to know of a layer (method.md, sections 5 and 7).

use rayon::prelude::*;

use super::sparsegpt::{output_energy, read_live};
use super::sweep::work;
use super::weight::Weight;
use crate::backend::Backend;
use crate::control::Control;
use crate::error::Result;
use crate::linalg::factor::Factor;

/// Points of the saliency curve: every 5 % of sparsity from 0 to 1.
pub const CURVE_POINTS: usize = 21;
/// Rows read by one task. It decides the order of summation, so it does not depend on the threads.
const PANEL: usize = 256;
/// Bits of a saliency that choose its bin: the exponent and seven of the mantissa.
const BIN_BITS: u32 = 15;

/// A layer's statistics before any pruning.
pub struct LayerStatistics {
    /// mean of W² / U_jj²: the estimated pruning loss.
    pub estimate: f64,
    /// For s = 0, 0.05 .. 1 the sum of the floor(s N) least values of W² / U_jj², divided by N, the number of weights.
    pub curve: [f64; CURVE_POINTS],
    /// tr(W H Wᵀ), undamped.
    pub energy: f64,
}

/// Error: `Cancelled`.
pub fn layer_statistics<B: Backend>(weight: Weight, factor: &Factor<B>, control: &Control) -> Result<LayerStatistics> {
    assert_eq!(weight.cols, factor.cols, "the factor is that of the layer's input");
    control.begin(work(weight.cols))?;
    let curve = saliency_curve(weight, factor, control)?;
    let energy = output_energy(
        weight.rows,
        factor,
        |row, values| read_live(weight, factor, row, values),
        control,
    )?;
    Ok(LayerStatistics {
        estimate: curve[CURVE_POINTS - 1],
        curve,
        energy,
    })
}

/// Counts and sums of saliencies by their leading bits.
struct Histogram {
    counts: Vec<u64>,
    sums: Vec<f64>,
}

fn bin_of(saliency: f32) -> usize {
    (saliency.abs().to_bits() >> (31 - BIN_BITS)) as usize
}

/// Calls `visit(row's saliencies)` for every row of a panel.
fn for_saliencies<B: Backend>(
    weight: Weight,
    factor: &Factor<B>,
    squares: &[f32],
    panel: usize,
    mut visit: impl FnMut(&[f32]),
) {
    let mut values = vec![0f32; weight.cols];
    for row in panel * PANEL..((panel + 1) * PANEL).min(weight.rows) {
        read_live(weight, factor, row, &mut values);
        for (value, square) in values.iter_mut().zip(squares) {
            *value = *value * *value / square;
        }
        visit(&values);
    }
}

fn saliency_curve<B: Backend>(weight: Weight, factor: &Factor<B>, control: &Control) -> Result<[f64; CURVE_POINTS]> {
    let squares: Vec<f32> = factor.u_diagonal.iter().map(|u| u * u).collect();
    let panels = weight.rows.div_ceil(PANEL);
    let total = weight.rows * weight.cols;
    let ranks: [usize; CURVE_POINTS] = std::array::from_fn(|i| total * i / (CURVE_POINTS - 1));
    let histogram = merged_histogram(
        panels,
        |panel, add| for_saliencies(weight, factor, &squares, panel, add),
        control,
    )?;
    let cuts = ranks.map(|rank| histogram.cut(rank));
    let wanted: Vec<bool> = (0..histogram.counts.len())
        .map(|bin| cuts.iter().any(|cut| cut.bin == bin && cut.inside > 0))
        .collect();
    let members = |panel: usize| {
        let mut members = Vec::new();
        for_saliencies(weight, factor, &squares, panel, |row| {
            members.extend(row.iter().filter(|&&s| wanted[bin_of(s)]).map(|s| s.to_bits()))
        });
        control.check()?;
        Ok(members)
    };
    let mut boundary: Vec<u32> = (0..panels)
        .into_par_iter()
        .map(members)
        .collect::<Result<Vec<Vec<u32>>>>()?
        .concat();
    boundary.par_sort_unstable();
    Ok(cuts.map(|cut| {
        let first = boundary.partition_point(|&bits| bin_of(f32::from_bits(bits)) < cut.bin);
        let inside: f64 = boundary[first..first + cut.inside]
            .iter()
            .map(|&bits| f32::from_bits(bits) as f64)
            .sum();
        (cut.below + inside) / total as f64
    }))
}

/// The histogram of all panels, their sums added in order.
fn merged_histogram<V>(panels: usize, visit: V, control: &Control) -> Result<Histogram>
where
    V: Fn(usize, &mut dyn FnMut(&[f32])) + Sync,
{
    let of_panel = |panel: usize| {
        let mut histogram = Histogram {
            counts: vec![0; 1 << BIN_BITS],
            sums: vec![0.0; 1 << BIN_BITS],
        };
        visit(panel, &mut |row| {
            for &saliency in row {
                let bin = bin_of(saliency);
                histogram.counts[bin] += 1;
                histogram.sums[bin] += saliency as f64;
            }
        });
        control.check()?;
        Ok(histogram)
    };
    let parts: Vec<Histogram> = (0..panels).into_par_iter().map(of_panel).collect::<Result<_>>()?;
    let mut merged = Histogram {
        counts: vec![0; 1 << BIN_BITS],
        sums: vec![0.0; 1 << BIN_BITS],
    };
    for part in &parts {
        merged.counts.iter_mut().zip(&part.counts).for_each(|(a, b)| *a += b);
        merged.sums.iter_mut().zip(&part.sums).for_each(|(a, b)| *a += b);
    }
    Ok(merged)
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
