//! The smallest of many scores.

use rayon::prelude::*;

use crate::error::Result;

/// Bits of a float32 that the first pass of the selection looks at: the exponent and four of the mantissa.
const HISTOGRAM_BITS: u32 = 12;
const SHIFT: u32 = 31 - HISTOGRAM_BITS;

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
        // Scores of many magnitudes, with ties and zeros.
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
}
