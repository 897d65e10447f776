import { describe, expect, test } from 'vitest';

import { native, translated, type Divergence } from '../../src/worker/native.ts';
import { normal } from '../fixtures/tiny-opt.ts';

const vocab = 37;
const tokens = 11;
const control = new native.Control();

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

/** Of models from `reference`, their logits cut into ranges of the vocabulary that begin at `cuts`. */
async function measured(
  reference: Float32Array,
  models: readonly Float32Array[],
  cuts: readonly number[],
): Promise<Divergence[]> {
  const sums = new native.Divergences(targets, models.length);
  for (const [i, start] of cuts.entries()) {
    const end = cuts[i + 1] ?? vocab;
    const slice = columns(reference, start, end);
    await sums.addReference(0, start, end - start, slice, control);
    // Its memory is the next slice's.
    slice.fill(NaN);
    for (const [model, logits] of models.entries()) await sums.add(model, columns(logits, start, end), control);
  }
  return models.map((_, model) => sums.result(model));
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
  const [a, b, c] = [logitsOf(1, 300), logitsOf(2, -200), logitsOf(3, 0)];

  test.each([[[0]], [[0, 1]], [[0, 13, 14, 30]]])('in ranges from %j on is that of a whole softmax', async (cuts) => {
    const found = await measured(a, [b, c], cuts);
    for (const [model, { divergences, referenceLosses, losses, agreements }] of found.entries()) {
      for (let token = 0; token < tokens; token++) {
        const [p, q] = [softmax(a, token), softmax(model === 0 ? b : c, token)];
        const kl = p.reduce((sum, share, i) => sum + (share === 0 ? 0 : share * Math.log(share / (q[i] ?? 0))), 0);
        expect(divergences[token]).toBeCloseTo(kl, 10);
        expect(referenceLosses[token]).toBeCloseTo(-Math.log(p[targets[token] ?? 0] ?? 0), 10);
        expect(losses[token]).toBeCloseTo(-Math.log(q[targets[token] ?? 0] ?? 0), 10);
        const best = (shares: number[]): number => shares.indexOf(Math.max(...shares));
        expect(agreements[token]).toBe(best(p) === best(q) ? 1 : 0);
      }
      expect(Math.min(...divergences)).toBeGreaterThan(0.1);
    }
  });

  test('of a model from itself is nothing, and both have the same top token', async () => {
    const [itself] = await measured(a, [a.slice()], [0, 20]);
    expect([...(itself?.divergences ?? [])]).toEqual(new Array(tokens).fill(0));
    expect([...(itself?.agreements ?? [])]).toEqual(new Array(tokens).fill(1));
  });

  test('is not the same from the other side', async () => {
    const [[one], [other]] = [await measured(a, [b], [0]), await measured(b, [a], [0])];
    expect(one?.divergences[0]).not.toBeCloseTo(other?.divergences[0] ?? NaN, 3);
  });

  test('tokens that come in slices go to their places', async () => {
    const sums = new native.Divergences(targets, 1);
    for (const [first, end] of [
      [0, 4],
      [4, 11],
    ] as const) {
      const rows = (logits: Float32Array): Float32Array => logits.subarray(first * vocab, end * vocab);
      await sums.addReference(first, 0, vocab, rows(a), control);
      await sums.add(0, rows(b), control);
    }
    expect([sums.result(0)]).toEqual(await measured(a, [b], [0]));
  });

  test('slices that do not fit are refused, one that lies before the first token too', async () => {
    const sums = new native.Divergences(targets, 1);
    for (const first of [1, tokens, -1]) await refused(() => sums.addReference(first, 0, vocab, a, control));
    await refused(() => sums.addReference(0, 0, vocab + 1, a, control));
    await refused(() => sums.add(0, b, control));
    await sums.addReference(0, 0, vocab, a, control);
    await refused(() => sums.add(0, b.subarray(vocab), control));
    await refused(() => sums.add(1, b, control));
    await refused(() => Promise.resolve(sums.result(0)));
  });

  test('released sums are of no model', async () => {
    const sums = new native.Divergences(targets, 1);
    await sums.addReference(0, 0, vocab, a, control);
    sums.release();
    await refused(() => sums.add(0, b, control));
    await refused(() => sums.addReference(0, 0, vocab, a, control));
  });

  test('a cancelled control stops it', async () => {
    const cancelled = new native.Control();
    cancelled.cancel();
    const sums = new native.Divergences(targets, 1);
    await refused(() => sums.addReference(0, 0, vocab, a, cancelled), 'cancelled');
  });
});

async function refused(call: () => Promise<unknown>, code = 'internal'): Promise<void> {
  const error: unknown = await translated(call).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code });
}
