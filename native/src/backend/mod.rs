//! What the method's matrices lie in and are computed with: the CPU or a GPU. The method (`method/`) does not know which it has:
//! damping and retries, the order of the columns, dead ones, blocks, spans and groups are written once.

pub mod histogram;
pub mod panels;
pub mod refine;
pub mod split;
pub mod sweep;

use crate::control::Control;
use crate::error::Result;
use crate::quantization::Quantization;
use crate::weights::columns::Columns;

use self::histogram::Histogram;
use self::refine::Refinement;
use self::split::{Iteration, Step};
use self::sweep::{Block, Known, Pruned, Span};

/// A group of columns whose grid is to be fitted, by their positions in a list of the layer's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    pub group: usize,
    pub first: usize,
    pub end: usize,
}

/// Groups of columns whose grids are to be fitted.
#[derive(Debug, Clone, Copy)]
pub struct Fits<'a> {
    /// Columns of the layer.
    pub members: &'a [u32],
    /// Each a range of them.
    pub groups: &'a [Fit],
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
    /// Which of a layer's weights are zero.
    type Mask;
    /// The errors of a span of columns, and the sum of the squares of all errors so far.
    type Errors;
    /// A symmetric matrix [n, n], float32.
    type Symmetric: Send + Sync;
    /// A symmetric matrix [n, n] for products that need no float32.
    type Operand;
    /// A layer that ADMM is at: its weights, the iterate and the mask.
    type Split;

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

    /// Which weights are zero.
    fn mask(&self, w: &Self::Weights, control: &Control) -> Result<Self::Mask>;

    /// Fits the grids of groups. What `mask` says is zero counts as zero.
    fn fit(
        &self,
        grids: &mut Self::Grids,
        w: &Self::Weights,
        mask: Option<&Self::Mask>,
        fits: Fits,
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
        known: Known<Self::Grids, Self::Mask>,
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

    /// `scale * gram` with `diagonal` [cols] in the place of its own, entry i, j divided by √(diagonalᵢ diagonalⱼ), rows and columns in
    /// `order` (None: as they are).
    fn correlation(
        &self,
        gram: &Self::Gram,
        order: Option<&[u32]>,
        scale: f64,
        diagonal: &[f32],
        control: &Control,
    ) -> Result<Self::Symmetric>;

    /// tr(x A xᵀ), x [rows, n].
    fn quadratic(&self, x: &Columns, a: &Self::Symmetric, control: &Control) -> Result<f64>;

    /// ρ (A + ρ)⁻¹, ρ = `penalty`; None where A + ρ is not positive definite. Counts twice `panels::work` as done.
    fn ridge_inverse(&self, a: &Self::Symmetric, penalty: f32, control: &Control) -> Result<Option<Self::Operand>>;

    /// A itself.
    fn operand(&self, a: &Self::Symmetric, control: &Control) -> Result<Self::Operand>;

    /// What ADMM begins with: D = W, all of it kept, V = 0.
    fn split(&self, w: Columns, control: &Control) -> Result<Self::Split>;

    /// One iteration: B = W + (D - V / ρ - W) R with R = ρ (A + ρ)⁻¹, C = B + V / ρ with B taken further from D, D = C where it is kept
    /// and V / ρ = C where it is not. Counts 1 as done for every `LANES` rows.
    fn iterate(
        &self,
        split: &mut Self::Split,
        ridge: &Self::Operand,
        step: &Step,
        pruned: Pruned,
        control: &Control,
    ) -> Result<Iteration>;

    /// Z [rows, n] after so many steps of conjugate gradients from D on, within its mask, towards the least tr((W - Z) A (W - Z)ᵀ).
    /// Counts 1 as done for every `LANES` rows of each step, and before the first.
    fn polish(&self, split: Self::Split, a: &Self::Operand, steps: usize, control: &Control) -> Result<Columns>;

    /// Q after so many passes of coordinate descent towards the least tr((W - Q) H (W - Q)ᵀ): column after column, each weight that the
    /// mask keeps becomes the value of its grid that is best with the others as they stand. `deviation` [rows, n]: W - Q, column j times
    /// √H_jj. Counts 1 as done for every `LANES` rows of each pass, and before the first.
    fn refine(
        &self,
        q: Self::Weights,
        deviation: &Columns,
        a: &Self::Symmetric,
        refinement: &Refinement<Self::Grids, Self::Mask>,
        control: &Control,
    ) -> Result<Self::Weights>;
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
