import type { EstimateKind } from '../../contract/recipe/schedulers.ts';
import type { LayerSize } from './types.ts';

/** What the calibration pass over the dense model measured of a layer (method.md, section 5). */
export interface LayerStatistics {
  /** mean of W_ij² / U_jj² */
  readonly estimate: number;
  /** tr(W H Wᵀ) */
  readonly energy: number;
  /** Loss of the least salient fraction s = 0, 0.05 … 1, divided by the number of weights. */
  readonly curve: readonly number[];
}

/**
 * The estimate that layers are ordered by, in the order of `layers` (method.md, section 6).
 * `raw`: the mean of W²/U_jj², the paper's. `relative`: the layer's whole estimated loss, Σ W²/U_jj², divided by its output energy
 * tr(W H Wᵀ). `relative-by-type`: the geometric mean of the relative estimates over all layers of a type, so that their
 * logarithms are averaged. `measured`: the layer's sensitivity divided by its number of weights.
 */
export function estimatesOf(
  kind: EstimateKind,
  layers: readonly LayerSize[],
  statistics: Readonly<Record<string, LayerStatistics>>,
  sensitivities: Readonly<Record<string, number>> = {},
): number[] {
  if (kind === 'measured') {
    return layers.map(({ name, weights }) => {
      const sensitivity = sensitivities[name];
      if (sensitivity === undefined) throw new RangeError(`no sensitivity of layer ${name}`);
      return sensitivity / weights;
    });
  }
  const relative = kind !== 'raw';
  const estimates = layers.map(({ name, weights }) => {
    const measured = statistics[name];
    if (measured === undefined) throw new RangeError(`no estimate of layer ${name}`);
    // A layer that puts nothing out loses nothing.
    if (!relative || measured.energy === 0) return measured.estimate;
    return (measured.estimate * weights) / measured.energy;
  });
  return kind === 'relative-by-type' ? meansByType(layers, estimates) : estimates;
}

/** An estimate of 0 (a layer of zeros) does not count; 0 of a type that has no other. */
function meansByType(layers: readonly LayerSize[], values: readonly number[]): number[] {
  const types = new Map<string, number[]>();
  for (const [i, { type }] of layers.entries()) types.set(type, [...(types.get(type) ?? []), values[i] ?? NaN]);
  const means = new Map([...types].map(([type, members]) => [type, geometricMean(members.filter((x) => x !== 0))]));
  return layers.map(({ type }) => means.get(type) ?? NaN);
}

function geometricMean(values: readonly number[]): number {
  if (values.length === 0) return 0;
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** log10 of each estimate; an estimate of 0 (a layer of zeros) counts as the smallest other one. */
export function logarithms(estimates: readonly number[]): number[] {
  const bad = estimates.find((estimate) => !(estimate >= 0 && estimate < Infinity));
  if (bad !== undefined) throw new RangeError(`an estimate is ${bad}`);
  const positive = estimates.filter((estimate) => estimate > 0);
  const smallest = positive.length === 0 ? 1 : Math.min(...positive);
  return estimates.map((estimate) => Math.log10(Math.max(estimate, smallest)));
}
