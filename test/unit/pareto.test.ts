import fc from 'fast-check';
import { expect, test } from 'vitest';

import { measuredKey } from '../../src/contract/measured.ts';
import { paretoFront, type Outcome } from '../../src/charts/pareto.ts';

const betters = (a: Outcome, b: Outcome): boolean =>
  a.nonZeroBytes <= b.nonZeroBytes && a.value <= b.value && (a.nonZeroBytes < b.nonZeroBytes || a.value < b.value);

test('the front is what no other point betters', () => {
  const near = fc.record({ nonZeroBytes: fc.integer({ min: 1, max: 8 }), value: fc.integer({ min: 1, max: 8 }) });
  const far = fc.record({ nonZeroBytes: fc.nat(), value: fc.double({ min: 1, max: 1e6, noNaN: true }) });
  const points = fc.array(fc.oneof(near, far), { maxLength: 60 });
  fc.assert(
    fc.property(points, (all) => {
      const front = paretoFront(all, 'perplexity');
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
    { id: 'a', nonZeroBytes: 3, value: 1 },
    { id: 'b', nonZeroBytes: 1, value: 3 },
    { id: 'c', nonZeroBytes: 3, value: 2 },
  ];
  expect(paretoFront(points, 'perplexity').map(({ id }) => id)).toEqual(['b', 'a']);
  expect(points.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
});

test('numbers compare by measure, dataset, seqlen and windows', () => {
  const measured = { measure: 'perplexity', dataset: 'a', seqlen: 128, windows: 4, value: 1 } as const;
  const again = { ...measured, value: 2 };
  expect(measuredKey(again)).toBe(measuredKey(measured));
  for (const other of [{ dataset: 'a,128' }, { seqlen: 4 }, { windows: 128 }, { measure: 'bits-per-byte' as const }])
    expect(measuredKey({ ...measured, ...other })).not.toBe(measuredKey(measured));
});
