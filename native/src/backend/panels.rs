//! The panels of columns in which a Hessian is factored and its factor inverted, and the work that a task reports after each.

/// Columns factored at once.
pub const PANEL: usize = 128;
/// Rows and columns of a tile of the triangle after a panel, which is a unit of work.
pub const TILE: usize = 256;

/// Units of work of the factorisation of a matrix [n, n]; as many as those of the inversion.
pub fn work(n: usize) -> u64 {
    (0..n).step_by(PANEL).map(|start| panel_work(n, start)).sum()
}

/// Units of work of the panel that begins at column `start`: one for each tile of its trailing triangle.
pub fn panel_work(n: usize, start: usize) -> u64 {
    let tiles = n.saturating_sub(start + PANEL).div_ceil(TILE) as u64;
    tiles * (tiles + 1) / 2
}
