//! The parser's memory, counted by an allocator: at most 16 times the header, whatever the header says.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::{Folder, file_of};
use crate::checkpoint::Checkpoint;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: isize) {
    let live = LIVE.get() + bytes;
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
}

// SAFETY: every call goes on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }

    /// Counted as if it always moved: old and new live side by side.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize);
        count(-(layout.size() as isize));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The most bytes the calling thread held at once during `work`, beyond what it held before.
pub fn peak_heap<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before) as usize)
}

/// Paths and the text of one error, whatever the header.
pub const FIXED: usize = 4096;

fn header(entries: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
}

#[test]
fn at_most_16_times_the_header() {
    let empty = r#"{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#;
    let scalar = |i: u32| format!(r#""{i}":{{"dtype":"U8","shape":[],"data_offsets":[{i},{}]}}"#, i + 1);
    let flat = |i: u32| {
        format!(
            r#""{i:x}":{{"dtype":"U8","shape":[{}0],"data_offsets":[0,0]}}"#,
            "1,".repeat(63)
        )
    };
    let wide = |i: u32| {
        format!(
            r#""{i:x}":{{"dtype":"U8","shape":[{}0],"data_offsets":[0,0]}}"#,
            "1,".repeat(32)
        )
    };
    let headers = [
        (
            "tensors",
            header((0..200_000).map(|i| format!(r#""{i:x}":{empty}"#))),
            0,
        ),
        (
            "just over a power of two",
            header((0..131_073).map(|i| format!(r#""{i:x}":{empty}"#))),
            0,
        ),
        (
            "as sequences",
            header((0..131_073).map(|i| format!(r#""{i:x}":["U8",[0],[0,0]]"#))),
            0,
        ),
        (
            "few, just over a power of two",
            header((0..1_025).map(|i| format!(r#""{i:x}":["U8",[0],[0,0]]"#))),
            0,
        ),
        ("scalars", header((0..100_000).map(scalar)), 100_000),
        ("dimensions", header((0..20_000).map(flat)), 0),
        ("vectors that just grew", header((0..65_537).map(wide)), 0),
        ("a name", format!(r#"{{"{}":{empty}}}"#, "n".repeat(5_000_000)), 0),
        (
            "a name of escapes",
            format!(r#"{{"{}":{empty}}}"#, r"\n".repeat(2_500_000)),
            0,
        ),
        (
            "an unknown dtype",
            format!(r#"{{"a":{{"dtype":"{}""#, r"\n".repeat(2_500_000)),
            0,
        ),
        (
            "an unknown field",
            format!(r#"{{"a":{{"{}":1}}}}"#, "n".repeat(5_000_000)),
            0,
        ),
        (
            "a number",
            format!(r#"{{"a":{{"shape":[{}]}}}}"#, "1".repeat(5_000_000)),
            0,
        ),
        (
            "metadata",
            format!(r#"{{"__metadata__":{{{}"a":"b"}}}}"#, r#""":"","#.repeat(800_000)),
            0,
        ),
        ("a nesting bomb", "{\"a\":".repeat(1_000_000), 0),
        (
            "a nesting bomb in a field",
            format!(r#"{{"a":{{"x":{}"#, "[".repeat(5_000_000)),
            0,
        ),
        (
            "one twice",
            header((0..100_001).map(|i| format!(r#""{:x}":{empty}"#, i % 100_000))),
            0,
        ),
    ];
    let folder = Folder::new();
    for (what, json, data) in headers {
        let path = folder.write("x.safetensors", file_of(&json, &vec![0; data]));
        let (opened, peak) = peak_heap(|| Checkpoint::open_file(&path).map(|checkpoint| checkpoint.tensors().len()));
        println!(
            "{what}: {:.2} times {} bytes: {opened:?}",
            peak as f64 / json.len() as f64,
            json.len()
        );
        assert!(
            peak <= 16 * json.len() + FIXED,
            "{what}: {peak} bytes for {}",
            json.len()
        );
    }
}
