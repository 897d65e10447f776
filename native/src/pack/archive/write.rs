//! Writes an archive, section by section.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::band::{band_rows, code_quantized, code_sparse};
use super::frame::Coder;
use super::section::{Kind, OVERHEAD, Section};
use super::{FILE_HEADER, INDEX_NAME, MAGIC, VERSION};
use crate::checkpoint::{Checkpoint, Orientation};
use crate::control::Control;
use crate::error::{Result, internal};
use crate::machine::output::{BUFFER_BYTES, PartialFile};
use crate::pack::dense::dtype_name;
use crate::pack::grid::Groups;
use crate::pack::layer::QuantizedLayer;

/// The level for the small files, which are read once.
const FILE_LEVEL: i32 = 12;
/// Bytes of an entry of the index beside its name: the offset of a section and the length of the name.
pub const INDEX_ENTRY: usize = size_of::<u64>() + size_of::<u16>();
/// Bytes of the index beside its entries: its section, of one dimension, and where that begins.
pub const INDEX_OVERHEAD: usize = OVERHEAD + size_of::<u64>() + INDEX_NAME.len() + size_of::<u64>();

/// Writes `PATH.partial`; `finish` makes it `PATH`. Dropped before that, it removes the partial file.
pub struct ArchiveWriter {
    out: PartialFile,
    /// Where each section begins, and its name.
    index: Vec<(u64, String)>,
}

impl ArchiveWriter {
    /// Errors: `file.not-writable`, `file.no-space`, as of everything that follows.
    pub fn new(path: &Path) -> Result<Self> {
        let mut out = PartialFile::new(path)?;
        out.put(&MAGIC)?;
        out.put(&VERSION.to_le_bytes())?;
        debug_assert_eq!(out.position(), FILE_HEADER as u64);
        let index = Vec::new();
        Ok(Self { out, index })
    }

    pub fn position(&self) -> u64 {
        self.out.position()
    }

    pub fn add_file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut payload = Vec::new();
        Coder::new(FILE_LEVEL).put(bytes, &mut payload);
        let section = Section::plain(Kind::File, name, vec![bytes.len() as u64]);
        self.put(&section, &[&payload])
    }

    /// A tensor as it is stored. Errors: those of `bytes`.
    pub fn add_tensor(&mut self, checkpoint: &Checkpoint, name: &str) -> Result<()> {
        let tensor = checkpoint.tensor(name)?;
        let section = Section {
            dtype: tensor.dtype.name().to_owned(),
            ..Section::plain(Kind::Tensor, name, tensor.shape.to_vec())
        };
        self.put(&section, &[checkpoint.bytes(name)?])
    }

    /// The weight of a quantized layer. Errors: `pack.not-on-grid`, `cancelled`.
    pub fn add_layer(&mut self, layer: &QuantizedLayer, control: &Control) -> Result<()> {
        let grid = &layer.grid;
        let section = Section {
            bits: grid.bits,
            group_size: match layer.measures().group_size {
                0 => grid.cols.max(1),
                size => size.min(grid.cols.max(1)),
            } as u64,
            has_zero_points: grid.zeros.is_some(),
            has_group_order: grid.has_group_order(),
            dtype: dtype_name(layer.storage()).to_owned(),
            ..Section::plain(Kind::Layer, layer.weight(), vec![grid.rows as u64, grid.cols as u64])
        };
        let mut order = Vec::new();
        if let Groups::Listed(groups) = &grid.members {
            let bytes: Vec<u8> = groups.iter().flat_map(|group| group.to_le_bytes()).collect();
            Coder::fast().put(&bytes, &mut order);
        }
        let codes = layer.reader()?;
        let bands = bands(grid.rows, grid.cols, control, |first, rows, coder| {
            code_quantized(&codes, first, rows, coder)
        })?;
        let pieces: Vec<&[u8]> = std::iter::once(&order).chain(&bands).map(Vec::as_slice).collect();
        self.put(&section, &pieces)
    }

    /// A pruned weight that is not quantized, bit for bit as the checkpoint holds it. Errors: those of `bytes`, `cancelled`.
    pub fn add_sparse(&mut self, checkpoint: &Arc<Checkpoint>, name: &str, control: &Control) -> Result<()> {
        let (rows, cols, storage) = checkpoint.matrix_shape(name, Orientation::Upright)?;
        let bytes = checkpoint.bytes(name)?;
        let section = Section {
            dtype: dtype_name(storage).to_owned(),
            ..Section::plain(Kind::Layer, name, vec![rows as u64, cols as u64])
        };
        let width = cols * storage.size();
        let bands = bands(rows, cols, control, |first, rows, coder| {
            Ok(code_sparse(
                &bytes[first * width..(first + rows) * width],
                storage,
                coder,
            ))
        })?;
        self.put(&section, &bands.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// Writes the index, makes the file durable and gives it its name.
    pub fn finish(mut self) -> Result<()> {
        let begin = self.out.position();
        let mut payload = Vec::new();
        for (offset, name) in &self.index {
            payload.extend(offset.to_le_bytes());
            payload.extend((name.len() as u16).to_le_bytes());
            payload.extend(name.as_bytes());
        }
        let section = Section::plain(Kind::Index, INDEX_NAME, vec![self.index.len() as u64]);
        self.put(&section, &[&payload])?;
        self.out.put(&begin.to_le_bytes())?;
        self.out.finish()
    }

    fn put(&mut self, section: &Section, pieces: &[&[u8]]) -> Result<()> {
        let is_taken = self.index.iter().any(|(_, name)| *name == section.name);
        if is_taken || section.name.len() > u16::MAX as usize || !section.is_consistent() {
            return Err(internal(
                "a section's name is taken or too long, or its shape too large",
            ));
        }
        self.index.push((self.out.position(), section.name.clone()));
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        self.out.put(&section.to_bytes(length as u64))?;
        let mut checksum = crc32fast::Hasher::new();
        for piece in pieces.iter().flat_map(|piece| piece.chunks(BUFFER_BYTES)) {
            checksum.update(piece);
            self.out.put(piece)?;
        }
        self.out.put(&checksum.finalize().to_le_bytes())
    }
}

/// All bands of a layer, coded in parallel.
fn bands(
    rows: usize,
    cols: usize,
    control: &Control,
    code: impl Fn(usize, usize, &mut Coder) -> Result<Vec<u8>> + Sync,
) -> Result<Vec<Vec<u8>>> {
    let height = band_rows(cols);
    let count = if cols == 0 { 0 } else { rows.div_ceil(height) };
    control.begin(count as u64)?;
    let coded = (0..count).into_par_iter().map_init(Coder::fast, |coder, band| {
        let first = band * height;
        let bytes = code(first, height.min(rows - first), coder)?;
        control.advance(1)?;
        Ok(bytes)
    });
    coded.collect()
}
