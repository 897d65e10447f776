//! What is of the machine and the process: its files, threads, memory and instructions.

pub mod lock;
pub mod memory;
pub mod output;
pub mod pool;
pub mod simd;
