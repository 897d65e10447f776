//! OWL's outliers (arXiv 2310.05175).

use rayon::prelude::*;

use crate::control::Control;
use crate::error::Result;
use crate::weights::weight::Weight;

/// Rows read by one task. It decides the order of summation, so it does not depend on the threads.
const PANEL: usize = 256;

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
