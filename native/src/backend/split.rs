//! What a backend is told of ADMM's iterations (method.md, section 11), and what it tells of them.

/// One iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// How much of the step goes beyond the ridge regression's weights, 1 to 2; 1: none of it.
    pub relaxation: f32,
    /// What the dual is multiplied with before: the last iteration's penalty / this one's.
    pub rescaling: f32,
    pub penalty: f32,
}

/// What an iteration came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iteration {
    /// Weights that are kept and were not kept before.
    pub changed: usize,
    /// Weights that are kept.
    pub kept: usize,
    /// tr((W - B) A (W - B)ᵀ) of the ridge regression's weights B, which are not projected.
    pub lost: f64,
}
