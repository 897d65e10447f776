import fc from 'fast-check';
import { expect, test } from 'vitest';

import { measureKey } from '../../src/contract/measure.ts';
import { paretoFront, type Costs } from '../../src/charts/pareto.ts';

const betters = (a: Costs, b: Costs): boolean =>
  a.nonZeroBytes <= b.nonZeroBytes &&
  a.perplexity <= b.perplexity &&
  (a.nonZeroBytes < b.nonZeroBytes || a.perplexity < b.perplexity);

test('the front is what no other point betters', () => {
  const near = fc.record({ nonZeroBytes: fc.integer({ min: 1, max: 8 }), perplexity: fc.integer({ min: 1, max: 8 }) });
  const far = fc.record({ nonZeroBytes: fc.nat(), perplexity: fc.double({ min: 1, max: 1e6, noNaN: true }) });
  const points = fc.array(fc.oneof(near, far), { maxLength: 60 });
  fc.assert(
    fc.property(points, (all) => {
      const front = paretoFront(all);
      expect(new Set(front)).toEqual(new Set(all.filter((point) => !all.some((other) => betters(other, point)))));
      expect(front).toHaveLength(new Set(front).size);
      front.slice(1).forEach((point, i) => {
        expect(point.nonZeroBytes).toBeGreaterThanOrEqual(front[i]?.nonZeroBytes ?? Infinity);
      });
    }),
    { numRuns: 500 },
  );
});

test('leaves the points as they were given', () => {
  const points = [
    { id: 'a', nonZeroBytes: 3, perplexity: 1 },
    { id: 'b', nonZeroBytes: 1, perplexity: 3 },
    { id: 'c', nonZeroBytes: 3, perplexity: 2 },
  ];
  expect(paretoFront(points).map(({ id }) => id)).toEqual(['b', 'a']);
  expect(points.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
});

test('a measure is its dataset, seqlen and windows', () => {
  const measure = { dataset: 'a', seqlen: 128, windows: 4, perplexity: 1 };
  const again = { ...measure, perplexity: 2 };
  expect(measureKey(again)).toBe(measureKey(measure));
  for (const other of [{ dataset: 'a,128' }, { seqlen: 4 }, { windows: 128 }])
    expect(measureKey({ ...measure, ...other })).not.toBe(measureKey(measure));
});
