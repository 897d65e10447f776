//! Tests of several modules together. Nothing but tests imports them.

pub mod admm;
pub mod factor;
pub mod gpu;
pub mod methods;
pub mod quantization;
pub mod targets;
