//! Which weights are pruned.

use rayon::prelude::*;

use crate::error::Result;

/// What a layer is pruned to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pattern {
    /// A share of the weights, 0 to 1.
    Sparsity(f64),
    /// `n` pruned of every `m` neighbours in a row (n counts the pruned, as in SparseGPT).
    NofM { n: usize, m: usize },
}

/// What of a block is pruned, by the saliency of its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pruned {
    Nothing,
    All,
    /// Everything up to the weight of this 0-based rank, all rows together.
    UpToRank(usize),
    /// In each row the `n` least salient of every `m`, when the sweep comes to them.
    NofM {
        n: usize,
        m: usize,
    },
}

impl Pattern {
    /// Of a block of `count` weights.
    pub fn pruned(self, count: usize) -> Pruned {
        match self {
            Self::NofM { n, m } => Pruned::NofM { n, m },
            Self::Sparsity(sparsity) if sparsity >= 1.0 => Pruned::All,
            Self::Sparsity(sparsity) => rank(sparsity, count).map_or(Pruned::Nothing, Pruned::UpToRank),
        }
    }
}

/// SparseGPT's rule for `count` scores: everything up to the one of 0-based rank min(floor(sparsity * count), count - 1) is pruned.
fn rank(sparsity: f64, count: usize) -> Option<usize> {
    (sparsity > 0.0 && count > 0).then(|| ((sparsity * count as f64) as usize).min(count - 1))
}

/// Bits of a float32 that the first pass of the selection looks at: the exponent and four of the mantissa.
const HISTOGRAM_BITS: u32 = 12;
const SHIFT: u32 = 31 - HISTOGRAM_BITS;

/// The threshold of SparseGPT's rule for `count` scores, up to which everything is pruned; below every score where nothing is.
///
/// `visit(part, sink)` hands the scores (not negative) of one of `parts` parts to `sink`, the same ones each time. Errors: those of
/// `visit`.
pub fn threshold<V>(sparsity: f64, count: usize, parts: usize, visit: V) -> Result<f32>
where
    V: Fn(usize, &mut dyn FnMut(&[f32])) -> Result<()> + Sync,
{
    match rank(sparsity, count) {
        Some(rank) => nth_smallest(rank, parts, visit),
        None => Ok(-1.0),
    }
}

/// The bits of floats that are not negative are in the order of the floats; NaN, of either sign, comes last.
fn order(score: f32) -> u32 {
    score.abs().to_bits()
}

/// The entry of 0-based `rank` in ascending order, found by a histogram of the leading bits and a selection in one of its bins.
pub fn nth_smallest<V>(rank: usize, parts: usize, visit: V) -> Result<f32>
where
    V: Fn(usize, &mut dyn FnMut(&[f32])) -> Result<()> + Sync,
{
    let bin_of = |score: f32| (order(score) >> SHIFT) as usize;
    let histogram = |part: usize| {
        let mut counts = vec![0u32; 1 << HISTOGRAM_BITS];
        visit(part, &mut |scores| {
            scores.iter().for_each(|&score| counts[bin_of(score)] += 1)
        })?;
        Ok(counts)
    };
    let counts: Vec<Vec<u32>> = (0..parts).into_par_iter().map(histogram).collect::<Result<_>>()?;
    let mut below = 0;
    let mut bin = 0;
    loop {
        let here: usize = counts.iter().map(|part| part[bin] as usize).sum();
        if below + here > rank {
            break;
        }
        below += here;
        bin += 1;
    }
    let members = |part: usize| {
        let mut members = Vec::with_capacity(counts[part][bin] as usize);
        let is_member = |score: &&f32| bin_of(**score) == bin;
        visit(part, &mut |scores| {
            members.extend(scores.iter().filter(is_member).map(|&score| order(score)))
        })?;
        Ok(members)
    };
    let candidates: Vec<Vec<u32>> = (0..parts).into_par_iter().map(members).collect::<Result<_>>()?;
    Ok(f32::from_bits(*candidates.concat().select_nth_unstable(rank - below).1))
}

/// Marks the `count` smallest of `scores` in `pruned`, the first of equals first.
pub fn smallest(scores: &[f32], count: usize, ranking: &mut Vec<u32>, pruned: &mut [bool]) {
    pruned.fill(false);
    if count == 0 {
        return;
    }
    ranking.clear();
    ranking.extend(0..scores.len() as u32);
    let key = |&i: &u32| (order(scores[i as usize]), i);
    ranking.select_nth_unstable_by_key(count - 1, key);
    for &i in &ranking[..count] {
        pruned[i as usize] = true;
    }
}

/// Marks the pruned of one row by its scores: per row the floor(sparsity * cols) smallest, or n of every m.
pub fn mark_row(pattern: Pattern, scores: &[f32], ranking: &mut Vec<u32>, pruned: &mut [bool]) {
    match pattern {
        Pattern::Sparsity(sparsity) => smallest(scores, (sparsity * scores.len() as f64) as usize, ranking, pruned),
        Pattern::NofM { n, m } => {
            for (scores, pruned) in scores.chunks(m).zip(pruned.chunks_mut(m)) {
                smallest(scores, n.min(scores.len()), ranking, pruned);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<f32> {
        let mut state = 1u64;
        let mut next = || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1 << 24) as f32
        };
        // Of many magnitudes, with ties and zeros.
        (0..count)
            .map(|i| {
                if i % 7 == 0 {
                    (next() * 4.0).floor()
                } else {
                    (next() * 20.0 - 10.0).exp()
                }
            })
            .collect()
    }

    #[test]
    fn nth_smallest_is_what_sorting_gives() {
        let scores = noise(10_007);
        let mut sorted = scores.clone();
        sorted.sort_by(f32::total_cmp);
        for rank in (0..scores.len()).step_by(13).chain([scores.len() - 1]) {
            let found = nth_smallest(rank, 8, |part, sink| {
                scores.chunks(1251).nth(part).into_iter().for_each(&mut *sink);
                Ok(())
            });
            assert_eq!(found, Ok(sorted[rank]), "rank {rank}");
        }
    }

    #[test]
    fn threshold_follows_the_rank_rule() {
        let visit = |_, sink: &mut dyn FnMut(&[f32])| {
            sink(&[4.0, 1.0, 3.0, 2.0]);
            Ok(())
        };
        let at = |sparsity| threshold(sparsity, 4, 1, visit).unwrap();
        assert_eq!(
            [at(0.0), at(0.1), at(0.25), at(0.5), at(0.99), at(1.0)],
            [-1.0, 1.0, 2.0, 3.0, 4.0, 4.0]
        );
    }

    #[test]
    fn rows_prune_exactly_and_ties_go_to_the_first() {
        let (mut order, mut pruned) = (Vec::new(), [false; 8]);
        let scores = [1.0, 0.5, 0.5, 0.5, 2.0, 2.0, 2.0, 2.0];
        mark_row(Pattern::Sparsity(0.3), &scores, &mut order, &mut pruned);
        assert_eq!(pruned, [false, true, true, false, false, false, false, false]);
        mark_row(Pattern::NofM { n: 2, m: 4 }, &scores, &mut order, &mut pruned);
        assert_eq!(pruned, [false, true, true, false, true, true, false, false]);
        mark_row(Pattern::Sparsity(0.0), &scores, &mut order, &mut pruned);
        assert_eq!(pruned, [false; 8]);
    }
}
