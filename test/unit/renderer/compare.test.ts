import { describe, expect, test } from 'vitest';

import { compareTable, type ComparisonCell, type ComparisonRow } from '../../../src/contract/compare.ts';
import type { RunRow } from '../../../src/contract/history.ts';
import type { Measured } from '../../../src/contract/measured.ts';
import { comparisonCsv } from '../../../src/renderer/pages/compare/comparison-csv.ts';
import { deltaText } from '../../../src/renderer/pages/compare/delta.ts';
import { nmReport, sampleReport } from '../../fixtures/report.ts';

describe('against the baseline', () => {
  const perplexities: Measured = {
    ...{ measure: 'perplexity', dataset: 'd', seqlen: 1, windows: 1, tokens: 1 },
    ...{ dense: { value: 80, standardError: null }, compressed: { value: 90, standardError: null } },
  };
  const rows = compareTable([{ ...sampleReport(), measured: [perplexities] }]);
  const rowOf = (key: string): ComparisonRow => rows.find((row) => row.key === key) ?? expect.fail(`no row ${key}`);
  const cell = (value: number | string | null): ComparisonCell => ({ value, text: '' });
  test.each([
    ['sparsity-actual', 0.75, 0.7, '+5.00 points'],
    ['sparsity-target', 0.5, 0.7, '−20.00 points'],
    ['perplexity-compressed d seqlen=1 windows=1', 99, 90, '1.100 × baseline'],
    ['bits-weight', 4, 8, '0.500 × baseline'],
    ['memory', 2 ** 29, 2 ** 30, '0.500 × baseline'],
    ['time', 30, 10, '3.000 × baseline'],
    ['sparsity-actual', 0.7000001, 0.7, null],
    ['size', 10, 10, null],
    ['time', 10, 0, null],
    ['seed', 3, 1, null],
    ['perplexity-dense d seqlen=1 windows=1', null, 80, null],
    ['perplexity-dense d seqlen=1 windows=1', 80, null, null],
    ['method', 'Wanda', 'SparseGPT', null],
  ])('%s: %s against %s', (key, value, baseline, expected) => {
    expect(deltaText(rowOf(key), cell(value), cell(baseline))).toBe(expected);
  });
});

describe('the table of everything', () => {
  const scheduled = sampleReport();
  const pattern = nmReport();
  const fewer = { ...pattern, layers: pattern.layers.slice(0, 5) };
  const run = (name: string): RunRow => ({ name }) as RunRow;
  const runs = [
    { row: run('a'), report: scheduled },
    { row: run('b'), report: fewer },
  ];
  const { headings, rows } = comparisonCsv(runs, compareTable([scheduled, fewer]));
  const row = (fact: string, layer: string | null): readonly (string | number | null)[] | undefined =>
    rows.find(([one, of]) => one === fact && of === layer);

  test('has a column a run and a value in each', () => {
    expect(headings).toEqual(['fact', 'layer', 'a', 'b']);
    expect(new Set(rows.map((cells) => cells.length))).toEqual(new Set([4]));
  });

  test('has the facts and every field of every layer at full precision', () => {
    expect(row('memory', null)?.slice(2)).toEqual([412_876_800, 412_876_800]);
    for (const layer of scheduled.layers) {
      const other = fewer.layers.find(({ name }) => name === layer.name);
      expect(row('sparsity', layer.name)?.slice(2)).toEqual([layer.sparsity, other?.sparsity ?? null]);
      expect(row('estimate', layer.name)?.slice(2)).toEqual([layer.estimate, null]);
      expect(row('error', layer.name)?.slice(2)).toEqual([layer.error, other?.error ?? null]);
    }
    expect(rows).toHaveLength(compareTable([scheduled, fewer]).length + 7 * scheduled.layers.length);
  });
});
