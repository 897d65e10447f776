import { kmeans } from 'ml-kmeans';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

const restarts = 50;
const seed = 0;

export interface Clusters {
  /** Group of each value, 0 = the smallest centroid. */
  readonly groups: readonly number[];
  /** Ascending. */
  readonly centroids: readonly number[];
  /** Σ (value - centroid of its group)² */
  readonly inertia: number;
}

/**
 * K-means in one dimension: k-means++ with a fixed seed, 50 restarts, the best inertia (method.md, section 6). With no more distinct
 * values than groups, every distinct value is a group of its own.
 */
export function cluster(values: readonly number[], groups: number): Clusters {
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  if (distinct.length <= groups) return ordered(values, distinct);
  const rng = xoroshiro128plus(seed);
  const points = values.map((value) => [value]);
  let best: Clusters | null = null;
  for (let restart = 0; restart < restarts; restart++) {
    // Tolerance 0: stop when nothing moves. The default of 1e-6 would keep groups that one more step improves.
    const { centroids } = kmeans(points, groups, {
      seed: uniformInt(rng, 1, 0x7fffffff),
      tolerance: 0,
      maxIterations: 1000,
    });
    const found = ordered(
      values,
      centroids.map(([centroid]) => centroid ?? NaN),
    );
    if (best === null || found.inertia < best.inertia) best = found;
  }
  if (best === null) throw new RangeError('K-means needs at least one group');
  return best;
}

/** Each value in the group of its nearest centroid; the centroids ascending, those without a value left out. */
function ordered(values: readonly number[], centroids: readonly number[]): Clusters {
  const ascending = [...centroids].sort((a, b) => a - b);
  const nearest = values.map((value) => nearestIndex(ascending, value));
  const used = [...new Set(nearest)].sort((a, b) => a - b);
  const kept = used.map((index) => ascending[index] ?? NaN);
  const groups = nearest.map((index) => used.indexOf(index));
  const inertia = values.reduce((sum, value, i) => sum + (value - (kept[groups[i] ?? -1] ?? NaN)) ** 2, 0);
  return { groups, centroids: kept, inertia };
}

function nearestIndex(ascending: readonly number[], value: number): number {
  let nearest = 0;
  ascending.forEach((centroid, index) => {
    if (Math.abs(value - centroid) < Math.abs(value - (ascending[nearest] ?? NaN))) nearest = index;
  });
  return nearest;
}
