//! Every refusal of the native core: one variant each, with the values that caused it.
//!
//! A variant serializes to `{"code": …, "params": {…}}`; the code is a key of `src/contract/messages/en.ts`, where its sentence is.

use std::path::Path;

use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "code", content = "params")]
pub enum Error {
    #[serde(rename = "cancelled")]
    Cancelled {},
    #[serde(rename = "file.not-readable")]
    NotReadable { path: String, reason: String },
    #[serde(rename = "file.not-writable")]
    NotWritable { path: String, reason: String },
    #[serde(rename = "file.no-space")]
    NoSpace { path: String },
    #[serde(rename = "run.locked")]
    Locked { path: String },
    #[serde(rename = "numeric.not-finite")]
    NotFinite { row: usize },
    #[serde(rename = "factor.not-positive-definite")]
    NotPositiveDefinite {},
    #[serde(rename = "internal")]
    Internal { detail: String },

    // GPUs. `adapter` is the adapter's name; sizes are in bytes.
    #[serde(rename = "gpu.no-adapter")]
    NoAdapter { adapter: String },
    #[serde(rename = "gpu.not-usable")]
    GpuNotUsable { adapter: String, reason: String },
    #[serde(rename = "gpu.lost")]
    GpuLost { adapter: String, reason: String },
    #[serde(rename = "gpu.out-of-memory")]
    GpuOutOfMemory { adapter: String },
    #[serde(rename = "gpu.failed")]
    GpuFailed { adapter: String, reason: String },
    /// A matrix that this adapter cannot bind at once; the CPU can compute with it.
    #[serde(rename = "gpu.too-large")]
    GpuTooLarge { adapter: String, size: u64, limit: u64 },
    /// Groups of so many neighbours that the GPU's sweep does not know them; the CPU's does.
    #[serde(rename = "gpu.pattern")]
    GpuPattern { m: usize, limit: usize },

    // Checkpoints: the files around the tensors. `path` is the file that is refused.
    #[serde(rename = "checkpoint.not-a-folder")]
    NotAFolder { path: String },
    #[serde(rename = "checkpoint.no-weights")]
    NoWeights { path: String },
    #[serde(rename = "checkpoint.dangling-link")]
    DanglingLink { path: String, target: String },
    #[serde(rename = "checkpoint.not-a-file")]
    NotAFile { path: String },
    #[serde(rename = "checkpoint.lfs-pointer")]
    LfsPointer { path: String },

    // Checkpoints: the index of a sharded one. `offset` is in bytes from the start of the file.
    #[serde(rename = "checkpoint.index-malformed")]
    IndexMalformed {
        path: String,
        offset: usize,
        reason: String,
    },
    #[serde(rename = "checkpoint.index-duplicate")]
    IndexDuplicate { path: String, tensor: String },
    #[serde(rename = "checkpoint.index-too-large")]
    IndexTooLarge { path: String, size: u64, limit: u64 },
    #[serde(rename = "checkpoint.shard-name")]
    ShardName {
        path: String,
        shard: String,
        tensor: String,
    },
    #[serde(rename = "checkpoint.shard-missing")]
    ShardMissing {
        path: String,
        index: String,
        tensor: String,
    },
    #[serde(rename = "checkpoint.tensor-not-in-shard")]
    TensorNotInShard {
        path: String,
        tensor: String,
        shard: String,
    },
    #[serde(rename = "checkpoint.tensor-in-two-shards")]
    TensorInTwoShards {
        path: String,
        tensor: String,
        other: String,
    },

    // Checkpoints: what a safetensors header can get wrong. Offsets and sizes are in bytes.
    #[serde(rename = "checkpoint.too-short")]
    TooShort { path: String, size: u64 },
    #[serde(rename = "checkpoint.header-beyond-file")]
    HeaderBeyondFile { path: String, header: u64, size: u64 },
    #[serde(rename = "checkpoint.header-too-large")]
    HeaderTooLarge { path: String, header: u64, limit: u64 },
    #[serde(rename = "checkpoint.header-not-utf8")]
    HeaderNotUtf8 { path: String, offset: usize },
    #[serde(rename = "checkpoint.header-not-json")]
    HeaderNotJson {
        path: String,
        offset: usize,
        reason: String,
    },
    #[serde(rename = "checkpoint.header-not-an-object")]
    HeaderNotAnObject { path: String },
    #[serde(rename = "checkpoint.header-malformed")]
    HeaderMalformed {
        path: String,
        tensor: String,
        offset: usize,
        reason: String,
    },
    #[serde(rename = "checkpoint.duplicate-tensor")]
    DuplicateTensor { path: String, tensor: String },
    #[serde(rename = "checkpoint.unknown-dtype")]
    UnknownDtype {
        path: String,
        tensor: String,
        dtype: String,
    },
    #[serde(rename = "checkpoint.bad-dimension")]
    BadDimension {
        path: String,
        tensor: String,
        dimension: String,
    },
    #[serde(rename = "checkpoint.shape-overflow")]
    ShapeOverflow { path: String, tensor: String },
    #[serde(rename = "checkpoint.part-of-a-byte")]
    PartOfAByte { path: String, tensor: String, bits: u64 },
    #[serde(rename = "checkpoint.size-mismatch")]
    SizeMismatch {
        path: String,
        tensor: String,
        expected: u64,
        actual: u64,
    },
    #[serde(rename = "checkpoint.offsets-reversed")]
    OffsetsReversed {
        path: String,
        tensor: String,
        begin: u64,
        end: u64,
    },
    #[serde(rename = "checkpoint.offsets-outside")]
    OffsetsOutside {
        path: String,
        tensor: String,
        end: u64,
        size: u64,
    },
    #[serde(rename = "checkpoint.offsets-overlap")]
    OffsetsOverlap {
        path: String,
        tensor: String,
        other: String,
        offset: u64,
    },
    #[serde(rename = "checkpoint.hole")]
    Hole {
        path: String,
        tensor: String,
        offset: u64,
        bytes: u64,
    },
    #[serde(rename = "checkpoint.trailing-bytes")]
    TrailingBytes { path: String, offset: u64, bytes: u64 },

    // Checkpoints: reading one tensor.
    #[serde(rename = "checkpoint.no-tensor")]
    NoTensor { path: String, tensor: String },
    #[serde(rename = "checkpoint.not-a-weight-dtype")]
    NotAWeightDtype {
        path: String,
        tensor: String,
        dtype: String,
    },
    #[serde(rename = "checkpoint.not-an-id-dtype")]
    NotAnIdDtype {
        path: String,
        tensor: String,
        dtype: String,
    },
    #[serde(rename = "checkpoint.integer-too-large")]
    IntegerTooLarge { path: String, tensor: String, index: usize },

    // Checkpoints: the archive around a PyTorch pickle. `offset` is in bytes from the start of the file.
    #[serde(rename = "checkpoint.bin-legacy")]
    BinLegacy { path: String },
    #[serde(rename = "checkpoint.bin-script")]
    BinScript { path: String },
    #[serde(rename = "checkpoint.bin-not-an-archive")]
    BinNotAnArchive { path: String },
    #[serde(rename = "checkpoint.bin-no-pickle")]
    BinNoPickle { path: String },
    #[serde(rename = "checkpoint.bin-byte-order")]
    BinByteOrder { path: String, order: String },
    #[serde(rename = "checkpoint.zip-truncated")]
    ZipTruncated { path: String },
    #[serde(rename = "checkpoint.zip-directory")]
    ZipDirectory { path: String, offset: u64 },
    #[serde(rename = "checkpoint.zip-too-large")]
    ZipTooLarge { path: String, entries: u64, limit: u64 },
    #[serde(rename = "checkpoint.zip-entry")]
    ZipEntry { path: String, entry: String },
    #[serde(rename = "checkpoint.zip-entry-name")]
    ZipEntryName { path: String, entry: String },
    #[serde(rename = "checkpoint.zip-compressed")]
    ZipCompressed { path: String, entry: String },
    #[serde(rename = "checkpoint.zip-overlap")]
    ZipOverlap { path: String, entry: String, other: String },
    #[serde(rename = "checkpoint.zip-duplicate")]
    ZipDuplicate { path: String, entry: String },
    #[serde(rename = "checkpoint.zip-checksum")]
    ZipChecksum { path: String, entry: String },

    // Checkpoints: the pickle of a PyTorch file. `offset` is that of an opcode, in bytes from the start of the pickle.
    #[serde(rename = "checkpoint.pickle-too-large")]
    PickleTooLarge { path: String, size: u64, limit: u64 },
    #[serde(rename = "checkpoint.pickle-truncated")]
    PickleTruncated { path: String, offset: usize },
    #[serde(rename = "checkpoint.pickle-opcode")]
    PickleOpcode {
        path: String,
        offset: usize,
        opcode: String,
    },
    #[serde(rename = "checkpoint.pickle-global")]
    PickleGlobal {
        path: String,
        offset: usize,
        global: String,
    },
    #[serde(rename = "checkpoint.pickle-malformed")]
    PickleMalformed {
        path: String,
        offset: usize,
        opcode: String,
    },
    #[serde(rename = "checkpoint.pickle-too-many")]
    PickleTooMany { path: String, offset: usize, limit: usize },

    // Checkpoints: the tensors a PyTorch pickle describes. Offsets count elements, sizes bytes.
    #[serde(rename = "checkpoint.bin-not-a-dict")]
    BinNotADict { path: String, kind: String },
    #[serde(rename = "checkpoint.bin-not-a-tensor")]
    BinNotATensor { path: String, entry: String, kind: String },
    #[serde(rename = "checkpoint.bin-not-contiguous")]
    BinNotContiguous { path: String, tensor: String },
    #[serde(rename = "checkpoint.bin-no-storage")]
    BinNoStorage {
        path: String,
        tensor: String,
        entry: String,
    },
    #[serde(rename = "checkpoint.bin-storage-size")]
    BinStorageSize {
        path: String,
        tensor: String,
        entry: String,
        elements: u64,
        size: u64,
    },
    #[serde(rename = "checkpoint.bin-beyond-storage")]
    BinBeyondStorage {
        path: String,
        tensor: String,
        offset: u64,
        bytes: u64,
        size: u64,
    },

    // Packed layers. Shapes are written as `F16 [rows, cols]`.
    #[serde(rename = "pack.not-on-grid")]
    NotOnGrid { path: String, layer: String, row: usize },
    #[serde(rename = "pack.shape")]
    PackShape {
        path: String,
        tensor: String,
        expected: String,
        actual: String,
    },
    #[serde(rename = "pack.group-index")]
    GroupIndex {
        path: String,
        tensor: String,
        column: usize,
    },
    #[serde(rename = "pack.value")]
    PackValue { path: String, tensor: String, row: usize },
    #[serde(rename = "pack.too-large-for-dtype")]
    TooLargeForDtype {
        path: String,
        tensor: String,
        dtype: String,
    },
    #[serde(rename = "pack.outside")]
    PackOutside {
        path: String,
        offset: u64,
        bytes: u64,
        size: u64,
    },

    // The packed archive.
    #[serde(rename = "archive.not-an-archive")]
    NotAnArchive { path: String },
    #[serde(rename = "archive.version")]
    ArchiveVersion { path: String, version: u32 },
    #[serde(rename = "archive.truncated")]
    ArchiveTruncated { path: String },
    #[serde(rename = "archive.damaged")]
    ArchiveDamaged { path: String, section: String },
    #[serde(rename = "archive.no-section")]
    NoSection { path: String, section: String },
}

pub type Result<T> = std::result::Result<T, Error>;

/// A fault of our own, not of what was given.
pub fn internal(detail: &str) -> Error {
    Error::Internal {
        detail: detail.to_owned(),
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).expect("an error is plain data"))
    }
}

impl std::error::Error for Error {}

/// A path as messages and the Node side show it.
pub fn display(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
