import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { errorOf } from '../../contract/failure.ts';
import { denseRefusal, PERPLEXITY_SLOPE, sparsityOf } from '../../contract/fit.ts';
import type { Perplexity } from '../../contract/report.ts';
import { step, type Run } from '../run/run.ts';
import { leavesTarget, SENSITIVITY_SPARSITY } from '../schedule/needs.ts';
import type { Statistics } from './estimate.ts';
import { scheduleOf } from './schedule-layers.ts';

/** Refuses a perplexity that the dense model does not have itself. */
export function assertInReach({ recipe }: Run, dense: readonly Perplexity[]): void {
  const refusal = denseRefusal(recipe.fit, dense[0]);
  if (refusal) throw errorOf(refusal);
}

/**
 * The run with its target. One that the recipe leaves to a perplexity is where the sensitivities say that it is reached: the
 * logarithm of the perplexity is taken to rise by the sum of what the pruned layers add.
 */
export async function decideTarget(
  run: Run,
  statistics: Statistics | null,
  dense: readonly Perplexity[],
): Promise<Run> {
  const { recipe } = run;
  if (recipe.fit?.kind !== 'perplexity' || !leavesTarget(recipe)) return run;
  const rise = Math.log(recipe.fit.perplexity / (dense[0]?.perplexity ?? NaN));
  if (statistics === null) throw new Error('a target needs sensitivities');
  const { value: sparsity } = await step(run, 'target', z.number(), () =>
    Promise.resolve(
      sparsityOf((target) => predictedRise(statistics.sensitivities, sparsitiesAt(run, statistics, target)), rise),
    ),
  );
  return { ...run, recipe: { ...recipe, sparsity } };
}

/** What the recipe's scheduler makes of a target; uniform for `auto`, and where it cannot make anything of it. */
function sparsitiesAt(run: Run, statistics: Statistics, sparsity: number): Readonly<Record<string, number>> {
  const { scheduler } = run.recipe;
  const aimed = { ...run, recipe: { ...run.recipe, sparsity } };
  const uniform = { kind: 'uniform' } as const;
  try {
    return scheduleOf(aimed, statistics, scheduler.kind === 'auto' ? uniform : scheduler).sparsities;
  } catch (error) {
    if (error instanceof TamisError) return scheduleOf(aimed, statistics, uniform).sparsities;
    throw error;
  }
}

/**
 * Nats a token: of each layer its sensitivity at 70 %, at another sparsity in the proportion in which perplexities rise. The saliency
 * curve rises too slowly above 70 %, and falls too slowly below it, because one layer's error adds to another's.
 */
export function predictedRise(
  sensitivities: Readonly<Record<string, number>>,
  sparsities: Readonly<Record<string, number>>,
): number {
  return Object.entries(sensitivities).reduce((sum, [name, sensitivity]) => {
    return sum + sensitivity * Math.exp(PERPLEXITY_SLOPE * ((sparsities[name] ?? 0) - SENSITIVITY_SPARSITY));
  }, 0);
}
