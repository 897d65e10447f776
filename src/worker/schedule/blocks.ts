import { TamisError } from '../../contract/errors.ts';
import { highest, meetTarget, shiftToTarget, spread, ungrouped } from './budget.ts';
import type { LayerSize, Schedule } from './types.ts';

/** Every layer at the target. */
export function uniformSchedule(layers: readonly LayerSize[], target: number): Schedule {
  return ungrouped(
    layers,
    layers.map(() => target),
  );
}

/**
 * OWL (arXiv 2310.05175): the larger a block's share of outliers D, the less of it is pruned. r = 2λ (D - min D) / (max D - min D),
 * s = 1 - (r - mean r + 1 - target); then all blocks are shifted alike where their sizes differ.
 * @param outliers D of each block, percent
 */
export function owlSchedule(
  layers: readonly LayerSize[],
  outliers: readonly number[],
  lambda: number,
  target: number,
): Schedule {
  const [least, most] = [Math.min(...outliers), Math.max(...outliers)];
  const r = outliers.map((d) => (most > least ? (2 * lambda * (d - least)) / (most - least) : 0));
  const mean = r.reduce((sum, value) => sum + value, 0) / r.length;
  const blocks = r.map((value) => 1 - (value - mean + 1 - target));
  return ungrouped(layers, shiftToTarget(layers, target, { min: 0, max: highest }, spread(layers, blocks)));
}

/**
 * AlphaPruning (arXiv 2410.10912): a block's sparsity is proportional to its mean power-law exponent, mapped linearly to
 * [1 - ε, 1 + ε]; one factor makes the mean the target, what is cut off at 0.99 goes to the others.
 * @param alphas Hill estimate of each layer's spectrum
 */
export function alphaSchedule(
  layers: readonly LayerSize[],
  alphas: Readonly<Record<string, number>>,
  epsilon: number,
  target: number,
): Schedule {
  const means = blockMeans(layers, alphas);
  const [least, most] = [Math.min(...means), Math.max(...means)];
  const shares = means.map((alpha) =>
    most > least ? 1 - epsilon + (2 * epsilon * (alpha - least)) / (most - least) : 1,
  );
  const share = spread(layers, shares);
  const bounds = { min: 0, max: highest };
  // With ε = 1 a block's share is 0: it stays dense, however large the factor.
  const largest = highest / Math.min(...share.filter((value) => value > 0));
  return ungrouped(
    layers,
    meetTarget(layers, target, bounds, [0, largest], (factor) => share.map((value) => factor * value)),
  );
}

function blockMeans(layers: readonly LayerSize[], values: Readonly<Record<string, number>>): number[] {
  const sums: number[] = [];
  const counts: number[] = [];
  for (const { name, block } of layers) {
    const value = values[name];
    if (value === undefined) throw new RangeError(`no value for layer ${name}`);
    sums[block] = (sums[block] ?? 0) + value;
    counts[block] = (counts[block] ?? 0) + 1;
  }
  return sums.map((total, block) => total / (counts[block] ?? NaN));
}

/**
 * An arithmetic progression over the L blocks: s_i = target - β (L - 1) / 2 + i β. Blocks of unequal size are shifted alike.
 * @param beta null = half of the largest that keeps every sparsity in [0, 1], min(2 target, 2 (1 - target)) / (L - 1)
 * @throws schedule.beta where |β| is larger than that
 */
export function atpSchedule(layers: readonly LayerSize[], beta: number | null, target: number): Schedule {
  const blocks = Math.max(...layers.map(({ block }) => block)) + 1;
  const largest = blocks > 1 ? Math.min(2 * target, 2 * (1 - target)) / (blocks - 1) : 0;
  const step = beta ?? largest / 2;
  if (Math.abs(step) > largest) {
    throw new TamisError('schedule.beta', { beta: step, largest: Number(largest.toPrecision(6)), blocks, target });
  }
  const progression = Array.from({ length: blocks }, (_, i) => target - (step * (blocks - 1)) / 2 + i * step);
  return ungrouped(layers, shiftToTarget(layers, target, { min: 0, max: highest }, spread(layers, progression)));
}
