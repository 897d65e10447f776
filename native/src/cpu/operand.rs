//! Products of a layer's rows with one symmetric matrix, over and over: `LANES` rows at a time, in bfloat16 with float32 sums where
//! the processor has instructions for that, else in float32. Sums go in the order of the columns, so no bit depends on the threads.

use faer::{MatMut, MatRef};

use super::product::product;
use crate::machine::simd;
use crate::weights::lanes::{LANES, Lanes};

/// A symmetric matrix [n, n] that rows are multiplied with.
pub struct Operand {
    n: usize,
    entries: Entries,
}

enum Entries {
    F32(Vec<f32>),
    /// Of each row its entries two by two, the first in the lower half of a word: [n, ceil(n / 2)].
    #[cfg(target_arch = "x86_64")]
    Bf16(Vec<u32>),
}

/// What a product computes in, for one group of rows after the other.
#[derive(Default)]
pub struct Scratch {
    #[cfg(target_arch = "x86_64")]
    pairs: Vec<[u32; LANES]>,
}

impl Operand {
    /// Of a matrix [n, n] row-major.
    pub fn new(a: Vec<f32>) -> Self {
        Self::in_precision(a, simd::has_bf16())
    }

    /// The same; in bfloat16 only where the processor can.
    fn in_precision(a: Vec<f32>, is_bf16: bool) -> Self {
        let n = a.len().isqrt();
        #[cfg(target_arch = "x86_64")]
        if is_bf16 {
            let entries = Entries::Bf16(bf16::pairs_of(&a, n));
            return Self { n, entries };
        }
        let _ = is_bf16;
        let entries = Entries::F32(a);
        Self { n, entries }
    }

    /// `out = x a`; x and out [n] columns of `LANES` rows.
    pub fn multiply(&self, x: &[Lanes], out: &mut [Lanes], scratch: &mut Scratch) {
        let n = self.n;
        match &self.entries {
            Entries::F32(a) => {
                let _ = scratch;
                product(
                    MatMut::from_column_major_slice_mut(bytemuck::cast_slice_mut(out), LANES, n),
                    MatRef::from_column_major_slice(bytemuck::cast_slice(x), LANES, n),
                    MatRef::from_row_major_slice(a, n, n),
                );
            }
            #[cfg(target_arch = "x86_64")]
            Entries::Bf16(a) => {
                bf16::pair_columns(x, &mut scratch.pairs);
                // SAFETY: entries are in bfloat16 only where the processor has the instructions.
                unsafe { bf16::multiply(a, &scratch.pairs, out) }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod bf16 {
    use std::arch::x86_64::{
        __m512, __m512bh, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use rayon::prelude::*;

    use crate::weights::lanes::{LANES, Lanes};
    use crate::weights::storage::Storage;

    /// Float32 values in a vector.
    const WIDTH: usize = 16;
    /// Vectors of a group of rows.
    const VECTORS: usize = LANES / WIDTH;
    /// Columns of the result that are summed at once.
    const COLUMNS: usize = 6;

    /// Two values rounded to bfloat16, the first in the lower half.
    #[inline(always)]
    fn pair(first: f32, second: f32) -> u32 {
        let bits = |value: f32| Storage::BF16.round(value).to_bits();
        bits(first) >> 16 | bits(second) & 0xffff_0000
    }

    /// A matrix [n, n] row-major, of each row its entries two by two.
    pub fn pairs_of(a: &[f32], n: usize) -> Vec<u32> {
        let half = n.div_ceil(2);
        let mut pairs = vec![0u32; n * half];
        (pairs.par_chunks_mut(half).zip(a.par_chunks(n))).for_each(|(pairs, row)| {
            for (to, from) in pairs.iter_mut().zip(row.chunks(2)) {
                *to = pair(from[0], from.get(1).copied().unwrap_or(0.0));
            }
        });
        pairs
    }

    crate::machine::simd::vectorized! {
        fn pair_lanes(first: &Lanes, second: &Lanes, pairs: &mut [u32; LANES]) {
            for (to, (&first, &second)) in pairs.iter_mut().zip(first.0.iter().zip(&second.0)) {
                *to = pair(first, second);
            }
        }
    }

    /// Columns two by two.
    pub fn pair_columns(x: &[Lanes], pairs: &mut Vec<[u32; LANES]>) {
        pairs.resize(x.len().div_ceil(2), [0; LANES]);
        for (to, from) in pairs.iter_mut().zip(x.chunks(2)) {
            pair_lanes(&from[0], from.get(1).unwrap_or(&Lanes::ZERO), to);
        }
    }

    /// `out = x a`; `a` [n, pairs], `x` [pairs], `out` [n].
    ///
    /// # Safety
    /// The processor has AVX-512 BF16.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn multiply(a: &[u32], x: &[[u32; LANES]], out: &mut [Lanes]) {
        let rows = a.chunks(x.len() * COLUMNS);
        for (a, out) in rows.zip(out.chunks_mut(COLUMNS)) {
            match out.len() {
                6 => columns::<6>(a, x, out),
                5 => columns::<5>(a, x, out),
                4 => columns::<4>(a, x, out),
                3 => columns::<3>(a, x, out),
                2 => columns::<2>(a, x, out),
                _ => columns::<1>(a, x, out),
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn columns<const N: usize>(a: &[u32], x: &[[u32; LANES]], out: &mut [Lanes]) {
        let rows: [&[u32]; N] = std::array::from_fn(|j| &a[j * x.len()..(j + 1) * x.len()]);
        let mut sums: [[__m512; VECTORS]; N] = [[_mm512_setzero_ps(); VECTORS]; N];
        for (k, x) in x.iter().enumerate() {
            let x: [__m512bh; VECTORS] = std::array::from_fn(|v| {
                // SAFETY: `WIDTH` words from here on are within the group; a vector's type is a matter of interpretation.
                unsafe { std::mem::transmute(_mm512_loadu_ps(x.as_ptr().add(v * WIDTH).cast())) }
            });
            for j in 0..N {
                // SAFETY: as above; `k` is less than the row's length, which is that of `x`.
                let a: __m512bh =
                    unsafe { std::mem::transmute(_mm512_set1_ps(f32::from_bits(*rows[j].get_unchecked(k)))) };
                for v in 0..VECTORS {
                    sums[j][v] = _mm512_dpbf16_ps(sums[j][v], x[v], a);
                }
            }
        }
        for (out, sums) in out.iter_mut().zip(&sums) {
            for (v, &sum) in sums.iter().enumerate() {
                // SAFETY: `WIDTH` values from here on are within the lanes.
                unsafe { _mm512_storeu_ps(out.0.as_mut_ptr().add(v * WIDTH), sum) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;
    use crate::weights::storage::Storage;

    /// The product in float64, of values rounded as the operand rounds them.
    fn naive(a: &[f32], x: &[Lanes], is_bf16: bool) -> Vec<[f64; LANES]> {
        let round = |value: f32| (if is_bf16 { Storage::BF16.round(value) } else { value }) as f64;
        let n = x.len();
        (0..n)
            .map(|j| std::array::from_fn(|lane| (0..n).map(|k| round(x[k].0[lane]) * round(a[j * n + k])).sum::<f64>()))
            .collect()
    }

    #[test]
    fn products_are_those_of_the_naive_form() {
        for n in [1, 2, 5, 6, 7, 13, 64, 97] {
            let mut noise = Noise(n as u64);
            let mut a = noise.take(n * n);
            for i in 0..n {
                (0..i).for_each(|j| a[j * n + i] = a[i * n + j]);
            }
            let x: Vec<Lanes> = (0..n).map(|_| Lanes(std::array::from_fn(|_| noise.next()))).collect();
            for is_bf16 in [false, simd::has_bf16()] {
                let mut out = vec![Lanes([f32::NAN; LANES]); n];
                Operand::in_precision(a.clone(), is_bf16).multiply(&x, &mut out, &mut Scratch::default());
                for (out, expected) in out.iter().zip(naive(&a, &x, is_bf16)) {
                    for (&out, expected) in out.0.iter().zip(expected) {
                        assert!(
                            (out as f64 - expected).abs() <= 1e-6 * n as f64,
                            "{n}: {out} {expected}"
                        );
                    }
                }
            }
        }
    }
}
