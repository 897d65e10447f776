//! How models' next-token probabilities compare with a reference's, added up as their logits come, one range of the vocabulary after
//! the other. Sums of exponentials are float64 and relative to the largest logit so far.

use std::f64::consts::LOG2_E;
use std::ops::Range;

use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Result, internal};
use crate::machine::simd::vectorized;

/// The Kullback-Leibler divergences of several models from one reference over the same tokens.
#[derive(Default)]
pub struct Divergences {
    /// The token that followed each.
    targets: Vec<i32>,
    reference: Vec<Seen>,
    /// What was last added to the reference.
    slice: Slice,
    /// How many the reference has had.
    slices: usize,
    models: Vec<Model>,
}

/// One token's logits so far.
#[derive(Clone, Copy)]
struct Seen {
    max: f32,
    /// The id of the largest logit, the first of them where several are.
    top: usize,
    /// Σ exp(logit - max)
    sum: f64,
    target: f32,
}

struct Model {
    seen: Vec<Seen>,
    /// Σ exp(a - max a) (a - b) of each token, a the reference's logits and b the model's.
    differences: Vec<f64>,
    slices: usize,
}

/// The reference's logits of some tokens and of a range of the vocabulary.
#[derive(Default)]
struct Slice {
    tokens: Range<usize>,
    /// The id of the first column.
    start: usize,
    width: usize,
    /// [tokens, width]
    logits: Vec<f32>,
    /// exp(logit - max), [tokens, width]
    powers: Vec<f64>,
    /// What the token's sums of the slices before are multiplied with to be relative to the same maximum.
    shrinks: Vec<f64>,
}

/// Bytes that a logit of a slice is kept in: the reference's and its power.
pub const LOGIT_BYTES: usize = size_of::<f32>() + size_of::<f64>();
/// Bytes that the sums of a token are kept in, for each model.
pub const TOKEN_BYTES: usize = size_of::<Seen>() + size_of::<f64>();

/// What came out for one model. All [tokens].
pub struct Divergence {
    /// KL(reference ‖ model) = Σ p (log p - log q), in nats.
    pub divergences: Vec<f64>,
    /// -log p of the target, in nats, by the reference and by the model.
    pub reference_losses: Vec<f64>,
    pub losses: Vec<f64>,
    /// 1 where both find the same token the most probable, of equals the first.
    pub agreements: Vec<f64>,
}

impl Divergences {
    pub fn new(targets: Vec<i32>, models: usize) -> Self {
        let tokens = targets.len();
        let model = || Model {
            seen: vec![Seen::NOTHING; tokens],
            differences: vec![0.0; tokens],
            slices: 0,
        };
        Self {
            targets,
            reference: vec![Seen::NOTHING; tokens],
            slice: Slice::default(),
            slices: 0,
            models: (0..models).map(|_| model()).collect(),
        }
    }

    /// Adds the reference's logits [tokens, width] of the tokens from `first` on, and of the ids from `start` on: for each token one
    /// range after the other, in the order of the ids. Errors: `Cancelled`, which spoils the sums; `Internal` where the slice is not
    /// within the tokens.
    pub fn add_reference(
        &mut self,
        first: usize,
        start: usize,
        width: usize,
        logits: &[f32],
        control: &Control,
    ) -> Result<()> {
        if width == 0 || !logits.len().is_multiple_of(width) {
            return Err(internal("the logits are not whole rows"));
        }
        let tokens = first..first + logits.len() / width;
        if tokens.end > self.targets.len() {
            return Err(internal("the logits are of more tokens than there are"));
        }
        self.slice.take(tokens.clone(), start, width, logits.len());
        control.begin(tokens.len() as u64)?;
        (
            &mut self.reference[tokens.clone()],
            &self.targets[tokens],
            logits.par_chunks(width),
            self.slice.logits.par_chunks_mut(width),
            self.slice.powers.par_chunks_mut(width),
            &mut self.slice.shrinks,
        )
            .into_par_iter()
            .try_for_each(|(seen, &target, row, copy, powers, shrink)| {
                copy.copy_from_slice(row);
                *shrink = seen.raise(row, start, target);
                seen.sum += exponentials(row, seen.max.into(), powers);
                control.advance(1)
            })?;
        self.slices += 1;
        Ok(())
    }

    /// Adds a model's logits of the slice that was added last to the reference. Errors: `Cancelled`, which spoils the sums; `Internal`
    /// where there is no such model, the logits are not as many, or the model does not have every slice once.
    pub fn add(&mut self, model: usize, logits: &[f32], control: &Control) -> Result<()> {
        let slice = &self.slice;
        let model = self.models.get_mut(model).ok_or_else(no_such_model)?;
        if model.slices + 1 != self.slices {
            return Err(internal("the model has not had each of the reference's slices once"));
        }
        if logits.len() != slice.logits.len() {
            return Err(internal("the model's logits are not as many as the reference's"));
        }
        control.begin(slice.tokens.len() as u64)?;
        (
            &mut model.seen[slice.tokens.clone()],
            &mut model.differences[slice.tokens.clone()],
            &self.targets[slice.tokens.clone()],
            logits.par_chunks(slice.width),
            slice.logits.par_chunks(slice.width),
            slice.powers.par_chunks(slice.width),
            &slice.shrinks,
        )
            .into_par_iter()
            .try_for_each(|(seen, difference, &target, row, reference, powers, shrink)| {
                seen.raise(row, slice.start, target);
                let (sum, added) = compared(reference, powers, row, seen.max.into());
                seen.sum += sum;
                *difference = *difference * shrink + added;
                control.advance(1)
            })?;
        model.slices += 1;
        Ok(())
    }

    /// The divergences of a model, once it has all that the reference has. What was not finite anywhere in a token's logits is not in its results.
    /// Error: `Internal` where there is no such model, or it lacks slices.
    pub fn result(&self, model: usize) -> Result<Divergence> {
        let model = self.models.get(model).ok_or_else(no_such_model)?;
        if model.slices != self.slices {
            return Err(internal("the model lacks slices that the reference has"));
        }
        let pairs = || self.reference.iter().zip(&model.seen);
        let divergence = |((a, b), difference): ((&Seen, &Seen), &f64)| {
            difference / a.sum - (f64::from(a.max) - f64::from(b.max)) - (a.sum / b.sum).ln()
        };
        Ok(Divergence {
            divergences: pairs().zip(&model.differences).map(divergence).collect(),
            reference_losses: self.reference.iter().map(Seen::loss).collect(),
            losses: model.seen.iter().map(Seen::loss).collect(),
            agreements: pairs().map(|(a, b)| f64::from(u8::from(a.top == b.top))).collect(),
        })
    }
}

fn no_such_model() -> crate::error::Error {
    internal("no such model is compared")
}

impl Slice {
    /// Makes room for the next one.
    fn take(&mut self, tokens: Range<usize>, start: usize, width: usize, elements: usize) {
        self.logits.resize(elements, 0.0);
        self.powers.resize(elements, 0.0);
        self.shrinks.resize(tokens.len(), 0.0);
        (self.tokens, self.start, self.width) = (tokens, start, width);
    }
}

impl Seen {
    const NOTHING: Self = Self {
        max: f32::NEG_INFINITY,
        top: 0,
        sum: 0.0,
        target: f32::NAN,
    };

    /// Sees the ids from `start` on, but for their exponentials, which are relative to the maximum that this finds. Returns what sums
    /// relative to the one before are to be multiplied with.
    fn raise(&mut self, row: &[f32], start: usize, target: i32) -> f64 {
        let at = usize::try_from(target).ok().and_then(|id| id.checked_sub(start));
        if let Some(&logit) = at.and_then(|at| row.get(at)) {
            self.target = logit;
        }
        let before = self.max;
        let max = largest(row);
        if max <= before {
            return 1.0;
        }
        self.max = max;
        self.top = start + first_of(row, max);
        let shrink = exp(f64::from(before) - f64::from(max));
        self.sum *= shrink;
        shrink
    }

    fn loss(&self) -> f64 {
        f64::from(self.max) - f64::from(self.target) + self.sum.ln()
    }
}

/// Sums that a row is added to in turn: always as many, so that vector instructions do not change a bit.
const LANES: usize = 16;

vectorized! {
    /// Sets powers = exp(row - max); returns their sum.
    fn exponentials(row: &[f32], max: f64, powers: &mut [f64]) -> f64 {
        let mut sums = [0.0; LANES];
        let (chunks, rest) = row.as_chunks::<LANES>();
        let (powers, last) = powers.as_chunks_mut::<LANES>();
        for (chunk, powers) in chunks.iter().zip(powers) {
            for lane in 0..LANES {
                powers[lane] = exp(f64::from(chunk[lane]) - max);
                sums[lane] += powers[lane];
            }
        }
        for ((&logit, power), sum) in rest.iter().zip(last).zip(&mut sums) {
            *power = exp(f64::from(logit) - max);
            *sum += *power;
        }
        sums.iter().sum()
    }
}

vectorized! {
    /// Σ exp(row - max) and Σ powers (reference - row).
    fn compared(reference: &[f32], powers: &[f64], row: &[f32], max: f64) -> (f64, f64) {
        let (mut sums, mut differences) = ([0.0; LANES], [0.0; LANES]);
        let (references, last_reference) = reference.as_chunks::<LANES>();
        let (powers, last_powers) = powers.as_chunks::<LANES>();
        let (chunks, rest) = row.as_chunks::<LANES>();
        for ((chunk, reference), powers) in chunks.iter().zip(references).zip(powers) {
            for lane in 0..LANES {
                let logit = f64::from(chunk[lane]);
                sums[lane] += exp(logit - max);
                differences[lane] = powers[lane].mul_add(f64::from(reference[lane]) - logit, differences[lane]);
            }
        }
        for (lane, &logit) in rest.iter().enumerate() {
            let logit = f64::from(logit);
            sums[lane] += exp(logit - max);
            differences[lane] = last_powers[lane].mul_add(f64::from(last_reference[lane]) - logit, differences[lane]);
        }
        (sums.iter().sum(), differences.iter().sum())
    }
}

/// Values whose maxima are taken side by side.
const CHUNK: usize = 64;

vectorized! {
    /// The largest value that is a number.
    fn largest(row: &[f32]) -> f32 {
        let mut most = [f32::NEG_INFINITY; CHUNK];
        let (chunks, rest) = row.as_chunks::<CHUNK>();
        for chunk in chunks {
            for lane in 0..CHUNK {
                most[lane] = if chunk[lane] > most[lane] { chunk[lane] } else { most[lane] };
            }
        }
        most.iter().chain(rest).fold(f32::NEG_INFINITY, |most, &value| if value > most { value } else { most })
    }
}

vectorized! {
    /// The place of the first `value`, which is in the row.
    fn first_of(row: &[f32], value: f32) -> usize {
        let holds = |chunk: &[f32]| chunk.iter().fold(false, |found, &each| found | (each == value));
        let before = CHUNK * row.chunks(CHUNK).take_while(|chunk| !holds(chunk)).count();
        before + row[before..].iter().take_while(|&&each| each != value).count()
    }
}

/// 1.5 * 2^52: what is added to it is rounded to an integer, which its last bits hold.
const INTEGERS: f64 = 6_755_399_441_055_744.0;
/// log 2 in two parts, the first with so few digits that its multiples up to 2^11 are exact.
const LOG_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
/// The logarithm of nearly the least normal number.
const LEAST: f64 = -708.0;

/// 1 / k!
const INVERSE_FACTORIALS: [f64; 13] = {
    let mut found = [1.0; 13];
    let mut k = 1;
    while k < 13 {
        found[k] = found[k - 1] / k as f64;
        k += 1;
    }
    found
};

/// e^x of x <= 0, to 4e-16 of it; below -708 it is that of -708, 3e-308. NaN stays what it is.
#[inline(always)]
fn exp(x: f64) -> f64 {
    let x = if x < LEAST { LEAST } else { x };
    // e^x = 2^n e^r, r between -log 2 / 2 and log 2 / 2, where 13 terms are all of the series.
    let shifted = x.mul_add(LOG2_E, INTEGERS);
    let n = shifted - INTEGERS;
    let r = n.mul_add(-LOG_2[1], n.mul_add(-LOG_2[0], x));
    let terms = INVERSE_FACTORIALS.iter().rev();
    let series = terms.fold(0.0, |sum: f64, &term| sum.mul_add(r, term));
    series * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::machine::pool;
    use crate::testing::Noise;

    const TOKENS: usize = 9;
    const VOCAB: usize = 211;

    /// [TOKENS, VOCAB]
    fn logits(seed: u64, spread: f32, shift: f32) -> Vec<f32> {
        let mut noise = Noise(seed);
        (0..TOKENS * VOCAB).map(|_| spread * noise.next() + shift).collect()
    }

    fn targets() -> Vec<i32> {
        (0..TOKENS).map(|token| (token * 83 % VOCAB) as i32).collect()
    }

    /// Rows `tokens` of the columns `ids`.
    fn part(logits: &[f32], tokens: Range<usize>, ids: Range<usize>) -> Vec<f32> {
        let rows = tokens.map(|token| &logits[token * VOCAB..(token + 1) * VOCAB]);
        rows.flat_map(|row| row[ids.clone()].to_vec()).collect()
    }

    /// Adds the ranges that begin at `cuts`, each in slices of tokens that begin at `firsts`.
    fn summed(reference: &[f32], models: &[&[f32]], cuts: &[usize], firsts: &[usize]) -> Divergences {
        let control = Control::default();
        let mut sums = Divergences::new(targets(), models.len());
        let ranges = |starts: &[usize], end: usize| -> Vec<Range<usize>> {
            let ends = starts[1..].iter().copied().chain([end]);
            starts.iter().zip(ends).map(|(&start, end)| start..end).collect()
        };
        for ids in ranges(cuts, VOCAB) {
            for tokens in ranges(firsts, TOKENS) {
                let slice = part(reference, tokens.clone(), ids.clone());
                sums.add_reference(tokens.start, ids.start, ids.len(), &slice, &control)
                    .unwrap();
                for (model, logits) in models.iter().enumerate() {
                    let slice = part(logits, tokens.clone(), ids.clone());
                    sums.add(model, &slice, &control).unwrap();
                }
            }
        }
        sums
    }

    /// log p of a row, all at once, by the library's exponentials.
    fn log_softmax(row: &[f32]) -> Vec<f64> {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|&x| (f64::from(x) - f64::from(max)).exp()).sum();
        row.iter().map(|&x| f64::from(x) - f64::from(max) - sum.ln()).collect()
    }

    fn bits(found: &Divergence) -> Vec<u64> {
        let all = [
            &found.divergences,
            &found.reference_losses,
            &found.losses,
            &found.agreements,
        ];
        all.iter()
            .flat_map(|values| values.iter().map(|v| v.to_bits()))
            .collect()
    }

    fn assert_near(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
    }

    /// Whole, in ranges and slices, near the reference or far, far from zero or so far apart that exponentials vanish.
    #[test]
    fn sums_are_those_of_whole_softmaxes() {
        let reference = logits(1, 9.0, 300.0);
        let near: Vec<f32> = reference
            .iter()
            .zip(logits(2, 0.01, -300.0))
            .map(|(a, b)| a + b)
            .collect();
        let far = logits(3, 9.0, -300.0);
        let wide = logits(4, 800.0, 0.0);
        let models = [&near[..], &far[..], &wide[..]];
        for (cuts, firsts) in [
            (&[0][..], &[0][..]),
            (&[0, 1, 64, 65, 130], &[0, 4]),
            (&[0, 200], &[0, 1, 8]),
        ] {
            let sums = summed(&reference, &models, cuts, firsts);
            for (model, logits) in models.iter().enumerate() {
                let found = sums.result(model).unwrap();
                for token in 0..TOKENS {
                    let own = token * VOCAB..(token + 1) * VOCAB;
                    let (p, q) = (log_softmax(&reference[own.clone()]), log_softmax(&logits[own]));
                    let kl: f64 = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum();
                    assert_near(found.divergences[token], kl, 1e-12 * kl.max(1.0));
                    let target = targets()[token] as usize;
                    assert_near(found.reference_losses[token], -p[target], 1e-12);
                    assert_near(found.losses[token], -q[target], 1e-12);
                    let best = |p: &[f64]| (0..VOCAB).rev().max_by(|&i, &j| p[i].total_cmp(&p[j]));
                    assert_eq!(found.agreements[token] == 1.0, best(&p) == best(&q));
                }
            }
        }
    }

    /// KL to second order is half of the variance of the logits' differences: a small one keeps its digits.
    #[test]
    fn a_small_divergence_is_not_lost() {
        let reference = logits(5, 5.0, 0.0);
        // Steps that float32 holds exactly beside any of the logits.
        let steps = logits(6, 1.0, 0.0);
        let model: Vec<f32> = reference
            .iter()
            .zip(&steps)
            .map(|(a, step)| a + (step * 16.0).round() / (1 << 17) as f32)
            .collect();
        let found = summed(&reference, &[&model], &[0, 100], &[0]).result(0).unwrap();
        for token in 0..TOKENS {
            let own = token * VOCAB..(token + 1) * VOCAB;
            let p: Vec<f64> = log_softmax(&reference[own.clone()]).iter().map(|p| p.exp()).collect();
            let d: Vec<f64> = own.map(|i| f64::from(reference[i]) - f64::from(model[i])).collect();
            let mean: f64 = p.iter().zip(&d).map(|(p, d)| p * d).sum();
            let moment = |power: i32| -> f64 { p.iter().zip(&d).map(|(p, d)| p * (d - mean).powi(power)).sum() };
            let expected = moment(2) / 2.0 - moment(3) / 6.0;
            assert!(expected < 1e-7);
            assert_near(found.divergences[token] / expected, 1.0, 1e-5);
        }
    }

    #[test]
    fn a_model_does_not_diverge_from_itself() {
        let reference = logits(7, 20.0, -250.0);
        let found = summed(&reference, &[&reference], &[0, 50, 190], &[0])
            .result(0)
            .unwrap();
        assert!(found.divergences.iter().all(|&kl| kl == 0.0));
        assert!(found.agreements.iter().all(|&agrees| agrees == 1.0));
        assert_eq!(found.losses, found.reference_losses);
    }

    #[test]
    fn the_first_of_equals_is_the_most_probable() {
        let mut reference = vec![0f32; TOKENS * VOCAB];
        let mut model = reference.clone();
        // In token 1 the reference has its maximum twice, in two ranges; the model has it at the second place alone.
        (reference[VOCAB + 70], reference[VOCAB + 150], model[VOCAB + 150]) = (3.0, 3.0, 3.0);
        let found = summed(&reference, &[&model], &[0, 100], &[0]).result(0).unwrap();
        let expected: Vec<f64> = (0..TOKENS).map(|token| if token == 1 { 0.0 } else { 1.0 }).collect();
        assert_eq!(found.agreements, expected);
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let (reference, model) = (logits(8, 9.0, 0.0), logits(9, 9.0, 0.0));
        let found = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bits(&summed(&reference, &[&model], &[0, 77], &[0, 3]).result(0).unwrap()))
        };
        assert_eq!(found(1), found(3));
        let by_default = pool::install(|| bits(&summed(&reference, &[&model], &[0, 77], &[0, 3]).result(0).unwrap()));
        assert_eq!(found(1), by_default);
    }

    /// The loops written out without vector instructions: this processor's must give the same bits.
    #[test]
    fn vector_instructions_do_not_change_a_bit() {
        for width in [1, 15, 16, 64, 200] {
            let (a, b) = (Noise(10).take(width), Noise(11).take(width));
            let mut powers = vec![0.0; width];
            let sum = exponentials(&a, 1.0, &mut powers);
            let (other, difference) = compared(&a, &powers, &b, 1.0);
            let (mut sums, mut others, mut differences) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
            for i in 0..width {
                let (x, y) = (f64::from(a[i]), f64::from(b[i]));
                assert_eq!(powers[i].to_bits(), exp(x - 1.0).to_bits());
                sums[i % LANES] += powers[i];
                others[i % LANES] += exp(y - 1.0);
                differences[i % LANES] = powers[i].mul_add(x - y, differences[i % LANES]);
            }
            let expected = [sums, others, differences].map(|lanes| lanes.iter().sum::<f64>());
            assert_eq!([sum, other, difference], expected);
        }
    }

    #[test]
    fn exponentials_are_those_of_the_library() {
        for i in 0..200_000 {
            let x = -708.0 * f64::from(i) / 2e5;
            assert!((exp(x) / x.exp() - 1.0).abs() <= 4.5e-16, "{x}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-800.0) < 1e-300 && exp(f64::NEG_INFINITY) < 1e-300 && exp(f64::NAN).is_nan());
    }

    #[test]
    fn the_largest_value_is_found_at_its_first_place() {
        for (width, at) in [(1, 0), (63, 62), (64, 0), (65, 64), (200, 199), (200, 100)] {
            let mut row = vec![-1.0; width];
            (row[at], row[width - 1]) = (2.0, 2.0);
            let max = largest(&row);
            assert_eq!((max, first_of(&row, max)), (2.0, at));
        }
        assert_eq!(largest(&[f32::NAN, -3.0]), -3.0);
    }

    /// Only of the token that has one.
    #[test]
    fn a_logit_that_is_not_finite_is_not_hidden() {
        for bad in [f32::NAN, f32::INFINITY] {
            let reference = logits(12, 1.0, 0.0);
            let mut model = reference.clone();
            model[VOCAB + 70] = bad;
            let found = summed(&reference, &[&model], &[0, 100], &[0]).result(0).unwrap();
            for token in 0..TOKENS {
                assert_eq!(found.divergences[token].is_finite(), token != 1);
                assert_eq!(found.losses[token].is_finite(), token != 1);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let control = Control::default();
        let refused = |outcome: Result<()>, why: &str| assert_eq!(outcome, Err(internal(why)));
        let mut sums = Divergences::new(vec![0; 4], 2);
        let row = [0.0; 6];
        refused(
            sums.add(0, &row, &control),
            "the model has not had each of the reference's slices once",
        );
        refused(
            sums.add_reference(0, 0, 0, &row, &control),
            "the logits are not whole rows",
        );
        refused(
            sums.add_reference(0, 0, 4, &row, &control),
            "the logits are not whole rows",
        );
        let beyond = "the logits are of more tokens than there are";
        refused(sums.add_reference(3, 0, 3, &row, &control), beyond);
        sums.add_reference(2, 0, 3, &row, &control).unwrap();
        refused(
            sums.add(0, &row[..5], &control),
            "the model's logits are not as many as the reference's",
        );
        refused(sums.add(2, &row, &control), "no such model is compared");
        sums.add(0, &row, &control).unwrap();
        let twice = "the model has not had each of the reference's slices once";
        refused(sums.add(0, &row, &control), twice);
        assert!(sums.result(0).is_ok());
        assert!(sums.result(1).is_err() && sums.result(2).is_err());
        sums.add_reference(0, 0, 3, &row, &control).unwrap();
        // Model 1 has missed a slice.
        refused(sums.add(1, &row, &control), twice);
        sums.add(0, &row, &control).unwrap();
        control.cancel();
        assert_eq!(sums.add_reference(0, 0, 3, &row, &control), Err(Error::Cancelled {}));
        assert_eq!(sums.add(1, &row, &control).unwrap_err(), internal(twice));
    }
}
