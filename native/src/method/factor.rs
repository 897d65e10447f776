//! The factor U of the inverse Hessian (method.md, section 2): one Cholesky factorisation of the Hessian with its rows and columns
//! reversed, then the inverse of that triangle.

use crate::backend::Backend;
use crate::backend::panels::work;
use crate::control::Control;
use crate::error::{Error, Result};

/// In which order the columns are swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Natural,
    /// By descending diagonal of the Hessian, dead columns counted as 1; of equals the one further left first.
    Activity,
}

/// U, upper triangular, with Uᵀ U = H⁻¹ of the damped Hessian H, whose rows and columns stand in the order of the sweep.
#[derive(Default)]
pub struct Factor<B: Backend> {
    /// Where U lies, and what is to be done with it computed.
    pub backend: B,
    pub cols: usize,
    /// U [cols, cols]
    pub u: B::Triangle,
    /// U_jj [cols]
    pub u_diagonal: Vec<f32>,
    /// The diagonal of the undamped Hessian, zero where the column is dead; the layer's columns as they are.
    pub hessian_diagonal: Vec<f32>,
    /// The layer's column that comes first in the sweep, second ..; None: as they are.
    pub order: Option<Vec<u32>>,
    /// What was added to the diagonal: λ.
    pub damping: f64,
    /// How often the damping had to be multiplied by 10.
    pub retries: u32,
    /// The Hessian itself, where it is wanted.
    pub scaled: Option<Scaled<B>>,
}

/// A damped Hessian H, scaled to a diagonal of 1, in the order of the sweep.
pub struct Scaled<B: Backend> {
    /// Aᵢⱼ = Hᵢⱼ / √(Hᵢᵢ Hⱼⱼ) [cols, cols]
    pub a: B::Symmetric,
    /// √Hⱼⱼ [cols]
    pub roots: Vec<f32>,
}

impl<B: Backend> Factor<B> {
    /// Whether the layer's input `col` was zero in every token.
    pub fn is_dead(&self, col: usize) -> bool {
        self.hessian_diagonal[col] == 0.0
    }

    /// The same factor on another backend, where U is `u` and A `a`.
    pub fn on<C: Backend>(&self, backend: C, u: C::Triangle, a: Option<C::Symmetric>) -> Factor<C> {
        let roots = self.scaled.as_ref().map(|scaled| scaled.roots.clone());
        Factor {
            backend,
            cols: self.cols,
            u,
            u_diagonal: self.u_diagonal.clone(),
            hessian_diagonal: self.hessian_diagonal.clone(),
            order: self.order.clone(),
            damping: self.damping,
            retries: self.retries,
            scaled: a.zip(roots).map(|(a, roots)| Scaled { a, roots }),
        }
    }
}

/// Factors H = scale * gram (scale = 2 / sequences), damped with `percdamp` times the mean of its diagonal, and ten times that twice
/// over if need be, but never more than the mean; with `keeps_hessian` the factor has it, too. Errors: `NotPositiveDefinite`, `Cancelled`, those of the backend.
pub fn factorize<B: Backend>(
    backend: &B,
    gram: B::Gram,
    scale: f64,
    percdamp: f64,
    order: Order,
    keeps_hessian: bool,
    control: &Control,
) -> Result<Factor<B>> {
    let sums = backend.diagonal(&gram)?;
    let n = sums.len();
    let hessian_diagonal: Vec<f32> = sums.iter().map(|sum| (scale * sum) as f32).collect();
    let alive = |h: f32| if h == 0.0 { 1.0 } else { h as f64 };
    let mean = hessian_diagonal.iter().map(|&h| alive(h)).sum::<f64>() / n as f64;
    let order = (order == Order::Activity).then(|| by_activity(&hessian_diagonal));
    control.begin(2 * work(n) + 1)?;
    for (retries, share) in [percdamp, percdamp * 10.0, percdamp * 100.0].into_iter().enumerate() {
        if retries > 0 && share > 1.0 {
            break;
        }
        let damping = share * mean;
        let damped = |(sum, &h): (&f64, &f32)| if h == 0.0 { 1.0 } else { scale * sum } + damping;
        let diagonal: Vec<f32> = (sums.iter().zip(&hessian_diagonal))
            .map(|pair| damped(pair) as f32)
            .collect();
        let mut hessian = backend.hessian(&gram, order.as_deref(), scale, &diagonal, control)?;
        if backend.cholesky(&mut hessian, control)? {
            let scaled = keeps_hessian.then(|| {
                let a = backend.correlation(&gram, order.as_deref(), scale, &diagonal, control)?;
                let root = |j: usize| diagonal[order.as_ref().map_or(j, |order| order[j] as usize)].sqrt();
                let roots = (0..n).map(root).collect();
                Ok(Scaled { a, roots })
            });
            let scaled = scaled.transpose()?;
            drop(gram);
            let (u, u_diagonal) = backend.inverse(hessian, control)?;
            control.advance(1)?;
            return Ok(Factor {
                backend: backend.clone(),
                cols: n,
                u,
                u_diagonal,
                hessian_diagonal,
                order,
                damping,
                retries: retries as u32,
                scaled,
            });
        }
    }
    Err(Error::NotPositiveDefinite {})
}

/// The columns by descending diagonal of the Hessian.
fn by_activity(hessian_diagonal: &[f32]) -> Vec<u32> {
    let activity = |&col: &u32| match hessian_diagonal[col as usize] {
        0.0 => 1.0,
        h => h,
    };
    let mut order: Vec<u32> = (0..hessian_diagonal.len() as u32).collect();
    order.sort_by(|a, b| activity(b).total_cmp(&activity(a)));
    order
}
