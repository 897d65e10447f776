//! The sweep's inner loops, on one column of `LANES` rows at a time.

use crate::machine::simd::vectorized;
use crate::quantization::grid::{Grid, level};
use crate::weights::lanes::{LANES, Lanes};
use crate::weights::storage::Storage;

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

/// Values in the type that they are stored in, 0 where they are pruned.
#[inline(always)]
fn stored(values: Lanes, keep: &Keep, storage: Storage) -> Lanes {
    let mut q = values;
    match storage {
        Storage::F32 => {}
        Storage::F16 => q.0.iter_mut().for_each(|q| *q = Storage::F16.round(*q)),
        Storage::BF16 => q.0.iter_mut().for_each(|q| *q = Storage::BF16.round(*q)),
    }
    for (q, &keep) in q.0.iter_mut().zip(keep) {
        *q = f32::from_bits(q.to_bits() & keep);
    }
    q
}

vectorized! {
    /// Replaces `w` by what is stored of it, q, and sets errors = (w - q) / U_jj.
    pub fn prune_column(w: &mut Lanes, keep: &Keep, u_jj: f32, storage: Storage, errors: &mut Lanes) {
        let q = stored(*w, keep, storage);
        for ((&q, w), error) in q.0.iter().zip(&mut w.0).zip(&mut errors.0) {
            *error = (*w - q) / u_jj;
            *w = q;
        }
    }
}

/// What codes stand for.
pub struct Codes<'a> {
    pub grid: &'a Grid,
    /// The largest code.
    pub most: f32,
    pub storage: Storage,
}

impl Codes<'_> {
    /// What is stored of the grid's nearest to a value, scale * level, or 0 where it is pruned.
    #[inline(always)]
    fn nearest(&self, values: &Lanes, keep: &Keep) -> Lanes {
        let &Self { grid, most, storage } = self;
        let mut q = Lanes::ZERO;
        for lane in 0..LANES {
            let scale = grid.scale.0[lane];
            q.0[lane] = scale * level(values.0[lane], scale, grid.zero.0[lane], most);
        }
        stored(q, keep, storage)
    }
}

vectorized! {
    /// Replaces `w` by what is stored of it, q = scale * level or 0, and sets errors = (w - q) / U_jj.
    pub fn quantize_column(w: &mut Lanes, keep: &Keep, codes: &Codes, u_jj: f32, errors: &mut Lanes) {
        let q = codes.nearest(w, keep);
        for ((&q, w), error) in q.0.iter().zip(&mut w.0).zip(&mut errors.0) {
            *error = (*w - q) / u_jj;
            *w = q;
        }
    }
}

vectorized! {
    /// Replaces `q` by what is stored of the value q' on its grid, or 0, that is nearest to `q + gradient / root`, and sets
    /// change = (q' - q) root.
    pub fn refine_column(q: &mut Lanes, gradient: &Lanes, keep: &Keep, codes: &Codes, root: f32, change: &mut Lanes) {
        let mut wanted = Lanes::ZERO;
        for lane in 0..LANES {
            wanted.0[lane] = q.0[lane] + gradient.0[lane] / root;
        }
        let next = codes.nearest(&wanted, keep);
        for ((&next, q), change) in next.0.iter().zip(&mut q.0).zip(&mut change.0) {
            *change = (next - *q) * root;
            *q = next;
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
    use crate::testing::Noise;

    fn lanes(noise: &mut Noise) -> Lanes {
        Lanes(std::array::from_fn(|_| noise.next()))
    }

    fn codes(grid: &Grid, storage: Storage) -> Codes<'_> {
        let most = 15.0;
        Codes { grid, most, storage }
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
            quantize_column(&mut w, &keep, &codes(&grid, storage), 0.7, &mut errors);
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
    fn codes_are_chosen_anew() {
        let mut noise = Noise(9);
        let (start, gradient) = (lanes(&mut noise), lanes(&mut noise));
        let keep: Keep = std::array::from_fn(|lane| if lane % 5 == 0 { 0 } else { !0 });
        let grid = Grid {
            scale: Lanes(std::array::from_fn(|lane| 0.1 + lane as f32 / 100.0)),
            zero: Lanes(std::array::from_fn(|lane| (lane % 16) as f32)),
        };
        for storage in [Storage::F32, Storage::F16, Storage::BF16] {
            let (mut q, mut change) = (start, Lanes::ZERO);
            refine_column(&mut q, &gradient, &keep, &codes(&grid, storage), 0.7, &mut change);
            for lane in 0..LANES {
                let (scale, zero) = (grid.scale.0[lane], grid.zero.0[lane]);
                let wanted = start.0[lane] + gradient.0[lane] / 0.7;
                let code = ((wanted / scale).round_ties_even() + zero).clamp(0.0, 15.0);
                let expected = if lane % 5 == 0 {
                    0.0
                } else {
                    storage.round(scale * (code - zero))
                };
                assert_eq!(
                    (q.0[lane], change.0[lane]),
                    (expected, (expected - start.0[lane]) * 0.7)
                );
            }
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
