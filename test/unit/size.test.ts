import { describe, expect, test } from 'vitest';

import type { Report } from '../../src/contract/report.ts';
import { quantizationSchema, type Quantization } from '../../src/contract/recipe.ts';
import { keptBits, packedSize } from '../../src/contract/size.ts';
import { sampleReport } from '../fixtures/report.ts';

/** A report of one layer of 64 rows by 320 columns, 20,480 weights, in files of 100,000 bytes. */
function reportOf(sparsity: number, quantization: Partial<Quantization> | null, dtype = 'F16'): Report {
  const report = sampleReport(1);
  const [layer] = report.layers;
  if (!layer) throw new Error('no layer');
  return {
    ...report,
    model: { ...report.model, dtype, bytesCompressed: 100_000 },
    recipe: { ...report.recipe, quantization: quantization && quantizationSchema.parse(quantization) },
    layers: [{ ...layer, rows: 64, cols: 320, sparsity, bits: quantization?.bits ?? null }],
  };
}

describe('the packed size, worked out by hand', () => {
  // 20,480 weights: a mask of 2,560 bytes, dense 40,960 in F16; 64 rows of 3 groups of 128 (the last of 64) have 192 scales.
  test.each([
    ['a quarter kept, not quantized', reportOf(0.75, null), 2560 + 5120 * 2],
    ['in float32', reportOf(0.75, null, 'F32'), 2560 + 5120 * 4 - 20_480 * 4 + 20_480 * 2],
    ['4 bits symmetric', reportOf(0.75, { bits: 4, symmetric: true }), 2560 + 5120 / 2 + 192 * 2],
    ['4 bits asymmetric', reportOf(0.75, { bits: 4 }), 2560 + 5120 / 2 + 192 * 2 + 192 / 2],
    [
      '3 bits per channel',
      reportOf(0.75, { bits: 3, symmetric: true, groupSize: null }),
      2560 + (5120 * 3) / 8 + 64 * 2,
    ],
    [
      'dense: codes of all weights take less than a mask',
      reportOf(0, { bits: 4, symmetric: true }),
      20_480 / 2 + 192 * 2,
    ],
    ['nearly dense', reportOf(0.05, { bits: 4, symmetric: true }), 20_480 / 2 + 192 * 2],
  ])('%s', (_, report, layer) => {
    expect(packedSize(report)?.bytes).toBe(Math.ceil(100_000 - 40_960 + layer));
  });

  test('70 % and 4 bits, symmetric, groups of 128: 1 + 0.3 · 4 + 16 / 128 bits a weight', () => {
    const report = reportOf(0.7, { bits: 4, symmetric: true });
    const whole = { ...report, layers: report.layers.map((layer) => ({ ...layer, cols: 1280 })) };
    expect(packedSize(whole)?.bitsPerWeight).toBeCloseTo(2.325, 10);
  });

  test('a layer that is not quantized keeps its values beside layers that are', () => {
    const report = reportOf(0.75, { bits: 4, symmetric: true });
    const [layer] = report.layers;
    const layers = layer ? [layer, { ...layer, bits: null }] : [];
    expect(packedSize({ ...report, layers })?.bytes).toBe(100_000 - 2 * 40_960 + 5504 + 12_800);
  });

  test('scattered groups: a number of four bytes for every column', () => {
    const grouped = { bits: 4, symmetric: true, actOrder: true } as const;
    const bytesOf = (more: Partial<Quantization>): number =>
      packedSize(reportOf(0.75, { ...grouped, ...more }))?.bytes ?? NaN;
    expect(bytesOf({}) - bytesOf({ staticGroups: true })).toBe(4 * 320);
    expect(bytesOf({ groupSize: null })).toBe(bytesOf({ groupSize: null, actOrder: false }));
  });

  test('mean bits of kept weights: those of a layer count as often as it keeps weights', () => {
    const report = reportOf(0.75, { bits: 4 });
    const [layer] = report.layers;
    const layers = layer ? [layer, { ...layer, sparsity: 0.25, bits: null }] : [];
    expect(keptBits(report)).toBe(4);
    expect(keptBits({ ...report, layers })).toBeCloseTo((1 * 4 + 3 * 16) / 4, 12);
    expect(keptBits(reportOf(0, null, 'F32'))).toBe(32);
    expect(keptBits(reportOf(1, { bits: 4 }))).toBeNull();
  });

  test('of an unknown dtype nothing is said', () => {
    expect(packedSize(reportOf(0.5, null, 'F8'))).toBeNull();
    expect(keptBits(reportOf(0.5, null, 'F8'))).toBeNull();
  });
});
