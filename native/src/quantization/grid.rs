//! A group's scale and zero point (method.md, section 4), in 64 rows at a time: how they are fitted, and what a weight is rounded to.
//! A weight of code q is stored as scale * (q - zero).

use super::{Quantization, Range, range_shares};
use crate::control::Control;
use crate::error::Result;
use crate::machine::simd::vectorized;
use crate::weights::lanes::{LANES, Lanes};
use crate::weights::storage::Storage;

/// Scale and zero point of one group in `LANES` rows.
#[derive(Clone, Copy)]
pub struct Grid {
    pub scale: Lanes,
    pub zero: Lanes,
}

impl Grid {
    /// Fits the grid of the group that consists of `columns`. Error: `Cancelled`.
    pub fn fit(columns: &[Lanes], quantization: &Quantization, control: &Control) -> Result<Self> {
        let (mut low, mut high) = (Lanes::ZERO, Lanes::ZERO);
        extremes(columns, &mut low, &mut high);
        let whole = grid(&low, &high, 1.0, quantization);
        if quantization.range == Range::MinMax {
            return Ok(whole);
        }
        let mut best = whole;
        let mut least = Lanes([f32::INFINITY; LANES]);
        for share in range_shares(quantization.range) {
            let shrunk = grid(&low, &high, share, quantization);
            let mut errors = Lanes::ZERO;
            range_errors(columns, &shrunk, quantization.most(), &mut errors);
            for lane in 0..LANES {
                if errors.0[lane] < least.0[lane] {
                    least.0[lane] = errors.0[lane];
                    best.scale.0[lane] = shrunk.scale.0[lane];
                    best.zero.0[lane] = shrunk.zero.0[lane];
                }
            }
            control.check()?;
        }
        Ok(best)
    }
}

/// 1.5 * 2^23: what is added to it is rounded to an integer, ties to even, up to 2^22 either way; a zero comes out positive.
const INTEGERS: f32 = 12_582_912.0;

/// The multiple of `scale` that `w` is quantized to, in scales: the code less the zero point.
#[inline(always)]
pub fn level(w: f32, scale: f32, zero: f32, most: f32) -> f32 {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
