//! A quantized layer of a run: the dense weight of its checkpoint and, from `quantization/`, the grid that its values lie on.
//! Codes are stored nowhere; they are recovered, and each is checked to give the stored value again.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::bits::check_width;
use super::grid::{Grid, Groups, Scratch, group_count, neighbours};
use super::part::Measures;
use super::tensors::{expected, file_of, group_order, halves};
use crate::checkpoint::{Checkpoint, Orientation};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::weights::storage::Storage;

/// Rows a thread takes at once where a layer is only looked at.
const PANEL: usize = 64;

pub struct QuantizedLayer {
    checkpoint: Arc<Checkpoint>,
    name: String,
    weight: String,
    orientation: Orientation,
    storage: Storage,
    pub grid: Grid,
    group_size: usize,
}

impl QuantizedLayer {
    /// Layer `name` (without `.weight`) of `checkpoint`, whose scales, zero points and order are in `parameters`. `group_size`: 0
    /// or more than the columns = the whole row. Errors: those of `bytes`, `pack.*`.
    pub fn open(
        checkpoint: Arc<Checkpoint>,
        parameters: &Checkpoint,
        name: &str,
        orientation: Orientation,
        bits: u32,
        group_size: usize,
    ) -> Result<Self> {
        check_width(bits)?;
        let weight = format!("{name}.weight");
        let (rows, cols, storage) = checkpoint.matrix_shape(&weight, orientation)?;
        let groups = group_count(cols, group_size);
        let scales = expected(parameters, &format!("{name}.scales"), "F16", &[rows, groups])?;
        let scales: Vec<f32> = halves(scales).collect();
        let zeros = format!("{name}.zeros");
        let zeros = match parameters.has(&zeros) {
            true => Some(expected(parameters, &zeros, "U8", &[rows, groups])?),
            false => None,
        };
        let order = format!("{name}.g_idx");
        let members = match parameters.has(&order) {
            true => Groups::Listed(group_order(parameters, &order, cols, groups)?),
            false => neighbours(cols, group_size),
        };
        let grid = Grid {
            rows,
            cols,
            bits,
            groups,
            members,
            scales,
            zeros: zeros.map(|zeros| zeros.iter().map(|&zero| zero.into()).collect()),
        };
        let layer = Self {
            checkpoint,
            name: name.to_owned(),
            weight,
            orientation,
            storage,
            grid,
            group_size,
        };
        layer.check_grid()?;
        Ok(layer)
    }

    /// Scales are positive and zero points are codes.
    fn check_grid(&self) -> Result<()> {
        let Grid {
            bits,
            scales,
            zeros,
            groups,
            ..
        } = &self.grid;
        let bad_scale = scales.iter().position(|scale| !(scale.is_finite() && *scale > 0.0));
        let bad_zero = zeros.iter().flatten().position(|&zero| u32::from(zero) >> bits != 0);
        match bad_scale.or(bad_zero) {
            Some(at) => Err(self.not_on_grid(at / groups)),
            None => Ok(()),
        }
    }

    pub fn measures(&self) -> Measures {
        Measures {
            rows: self.grid.rows,
            cols: self.grid.cols,
            bits: self.grid.bits,
            group_size: self.group_size,
        }
    }

    /// The name of its weight.
    pub fn weight(&self) -> &str {
        &self.weight
    }

    pub fn storage(&self) -> Storage {
        self.storage
    }

    pub fn has_zero_point_zero(&self) -> bool {
        self.grid.zeros.iter().flatten().any(|&zero| zero == 0)
    }

    /// Reads its codes; of a weight that is held transposed it holds a copy.
    pub fn reader(&self) -> Result<Reader<'_>> {
        let bytes = self.checkpoint.matrix(&self.weight, self.orientation)?.bytes;
        Ok(Reader { layer: self, bytes })
    }

    fn not_on_grid(&self, row: usize) -> Error {
        Error::NotOnGrid {
            path: file_of(&self.checkpoint, &self.weight),
            layer: self.name.clone(),
            row,
        }
    }

    /// Recovers every code and counts the weights that are zero. Errors: `pack.not-on-grid`, `cancelled`.
    pub fn zeros(&self, control: &Control) -> Result<u64> {
        let Grid { rows, cols, .. } = self.grid;
        let reader = self.reader()?;
        control.begin(rows as u64)?;
        let panels = (0..rows.div_ceil(PANEL)).into_par_iter();
        let counted = panels.map_init(
            || Scratch::new(cols),
            |scratch, panel| {
                let mut zeros = 0;
                for row in panel * PANEL..((panel + 1) * PANEL).min(rows) {
                    reader.read(row, 0..cols, scratch)?;
                    zeros += scratch.values.iter().filter(|&&value| value == 0.0).count() as u64;
                }
                control.advance(PANEL as u64)?;
                Ok(zeros)
            },
        );
        counted.try_reduce(|| 0, |a, b| Ok(a + b))
    }
}

/// The codes of a layer.
pub struct Reader<'a> {
    layer: &'a QuantizedLayer,
    /// The shape of the weight, [rows, cols].
    bytes: Cow<'a, [u8]>,
}

impl Reader<'_> {
    pub fn layer(&self) -> &QuantizedLayer {
        self.layer
    }

    pub fn grid(&self) -> &Grid {
        &self.layer.grid
    }

    /// The values of these columns of a row and their codes, into `scratch`. Errors: `pack.not-on-grid`.
    pub fn read(&self, row: usize, cols: Range<usize>, scratch: &mut Scratch) -> Result<()> {
        let QuantizedLayer { grid, storage, .. } = self.layer;
        let (size, count) = (storage.size(), cols.len());
        let here = &self.bytes[(row * grid.cols + cols.start) * size..][..count * size];
        storage.decode(here, &mut scratch.values[..count]);
        match grid.recover(row, cols, *storage, scratch) {
            true => Ok(()),
            false => Err(self.layer.not_on_grid(row)),
        }
    }
}
