//! The types a weight can be stored in, and the rounding to them.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// The types a weight can be stored in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Storage {
    #[default]
    F32,
    F16,
    BF16,
}

impl Storage {
    /// Bytes of one value.
    pub fn size(self) -> usize {
        if self == Storage::F32 { 4 } else { 2 }
    }

    /// The nearest value this type can hold, ties to even. Too large a value becomes infinite.
    #[inline(always)]
    pub fn round(self, x: f32) -> f32 {
        match self {
            Storage::F32 => x,
            Storage::F16 => round_f16(x),
            Storage::BF16 => round_bf16(x),
        }
    }

    /// Little-endian bytes (unaligned) to float32.
    pub fn decode(self, bytes: &[u8], values: &mut [f32]) {
        match self {
            Storage::F32 => {
                for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
                    *value = f32::from_le_bytes(*bytes);
                }
            }
            Storage::F16 => decode_half(bytes, values, f16::from_le_bytes),
            Storage::BF16 => decode_half(bytes, values, bf16::from_le_bytes),
        }
    }

    /// Float32 to little-endian bytes.
    pub fn encode(self, values: &[f32], bytes: &mut [u8]) {
        match self {
            Storage::F32 => {
                for (value, bytes) in values.iter().zip(bytes.as_chunks_mut().0) {
                    *bytes = value.to_le_bytes();
                }
            }
            Storage::F16 => encode_half(values, bytes, f16::to_le_bytes),
            Storage::BF16 => encode_half(values, bytes, bf16::to_le_bytes),
        }
    }
}

/// Values converted at once, so that the conversion can use the processor's instructions for it.
const CONVERTED: usize = 256;

fn decode_half<H: Copy + Default>(bytes: &[u8], values: &mut [f32], read: fn([u8; 2]) -> H)
where
    [H]: HalfFloatSliceExt,
{
    let mut halves = [H::default(); CONVERTED];
    for (bytes, values) in bytes.chunks(2 * CONVERTED).zip(values.chunks_mut(CONVERTED)) {
        for (half, bytes) in halves.iter_mut().zip(bytes.as_chunks().0) {
            *half = read(*bytes);
        }
        halves[..values.len()].convert_to_f32_slice(values);
    }
}

fn encode_half<H: Copy + Default>(values: &[f32], bytes: &mut [u8], write: fn(H) -> [u8; 2])
where
    [H]: HalfFloatSliceExt,
{
    let mut halves = [H::default(); CONVERTED];
    for (values, bytes) in values.chunks(CONVERTED).zip(bytes.chunks_mut(2 * CONVERTED)) {
        halves[..values.len()].convert_from_f32_slice(values);
        for (half, bytes) in halves.iter().zip(bytes.as_chunks_mut().0) {
            *bytes = write(*half);
        }
    }
}

/// Without branches, so that it can be done for many values at once.
#[inline(always)]
fn round_bf16(x: f32) -> f32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) & 0xffff_0000;
    if x.is_nan() { x } else { f32::from_bits(rounded) }
}

#[inline(always)]
fn round_f16(x: f32) -> f32 {
    const SMALLEST_NORMAL: f32 = f16::MIN_POSITIVE.to_f32_const();
    let magnitude = x.abs();
    let bits = magnitude.to_bits();
    let rounded = f32::from_bits(bits.wrapping_add(0xfff + ((bits >> 13) & 1)) & 0xffff_e000);
    // Below it float16 has a fixed step, 2^-24, which is what float32 has between 0.5 and 1.
    let subnormal = (magnitude + 0.5) - 0.5;
    let finite = if magnitude < SMALLEST_NORMAL {
        subnormal
    } else {
        rounded
    };
    let result = if finite > 65504.0 { f32::INFINITY } else { finite };
    if x.is_nan() { x } else { result.copysign(x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_agrees_with_the_half_crate() {
        for bits in (0..=u32::MAX).step_by(4093) {
            let x = f32::from_bits(bits);
            let (a, b) = (Storage::F16.round(x), Storage::BF16.round(x));
            assert!(
                a.is_nan() && x.is_nan() || a.to_bits() == f16::from_f32(x).to_f32().to_bits(),
                "{x:e} -> {a:e}"
            );
            assert!(
                b.is_nan() && x.is_nan() || b.to_bits() == bf16::from_f32(x).to_f32().to_bits(),
                "{x:e} -> {b:e}"
            );
        }
    }

    #[test]
    fn every_half_survives_decoding_and_encoding() {
        let bytes: Vec<u8> = (0..=u16::MAX)
            .filter(|h| !f16::from_bits(*h).is_nan() && !bf16::from_bits(*h).is_nan())
            .flat_map(u16::to_le_bytes)
            .collect();
        for storage in [Storage::F16, Storage::BF16] {
            let mut values = vec![0f32; bytes.len() / 2];
            storage.decode(&bytes, &mut values);
            assert!(values.iter().all(|&v| storage.round(v).to_bits() == v.to_bits()));
            let mut again = vec![0u8; bytes.len()];
            storage.encode(&values, &mut again);
            assert_eq!(bytes, again);
        }
    }
}
