//! Codes as a stream of bits: code i takes the bits i * BITS .. (i + 1) * BITS, counted from the lowest bit of the first byte.
//! All layouts but ggml's are such a stream, cut into bytes or little-endian words. Eight codes are `BITS` bytes.

use crate::error::{Result, internal};
use crate::machine::simd::vectorized;

/// The bits a code may have.
const WIDTHS: [u32; 4] = [2, 3, 4, 8];

/// Error: `internal`.
pub fn check_width(bits: u32) -> Result<()> {
    match WIDTHS.contains(&bits) {
        true => Ok(()),
        false => Err(internal("a code has 2, 3, 4 or 8 bits")),
    }
}

/// Bytes of a stream of `codes` codes.
pub fn stream_bytes(codes: usize, bits: u32) -> usize {
    (codes * bits as usize).div_ceil(8)
}

/// Puts the codes, of 1 (a mask), 2, 3, 4 or 8 bits, into the stream; what is left of `out` becomes zero. A code must be below 2^bits.
pub fn pack(codes: &[u8], bits: u32, out: &mut [u8]) {
    let (stream, rest) = out.split_at_mut(stream_bytes(codes.len(), bits));
    rest.fill(0);
    match bits {
        1 => pack_codes::<1>(codes, stream),
        2 => pack_codes::<2>(codes, stream),
        3 => pack_codes::<3>(codes, stream),
        4 => pack_codes::<4>(codes, stream),
        _ => stream.copy_from_slice(codes),
    }
}

/// Takes `codes.len()` codes from the start of the stream.
pub fn unpack(stream: &[u8], bits: u32, codes: &mut [u8]) {
    match bits {
        1 => unpack_codes::<1>(stream, codes),
        2 => unpack_codes::<2>(stream, codes),
        3 => unpack_codes::<3>(stream, codes),
        4 => unpack_codes::<4>(stream, codes),
        _ => codes.copy_from_slice(&stream[..codes.len()]),
    }
}

/// `bits` low bits of every field of `width` bits.
const fn fields(bits: usize, width: usize) -> u64 {
    let (mut mask, mut at) = (0u64, 0);
    while at < 64 {
        mask |= (((1u128 << bits) - 1) as u64) << at;
        at += width;
    }
    mask
}

/// Eight codes, one a byte, moved together into the low 8 * BITS bits.
#[inline(always)]
pub fn squeeze<const BITS: usize>(codes: u64) -> u64 {
    let x = (codes | codes >> (8 - BITS)) & fields(2 * BITS, 16);
    let x = (x | x >> (16 - 2 * BITS)) & fields(4 * BITS, 32);
    (x | x >> (32 - 4 * BITS)) & fields(8 * BITS, 64)
}

/// The opposite of `squeeze`; bits above the lowest 8 * BITS are ignored.
#[inline(always)]
pub fn spread<const BITS: usize>(stream: u64) -> u64 {
    let x = stream & fields(8 * BITS, 64);
    let x = (x | x << (32 - 4 * BITS)) & fields(4 * BITS, 32);
    let x = (x | x << (16 - 2 * BITS)) & fields(2 * BITS, 16);
    (x | x << (8 - BITS)) & fields(BITS, 8)
}

vectorized! {
    fn pack_codes<const BITS: usize>(codes: &[u8], stream: &mut [u8]) {
        let (eights, rest) = codes.as_chunks::<8>();
        let (whole, tail) = stream.split_at_mut(eights.len() * BITS);
        for (codes, out) in eights.iter().zip(whole.as_chunks_mut::<BITS>().0) {
            out.copy_from_slice(&squeeze::<BITS>(u64::from_le_bytes(*codes)).to_le_bytes()[..BITS]);
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let squeezed = squeeze::<BITS>(u64::from_le_bytes(last)).to_le_bytes();
        tail.copy_from_slice(&squeezed[..tail.len()]);
    }
}

vectorized! {
    fn unpack_codes<const BITS: usize>(stream: &[u8], codes: &mut [u8]) {
        let (eights, rest) = codes.as_chunks_mut::<8>();
        let (whole, tail) = stream.split_at(eights.len() * BITS);
        for (codes, bytes) in eights.iter_mut().zip(whole.as_chunks::<BITS>().0) {
            let mut word = [0; 8];
            word[..BITS].copy_from_slice(bytes);
            *codes = spread::<BITS>(u64::from_le_bytes(word)).to_le_bytes();
        }
        let mut last = [0; 8];
        let needed = (rest.len() * BITS).div_ceil(8);
        last[..needed].copy_from_slice(&tail[..needed]);
        let spread = spread::<BITS>(u64::from_le_bytes(last)).to_le_bytes();
        rest.copy_from_slice(&spread[..rest.len()]);
    }
}
