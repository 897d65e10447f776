//! Which weights are pruned.

use crate::backend::sweep::Pruned;
use crate::error::Result;
use crate::weights::selection::{nth_smallest, smallest};

/// What a layer is pruned to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pattern {
    /// A share of the weights, 0 to 1.
    Sparsity(f64),
    /// `n` pruned of every `m` neighbours in a row (n counts the pruned, as in SparseGPT).
    NofM { n: usize, m: usize },
}

impl Pattern {
    /// Which weights of a block of `count` are pruned.
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
