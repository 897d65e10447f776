//! SparseGPT and OPTQ (method.md, section 3).

use super::compressed::Compressed;
use super::energy::{output_energy, read_live};
use super::factor::Factor;
use super::finish::finish;
use super::grids::Grids;
use super::sweep::{Selection, Sweep, sweep, work};
use super::target::Target;
use crate::backend::Backend;
use crate::control::Control;
use crate::error::Result;
use crate::weights::columns::Columns;
use crate::weights::weight::Weight;

/// Prunes a layer by SparseGPT and quantizes what is kept by OPTQ, in one sweep. Errors: `NotFinite` with the first row where the
/// result is not, `Cancelled`.
pub fn sparsegpt<B: Backend>(
    weight: Weight,
    factor: &Factor<B>,
    target: &Target,
    control: &Control,
) -> Result<Compressed> {
    assert_eq!(weight.cols, factor.cols, "the factor is that of the layer's input");
    let &Target {
        pattern,
        storage,
        quantization,
    } = target;
    control.begin(2 * work(weight.cols))?;
    let read = |row: usize, values: &mut [f32]| read_live(weight, factor, row, values);
    let energy = output_energy(weight.rows, factor, read, control)?;
    let backend = &factor.backend;
    let mut w = backend.upload(Columns::from_rows(weight.rows, weight.cols, read, control)?)?;
    let grids = quantization.map(|quantization| Grids::new(&w, None, weight.rows, factor, quantization, control));
    let mut grids = grids.transpose()?;
    let rule = Sweep {
        factor,
        selection: Selection::Pattern(pattern),
        storage,
    };
    let squares = sweep(&mut w, weight.rows, &rule, grids.as_mut(), control)?;
    let (compressed, distance) = finish(&backend.download(w, control)?, weight, factor, storage, control)?;
    // W - Q = Err U and U H Uᵀ = 1, so ‖Err‖² is the damped tr(Δ H Δᵀ).
    let error = (squares - factor.damping * distance) / energy;
    Ok(Compressed {
        error: Some(error),
        loss: Some(squares / 2.0),
        quantization: grids.map(|grids| grids.finish(factor, control)).transpose()?,
        ..compressed
    })
}
