pub mod block;
pub mod columns;
pub mod lanes;
pub mod magnitude;
pub mod mask;
pub mod quantization;
pub mod quantizer;
pub mod sparsegpt;
pub mod spectrum;
pub mod statistics;
pub mod storage;
pub mod sweep;
pub mod target;
pub mod wanda;
pub mod weight;

#[cfg(test)]
mod quantizer_tests;
#[cfg(test)]
pub(crate) mod tests;
