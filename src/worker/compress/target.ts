import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { errorOf } from '../../contract/failure.ts';
import { denseRefusal, sparsityOf } from '../../contract/fit.ts';
import type { Perplexity } from '../../contract/report.ts';
import { step, type Run } from '../run/run.ts';
import { leavesTarget, SENSITIVITY_SPARSITY } from '../schedule/needs.ts';
import type { LayerStatistics } from '../schedule/estimates.ts';
import type { Statistics } from './estimate.ts';
import { scheduleOf } from './schedule-layers.ts';

/** Refuses a perplexity that the dense model does not have itself. */
export function assertInReach({ recipe }: Run, dense: readonly Perplexity[]): void {
  const refusal = denseRefusal(recipe.fit, dense[0]);
  if (refusal) throw errorOf(refusal);
}

/**
 * The run with its target. One that the recipe leaves to a perplexity is where the sensitivities say that it is reached: the
 * logarithm of the perplexity is taken to rise by the sum of what the layers add, each its sensitivity at 70 %, at another sparsity
 * in proportion to its curve.
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
    Promise.resolve(sparsityOf((target) => predictedRise(statistics, sparsitiesAt(run, statistics, target)), rise)),
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

/** Σ sensitivity * curve(s) / curve(0.7): nats a token. */
export function predictedRise(
  { layers, sensitivities }: Pick<Statistics, 'layers' | 'sensitivities'>,
  sparsities: Readonly<Record<string, number>>,
): number {
  return Object.entries(sensitivities).reduce((sum, [name, sensitivity]) => {
    const curve = layers[name]?.curve ?? [];
    const unit = curveAt(curve, SENSITIVITY_SPARSITY);
    return sum + (unit > 0 ? (sensitivity * curveAt(curve, sparsities[name] ?? 0)) / unit : 0);
  }, 0);
}

/** A straight line between the samples. */
function curveAt(curve: LayerStatistics['curve'], sparsity: number): number {
  const at = sparsity * (curve.length - 1);
  const below = Math.min(curve.length - 2, Math.floor(at));
  const [low = NaN, high = NaN] = [curve[below], curve[below + 1]];
  return low + (at - below) * (high - low);
}
