//! What the schedulers want to know of a layer: its estimate, curve and energy (method.md, sections 5 and 7).

use super::energy::{energy_of, read_live};
use super::factor::Factor;
use super::sweep::work;
use crate::backend::Backend;
use crate::backend::histogram::bin_of;
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::Columns;
use crate::weights::weight::Weight;

/// Points of the saliency curve: every 5 % of sparsity from 0 to 1.
pub const CURVE_POINTS: usize = 21;

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
