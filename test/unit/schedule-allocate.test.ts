import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { allocateSchedule } from '../../src/worker/schedule/allocate.ts';
import { weightedMean } from '../../src/worker/schedule/budget.ts';
import type { LayerStatistics } from '../../src/worker/schedule/estimates.ts';
import type { LayerSize } from '../../src/worker/schedule/types.ts';

/** A layer with what was measured of it. */
interface Layer {
  readonly weights: number;
  readonly sensitivity: number;
  /** Loss of the least salient 0, 1/20 … 1. */
  readonly curve: readonly number[];
  /** By how much more than the curve says the layer's error grows from 70 to 90 %; 1 where it is left out. */
  readonly bend?: number;
}

/** The error at 90 %, as a multiple of that at 70 %. */
function growthOf({ curve, bend = 1 }: Layer): number {
  const [unit = NaN, further = NaN] = [curve[14], curve[18]];
  return unit === 0 ? 1 : (bend * further) / unit;
}

function allocate(model: readonly Layer[], range: number, target: number): number[] {
  const layers: LayerSize[] = model.map(({ weights }, i) => ({ name: `layer${i}`, block: i, type: 'fc1', weights }));
  const by = <T>(value: (layer: Layer) => T): Record<string, T> =>
    Object.fromEntries(model.map((layer, i) => [`layer${i}`, value(layer)]));
  const statistics = by(({ curve }): LayerStatistics => ({ estimate: NaN, energy: NaN, curve }));
  const sensitivities = by(({ sensitivity }) => sensitivity);
  const made = allocateSchedule(layers, statistics, sensitivities, by(growthOf), { kind: 'allocate', range }, target);
  expect(made).toMatchObject({ groups: {}, centroids: [], estimate: 'measured' });
  const given = layers.map(({ name }) => made.sparsities[name] ?? NaN);
  expect(Math.abs(weightedMean(layers, given) - target)).toBeLessThan(1e-9);
  for (const s of given) {
    expect(s).toBeGreaterThanOrEqual(Math.max(0, target - range) - 1e-15);
    expect(s).toBeLessThanOrEqual(Math.min(0.99, target + range) + 1e-15);
  }
  return given;
}

/** Samples of a curve. */
function sampled(f: (s: number) => number): number[] {
  return Array.from({ length: 21 }, (_, k) => f(k / 20));
}

/**
 * What pruning a layer costs, written down on its own: its slope is the bent curve's mean slope at the middle of each twentieth,
 * straight in between, nothing at 0, and at 1 as steep as the last two say. So it is a parabola on each piece. From one twentieth to the
 * next a curve is bent by the fourth root of what it is between 70 and 90 %.
 */
function costOf({ weights, sensitivity, curve: saliencies, bend = 1 }: Layer): {
  cost: (s: number) => number;
  slope: (s: number) => number;
} {
  const curve = saliencies.map((loss, twentieth) => loss * bend ** ((twentieth - 14) / 4));
  const share = Math.sqrt(weights * sensitivity) / (curve[14] ?? NaN);
  const slopeOf = (piece: number): number => 20 * share * ((curve[piece + 1] ?? NaN) - (curve[piece] ?? NaN));
  const slope = (s: number): number => {
    if (s < 0.025) return (s / 0.025) * slopeOf(0);
    const piece = Math.min(18, Math.floor((s - 0.025) * 20));
    const along = (s - 0.025) * 20 - piece;
    return (1 - along) * slopeOf(piece) + along * slopeOf(piece + 1);
  };
  const cost = (s: number): number => {
    let sum = 0;
    for (let from = 0; from < s; from = from === 0 ? 0.025 : from + 0.05) {
      const to = Math.min(s, from === 0 ? 0.025 : from + 0.05);
      sum += ((slope(from) + slope(to)) / 2) * (to - from);
    }
    return sum;
  };
  return { cost, slope };
}

function totalCost(model: readonly Layer[], sparsities: readonly number[]): number {
  return model.reduce((sum, layer, i) => sum + costOf(layer).cost(sparsities[i] ?? NaN), 0);
}

/** Weights are moved from any layer to any other, in ever smaller amounts, until no move makes it cheaper. */
function byExchange(model: readonly Layer[], range: number, target: number): number[] {
  const [least, most] = [Math.max(0, target - range), Math.min(0.99, target + range)];
  const costs = model.map((layer) => costOf(layer).cost);
  const sparsities = model.map(() => target);
  const at = (i: number, by = 0): number => costs[i]?.((sparsities[i] ?? NaN) + by) ?? NaN;
  const fits = (i: number, by: number): boolean => {
    const s = (sparsities[i] ?? NaN) + by;
    return s >= least && s <= most;
  };
  for (let amount = 0.1; amount > 1e-5; amount /= 2) {
    for (let moved = true; moved;) {
      moved = false;
      for (const [i, from] of model.entries()) {
        for (const [j, to] of model.entries()) {
          const step = amount * Math.min(from.weights, to.weights);
          const [less, more] = [-step / from.weights, step / to.weights];
          if (i === j || !fits(i, less) || !fits(j, more)) continue;
          // What rounding could feign is no gain: it would go on for ever.
          const [before, after] = [at(i) + at(j), at(i, less) + at(j, more)];
          if (after >= before - 1e-12 * (before + after) - 1e-13) continue;
          sparsities[i] = (sparsities[i] ?? NaN) + less;
          sparsities[j] = (sparsities[j] ?? NaN) + more;
          moved = true;
        }
      }
    }
  }
  return sparsities;
}

const value = fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000);
/** Ascending steps, some of them alike and some nothing, summed up: not all nothing up to 70 %, where what is measured says something. */
const curves = fc
  .array(fc.oneof(value, fc.constantFrom(0, 0.5)), { minLength: 20, maxLength: 20 })
  .map((steps) => steps.toSorted((a, b) => a - b).reduce((sums, step) => [...sums, (sums.at(-1) ?? 0) + step], [0]))
  .filter((curve) => (curve[14] ?? 0) > 0);
const models = fc.array(
  fc.record({
    weights: fc.integer({ min: 1, max: 1000 }),
    sensitivity: fc.oneof(fc.double({ min: 1e-6, max: 1, noNaN: true }), fc.constantFrom(0, 0.1)),
    curve: curves,
    // Bent the other way it need not be convex.
    bend: fc.double({ min: 1, max: 10, noNaN: true }),
  }),
  { minLength: 1, maxLength: 6 },
);
const ranges = fc.double({ min: 0.01, max: 1, noNaN: true });
const targets = fc.double({ min: 0, max: 0.99, noNaN: true });

describe('allocate on any layers', () => {
  it('costs no more than what any exchange of weights between two layers leads to', () => {
    fc.assert(
      fc.property(models, ranges, targets, (model, range, target) => {
        const ours = totalCost(model, allocate(model, range, target));
        const theirs = totalCost(model, byExchange(model, range, target));
        expect(ours).toBeLessThanOrEqual(theirs * (1 + 1e-9) + 1e-12);
        expect(ours).toBeGreaterThanOrEqual(theirs * (1 - 1e-3) - 1e-5);
      }),
      { numRuns: 100 },
    );
  });

  it('lets one more weight cost the same in every layer between the bounds, no less at the lower, no more at the upper', () => {
    fc.assert(
      fc.property(models, ranges, targets, (model, range, target) => {
        const given = allocate(model, range, target);
        const [least, most] = [Math.max(0, target - range), Math.min(0.99, target + range)];
        const at = model.map((layer, i) => ({
          s: given[i] ?? NaN,
          price: costOf(layer).slope(given[i] ?? NaN) / layer.weights,
        }));
        const mayGrow = at.filter(({ s }) => s < most - 1e-9).map(({ price }) => price);
        const mayFall = at.filter(({ s }) => s > least + 1e-9).map(({ price }) => price);
        const scale = Math.max(...at.map(({ price }) => price));
        expect(Math.max(...mayFall, 0)).toBeLessThanOrEqual(Math.min(...mayGrow, Infinity) + 1e-9 * scale);
      }),
      { numRuns: 500 },
    );
  });
});

describe('allocate', () => {
  const quadratic = sampled((s) => s ** 2);

  it('prunes layers whose loss is a parabola in proportion to the root of weights / sensitivity', () => {
    const model = [
      { weights: 100, sensitivity: 1, curve: quadratic },
      { weights: 100, sensitivity: 4, curve: quadratic.map((loss) => 7 * loss) },
    ];
    const [first, second] = allocate(model, 0.3, 0.6);
    expect(first).toBeCloseTo(0.8, 12);
    expect(second).toBeCloseTo(0.4, 12);
    const [large, small] = allocate(
      [{ ...model[0], weights: 400 } as Layer, { ...model[1], sensitivity: 1 } as Layer],
      0.5,
      0.5,
    );
    // 400 * 2x + 100 * x = 500 * 0.5
    expect(large).toBeCloseTo(5 / 9, 12);
    expect(small).toBeCloseTo(5 / 18, 12);
  });

  it('holds every layer within the range', () => {
    const model = [1, 100, 10000].map((sensitivity) => ({ weights: 10, sensitivity, curve: quadratic }));
    const [first, second, third] = allocate(model, 0.1, 0.7);
    expect(first).toBeCloseTo(0.8, 12);
    expect(second).toBeCloseTo(0.7, 12);
    expect(third).toBeCloseTo(0.6, 12);
  });

  it('spares a layer whose error grows faster, above 70 %, and prunes it more below', () => {
    const layer = { weights: 10, sensitivity: 1, curve: quadratic };
    const [above, faster] = allocate([layer, { ...layer, bend: 3 }], 0.1, 0.85);
    expect(faster).toBeLessThan((above ?? NaN) - 0.05);
    const [below, later] = allocate([layer, { ...layer, bend: 3 }], 0.1, 0.3);
    expect(later).toBeGreaterThan((below ?? NaN) + 0.01);
  });

  it('gives alike layers the target', () => {
    const alike = new Array<Layer>(5).fill({ weights: 64, sensitivity: 0.03, curve: quadratic });
    for (const s of allocate(alike, 0.1, 0.7)) expect(s).toBeCloseTo(0.7, 12);
  });

  it('prunes what costs nothing first: layers of zeros, and such as nobody minds', () => {
    const zeros = sampled(() => 0);
    const model = [
      { weights: 10, sensitivity: 0, curve: zeros },
      { weights: 30, sensitivity: 0, curve: quadratic },
      { weights: 20, sensitivity: 0, curve: quadratic.map((loss) => 3 * loss) },
      { weights: 40, sensitivity: 1, curve: quadratic },
    ];
    const [a, b, c, d] = allocate(model, 0.3, 0.6);
    for (const s of [a, b, c]) expect(s).toBeCloseTo(0.8, 12);
    expect(d).toBeCloseTo(0.3, 12);
    for (const s of allocate(model.slice(0, 3), 0.1, 0.7)) expect(s).toBeCloseTo(0.7, 12);
  });

  describe('a layer of which 70 % are zeros, so that nothing was measured of it', () => {
    /** Nothing up to so many twentieths, then steeper and steeper. */
    const zerosUpTo = (twentieths: number): Layer => ({
      weights: 100,
      sensitivity: 0,
      curve: sampled((s) => Math.max(0, s - twentieths / 20) ** 2),
    });
    const other = { weights: 100, sensitivity: 1, curve: quadratic };

    it('has the target, not all that the range allows', () => {
      for (const s of allocate([zerosUpTo(14), other, other], 0.1, 0.8)) expect(s).toBeCloseTo(0.8, 12);
      const [zeros, first, second] = allocate([zerosUpTo(15), other, { ...other, sensitivity: 2 }], 0.1, 0.8);
      expect(zeros).toBe(0.8);
      expect((first ?? NaN) + (second ?? NaN)).toBeCloseTo(1.6, 12);
      expect(first).toBeGreaterThan(0.85);
    });

    it('has what is zero already where that is more, and spares the others', () => {
      const [zeros, first, second] = allocate([zerosUpTo(17), other, other], 0.1, 0.8);
      expect(zeros).toBeCloseTo(0.85, 12);
      expect(first).toBeCloseTo(0.775, 12);
      expect(second).toBeCloseTo(0.775, 12);
      const [most, least] = allocate([zerosUpTo(17), other], 0.1, 0.6);
      expect(most).toBeCloseTo(0.7, 12);
      expect(least).toBeCloseTo(0.5, 12);
    });

    it('has the target where all are such: a model compressed before, once more', () => {
      for (const s of allocate(new Array<Layer>(4).fill(zerosUpTo(14)), 0.1, 0.8)) expect(s).toBeCloseTo(0.8, 12);
      for (const s of allocate([zerosUpTo(18), zerosUpTo(19)], 0.1, 0.8)) expect(s).toBeCloseTo(0.8, 12);
    });
  });

  it('meets the target where the curves are straight, and one more weight costs the same everywhere', () => {
    const straight = sampled((s) => s);
    const model = [1, 1, 3].map((weights) => ({ weights, sensitivity: weights, curve: straight }));
    const [first, second] = allocate(model, 0.2, 0.5);
    expect(first).toBe(second);
    allocate([...model, { weights: 2, sensitivity: 0.5, curve: quadratic }], 0.05, 0.93);
  });

  it.each([
    ['one layer', 1, 0.1, 0.7],
    ['a range beyond the target', 3, 0.5, 0.2],
    ['a range beyond what is left', 3, 0.5, 0.9],
    ['all of it', 3, 1, 0.5],
    ['nothing', 3, 0.1, 0],
    ['the highest', 3, 0.1, 0.99],
  ])('%s', (_, count, range, target) => {
    const model = Array.from({ length: count }, (__, i) => ({
      weights: 1 + i,
      sensitivity: 0.1 ** i,
      curve: quadratic,
    }));
    const given = allocate(model, range, target);
    if (count === 1) expect(given[0]).toBeCloseTo(target, 12);
  });

  it('refuses more than the highest sparsity', () => {
    const model = [{ weights: 10, sensitivity: 1, curve: quadratic }];
    expect(() => allocate(model, 0.1, 0.995)).toThrow('schedule.out-of-reach');
  });

  it('misses a layer of which nothing was measured', () => {
    const layer = { name: 'a', block: 0, type: 'fc1', weights: 1 };
    expect(() => allocateSchedule([layer], {}, {}, {}, { kind: 'allocate', range: 0.1 }, 0.7)).toThrow('layer a');
  });
});
