import { TamisError } from '../../contract/errors.ts';
import type { Scheduler } from '../../contract/recipe.ts';
import { byName, highest, meetTarget } from './budget.ts';
import type { LayerStatistics } from './estimates.ts';
import { GROWTH_SPARSITY, SENSITIVITY_SPARSITY } from './needs.ts';
import type { LayerSize, Schedule } from './types.ts';

/**
 * How far the sensitivities are believed: 1 wholly, 0 not at all. They were measured with all other layers dense, and what one layer
 * costs in a model that has lost much elsewhere differs less from what another does (docs/scheduling.md).
 */
const SENSITIVITY_POWER = 0.5;

/**
 * Minimises Σ weights * (sensitivity / weights)^0.5 * curve(s) / curve(0.7) over the layers under the target, every sparsity within ±
 * range of it; each curve is bent so that it grows from 0.7 to 0.9 as the layer's error was measured to. The curves are convex, so that
 * one multiplier on the sparsity decides: each layer is pruned until a further weight costs as much as everywhere else. The multiplier is
 * found by bisection.
 *
 * A layer of which 70 % costs nothing, because that much is zeros, was measured with nothing changed: what more would cost is not
 * known. It has the target, or what costs nothing where that is more.
 * @param sensitivities by layer name
 * @param growths by layer name: its error at 0.9, as a multiple of that at 0.7
 * @param target wanted mean sparsity over all weights
 * @throws schedule.out-of-reach
 */
export function allocateSchedule(
  layers: readonly LayerSize[],
  statistics: Readonly<Record<string, LayerStatistics>>,
  sensitivities: Readonly<Record<string, number>>,
  growths: Readonly<Record<string, number>>,
  { range }: Extract<Scheduler, { kind: 'allocate' }>,
  target: number,
): Schedule {
  const costs = layers.map(({ name, weights }) => {
    const measured = statistics[name];
    const sensitivity = sensitivities[name];
    const growth = growths[name];
    if (measured === undefined || sensitivity === undefined || growth === undefined)
      throw new RangeError(`nothing measured of layer ${name}`);
    return marginalCost(bent(measured.curve, growth), (sensitivity / weights) ** SENSITIVITY_POWER, target);
  });
  const bounds = { min: Math.max(0, target - range), max: Math.min(highest, target + range) };
  if (target > bounds.max)
    throw new TamisError('schedule.out-of-reach', { target, least: bounds.min, most: bounds.max });
  const most = Math.max(...costs.map(({ at }) => at.at(-1) ?? NaN));
  const sparsities = meetTarget(layers, target, bounds, [-1, most], (multiplier) =>
    costs.map((cost) => sparsityAt(cost, multiplier)),
  );
  return { sparsities: byName(layers, sparsities), groups: {}, centroids: [], estimate: 'measured' };
}

/**
 * A curve of saliencies takes the weights for independent of each other, which they are the less the fewer are left. This is the curve
 * times a power of the sparsity's distance from 0.7, such that it grows from there to 0.9 by `growth`.
 * @param curve at the sparsities 0, 1/n … 1; as it is where it is 0 at 0.7
 */
function bent(curve: readonly number[], growth: number): readonly number[] {
  const n = curve.length - 1;
  const [unit = NaN, further = NaN] = [SENSITIVITY_SPARSITY, GROWTH_SPARSITY].map((s) => curve[Math.round(n * s)]);
  if (unit === 0) return curve;
  const factor = (growth * unit) / further;
  const exponent = (k: number): number => (k / n - SENSITIVITY_SPARSITY) / (GROWTH_SPARSITY - SENSITIVITY_SPARSITY);
  return curve.map((loss, k) => loss * factor ** exponent(k));
}

/** What one more pruned weight costs at a sparsity: the cost at each place of `sparsity`, straight lines between them. */
interface MarginalCost {
  /** Ascending, from 0 to the highest that the layer is given. */
  readonly sparsity: readonly number[];
  /** From 0, never falling. */
  readonly at: readonly number[];
}

/**
 * The derivative of `scale * curve(s) / curve(0.7)`. Between two samples of the curve its mean is the derivative in the middle.
 * @param curve loss of the least salient fraction s = 0, 1/n … 1
 */
function marginalCost(curve: readonly number[], scale: number, target: number): MarginalCost {
  const n = curve.length - 1;
  const unit = curve[Math.round(n * SENSITIVITY_SPARSITY)] ?? NaN;
  if (unit === 0) return { sparsity: [0, Math.max(target, curve.lastIndexOf(0) / n)], at: [0, 0] };
  const factor = scale / unit;
  const slopes = Array.from({ length: n }, (_, k) => factor * n * ((curve[k + 1] ?? NaN) - (curve[k] ?? NaN)));
  const [last = 0, before = 0] = [slopes.at(-1), slopes.at(-2)];
  const at = [0, ...slopes, last + (last - before) / 2];
  const sparsity = [0, ...slopes.map((_, k) => (k + 0.5) / n), 1];
  // Rounding may let the curve seem not convex where it is straight.
  let highestSoFar = 0;
  return { sparsity, at: at.map((cost) => (highestSoFar = Math.max(highestSoFar, cost))) };
}

/** The largest sparsity whose marginal cost is not above the multiplier. */
function sparsityAt({ sparsity, at }: MarginalCost, multiplier: number): number {
  const above = at.findIndex((cost) => cost > multiplier);
  if (above === -1) return sparsity.at(-1) ?? NaN;
  if (above === 0) return 0;
  const [low = NaN, high = NaN] = [at[above - 1], at[above]];
  const [from = NaN, to = NaN] = [sparsity[above - 1], sparsity[above]];
  return from + ((multiplier - low) / (high - low)) * (to - from);
}
