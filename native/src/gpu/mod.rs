//! The method's matrices on a GPU: Vulkan, Metal or DirectX 12 through wgpu, kernels in WGSL.
//!
//! `adapter.rs` lists and opens adapters, `usage.rs` asks their drivers what of them is in use, `device.rs` holds
//! buffers and runs kernels, `kernels.rs` names them; `matrix.rs` cuts large matrices into several buffers. The rest is the
//! `Backend` in terms of these: `product.rs`, `gram.rs`, `triangle.rs`, `sweep.rs`.
//!
//! Sums that matter are added in a fixed order, and nothing is decided by which thread comes first, so the same adapter gives the
//! same bits each time, whatever tile is chosen.

pub mod adapter;
pub(crate) mod backend;
pub(crate) mod device;
pub(crate) mod gram;
pub(crate) mod kernels;
pub(crate) mod matrix;
pub mod measure;
pub(crate) mod product;
pub(crate) mod saliency;
pub(crate) mod sweep;
pub(crate) mod triangle;
pub mod usage;

pub use device::Gpu;
pub use kernels::Tile;
