//! Magnitude pruning: the smallest weights of a layer go, and nothing else changes.

use super::compressed::Compressed;
use super::energy::with_error;
use super::factor::Factor;
use super::mask::{Pattern, mark_row, threshold};
use super::rows::prune_rows;
use super::sweep::work;
use super::target::Target;
use crate::backend::Backend;
use crate::control::Control;
use crate::error::Result;
use crate::weights::weight::Weight;

/// Rows whose weights are ranked together by one thread.
const PANEL: usize = 64;

/// Prunes a layer by magnitude: all up to the entry of rank min(floor(sparsity * N), N - 1) over the whole layer, or in each row n of
/// every m. The error is known only where a factor is given. Errors: `NotFinite`, `Cancelled`.
pub fn magnitude<B: Backend>(
    weight: Weight,
    factor: Option<&Factor<B>>,
    target: &Target,
    control: &Control,
) -> Result<Compressed> {
    let pattern = target.pattern;
    control.begin(if factor.is_some() { 2 * work(weight.cols) } else { 1 })?;
    let limit = match pattern {
        Pattern::Sparsity(sparsity) => layer_threshold(weight, sparsity, control)?,
        Pattern::NofM { .. } => -1.0,
    };
    let mark = |values: &[f32], marks: &mut [bool]| match pattern {
        Pattern::Sparsity(_) => values.iter().zip(marks).for_each(|(w, mark)| *mark = w.abs() <= limit),
        Pattern::NofM { .. } => {
            let scores: Vec<f32> = values.iter().map(|w| w.abs()).collect();
            mark_row(pattern, &scores, &mut Vec::new(), marks);
        }
    };
    let pruned = prune_rows(weight, factor, target, mark, control)?;
    match factor {
        Some(factor) => with_error(pruned, weight, factor, control),
        None => Ok(pruned),
    }
}

fn layer_threshold(weight: Weight, sparsity: f64, control: &Control) -> Result<f32> {
    threshold(
        sparsity,
        weight.rows * weight.cols,
        weight.rows.div_ceil(PANEL),
        |panel, sink| {
            let mut values = vec![0f32; weight.cols];
            for row in panel * PANEL..((panel + 1) * PANEL).min(weight.rows) {
                weight.read_row(row, &mut values);
                values.iter_mut().for_each(|w| *w = w.abs());
                sink(&values);
            }
            control.check()
        },
    )
}
