//! Wanda (arXiv 2306.11695): prune by |w| times the norm of its input, row by row, and change nothing else.

use super::compressed::Compressed;
use super::energy::with_error;
use super::factor::Factor;
use super::mask::mark_row;
use super::rows::prune_rows;
use super::sweep::work;
use super::target::Target;
use crate::backend::Backend;
use crate::control::Control;
use crate::error::Result;
use crate::weights::weight::Weight;

/// Prunes a layer by Wanda: in each row the floor(sparsity * cols) lowest scores, or n of every m. Errors: `NotFinite`, `Cancelled`.
pub fn wanda<B: Backend>(weight: Weight, factor: &Factor<B>, target: &Target, control: &Control) -> Result<Compressed> {
    assert_eq!(weight.cols, factor.cols, "the factor is that of the layer's input");
    control.begin(2 * work(weight.cols))?;
    // ‖X_j‖ up to a factor that is the same for all columns.
    let norms: Vec<f32> = factor.hessian_diagonal.iter().map(|h| h.sqrt()).collect();
    let mark = |values: &[f32], marks: &mut [bool]| {
        let scores: Vec<f32> = values.iter().zip(&norms).map(|(w, norm)| w.abs() * norm).collect();
        mark_row(target.pattern, &scores, &mut Vec::new(), marks);
    };
    let pruned = prune_rows(weight, Some(factor), target, mark, control)?;
    with_error(pruned, weight, factor, control)
}
