//! The sweep's inner loops, on one column of 64 rows at a time: long enough for the compiler to turn loops over the rows into
//! vector instructions, where it would unroll shorter ones.

use crate::quantization::Quantization;
use crate::vectorized;
use crate::weights::storage::Storage;

/// Rows swept together.
pub const LANES: usize = 64;

/// The values of one column in `LANES` rows.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Lanes(pub [f32; LANES]);

impl Lanes {
    pub const ZERO: Self = Self([0.0; LANES]);
}

/// Scale and zero point of one group in `LANES` rows.
#[derive(Clone, Copy)]
pub struct Grid {
    pub scale: Lanes,
    pub zero: Lanes,
}

/// One word for each row: all bits set where the column's weight is kept, none where it is pruned.
pub type Keep = [u32; LANES];

vectorized! {
    /// scores = w² / U_jj².
    pub fn saliencies(w: &[f32], u_jj: f32, scores: &mut [f32]) {
        for (score, &w) in scores.iter_mut().zip(w) {
            *score = (w * w) / (u_jj * u_jj);
        }
    }
}

vectorized! {
    /// Keeps what scores more than `limit`.
    pub fn keep_above(scores: &Lanes, limit: f32, keep: &mut Keep) {
        for (keep, &score) in keep.iter_mut().zip(&scores.0) {
            *keep = if score <= limit { 0 } else { !0 };
        }
    }
}

vectorized! {
    /// Counts 1 where `other` is pruned before `score`; of equals, the one further left.
    pub fn count_before(other: &Lanes, score: &Lanes, is_left: bool, before: &mut Keep) {
        for ((before, &other), &score) in before.iter_mut().zip(&other.0).zip(&score.0) {
            *before += ((other < score) | ((other == score) & is_left)) as u32;
        }
    }
}

vectorized! {
    /// Replaces `w` by what is stored of it, q, and sets errors = (w - q) / U_jj.
    pub fn prune_column(w: &mut Lanes, keep: &Keep, u_jj: f32, storage: Storage, errors: &mut Lanes) {
        let mut q = w.0;
        match storage {
            Storage::F32 => {}
            Storage::F16 => q.iter_mut().for_each(|q| *q = Storage::F16.round(*q)),
            Storage::BF16 => q.iter_mut().for_each(|q| *q = Storage::BF16.round(*q)),
        }
        for ((q, w), (&keep, error)) in q.iter().zip(&mut w.0).zip(keep.iter().zip(&mut errors.0)) {
            let q = f32::from_bits(q.to_bits() & keep);
            *error = (*w - q) / u_jj;
            *w = q;
        }
    }
}

/// 1.5 * 2^23: what is added to it is rounded to an integer, ties to even, up to 2^22 either way; a zero comes out positive.
const INTEGERS: f32 = 12_582_912.0;

/// The multiple of `scale` that `w` is quantized to, in scales: the code less the zero point.
#[inline(always)]
fn level(w: f32, scale: f32, zero: f32, most: f32) -> f32 {
    // The limits are integers, so it is the same as rounding first.
    let limited = limited(w / scale, -zero, most - zero);
    (limited + INTEGERS) - INTEGERS
}

/// `x` between `least` and `most`; NaN stays what it is.
#[inline(always)]
fn limited(x: f32, least: f32, most: f32) -> f32 {
    let x = if x < least { least } else { x };
    if x > most { most } else { x }
}

vectorized! {
    /// Replaces `w` by the nearest value of the grid. `most`: the largest code.
    pub fn quantize(w: &mut Lanes, grid: &Grid, most: f32) {
        for lane in 0..LANES {
            let scale = grid.scale.0[lane];
            w.0[lane] = scale * level(w.0[lane], scale, grid.zero.0[lane], most);
        }
    }
}

vectorized! {
    /// Replaces `w` by what is stored of it, q = scale * level or 0, and sets errors = (w - q) / U_jj. `most`: the largest code.
    pub fn quantize_column(w: &mut Lanes, keep: &Keep, grid: &Grid, most: f32, u_jj: f32, storage: Storage, errors: &mut Lanes) {
        let mut q = Lanes::ZERO;
        for lane in 0..LANES {
            let scale = grid.scale.0[lane];
            q.0[lane] = scale * level(w.0[lane], scale, grid.zero.0[lane], most);
        }
        match storage {
            Storage::F32 => {}
            Storage::F16 => q.0.iter_mut().for_each(|q| *q = Storage::F16.round(*q)),
            Storage::BF16 => q.0.iter_mut().for_each(|q| *q = Storage::BF16.round(*q)),
        }
        for ((q, w), (&keep, error)) in q.0.iter().zip(&mut w.0).zip(keep.iter().zip(&mut errors.0)) {
            let q = f32::from_bits(q.to_bits() & keep);
            *error = (*w - q) / u_jj;
            *w = q;
        }
    }
}

vectorized! {
    /// The least and the greatest value of each row; both start where they are.
    pub fn extremes(columns: &[Lanes], low: &mut Lanes, high: &mut Lanes) {
        for column in columns {
            for ((&w, low), high) in column.0.iter().zip(&mut low.0).zip(&mut high.0) {
                *low = if w < *low { w } else { *low };
                *high = if w > *high { w } else { *high };
            }
        }
    }
}

/// The least scale: float16's least number.
const LEAST_SCALE: f32 = 1.0 / (1 << 24) as f32;

vectorized! {
    /// Scale and zero point of rows whose weights lie between `low` <= 0 and `high` >= 0, the range shrunk to `share` of it.
    pub fn grid(low: &Lanes, high: &Lanes, share: f32, quantization: &Quantization) -> Grid {
        let (most, middle) = (quantization.most(), quantization.middle());
        let mut found = Grid { scale: Lanes::ZERO, zero: Lanes([middle; LANES]) };
        let mut lows = Lanes::ZERO;
        for lane in 0..LANES {
            let (low, high) = (low.0[lane], high.0[lane]);
            let is_flat = (low == 0.0) & (high == 0.0);
            let (low, high) = if is_flat { (-1.0, 1.0) } else { (low, high) };
            let widest = if -low > high { -low } else { high };
            let (low, high) = if quantization.symmetric { (-widest, widest) } else { (low, high) };
            lows.0[lane] = share * low;
            found.scale.0[lane] = (share * high - share * low) / most;
        }
        if quantization.scales != Storage::F32 {
            // BF16's values have fewer digits than F16's and a wider range: the second F16 makes a scale too large infinite.
            for scale in &mut found.scale.0 {
                *scale = Storage::F16.round(*scale);
                *scale = if quantization.scales == Storage::BF16 { Storage::F16.round(Storage::BF16.round(*scale)) } else { *scale };
                *scale = if *scale < LEAST_SCALE { LEAST_SCALE } else { *scale };
            }
        }
        if !quantization.symmetric {
            for lane in 0..LANES {
                let zero = limited(-lows.0[lane] / found.scale.0[lane], 0.0, most);
                found.zero.0[lane] = (zero + INTEGERS) - INTEGERS;
            }
        }
        found
    }
}

/// d^2.4 of d >= 0, to float32's accuracy: (d * d^-0.2)³, the root by Newton's method.
#[inline(always)]
fn power_2_4(d: f32) -> f32 {
    // To 3 %: a number's bits are nearly its logarithm, of which a root takes a share.
    let mut root = f32::from_bits(0x4c2b_ac71 - d.to_bits() / 5);
    for _ in 0..3 {
        let square = root * root;
        root *= 1.2 - 0.2 * (d * root * square * square);
    }
    let power = d * root;
    power * power * power
}

vectorized! {
    /// Adds up |q - w|^2.4 of each row.
    pub fn range_errors(columns: &[Lanes], grid: &Grid, most: f32, errors: &mut Lanes) {
        for column in columns {
            for lane in 0..LANES {
                let (w, scale) = (column.0[lane], grid.scale.0[lane]);
                let q = scale * level(w, scale, grid.zero.0[lane], most);
                errors.0[lane] += power_2_4((q - w).abs());
            }
        }
    }
}

vectorized! {
    /// `w[k] -= errors[s] u[k][s]` for every column k and s = 0, 1 .. `STEP` - 1 in this order.
    pub fn subtract_errors<const STEP: usize>(w: &mut [Lanes], errors: &[Lanes; STEP], u: &[[f32; STEP]]) {
        for (w, u) in w.iter_mut().zip(u) {
            for lane in 0..LANES {
                let mut sum = w.0[lane];
                for s in 0..STEP {
                    sum = (-errors[s].0[lane]).mul_add(u[s], sum);
                }
                w.0[lane] = sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::factor::Noise;

    fn lanes(noise: &mut Noise) -> Lanes {
        Lanes(std::array::from_fn(|_| noise.next()))
    }

    /// The loops written out without vector instructions: this processor's must give the same bits.
    #[test]
    fn vector_instructions_do_not_change_a_bit() {
        let mut noise = Noise(5);
        let errors: [Lanes; 8] = std::array::from_fn(|_| lanes(&mut noise));
        let start: Vec<Lanes> = (0..5).map(|_| lanes(&mut noise)).collect();
        let u: Vec<[f32; 8]> = (0..5).map(|_| std::array::from_fn(|_| noise.next())).collect();
        let mut found = start.clone();
        subtract_errors(&mut found, &errors, &u);
        for (k, lane) in (0..5).flat_map(|k| (0..LANES).map(move |lane| (k, lane))) {
            let expected = (0..8).fold(start[k].0[lane], |sum, s| (-errors[s].0[lane]).mul_add(u[k][s], sum));
            assert_eq!(found[k].0[lane].to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn columns_are_pruned_and_rounded() {
        let mut noise = Noise(6);
        let start = lanes(&mut noise);
        let keep: Keep = std::array::from_fn(|lane| if lane % 3 == 0 { 0 } else { !0 });
        for storage in [Storage::F32, Storage::F16, Storage::BF16] {
            let (mut w, mut errors) = (start, Lanes::ZERO);
            prune_column(&mut w, &keep, 0.7, storage, &mut errors);
            for lane in 0..LANES {
                let q = if lane % 3 == 0 {
                    0.0
                } else {
                    storage.round(start.0[lane])
                };
                assert_eq!((w.0[lane], errors.0[lane]), (q, (start.0[lane] - q) / 0.7));
            }
        }
    }

    #[test]
    fn columns_are_quantized_and_rounded() {
        let mut noise = Noise(8);
        let start = Lanes(std::array::from_fn(|_| 4.0 * noise.next()));
        let keep: Keep = std::array::from_fn(|lane| if lane % 5 == 0 { 0 } else { !0 });
        let grid = Grid {
            scale: Lanes(std::array::from_fn(|lane| 0.1 + lane as f32 / 100.0)),
            zero: Lanes(std::array::from_fn(|lane| (lane % 16) as f32)),
        };
        for storage in [Storage::F32, Storage::F16, Storage::BF16] {
            let (mut w, mut errors) = (start, Lanes::ZERO);
            quantize_column(&mut w, &keep, &grid, 15.0, 0.7, storage, &mut errors);
            for lane in 0..LANES {
                let (scale, zero) = (grid.scale.0[lane], grid.zero.0[lane]);
                let code = ((start.0[lane] / scale).round_ties_even() + zero).clamp(0.0, 15.0);
                let q = if lane % 5 == 0 {
                    0.0
                } else {
                    storage.round(scale * (code - zero))
                };
                assert_eq!((w.0[lane], errors.0[lane]), (q, (start.0[lane] - q) / 0.7));
            }
        }
    }

    #[test]
    fn codes_are_rounded_to_even_and_limited() {
        let found = |w: f32| level(w, 0.5, 3.0, 7.0);
        assert_eq!([0.25, 0.75, 1.25, -0.25, -0.75].map(found), [0.0, 2.0, 2.0, 0.0, -2.0]);
        assert_eq!(
            [9e9, -9e9, f32::INFINITY, f32::NEG_INFINITY].map(found),
            [4.0, -3.0, 4.0, -3.0]
        );
        assert!(found(-0.1).is_sign_positive() && found(f32::NAN).is_nan());
    }

    #[test]
    fn power_is_that_of_the_library() {
        assert_eq!(power_2_4(0.0), 0.0);
        for exponent in -100..60 {
            let d = 1.37f64.powi(exponent) as f32;
            let expected = f64::from(d).powf(2.4);
            assert!((f64::from(power_2_4(d)) / expected - 1.0).abs() < 2e-6, "{d:e}");
        }
    }

    #[test]
    fn ties_are_pruned_from_the_left() {
        let (low, high) = (Lanes([1.0; LANES]), Lanes([2.0; LANES]));
        let count = |other, score, is_left| {
            let mut before = [0; LANES];
            count_before(other, score, is_left, &mut before);
            assert!(before.iter().all(|&count| count == before[0]));
            before[0]
        };
        assert_eq!([count(&low, &high, false), count(&high, &low, true)], [1, 0]);
        assert_eq!([count(&low, &low, true), count(&low, &low, false)], [1, 0]);
    }
}
