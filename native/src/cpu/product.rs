//! Matrix products on one thread: callers cut their work into fixed tiles and run those in parallel, which is both faster than one
//! product on all threads and gives the same bits for any number of them.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// `c = a b`; a [m, k], b [k, n], c [m, n].
pub fn product(c: MatMut<f32>, a: MatRef<f32>, b: MatRef<f32>) {
    matmul(c, Accum::Replace, a, b, 1.0, Par::Seq);
}

/// `c -= a b`; a [m, k], b [k, n], c [m, n].
pub fn subtract_product(c: MatMut<f32>, a: MatRef<f32>, b: MatRef<f32>) {
    matmul(c, Accum::Add, a, b, -1.0, Par::Seq);
}

/// `c += a b`; a [m, k], b [k, n], c [m, n].
pub fn add_product(c: MatMut<f32>, a: MatRef<f32>, b: MatRef<f32>) {
    matmul(c, Accum::Add, a, b, 1.0, Par::Seq);
}
