//! How a long task is watched and stopped from another thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::error::{Error, Result};

/// Shared between a task and whoever started it. Tasks report the work they have done tile by tile.
#[derive(Default)]
pub struct Control {
    cancelled: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

impl Control {
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// The share of the current task that is done, 0 to 1.
    pub fn progress(&self) -> f64 {
        let total = self.total.load(Relaxed);
        if total == 0 {
            0.0
        } else {
            self.done.load(Relaxed).min(total) as f64 / total as f64
        }
    }

    /// Starts a task of `total` units of work.
    pub fn begin(&self, total: u64) -> Result<()> {
        self.done.store(0, Relaxed);
        self.total.store(total, Relaxed);
        self.check()
    }

    /// Counts `units` of work as done. Error: `Cancelled`.
    pub fn advance(&self, units: u64) -> Result<()> {
        self.done.fetch_add(units, Relaxed);
        self.check()
    }

    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Relaxed) {
            Err(Error::Cancelled {})
        } else {
            Ok(())
        }
    }
}
