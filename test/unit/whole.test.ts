import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import { predictOnnx } from '../../src/worker/evaluate/onnx.ts';
import { predict } from '../../src/worker/evaluate/predictions.ts';
import { openModel } from '../../src/worker/model/open.ts';
import { onnxModel } from '../../src/worker/runtime/onnx-model.ts';
import { Session } from '../../src/worker/runtime/session.ts';
import { wholeGraph } from '../../src/worker/runtime/whole.ts';
import { BatchGeneration } from '../fixtures/generate.ts';
import {
  FIXTURE_SEQLEN,
  FIXTURE_SEQUENCES,
  fixtureConfig,
  fixtureExpected,
  fixtureFolder,
  modelFixtures,
  relativeDifference,
} from '../fixtures/models.ts';
import { withPerplexity } from '../fixtures/measured.ts';

const options = { device: 'cpu', threads: 1 } as const;
const scratch = mkdtempSync(join(tmpdir(), 'tamis-whole-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const checkpoints = modelFixtures.map((name) => ({
  name,
  folder: fixtureFolder(name),
  expected: fixtureExpected(name),
  shortest: originalLength(fixtureConfig(name)) + 1,
}));

/** LongRoPE's: keys of a shorter sequence, which stay in the cache, were turned at another speed than those of a longer one. 0 elsewhere. */
function originalLength({ rope_parameters: rope }: Record<string, unknown>): number {
  const { data } = z
    .object({ rope_type: z.literal('longrope'), original_max_position_embeddings: z.int().max(FIXTURE_SEQLEN) })
    .safeParse(rope);
  return data?.original_max_position_embeddings ?? 0;
}

const ones = (count: number): number[] => new Array<number>(count).fill(1);
const upTo = (count: number): number[] => [...Array(count).keys()];

describe.each(checkpoints)('the whole graph of $name', async ({ folder, expected, shortest }) => {
  const model = await openModel(folder);
  const { family } = model;
  const session = await Session.open(wholeGraph(model).build(), options);
  afterAll(() => session[Symbol.asyncDispose]());
  const tokens = expected.readI64('tokens');
  const sequences = Array.from({ length: FIXTURE_SEQUENCES }, (_, i) => [
    ...tokens.subarray(i * FIXTURE_SEQLEN, (i + 1) * FIXTURE_SEQLEN),
  ]);
  /** transformers' logits [sequence][tokens, vocab]. */
  const wanted = sequences.map((_, i) =>
    expected.readF32('logits').subarray(i * FIXTURE_SEQLEN * family.vocab, (i + 1) * FIXTURE_SEQLEN * family.vocab),
  );
  const rows = (logits: Float32Array, start: number, end: number): Float32Array =>
    logits.subarray(start * family.vocab, end * family.vocab);

  test('computes what transformers computes, two sequences at once', async () => {
    const logits = await new BatchGeneration(session, family).run({
      ids: sequences,
      mask: sequences.map(() => ones(FIXTURE_SEQLEN)),
      positions: sequences.map(() => upTo(FIXTURE_SEQLEN)),
    });
    expect(relativeDifference(logits, expected.readF32('logits'))).toBeLessThan(1e-6);
  });

  test.each([[[1]], [[4, 1, 5]]])('in pieces of %j tokens with its cache', async (pieces) => {
    const generation = new BatchGeneration(session, family);
    const logits = new Float32Array(FIXTURE_SEQLEN * family.vocab);
    for (let start = 0, i = 0; start < FIXTURE_SEQLEN; i++) {
      const end = Math.max(start + (pieces[i % pieces.length] ?? 1), shortest);
      const part = await generation.run({
        ids: [sequences[1]?.slice(start, end) ?? []],
        mask: [ones(end)],
        positions: [upTo(end).slice(start)],
      });
      logits.set(part, start * family.vocab);
      start = end;
    }
    expect(relativeDifference(logits, wanted[1] ?? logits)).toBeLessThan(1e-6);
  });

  test('takes no notice of padding on the left, in the prompt and after it', async () => {
    const generation = new BatchGeneration(session, family);
    const short = sequences[1]?.slice(0, 7) ?? [];
    const prompt = await generation.run({
      ids: [sequences[0]?.slice(0, 7) ?? [], [5, 6, 7, ...short.slice(0, 4)]],
      mask: [ones(7), [0, 0, 0, ...ones(4)]],
      positions: [upTo(7), [0, 0, 0, ...upTo(4)]],
    });
    expect(relativeDifference(rows(prompt, 0, 7), rows(wanted[0] ?? prompt, 0, 7))).toBeLessThan(1e-6);
    expect(relativeDifference(rows(prompt, 10, 14), rows(wanted[1] ?? prompt, 0, 4))).toBeLessThan(1e-6);
    const next = await generation.run({
      ids: [sequences[0]?.slice(7, 10) ?? [], short.slice(4)],
      mask: [ones(10), [0, 0, 0, ...ones(7)]],
      positions: [
        [7, 8, 9],
        [4, 5, 6],
      ],
    });
    expect(relativeDifference(rows(next, 0, 3), rows(wanted[0] ?? next, 7, 10))).toBeLessThan(1e-6);
    expect(relativeDifference(rows(next, 3, 6), rows(wanted[1] ?? next, 4, 7))).toBeLessThan(1e-6);
  });

  test('has the perplexity of the streamed evaluation', async () => {
    const sets = [{ name: 'fixture', tokens: Int32Array.from(tokens) }];
    const evaluation = { ...options, seqlen: FIXTURE_SEQLEN, signal: new AbortController().signal };
    const [streamed] = withPerplexity(await predict(model, sets, { ...evaluation, scratch }));
    const exported = onnxModel(session, family, family.maxSeqlen);
    const [whole] = withPerplexity(await predictOnnx(exported, sets, evaluation));
    expect(whole).toMatchObject({
      name: 'fixture',
      windows: FIXTURE_SEQUENCES,
      tokens: tokens.length,
      seqlen: FIXTURE_SEQLEN,
    });
    expect((whole?.perplexity ?? NaN) / (streamed?.perplexity ?? NaN)).toBeCloseTo(1, 5);
    expect(whole?.predictions.hits).toEqual(streamed?.predictions.hits);
  });
});
