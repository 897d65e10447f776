import { readFileSync } from 'node:fs';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { TamisError } from '../../src/contract/errors.ts';
import { schedulerSchema } from '../../src/contract/recipe/schedulers.ts';
import { alphaSchedule, atpSchedule, owlSchedule, uniformSchedule } from '../../src/worker/schedule/blocks.ts';
import { weightedMean } from '../../src/worker/schedule/budget.ts';
import { fileSchedule } from '../../src/worker/schedule/file.ts';
import { resolveScheduler, schedule } from '../../src/worker/schedule/schedule.ts';
import type { ExplicitScheduler, LayerSize, Schedule } from '../../src/worker/schedule/types.ts';

interface Reference {
  layers: LayerSize[];
  owl: { outliers: number[]; 'sparsities-70': number[] };
  alpha: { alphas: Record<string, number>; 'sparsities-70': number[]; 'sparsities-85': number[] };
  atp: { 'sparsities-70': number[] };
}
const reference = JSON.parse(
  readFileSync(new URL('../fixtures/schedule/reference.json', import.meta.url), 'utf8'),
) as Reference;
const { layers } = reference;

function values({ sparsities }: Schedule, of: readonly LayerSize[] = layers): number[] {
  return of.map(({ name }) => sparsities[name] ?? NaN);
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 10));
}

/** Blocks of unequal size, each of one layer. */
const unequal: LayerSize[] = [3, 50, 200, 1000].map((weights, block) => ({
  name: `b${block}`,
  block,
  type: 'fc1',
  weights,
}));

describe('against NumPy', () => {
  it('owl', () => {
    expectClose(values(owlSchedule(layers, reference.owl.outliers, 0.08, 0.7)), reference.owl['sparsities-70']);
  });
  it('alpha, also where the bound of 0.99 cuts some off', () => {
    const { alphas } = reference.alpha;
    expectClose(values(alphaSchedule(layers, alphas, 0.3, 0.7)), reference.alpha['sparsities-70']);
    const high = values(alphaSchedule(layers, alphas, 0.3, 0.85));
    expectClose(high, reference.alpha['sparsities-85']);
    expect(Math.max(...high)).toBe(0.99);
  });
  it('atp with its default step', () => {
    expectClose(values(atpSchedule(layers, null, 0.7)), reference.atp['sparsities-70']);
  });
});

describe('on any blocks', () => {
  const cases = fc.record({
    weights: fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1, maxLength: 20 }),
    target: fc.double({ min: 0.01, max: 0.95, noNaN: true }),
    seed: fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { minLength: 20, maxLength: 20 }),
  });
  const blocksOf = (weights: readonly number[]): LayerSize[] =>
    weights.map((w, block) => ({ name: `b${block}`, block, type: 'fc1', weights: w }));

  it('every scheduler meets the target inside its bounds', () => {
    fc.assert(
      fc.property(cases, ({ weights, target, seed }) => {
        const model = blocksOf(weights);
        const outliers = seed.slice(0, weights.length);
        const alphas = Object.fromEntries(model.map(({ name }, i) => [name, 1 + (outliers[i] ?? 0)]));
        const made = [
          uniformSchedule(model, target),
          owlSchedule(model, outliers, 0.08, target),
          alphaSchedule(model, alphas, 0.3, target),
          atpSchedule(model, null, target),
        ];
        for (const one of made) {
          const given = values(one, model);
          expect(Math.abs(weightedMean(model, given) - target)).toBeLessThan(1e-12);
          for (const s of given) expect(s >= 0 && s <= 0.99).toBe(true);
        }
      }),
    );
  });

  it('owl prunes a block with more outliers less, alpha one with a larger exponent more', () => {
    const owl = values(owlSchedule(unequal, [1, 9, 4, 2], 0.08, 0.7), unequal);
    expect([...owl].sort((a, b) => b - a)).toEqual([owl[0], owl[3], owl[2], owl[1]]);
    const alpha = values(alphaSchedule(unequal, { b0: 2, b1: 5, b2: 3, b3: 4 }, 0.3, 0.7), unequal);
    expect([...alpha].sort((a, b) => a - b)).toEqual([alpha[0], alpha[2], alpha[3], alpha[1]]);
  });

  it('blocks that do not differ get the target', () => {
    for (const one of [
      owlSchedule(unequal, [2, 2, 2, 2], 0.08, 0.7),
      alphaSchedule(unequal, { b0: 3, b1: 3, b2: 3, b3: 3 }, 0.3, 0.7),
    ]) {
      expectClose(values(one, unequal), [0.7, 0.7, 0.7, 0.7]);
    }
  });

  it('a single block works', () => {
    const one = unequal.slice(0, 1);
    expectClose(values(atpSchedule(one, null, 0.6), one), [0.6]);
    expectClose(values(owlSchedule(one, [3], 0.08, 0.6), one), [0.6]);
  });
});

describe('atp', () => {
  it('is an arithmetic progression of the step given', () => {
    const given = values(atpSchedule(unequal, 0.05, 0.7), unequal);
    given.slice(1).forEach((s, i) => expect(s - (given[i] ?? NaN)).toBeCloseTo(0.05, 12));
  });
  it('refuses a step that would leave [0, 1]', () => {
    expect(() => atpSchedule(unequal, 0.3, 0.7)).toThrow('schedule.beta');
    expect(() => atpSchedule(unequal, -0.3, 0.7)).toThrow('schedule.beta');
  });
});

describe('alpha', () => {
  it('says so where a block that must stay dense makes the target unreachable', () => {
    const alphas = { b0: 3, b1: 4, b2: 5, b3: 2 };
    expect(() => alphaSchedule(unequal, alphas, 1, 0.7)).toThrow('schedule.out-of-reach');
  });
});

describe('file', () => {
  const given = { b0: 0, b1: 0.5, b2: 0.7, b3: 0.99 };
  const refusal = (content: unknown): TamisError => {
    try {
      fileSchedule(unequal, content, 'plan.json');
    } catch (error) {
      if (error instanceof TamisError) return error;
    }
    throw new Error('not refused');
  };

  it('takes the sparsities as they are and says what mean they make', () => {
    const { schedule: made, target } = fileSchedule(unequal, given, 'plan.json');
    expect(made.sparsities).toEqual(given);
    expect(target).toBeCloseTo((50 * 0.5 + 200 * 0.7 + 1000 * 0.99) / 1253, 12);
  });

  it.each([
    ['an array', [0.5], 'schedule-file.not-an-object', {}],
    ['null', null, 'schedule-file.not-an-object', {}],
    ['a layer too few', { b0: 0, b1: 0, b2: 0 }, 'schedule-file.missing-layer', { layer: 'b3' }],
    ['a layer too many', { ...given, b4: 0.5 }, 'schedule-file.unknown-layer', { layer: 'b4' }],
    ['a sparsity of 1', { ...given, b1: 1 }, 'schedule-file.value', { layer: 'b1', value: '1' }],
    ['a negative one', { ...given, b1: -0.1 }, 'schedule-file.value', { layer: 'b1', value: '-0.1' }],
    ['a string', { ...given, b1: '0.5' }, 'schedule-file.value', { layer: 'b1', value: '"0.5"' }],
  ])('refuses %s', (_, content, code, params) => {
    const error = refusal(content);
    expect(error.code).toBe(code);
    expect(error.params).toEqual({ path: 'plan.json', ...params });
  });
});

describe('schedule', () => {
  it.each(['uniform', 'owl', 'alpha', 'atp', 'kmeans', 'allocate'] as const)('%s by its recipe', (kind) => {
    const scheduler = resolveScheduler(schedulerSchema.parse({ kind }) as ExplicitScheduler, 'paper');
    const curve = Array.from({ length: 21 }, (_, i) => (i / 20) ** 3);
    const made = schedule(scheduler, unequal, 0.6, {
      statistics: Object.fromEntries(
        unequal.map(({ name, block }) => [name, { estimate: 10 ** block, energy: 1, curve }]),
      ),
      sensitivities: { b0: 4, b1: 3, b2: 2, b3: 1 },
      growths: { b0: 4, b1: 4, b2: 4, b3: 4 },
      outliers: [1, 2, 3, 4],
      alphas: { b0: 2, b1: 3, b2: 4, b3: 5 },
    });
    expect(weightedMean(unequal, values(made, unequal))).toBeCloseTo(0.6, 12);
    expect(new Set(values(made, unequal)).size > 1).toBe(kind !== 'uniform');
  });
});
