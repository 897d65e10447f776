import { describe, expect, test } from 'vitest';

import { DivergenceSums, type Divergence } from '../../src/worker/evaluate/divergence.ts';
import { normal } from '../fixtures/tiny-opt.ts';

const vocab = 37;
const tokens = 11;

/** [tokens, vocab], some of them far from zero, where a sum of exponentials overflows. */
function logitsOf(seed: number, shift: number): Float32Array {
  const random = normal(seed);
  return Float32Array.from({ length: tokens * vocab }, () => 4 * random() + shift);
}

const targets = Int32Array.from({ length: tokens }, (_, i) => (i * 7 + 3) % vocab);

/** The columns [start, end) of every row. */
function columns(logits: Float32Array, start: number, end: number): Float32Array {
  const width = end - start;
  return Float32Array.from({ length: tokens * width }, (_, i) => {
    return logits[Math.floor(i / width) * vocab + start + (i % width)] ?? NaN;
  });
}

function measured(a: Float32Array, b: Float32Array, cuts: readonly number[]): Divergence {
  const sums = new DivergenceSums(targets);
  for (const [i, start] of cuts.entries()) {
    const end = cuts[i + 1] ?? vocab;
    sums.add({ first: 0, start, width: end - start, a: columns(a, start, end), b: columns(b, start, end) });
  }
  return sums.result();
}

/** Probabilities of a row, all at once. */
function softmax(logits: Float32Array, token: number): number[] {
  const row = [...logits.subarray(token * vocab, (token + 1) * vocab)];
  const top = Math.max(...row);
  const powers = row.map((logit) => Math.exp(logit - top));
  const sum = powers.reduce((x, y) => x + y, 0);
  return powers.map((power) => power / sum);
}

describe('divergence', () => {
  const [a, b] = [logitsOf(1, 300), logitsOf(2, -200)];

  test.each([[[0]], [[0, 1]], [[0, 13, 14, 30]]])('in ranges from %j on is that of a whole softmax', (cuts) => {
    const { divergences, lossesA, lossesB, agreements } = measured(a, b, cuts);
    for (let token = 0; token < tokens; token++) {
      const [p, q] = [softmax(a, token), softmax(b, token)];
      const kl = p.reduce((sum, share, i) => sum + (share === 0 ? 0 : share * Math.log(share / (q[i] ?? 0))), 0);
      expect(divergences[token]).toBeCloseTo(kl, 10);
      expect(lossesA[token]).toBeCloseTo(-Math.log(p[targets[token] ?? 0] ?? 0), 10);
      expect(lossesB[token]).toBeCloseTo(-Math.log(q[targets[token] ?? 0] ?? 0), 10);
      const best = (shares: number[]): number => shares.indexOf(Math.max(...shares));
      expect(agreements[token]).toBe(best(p) === best(q) ? 1 : 0);
    }
    expect(Math.min(...divergences)).toBeGreaterThan(0.1);
  });

  test('of a model from itself is nothing, and both have the same top token', () => {
    const { divergences, agreements } = measured(a, a.slice(), [0, 20]);
    expect(Math.max(...divergences.map(Math.abs))).toBeLessThan(1e-12);
    expect([...agreements]).toEqual(new Array(tokens).fill(1));
  });

  test('is not the same from the other side', () => {
    const [one, other] = [measured(a, b, [0]).divergences, measured(b, a, [0]).divergences];
    expect(one[0]).not.toBeCloseTo(other[0] ?? NaN, 3);
  });

  test('tokens that come in slices go to their places', () => {
    const sums = new DivergenceSums(targets);
    for (const [first, end] of [
      [0, 4],
      [4, 11],
    ] as const) {
      const rows = (logits: Float32Array): Float32Array => logits.subarray(first * vocab, end * vocab);
      sums.add({ first, start: 0, width: vocab, a: rows(a), b: rows(b) });
    }
    expect(sums.result()).toEqual(measured(a, b, [0]));
  });
});
