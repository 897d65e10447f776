import type { Candidate, Choice } from '../../contract/report.ts';
import { isClearlyBetter } from '../../contract/words.ts';
import type { Targets } from '../../contract/recipe/targets.ts';
import { mean, standardError } from './mean.ts';
import { schedulesToTry } from './needs.ts';

/** Mean negative log-likelihood of each sequence held back, nats a token. */
export type Losses = readonly number[];
type Judged = Pick<Choice, 'candidates' | 'margin' | 'chosen'>;

/**
 * Student's t at 99.5 %, one side, by degrees of freedom from 1 on. So a schedule that does no better than uniform passes for better
 * in one of 200 trials, and one of four in four of 200 at most.
 */
const student = [
  63.66, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.25, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947,
];

/**
 * Which of the schedules is taken: uniform, unless others are better on the sequences held back by more than these differ among each
 * other (a paired t-test); of those the one with the lowest perplexity.
 * @param trials in the order of `schedulesToTry`, all with these targets; null where one came to values that are not finite
 */
export function judgeSchedules(trials: readonly (Losses | null)[], targets: Targets): Judged {
  const [uniform] = trials;
  if (!uniform) throw new RangeError('uniform was not tried');
  const margin = marginOf(uniform);
  const judged = schedulesToTry.map((schedule, i): Candidate => {
    const losses = trials[i] ?? null;
    return { ...schedule, targets, ...trialOf(losses, i > 0 ? uniform : null) };
  });
  return { candidates: judged, margin, chosen: lowestOfClear(judged, margin) };
}

/** Adds the schedule that was taken with dense targets, one more that may take the place of uniform: of those better by the same test the lowest. */
export function judgeTargets(choice: Judged, uniform: Losses, dense: Losses | null): Judged {
  const { candidates, margin, chosen } = choice;
  const taken = candidates[chosen];
  if (taken === undefined) throw new RangeError('no schedule was taken');
  const judged: Candidate[] = [...candidates, { ...taken, targets: 'dense', ...trialOf(dense, uniform) }];
  return { candidates: judged, margin, chosen: lowestOfClear(judged, margin) };
}

/** The place of the one with the lowest perplexity, of uniform, the first, and those that are clearly better; of equals the first. */
function lowestOfClear(candidates: readonly Candidate[], margin: number | null): number {
  const takeable = candidates.filter((candidate, i) => i === 0 || isClearlyBetter(candidate, margin));
  return candidates.indexOf(
    takeable.reduce((a, b) => ((b.perplexity ?? Infinity) < (a.perplexity ?? Infinity) ? b : a)),
  );
}

function marginOf({ length }: Losses): number | null {
  return student[Math.min(length - 2, student.length - 1)] ?? null;
}

/** What a trial came to, and how far from another. */
function trialOf(losses: Losses | null, other: Losses | null): Pick<Candidate, 'perplexity' | 'difference'> {
  return {
    perplexity: losses && Math.exp(mean(losses)),
    difference: losses && other && difference(losses, other),
  };
}

/** The mean over the sequences and its standard error. */
function difference(losses: Losses, others: Losses): Candidate['difference'] {
  const differences = losses.map((loss, i) => loss - (others[i] ?? NaN));
  const error = standardError(differences);
  return error === null ? null : { mean: mean(differences), standardError: error };
}
