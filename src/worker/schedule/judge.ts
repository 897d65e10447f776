import type { Candidate, Choice } from '../../contract/report.ts';
import { isClearlyBetter } from '../../contract/words.ts';
import { mean, standardError } from './mean.ts';
import { candidates } from './needs.ts';

/** Mean negative log-likelihood of each sequence held back, nats a token. */
export type Losses = readonly number[];

/**
 * Student's t at 99.5 %, one side, by degrees of freedom from 1 on. So a schedule that does no better than uniform passes for better
 * in one of 200 trials, and one of two in one of 100 at most.
 */
const student = [
  63.66, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.25, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947,
];

/**
 * Which of the candidates is taken: uniform, unless others are better on the sequences held back by more than these differ among each
 * other (a paired t-test); of those the one with the lowest perplexity.
 * @param trials in the order of `candidates`; null where one came to values that are not finite
 */
export function judge(trials: readonly (Losses | null)[]): Pick<Choice, 'candidates' | 'margin' | 'chosen'> {
  const [uniform] = trials;
  if (!uniform) throw new RangeError('uniform was not tried');
  const margin = student[Math.min(uniform.length - 2, student.length - 1)] ?? null;
  const judged = candidates.map((candidate, i): Candidate => {
    const losses = trials[i] ?? null;
    const perplexity = losses && Math.exp(mean(losses));
    return { ...candidate, perplexity, difference: i > 0 && losses ? difference(losses, uniform) : null };
  });
  const takeable = judged.filter((candidate, i) => i === 0 || isClearlyBetter(candidate, margin));
  const best = takeable.reduce((a, b) => ((b.perplexity ?? Infinity) < (a.perplexity ?? Infinity) ? b : a));
  return { candidates: judged, margin, chosen: judged.indexOf(best) };
}

/** The mean over the sequences and its standard error. */
function difference(losses: Losses, uniform: Losses): Candidate['difference'] {
  const differences = losses.map((loss, i) => loss - (uniform[i] ?? NaN));
  const error = standardError(differences);
  return error === null ? null : { mean: mean(differences), standardError: error };
}
