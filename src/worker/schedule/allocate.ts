import { TamisError } from '../../contract/errors.ts';
import type { Scheduler } from '../../contract/recipe.ts';
import { byName, highest, meetTarget } from './budget.ts';
import type { LayerStatistics } from './estimates.ts';
import { SENSITIVITY_SPARSITY } from './needs.ts';
import type { LayerSize, Schedule } from './types.ts';

/**
 * Minimises Σ sensitivity * curve(s) / curve(0.7) over the layers under the target, every sparsity within ± range of it. The curves
 * are convex, so that one multiplier on the sparsity decides: each layer is pruned until a further weight costs as much as
 * everywhere else. The multiplier is found by bisection.
 * @param sensitivities by layer name
 * @param target wanted mean sparsity over all weights
 * @throws schedule.out-of-reach
 */
export function allocateSchedule(
  layers: readonly LayerSize[],
  statistics: Readonly<Record<string, LayerStatistics>>,
  sensitivities: Readonly<Record<string, number>>,
  { range }: Extract<Scheduler, { kind: 'allocate' }>,
  target: number,
): Schedule {
  const costs = layers.map(({ name, weights }) => {
    const measured = statistics[name];
    const sensitivity = sensitivities[name];
    if (measured === undefined || sensitivity === undefined) throw new RangeError(`nothing measured of layer ${name}`);
    return marginalCost(measured.curve, sensitivity / weights);
  });
  const bounds = { min: Math.max(0, target - range), max: Math.min(highest, target + range) };
  if (target > bounds.max)
    throw new TamisError('schedule.out-of-reach', { target, least: bounds.min, most: bounds.max });
  const positive = costs.flatMap(({ at }) => at.filter((cost) => cost > 0));
  const ends = [Math.log(Math.min(1, ...positive)) - 1, Math.log(Math.max(1e-300, ...positive)) + 1] as const;
  const sparsities = meetTarget(layers, target, bounds, ends, (logMultiplier) =>
    costs.map((cost) => sparsityAt(cost, Math.exp(logMultiplier))),
  );
  return { sparsities: byName(layers, sparsities), groups: {}, centroids: [], estimate: 'measured' };
}

/** What one more pruned weight costs at a sparsity: the cost at each place of `sparsity`, straight lines between them. */
interface MarginalCost {
  /** Ascending, from 0 to 1. */
  readonly sparsity: readonly number[];
  /** Strictly ascending. */
  readonly at: readonly number[];
}

/** So steep is the cost where the curve is flat (zeros, that cost nothing), as a share of its mean: sparsities stay unique. */
const TILT = 1e-9;

/**
 * The derivative of `scale * curve(s) / curve(0.7)`. Between two samples of the curve its mean is the derivative in the middle.
 * @param curve loss of the least salient fraction s = 0, 1/n … 1
 */
function marginalCost(curve: readonly number[], scale: number): MarginalCost {
  const n = curve.length - 1;
  const unit = curve[Math.round(n * SENSITIVITY_SPARSITY)] ?? NaN;
  const factor = unit > 0 ? scale / unit : 0;
  const slopes = Array.from({ length: n }, (_, k) => factor * n * ((curve[k + 1] ?? NaN) - (curve[k] ?? NaN)));
  const [last = 0, before = 0] = [slopes.at(-1), slopes.at(-2)];
  const at = [0, ...slopes, last + (last - before) / 2];
  const sparsity = [0, ...slopes.map((_, k) => (k + 0.5) / n), 1];
  const tilt = TILT * Math.max(1e-300, factor * (curve[n] ?? NaN));
  let highestSoFar = 0;
  return {
    sparsity,
    at: at.map((cost, i) => (highestSoFar = Math.max(highestSoFar, cost)) + tilt * (sparsity[i] ?? NaN)),
  };
}

/** The sparsity whose marginal cost is the multiplier. */
function sparsityAt({ sparsity, at }: MarginalCost, multiplier: number): number {
  const above = at.findIndex((cost) => cost > multiplier);
  if (above === -1) return 1;
  if (above === 0) return 0;
  const [low = NaN, high = NaN] = [at[above - 1], at[above]];
  const [from = NaN, to = NaN] = [sparsity[above - 1], sparsity[above]];
  return from + ((multiplier - low) / (high - low)) * (to - from);
}
