import { TamisError } from '../../contract/errors.ts';
import type { LayerSize, Schedule } from './types.ts';

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Highest sparsity that `owl`, `alpha` and `allocate` give a layer; AlphaPruning's bound (method.md, section 7). */
export const highest = 0.99;

/** How far a weighted mean may be off for rounding alone. */
const rounding = 1e-12;

/** Mean sparsity over all weights: Σ weights * sparsity / Σ weights. `sparsities` is in the order of `layers`. */
export function weightedMean(layers: readonly LayerSize[], sparsities: readonly number[]): number {
  let pruned = 0;
  let weights = 0;
  layers.forEach((layer, i) => {
    pruned += layer.weights * (sparsities[i] ?? 0);
    weights += layer.weights;
  });
  return pruned / weights;
}

/**
 * The sparsities `at(x)`, clamped to [min, max], whose weighted mean is the target. Found by bisection to the last bit; where they
 * jump past the target, all jump by the same share of their way.
 * @param at sparsities in the order of `layers`; none may fall as x grows from `low` to `high`
 * @throws schedule.out-of-reach where the mean is above the target at `low` or below it at `high`
 */
export function meetTarget(
  layers: readonly LayerSize[],
  target: number,
  { min, max }: Bounds,
  [low, high]: readonly [number, number],
  at: (x: number) => readonly number[],
): number[] {
  const clamped = (x: number): number[] => at(x).map((s) => Math.min(max, Math.max(min, s)));
  const least = weightedMean(layers, clamped(low));
  const most = weightedMean(layers, clamped(high));
  if (target < least - rounding || target > most + rounding)
    throw new TamisError('schedule.out-of-reach', { target, least, most });
  let [below, above] = [low, high];
  for (let middle = (below + above) / 2; middle > below && middle < above; middle = (below + above) / 2) {
    if (weightedMean(layers, clamped(middle)) < target) below = middle;
    else above = middle;
  }
  const [under, over] = [clamped(below), clamped(above)];
  const [lower, upper] = [weightedMean(layers, under), weightedMean(layers, over)];
  if (upper - target <= rounding) return over;
  const share = (target - lower) / (upper - lower);
  return over.map((s, i) => s - (1 - share) * (s - (under[i] ?? NaN)));
}

/** Shifts all sparsities by one amount so that their weighted mean, clamped to the bounds, is the target. */
export function shiftToTarget(
  layers: readonly LayerSize[],
  target: number,
  bounds: Bounds,
  sparsities: readonly number[],
): number[] {
  const range = [bounds.min - Math.max(...sparsities), bounds.max - Math.min(...sparsities)] as const;
  return meetTarget(layers, target, bounds, range, (shift) => sparsities.map((s) => s + shift));
}

/** A schedule without groups from sparsities in the order of `layers`. */
export function ungrouped(layers: readonly LayerSize[], sparsities: readonly number[]): Schedule {
  return { sparsities: byName(layers, sparsities), groups: {}, centroids: [], estimate: null };
}

export function byName(layers: readonly LayerSize[], values: readonly number[]): Record<string, number> {
  return Object.fromEntries(layers.map(({ name }, i) => [name, values[i] ?? NaN]));
}

/** One value a block to one a layer. */
export function spread(layers: readonly LayerSize[], blockValues: readonly number[]): number[] {
  return layers.map(({ name, block }) => {
    const value = blockValues[block];
    if (value === undefined) throw new RangeError(`no value for block ${block} of layer ${name}`);
    return value;
  });
}
