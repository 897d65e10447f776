import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { rankCorrelation } from '../../src/contract/rank-correlation.ts';

type Pair = readonly [number, number];

/** By definition: a rank is one more than the values below and half of the others that are equal, and the correlation is Pearson's. */
function naive(pairs: readonly Pair[]): number {
  const rank = (values: readonly number[], value: number): number =>
    1 + values.filter((other) => other < value).length + (values.filter((other) => other === value).length - 1) / 2;
  const ranks = [0, 1].map((side) => {
    const values = pairs.map((pair) => pair[side] ?? NaN);
    return values.map((value) => rank(values, value));
  });
  const [first = [], second = []] = ranks;
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const covariance = (a: readonly number[], b: readonly number[]): number =>
    mean(a.map((value, i) => value * (b[i] ?? NaN))) - mean(a) * mean(b);
  return covariance(first, second) / Math.sqrt(covariance(first, first) * covariance(second, second));
}

describe('rank correlation', () => {
  test.each<[number | null, Pair[]]>([
    // The examples of SciPy's spearmanr and of the textbooks.
    [0.8207826816681233, [5, 6, 7, 8, 7].map((b, i) => [i + 1, b])],
    [
      -29 / 165,
      [
        [86, 2],
        [97, 20],
        [99, 28],
        [100, 27],
        [101, 50],
        [103, 29],
        [106, 7],
        [110, 17],
        [112, 6],
        [113, 12],
      ],
    ],
    [
      1,
      [
        [1e-9, 3],
        [1e-3, 4],
        [5, 4e9],
      ],
    ],
    [
      -1,
      [
        [1, 0],
        [2, -1],
      ],
    ],
    [null, []],
    [null, [[1, 2]]],
    [
      null,
      [
        [1, 2],
        [1, 3],
        [1, 4],
      ],
    ],
  ])('%d', (expected, pairs) => {
    const correlation = rankCorrelation(pairs);
    if (expected === null) expect(correlation).toBeNull();
    else expect(correlation).toBeCloseTo(expected, 12);
  });

  test('is that of the definition, with equal values and without', () => {
    const pairs = (value: fc.Arbitrary<number>): fc.Arbitrary<Pair[]> =>
      fc.array(fc.tuple(value, value), { minLength: 2, maxLength: 60 });
    const values = [fc.integer({ min: 0, max: 6 }), fc.double({ min: 0, max: 1e6, noNaN: true })];
    for (const value of values) {
      fc.assert(
        fc.property(pairs(value), (given) => {
          const correlation = rankCorrelation(given);
          if (correlation !== null) expect(correlation).toBeCloseTo(naive(given), 9);
          else expect([0, 1].some((side) => new Set(given.map((pair) => pair[side])).size === 1)).toBe(true);
        }),
        { seed: 7 },
      );
    }
  });
});
