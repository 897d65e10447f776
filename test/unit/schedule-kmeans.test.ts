import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { weightedMean } from '../../src/worker/schedule/budget.ts';
import { cluster } from '../../src/worker/schedule/clusters.ts';
import { estimatesOf, type LayerStatistics } from '../../src/worker/schedule/estimates.ts';
import { kmeansSchedule } from '../../src/worker/schedule/kmeans.ts';
import { resolveScheduler } from '../../src/worker/schedule/schedule.ts';
import type { ExplicitScheduler, KmeansScheduler, LayerSize } from '../../src/worker/schedule/types.ts';
import { schedulerSchema } from '../../src/contract/recipe/schedulers.ts';

interface Reference {
  layers: LayerSize[];
  statistics: Record<string, Pick<LayerStatistics, 'estimate' | 'energy'>>;
  kmeans: Record<'70' | '80', { sparsities: Record<string, number>; groups: Record<string, number> }>;
  relative: { 'by-type-70': number[]; 'each-70': number[] };
}
const reference = JSON.parse(
  readFileSync(new URL('../fixtures/schedule/reference.json', import.meta.url), 'utf8'),
) as Reference;
const { layers } = reference;
/** Of no account for this scheduler. */
const curve: readonly number[] = [];
const statistics: Record<string, LayerStatistics> = Object.fromEntries(
  Object.entries(reference.statistics).map(([name, measured]) => [name, { ...measured, curve }]),
);

const paper: KmeansScheduler = {
  kind: 'kmeans',
  estimate: 'raw',
  groups: 3,
  mapping: 'power',
  power: 0.2,
  range: 0.1,
  min: 0,
  max: 0.95,
};

function values(sparsities: Readonly<Record<string, number>>, of: readonly LayerSize[] = layers): number[] {
  return of.map(({ name }) => sparsities[name] ?? NaN);
}

describe('the paper’s scheduler on the demo model', () => {
  it.each([
    ['70', 0.7],
    ['80', 0.8],
  ] as const)('gives the reference’s groups and sparsities at %s %%', (run, target) => {
    const schedule = kmeansSchedule(layers, statistics, paper, target);
    const expected = reference.kmeans[run];
    expect(schedule.groups).toEqual(expected.groups);
    for (const { name } of layers) {
      expect(schedule.sparsities[name], name).toBeCloseTo(expected.sparsities[name] ?? NaN, 9);
    }
    expect(schedule.estimate).toBe('raw');
  });

  it('describes each group by its centroid, sparsity and number of layers', () => {
    const { centroids, groups, sparsities } = kmeansSchedule(layers, statistics, paper, 0.7);
    for (const { group, log10, sparsity, layers: count } of centroids) {
      const members = layers.filter(({ name }) => groups[name] === group);
      expect(members).toHaveLength(count);
      const logs = members.map(({ name }) => Math.log10(statistics[name]?.estimate ?? NaN));
      expect(log10).toBeCloseTo(logs.reduce((a, b) => a + b, 0) / count, 12);
      for (const { name } of members) expect(sparsities[name]).toBe(sparsity);
    }
    expect(centroids.map(({ group }) => group)).toEqual([0, 1, 2]);
  });

  it('orders layers by estimates relative to their output energy, alone and by type', () => {
    const linear = { ...paper, groups: 0, mapping: 'linear' } as const;
    const byType = kmeansSchedule(layers, statistics, { ...linear, estimate: 'relative-by-type', range: 0.1 }, 0.7);
    const each = kmeansSchedule(layers, statistics, { ...linear, estimate: 'relative', range: 0.2 }, 0.7);
    values(byType.sparsities).forEach((s, i) => expect(s).toBeCloseTo(reference.relative['by-type-70'][i] ?? NaN, 9));
    values(each.sparsities).forEach((s, i) => expect(s).toBeCloseTo(reference.relative['each-70'][i] ?? NaN, 9));
    expect(byType.groups).toEqual({});
    expect(byType.centroids).toEqual([]);
  });
});

const randomLayers = fc
  .array(
    fc.record({
      weights: fc.integer({ min: 1, max: 1_000_000 }),
      type: fc.constantFrom('q', 'k', 'fc1'),
      estimate: fc.double({ min: 1e-9, max: 1e3, noNaN: true }),
      energy: fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((rows) => ({
    layers: rows.map(({ weights, type }, i) => ({ name: `layer${i}`, block: i, type, weights })),
    statistics: Object.fromEntries(rows.map(({ estimate, energy }, i) => [`layer${i}`, { estimate, energy, curve }])),
  }));

const options = fc.record({
  kind: fc.constant('kmeans' as const),
  estimate: fc.constantFrom('raw' as const, 'relative' as const, 'relative-by-type' as const),
  groups: fc.integer({ min: 0, max: 8 }),
  mapping: fc.constantFrom('power' as const, 'linear' as const),
  power: fc.double({ min: 0, max: 2, noNaN: true }),
  range: fc.double({ min: 0, max: 1, noNaN: true }),
  min: fc.double({ min: 0, max: 0.3, noNaN: true }),
  max: fc.double({ min: 0.9, max: 1, noNaN: true }),
});

describe('kmeans on any layers', () => {
  it('meets the target within the bounds, and never prunes a larger estimate’s group more', () => {
    fc.assert(
      fc.property(randomLayers, options, fc.double({ min: 0.3, max: 0.9, noNaN: true }), (model, chosen, target) => {
        const { sparsities, groups, centroids } = kmeansSchedule(model.layers, model.statistics, chosen, target);
        const given = values(sparsities, model.layers);
        expect(Math.abs(weightedMean(model.layers, given) - target)).toBeLessThan(1e-12);
        for (const s of given) expect(s >= chosen.min && s <= chosen.max).toBe(true);
        centroids.slice(1).forEach(({ log10, sparsity }, i) => {
          expect(log10).toBeGreaterThan(centroids[i]?.log10 ?? NaN);
          expect(sparsity).toBeLessThanOrEqual(centroids[i]?.sparsity ?? NaN);
        });
        const estimates = estimatesOf(chosen.estimate, model.layers, model.statistics);
        if (chosen.groups === 0) {
          const order = given.map((s, i) => [estimates[i] ?? NaN, s] as const).sort((a, b) => a[0] - b[0]);
          order.slice(1).forEach(([, s], i) => expect(s).toBeLessThanOrEqual(order[i]?.[1] ?? NaN));
        } else {
          expect(new Set(Object.values(groups)).size).toBe(
            Math.min(chosen.groups, new Set(estimates.map(Math.log10)).size),
          );
        }
      }),
      { numRuns: 200 },
    );
  });

  it('gives every layer the target where the estimates do not differ', () => {
    const same = layers.map((layer) => [layer.name, { estimate: 2, energy: 1, curve }] as const);
    for (const mapping of ['power', 'linear'] as const) {
      const { sparsities, centroids } = kmeansSchedule(layers, Object.fromEntries(same), { ...paper, mapping }, 0.7);
      for (const s of values(sparsities)) expect(s).toBeCloseTo(0.7, 12);
      expect(centroids).toHaveLength(1);
    }
  });

  it('treats a layer of zeros like the least estimate', () => {
    const zero = { ...statistics, [layers[0]?.name ?? '']: { estimate: 0, energy: 0, curve } };
    const { sparsities } = kmeansSchedule(layers, zero, { ...paper, groups: 0 }, 0.7);
    expect(sparsities[layers[0]?.name ?? '']).toBe(Math.max(...values(sparsities)));
  });

  it('leaves a layer of zeros out of the mean of its type', () => {
    const [first] = layers;
    const zero = { ...statistics, [first?.name ?? '']: { estimate: 0, energy: 0, curve } };
    const others = layers.filter(({ name }) => name !== first?.name);
    const [withZero, without] = [layers, others].map((of) => estimatesOf('relative-by-type', of, zero));
    expect(withZero?.slice(1)).toEqual(without);
    expect(withZero?.[0]).toBe(withZero?.[layers.findLastIndex(({ type }) => type === first?.type)]);
    expect(estimatesOf('relative-by-type', layers.slice(0, 1), zero)).toEqual([0]);
  });

  it('goes by sensitivities a weight as it would by estimates, whatever else was measured', () => {
    const sensitivities = Object.fromEntries(layers.map(({ name }, i) => [name, 10 ** -(i % 7) * (1 + i)]));
    const shares = layers.map(({ name, weights }) => (sensitivities[name] ?? NaN) / weights);
    expect(estimatesOf('measured', layers, statistics, sensitivities)).toEqual(shares);
    const asEstimates = Object.fromEntries(
      layers.map(({ name }, i) => [name, { estimate: shares[i] ?? NaN, energy: 1, curve }]),
    );
    for (const mapping of ['power', 'linear'] as const) {
      const chosen = { ...paper, groups: 4, mapping };
      const measured = kmeansSchedule(layers, statistics, { ...chosen, estimate: 'measured' }, 0.7, sensitivities);
      expect(measured).toEqual({ ...kmeansSchedule(layers, asEstimates, chosen, 0.7), estimate: 'measured' });
      expect(measured.centroids).toHaveLength(4);
    }
  });

  it('treats a layer that the model does not mind like the least sensitive', () => {
    const sensitivities = Object.fromEntries(layers.map(({ name }, i) => [name, i === 5 ? 0 : 1 + i]));
    const chosen = { ...paper, estimate: 'measured', groups: 0 } as const;
    const given = values(kmeansSchedule(layers, statistics, chosen, 0.7, sensitivities).sparsities);
    expect(given[5]).toBe(Math.max(...given));
  });

  it('misses a sensitivity that was not measured', () => {
    expect(() => estimatesOf('measured', layers, statistics, {})).toThrow(layers[0]?.name);
  });

  it('refuses a target that the bounds do not reach', () => {
    expect(() => kmeansSchedule(layers, statistics, { ...paper, max: 0.6 }, 0.7)).toThrow('schedule.out-of-reach');
    expect(() => kmeansSchedule(layers, statistics, { ...paper, min: 0.8 }, 0.7)).toThrow('schedule.out-of-reach');
  });

  it('reaches a target equal to a bound', () => {
    const { sparsities } = kmeansSchedule(layers, statistics, { ...paper, max: 0.7 }, 0.7);
    for (const s of values(sparsities)) expect(s).toBeCloseTo(0.7, 12);
  });
});

/** The least inertia of all ways to cut sorted values into k runs: in one dimension an optimal grouping is one. */
function bruteForce(sorted: readonly number[], k: number): number {
  if (k === 1) {
    const mean = sorted.reduce((a, b) => a + b, 0) / sorted.length;
    return sorted.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  }
  let best = Infinity;
  for (let cut = 1; cut <= sorted.length - k + 1; cut++) {
    best = Math.min(best, bruteForce(sorted.slice(0, cut), 1) + bruteForce(sorted.slice(cut), k - 1));
  }
  return best;
}

describe('cluster', () => {
  it('finds the least inertia', () => {
    const values = fc.uniqueArray(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 5, maxLength: 10 });
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 4 }), (xs, k) => {
        const optimum = bruteForce(
          [...xs].sort((a, b) => a - b),
          k,
        );
        expect(cluster(xs, k).inertia).toBeLessThanOrEqual(optimum * (1 + 1e-9) + 1e-15);
        expect(cluster(xs, k).inertia).toBeGreaterThanOrEqual(optimum * (1 - 1e-9) - 1e-15);
      }),
      { numRuns: 100 },
    );
  });

  it('makes each distinct value a group where there are no more of them than groups', () => {
    expect(cluster([5, 1, 5, 3], 4)).toEqual({ groups: [2, 0, 2, 1], centroids: [1, 3, 5], inertia: 0 });
  });

  it('gives the same groups every time', () => {
    const xs = layers.map(({ name }) => Math.log10(statistics[name]?.estimate ?? NaN));
    expect(cluster(xs, 5)).toEqual(cluster(xs, 5));
  });
});

function parsed(scheduler: object): ExplicitScheduler {
  return schedulerSchema.parse(scheduler) as ExplicitScheduler;
}

describe('resolveScheduler', () => {
  it('fills in the family’s defaults', () => {
    const kmeans = parsed({ kind: 'kmeans' });
    expect(resolveScheduler(kmeans, 'paper')).toEqual(paper);
    expect(resolveScheduler(kmeans, 'relative-by-type')).toEqual({
      ...paper,
      estimate: 'relative-by-type',
      groups: 0,
      mapping: 'linear',
    });
  });

  it('takes four groups by a power for what is measured of the model, whatever its family', () => {
    const measured = parsed({ kind: 'kmeans', estimate: 'measured' });
    for (const family of ['paper', 'relative-by-type'] as const)
      expect(resolveScheduler(measured, family)).toEqual({ ...paper, estimate: 'measured', groups: 4 });
    const linear = parsed({ kind: 'kmeans', estimate: 'measured', groups: 0, mapping: 'linear' });
    expect(resolveScheduler(linear, 'paper')).toMatchObject({ estimate: 'measured', groups: 0, mapping: 'linear' });
  });

  it('leaves what the recipe says', () => {
    const chosen = {
      kind: 'kmeans',
      estimate: 'relative',
      groups: 5,
      mapping: 'linear',
      power: 1,
      range: 0.3,
      min: 0.1,
      max: 0.9,
    };
    expect(resolveScheduler(parsed(chosen), 'paper')).toEqual(chosen);
    expect(resolveScheduler({ kind: 'uniform' }, 'paper')).toEqual({ kind: 'uniform' });
  });
});
