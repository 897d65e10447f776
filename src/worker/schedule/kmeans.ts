import type { Centroid } from '../../contract/report.ts';
import { byName, meetTarget, shiftToTarget } from './budget.ts';
import { cluster } from './clusters.ts';
import { estimatesOf, logarithms, type LayerStatistics } from './estimates.ts';
import type { KmeansScheduler, LayerSize, Schedule } from './types.ts';

/**
 * The paper's scheduler (arXiv 2409.20094) with our mapping (method.md, section 6): layers are grouped by log10 of their estimate,
 * and the larger a group's centroid, the less of it is pruned. With 0 groups every layer goes by its own estimate.
 * @param target wanted mean sparsity over all weights
 * @param sensitivities by layer name, for measured estimates
 * @throws schedule.out-of-reach
 */
export function kmeansSchedule(
  layers: readonly LayerSize[],
  statistics: Readonly<Record<string, LayerStatistics>>,
  options: KmeansScheduler,
  target: number,
  sensitivities: Readonly<Record<string, number>> = {},
): Schedule {
  const logs = logarithms(estimatesOf(options.estimate, layers, statistics, sensitivities));
  const clusters = options.groups === 0 ? null : cluster(logs, options.groups);
  const position = clusters === null ? logs : clusters.groups.map((group) => clusters.centroids[group] ?? NaN);
  const sparsities = mappings[options.mapping](layers, position, options, target);
  return {
    sparsities: byName(layers, sparsities),
    groups: clusters === null ? {} : byName(layers, clusters.groups),
    centroids:
      clusters === null
        ? []
        : clusters.centroids.map((log10, group) => centroid(group, log10, clusters.groups, sparsities)),
    estimate: options.estimate,
  };
}

type Mapping = (
  layers: readonly LayerSize[],
  position: readonly number[],
  options: KmeansScheduler,
  target: number,
) => number[];

const mappings: Readonly<Record<KmeansScheduler['mapping'], Mapping>> = {
  /** density = c * (10^position)^power, sparsity = clamp(1 - density, min, max) */
  power: (layers, position, options, target) => {
    const top = Math.max(...position);
    // 10^y, 1 for the largest. As exp, because the last bit of a power depends on the version of V8.
    const share = position.map((x) => Math.exp(Math.LN10 * Math.max(-300, options.power * (x - top))));
    const most = 1 / Math.min(...share); // this c keeps every weight
    return meetTarget(layers, target, options, [-most, 0], (minusC) => share.map((density) => 1 + minusC * density));
  },
  /** sparsity falls by `range` from the smallest position to the largest, on a straight line */
  linear: (layers, position, options, target) => {
    const [bottom, top] = [Math.min(...position), Math.max(...position)];
    const fall = position.map((x) => (top > bottom ? (-options.range * (x - bottom)) / (top - bottom) : 0));
    return shiftToTarget(layers, target, options, fall);
  },
};

function centroid(group: number, log10: number, groups: readonly number[], sparsities: readonly number[]): Centroid {
  const layers = groups.filter((other) => other === group).length;
  return { group, log10, sparsity: sparsities[groups.indexOf(group)] ?? NaN, layers };
}
