//! Writes the parts of a quantized layer, a band of it at a time.

use std::ops::Range;

use half::{bf16, f16};
use rayon::prelude::*;

use super::bits::{pack, squeeze};
use super::grid::{Groups, Scratch};
use super::layer::{QuantizedLayer, Reader};
use super::part::{GGML_BLOCK, GgmlType, Part, nbits_width, words};
use crate::checkpoint::{Orientation, transposed};
use crate::control::Control;
use crate::error::{Result, internal};
use crate::machine::simd::vectorized;
use crate::weights::storage::Storage;

/// About as many bytes are made before they are written.
const BAND_BYTES: usize = 8 << 20;
/// Rows a thread takes at least, so that narrow layers don't cost more in tasks than in work.
const ROWS_AT_LEAST: usize = 16;
/// Columns packed together in GPTQ's layout: a whole number of words for every width.
const STRIP: usize = 32;

/// Takes what has been made, in order.
pub type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// Writes one part of a layer. `rows`: those that are written, in this order, of a part that is made row by row.
///
/// Errors: `pack.not-on-grid`, `cancelled`, those of `sink`; `internal` where the layer does not fit the layout.
pub fn write_part(
    layer: &QuantizedLayer,
    part: Part,
    rows: Option<&[u32]>,
    sink: Sink,
    control: &Control,
) -> Result<()> {
    fits(layer, part)?;
    let Some(row_bytes) = part.row_bytes(&layer.measures()) else {
        if rows.is_some() {
            return Err(internal("this part is not made row by row"));
        }
        return match part {
            Part::GptqQweight => write_qweight(layer, sink, control),
            Part::GptqQzeros => sink(&zeros_by_group(layer, 1)),
            Part::GptqV2Qzeros => sink(&zeros_by_group(layer, 0)),
            Part::GptqScales => sink(&scales_by_group(layer)),
            Part::GptqGidx => sink(&group_indices(layer)),
            _ => sink(&zeros_by_rows(layer)),
        };
    };
    let source = Source {
        count: layer.grid.rows,
        cols: layer.grid.cols,
        rows,
    };
    match part {
        Part::CtWeightPacked | Part::NbitsB { .. } | Part::Ggml(_) => {
            let codes = layer.reader()?;
            let fill = |row: usize, scratch: &mut Scratch, out: &mut [u8]| codes_row(&codes, part, row, scratch, out);
            write_rows(&source, row_bytes, fill, sink, control)
        }
        _ => {
            let fill = |row: usize, _: &mut Scratch, out: &mut [u8]| {
                grid_row(layer, part, row, out);
                Ok(())
            };
            write_rows(&source, row_bytes, fill, sink, control)
        }
    }
}

/// One row of a part that holds codes.
fn codes_row(codes: &Reader, part: Part, row: usize, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
    match part {
        Part::NbitsB { block } => nbits_row(codes, row, block, scratch, out),
        Part::Ggml(kind) => ggml_row(codes, row, kind, scratch, out),
        _ => {
            codes.read(row, 0..codes.grid().cols, scratch)?;
            pack(&scratch.codes, codes.grid().bits, out);
            Ok(())
        }
    }
}

/// One row of a part that holds scales or zero points.
fn grid_row(layer: &QuantizedLayer, part: Part, row: usize, out: &mut [u8]) {
    let grid = &layer.grid;
    match part {
        Part::CtWeightScale { bytes: 4 } => {
            for (out, scale) in out.as_chunks_mut::<4>().0.iter_mut().zip(grid.scales_of(row)) {
                *out = scale.to_le_bytes();
            }
        }
        Part::CtWeightScale { .. } => {
            let scales = grid.scales_of(row).iter();
            let bits = scales.map(|&scale| match layer.storage() {
                Storage::BF16 => bf16::from_f32(scale).to_bits(),
                Storage::F16 | Storage::F32 => f16::from_f32(scale).to_bits(),
            });
            fill_halves(out, bits);
        }
        Part::NbitsScales { block } => {
            for (block_number, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *out = grid.scales_of(row)[grid.group_of(block_number * block)].to_le_bytes();
            }
        }
        Part::NbitsZeroPoints { block } => {
            let blocks = grid.cols.div_ceil(block);
            let zero = |number| nbits_zero(layer, row, grid.group_of(number * block));
            let zeros: Vec<u8> = (0..blocks).map(zero).collect();
            pack(&zeros, nbits_width(grid.bits), out);
        }
        _ => unreachable!("holds codes, or is not made row by row"),
    }
}

/// The rows to be written: all, or those listed.
pub struct Source<'a> {
    pub count: usize,
    pub cols: usize,
    pub rows: Option<&'a [u32]>,
}

/// Has `fill` make row after row, `row_bytes` each, in parallel. Errors: those of `fill` and `sink`; `cancelled`; `internal` if
/// a listed row does not exist.
pub fn write_rows(
    source: &Source,
    row_bytes: usize,
    fill: impl Fn(usize, &mut Scratch, &mut [u8]) -> Result<()> + Sync,
    sink: Sink,
    control: &Control,
) -> Result<()> {
    if source
        .rows
        .is_some_and(|rows| rows.iter().any(|&row| row as usize >= source.count))
    {
        return Err(internal("a row beyond the layer's"));
    }
    let count = source.rows.map_or(source.count, <[u32]>::len);
    control.begin(count as u64)?;
    if row_bytes == 0 {
        return Ok(());
    }
    let band = (BAND_BYTES / row_bytes).clamp(1, count.max(1));
    let mut bytes = vec![0; band * row_bytes];
    for first in (0..count).step_by(band) {
        let here = band.min(count - first);
        let made = &mut bytes[..here * row_bytes];
        let rows = made.par_chunks_mut(row_bytes).enumerate().with_min_len(ROWS_AT_LEAST);
        rows.try_for_each_init(
            || Scratch::new(source.cols),
            |scratch, (i, out)| {
                let row = source.rows.map_or(first + i, |rows| rows[first + i] as usize);
                fill(row, scratch, out)?;
                control.advance(1)
            },
        )?;
        sink(made)?;
    }
    Ok(())
}

/// Has `write` make a matrix [rows, cols] row by row, and gives it to `sink` the way round that it is to be held. Errors: those of both.
pub fn write_oriented(
    orientation: Orientation,
    (rows, cols, storage): (usize, usize, Storage),
    sink: Sink,
    write: impl FnOnce(Sink) -> Result<()>,
) -> Result<()> {
    if orientation == Orientation::Upright {
        return write(sink);
    }
    let mut upright = Vec::new();
    write(&mut |bytes| {
        upright.extend_from_slice(bytes);
        Ok(())
    })?;
    sink(&transposed(&upright, rows, cols, storage))
}

/// Whether a layer can be held by a layout; what people could ask for is refused earlier, in their words.
fn fits(layer: &QuantizedLayer, part: Part) -> Result<()> {
    let grid = &layer.grid;
    let blocks = match part {
        Part::GptqQzeros if layer.has_zero_point_zero() => {
            return Err(internal("GPTQ v1 cannot hold a zero point of 0"));
        }
        Part::CtWeightPacked | Part::CtWeightZeroPoint if grid.bits == 3 => {
            return Err(internal("compressed-tensors packs 3 bits in another way"));
        }
        Part::Ggml(GgmlType::Q4_0 | GgmlType::Q8_0) if grid.zeros.is_some() => {
            return Err(internal("this ggml type is symmetric"));
        }
        Part::Ggml(kind) if kind.bits() < grid.bits => return Err(internal("this ggml type has fewer bits")),
        Part::Ggml(_) => GGML_BLOCK,
        Part::NbitsB { block } | Part::NbitsScales { block } | Part::NbitsZeroPoints { block } => block,
        Part::CtWeightPacked | Part::CtWeightScale { .. } | Part::CtWeightZeroPoint => 1,
        _ => return Ok(()),
    };
    match &grid.members {
        Groups::Listed(_) => Err(internal("this layout has no order of groups")),
        Groups::Neighbours(size) if grid.groups > 1 && size % blocks != 0 => {
            Err(internal("a block of this layout would have two scales"))
        }
        Groups::Neighbours(_) => Ok(()),
    }
}

fn fill_halves(out: &mut [u8], halves: impl Iterator<Item = u16>) {
    for (out, half) in out.as_chunks_mut().0.iter_mut().zip(halves) {
        *out = half.to_le_bytes();
    }
}

/// What is added to the codes of a symmetric layer so that the zero point is the middle of `width` bits.
fn to_middle(layer: &QuantizedLayer, width: u32) -> u8 {
    match layer.grid.zeros {
        Some(_) => 0,
        None => ((1u32 << (width - 1)) - u32::from(layer.grid.middle())) as u8,
    }
}

fn nbits_zero(layer: &QuantizedLayer, row: usize, group: usize) -> u8 {
    layer.grid.zero(row, group) as u8 + to_middle(layer, nbits_width(layer.grid.bits))
}

fn nbits_row(codes: &Reader, row: usize, block: usize, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
    let (layer, grid) = (codes.layer(), codes.grid());
    let width = nbits_width(grid.bits);
    codes.read(row, 0..grid.cols, scratch)?;
    shift_codes(&mut scratch.codes, to_middle(layer, width));
    let whole = grid.cols / block * block;
    let (blocks, last) = out.split_at_mut(whole * width as usize / 8);
    pack(&scratch.codes[..whole], width, blocks);
    if !last.is_empty() {
        let mut codes = vec![nbits_zero(layer, row, grid.group_of(whole)); block];
        codes[..grid.cols - whole].copy_from_slice(&scratch.codes[whole..]);
        pack(&codes, width, last);
    }
    Ok(())
}

fn shift_codes(codes: &mut [u8], by: u8) {
    if by != 0 {
        codes.iter_mut().for_each(|code| *code += by);
    }
}

fn ggml_row(codes: &Reader, row: usize, kind: GgmlType, scratch: &mut Scratch, out: &mut [u8]) -> Result<()> {
    let (layer, grid) = (codes.layer(), codes.grid());
    codes.read(row, 0..grid.cols, scratch)?;
    shift_codes(&mut scratch.codes, to_middle(layer, kind.bits()));
    let head = kind.head();
    for (number, block) in out.chunks_exact_mut(kind.block_bytes()).enumerate() {
        let (first, end) = (number * GGML_BLOCK, ((number + 1) * GGML_BLOCK).min(grid.cols));
        let group = grid.group_of(first);
        let (scale, zero) = (grid.scales_of(row)[group], grid.zero(row, group));
        block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
        if kind == GgmlType::Q4_1 {
            let least = 0.0 - f32::from(zero) * scale;
            block[2..4].copy_from_slice(&f16::from_f32(least).to_le_bytes());
        }
        let mut codes = [zero as u8 + to_middle(layer, kind.bits()); GGML_BLOCK];
        codes[..end - first].copy_from_slice(&scratch.codes[first..end]);
        put_ggml_codes(&codes, &mut block[head..]);
    }
    Ok(())
}

/// Four bits: code j in the low half of byte j, code j + 16 in the high one. Eight bits: signed.
fn put_ggml_codes(codes: &[u8; GGML_BLOCK], out: &mut [u8]) {
    if out.len() == GGML_BLOCK {
        out.iter_mut().zip(codes).for_each(|(out, code)| *out = code ^ 0x80);
        return;
    }
    let (low, high) = codes.split_at(GGML_BLOCK / 2);
    for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
        *out = low | high << 4;
    }
}

/// GPTQ's codes are a stream along the columns, cut into words; word after word of all rows.
fn write_qweight(layer: &QuantizedLayer, sink: Sink, control: &Control) -> Result<()> {
    let (rows, cols, bits) = (layer.grid.rows, layer.grid.cols, layer.grid.bits as usize);
    control.begin(words(cols, layer.grid.bits) as u64 * 2)?;
    let band = (BAND_BYTES / rows.max(1))
        .next_multiple_of(STRIP)
        .min(cols.next_multiple_of(STRIP));
    let reader = layer.reader()?;
    let mut codes = vec![0; rows * band];
    let mut packed = vec![0; rows * band / STRIP * bits * 4];
    if rows == 0 || cols == 0 {
        return Ok(());
    }
    for first in (0..cols).step_by(band) {
        let here = first..(first + band).min(cols);
        let word_rows = words(here.len(), layer.grid.bits);
        read_band(&reader, here.clone(), band, &mut codes)?;
        control.advance(word_rows as u64)?;
        let strips = packed.par_chunks_mut(rows * bits * 4).enumerate();
        strips.take(here.len().div_ceil(STRIP)).for_each(|(strip, out)| {
            let codes = &codes[strip * STRIP..];
            match bits {
                2 => pack_strip::<2>(codes, band, rows, out),
                3 => pack_strip::<3>(codes, band, rows, out),
                4 => pack_strip::<4>(codes, band, rows, out),
                _ => pack_strip::<8>(codes, band, rows, out),
            }
        });
        control.advance(word_rows as u64)?;
        sink(&packed[..word_rows * rows * 4])?;
    }
    Ok(())
}

/// Codes of these columns of all rows, each row `width` wide; behind the last column they are zero.
fn read_band(reader: &Reader, cols: Range<usize>, width: usize, codes: &mut [u8]) -> Result<()> {
    let rows = codes.par_chunks_mut(width).enumerate().with_min_len(ROWS_AT_LEAST);
    rows.try_for_each_init(
        || Scratch::new(width),
        |scratch, (row, out)| {
            reader.read(row, cols.clone(), scratch)?;
            let (read, rest) = out.split_at_mut(cols.len());
            read.copy_from_slice(&scratch.codes[..cols.len()]);
            rest.fill(0);
            Ok(())
        },
    )
}

vectorized! {
    /// 32 columns of codes, `stride` bytes from row to row, into `BITS` rows of words.
    fn pack_strip<const BITS: usize>(codes: &[u8], stride: usize, rows: usize, out: &mut [u8]) {
        let words = out.as_chunks_mut::<4>().0;
        for row in 0..rows {
            let codes: &[u8; STRIP] = codes[row * stride..].first_chunk().expect("a strip");
            let mut stream = [0u8; 4 * STRIP + 8];
            for (i, eight) in codes.as_chunks::<8>().0.iter().enumerate() {
                let squeezed = squeeze::<BITS>(u64::from_le_bytes(*eight));
                stream[i * BITS..][..8].copy_from_slice(&squeezed.to_le_bytes());
            }
            for (k, word) in stream.as_chunks::<4>().0.iter().take(BITS).enumerate() {
                words[k * rows + row] = *word;
            }
        }
    }
}

/// [groups, words of all rows] of zero - `less`.
fn zeros_by_group(layer: &QuantizedLayer, less: u16) -> Vec<u8> {
    let grid = &layer.grid;
    let width = 4 * words(grid.rows, grid.bits);
    let mut out = vec![0; grid.groups * width];
    for group in 0..grid.groups {
        let zeros: Vec<u8> = (0..grid.rows).map(|row| (grid.zero(row, group) - less) as u8).collect();
        pack(&zeros, grid.bits, &mut out[group * width..][..width]);
    }
    out
}

/// [words of all rows, groups]
fn zeros_by_rows(layer: &QuantizedLayer) -> Vec<u8> {
    let grid = &layer.grid;
    let by_group = zeros_by_group(layer, 0);
    let (by_group, width) = (by_group.as_chunks::<4>().0, words(grid.rows, grid.bits));
    let order = (0..width).flat_map(|word| (0..grid.groups).map(move |group| group * width + word));
    order.flat_map(|at| by_group[at]).collect()
}

fn scales_by_group(layer: &QuantizedLayer) -> Vec<u8> {
    let grid = &layer.grid;
    let order = (0..grid.groups).flat_map(|group| (0..grid.rows).map(move |row| row * grid.groups + group));
    order
        .flat_map(|at| f16::from_f32(grid.scales[at]).to_le_bytes())
        .collect()
}

fn group_indices(layer: &QuantizedLayer) -> Vec<u8> {
    let group = |col| (layer.grid.group_of(col) as i32).to_le_bytes();
    (0..layer.grid.cols).flat_map(group).collect()
}
