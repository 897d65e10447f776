//! The layouts written from their definitions, bit by bit.

use half::{bf16, f16};

use super::example::Example;
use crate::weights::storage::Storage;

/// Sets `count` bits of `value` from bit `at` on, counted from the lowest bit of the first byte.
fn set_bits(bytes: &mut [u8], at: usize, count: u32, value: u32) {
    for bit in 0..count as usize {
        if value >> bit & 1 == 1 {
            bytes[(at + bit) / 8] |= 1 << ((at + bit) % 8);
        }
    }
}

/// A stream of codes in whole units of `unit` bytes.
fn stream(codes: &[u32], bits: u32, unit: usize) -> Vec<u8> {
    let bytes = (codes.len() * bits as usize).div_ceil(8);
    let mut out = vec![0; bytes.div_ceil(unit) * unit];
    for (i, &code) in codes.iter().enumerate() {
        set_bits(&mut out, i * bits as usize, bits, code);
    }
    out
}

/// As AutoGPTQ packs 32 values of 3 bits into 3 words.
fn three_bit_words(codes: &[u32]) -> [u32; 3] {
    let mut words = [0u32; 3];
    (0..10).for_each(|j| words[0] |= codes[j] << (3 * j));
    words[0] |= codes[10] << 30;
    words[1] |= (codes[10] >> 2) & 1;
    (0..10).for_each(|j| words[1] |= codes[11 + j] << (3 * j + 1));
    words[1] |= codes[21] << 31;
    words[2] |= (codes[21] >> 1) & 3;
    (0..10).for_each(|j| words[2] |= codes[22 + j] << (3 * j + 2));
    words
}

/// Codes packed along a column of `qweight`, or a row of `qzeros`.
fn gptq_words(codes: &[u32], bits: u32) -> Vec<[u8; 4]> {
    if bits == 3 {
        let mut whole = codes.to_vec();
        whole.resize(codes.len().next_multiple_of(32), 0);
        let words = whole.chunks(32).flat_map(three_bit_words).map(u32::to_le_bytes);
        return words.take((codes.len() * 3).div_ceil(32)).collect();
    }
    let in_a_word = 32 / bits as usize;
    let word = |codes: &[u32]| {
        codes
            .iter()
            .enumerate()
            .fold(0, |word, (i, code)| word | code << (i as u32 * bits))
    };
    codes.chunks(in_a_word).map(|codes| word(codes).to_le_bytes()).collect()
}

pub fn qweight(of: &Example) -> Vec<u8> {
    let of_row = |row| {
        gptq_words(
            &(0..of.cols).map(|col| of.code(row, col).into()).collect::<Vec<_>>(),
            of.bits,
        )
    };
    let columns: Vec<_> = (0..of.rows).map(of_row).collect();
    (0..columns[0].len())
        .flat_map(|k| columns.iter().flat_map(move |column| column[k]))
        .collect()
}

pub fn qzeros(of: &Example, less: u32) -> Vec<u8> {
    let zeros = |group| {
        (0..of.rows)
            .map(|row| u32::from(of.zeros[row * of.groups + group]) - less)
            .collect::<Vec<_>>()
    };
    (0..of.groups)
        .flat_map(|group| gptq_words(&zeros(group), of.bits))
        .flatten()
        .collect()
}

pub fn gptq_scales(of: &Example) -> Vec<u8> {
    let of_group = |group| (0..of.rows).map(move |row| of.scales[row * of.groups + group]);
    (0..of.groups)
        .flat_map(of_group)
        .flat_map(|scale| f16::from_f32(scale).to_le_bytes())
        .collect()
}

pub fn g_idx(of: &Example) -> Vec<u8> {
    of.members
        .iter()
        .flat_map(|&group| (group as i32).to_le_bytes())
        .collect()
}

pub fn weight_packed(of: &Example) -> Vec<u8> {
    // compressed-tensors packs signed codes with 2^(bits - 1) added.
    let middle = 1 << (of.bits - 1);
    let signed = |row, col| i32::from(of.code(row, col)) - middle;
    let row = |row| {
        (0..of.cols)
            .map(|col| (signed(row, col) + middle) as u32)
            .collect::<Vec<_>>()
    };
    (0..of.rows).flat_map(|r| stream(&row(r), of.bits, 4)).collect()
}

pub fn weight_scale(of: &Example) -> Vec<u8> {
    let bytes = |&scale: &f32| match of.storage {
        Storage::F32 => scale.to_le_bytes().to_vec(),
        Storage::F16 => f16::from_f32(scale).to_le_bytes().to_vec(),
        Storage::BF16 => bf16::from_f32(scale).to_le_bytes().to_vec(),
    };
    of.scales.iter().flat_map(bytes).collect()
}

pub fn weight_zero_point(of: &Example) -> Vec<u8> {
    let in_a_word = 32 / of.bits as usize;
    let mut out = Vec::new();
    for first in (0..of.rows).step_by(in_a_word) {
        for group in 0..of.groups {
            let mut word = 0u32;
            for row in first..(first + in_a_word).min(of.rows) {
                word |= u32::from(of.zeros[row * of.groups + group]) << ((row - first) as u32 * of.bits);
            }
            out.extend(word.to_le_bytes());
        }
    }
    out
}

/// The bits of MatMulNBits, and what symmetric codes become in it: its zero point is 2^(width - 1).
fn widened(of: &Example) -> (u32, u32) {
    let width = if of.bits == 3 { 4 } else { of.bits };
    let shift = if of.is_symmetric {
        (1 << (width - 1)) - (1 << (of.bits - 1))
    } else {
        0
    };
    (width, shift)
}

pub fn nbits_b(of: &Example, block: usize) -> Vec<u8> {
    let (width, shift) = widened(of);
    let mut out = vec![0; of.rows * of.cols.div_ceil(block) * block * width as usize / 8];
    let blob = block * width as usize / 8;
    for row in 0..of.rows {
        for number in 0..of.cols.div_ceil(block) {
            let bytes = &mut out[(row * of.cols.div_ceil(block) + number) * blob..][..blob];
            for i in 0..block {
                let col = number * block + i;
                let code = if col < of.cols {
                    of.code(row, col)
                } else {
                    of.zero(row, number * block)
                };
                set_bits(bytes, i * width as usize, width, u32::from(code) + shift);
            }
        }
    }
    out
}

pub fn nbits_scales(of: &Example, block: usize) -> Vec<u8> {
    let all = (0..of.rows).flat_map(|row| (0..of.cols).step_by(block).map(move |col| of.scale(row, col)));
    all.flat_map(f32::to_le_bytes).collect()
}

pub fn nbits_zero_points(of: &Example, block: usize) -> Vec<u8> {
    let (width, shift) = widened(of);
    let row = |row| {
        (0..of.cols)
            .step_by(block)
            .map(|col| u32::from(of.zero(row, col)) + shift)
            .collect::<Vec<_>>()
    };
    (0..of.rows).flat_map(|r| stream(&row(r), width, 1)).collect()
}

/// ggml's blocks, made by `block` of a row, its first column and code - zero of all its columns.
fn ggml(of: &Example, block: impl Fn(usize, usize, [i32; 32]) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    for row in 0..of.rows {
        for first in (0..of.cols).step_by(32) {
            let level = |i| match first + i < of.cols {
                true => i32::from(of.code(row, first + i)) - i32::from(of.zero(row, first + i)),
                false => 0,
            };
            out.extend(block(row, first, std::array::from_fn(level)));
        }
    }
    out
}

fn nibbles(codes: [i32; 32]) -> impl Iterator<Item = u8> {
    (0..16).map(move |j| codes[j] as u8 | (codes[j + 16] as u8) << 4)
}

pub fn q4_0(of: &Example) -> Vec<u8> {
    ggml(of, |row, first, levels| {
        let d = f16::from_f32(of.scale(row, first)).to_le_bytes();
        d.into_iter().chain(nibbles(levels.map(|level| level + 8))).collect()
    })
}

pub fn q8_0(of: &Example) -> Vec<u8> {
    ggml(of, |row, first, levels| {
        let d = f16::from_f32(of.scale(row, first)).to_le_bytes();
        d.into_iter().chain(levels.map(|level| level as i8 as u8)).collect()
    })
}

pub fn q4_1(of: &Example) -> Vec<u8> {
    ggml(of, |row, first, levels| {
        let (scale, zero) = (of.scale(row, first), i32::from(of.zero(row, first)));
        let d = f16::from_f32(scale).to_le_bytes();
        let m = f16::from_f32(scale * -zero as f32).to_le_bytes();
        d.into_iter()
            .chain(m)
            .chain(nibbles(levels.map(|level| level + zero)))
            .collect()
    })
}
