//! Tamis's native core: the method, what it computes with, and the files that weights lie in. JavaScript sees `surface`.

pub mod backend;
pub mod checkpoint;
pub mod control;
pub mod cpu;
pub mod divergence;
pub mod error;
pub mod gpu;
pub mod machine;
pub mod method;
pub mod noise;
pub mod pack;
pub mod quantization;
pub mod self_test;
pub mod surface;
pub mod weights;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

// The tests count allocations with an allocator of their own.
#[cfg(not(test))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
