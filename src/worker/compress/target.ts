import { TamisError } from '../../contract/errors.ts';
import { errorOf } from '../../contract/failure.ts';
import {
  beginSize,
  denseRefusal,
  nextSparsity,
  PERPLEXITY_SLOPE,
  sparsityOf,
  targets,
  withTrial,
} from '../../contract/goal.ts';
import { valueOf, type DatasetResult } from '../../contract/measured.ts';
import type { Goal } from '../../contract/recipe.ts';
import { targetSchema, type Foreseen, type Target } from '../../contract/report.ts';
import { sizeRelations } from '../plan/packed.ts';
import { step, type Run } from '../run/run.ts';
import { bitsToChoose, leavesTarget, SENSITIVITY_SPARSITY } from '../schedule/needs.ts';
import type { Statistics } from './estimate.ts';
import { scheduleOf } from './schedule-layers.ts';

/** Refuses a perplexity that the dense model does not have itself. */
export function assertInReach({ recipe }: Run, dense: readonly DatasetResult[]): void {
  const refusal = denseRefusal(recipe.fit, dense);
  if (refusal) throw errorOf(refusal);
}

/** The run with the target, and the bits, that its recipe leaves to what it is to come to: from the sensitivities. */
export async function decideTarget(
  run: Run,
  statistics: Statistics | null,
  dense: readonly DatasetResult[],
): Promise<{ run: Run; target: Target | null }> {
  const { fit } = run.recipe;
  if (fit === null || !leavesTarget(run.recipe)) return { run, target: null };
  if (statistics === null) throw new Error('a target needs sensitivities');
  const { value: target } = await step(run, 'target', targetSchema, () =>
    Promise.resolve(
      fit.kind === 'size'
        ? sizeTarget(run, statistics, fit)
        : perplexityTarget(run, statistics, Math.log(fit.perplexity / densePerplexity(dense))),
    ),
  );
  run.emit({ type: 'target', target });
  return { run: { ...run, recipe: withTrial(run.recipe, target) }, target };
}

/** On the first dataset. */
function densePerplexity([first]: readonly DatasetResult[]): number {
  return (first && valueOf(first, 'perplexity')) ?? NaN;
}

/** Where the logarithm of the perplexity is foreseen to rise by so much: by the sum of what the pruned layers add. */
function perplexityTarget(run: Run, statistics: Statistics, rise: number): Target {
  const sparsity = sparsityOf((target) => foreseenRise(run, statistics, target), rise);
  return { sparsity, bits: run.recipe.quantization?.bits ?? null, foreseen: [] };
}

/** Bits that leave less than this to be pruned are not chosen: with an archive smaller than foreseen they would miss the size. */
const LEAST_CHOSEN = 0.2;

/** The bits that are foreseen to cost least together with the sparsity that they need, among all with which the size can be reached. */
function sizeTarget(run: Run, statistics: Statistics, fit: Goal): Target {
  const { recipe, model } = run;
  const relationAt = sizeRelations(recipe, model);
  const foreseen = bitsToChoose(recipe).map((bits): Foreseen => {
    const sparsity = nextSparsity(fit, relationAt(bits), []);
    const rise = foreseenRise(run, statistics, sparsity) + (statistics.quantized[bits] ?? NaN);
    return { bits, sparsity, rise };
  });
  const [best] = foreseen
    .filter(({ sparsity }) => sparsity > LEAST_CHOSEN && sparsity < targets.most)
    .sort((a, b) => a.rise - b.rise);
  const { bits, sparsity } = best ?? beginSize(fit, relationAt, recipe.quantization?.bits ?? null);
  return { bits, sparsity, foreseen };
}

function foreseenRise(run: Run, statistics: Statistics, sparsity: number): number {
  return predictedRise(statistics.sensitivities, sparsitiesAt(run, statistics, sparsity));
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
