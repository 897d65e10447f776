import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Choice } from '../../src/contract/report.ts';
import { judgeSchedules, judgeTargets, type Losses } from '../../src/worker/schedule/judge.ts';
import { choiceSequences } from '../../src/worker/schedule/needs.ts';

/** ∫ cosⁿ from `from` to `to`, Simpson's rule. */
function integral(n: number, from: number, to: number): number {
  const pieces = 2000;
  const step = (to - from) / pieces;
  let sum = 0;
  for (let k = 0; k <= pieces; k++) {
    const weight = k === 0 || k === pieces ? 1 : k % 2 === 0 ? 2 : 4;
    sum += weight * Math.cos(from + k * step) ** n;
  }
  return (sum * step) / 3;
}

/** How likely Student's t of so many degrees of freedom is above `t`: x = √freedom tan(angle) makes its density a power of the cosine. */
function tail(t: number, freedom: number): number {
  const whole = integral(freedom - 1, -Math.PI / 2, Math.PI / 2);
  return integral(freedom - 1, Math.atan(t / Math.sqrt(freedom)), Math.PI / 2) / whole;
}

/** Written down on its own: the paired t of a candidate, by sums and sums of squares, and how likely it is by chance alone. */
function chance(losses: readonly number[], uniform: readonly number[]): number {
  const n = losses.length;
  let [sum, squares] = [0, 0];
  for (let i = 0; i < n; i++) {
    const gain = (uniform[i] ?? NaN) - (losses[i] ?? NaN);
    sum += gain;
    squares += gain * gain;
  }
  const variance = (squares - (sum * sum) / n) / (n - 1);
  return tail(sum / n / Math.sqrt(variance / n), n - 1);
}

function total(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

const alternating = (size: number, count = 16): number[] =>
  Array.from({ length: count }, (_, i) => (i % 2 ? size : -size));
const constant = (value: number, count = 16): number[] => new Array<number>(count).fill(value);
const plus = (values: readonly number[], more: readonly number[]): number[] =>
  values.map((each, i) => each + (more[i] ?? NaN));

const judge = (trials: readonly (Losses | null)[]): ReturnType<typeof judgeSchedules> =>
  judgeSchedules(trials, 'layer');

function chosen(trials: Parameters<typeof judge>[0]): number {
  return judge(trials).chosen;
}

describe('a schedule takes the place of uniform', () => {
  const uniform = Array.from({ length: 16 }, (_, i) => 3 + Math.sin(7 * i));

  it('where its gain is one that chance alone brings in fewer than one of 200 trials', () => {
    const gain = fc.double({ min: -0.02, max: 0.1, noNaN: true });
    const loss = fc.double({ min: 1, max: 6, noNaN: true });
    const noise = fc.double({ min: -0.1, max: 0.1, noNaN: true });
    const trials = fc.integer({ min: 2, max: 16 }).chain((count) => {
      const many = (of: fc.Arbitrary<number>): fc.Arbitrary<number[]> =>
        fc.array(of, { minLength: count, maxLength: count });
      return fc.tuple(many(loss), many(noise), many(noise), gain, gain);
    });
    const taken = [0, 0, 0];
    fc.assert(
      fc.property(trials, ([base, firstNoise, secondNoise, firstGain, secondGain]) => {
        const first = base.map((each, i) => each + (firstNoise[i] ?? NaN) - firstGain);
        const second = base.map((each, i) => each + (secondNoise[i] ?? NaN) - secondGain);
        const all = [base, first, second];
        const chances = [0, chance(first, base), chance(second, base)];
        fc.pre(chances.every((p) => Math.abs(p - 0.005) > 1e-4));
        const able = [0, 1, 2].filter((i) => (chances[i] ?? NaN) < 0.005);
        const lowest = Math.min(...able.map((i) => total(all[i] ?? [])));
        const made = judge(all);
        // But for the rounding of sums that are as good as equal.
        expect(total(all[made.chosen] ?? []) - lowest).toBeLessThan(1e-12);
        taken[made.chosen] = (taken[made.chosen] ?? 0) + 1;
      }),
      { numRuns: 1000 },
    );
    for (const count of taken) expect(count).toBeGreaterThan(20);
  });

  it.each([
    ['much better, and always', [uniform, plus(uniform, constant(-0.1)), plus(uniform, constant(0.1))], 1],
    ['the better of two', [uniform, plus(uniform, constant(-0.1)), plus(uniform, constant(-0.2))], 2],
    ['a little better, always', [uniform, plus(uniform, constant(-1e-5)), uniform], 1],
    [
      'better in the mean by what the sequences differ',
      [
        uniform,
        plus(
          uniform,
          alternating(0.1).map((d) => d - 0.05),
        ),
        uniform,
      ],
      0,
    ],
    [
      'the lowest is not clear, another is',
      [
        uniform,
        plus(uniform, constant(-0.1)),
        plus(
          uniform,
          alternating(3).map((d) => d - 0.2),
        ),
      ],
      1,
    ],
    ['alike', [uniform, uniform, uniform], 0],
    ['worse', [uniform, plus(uniform, constant(0.1)), plus(uniform, constant(0.01))], 0],
    ['one overflowed', [uniform, null, plus(uniform, constant(-0.1))], 2],
    ['both overflowed', [uniform, null, null], 0],
  ])('%s', (_, trials, expected) => {
    expect(chosen(trials)).toBe(expected);
  });

  it('and never on a single sequence, which says nothing of chance', () => {
    const made = judge([[4], [3], [2]]);
    expect(made).toMatchObject({ margin: null, chosen: 0 });
    expect(made.candidates.map(({ difference }) => difference)).toEqual([null, null, null]);
  });

  it('by standard errors that are one side’s 99.5 % of Student’s t', () => {
    for (let count = 2; count <= 16; count++) {
      const { margin } = judge([constant(1, count), constant(1, count), constant(1, count)]);
      expect(Math.abs(tail(margin ?? NaN, count - 1) / 0.005 - 1), String(count)).toBeLessThan(0.003);
    }
  });
});

describe('dense targets take the place of the layers’ own', () => {
  const uniform = Array.from({ length: 16 }, (_, i) => 3 + Math.sin(7 * i));
  const taken = plus(uniform, constant(-0.1));
  const schedules = judge([uniform, taken, null]);

  it.each([
    ['lower', plus(taken, constant(-1e-5)), 3],
    ['clearly better than uniform, but not lower', plus(taken, constant(0.01)), 1],
    ['alike', taken, 1],
    [
      'lower, but better than uniform in the mean by what the sequences differ',
      plus(
        uniform,
        alternating(1).map((d) => d - 0.3),
      ),
      1,
    ],
    ['overflowed', null, 1],
  ])('%s', (_, dense, expected) => {
    expect(judgeTargets(schedules, uniform, dense).chosen).toBe(expected);
  });

  it('of uniform where they are clearly better than it', () => {
    const alone = judge([uniform, null, null]);
    expect(judgeTargets(alone, uniform, plus(uniform, constant(-0.1))).chosen).toBe(3);
    expect(judgeTargets(alone, uniform, plus(uniform, alternating(1))).chosen).toBe(0);
  });

  it('and are compared with uniform as all are', () => {
    const { candidates } = judgeTargets(schedules, uniform, plus(taken, constant(-0.25)));
    expect(candidates).toHaveLength(4);
    expect(candidates[3]).toMatchObject({ scheduler: 'allocate', range: 0.1, targets: 'dense' });
    expect(candidates[3]?.difference?.mean).toBeCloseTo(-0.35, 12);
    expect(Math.log(candidates[3]?.perplexity ?? NaN)).toBeCloseTo(total(uniform) / 16 - 0.35, 12);
  });
});

it('the report says what was measured', () => {
  const { candidates, margin }: Pick<Choice, 'candidates' | 'margin'> = judge([[1, 2, 3, 6], [1, 1, 3, 3], null]);
  expect(margin).toBe(5.841);
  // Differences 0, -1, 0, -3: mean -1, squares from it 1, 0, 1, 4, so the variance is 2 and that of the mean 1/2.
  expect(candidates).toEqual([
    { scheduler: 'uniform', range: null, targets: 'layer', perplexity: Math.exp(3), difference: null },
    {
      scheduler: 'allocate',
      range: 0.1,
      targets: 'layer',
      perplexity: Math.exp(2),
      difference: { mean: -1, standardError: expect.closeTo(Math.SQRT1_2, 12) as number },
    },
    { scheduler: 'allocate', range: 0.3, targets: 'layer', perplexity: null, difference: null },
  ]);
});

it.each([
  [{ sequences: 128, seqlen: 256 }, 32],
  [{ sequences: 128, seqlen: 300 }, 28],
  [{ sequences: 128, seqlen: 2048 }, 16],
  [{ sequences: 10, seqlen: 2048 }, 10],
  [{ sequences: 20, seqlen: 64 }, 20],
])(
  'candidates are compressed with 8192 tokens of %o, at least 16 sequences where there are so many: %i',
  (all, sequences) => {
    expect(choiceSequences(all)).toBe(sequences);
  },
);
