//! The method's matrices on a GPU: Vulkan, Metal or DirectX 12 through wgpu, kernels in WGSL.
//!
//! `adapter.rs` lists and opens adapters, `usage.rs` asks their drivers what of them is in use, `device.rs` holds
//! buffers and runs kernels, `kernels.rs` names them; `matrix.rs` cuts large matrices into several buffers. The rest is the
//! `Backend` in terms of these: `product.rs`, `gram.rs`, `triangle.rs`, `sweep.rs`.
//!
//! Sums that matter are added in a fixed order, and nothing is decided by which thread comes first, so the same adapter gives the
//! same bits each time, whatever tile is chosen.

pub mod adapter;
mod backend;
mod device;
mod gram;
mod kernels;
mod matrix;
pub mod measure;
mod product;
mod saliency;
mod sweep;
mod triangle;
pub mod usage;

#[cfg(test)]
mod tests;

pub use device::Gpu;
pub use kernels::Tile;
