//! The packed archive, `.tamis`: one file with all that a checkpoint's folder holds, its pruned layers as a bitmask of the
//! non-zeros and their values. `docs/formats.md` describes every byte.

pub(crate) mod band;
pub(crate) mod frame;
pub mod read;
pub(crate) mod section;
pub mod write;

pub use read::Archive;
pub use section::{Kind, Section};
pub use write::ArchiveWriter;

/// What the file begins with: a name and what a transfer as text would break.
const MAGIC: [u8; 8] = *b"tamis\0\r\n";
const VERSION: u32 = 1;
/// The magic and the version.
pub const FILE_HEADER: usize = 12;
/// The name under which the index is refused.
const INDEX_NAME: &str = "index";
