//! The method (docs/method.md), written once, in the words of the backend that it computes with.

pub mod admm;
pub mod compressed;
pub mod energy;
pub mod factor;
pub mod finish;
pub mod grids;
pub mod magnitude;
pub mod mask;
pub mod outliers;
pub mod rows;
pub mod sparsegpt;
pub mod spectrum;
pub mod statistics;
pub mod sweep;
pub mod target;
pub mod wanda;
