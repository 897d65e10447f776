//! The Node-API surface of this process: its threads, its memory, its locks.

use std::path::Path;

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::task::thrown;
use crate::machine::{lock, memory, pool, simd};

/// Makes the addon's pool anew with `threads` threads (0: one for each processor).
#[napi]
pub fn set_threads(threads: u32) {
    pool::set_threads(threads as usize);
}

/// The kernels that this processor gets: "avx512f", "avx2+fma", "neon" or "portable".
#[napi]
pub fn kernels() -> &'static str {
    simd::kernels()
}

/// A lock on a file, held until it is released or the process ends. Error run.locked {path}.
#[napi]
pub struct FileLock {
    inner: Option<lock::FileLock>,
}

#[napi]
impl FileLock {
    #[napi(factory)]
    pub fn acquire(path: String) -> Result<Self> {
        let inner = Some(lock::FileLock::acquire(Path::new(&path)).map_err(thrown)?);
        Ok(Self { inner })
    }

    #[napi]
    pub fn release(&mut self) {
        self.inner = None;
    }
}

/// Hands the memory back to the system that the C library keeps of what was freed.
#[napi]
pub fn release_freed_memory() {
    memory::release_freed();
}

/// Watches the anonymous resident memory of this process, from its making on.
#[napi]
pub struct MemorySampler {
    inner: memory::MemorySampler,
}

#[napi]
impl MemorySampler {
    #[napi(constructor)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            inner: memory::MemorySampler::start(),
        }
    }

    /// Ends the sampling and returns the highest value seen, in bytes; 0 where the operating system does not tell.
    #[napi]
    pub fn stop(&mut self) -> f64 {
        self.inner.stop() as f64
    }
}
