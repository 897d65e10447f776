//! Packed layers as other programs could have written them, turned back into dense weights. Shapes, sizes and group numbers are
//! checked when a layer is opened, values when they are made.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use half::f16;

use super::bits::{check_width, unpack};
use super::grid::{Grid, Groups, Scratch, group_count, neighbours};
use super::part::{GGML_BLOCK, GgmlType, nbits_width, words};
use super::tensors::{self, expected, group_order, halves};
use super::write::{Sink, Source, write_rows};
use crate::checkpoint::{Checkpoint, MappedFile, Orientation, map_file, shown};
use crate::control::Control;
use crate::error::{Error, Result, display, internal};
use crate::weights::storage::Storage;

/// A file whose bytes are described elsewhere, by another part of it or by another file.
pub struct DataFile(MappedFile);

impl DataFile {
    /// Errors: `file.not-readable`, `checkpoint.not-a-file`.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self(map_file(path, 0)?))
    }

    /// `bytes` bytes from `offset` on. Errors: `pack.outside`.
    fn range(&self, offset: u64, bytes: Option<u64>) -> Result<Range<usize>> {
        let size = self.0.map.len() as u64;
        let end = bytes
            .and_then(|bytes| offset.checked_add(bytes))
            .filter(|&end| end <= size);
        match end {
            Some(end) => Ok(offset as usize..end as usize),
            None => Err(Error::PackOutside {
                path: display(&self.0.path),
                offset,
                bytes: bytes.unwrap_or(u64::MAX),
                size,
            }),
        }
    }

    fn slice(&self, offset: u64, bytes: Option<u64>) -> Result<&[u8]> {
        Ok(&self.0.map[self.range(offset, bytes)?])
    }
}

/// Where the codes of a layer lie.
enum Bytes {
    Tensor(Arc<Checkpoint>, String),
    Range(Arc<DataFile>, Range<usize>),
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Bytes::Tensor(checkpoint, name) => checkpoint.bytes(name).expect("seen when the layer was opened"),
            Bytes::Range(file, range) => &file.0.map[range.clone()],
        }
    }

    /// The file, and the tensor where it is named.
    fn place(&self) -> (String, String) {
        match self {
            Bytes::Tensor(checkpoint, name) => (tensors::file_of(checkpoint, name), shown(name)),
            Bytes::Range(file, range) => (display(&file.0.path), range.start.to_string()),
        }
    }
}

/// How the codes lie there.
enum Layout {
    /// Word k of row r at k * rows + r.
    Words,
    /// Rows of so many bytes, each a stream of codes.
    Rows(usize),
    Ggml(GgmlType),
}

enum Content {
    Codes { grid: Grid, layout: Layout },
    Plain(Storage),
}

pub struct PackedLayer {
    pub rows: usize,
    pub cols: usize,
    content: Content,
    bytes: Bytes,
}

impl PackedLayer {
    /// `NAME.qweight`, `.qzeros`, `.scales` and, where it is there, `.g_idx`. `zero_offset` is what the stored zero points lack: 1
    /// in v1, 0 in v2. Errors: those of `bytes`, `pack.*`.
    pub fn gptq(
        checkpoint: Arc<Checkpoint>,
        name: &str,
        bits: u32,
        group_size: usize,
        zero_offset: u16,
    ) -> Result<Self> {
        check_width(bits)?;
        let part = |part: &str| format!("{name}.{part}");
        let (qweight, order) = (part("qweight"), part("g_idx"));
        let &[packed_rows, rows] = &checkpoint.tensor(&qweight)?.shape[..] else {
            return Err(internal("a qweight has two dimensions"));
        };
        let rows = rows as usize;
        let cols = match checkpoint.has(&order) {
            true => checkpoint.tensor(&order)?.elements(),
            false => (packed_rows as usize).saturating_mul(32) / bits as usize,
        };
        expected(&checkpoint, &qweight, "I32", &[words(cols, bits), rows])?;
        let groups = group_count(cols, group_size);
        let scales = expected(&checkpoint, &part("scales"), "F16", &[groups, rows])?;
        let scales: Vec<f32> = halves(scales).collect();
        let by_group = expected(&checkpoint, &part("qzeros"), "I32", &[groups, words(rows, bits)])?;
        let mut zeros = vec![0; rows * groups];
        let mut codes = vec![0; rows];
        for (group, stream) in by_group.chunks_exact((4 * words(rows, bits)).max(1)).enumerate() {
            unpack(stream, bits, &mut codes);
            for (row, &code) in codes.iter().enumerate() {
                zeros[row * groups + group] = u16::from(code) + zero_offset;
            }
        }
        let members = match checkpoint.has(&order) {
            true => listed(group_order(&checkpoint, &order, cols, groups)?, group_size),
            false => neighbours(cols, group_size),
        };
        let grid = Grid {
            rows,
            cols,
            bits,
            groups,
            members,
            scales: transposed(&scales, groups, rows),
            zeros: Some(zeros),
        };
        let bytes = Bytes::Tensor(checkpoint, qweight);
        Ok(Self::of(grid, Layout::Words, bytes))
    }

    /// `NAME.weight_packed`, `.weight_scale`, `.weight_shape` and, where it is there, `.weight_zero_point`.
    /// Errors: those of `bytes`, `pack.*`.
    pub fn pack_quantized(checkpoint: Arc<Checkpoint>, name: &str, bits: u32, group_size: usize) -> Result<Self> {
        check_width(bits)?;
        if bits == 3 {
            return Err(internal("compressed-tensors packs 3 bits in another way"));
        }
        let part = |part: &str| format!("{name}.{part}");
        let (packed, scale, zero) = (part("weight_packed"), part("weight_scale"), part("weight_zero_point"));
        let (rows, cols) = stored_shape(&checkpoint, &part("weight_shape"))?;
        expected(&checkpoint, &packed, "I32", &[rows, words(cols, bits)])?;
        let groups = group_count(cols, group_size);
        let (_, _, storage) = checkpoint.matrix_shape(&scale, Orientation::Upright)?;
        let dtype = checkpoint.tensor(&scale)?.dtype.name();
        let scale = expected(&checkpoint, &scale, dtype, &[rows, groups])?;
        let mut scales = vec![0.0; rows * groups];
        storage.decode(scale, &mut scales);
        let zeros = match checkpoint.has(&zero) {
            true => {
                let height = words(rows, bits);
                let by_rows = expected(&checkpoint, &zero, "I32", &[height, groups])?;
                Some(zeros_of_rows(by_rows, rows, groups, bits))
            }
            false => None,
        };
        let grid = Grid {
            rows,
            cols,
            bits,
            groups,
            members: neighbours(cols, group_size),
            scales,
            zeros,
        };
        let bytes = Bytes::Tensor(checkpoint, packed);
        Ok(Self::of(grid, Layout::Rows(4 * words(cols, bits)), bytes))
    }

    /// The inputs of a MatMulNBits, at these offsets of a file. Errors: `pack.outside`.
    pub fn nbits(file: Arc<DataFile>, at: &NbitsPlaces, rows: usize, cols: usize) -> Result<Self> {
        let NbitsPlaces { bits, block, .. } = *at;
        check_width(bits)?;
        if bits == 3 || block < 16 || !block.is_power_of_two() {
            return Err(internal(
                "MatMulNBits takes 2, 4 or 8 bits and blocks of 16 or a higher power of two",
            ));
        }
        let blocks = cols.div_ceil(block);
        let row_bytes = blocks.saturating_mul(block * nbits_width(bits) as usize / 8);
        let size = |row: usize| (rows as u64).checked_mul(row as u64);
        let codes = file.range(at.b, size(row_bytes))?;
        let scales = file.slice(at.scales, size(blocks.saturating_mul(4)))?;
        let scales = scales
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        let zeros = match at.zero_points {
            Some(offset) => {
                let width = blocks.saturating_mul(bits as usize).div_ceil(8);
                let rows_of_zeros = file.slice(offset, size(width))?.chunks_exact(width.max(1));
                let mut codes = vec![0; blocks];
                let zeros = rows_of_zeros.flat_map(|stream| {
                    unpack(stream, bits, &mut codes);
                    codes.iter().map(|&code| u16::from(code)).collect::<Vec<_>>()
                });
                Some(zeros.collect())
            }
            None => None,
        };
        let grid = Grid {
            rows,
            cols,
            bits,
            groups: blocks,
            members: Groups::Neighbours(block),
            scales,
            zeros,
        };
        Ok(Self::of(grid, Layout::Rows(row_bytes), Bytes::Range(file, codes)))
    }

    /// ggml blocks from `offset` of a file on. Errors: `pack.outside`, `pack.value` where the least value of a q4_1 block is no
    /// multiple of its scale.
    pub fn ggml(file: Arc<DataFile>, kind: GgmlType, offset: u64, rows: usize, cols: usize) -> Result<Self> {
        let blocks = cols.div_ceil(GGML_BLOCK);
        let row_bytes = blocks.saturating_mul(kind.block_bytes());
        let range = file.range(offset, (rows as u64).checked_mul(row_bytes as u64))?;
        let bytes = Bytes::Range(file, range);
        let mut scales = Vec::with_capacity(rows * blocks);
        let mut zeros = Vec::new();
        for (number, block) in bytes.get().chunks_exact(kind.block_bytes()).enumerate() {
            let scale = half(&block[..2]);
            scales.push(scale);
            if kind == GgmlType::Q4_1 {
                zeros.push(zero_of(scale, &block[2..4]).ok_or_else(|| value_error(&bytes, number / blocks))?);
            }
        }
        let grid = Grid {
            rows,
            cols,
            bits: kind.bits(),
            groups: blocks,
            members: Groups::Neighbours(GGML_BLOCK),
            scales,
            zeros: (kind == GgmlType::Q4_1).then_some(zeros),
        };
        Ok(Self::of(grid, Layout::Ggml(kind), bytes))
    }

    /// Plain numbers from `offset` of a file on. Errors: `pack.outside`.
    pub fn plain(file: Arc<DataFile>, storage: Storage, offset: u64, rows: usize, cols: usize) -> Result<Self> {
        let row_bytes = cols.saturating_mul(storage.size());
        let range = file.range(offset, (rows as u64).checked_mul(row_bytes as u64))?;
        Ok(Self {
            rows,
            cols,
            content: Content::Plain(storage),
            bytes: Bytes::Range(file, range),
        })
    }

    fn of(grid: Grid, layout: Layout, bytes: Bytes) -> Self {
        Self {
            rows: grid.rows,
            cols: grid.cols,
            content: Content::Codes { grid, layout },
            bytes,
        }
    }

    /// Writes the dense weight [rows, cols]: round(scale * (code - zero)), zeros never negative; `rows`: those that are written, in
    /// this order. Errors: `pack.value` where `storage` cannot hold a value, `cancelled`, those of `sink`.
    pub fn write(&self, storage: Storage, rows: Option<&[u32]>, sink: Sink, control: &Control) -> Result<()> {
        let row_bytes = self.cols * storage.size();
        let fill = |row: usize, scratch: &mut Scratch, out: &mut [u8]| {
            if !self.read(row, storage, scratch) {
                return Err(value_error(&self.bytes, row));
            }
            storage.encode(&scratch.values, out);
            Ok(())
        };
        let source = Source {
            count: self.rows,
            cols: self.cols,
            rows,
        };
        write_rows(&source, row_bytes, fill, sink, control)
    }

    /// One row as `storage` holds it, into `scratch.values`. False if a value is not finite.
    fn read(&self, row: usize, storage: Storage, scratch: &mut Scratch) -> bool {
        let bytes = self.bytes.get();
        match &self.content {
            Content::Plain(from) => {
                let width = self.cols * from.size();
                from.decode(&bytes[row * width..][..width], &mut scratch.values);
                scratch.values.iter().all(|&value| storage.round(value).is_finite())
            }
            Content::Codes { grid, layout } => {
                match layout {
                    Layout::Words => gather_words(bytes, row, grid, &mut scratch.codes),
                    Layout::Rows(width) => unpack(&bytes[row * width..][..*width], grid.bits, &mut scratch.codes),
                    Layout::Ggml(kind) => {
                        let width = grid.groups * kind.block_bytes();
                        ggml_codes(&bytes[row * width..][..width], *kind, &mut scratch.codes);
                    }
                }
                grid.apply(row, 0..self.cols, storage, scratch)
            }
        }
    }
}

/// Where the inputs of a MatMulNBits begin, in bytes, and its attributes.
pub struct NbitsPlaces {
    pub b: u64,
    pub scales: u64,
    pub zero_points: Option<u64>,
    pub bits: u32,
    pub block: usize,
}

fn value_error(bytes: &Bytes, row: usize) -> Error {
    let (path, tensor) = bytes.place();
    Error::PackValue { path, tensor, row }
}

/// The order of the groups, or the neighbours that it amounts to.
fn listed(order: Vec<u32>, group_size: usize) -> Groups {
    let cols = order.len();
    let plain = neighbours(cols, group_size);
    match &plain {
        Groups::Neighbours(size)
            if order
                .iter()
                .enumerate()
                .all(|(col, &group)| col / size == group as usize) =>
        {
            plain
        }
        _ => Groups::Listed(order),
    }
}

/// [groups, rows] to [rows, groups].
fn transposed(scales: &[f32], groups: usize, rows: usize) -> Vec<f32> {
    let order = (0..rows).flat_map(|row| (0..groups).map(move |group| group * rows + row));
    order.map(|at| scales[at]).collect()
}

/// Rows and columns from an i64 [2]. Errors: those of `bytes`, `pack.shape`.
fn stored_shape(checkpoint: &Checkpoint, name: &str) -> Result<(usize, usize)> {
    let bytes = expected(checkpoint, name, "I64", &[2])?;
    let read: Vec<i64> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|bytes| i64::from_le_bytes(*bytes))
        .collect();
    // Each far below what could overflow when it is multiplied by bits.
    match read[..] {
        [rows @ 0..=0xffff_ffff, cols @ 0..=0xffff_ffff] => Ok((rows as usize, cols as usize)),
        _ => Err(Error::PackShape {
            path: tensors::file_of(checkpoint, name),
            tensor: shown(name),
            expected: "[rows, cols]".to_owned(),
            actual: format!("{read:?}"),
        }),
    }
}

/// Zero points [rows, groups] from words along the rows, [words, groups].
fn zeros_of_rows(by_rows: &[u8], rows: usize, groups: usize, bits: u32) -> Vec<u16> {
    let packed = by_rows.as_chunks::<4>().0;
    let mut zeros = vec![0; rows * groups];
    let mut codes = vec![0; rows];
    for group in 0..groups {
        let stream: Vec<u8> = packed.iter().skip(group).step_by(groups).flatten().copied().collect();
        unpack(&stream, bits, &mut codes);
        for (row, &code) in codes.iter().enumerate() {
            zeros[row * groups + group] = code.into();
        }
    }
    zeros
}

fn half(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// The zero point of a q4_1 block: its least value is that of code 0.
fn zero_of(scale: f32, least: &[u8]) -> Option<u16> {
    let least = half(least);
    let zero = if least == 0.0 { 0.0 } else { (-least / scale).round() };
    let again = f16::from_f32(-zero * scale).to_f32();
    ((0.0..16.0).contains(&zero) && again == least).then_some(zero as u16)
}

fn gather_words(bytes: &[u8], row: usize, grid: &Grid, codes: &mut [u8]) {
    let packed = bytes.as_chunks::<4>().0;
    let stream: Vec<u8> = packed.iter().skip(row).step_by(grid.rows).flatten().copied().collect();
    unpack(&stream, grid.bits, codes);
}

fn ggml_codes(row: &[u8], kind: GgmlType, codes: &mut [u8]) {
    for (block, codes) in row.chunks_exact(kind.block_bytes()).zip(codes.chunks_mut(GGML_BLOCK)) {
        let packed = &block[kind.head()..];
        let mut all = [0; GGML_BLOCK];
        match kind {
            GgmlType::Q8_0 => all.iter_mut().zip(packed).for_each(|(code, byte)| *code = byte ^ 0x80),
            GgmlType::Q4_0 | GgmlType::Q4_1 => {
                let (low, high) = all.split_at_mut(GGML_BLOCK / 2);
                for ((low, high), byte) in low.iter_mut().zip(high).zip(packed) {
                    (*low, *high) = (byte & 15, byte >> 4);
                }
            }
        }
        codes.copy_from_slice(&all[..codes.len()]);
    }
}
