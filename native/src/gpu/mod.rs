//! The method's matrices on a GPU: Vulkan, Metal or DirectX 12 through wgpu, kernels in WGSL.
//!
//! `adapter.rs` lists and opens adapters, `info.rs` is what they tell of themselves, `usage.rs` asks their drivers what of them is in use, `device.rs` holds
//! buffers and runs kernels, `kernels.rs` names them; `matrix.rs` cuts large matrices into several buffers. The rest is the
//! `Backend` in terms of these: `product.rs`, `gram.rs`, `rearrange.rs`, `triangle.rs`; `weights.rs`, `select.rs`, `sweep.rs`,
//! `saliency.rs`; `symmetric.rs`, `mask.rs`, `rows.rs` and `split.rs`, which are ADMM's. `rates.rs` measures how fast it is.
//!
//! Sums that matter are added in a fixed order, and nothing is decided by which thread comes first, so the same adapter gives the
//! same bits each time, whatever tile is chosen.

pub mod adapter;
pub(crate) mod backend;
pub(crate) mod device;
pub(crate) mod gram;
pub mod info;
pub(crate) mod kernels;
pub(crate) mod mask;
pub(crate) mod matrix;
pub(crate) mod product;
pub mod rates;
pub(crate) mod rearrange;
mod refine;
pub(crate) mod rows;
pub(crate) mod saliency;
pub(crate) mod select;
pub(crate) mod split;
pub(crate) mod sweep;
pub(crate) mod symmetric;
pub(crate) mod triangle;
pub mod usage;
pub(crate) mod weights;

pub use device::Gpu;
pub use kernels::Tile;
