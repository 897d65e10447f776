import { describe, expect, test } from 'vitest';

import {
  beginSize,
  denseRefusal,
  judge,
  nextSparsity,
  perplexityRelation,
  sizeRelation,
  sparsityOf,
  type Attempt,
  type Relation,
  type Verdict,
} from '../../src/contract/goal.ts';
import { bitWidths } from '../../src/contract/recipe/fields.ts';
import { parseRecipe, quantizationSchema, type Bits, type Goal, type Quantization } from '../../src/contract/recipe.ts';
import { packedModel, type PackedModel } from '../../src/contract/size.ts';
import { predictedRise } from '../../src/worker/compress/target.ts';

interface Search {
  readonly attempts: Attempt[];
  readonly verdict: Verdict;
}

/** Compresses, by a formula in place of the engine, until the goal is reached or given up. */
function search(
  fit: Goal,
  relationAt: (bits: Bits | null) => Relation,
  valueAt: (sparsity: number, bits: Bits | null) => number,
  first: number,
  bits: Bits | null = null,
): Search {
  const attempts: Attempt[] = [];
  for (let next = { sparsity: first, bits }; ;) {
    attempts.push({ ...next, value: valueAt(next.sparsity, next.bits) });
    const verdict = judge(fit, relationAt, attempts);
    if (verdict.kind !== 'next') return { attempts, verdict };
    next = verdict;
  }
}

/** The parabola through three points. */
function through(points: readonly (readonly [number, number])[]): (x: number) => number {
  return (x) =>
    points.reduce((sum, [xi, yi], i) => {
      const others = points.filter((_, j) => j !== i);
      return sum + others.reduce((product, [xj]) => (product * (x - xj)) / (xi - xj), yi);
    }, 0);
}

/** Perplexities of a dense model and of three sparsities, between them a parabola of the logarithm of their rise. */
function curve(dense: number, measured: readonly (readonly [number, number])[]): (sparsity: number) => number {
  const rise = through(measured.map(([s, value]) => [s, Math.log(Math.log(value / dense))] as const));
  return (sparsity) => dense * Math.exp(Math.exp(rise(sparsity)));
}

const demo = {
  dense: 77.64,
  at: curve(77.64, [
    [0.5, 79.7],
    [0.7, 94.2],
    [0.8, 134],
  ]),
};
/** SmolLM2-135M: two measured, and the third on the line through them. */
const smol = {
  dense: 24.466,
  at: curve(24.466, [
    [0.5, 53.1],
    [0.6, 24.466 * Math.exp(Math.sqrt(Math.log(53.1 / 24.466) * Math.log(378.36 / 24.466)))],
    [0.7, 378.36],
  ]),
};

describe('a perplexity', () => {
  test.each([
    ['demo model', demo, 79],
    ['demo model', demo, 85],
    ['demo model', demo, 100],
    ['demo model', demo, 150],
    ['SmolLM2', smol, 30],
    ['SmolLM2', smol, 60],
    ['SmolLM2', smol, 200],
  ])('%s: %# is reached within four attempts, wherever the first is', (_name, { dense, at }, perplexity) => {
    const fit: Goal = { kind: 'perplexity', perplexity };
    for (const first of [0.3, 0.5, 0.6, 0.7, 0.8]) {
      const { attempts, verdict } = search(fit, () => perplexityRelation(dense), at, first);
      expect(verdict.kind, JSON.stringify({ first, attempts, verdict })).toBe('reached');
      expect(Math.abs((attempts.at(-1)?.value ?? 0) / perplexity - 1)).toBeLessThanOrEqual(0.01);
    }
  });

  test('steep and flat curves, and some that bend', () => {
    for (const slope of [5, 8, 12, 20])
      for (const bend of [-3, 0, 3])
        for (const first of [0.4, 0.7, 0.85]) {
          const at = (s: number): number => 10 * Math.exp(Math.exp(slope * (s - 0.8) + bend * (s - 0.8) ** 2));
          const perplexity = at(0.55);
          const { attempts, verdict } = search(
            { kind: 'perplexity', perplexity },
            () => perplexityRelation(10),
            at,
            first,
          );
          expect(verdict.kind, JSON.stringify({ slope, bend, first, attempts, verdict })).toBe('reached');
        }
  });

  /** Two of the demo model's eight blocks; the first attempt was where the sensitivities had it, at five times the goal. */
  test('after a first attempt that was far too sparse', () => {
    const at = curve(84.606, [
      [0.6729, 92.143],
      [0.7624, 102.072],
      [0.9196, 559.315],
    ]);
    const { attempts, verdict } = search(
      { kind: 'perplexity', perplexity: 110 },
      () => perplexityRelation(84.606),
      at,
      0.9196,
    );
    expect(verdict.kind, JSON.stringify(attempts)).toBe('reached');
  });

  test('below that of the dense model it is refused; at it and above it is not', () => {
    const values = [{ measure: 'perplexity' as const, value: 12.5, standardError: null }];
    const dense = [{ dataset: 'wiki', seqlen: 128, windows: 2, tokens: 256, seconds: 1, values }];
    expect(denseRefusal({ kind: 'perplexity', perplexity: 12 }, dense)).toEqual({
      code: 'fit.dense-above',
      params: { goal: 12, dense: '12.50', dataset: 'wiki' },
    });
    expect(denseRefusal({ kind: 'perplexity', perplexity: 13 }, dense)).toBeNull();
    expect(denseRefusal({ kind: 'size', bytes: 12 }, dense)).toBeNull();
    expect(denseRefusal(null, dense)).toBeNull();
  });

  test('above what 95 % comes to, or below what 5 % does, it cannot be reached', () => {
    const flat = (s: number): number => 10 * Math.exp(0.3 * s + 0.1);
    const high = search({ kind: 'perplexity', perplexity: 100 }, () => perplexityRelation(10), flat, 0.7);
    expect(high.attempts.at(-1)?.sparsity).toBe(0.95);
    expect(high.verdict).toMatchObject({
      failure: { code: 'fit.perplexity-below', params: { sparsity: '95', goal: '100.00' } },
    });
    const low = search({ kind: 'perplexity', perplexity: 10.5 }, () => perplexityRelation(10), flat, 0.7);
    expect(low.attempts.at(-1)?.sparsity).toBe(0.05);
    expect(low.verdict).toMatchObject({ failure: { code: 'fit.perplexity-above', params: { sparsity: '5' } } });
  });

  test('a curve with a step at the goal ends after four attempts with the nearest', () => {
    const step = (s: number): number => (s < 0.6123 ? 11 : 14);
    const { attempts, verdict } = search(
      { kind: 'perplexity', perplexity: 12 },
      () => perplexityRelation(10),
      step,
      0.6,
    );
    expect(attempts).toHaveLength(4);
    expect(verdict).toEqual({
      kind: 'unreachable',
      failure: {
        code: 'fit.attempts',
        params: { goal: '12.00', value: '11.00', attempts: 4, sparsity: '60.00', off: '8.3' },
      },
    });
  });

  test('a model that came out better than the dense one tells where to go on', () => {
    const verdict = judge({ kind: 'perplexity', perplexity: 12 }, () => perplexityRelation(10), [
      { sparsity: 0.3, bits: null, value: 9.9 },
    ]);
    expect(verdict.kind === 'next' && verdict.sparsity).toBeGreaterThan(0.5);
  });
});

const grouped = quantizationSchema.parse({ bits: 4, symmetric: true });

/** Ten layers of 1024 x 1024 in float16, and as much again that is not compressed. */
function model(quantization: Quantization | null, sparsity = 0): PackedModel {
  const layers = Array.from({ length: 10 }, () => ({
    rows: 1024,
    cols: 1024,
    sparsity,
    bits: quantization?.bits ?? null,
  }));
  return { bytes: 4 * 10 * 2 ** 20, weightBytes: 2, layers, quantization };
}

/** What an archive takes, its masks at their entropy, where a coder leaves those shares of the rest. */
function archive(quantization: Quantization | null, s: number, [others, kept]: readonly [number, number]): number {
  const mask = -s * Math.log2(s) - (1 - s) * Math.log2(1 - s);
  const bits = mask + (1 - s) * (quantization?.bits ?? 16) * kept + (quantization ? 16 / 128 : 0);
  return 10 * 2 ** 20 * (2 * others + bits / 8);
}

describe('a size', () => {
  const shares = [
    [1, 1],
    [0.8, 0.79],
    [0.69, 0.6],
    [0.95, 0.7],
    [0.6, 0.95],
  ] as const;
  const of = (bits: Bits | null): Quantization | null => bits && { ...grouped, bits };
  const relationAt = (bits: Bits | null): Relation => sizeRelation(model(of(bits)), 'F16');

  test.each([null, 8, 4, 3, 2] as const)(
    'is reached within four attempts, however well values are coded, at %s bits',
    (bits) => {
      for (const coded of shares)
        for (const wanted of [0.5, 0.6, 0.75, 0.88]) {
          const at = (s: number, tried: Bits | null): number => archive(of(tried), s, coded);
          const fit = { kind: 'size', bytes: Math.round(at(wanted, bits)) } as const;
          const begun = beginSize(fit, relationAt, bits);
          const { attempts, verdict } = search(fit, relationAt, at, begun.sparsity, begun.bits);
          expect(verdict.kind, JSON.stringify({ coded, wanted, attempts, verdict })).toBe('reached');
          const last = attempts.at(-1);
          if (wanted < 0.8) expect(last?.bits, JSON.stringify({ coded, wanted, attempts, verdict })).toBe(bits);
          expect((last?.value ?? 0) <= fit.bytes && (last?.value ?? 0) >= 0.99 * fit.bytes).toBe(true);
        }
    },
  );

  test('bits are taken away where more than 90 % would have to be pruned: the most with which 80 % is enough', () => {
    for (const coded of shares)
      for (const [bits, wanted] of [
        [8, 0.94],
        [4, 0.94],
        [3, 0.94],
      ] as const) {
        const at = (s: number, tried: Bits | null): number => archive(of(tried), s, coded);
        const fit = { kind: 'size', bytes: Math.round(at(wanted, bits)) } as const;
        const begun = beginSize(fit, relationAt, bits);
        const { attempts, verdict } = search(fit, relationAt, at, begun.sparsity, begun.bits);
        expect(verdict.kind, JSON.stringify({ coded, wanted, attempts, verdict })).toBe('reached');
        const { bits: used = null, sparsity = 1 } = attempts.at(-1) ?? {};
        expect(used).toBeLessThan(bits);
        const enough = bitWidths.filter((width) => width < bits && at(0.8, width) <= fit.bytes);
        expect([enough.at(-1) ?? 2, 2], JSON.stringify({ coded, bits, attempts, enough })).toContain(used);
        expect(sparsity).toBeLessThanOrEqual(0.95);
      }
  });

  test('a size out of all reach begins at 95 % and the fewest bits', () => {
    const fit = { kind: 'size', bytes: 1000 } as const;
    expect(beginSize(fit, relationAt, 4)).toEqual({ sparsity: 0.95, bits: 2 });
    expect(beginSize(fit, relationAt, null)).toEqual({ sparsity: 0.95, bits: null });
  });

  test('what even 95 % does not come to, and what 5 % is below, cannot be reached', () => {
    const at = (s: number): number => archive(null, s, [0.8, 0.8]);
    const small = search({ kind: 'size', bytes: 15e6 }, relationAt, at, 0.95);
    expect(small.attempts).toHaveLength(1);
    expect(small.verdict).toMatchObject({
      kind: 'unreachable',
      failure: { code: 'fit.size-above', params: { goal: '15.00' } },
    });
    const large = search({ kind: 'size', bytes: packedModel(model(null, 0)).bytes }, relationAt, at, 0.05);
    expect(large.verdict).toMatchObject({
      kind: 'unreachable',
      failure: { code: 'fit.size-below', params: { sparsity: '5' } },
    });
  });

  test('one that is a little too large does not fit, one a little below does', () => {
    const fit: Goal = { kind: 'size', bytes: 1e6 };
    const kinds = [1_000_001, 1_000_000, 990_000, 989_999].map(
      (value) => judge(fit, relationAt, [{ sparsity: 0.7, bits: null, value }]).kind,
    );
    expect(kinds).toEqual(['next', 'reached', 'reached', 'next']);
  });
});

describe('the rise that is foreseen of a perplexity', () => {
  test('is of the pruned layers alone, and at 70 % what was measured', () => {
    const sensitivities = { 'layers.0.fc1': 0.05, 'layers.0.fc2': 0.03 };
    const at = (s: number): number =>
      predictedRise(sensitivities, { 'layers.0.fc1': s, 'layers.0.fc2': s, 'layers.1.fc1': 0.99 });
    expect(at(0.7)).toBeCloseTo(0.08, 12);
    expect(Math.log(at(0.8) / at(0.7))).toBeCloseTo(0.8, 12);
    expect(Math.log(at(0.5) / at(0.7))).toBeCloseTo(-1.6, 12);
  });

  /** The demo model, uniform: the sum of the sensitivities, and where the search ended within 1 %. */
  test.each([
    ['all blocks', 0.1724, 77.508, 80, 0.4881],
    ['all blocks', 0.1724, 77.508, 95, 0.705],
    ['all blocks', 0.1724, 77.508, 130, 0.7955],
    ['two of eight blocks', 0.0816, 84.606, 110, 0.7913],
  ])('%s: the first target is within 6 points of the last, %#', (_blocks, sensitivity, dense, goal, last) => {
    const rise = Math.log(goal / dense);
    const first = sparsityOf((layer) => predictedRise({ layer: sensitivity }, { layer }), rise);
    expect(Math.abs(first - last), String(first)).toBeLessThan(0.06);
  });
});

test('targets are written with five decimals', () => {
  const relation = perplexityRelation(10);
  const next = nextSparsity({ kind: 'perplexity', perplexity: 12 }, relation, [{ sparsity: 0.61, value: 11.1 }]);
  expect(String(next)).toMatch(/^0\.\d{1,5}$/);
});

describe('a recipe', () => {
  const size = { kind: 'size', bytes: 1e9 } as const;
  const perplexity = { kind: 'perplexity', perplexity: 12.5 } as const;
  const datasets = [{ name: 'wiki', corpus: { kind: 'texts' as const, paths: ['/wiki.txt'] } }];

  test('with a goal leaves its target open, unless it says where to begin', () => {
    expect(parseRecipe({ model: '/m', fit: size })).toMatchObject({ sparsity: null, scheduler: { kind: 'auto' } });
    expect(parseRecipe({ model: '/m', fit: size, sparsity: 0.6 })).toMatchObject({ sparsity: 0.6, fit: size });
    expect(parseRecipe({ model: '/m', fit: perplexity, evaluation: { datasets } })).toMatchObject({ sparsity: null });
    expect(parseRecipe({ model: '/m' })).toMatchObject({ sparsity: 0.7, fit: null });
  });

  test.each([
    [{ fit: size, nm: { n: 2, m: 4 } }, 'recipe.fit-with-nm'],
    [{ fit: size, scheduler: { kind: 'file' as const, path: '/s.json' } }, 'recipe.fit-with-file'],
    [{ fit: perplexity }, 'recipe.fit-without-evaluation'],
    [{ fit: { kind: 'size' as const, bytes: 0 } }, 'recipe.invalid'],
    [{ fit: { kind: 'perplexity' as const, perplexity: 0.9 } }, 'recipe.invalid'],
  ])('%j is refused: %s', (change, code) => {
    expect(() => parseRecipe({ model: '/m', ...change })).toThrow(expect.objectContaining({ code }) as Error);
  });
});
