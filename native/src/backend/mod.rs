//! What the method's matrices lie in and are computed with: the CPU or a GPU. The method (`method/`) does not know which it has:
//! damping and retries, the order of the columns, dead ones, blocks, spans and groups are written once.

pub mod histogram;
pub mod panels;
pub mod sweep;

use crate::control::Control;
use crate::error::Result;
use crate::quantization::Quantization;
use crate::weights::columns::Columns;

use self::histogram::Histogram;
use self::sweep::{Block, Span};

/// A group of columns whose grid is to be fitted, by their positions in a list of the layer's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    pub group: usize,
    pub first: usize,
    pub end: usize,
}

/// Every function returns `Cancelled` when its control says so; a GPU's also `GpuLost`, `GpuOutOfMemory`, `GpuTooLarge` and
/// `GpuFailed`.
pub trait Backend: Clone + Send + Sync {
    /// xᵀ x [cols, cols], more precise than float32 (one triangle).
    type Gram: Send;
    /// A triangle [n, n], float32: the Hessian, then its Cholesky factor, then U.
    type Triangle: Send + Sync;
    /// A layer's weights [rows, cols], float32.
    type Weights;
    /// Scales and zero points [rows, groups].
    type Grids;
    /// The errors of a span of columns, and the sum of the squares of all errors so far.
    type Errors;

    fn gram(&self, cols: usize) -> Result<Self::Gram>;

    /// Adds xᵀ x; x [tokens, cols] row-major. Error: `NotFinite` with the first row of x that is not; the sums are then spoiled.
    fn add(&self, gram: &mut Self::Gram, x: &[f32], control: &Control) -> Result<()>;

    /// The diagonal [cols] of a Gram matrix.
    fn diagonal(&self, gram: &Self::Gram) -> Result<Vec<f64>>;

    /// `scale * gram` with `diagonal` [cols] in the place of its own, rows and columns in the reverse of `order` (None: as they are).
    fn hessian(
        &self,
        gram: &Self::Gram,
        order: Option<&[u32]>,
        scale: f64,
        diagonal: &[f32],
        control: &Control,
    ) -> Result<Self::Triangle>;

    /// Overwrites what `hessian` made with its Cholesky factor. Returns whether it was positive definite; if not, it is spoiled.
    fn cholesky(&self, hessian: &mut Self::Triangle, control: &Control) -> Result<bool>;

    /// U [n, n] from what `cholesky` made: its inverse, rows and columns reversed back. Returns the diagonal [n] with it.
    fn inverse(&self, factor: Self::Triangle, control: &Control) -> Result<(Self::Triangle, Vec<f32>)>;

    fn upload(&self, w: Columns) -> Result<Self::Weights>;

    fn download(&self, w: Self::Weights, control: &Control) -> Result<Columns>;

    /// Room for grids; `group_of`: the group of each column, in the order of the sweep.
    fn grids(&self, rows: usize, groups: usize, group_of: &[u32], control: &Control) -> Result<Self::Grids>;

    /// Fits the grids of groups; `members` lists columns of `w`, of which each of `fits` is a range.
    fn fit(
        &self,
        grids: &mut Self::Grids,
        w: &Self::Weights,
        members: &[u32],
        fits: &[Fit],
        quantization: &Quantization,
        control: &Control,
    ) -> Result<()>;

    /// Scales and zero points, [rows, groups] each.
    fn download_grids(&self, grids: Self::Grids, control: &Control) -> Result<(Columns, Columns)>;

    /// Room for the errors of a sweep whose spans have up to `span` columns; `u_diagonal`: U_jj of all columns.
    fn errors(&self, w: &Self::Weights, span: usize, u_diagonal: &[f32], control: &Control) -> Result<Self::Errors>;

    /// Sweeps one block: overwrites its columns of `w` with what is stored of them, notes its errors and spreads them over the
    /// columns from the block's end to its `reach`.
    fn sweep_block(
        &self,
        w: &mut Self::Weights,
        u: &Self::Triangle,
        errors: &mut Self::Errors,
        grids: Option<&Self::Grids>,
        block: &Block,
        control: &Control,
    ) -> Result<()>;

    /// Spreads the errors of a span over all columns from its `reach` on.
    fn spread(
        &self,
        w: &mut Self::Weights,
        u: &Self::Triangle,
        errors: &Self::Errors,
        span: &Span,
        control: &Control,
    ) -> Result<()>;

    /// The sum of the squares of all errors.
    fn squares(&self, errors: Self::Errors) -> Result<f64>;

    /// Counts and sums of the saliencies w² / U_jj²; `u_diagonal`: U_jj of all columns.
    fn saliency_histogram(&self, w: &Self::Weights, u_diagonal: &[f32], control: &Control) -> Result<Histogram>;

    /// The bits of all saliencies in the histogram's bins that are `wanted`, ascending.
    fn saliencies_in(
        &self,
        w: &Self::Weights,
        u_diagonal: &[f32],
        wanted: &[bool],
        control: &Control,
    ) -> Result<Vec<u32>>;
}

/// A Gram matrix [cols, cols] whose entries this machine's memory holds.
pub trait Entries {
    fn cols(&self) -> usize;

    /// Entry (row, col), col <= row.
    fn get(&self, row: usize, col: usize) -> f64;
}

/// The first row with a value that is not finite, or else with values too large for their squares to be summed in float32.
pub fn first_bad_row(x: &[f32], cols: usize) -> usize {
    let row_with = |bad: fn(&f32) -> bool| x.chunks(cols).position(|row| row.iter().any(bad));
    row_with(|v| !v.is_finite())
        .or_else(|| row_with(|v| v.abs() > 1e15))
        .unwrap_or(0)
}
