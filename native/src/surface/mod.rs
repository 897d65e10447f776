//! The Node-API surface and nothing else. Every failure is thrown as an Error whose message is `{"code": …, "params": {…}}`;
//! everything that takes long is a promise, computed in the addon's own pool.

pub mod archive;
pub mod checkpoint;
pub mod constants;
pub mod divergence;
pub mod estimates;
pub mod factor;
pub mod file_writer;
pub mod gpu;
pub mod pack;
pub mod process;
pub mod prune;
pub mod shard_writer;
pub mod task;
