//! Some rows of a layer, about a quarter of a million weights, coded for themselves: a mask of the non-zeros, their values, and the rows'
//! scales and zero points. Whoever unpacks needs the memory of bands, never of what a header says of the layer.

use half::f16;

use super::frame::{Coder, Decoder, Frame};
use super::section::Section;
use crate::error::Result;
use crate::machine::simd::vectorized;
use crate::pack::bits::{pack, stream_bytes, unpack};
use crate::pack::grid::{Grid, Groups, Scratch, neighbours};
use crate::pack::layer::Reader;
use crate::weights::storage::Storage;

/// Weights that a band has at most, where that is a row or more.
pub const BAND_WEIGHTS: usize = 1 << 18;

/// Rows of a band; the last one of a layer may have fewer.
pub fn band_rows(cols: usize) -> usize {
    (BAND_WEIGHTS / cols.max(1)).max(1)
}

/// Frames of a band: mask, values or codes, scales, zero points.
pub fn frame_count(section: &Section, storage: Storage) -> usize {
    match section.bits {
        0 => 1 + storage.size(),
        _ => 4 + usize::from(section.has_zero_points),
    }
}

/// Rows `first`, `first + 1` .. of a quantized layer. Errors: those of `read`.
pub fn code_quantized(codes_of: &Reader, first: usize, rows: usize, coder: &mut Coder) -> Result<Vec<u8>> {
    let grid = codes_of.grid();
    let cols = grid.cols;
    let mut scratch = Scratch::new(cols);
    let mut present = vec![0; rows * cols];
    let mut codes = vec![0; rows * cols];
    let mut count = 0;
    for (i, present) in present.chunks_exact_mut(cols).enumerate() {
        codes_of.read(first + i, 0..cols, &mut scratch)?;
        mark_present(&scratch.values, present);
        count += compact(&scratch.codes, present, &mut codes[count..]);
    }
    let mut out = Vec::new();
    put_mask(&present, coder, &mut out);
    coder.put_codes(&codes[..count], grid.bits, &mut out);
    let here = first * grid.groups..(first + rows) * grid.groups;
    let scales = grid.scales[here.clone()].iter();
    let scales: Vec<u8> = scales.flat_map(|&scale| f16::from_f32(scale).to_le_bytes()).collect();
    coder.put_planes(&scales, 2, &mut out);
    if let Some(zeros) = &grid.zeros {
        let zeros: Vec<u8> = zeros[here].iter().map(|&zero| zero as u8).collect();
        coder.put_codes(&zeros, grid.bits, &mut out);
    }
    Ok(out)
}

vectorized! {
    /// 1 where a value is not zero, 0 where it is.
    fn mark_present(values: &[f32], present: &mut [u8]) {
        for (present, &value) in present.iter_mut().zip(values) {
            *present = u8::from(value != 0.0);
        }
    }
}

/// Moves the codes that are present (1 or 0) together at the start of `out`, of which as many bytes as there are codes may change.
/// Returns how many they are.
fn compact(codes: &[u8], present: &[u8], out: &mut [u8]) -> usize {
    let out = &mut out[..codes.len()];
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("popcnt") {
        // SAFETY: the processor has been asked.
        return unsafe { compact_eights(codes, present, out) };
    }
    compact_each(codes, present, out)
}

fn compact_each(codes: &[u8], present: &[u8], out: &mut [u8]) -> usize {
    let mut count = 0;
    for (&code, &present) in codes.iter().zip(present) {
        out[count] = code;
        count += usize::from(present);
    }
    count
}

/// As `compact_each`, eight codes at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi2,popcnt")]
fn compact_eights(codes: &[u8], present: &[u8], out: &mut [u8]) -> usize {
    let (code_eights, code_rest) = codes.as_chunks::<8>();
    let (present_eights, present_rest) = present.as_chunks::<8>();
    let mut count = 0;
    for (codes, present) in code_eights.iter().zip(present_eights) {
        let present = u64::from_le_bytes(*present);
        let together = std::arch::x86_64::_pext_u64(u64::from_le_bytes(*codes), present * 0xff);
        out[count..count + 8].copy_from_slice(&together.to_le_bytes());
        count += present.count_ones() as usize;
    }
    count + compact_each(code_rest, present_rest, &mut out[count..])
}

/// Rows of a layer without codes, as they are stored: all whose bits are not all zero.
pub fn code_sparse(rows: &[u8], storage: Storage, coder: &mut Coder) -> Vec<u8> {
    let (present, values) = match storage {
        Storage::F32 => split_zeros::<4>(rows),
        Storage::F16 | Storage::BF16 => split_zeros::<2>(rows),
    };
    let mut out = Vec::new();
    put_mask(&present, coder, &mut out);
    coder.put_planes(&values, storage.size(), &mut out);
    out
}

fn split_zeros<const SIZE: usize>(rows: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let numbers = rows.as_chunks::<SIZE>().0;
    let mut present = vec![0; numbers.len()];
    let mut values = vec![[0; SIZE]; numbers.len()];
    let mut count = 0;
    for (number, present) in numbers.iter().zip(&mut present) {
        values[count] = *number;
        *present = u8::from(*number != [0; SIZE]);
        count += usize::from(*present);
    }
    (present, values[..count].as_flattened().to_vec())
}

fn put_mask(present: &[u8], coder: &mut Coder, out: &mut Vec<u8>) {
    let mut mask = vec![0; stream_bytes(present.len(), 1)];
    pack(present, 1, &mut mask);
    coder.put(&mask, out);
}

/// Whether each of `weights` weights is there, and how many are.
fn take_mask(frame: Frame, decoder: &mut Decoder, weights: usize) -> Option<(Vec<u8>, usize)> {
    let mask = decoder.raw(frame, stream_bytes(weights, 1))?;
    let mut present = vec![0; weights];
    unpack(mask, 1, &mut present);
    let count = present.iter().map(|&present| usize::from(present)).sum();
    Some((present, count))
}

/// The dense bytes of a band of `rows` rows; None if it is damaged. `order`: the groups of the columns where they are listed.
pub fn decode(
    frames: &[Frame],
    section: &Section,
    storage: Storage,
    order: Option<&[u32]>,
    rows: usize,
    decoder: &mut Decoder,
) -> Option<Vec<u8>> {
    let cols = section.matrix().1;
    let (present, count) = take_mask(frames[0], decoder, rows * cols)?;
    if section.bits == 0 {
        let mut values = vec![0; (count + 1) * storage.size()];
        decoder.planes(&frames[1..], &mut values[..count * storage.size()])?;
        return Some(match storage {
            Storage::F32 => join_zeros::<4>(&present, &values),
            Storage::F16 | Storage::BF16 => join_zeros::<2>(&present, &values),
        });
    }
    // One more: behind the last code there is one that no weight takes.
    let mut codes = vec![0; count + 1];
    decoder.codes(frames[1], section.bits, &mut codes[..count])?;
    let grid = decode_grid(&frames[2..], section, order, rows, decoder)?;
    let mut scratch = Scratch::new(cols);
    let mut dense = vec![0; rows * cols * storage.size()];
    let mut next = 0;
    let lines = present
        .chunks_exact(cols)
        .zip(dense.chunks_exact_mut(cols * storage.size()));
    for (row, (present, out)) in lines.enumerate() {
        for (code, &present) in scratch.codes.iter_mut().zip(present) {
            *code = codes[next];
            next += usize::from(present);
        }
        if !grid.apply_present(row, present, storage, &mut scratch) {
            return None;
        }
        storage.encode(&scratch.values, out);
    }
    Some(dense)
}

fn decode_grid(
    frames: &[Frame],
    section: &Section,
    order: Option<&[u32]>,
    rows: usize,
    decoder: &mut Decoder,
) -> Option<Grid> {
    let (cols, groups) = (section.matrix().1, section.groups());
    let mut scales = vec![0; 2 * rows * groups];
    decoder.planes(&frames[..2], &mut scales)?;
    let mut zeros = vec![0; rows * groups];
    if section.has_zero_points {
        decoder.codes(frames[2], section.bits, &mut zeros)?;
    }
    let members = match order {
        Some(order) => Groups::Listed(order.to_vec()),
        None => neighbours(cols, section.group_size as usize),
    };
    Some(Grid {
        rows,
        cols,
        bits: section.bits,
        groups,
        members,
        scales: crate::pack::tensors::halves(&scales).collect(),
        zeros: section
            .has_zero_points
            .then(|| zeros.iter().map(|&zero| zero.into()).collect()),
    })
}

/// Behind the last of `values` there is one that no weight takes.
fn join_zeros<const SIZE: usize>(present: &[u8], values: &[u8]) -> Vec<u8> {
    let mut dense = vec![0; present.len() * SIZE];
    let values = values.as_chunks::<SIZE>().0;
    let mut next = 0;
    for (number, &present) in dense.as_chunks_mut::<SIZE>().0.iter_mut().zip(present) {
        *number = values[next].map(|byte| byte & present.wrapping_neg());
        next += usize::from(present);
    }
    dense
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_are_present_move_together() {
        for cols in [0, 1, 7, 8, 9, 64, 203] {
            let codes: Vec<u8> = (0..cols).map(|j| (j * 37 % 251) as u8).collect();
            let present: Vec<u8> = (0..cols).map(|j| u8::from(j * j % 7 < 3)).collect();
            let expected: Vec<u8> = codes
                .iter()
                .zip(&present)
                .filter(|(_, present)| **present == 1)
                .map(|(&code, _)| code)
                .collect();
            for compact in [compact, compact_each] {
                let mut out = vec![0; cols];
                let count = compact(&codes, &present, &mut out);
                assert_eq!(out[..count], expected);
            }
        }
    }
}
