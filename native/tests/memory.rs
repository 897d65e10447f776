//! The memory sampler in a process of its own, where no other test frees memory meanwhile.
#![cfg(target_os = "linux")]

use std::time::Duration;

use tamis_native::machine::memory::MemorySampler;

#[test]
fn sees_memory_that_is_held_for_a_moment() {
    let before = MemorySampler::start().stop();
    let mut sampler = MemorySampler::start();
    let held = vec![1u8; 300 << 20];
    std::thread::sleep(Duration::from_millis(200));
    drop(std::hint::black_box(held));
    let peak = sampler.stop();
    assert!(peak >= before + (300 << 20), "{before} -> {peak}");
}
