//! How much memory this process holds, sampled while JavaScript's thread is busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_millis(20);

/// The highest anonymous resident memory seen since its making, in bytes, by a thread that looks every 20 ms.
/// Zero where the operating system does not tell (anything but Linux).
pub struct MemorySampler {
    peak: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MemorySampler {
    pub fn start() -> Self {
        let peak = Arc::new(AtomicU64::new(anonymous_bytes()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (Arc::clone(&peak), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                seen.fetch_max(anonymous_bytes(), Ordering::Relaxed);
                std::thread::park_timeout(INTERVAL);
            }
        });
        Self {
            peak,
            stop,
            thread: Some(thread),
        }
    }

    /// Ends the sampling, if it goes on, and returns the peak in bytes.
    pub fn stop(&mut self) -> u64 {
        if let Some(thread) = self.thread.take() {
            self.stop.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            thread.join().expect("the sampling thread does not panic");
            self.peak.fetch_max(anonymous_bytes(), Ordering::Relaxed);
        }
        self.peak.load(Ordering::Relaxed)
    }
}

impl Drop for MemorySampler {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Resident pages that no file backs: what the process holds for itself.
fn anonymous_bytes() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return 0;
    };
    let kilobytes = status.lines().find_map(|line| {
        line.strip_prefix("RssAnon:")?
            .trim()
            .strip_suffix(" kB")?
            .parse::<u64>()
            .ok()
    });
    kilobytes.unwrap_or(0) * 1024
}

/// Hands the pages back to the system that glibc's allocator keeps of what was freed; elsewhere nothing is kept, or nothing to be done.
pub fn release_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes no pointer, and any thread may call it at any time.
    unsafe {
        malloc_trim(0);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
unsafe extern "C" {
    fn malloc_trim(pad: usize) -> std::ffi::c_int;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn hands_back_what_the_c_library_keeps() {
        unsafe extern "C" {
            fn malloc(size: usize) -> *mut u8;
            fn free(pointer: *mut u8);
        }
        const SIZE: usize = 64 << 10;
        // SAFETY: each block is written within its size and freed once.
        let blocks: Vec<*mut u8> = (0..2000)
            .map(|_| unsafe {
                let block = malloc(SIZE);
                assert!(!block.is_null());
                block.write_bytes(1, SIZE);
                block
            })
            .collect();
        // The last one stays, so that the heap cannot shrink from its end.
        for block in &blocks[..1999] {
            unsafe { free(*block) };
        }
        let before = anonymous_bytes();
        release_freed();
        assert!(before - anonymous_bytes() > 100 << 20);
        unsafe { free(blocks[1999]) };
    }
}
