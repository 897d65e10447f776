pub mod buffer;
pub mod cholesky;
pub mod factor;
pub mod gemm;
pub mod gram;

#[cfg(test)]
pub(crate) mod tests;
