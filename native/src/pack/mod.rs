//! Quantized layers in the layouts that other programs load, and in our own archive: written, and read back bit for bit.

pub mod archive;
pub mod bits;
pub mod dense;
pub mod grid;
pub mod layer;
pub mod part;
pub mod read;
mod tensors;
pub mod write;

#[cfg(test)]
mod tests;
