//! The addon's own thread pool. Its size never changes a result: work is cut into tiles that do not depend on it.

use std::sync::{Arc, RwLock};

use rayon::{ThreadPool, ThreadPoolBuilder};

static POOL: RwLock<Option<Arc<ThreadPool>>> = RwLock::new(None);

fn build(threads: usize) -> Arc<ThreadPool> {
    let name = |index| format!("tamis-{index}");
    Arc::new(
        ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(name)
            .build()
            .expect("threads can be started"),
    )
}

/// Makes the pool anew with `threads` threads (0: one for each processor). Tasks that already run finish in the old one.
pub fn set_threads(threads: usize) {
    *POOL.write().expect("no holder panics") = Some(build(threads));
}

fn pool() -> Arc<ThreadPool> {
    if let Some(pool) = POOL.read().expect("no holder panics").as_ref() {
        return pool.clone();
    }
    POOL.write()
        .expect("no holder panics")
        .get_or_insert_with(|| build(0))
        .clone()
}

/// Runs `compute` inside the pool, so that all its parallel work happens there.
pub fn install<R: Send>(compute: impl FnOnce() -> R + Send) -> R {
    pool().install(compute)
}
