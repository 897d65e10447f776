//! The numbers a quantized layer may hold: for each row and group of columns scale * (code - zero), code = 0 .. 2^bits - 1.

use std::ops::Range;

use crate::machine::simd::vectorized;
use crate::weights::storage::Storage;

/// The columns that share a scale.
#[derive(Debug, Clone, PartialEq)]
pub enum Groups {
    /// So many neighbours; the last group of a row may be shorter.
    Neighbours(usize),
    /// The group of every column, [cols].
    Listed(Vec<u32>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    pub rows: usize,
    pub cols: usize,
    pub bits: u32,
    /// Groups of a row.
    pub groups: usize,
    pub members: Groups,
    /// [rows, groups]
    pub scales: Vec<f32>,
    /// [rows, groups], 0 ..= 2^bits; None: 2^(bits - 1) everywhere.
    pub zeros: Option<Vec<u16>>,
}

/// The number of groups of `cols` columns, `group_size` of them in each; 0 or more than there are: all of them in one.
pub fn group_count(cols: usize, group_size: usize) -> usize {
    match group_size {
        0 => 1,
        size => cols.div_ceil(size).max(1),
    }
}

/// The columns that share a scale, where those that `group_size` names are the neighbours.
pub fn neighbours(cols: usize, group_size: usize) -> Groups {
    match group_size {
        1.. if group_size < cols => Groups::Neighbours(group_size),
        _ => Groups::Neighbours(cols.max(1)),
    }
}

/// What a thread needs to work on rows of `cols` columns.
pub struct Scratch {
    pub codes: Vec<u8>,
    pub values: Vec<f32>,
    scales: Vec<f32>,
    zeros: Vec<f32>,
}

impl Scratch {
    pub fn new(cols: usize) -> Self {
        Self {
            codes: vec![0; cols],
            values: vec![0.0; cols],
            scales: vec![0.0; cols],
            zeros: vec![0.0; cols],
        }
    }
}

impl Grid {
    /// The zero point of a layer without zero points.
    pub fn middle(&self) -> u16 {
        1 << (self.bits - 1)
    }

    pub fn group_of(&self, col: usize) -> usize {
        match &self.members {
            Groups::Neighbours(size) => col / size,
            Groups::Listed(groups) => groups[col] as usize,
        }
    }

    pub fn has_group_order(&self) -> bool {
        matches!(self.members, Groups::Listed(_))
    }

    /// [groups]
    pub fn scales_of(&self, row: usize) -> &[f32] {
        &self.scales[row * self.groups..][..self.groups]
    }

    pub fn zero(&self, row: usize, group: usize) -> u16 {
        match &self.zeros {
            Some(zeros) => zeros[row * self.groups + group],
            None => self.middle(),
        }
    }

    /// Codes of one row's values in these columns, into `scratch.codes`; the values are in `scratch.values`. False unless each
    /// value is exactly what `storage` holds of a number of the grid. Where two codes are stored as the same value it is the
    /// nearer one.
    pub fn recover(&self, row: usize, cols: Range<usize>, storage: Storage, scratch: &mut Scratch) -> bool {
        let count = cols.len();
        self.lay_out(row, cols, scratch);
        let max = ((1u32 << self.bits) - 1) as f32;
        let Scratch {
            codes,
            values,
            scales,
            zeros,
        } = scratch;
        let (codes, values) = (&mut codes[..count], &values[..count]);
        recover_codes(values, &scales[..count], &zeros[..count], max, storage, codes)
    }

    /// The values of one row's codes in these columns as `storage` holds them, into `scratch.values`; the codes are in
    /// `scratch.codes`. False if one of them is not finite.
    pub fn apply(&self, row: usize, cols: Range<usize>, storage: Storage, scratch: &mut Scratch) -> bool {
        let count = cols.len();
        self.lay_out(row, cols, scratch);
        let Scratch {
            codes,
            values,
            scales,
            zeros,
        } = scratch;
        let (codes, values) = (&codes[..count], &mut values[..count]);
        apply_grid(codes, &scales[..count], &zeros[..count], storage, values)
    }

    /// As `apply` for a whole row of which only the weights that are `present` (1 or 0) have codes; the others are zero.
    pub fn apply_present(&self, row: usize, present: &[u8], storage: Storage, scratch: &mut Scratch) -> bool {
        self.lay_out(row, 0..self.cols, scratch);
        let Scratch {
            codes,
            values,
            scales,
            zeros,
        } = scratch;
        keep_present(present, zeros, codes);
        apply_grid(codes, scales, zeros, storage, values)
    }

    /// Each column's scale and zero point.
    fn lay_out(&self, row: usize, cols: Range<usize>, scratch: &mut Scratch) {
        let row_scales = self.scales_of(row);
        let (scales, zeros) = (&mut scratch.scales[..cols.len()], &mut scratch.zeros[..cols.len()]);
        match &self.members {
            Groups::Neighbours(size) => {
                let mut at = cols.start;
                while at < cols.end {
                    let (group, end) = (at / size, ((at / size + 1) * size).min(cols.end));
                    let here = at - cols.start..end - cols.start;
                    scales[here.clone()].fill(row_scales[group]);
                    zeros[here].fill(self.zero(row, group).into());
                    at = end;
                }
            }
            Groups::Listed(groups) => {
                for ((scale, zero), &group) in scales.iter_mut().zip(zeros).zip(&groups[cols]) {
                    *scale = row_scales[group as usize];
                    *zero = self.zero(row, group as usize).into();
                }
            }
        }
    }
}

/// Added to a number between -2^22 and 2^22 it leaves the nearest integer, of which its lowest byte is the sum's lowest byte.
const TO_INTEGER: f32 = 12_582_912.0;

vectorized! {
    fn recover_codes(values: &[f32], scales: &[f32], zeros: &[f32], max: f32, storage: Storage, codes: &mut [u8]) -> bool {
        match storage {
            Storage::F32 => recover_as(values, scales, zeros, max, |x| x, codes),
            Storage::F16 => recover_as(values, scales, zeros, max, |x| Storage::F16.round(x), codes),
            Storage::BF16 => recover_as(values, scales, zeros, max, |x| Storage::BF16.round(x), codes),
        }
    }
}

/// The nearest codes, where each value is stored of its own.
#[inline(always)]
fn recover_as(
    values: &[f32],
    scales: &[f32],
    zeros: &[f32],
    max: f32,
    round: impl Fn(f32) -> f32,
    codes: &mut [u8],
) -> bool {
    let mut others = 0u32;
    for (((&value, &scale), &zero), code) in values.iter().zip(scales).zip(zeros).zip(codes.iter_mut()) {
        let level = ((value / scale).max(-zero).min(max - zero) + TO_INTEGER) - TO_INTEGER;
        *code = (level + zero + TO_INTEGER).to_bits() as u8;
        others |= u32::from(round(level * scale) != value);
    }
    others == 0 || recover_rounded(values, scales, zeros, max, round, codes)
}

/// bfloat16 rounds levels beyond 128 by up to one level, of which either neighbour may be the one that was stored.
#[inline(always)]
fn recover_rounded(
    values: &[f32],
    scales: &[f32],
    zeros: &[f32],
    max: f32,
    round: impl Fn(f32) -> f32,
    codes: &mut [u8],
) -> bool {
    let mut others = 0u32;
    for (((&value, &scale), &zero), code) in values.iter().zip(scales).zip(zeros).zip(codes) {
        let exact = (value / scale).max(-zero).min(max - zero);
        let nearest = (exact + TO_INTEGER) - TO_INTEGER;
        let other = (nearest + if exact > nearest { 1.0 } else { -1.0 }).max(-zero);
        let level = if round(nearest * scale) == value {
            nearest
        } else {
            other
        };
        *code = (level + zero + TO_INTEGER).to_bits() as u8;
        others |= u32::from(round(level * scale) != value);
    }
    others == 0
}

vectorized! {
    fn keep_present(present: &[u8], zeros: &[f32], codes: &mut [u8]) {
        for ((code, &present), &zero) in codes.iter_mut().zip(present).zip(zeros) {
            *code = if present == 1 { *code } else { (zero + TO_INTEGER).to_bits() as u8 };
        }
    }
}

vectorized! {
    fn apply_grid(codes: &[u8], scales: &[f32], zeros: &[f32], storage: Storage, values: &mut [f32]) -> bool {
        match storage {
            Storage::F32 => apply_as(codes, scales, zeros, |x| x, values),
            Storage::F16 => apply_as(codes, scales, zeros, |x| Storage::F16.round(x), values),
            Storage::BF16 => apply_as(codes, scales, zeros, |x| Storage::BF16.round(x), values),
        }
    }
}

#[inline(always)]
fn apply_as(codes: &[u8], scales: &[f32], zeros: &[f32], round: impl Fn(f32) -> f32, values: &mut [f32]) -> bool {
    let mut not_finite = 0u32;
    for (((&code, &scale), &zero), value) in codes.iter().zip(scales).zip(zeros).zip(values) {
        // + 0.0: a zero is never a negative one.
        *value = round((f32::from(code) - zero) * scale) + 0.0;
        not_finite |= u32::from(!value.is_finite());
    }
    not_finite == 0
}
